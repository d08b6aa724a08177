//! The account of a data set: what was read, what was not and why, what is odd.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// First names that are kept of everything that was left out for one reason.
const KEPT: usize = 3;

/// Everything that loading a data set has to say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// What it was read from, for people.
    pub source: String,
    /// Which part: `training` or `test`.
    pub part: String,
    /// Images in the set.
    pub images: usize,
    /// Images that were there to choose from before `limit`.
    pub available: usize,
    /// `[H, W, C]` that they were brought to.
    pub shape: [usize; 3],
    /// Samples a second, of sounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Classes in the order of their numbers; empty without labels.
    pub classes: Vec<ClassCount>,
    /// Images by the format of their file.
    pub formats: BTreeMap<String, usize>,
    /// Heights and widths of the files, smallest and largest by area; nothing where all sources are arrays.
    pub sizes: Option<[[usize; 2]; 2]>,
    /// Seconds of the shortest and the longest file, of sounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seconds: Option<[f64; 2]>,
    /// What shows through transparent pixels, if there are any.
    pub background: Option<String>,
    /// What was left out, by reason.
    pub skipped: Vec<Skipped>,
    /// Files that should be images and cannot be read, with the reason.
    pub bad: Vec<[String; 2]>,
    /// What was decided, and should be known.
    pub notes: Vec<String>,
    /// What is odd.
    pub warnings: Vec<String>,
    /// Whether fitted images were there from an earlier time.
    pub cached: bool,
}

/// A class and how many images it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// Its name.
    pub name: String,
    /// Its images.
    pub count: usize,
}

/// Files or folders that were left out for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Why.
    pub reason: String,
    /// How many.
    pub count: usize,
    /// The first names.
    pub first: Vec<String>,
}

impl Account {
    /// The account in lines of at most 80 letters, but for long paths.
    pub fn text(&self) -> String {
        let [h, w, c] = self.shape;
        let form = match (self.rate, c) {
            (Some(rate), _) => {
                format!("sounds, {h} samples at {rate} Hz ({:.3} s)", h as f64 / f64::from(rate))
            }
            (None, 1) => format!("images, {h}×{w} grey"),
            (None, _) => format!("images, {h}×{w} colour"),
        };
        let mut text = format!("data: {}: {} {} {form}", self.source, self.images, self.part);
        if self.available > self.images {
            let _ = write!(text, " of {}", self.available);
        }
        if self.cached {
            text += " (from the cache)";
        }
        let mut line = |name: &str, value: String| {
            if !value.is_empty() {
                text += "\n";
                text += &wrapped(&format!("  {name}: {value}"));
            }
        };
        line("classes", classes(&self.classes));
        let formats = self.formats.iter().map(|(name, count)| format!("{count} {name}"));
        let mut files = formats.collect::<Vec<_>>().join(", ");
        if let Some([[h, w], [most_h, most_w]]) = self.sizes {
            files += &if [h, w] == [most_h, most_w] {
                format!(", {h}×{w}")
            } else {
                format!(", from {h}×{w} to {most_h}×{most_w}")
            };
        }
        if let Some([shortest, longest]) = self.seconds {
            files += &format!(", {shortest:.2} to {longest:.2} seconds");
        }
        line("files", files);
        line("background", self.background.clone().unwrap_or_default());
        for Skipped { reason, count, first } in &self.skipped {
            let more = if *count > first.len() { ", …" } else { "" };
            line("left out", format!("{count} ({reason}): {}{more}", first.join(", ")));
        }
        for [path, reason] in self.bad.iter().take(20) {
            line("cannot be read", format!("{path}: {reason}"));
        }
        if self.bad.len() > 20 {
            line("cannot be read", format!("{} more, see --json", self.bad.len() - 20));
        }
        self.notes.iter().for_each(|note| line("note", note.clone()));
        self.warnings.iter().for_each(|warning| line("warning", warning.clone()));
        text
    }
}

/// Letters in a line.
const WIDTH: usize = 80;

/// A line broken between words where it is longer than [`WIDTH`]; what follows is set in by four. Longer words stay
/// whole, as paths do.
fn wrapped(line: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in line.split_inclusive(' ') {
        let letters = word.trim_end().chars().count();
        if width > 4 && width + letters > WIDTH {
            text.truncate(text.trim_end().len());
            text += "\n    ";
            width = 4;
        }
        text += word;
        width += word.chars().count();
    }
    text
}

/// `cat 20, dog 31`, of many classes the first and the last.
fn classes(classes: &[ClassCount]) -> String {
    const SHOWN: usize = 12;
    let one = |class: &ClassCount| format!("{} {}", class.name, class.count);
    let mut words: Vec<_> = classes.iter().take(SHOWN).map(one).collect();
    if classes.len() > SHOWN {
        words.truncate(SHOWN - 1);
        words.push(format!("… {} ({} in all)", one(&classes[classes.len() - 1]), classes.len()));
    }
    words.join(", ")
}

/// What was left out, by reason.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skips(BTreeMap<String, Skipped>);

impl Skips {
    /// Notes one file or folder.
    pub fn add(&mut self, reason: &str, path: &Path) {
        let entry = self.0.entry(reason.to_owned()).or_insert_with(|| Skipped {
            reason: reason.to_owned(),
            count: 0,
            first: Vec::new(),
        });
        entry.count += 1;
        if entry.first.len() < KEPT {
            entry.first.push(path.display().to_string());
        }
    }

    /// All reasons, in the order of the alphabet.
    pub fn list(&self) -> Vec<Skipped> {
        self.0.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_are_broken_between_words() {
        let line = format!("  note: {}", "twelve words ".repeat(10));
        let text = wrapped(line.trim_end());
        assert!(text.lines().count() == 2 && text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
        assert_eq!(text.split_whitespace().collect::<Vec<_>>(), line.split_whitespace().collect::<Vec<_>>());
        let path = "a/".repeat(50);
        assert_eq!(
            wrapped(&format!("  cannot be read: {path}: why")),
            format!("  cannot be read:\n    {path}:\n    why")
        );
    }

    #[test]
    fn the_text_names_what_was_left_out() {
        let mut skips = Skips::default();
        for name in ["a.txt", "b.txt", "c.txt", "d.txt"] {
            skips.add("no image", Path::new(name));
        }
        let account = Account {
            source: "pets".into(),
            part: "training".into(),
            images: 3,
            available: 3,
            shape: [4, 8, 3],
            classes: vec![ClassCount { name: "cat".into(), count: 1 }, ClassCount { name: "dog".into(), count: 2 }],
            formats: [("JPEG".to_owned(), 3)].into(),
            sizes: Some([[10, 20], [30, 40]]),
            skipped: skips.list(),
            ..Account::default()
        };
        assert_eq!(
            account.text(),
            "data: pets: 3 training images, 4×8 colour\n  classes: cat 1, dog 2\n  files: 3 JPEG, from 10×20 to 30×40\n  \
             left out: 4 (no image): a.txt, b.txt, c.txt, …"
        );
    }
}
