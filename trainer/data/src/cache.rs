//! Fitted images on disk: what took minutes to decode is there at once the next time.
//!
//! | bytes | what |
//! | --- | --- |
//! | 16 | `edgegen set 1` and a newline, filled up with zeros |
//! | 8 | length of the next, little-endian |
//! | … | account, labels and classes as JSON |
//! | … | the pixels |
//! | 4 | CRC-32 of all before it, little-endian |

use std::fs::{self, File, FileTimes};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::dataset::{Dataset, Split};
use crate::decide::Plan;
use crate::{Account, Config};

const MAGIC: &[u8; 16] = b"edgegen set 1\n\0\0";
/// All entries together; the oldest go first.
const MOST_BYTES: u64 = 4 << 30;

/// All but the pixels.
#[derive(Serialize, Deserialize)]
struct Head {
    account: Account,
    name: String,
    labels: Option<Vec<u8>>,
    class_names: Vec<String>,
    shape: [usize; 3],
}

/// The name of an entry: it changes with every file's path, length and time, with the options, and with what was left out.
pub fn key(root: &Path, split: Split, config: &Config, plan: &Plan) -> String {
    let mut hash = Sha256::new();
    let mut add = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    add(env!("CARGO_PKG_VERSION"));
    add(&root.display().to_string());
    add(split.name());
    add(&serde_json::to_string(config).unwrap_or_default());
    add(&format!("{:?}", (&plan.classes, &plan.labels, &plan.notes, &plan.skips, &plan.bad)));
    for file in &plan.files {
        add(&file.path.to_string_lossy());
        add(&format!("{} {}", file.bytes, file.modified));
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The entry `key`, if there is one and it is undamaged.
pub fn load(folder: &Path, key: &str) -> Option<(Dataset, Account)> {
    let path = path(folder, key);
    let bytes = fs::read(&path).ok()?;
    let (body, sum) = bytes.split_last_chunk::<4>()?;
    if crc32fast::hash(body) != u32::from_le_bytes(*sum) {
        return None;
    }
    let (length, rest) = body.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    let (head, images) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
    let Head { account, name, labels, class_names, shape } = serde_json::from_slice(head).ok()?;
    let dataset = Dataset { name, images: images.to_vec(), labels, class_names, shape };
    let counts = dataset.labels.as_ref().is_none_or(|labels| labels.len() == dataset.len());
    if !counts || images.len() % shape.iter().product::<usize>().max(1) != 0 {
        return None;
    }
    // Used now: the last to go. A file system that does not keep times loses this entry sooner, and nothing else.
    let _ = File::options()
        .append(true)
        .open(&path)
        .and_then(|file| file.set_times(FileTimes::new().set_modified(SystemTime::now())));
    Some((dataset, Account { cached: true, ..account }))
}

/// Writes an entry, and removes the oldest where all together are too large. A cache that cannot be written is none.
pub fn store(folder: &Path, key: &str, dataset: &Dataset, account: &Account) {
    let Dataset { name, images, labels, class_names, shape } = dataset;
    let head = Head {
        account: account.clone(),
        name: name.clone(),
        labels: labels.clone(),
        class_names: class_names.clone(),
        shape: *shape,
    };
    let Ok(head) = serde_json::to_vec(&head) else { return };
    if images.len() as u64 > MOST_BYTES / 2 || fs::create_dir_all(folder).is_err() {
        return;
    }
    let mut sum = crc32fast::Hasher::new();
    let written = tempfile::Builder::new().prefix(".set-").tempfile_in(folder).and_then(|mut file| {
        for part in [&MAGIC[..], &(head.len() as u64).to_le_bytes(), &head, images] {
            sum.update(part);
            file.write_all(part)?;
        }
        file.write_all(&sum.finalize().to_le_bytes())?;
        file.persist(path(folder, key)).map_err(|error| error.error)
    });
    if written.is_ok() {
        shrink(folder, MOST_BYTES);
    }
}

/// Removes the oldest entries beyond `most` bytes.
fn shrink(folder: &Path, most: u64) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut entries: Vec<_> = entries
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "set"))
        .filter_map(|entry| entry.metadata().ok().map(|data| (data.modified().ok(), data.len(), entry.path())))
        .collect();
    entries.sort();
    let mut total: u64 = entries.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in entries {
        if total <= most {
            return;
        }
        // Another process may have removed it.
        let _ = fs::remove_file(path);
        total -= bytes;
    }
}

fn path(folder: &Path, key: &str) -> PathBuf {
    folder.join(key).with_extension("set")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset() -> Dataset {
        Dataset {
            name: "x".into(),
            images: vec![1, 2, 3, 4],
            labels: Some(vec![0, 1]),
            class_names: vec!["a".into(), "b".into()],
            shape: [1, 2, 1],
        }
    }

    #[test]
    fn an_entry_comes_back_or_counts_for_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path(), "k").is_none());
        store(folder.path(), "k", &dataset(), &Account::default());
        let (found, account) = load(folder.path(), "k").unwrap();
        assert_eq!((found, account.cached), (dataset(), true));
        let path = path(folder.path(), "k");
        let whole = fs::read(&path).unwrap();
        for at in [0, 20, whole.len() / 2, whole.len() - 5, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 1;
            fs::write(&path, damaged).unwrap();
            assert!(load(folder.path(), "k").is_none(), "byte {at}");
        }
        fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        assert!(load(folder.path(), "k").is_none());
    }

    #[test]
    fn the_oldest_go_first() {
        let folder = tempfile::tempdir().unwrap();
        for (key, seconds) in [("new", 200), ("old", 100)] {
            store(folder.path(), key, &dataset(), &Account::default());
            let time = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
            let file = File::options().append(true).open(path(folder.path(), key)).unwrap();
            file.set_times(FileTimes::new().set_modified(time)).unwrap();
        }
        let bytes = fs::metadata(path(folder.path(), "new")).unwrap().len();
        shrink(folder.path(), bytes);
        assert!(load(folder.path(), "old").is_none() && load(folder.path(), "new").is_some());
    }
}
