//! Walks a folder: every file that may be an image or a sound, and what was left out.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use anyhow::{Context, Result, ensure};

use crate::account::Skips;
use crate::natural::natural_path;
use crate::wav::is_wav;

/// Deeper folders are a mistake.
const MAX_DEPTH: usize = 32;

/// What is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Pictures.
    Pictures,
    /// WAV files.
    Sounds,
}

/// A file that may be an image or a sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Below the root.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// When it was last written, in nanoseconds of the Unix time; 0 where the file system does not know.
    pub modified: u128,
}

/// What lies in a folder.
#[derive(Debug, Default)]
pub struct Found {
    /// In natural order.
    pub files: Vec<File>,
    /// All folders below the root, those without images too, in natural order.
    pub folders: Vec<PathBuf>,
    /// What was left out.
    pub skips: Skips,
    /// Files that should be images or sounds and cannot be read, with the reason.
    pub bad: Vec<(PathBuf, String)>,
}

/// Lists all of `kind` that lies below `root`. Links are followed; a link to a folder that it lies in is left out.
pub fn find(root: &Path, kind: Kind) -> Result<Found> {
    let mut found = Found::default();
    let real = root.canonicalize().with_context(|| format!("cannot open the folder {}", root.display()))?;
    walk(root, Path::new(""), kind, &mut vec![real], &mut found)?;
    found.files.sort_by(|a, b| natural_path(&a.path, &b.path));
    found.folders.sort_by(|a, b| natural_path(a, b));
    Ok(found)
}

/// `above` are the real paths of `folder` and of those that it lies in.
fn walk(root: &Path, folder: &Path, kind: Kind, above: &mut Vec<PathBuf>, found: &mut Found) -> Result<()> {
    let here = root.join(folder);
    ensure!(above.len() <= MAX_DEPTH, "expected at most {MAX_DEPTH} nested folders, found more at {}", here.display());
    let own_run = is_run(&here);
    for entry in fs::read_dir(&here).with_context(|| format!("cannot list {}", here.display()))? {
        let name = entry?.file_name();
        let path = folder.join(&name);
        let full = root.join(&path);
        let text = name.to_string_lossy();
        if text.starts_with('.') || ["__MACOSX", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN"].contains(&&*text) {
            found.skips.add("hidden", &path);
            continue;
        }
        // Links are followed here.
        let metadata = match fs::metadata(&full) {
            Ok(metadata) => metadata,
            Err(error) => {
                let reason = match fs::read_link(&full) {
                    Ok(target) => format!("a link to {}, which is not there", target.display()),
                    Err(_) => error.to_string(),
                };
                found.bad.push((path, reason));
                continue;
            }
        };
        if metadata.is_dir() {
            if is_run(&full) || own_run && ["samples", "checkpoint"].contains(&&*text) {
                found.skips.add("run folder of edgegen", &path);
                continue;
            }
            let real = full.canonicalize().with_context(|| format!("cannot open the folder {}", full.display()))?;
            if above.contains(&real) {
                found.skips.add("link to a folder that it lies in", &path);
                continue;
            }
            found.folders.push(path.clone());
            above.push(real);
            walk(root, &path, kind, above, found)?;
            above.pop();
        } else if metadata.is_file() {
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let file = File { bytes: metadata.len(), modified: modified.map_or(0, |time| time.as_nanos()), path };
            match kind {
                Kind::Pictures => take(&full, file, found),
                Kind::Sounds => take_sound(&full, file, found),
            }
        } else {
            found.skips.add("no file", &path);
        }
    }
    Ok(())
}

/// Whether edgegen trains or has trained into this folder.
fn is_run(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).exists();
    has("recipe.toml") && (has("samples") || has("metrics.jsonl") || has("generator.safetensors"))
}

/// Names of pictures that can be read.
const READ: [&str; 25] = [
    "png", "apng", "jpg", "jpeg", "jpe", "jfif", "jif", "gif", "webp", "bmp", "dib", "tif", "tiff", "tga", "ico",
    "cur", "qoi", "pnm", "pbm", "pgm", "ppm", "pam", "ff", "hdr", "dds",
];

/// Names of pictures that cannot, which nobody should lose without a word.
const UNREAD: [&str; 22] = [
    "heic", "heif", "avif", "jxl", "jp2", "j2k", "svg", "psd", "xcf", "exr", "dng", "cr2", "cr3", "nef", "arw", "raf",
    "orf", "rw2", "pcx", "eps", "ai", "hif",
];

/// Decides by the name whether a file is a picture, and by its first bytes where the name says nothing.
fn take(full: &Path, file: File, found: &mut Found) {
    let extension = file.path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if READ.contains(&&*extension) {
        found.files.push(file);
    } else if UNREAD.contains(&&*extension) {
        let reason =
            format!("a picture of the kind .{extension}, which edgegen cannot read: convert it to PNG or JPEG");
        found.bad.push((file.path, reason));
    } else {
        let mut start = Vec::new();
        match fs::File::open(full).and_then(|file| file.take(16).read_to_end(&mut start)) {
            Ok(_) if is_image(&start) => found.files.push(file),
            Ok(_)
                if start.get(4..12).is_some_and(|kind| {
                    [b"ftypheic", b"ftypavif", b"ftypmif1"].contains(&kind.try_into().unwrap_or(&[0; 8]))
                }) =>
            {
                found.bad.push((
                    file.path,
                    "a HEIC or AVIF picture, which edgegen cannot read: convert it to PNG or JPEG".into(),
                ));
            }
            Ok(_) if is_wav(&start) => found.skips.add("a sound, which [data] rate asks for", &file.path),
            Ok(_) => found.skips.add("no image", &file.path),
            // What cannot be opened and has no picture's name is none of ours.
            Err(_) => found.skips.add("no image, and not readable", &file.path),
        }
    }
}

