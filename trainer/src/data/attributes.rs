//! What is known of each image beside its class: named attributes with named values, and a caption made of them.

/// Attributes of the images of a set, in the order of the images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Names, such as `hair`.
    pub names: Vec<String>,
    /// The values that each attribute can have, as words.
    pub words: Vec<Vec<String>>,
    /// One value an attribute, image after image: a number in its `words`.
    pub values: Vec<u8>,
    /// Attributes that a caption has, in phrases: the words of one, blank between.
    pub phrases: Vec<Vec<usize>>,
}

/// The value of what an image does not have.
pub const NONE: &str = "none";

impl Attributes {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.values.len() / self.names.len().max(1)
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values of image `index`.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len).
    pub fn of(&self, index: usize) -> &[u8] {
        &self.values[index * self.names.len()..][..self.names.len()]
    }

    /// The word for an attribute of an image.
    ///
    /// # Panics
    /// When there is no such image or attribute.
    pub fn word(&self, index: usize, attribute: usize) -> &str {
        &self.words[attribute][usize::from(self.of(index)[attribute])]
    }

    /// What image `index` shows, in phrases with commas between: `red bob, brown skin, glasses, smiling`. What it does
    /// not have is left out.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len).
    pub fn caption(&self, index: usize) -> String {
        let phrase = |attributes: &Vec<usize>| {
            let words = attributes.iter().map(|&attribute| self.word(index, attribute)).filter(|&word| word != NONE);
            words.collect::<Vec<_>>().join(" ")
        };
        let phrases = self.phrases.iter().map(phrase).filter(|phrase| !phrase.is_empty());
        phrases.collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_says_what_is_there_and_nothing_else() {
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let attributes = Attributes {
            names: words(&["hair", "hair colour", "glasses"]),
            words: vec![words(&["bob", "bald head"]), words(&["red", "none"]), words(&["glasses", "none"])],
            values: vec![0, 0, 1, 1, 1, 0],
            phrases: vec![vec![1, 0], vec![2]],
        };
        assert_eq!((attributes.len(), attributes.of(1)), (2, &[1, 1, 0][..]));
        assert_eq!([0, 1].map(|index| attributes.caption(index)), ["red bob", "bald head, glasses"]);
    }
}
