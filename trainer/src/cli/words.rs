//! `--text "short red hair, glasses"`: what a caption asks for of a model that reads words, and the number of the class
//! that stands for it.
//!
//! A caption is phrases with commas between, in each of which words stand in any order: a bag of words of the model's
//! attributes. Whatever a phrase says has to be known.

use anyhow::{Context, Result, bail, ensure};
use edgegen_data::Attribute;
use edgegen_runtime::latent::combination;
use edgegen_runtime::{Model, Point};

use super::source::{Source, points};

/// Words that say nothing by themselves.
const FILLERS: [&str; 6] = ["a", "an", "and", "in", "the", "with"];
/// What stands before the name of something that is not there.
const NO: &str = "no";
/// The value of what is not there.
const NONE: &str = "none";
/// The end of the names of attributes that are colours of something.
const COLOR: &str = " colour";

/// The attributes of a model and their words, in the order of its inputs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary(Vec<Attribute>);

/// Which class is asked for.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Each seed's own.
    Any,
    /// This one.
    Class(u16),
    /// What words say, one value or none for each attribute; the others are those of the seed.
    Words(Vocabulary, Vec<Option<usize>>),
}

impl Asked {
    /// The class for a seed, if it is not the seed's own.
    pub fn class(&self, seed: u64) -> Option<u16> {
        match self {
            Self::Any => None,
            Self::Class(class) => Some(*class),
            Self::Words(vocabulary, values) => Some(vocabulary.class(values, seed)),
        }
    }

    /// The points of `count` seeds from `seed` on.
    pub fn points(&self, seed: u64, count: usize) -> Vec<Point> {
        let of_class = |point: Point| self.class(point.from).map_or(point, |class| point.of_class(class));
        points(seed, count, None).map(of_class).collect()
    }
}

impl Source {
    /// The words that it reads, if it reads some.
    pub fn vocabulary(&self) -> Result<Option<Vocabulary>> {
        let attributes = match self {
            Self::Run(run) => run.words().to_vec(),
            Self::Onnx(_) => Vec::new(),
            Self::Model(file) => noted(&Model::parse_any(file.bytes())?),
        };
        Ok((!attributes.is_empty()).then_some(Vocabulary(attributes)))
    }
}

/// The words that a model file notes for its inputs; nothing unless there are as many as they have values.
pub fn noted(model: &Model<'_>) -> Vec<Attribute> {
    let about = model.about();
    let fact = about.metadata.iter().find(|(key, _)| *key == Model::WORDS).map_or("", |(_, text)| text);
    let attribute = |line: &str| {
        let (name, words) = line.split_once(": ")?;
        Some(Attribute { name: name.to_owned(), words: words.split(", ").map(str::to_owned).collect() })
    };
    let attributes: Vec<Attribute> = fact.lines().filter_map(attribute).collect();
    let inputs = model.inputs().filter(|(_, input)| input.latent().is_none() && input.dims > 0);
    let counts = inputs.map(|(node, _)| usize::from(node.shape.c));
    if counts.eq(attributes.iter().map(|attribute| attribute.words.len())) { attributes } else { Vec::new() }
}

/// The same attributes as the fact of a model file.
pub fn fact(attributes: &[Attribute]) -> String {
    let line = |Attribute { name, words }: &Attribute| format!("{name}: {}", words.join(", "));
    attributes.iter().map(line).collect::<Vec<_>>().join("\n")
}

impl Vocabulary {
    /// That of these attributes.
    pub fn new(attributes: Vec<Attribute>) -> Self {
        Self(attributes)
    }

    /// Its attributes.
    pub fn attributes(&self) -> &[Attribute] {
        &self.0
    }

    /// Combinations of all words.
    fn combinations(&self) -> u32 {
        self.0.iter().map(|attribute| attribute.words.len() as u32).product()
    }

