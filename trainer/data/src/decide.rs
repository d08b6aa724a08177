//! What the folders of a data set mean: its parts, and its classes by their names.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::account::Skips;
use crate::dataset::Split;
use crate::find::{File, Found};
use crate::natural::natural;

/// The usual names of a part's folder, in any case of letters.
const TRAIN: [&str; 2] = ["train", "training"];
const VALIDATION: [&str; 4] = ["val", "valid", "validation", "dev"];
const TEST: [&str; 2] = ["test", "testing"];

/// Labels are bytes.
const MAX_CLASSES: usize = 256;

/// The files of one part, with their classes.
#[derive(Debug, Default)]
pub struct Plan {
    /// Files in natural order.
    pub files: Vec<File>,
    /// A class number for each file, or nothing for unlabelled data.
    pub labels: Option<Vec<u8>>,
    /// Names of the classes, in the order of their numbers.
    pub classes: Vec<String>,
    /// What was decided.
    pub notes: Vec<String>,
    /// What was left out.
    pub skips: Skips,
    /// Files that should be images and cannot be read.
    pub bad: Vec<(PathBuf, String)>,
}

/// Chooses the files of `split` and gives them classes: those called `given`, if any are, else the class folders of
/// the training part.
///
/// # Errors
/// If there is no such part, or a class of `given` has no folder in the training part.
pub fn decide(root: &Path, found: Found, split: Split, given: &[String]) -> Result<Plan> {
    let Found { mut files, folders, skips, bad } = found;
    let mut plan = Plan { skips, bad, ..Plan::default() };
    let base = wrapped(&files, &folders);
    if !base.as_os_str().is_empty() {
        plan.notes.push(format!("everything lies in {}, which is taken for the data set", base.display()));
    }
    let parts = Parts::find(&base, &folders);
    let training = parts.as_ref().map_or(base.clone(), |parts| parts.train.clone());
    let chosen = match (&parts, split) {
        (_, Split::Train) => training.clone(),
        (Some(Parts { test: Some(test), .. }), Split::Test) => test.clone(),
        (Some(Parts { validation: Some(validation), .. }), Split::Test) => validation.clone(),
        (_, Split::Test) => bail!(
            "expected sub-folders train and test (or val) in {}, found no such pair: make them, or go without test images",
            root.display()
        ),
    };
    if let Some(parts) = &parts {
        plan.notes.push(parts.note(&base));
    }
    let all: Vec<File> = files.clone();
    files.retain(|file| {
        let inside = file.path.starts_with(&chosen);
        let other_part = parts.as_ref().is_some_and(|parts| parts.all().any(|part| file.path.starts_with(part)));
        if !inside {
            plan.skips.add(if other_part { "another part" } else { "beside the parts" }, &file.path);
        }
        inside
    });
    plan.bad.retain(|(path, _)| path.starts_with(&chosen) || parts.is_none());

    let names = classes_of(&all, &training);
    let (count_inside, at_root) = count(&all, &training);
    if names.is_empty() || (at_root > 0 && (names.len() < 2 || at_root >= count_inside)) {
        ensure!(
            given.is_empty(),
            "expected the classes {} in {}, found images without class folders: give the data that the run began with",
            given.join(", "),
            root.join(&training).display()
        );
        if at_root > 0 && !names.is_empty() {
            plan.notes
                .push(format!("images lie beside folders in {}: none has a class", root.join(&training).display()));
        }
        plan.files = files;
        return Ok(plan);
    }

    for empty in folders.iter().filter(|folder| folder.parent() == Some(&training)) {
        let name = last(empty);
        if !names.contains(&name) && empty != &training {
            plan.notes.push(format!("the folder {} holds no images: it is no class", empty.display()));
        }
    }
    plan.classes = if given.is_empty() { names.clone() } else { given.to_vec() };
    let missing: Vec<_> = plan.classes.iter().filter(|name| !names.contains(name)).cloned().collect();
    ensure!(
        missing.is_empty(),
        "expected the classes {}, found no images of {} in {}, which has {}: give the data that the run began with, or change \
         [data] classes",
        plan.classes.join(", "),
        missing.join(", "),
        root.join(&training).display(),
        names.join(", ")
    );
    ensure!(
        plan.classes.len() <= MAX_CLASSES,
        "expected at most {MAX_CLASSES} sub-folders as classes in {}, found {}: put the images into one folder to go without \
         classes",
        root.join(&training).display(),
        plan.classes.len()
    );
    let numbers: BTreeMap<&str, u8> = plan.classes.iter().map(String::as_str).zip(0..=255).collect();
    let mut labels = Vec::with_capacity(files.len());
    for file in files {
        match class(&file.path, &chosen) {
            None => plan.skips.add("beside the class folders", &file.path),
            Some(name) => match numbers.get(&*name) {
                Some(&number) => {
                    labels.push(number);
                    plan.files.push(file);
                }
                None => plan.skips.add("a class that is not asked for", &file.path),
            },
        }
    }
    if split == Split::Test {
        let there: BTreeSet<u8> = labels.iter().copied().collect();
        let lacking = plan.classes.iter().zip(0u8..).filter(|(_, number)| !there.contains(number));
        let lacking: Vec<_> = lacking.map(|(name, _)| name.as_str()).collect();
        if !lacking.is_empty() {
            plan.notes.push(format!("the test part has no images of {}", lacking.join(", ")));
        }
    }
    plan.labels = Some(labels);
    Ok(plan)
}

