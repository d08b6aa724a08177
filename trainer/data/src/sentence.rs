//! A sentence as an image of one column: a row for each word, its level the number of the word in the list of its
//! language, and [`END`] in all rows behind the last.

/// What is behind the last word.
pub const END: u8 = 0;
/// A word that the list does not have, or that is not told.
pub const UNKNOWN: u8 = 1;
/// The number of the first word of a list.
pub const FIRST: u8 = 2;

/// The words of a sentence: all before its end.
pub fn words(sentence: &[u8]) -> &[u8] {
    let length = sentence.iter().position(|&word| word == END).unwrap_or(sentence.len());
    &sentence[..length]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_ends_before_its_first_zero_or_with_its_rows() {
        assert_eq!(words(&[5, UNKNOWN, END, 7]), [5, UNKNOWN]);
        assert_eq!((words(&[5, 7]), words(&[END, 7])), (&[5, 7][..], &[][..]));
    }
}