/// Names of sounds that cannot be read.
const UNREAD_SOUNDS: [&str; 13] =
    ["mp3", "flac", "ogg", "oga", "opus", "m4a", "aac", "wma", "aif", "aiff", "aifc", "au", "caf"];

/// As [`take`], of sounds.
fn take_sound(full: &Path, file: File, found: &mut Found) {
    let extension = file.path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if ["wav", "wave"].contains(&&*extension) {
        found.files.push(file);
    } else if UNREAD_SOUNDS.contains(&&*extension) {
        let reason = format!("a sound of the kind .{extension}, which edgegen cannot read: convert it to WAV");
        found.bad.push((file.path, reason));
    } else {
        let mut start = Vec::new();
        match fs::File::open(full).and_then(|file| file.take(16).read_to_end(&mut start)) {
            Ok(_) if is_wav(&start) => found.files.push(file),
            _ => found.skips.add("no sound", &file.path),
        }
    }
}

/// Whether a file begins as one that the decoders know. Formats whose first bytes words may begin with, too, are told by
/// their name alone.
fn is_image(start: &[u8]) -> bool {
    let webp = start.starts_with(b"RIFF") && start.get(8..12) == Some(b"WEBP");
    webp || [
        &b"\x89PNG\r\n\x1a\n"[..],
        b"\xff\xd8\xff",
        b"GIF89a",
        b"GIF87a",
        b"MM\x00*",
        b"II*\x00",
        b"qoif",
        b"farbfeld",
        b"#?RADIANCE",
        b"DDS ",
    ]
    .iter()
    .any(|magic| start.starts_with(magic))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, path: &str, bytes: &[u8]) {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    fn names(found: &Found) -> Vec<String> {
        found.files.iter().map(|file| file.path.display().to_string()).collect()
    }

    #[test]
    fn files_come_by_name_or_by_content_in_natural_order() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["10/a.png", "2/b10.JFIF", "2/b9.webp", "notes.txt", ".git/x.png", "2/Thumbs.db"] {
            write(folder.path(), path, b"whatever");
        }
        write(folder.path(), "2/download", b"\xff\xd8\xff\xe0 and so on");
        write(folder.path(), "raw.heic", b"");
        write(folder.path(), "BMW", b"BM and P5 may begin a text");
        let found = find(folder.path(), Kind::Pictures).unwrap();
        assert_eq!(names(&found), ["2/b9.webp", "2/b10.JFIF", "2/download", "10/a.png"]);
        assert_eq!(found.bad.len(), 1);
        assert!(found.bad[0].1.contains("heic"));
        let counts: Vec<_> = found.skips.list().iter().map(|skip| (skip.reason.clone(), skip.count)).collect();
        assert_eq!(counts, [("hidden".to_owned(), 2), ("no image".to_owned(), 2)]);
    }

    #[test]
    fn sounds_are_looked_for_where_they_are_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "kick/1.WAV", b"");
        write(folder.path(), "kick/tape", b"RIFF\x24\x08\0\0WAVEfmt ");
        write(folder.path(), "kick/cover.png", b"");
        write(folder.path(), "song.mp3", b"");
        let found = find(folder.path(), Kind::Sounds).unwrap();
        assert_eq!(names(&found), ["kick/1.WAV", "kick/tape"]);
        assert!(found.bad[0].1.contains(".mp3"), "{:?}", found.bad);
        assert_eq!(found.skips.list()[0].reason, "no sound");
        let found = find(folder.path(), Kind::Pictures).unwrap();
        assert_eq!(names(&found), ["kick/cover.png"]);
        assert!(found.skips.list().iter().any(|skip| skip.reason.contains("[data] rate") && skip.count == 1));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_but_not_in_circles() {
        use std::os::unix::fs::symlink;
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(elsewhere.path(), "1.png", b"");
        write(folder.path(), "dog/1.png", b"");
        symlink(elsewhere.path(), folder.path().join("cat")).unwrap();
        symlink(folder.path(), folder.path().join("dog/all")).unwrap();
        symlink("nowhere.png", folder.path().join("dog/2.png")).unwrap();
        let found = find(folder.path(), Kind::Pictures).unwrap();
        assert_eq!(names(&found), ["cat/1.png", "dog/1.png"]);
        assert!(found.skips.list()[0].reason.contains("link to a folder that it lies in"));
        assert!(found.bad[0].1.contains("nowhere.png"), "{:?}", found.bad);
    }

    #[test]
    fn what_edgegen_wrote_is_no_input() {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), "cat/1.png", b"");
        write(folder.path(), "run/recipe.toml", b"");
        write(folder.path(), "run/samples/step-9.png", b"");
        assert_eq!(names(&find(folder.path(), Kind::Pictures).unwrap()), ["cat/1.png"]);
        // The folder itself as --out.
        write(folder.path(), "recipe.toml", b"");
        write(folder.path(), "samples/step-9.png", b"");
        let found = find(folder.path(), Kind::Pictures).unwrap();
        assert_eq!(names(&found), ["cat/1.png"]);
        assert!(found.skips.list().iter().any(|skip| skip.reason.contains("run folder") && skip.count == 2));
    }
}
