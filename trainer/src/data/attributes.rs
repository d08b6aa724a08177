//! What is known of each image beside its class: named attributes with named values, and a caption made of them.

use anyhow::{Context, Result, ensure};
use edgegen_data::Attribute;

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

/// In what is learned, the value of an attribute that an image does not show: the colour of hair that is not there.
pub const UNSEEN: u8 = u8::MAX;

/// The end of the names of attributes that are colours of something.
const COLOR: &str = " colour";

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

    /// The word for an attribute of an image; [`NONE`] where it is [`UNSEEN`].
    ///
    /// # Panics
    /// When there is no such image or attribute.
    pub fn word(&self, index: usize, attribute: usize) -> &str {
        self.words[attribute].get(usize::from(self.of(index)[attribute])).map_or(NONE, String::as_str)
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

    /// Those that a system learns: `chosen`, in this order, or all that captions have where none are. No colour is
    /// [`NONE`] there: that of what an image does not show is [`UNSEEN`], because any would do.
    ///
    /// # Errors
    /// If there is none of a name, or its words are not those that a run has noted.
    pub fn learned(&self, chosen: &[Attribute]) -> Result<Self> {
        let all: Vec<Attribute>;
        let chosen = if chosen.is_empty() {
            let told = self.phrases.iter().flatten().map(|&attribute| &self.names[attribute]);
            all = told.map(|name| Attribute { name: name.clone(), words: Vec::new() }).collect();
            &all[..]
        } else {
            chosen
        };
        let mut columns = Vec::with_capacity(chosen.len());
        for Attribute { name, .. } in chosen {
            columns.push(self.place(name)?);
        }
        let seen = |&attribute: &usize| {
            let is_seen = |word: &&String| !(self.names[attribute].ends_with(COLOR) && **word == NONE);
            self.words[attribute].iter().filter(is_seen).cloned().collect::<Vec<_>>()
        };
        let words: Vec<Vec<String>> = columns.iter().map(seen).collect();
        for (Attribute { name, words: noted }, found) in chosen.iter().zip(&words) {
            ensure!(
                noted.is_empty() || noted == found,
                "expected the words {} of {name}, as the recipe notes them, found {}: leave them out of [data] attributes",
                noted.join(", "),
                found.join(", ")
            );
        }
        // A colour that is not there comes last, so that the numbers of the others stay.
        let value = |index: usize, (&attribute, words): (&usize, &Vec<String>)| {
            let value = self.of(index)[attribute];
            if usize::from(value) < words.len() { value } else { UNSEEN }
        };
        let values = (0..self.len()).flat_map(|index| columns.iter().zip(&words).map(move |one| value(index, one)));
        let within = |phrase: &Vec<usize>| {
            let place = |attribute: &usize| columns.iter().position(|column| column == attribute);
            phrase.iter().filter_map(place).collect()
        };
        Ok(Self {
            names: columns.iter().map(|&attribute| self.names[attribute].clone()).collect(),
            values: values.collect(),
            words,
            phrases: self.phrases.iter().map(within).collect(),
        })
    }

    /// Names and words, as a run notes them.
    pub fn vocabulary(&self) -> Vec<Attribute> {
        let both = self.names.iter().zip(&self.words);
        both.map(|(name, words)| Attribute { name: name.clone(), words: words.clone() }).collect()
    }

    /// The number of the attribute `name`.
    fn place(&self, name: &str) -> Result<usize> {
        self.names.iter().position(|own| own == name).with_context(|| {
            let names = self.names.join(", ");
            format!("expected attributes of these images, {names}, found \"{name}\": change [data] attributes")
        })
    }
}

/// Whether training goes without images that show both words, those of the first two attributes, where so many in a
/// hundred combinations are held out. It depends on the words alone.
pub fn is_held_out(words: [&str; 2], in_a_hundred: u8) -> bool {
    // FNV-1a of both with a byte between them that no text has.
    let bytes = words[0].bytes().chain([0xFF]).chain(words[1].bytes());
    let hash =
        bytes.fold(0xCBF2_9CE4_8422_2325u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3));
    // The low bits of that hash are the poor ones.
    (hash >> 32) % 100 < u64::from(in_a_hundred)
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

        let learned = attributes.learned(&[]).unwrap();
        assert_eq!(learned.names, ["hair colour", "hair", "glasses"], "in the order of captions");
        assert_eq!((&learned.words[0], &learned.words[2]), (&words(&["red"]), &words(&["glasses", "none"])));
        assert_eq!(learned.values, [0, 0, 1, UNSEEN, 1, 0]);
        assert_eq!([0, 1].map(|index| learned.caption(index)), ["red bob", "bald head, glasses"]);
        let name = |name: &str| Attribute { name: name.into(), words: Vec::new() };
        let few = attributes.learned(&[name("glasses"), name("hair")]).unwrap();
        assert_eq!((few.values.as_slice(), few.caption(1).as_str()), (&[1, 0, 0, 1][..], "bald head, glasses"));
        assert_eq!(attributes.learned(&few.vocabulary()).unwrap(), few);
        let refused = |attribute| attributes.learned(&[attribute]).unwrap_err().to_string();
        assert!(refused(name("hat")).contains("hair, hair colour, glasses, found \"hat\""));
        assert!(refused(Attribute { words: words(&["x"]), ..name("hair") }).contains("as the recipe notes them"));
    }

    #[test]
    fn as_many_combinations_are_held_out_as_asked_for() {
        let names: Vec<String> = (0..40).map(|name| format!("word {name}")).collect();
        let held = |percent| {
            let pairs = names.iter().flat_map(|a| names.iter().map(move |b| is_held_out([a, b], percent)));
            pairs.filter(|&held| held).count()
        };
        assert_eq!([held(0), held(100)], [0, 1600]);
        assert!((130..=190).contains(&held(10)), "{}", held(10));
    }
}