    /// The values of each attribute that `class` is.
    pub fn values(&self, class: u16) -> Vec<usize> {
        let mut rest = usize::from(class);
        let value = |attribute: &Attribute| {
            let value = rest % attribute.words.len();
            rest /= attribute.words.len();
            value
        };
        self.0.iter().map(value).collect()
    }

    /// The class of a seed.
    pub fn own_class(&self, seed: u64) -> u16 {
        combination(seed, self.combinations()).unwrap_or(0)
    }

    /// The class of `values`, where one is missing that of the seed's own class.
    pub fn class(&self, values: &[Option<usize>], seed: u64) -> u16 {
        let own = self.values(self.own_class(seed));
        let digits = values.iter().zip(own).zip(&self.0).rev();
        digits.fold(0, |class, ((value, own), attribute)| {
            class * attribute.words.len() as u16 + value.unwrap_or(own) as u16
        })
    }

    /// What a caption says of each attribute.
    ///
    /// # Errors
    ///
    /// If it says nothing, something that the model does not know, or two things of one attribute.
    pub fn read(&self, text: &str) -> Result<Vec<Option<usize>>> {
        let mut values: Vec<Option<usize>> = vec![None; self.0.len()];
        for phrase in text.split([',', ';']) {
            for (attribute, value) in self.phrase(phrase)? {
                let Attribute { name, words } = &self.0[attribute];
                if let Some(before) = values[attribute].filter(|&before| before != value) {
                    bail!(
                        "expected one word for {name} in --text, found {} and {}: leave one out",
                        words[before],
                        words[value]
                    );
                }
                values[attribute] = Some(value);
            }
        }
        ensure!(
            values.iter().any(Option::is_some),
            "expected words in --text, found none in \"{text}\": {}",
            self.sample()
        );
        Ok(values)
    }

    /// The attributes and values that one phrase names.
    fn phrase(&self, phrase: &str) -> Result<Vec<(usize, usize)>> {
        let mut rest = tokens(phrase);
        let whole = rest.clone();
        if rest.first().is_some_and(|token| token == NO)
            && let Some(found) = self.missing(&rest[1..])
        {
            return Ok(vec![found]);
        }
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut unclear: Vec<Vec<(usize, usize)>> = Vec::new();
        while let Some(named) = self.longest(&rest) {
            rest = without(&rest, &self.tokens_of(named[0])).unwrap_or_default();
            match named[..] {
                [only] => found.push(only),
                _ => unclear.push(named),
            }
        }
        for candidates in unclear {
            found.push(self.meant(&candidates, &found, &whole)?);
        }
        // The name of what is spoken of may stand there, too: red hair.
        let is_name =
            |token: &String| found.iter().any(|&(attribute, _)| tokens(&self.0[attribute].name).contains(token));
        let unknown = rest.iter().filter(|token| !FILLERS.contains(&&***token) && !is_name(token));
        // Of a word that no value has more is to be said than of one that is not all of a value.
        match unknown.max_by_key(|token| self.nearest(token).0) {
            Some(token) => bail!(
                "expected words that this model knows in --text, found \"{token}\": the nearest is \"{}\"; {}",
                self.nearest(token).1,
                self.sample()
            ),
            None => Ok(found),
        }
    }

    /// Values with the most words of those that `rest` holds: several where attributes share them.
    fn longest(&self, rest: &[String]) -> Option<Vec<(usize, usize)>> {
        let all = self.0.iter().enumerate().flat_map(|(attribute, own)| {
            (0..own.words.len()).map(move |value| (attribute, value)).filter(|&(_, value)| own.words[value] != NONE)
        });
        let held = all.filter_map(|named| {
            let own = self.tokens_of(named);
            without(rest, &own).map(|_| (own, named))
        });
        let held: Vec<_> = held.collect();
        let (first, _) = held.iter().max_by_key(|(own, _)| own.len())?;
        Some(held.iter().filter(|(own, _)| own == first).map(|&(_, named)| named).collect())
    }