/// The folder of a part of `root` by its usual name; training data without parts is the root itself.
///
/// # Errors
///
/// If there is no test part.
pub fn part(root: &Path, split: Split) -> Result<PathBuf> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(root).with_context(|| format!("cannot list {}", root.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            folders.extend(path.strip_prefix(root).map(Path::to_owned));
        }
    }
    let parts = Parts::find(Path::new(""), &folders);
    match (split, parts) {
        (Split::Train, None) => Ok(root.to_owned()),
        (Split::Train, Some(parts)) => Ok(root.join(parts.train)),
        (Split::Test, Some(Parts { test: Some(test), .. } | Parts { validation: Some(test), .. })) => {
            Ok(root.join(test))
        }
        (Split::Test, _) => bail!(
            "expected sub-folders train and test in {}, found no such pair: make them, or go without test images",
            root.display()
        ),
    }
}

/// The folder that everything lies in, where archives put one around the data set; else the root, "".
fn wrapped(files: &[File], folders: &[PathBuf]) -> PathBuf {
    let mut base = PathBuf::new();
    loop {
        let tops: BTreeSet<PathBuf> = files
            .iter()
            .map(|file| file.path.strip_prefix(&base).unwrap_or(&file.path).iter().next().unwrap_or_default().into())
            .collect();
        let (Some(only), 1) = (tops.first(), tops.len()) else { return base };
        let inner = base.join(only);
        // One folder of images is a class or a part; one that holds several folders of images is a wrapper.
        let below = folders
            .iter()
            .filter(|folder| folder.parent() == Some(&inner) && files.iter().any(|file| file.path.starts_with(folder)))
            .count();
        let own = files.iter().any(|file| file.path.parent() == Some(&inner));
        if own || below < 2 || TRAIN.contains(&&*last(&inner).to_lowercase()) {
            return base;
        }
        base = inner;
    }
}

/// Folders of the parts.
struct Parts {
    train: PathBuf,
    validation: Option<PathBuf>,
    test: Option<PathBuf>,
}

impl Parts {
    /// A folder of training data makes parts when another part stands beside it, or nothing else does.
    fn find(base: &Path, folders: &[PathBuf]) -> Option<Self> {
        let tops: Vec<&PathBuf> = folders.iter().filter(|folder| folder.parent() == Some(base)).collect();
        let named = |names: &[&str]| {
            names
                .iter()
                .find_map(|name| tops.iter().find(|top| last(top).to_lowercase() == *name))
                .map(|&top| top.clone())
        };
        let (train, validation, test) = (named(&TRAIN)?, named(&VALIDATION), named(&TEST));
        (validation.is_some() || test.is_some() || tops.len() == 1).then_some(Self { train, validation, test })
    }

    fn all(&self) -> impl Iterator<Item = &PathBuf> {
        [Some(&self.train), self.validation.as_ref(), self.test.as_ref()].into_iter().flatten()
    }

    fn note(&self, base: &Path) -> String {
        let name = |path: &PathBuf| path.strip_prefix(base).unwrap_or(path).display().to_string();
        let mut words = vec![format!("{} is the training part", name(&self.train))];
        match (&self.test, &self.validation) {
            (Some(test), Some(validation)) => {
                words.push(format!("{} the test part", name(test)));
                words.push(format!("{} is not used", name(validation)));
            }
            (Some(part), None) | (None, Some(part)) => words.push(format!("{} the test part", name(part))),
            (None, None) => {}
        }
        words.join(", ")
    }
}

/// Names of the class folders of a part that hold images, in natural order.
fn classes_of(files: &[File], part: &Path) -> Vec<String> {
    let names: BTreeSet<String> = files.iter().filter_map(|file| class(&file.path, part)).collect();
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort_by(|a, b| natural(a, b));
    names
}

/// How many files of a part lie in class folders, and how many beside them.
fn count(files: &[File], part: &Path) -> (usize, usize) {
    let inside = files.iter().filter(|file| file.path.starts_with(part));
    let (deep, flat): (Vec<_>, Vec<_>) = inside.partition(|file| class(&file.path, part).is_some());
    (deep.len(), flat.len())
}

