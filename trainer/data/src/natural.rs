//! The order in which people count: `2` before `10`.

use std::cmp::Ordering;
use std::path::Path;

/// Compares texts with every run of digits as one number; texts that differ in leading zeros alone in plain order.
pub fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let order = match (next(&mut left), next(&mut right)) {
            (None, None) => return a.cmp(b),
            (None, _) => Ordering::Less,
            (_, None) => Ordering::Greater,
            (Some(x), Some(y)) if is_number(x) && is_number(y) => {
                let [x, y] = [x, y].map(|digits| digits.trim_start_matches('0'));
                x.len().cmp(&y.len()).then_with(|| x.cmp(y))
            }
            (Some(x), Some(y)) => x.cmp(y),
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The same for paths, folder by folder.
pub fn natural_path(a: &Path, b: &Path) -> Ordering {
    let (mut left, mut right) = (a.iter(), b.iter());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Ordering::Equal,
            (None, _) => return Ordering::Less,
            (_, None) => return Ordering::Greater,
            (Some(x), Some(y)) => match natural(&x.to_string_lossy(), &y.to_string_lossy()).then_with(|| x.cmp(y)) {
                Ordering::Equal => {}
                order => return order,
            },
        }
    }
}

fn is_number(text: &str) -> bool {
    text.starts_with(|letter: char| letter.is_ascii_digit())
}

/// Takes a run of digits or of other letters off the front.
fn next<'a>(text: &mut &'a str) -> Option<&'a str> {
    let digits = is_number(text);
    let end = text.find(|letter: char| letter.is_ascii_digit() != digits).unwrap_or(text.len());
    let (run, rest) = text.split_at(end);
    *text = rest;
    (!run.is_empty()).then_some(run)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_count() {
        let mut names = ["10", "9", "img12", "img2", "img02", "a", "1", "img2b", "0"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["0", "1", "9", "10", "a", "img02", "img2", "img2b", "img12"]);
        assert_eq!(natural("99999999999999999999998", "99999999999999999999999"), Ordering::Less);
        assert_eq!(natural_path(Path::new("2/b.png"), Path::new("10/a.png")), Ordering::Less);
        assert_eq!(natural_path(Path::new("ä/1"), Path::new("ä/1")), Ordering::Equal);
    }
}