    /// Which of several attributes with the same word a phrase means: that of what it names, or of the only thing that
    /// it speaks of.
    fn meant(
        &self,
        candidates: &[(usize, usize)],
        found: &[(usize, usize)],
        phrase: &[String],
    ) -> Result<(usize, usize)> {
        let thing = |attribute: usize| {
            let name = &self.0[attribute].name;
            name.strip_suffix(COLOR).unwrap_or(name)
        };
        let is_named = |&&(attribute, _): &&(usize, usize)| {
            let speaks = found.iter().any(|&(other, _)| self.0[other].name == thing(attribute));
            speaks || without(phrase, &tokens(thing(attribute))).is_some()
        };
        let named: Vec<_> = candidates.iter().filter(is_named).copied().collect();
        // Facial hair is hair, too: the longer name is meant.
        let most = named.iter().map(|&(attribute, _)| tokens(thing(attribute)).len()).max();
        let named = named.into_iter().filter(|&(attribute, _)| Some(tokens(thing(attribute)).len()) == most);
        match named.collect::<Vec<_>>()[..] {
            [only] => Ok(only),
            _ => {
                let (attribute, value) = candidates[0];
                let names: Vec<&str> = candidates.iter().map(|&(attribute, _)| &*self.0[attribute].name).collect();
                let word = &self.0[attribute].words[value];
                bail!(
                    "expected to know whether {word} in --text is {}: say {word} {}",
                    names.join(" or "),
                    thing(attribute)
                )
            }
        }
    }

    /// What `tokens` name as not there.
    fn missing(&self, named: &[String]) -> Option<(usize, usize)> {
        let attribute = self.0.iter().position(|attribute| tokens(&attribute.name) == named)?;
        let value = self.0[attribute].words.iter().position(|word| word == NONE)?;
        Some((attribute, value))
    }

    fn tokens_of(&self, (attribute, value): (usize, usize)) -> Vec<String> {
        tokens(&self.0[attribute].words[value])
    }

    /// The value that is spelled most like `token`, or has a word that is, and by how many letters they differ.
    fn nearest(&self, token: &str) -> (usize, &str) {
        let words = self.0.iter().flat_map(|attribute| &attribute.words).filter(|word| *word != NONE);
        let distance = |word: &String| tokens(word).into_iter().map(|part| edits(token, &part)).min();
        let nearest = words.map(|word| (distance(word).unwrap_or(usize::MAX), &**word));
        nearest.min_by_key(|(distance, word)| (*distance, word.len())).unwrap_or((usize::MAX, ""))
    }

    /// Some of what can be said.
    fn sample(&self) -> String {
        let some = |Attribute { name, words }: &Attribute| {
            let few: Vec<&str> = words.iter().map(String::as_str).filter(|&word| word != NONE).take(3).collect();
            format!("{name} ({} …)", few.join(", "))
        };
        format!("it knows {}", self.0.iter().map(some).collect::<Vec<_>>().join(", "))
    }
}

/// The words of a text in small letters.
fn tokens(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// `rest` without each of `taken`, if it holds them all.
fn without(rest: &[String], taken: &[String]) -> Option<Vec<String>> {
    let mut rest = rest.to_vec();
    for token in taken {
        let at = rest.iter().position(|other| other == token)?;
        rest.remove(at);
    }
    Some(rest)
}

/// Letters to insert, leave out or change from `a` to `b` (Levenshtein, 1966).
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, other) in b.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

