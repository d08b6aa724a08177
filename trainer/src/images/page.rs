//! Lines of text as a picture.

use super::label::{LETTER, write};

/// Pixels around and between lines.
const MARGIN: usize = 6;

/// A grey picture of lines in Latin-1, as wide as the longest, and its `[H, W, C]`.
pub fn page(lines: &[String]) -> (Vec<u8>, [usize; 3]) {
    let [letter, line] = LETTER;
    let longest = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let (width, step) = (2 * MARGIN + letter * longest, line + MARGIN);
    let height = MARGIN + step * lines.len();
    let mut pixels = vec![0; width * height];
    for (index, line) in lines.iter().enumerate() {
        write(&mut pixels, width, 1, line, (MARGIN, MARGIN + index * step));
    }
    (pixels, [height, width, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_ink_of_its_own() {
        let (pixels, [height, width, channels]) = page(&["ab".into(), String::new(), "é – abc".into()]);
        assert_eq!((pixels.len(), channels, width), (height * width, 1, 12 + 70));
        let step = LETTER[1] + MARGIN;
        let ink =
            |line: usize| pixels[(MARGIN + line * step) * width..][..LETTER[1] * width].iter().any(|&grey| grey > 0);
        assert_eq!([0, 1, 2].map(ink), [true, false, true]);
    }
}