/// The class folder that a file of a part lies in.
fn class(path: &Path, part: &Path) -> Option<String> {
    let mut names = path.strip_prefix(part).ok()?.iter();
    let first = names.next()?;
    // What follows is the file or deeper folders; without it the first is the file itself.
    names.next().map(|_| first.to_string_lossy().into_owned())
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(paths: &[&str]) -> Found {
        let mut files: Vec<File> = Vec::new();
        let mut folders = BTreeSet::new();
        for path in paths {
            let path = PathBuf::from(path);
            let is_folder = path.extension().is_none();
            folders.extend(path.ancestors().skip(usize::from(!is_folder)).map(PathBuf::from));
            if !is_folder {
                files.push(File { path, bytes: 1, modified: 0 });
            }
        }
        folders.remove(Path::new(""));
        files.sort_by(|a, b| crate::natural::natural_path(&a.path, &b.path));
        Found { files, folders: folders.into_iter().collect(), ..Found::default() }
    }

    fn plan(paths: &[&str], split: Split, given: &[&str]) -> Result<Plan> {
        let given: Vec<String> = given.iter().map(|&name| name.to_owned()).collect();
        decide(Path::new("set"), found(paths), split, &given)
    }

    #[test]
    fn folders_are_classes_in_natural_order() {
        let labelled = plan(&["10/a.png", "2/a.png", "2/deep/er/b.png", "0/a.png"], Split::Train, &[]).unwrap();
        assert_eq!(labelled.classes, ["0", "2", "10"]);
        assert_eq!(labelled.labels.as_deref(), Some(&[0, 1, 1, 2][..]));
        let flat = plan(&["b.png", "a.png"], Split::Train, &[]).unwrap();
        assert_eq!((flat.labels, flat.files.len()), (None, 2));
    }

    #[test]
    fn parts_have_their_usual_names() {
        for (train, test) in [("train", "test"), ("Training", "VALID"), ("train", "val"), ("training", "testing")] {
            let paths = [format!("{train}/cat/1.png"), format!("{train}/dog/1.png"), format!("{test}/dog/2.png")];
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let training = plan(&paths, Split::Train, &[]).unwrap();
            assert_eq!((training.files.len(), &training.classes[..]), (2, &["cat".to_owned(), "dog".to_owned()][..]));
            let tested = plan(&paths, Split::Test, &[]).unwrap();
            assert_eq!(tested.labels.as_deref(), Some(&[1][..]), "a dog is a dog in both parts");
            assert!(tested.notes.iter().any(|note| note.contains("no images of cat")), "{:?}", tested.notes);
        }
        let error = plan(&["cat/1.png", "dog/1.png"], Split::Test, &[]).unwrap_err().to_string();
        assert!(error.contains("train and test"), "{error}");
        // A means of transport.
        assert_eq!(plan(&["car/1.png", "train/1.png"], Split::Train, &[]).unwrap().classes, ["car", "train"]);
        // Test before validation.
        let both = ["train/1.png", "val/2.png", "test/3.png"];
        let tested = plan(&both, Split::Test, &[]).unwrap();
        assert_eq!(tested.files[0].path, Path::new("test/3.png"));
        assert!(tested.notes[0].contains("val is not used"), "{:?}", tested.notes);
    }

    #[test]
    fn classes_are_matched_by_name() {
        let paths = ["a/1.png", "b", "c/1.png"];
        let without = plan(&paths, Split::Train, &[]).unwrap();
        assert_eq!(without.classes, ["a", "c"]);
        assert!(without.notes[0].contains("b holds no images"), "{:?}", without.notes);
        let chosen = plan(&["a/1.png", "b/1.png", "c/1.png"], Split::Train, &["c", "a"]).unwrap();
        assert_eq!((chosen.labels.as_deref(), chosen.skips.list()[0].count), (Some(&[1, 0][..]), 1));
        let error = plan(&["a/1.png", "c/1.png"], Split::Train, &["a", "b"]).unwrap_err().to_string();
        assert!(error.contains("found no images of b") && error.contains("a, c"), "{error}");
        // A class of the test part alone.
        let tested = plan(&["train/a/1.png", "test/a/1.png", "test/z/1.png"], Split::Test, &[]).unwrap();
        assert_eq!((tested.files.len(), tested.skips.list().len()), (1, 2));
    }

    #[test]
    fn a_stray_file_takes_no_labels_away() {
        let stray = plan(&["logo.png", "a/1.png", "a/2.png", "b/1.png"], Split::Train, &[]).unwrap();
        assert_eq!(stray.labels.as_deref(), Some(&[0, 0, 1][..]));
        assert_eq!(stray.skips.list()[0].reason, "beside the class folders");
        let mostly_flat = plan(&["1.png", "2.png", "3.png", "more/1.png"], Split::Train, &[]).unwrap();
        assert_eq!((mostly_flat.labels, mostly_flat.files.len()), (None, 4));
        assert!(mostly_flat.notes[0].contains("none has a class"));
    }

    #[test]
    fn a_folder_around_everything_is_none() {
        let wrapped = plan(&["flowers/rose/1.png", "flowers/tulip/1.png"], Split::Train, &[]).unwrap();
        assert_eq!(wrapped.classes, ["rose", "tulip"]);
        let parts = plan(&["archive/train/a/1.png", "archive/test/a/1.png"], Split::Test, &[]).unwrap();
        assert_eq!(parts.files.len(), 1);
        assert_eq!(plan(&["only/1.png"], Split::Train, &[]).unwrap().classes, ["only"]);
    }
}