/// What `--text` asks of `source`.
///
/// # Errors
///
/// If it reads no words, or other ones.
pub fn asked(source: &Source, text: &str) -> Result<Asked> {
    let vocabulary = source.vocabulary()?;
    let vocabulary =
        vocabulary.context("expected a model that reads words for --text, found one that does not: leave it out")?;
    let values = vocabulary.read(text)?;
    Ok(Asked::Words(vocabulary, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vocabulary() -> Vocabulary {
        let attribute = |name: &str, words: &[&str]| Attribute {
            name: name.into(),
            words: words.iter().map(|&word| word.to_owned()).collect(),
        };
        Vocabulary(vec![
            attribute("hair", &["bob", "short hair", "long hair", "very long hair"]),
            attribute("hair colour", &["red", "black"]),
            attribute("eyes", &["glasses", "laughing eyes", "open eyes"]),
            attribute("mouth", &["laughing", "smiling"]),
            attribute("facial hair", &["full beard", "none"]),
            attribute("facial hair colour", &["red", "white"]),
            attribute("clothing colour", &["red", "black"]),
        ])
    }

    fn said(text: &str) -> Result<Vec<(&'static str, String)>> {
        let names = ["hair", "hair colour", "eyes", "mouth", "facial hair", "facial hair colour", "clothing colour"];
        let vocabulary = vocabulary();
        let values = vocabulary.read(text)?;
        let word = |at: usize| Some((names[at], vocabulary.0[at].words[values[at]?].clone()));
        Ok((0..names.len()).filter_map(word).collect())
    }

    #[test]
    fn words_are_a_bag_in_each_phrase() {
        let of = |pairs: &[(&'static str, &str)]| {
            pairs.iter().map(|&(name, word)| (name, word.to_owned())).collect::<Vec<_>>()
        };
        for (text, expected) in [
            (
                "short red hair, glasses, laughing",
                &[("hair", "short hair"), ("hair colour", "red"), ("eyes", "glasses"), ("mouth", "laughing")][..],
            ),
            ("very long hair", &[("hair", "very long hair")]),
            ("a Bob; laughing eyes", &[("hair", "bob"), ("eyes", "laughing eyes")]),
            ("red bob", &[("hair", "bob"), ("hair colour", "red")]),
            ("red hair", &[("hair colour", "red")]),
            ("red facial hair", &[("facial hair colour", "red")]),
            ("white full beard", &[("facial hair", "full beard"), ("facial hair colour", "white")]),
            ("no facial hair, black clothing", &[("facial hair", "none"), ("clothing colour", "black")]),
        ] {
            assert_eq!(said(text).unwrap(), of(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_named_with_the_nearest() {
        for (text, parts) in [
            (
                "red bob, glases",
                &["found \"glases\"", "the nearest is \"glasses\"", "it knows hair (bob, short hair, long hair …)"][..],
            ),
            ("long beards", &["\"full beard\""]),
            ("laughing, smiling", &["one word for mouth", "laughing and smiling"]),
            ("red", &["red in --text is hair colour or facial hair colour or clothing colour: say red hair"]),
            (" , ", &["found none"]),
            ("no glasses", &["found \"no\""]),
        ] {
            let error = said(text).unwrap_err().to_string();
            assert!(parts.iter().all(|part| error.contains(part)), "{text}: {error}");
        }
    }

    #[test]
    fn what_is_not_named_comes_from_the_seed() {
        let vocabulary = vocabulary();
        for class in [0, 1, 17, 4 * 2 * 3 * 2 * 2 * 2 * 2 - 1] {
            let values = vocabulary.values(class);
            assert_eq!(vocabulary.class(&values.iter().copied().map(Some).collect::<Vec<_>>(), 5), class);
        }
        let asked = Asked::Words(vocabulary.clone(), vec![Some(2), None, None, Some(1), None, None, None]);
        let points = asked.points(40, 30);
        let values: Vec<_> = points.iter().map(|point| vocabulary.values(point.class.unwrap())).collect();
        assert!(values.iter().all(|values| (values[0], values[3]) == (2, 1)));
        assert!([0, 1].iter().all(|color| values.iter().any(|values| values[1] == *color)));
        assert_eq!(vocabulary.class(&[None; 7], 77), vocabulary.own_class(77));
    }

    #[test]
    fn letters_are_counted() {
        for (a, b, count) in [("", "abc", 3), ("kitten", "sitting", 3), ("glases", "glasses", 1), ("bob", "bob", 0)] {
            assert_eq!((edits(a, b), edits(b, a)), (count, count), "{a} {b}");
        }
    }
}
