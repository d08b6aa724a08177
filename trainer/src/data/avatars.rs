//! Drawn faces with attributes: sets of any size, from the styles of DiceBear (`@dicebear/styles`, JSON, so that nobody
//! needs Node).
//!
//! Face i takes a variant of each component and one colour of each name, from a random stream that depends on i alone.
//! A face that was there before is passed over, and of the others every sixth (ninth) is a test image: no face is in
//! both parts. DiceBear's own generator draws others. Bytes are the same everywhere (500 faces of each set on x86-64
//! and on an emulated Cortex-A76): coverage is counted in integers, blending uses nothing but IEEE arithmetic.
//!
//! | file | what |
//! | --- | --- |
//! | `style.rs` | the JSON file of a style |
//! | `choices.rs` | what faces of a style can differ in |
//! | `draw.rs`, `shapes.rs` | the part of SVG that the styles need |
//! | `words.rs` | what people call that which a style calls otherwise |

mod choices;
mod draw;
mod shapes;
mod style;
mod words;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use edgegen_data::{fit_dataset, select};
use rayon::prelude::*;

use super::attributes::{Attributes, is_held_out};
use super::{Dataset, Split};
use crate::recipe::DataConfig;

use choices::{BACKGROUND, Choices, plain};
use style::Style;

/// A set of faces of one style.
#[derive(Debug)]
pub(super) struct Set {
    /// Name of the set.
    pub(super) name: &'static str,
    /// The file of the style in the folder of the set.
    file: &'static str,
    /// Training and test faces.
    pub(super) count: [usize; 2],
    /// The part of the style's canvas that an image shows: left, top, side.
    window: [f32; 3],
    /// How likely a face has a component, in per cent, where the style makes it too rare to learn.
    likely: &'static [(&'static str, usize)],
    /// Behind the face, if the style has no colours of its own for it.
    background: [u8; 3],
    /// The attribute that is the class.
    label: &'static str,
    /// What the style calls otherwise than people do: attribute, value, word.
    words: words::Words,
    /// Attributes of each phrase of a caption.
    phrases: &'static [&'static [&'static str]],
}

pub(super) static SETS: [Set; 2] = [
    Set {
        name: "avatars",
        file: "src/personas.json",
        count: [10_000, 2_000],
        // The head and the top of the clothes.
        window: [5.0, 3.0, 54.0],
        likely: &[("facialHair", 30)],
        background: [0xB6, 0xE3, 0xF4],
        label: "hair",
        words: words::PERSONAS,
        phrases: &[
            &["hair colour", "hair"],
            &["skin colour"],
            &["eyes"],
            &["mouth"],
            &["facial hair colour", "facial hair"],
            &["clothing colour", "clothes"],
        ],
    },
    Set {
        name: "fun-emoji",
        file: "src/fun-emoji.json",
        // All that there are.
        count: [1_200, 150],
        window: [0.0, 0.0, 200.0],
        likely: &[],
        background: [0; 3],
        label: "mouth",
        words: words::FUN_EMOJI,
        phrases: &[&["background colour"], &["eyes"], &["mouth"]],
    },
];

/// The set of that name, if any.
pub(super) fn find(name: &str) -> Option<&'static Set> {
    SETS.iter().find(|set| set.name == name)
}

impl Set {
    /// One part, drawn at the size of `config`.
    ///
    /// # Errors
    ///
    /// If the style is not as it was.
    pub(super) fn load(&self, root: &Path, split: Split, config: &DataConfig) -> Result<Dataset> {
        let style = self.style(root)?;
        let choices = Choices::of(&style, self.likely);
        let faces = self.faces(&choices, split, config)?;
        let class = self.class(&choices)?;
        // Of both sides the longer, so that nothing has to be enlarged.
        let side = config.size.h.max(config.size.w);
        let draw = |values: &Vec<u8>| {
            let face = choices.face(values);
            let background = face.colors.get(BACKGROUND).map_or(Ok(self.background), |color| rgb(color))?;
            draw::draw(&style, &face, side as u32, self.window, background)
        };
        let images = faces.par_iter().map(draw).collect::<Result<Vec<_>>>();
        let dataset = Dataset {
            name: self.name.to_owned(),
            images: images.with_context(|| format!("in {}", root.join(self.file).display()))?.concat(),
            labels: Some(faces.iter().map(|face| face[class]).collect()),
            class_names: self.words(&choices, class),
            shape: [side, side, 3],
        };
        Ok(fit_dataset(dataset, config))
    }

    /// What is known of the images of [`load`](Self::load).
    ///
    /// # Errors
    ///
    /// If the style is not as it was.
    pub(super) fn attributes(&self, root: &Path, split: Split, config: &DataConfig) -> Result<Attributes> {
        let style = self.style(root)?;
        let choices = Choices::of(&style, self.likely);
        let faces = self.faces(&choices, split, config)?;
        let told: Vec<usize> = (0..choices.names.len()).filter(|&attribute| choices.differ(attribute)).collect();
        let place = |name: &&str| told.iter().position(|&attribute| choices.names[attribute] == **name);
        Ok(Attributes {
            names: told.iter().map(|&attribute| choices.names[attribute].clone()).collect(),
            words: told.iter().map(|&attribute| self.words(&choices, attribute)).collect(),
            values: faces.iter().flat_map(|face| told.iter().map(|&attribute| face[attribute])).collect(),
            phrases: self.phrases.iter().map(|phrase| phrase.iter().filter_map(place).collect()).collect(),
        })
    }

    fn style(&self, root: &Path) -> Result<Style> {
        let path = root.join(self.file);
        let json = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Style::parse(&json).with_context(|| format!("in {}", path.display()))
    }

    /// The faces of a part that `config` leaves.
    fn faces(&self, choices: &Choices<'_>, split: Split, config: &DataConfig) -> Result<Vec<Vec<u8>>> {
        let class = self.class(choices)?;
        let mut faces = choices.faces(self.count, split);
        if config.held_out > 0 && split == Split::Train {
            let [first, second, ..] = &config.attributes[..] else {
                bail!(
                    "expected at least two [data] attributes, whose combinations [data] held_out keeps out, found {}",
                    config.attributes.len()
                )
            };
            let place = |name: &str| {
                let names = || format!("expected an attribute of {}, found \"{name}\" in [data] attributes", self.name);
                choices.names.iter().position(|own| own == name).with_context(names)
            };
            let pair = [place(&first.name)?, place(&second.name)?];
            let words = pair.map(|attribute| self.words(choices, attribute));
            faces.retain(|face| {
                let word = |side: usize| &*words[side][usize::from(face[pair[side]])];
                !is_held_out([word(0), word(1)], config.held_out)
            });
        }
        let labels: Vec<u8> = faces.iter().map(|face| face[class]).collect();
        Ok(select(faces.len(), config.limit, Some(&labels)).into_iter().map(|index| faces[index].clone()).collect())
    }

    /// The attribute that is the class.
    fn class(&self, choices: &Choices<'_>) -> Result<usize> {
        choices
            .names
            .iter()
            .position(|name| name == self.label)
            .with_context(|| format!("expected {} in the style {}, found none", self.label, self.file))
    }

    /// The values of an attribute as people call them.
    fn words(&self, choices: &Choices<'_>, attribute: usize) -> Vec<String> {
        let name = &choices.names[attribute];
        let word = |value: &&str| {
            let own = self.words.iter().find(|(of, found, _)| of == name && found == value);
            own.map_or_else(|| plain(value), |(.., word)| (*word).to_owned())
        };
        choices.values[attribute].iter().map(word).collect()
    }
}

/// `#rrggbb`.
fn rgb(color: &str) -> Result<[u8; 3]> {
    let color: svgtypes::Color = color.parse().with_context(|| format!("expected a colour, found {color}"))?;
    Ok([color.red, color.green, color.blue])
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeSet, HashSet};

    use edgegen_data::Attribute;

    use super::*;

    const STYLE: &str = r##"{
        "canvas": {"width": 8, "height": 8, "elements": [
            {"type": "element", "name": "path", "attributes": {"d": "M0 0h8v8H0z", "fill": {"type": "color", "name": "skin"}}},
            {"type": "component", "name": "topHair", "attributes": {"transform": "translate(0 2)"}},
            {"type": "component", "name": "hat"}
        ]},
        "components": {
            "topHair": {"variants": {"bald": {"elements": []}, "longWavy": {"elements": [
                {"type": "element", "name": "rect", "attributes": {"width": "8", "height": "2", "fill": {"type": "color", "name": "hair"}}}
            ]}}},
            "hat": {"probability": 20, "variants": {"cap": {"elements": []}}}
        },
        "colors": {"hair": {"values": ["#ff0000", "#000000"]}, "skin": {"values": ["#ffffff", "#808080"]}, "ink": {"values": ["#000000"]}}
    }"##;

    const SET: Set = Set {
        name: "small",
        file: "style.json",
        count: [8, 4],
        window: [0.0, 0.0, 8.0],
        likely: &[("hat", 50)],
        background: [0, 0, 9],
        label: "top hair",
        words: &[("hair colour", "#ff0000", "red")],
        phrases: &[&["hair colour", "top hair"], &["hat"]],
    };

    /// The folder of the set, and what a part of 2×2 pixels is.
    fn parts() -> (tempfile::TempDir, [(Dataset, Attributes); 2]) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("style.json"), STYLE).unwrap();
        let config = DataConfig::new("", 4, 3);
        let parts = [Split::Train, Split::Test].map(|split| {
            let attributes = SET.attributes(folder.path(), split, &config).unwrap();
            (SET.load(folder.path(), split, &config).unwrap(), attributes)
        });
        (folder, parts)
    }

    #[test]
    fn attributes_tell_what_can_be_seen() {
        let (_folder, parts) = parts();
        let attributes = &parts[0].1;
        assert_eq!(attributes.names, ["hat", "top hair", "hair colour", "skin colour"], "one colour tells nothing");
        assert_eq!(attributes.words[1], ["bald", "long wavy"]);
        assert_eq!(attributes.words[2], ["red", "#000000", "none"]);
        assert_eq!(attributes.words[3].len(), 2, "everybody has skin");
        for (dataset, attributes) in &parts {
            for index in 0..dataset.len() {
                let &[hat, hair, color, skin] = attributes.of(index) else { panic!("four attributes") };
                assert_eq!(color == 2, hair == 0, "the bald have no colour of hair");
                let skin = [255, 128][usize::from(skin)];
                let top = [[255, 0, 0], [0; 3], [skin; 3]][usize::from(color)];
                assert_eq!(dataset.image(index)[12..15], top, "hair lies in the second row");
                assert_eq!(dataset.image(index)[..12], [skin; 12]);
                let caption = format!(
                    "{}{}",
                    ["red long wavy", "#000000 long wavy", "bald"][usize::from(color)],
                    [", cap", ""][usize::from(hat)]
                );
                assert_eq!(attributes.caption(index), caption);
            }
        }
    }

    #[test]
    fn no_face_is_there_twice() {
        let (folder, [(train, known), (test, other)]) = parts();
        // Two of skin, two of hats, three of hair and its colour: all that there are.
        let faces: HashSet<&[u8]> =
            (0..8).map(|index| known.of(index)).chain((0..4).map(|index| other.of(index))).collect();
        assert_eq!(([train.len(), test.len()], [known.len(), other.len()], faces.len()), ([8, 4], [8, 4], 12));
        assert_eq!(train.class_names, ["bald", "long wavy"]);
        let config = DataConfig { limit: Some(3), ..DataConfig::new("", 4, 3) };
        let few = SET.load(folder.path(), Split::Train, &config).unwrap();
        let told = SET.attributes(folder.path(), Split::Train, &config).unwrap();
        assert_eq!((few.len(), told.len()), (3, 3));
        for index in 0..3 {
            assert_eq!(few.labels.as_ref().unwrap()[index], told.of(index)[1]);
        }
    }

    #[test]
    fn combinations_are_held_out_of_training_alone() {
        let (folder, [(_, all), (_, test)]) = parts();
        let name = |name: &str| Attribute { name: name.into(), words: Vec::new() };
        let config =
            DataConfig { attributes: vec![name("hat"), name("top hair")], held_out: 40, ..DataConfig::new("", 4, 3) };
        let held = |attributes: &Attributes, index| {
            is_held_out([attributes.word(index, 0), attributes.word(index, 1)], config.held_out)
        };
        let left = (0..all.len()).filter(|&index| !held(&all, index)).count();
        assert!(left < all.len() && left > 0, "{left} of {}", all.len());
        let part = |split| {
            let attributes = SET.attributes(folder.path(), split, &config).unwrap();
            assert_eq!(SET.load(folder.path(), split, &config).unwrap().len(), attributes.len());
            attributes
        };
        let train = part(Split::Train);
        assert_eq!(train.len(), left);
        assert!((0..left).all(|index| !held(&train, index)));
        assert_eq!(part(Split::Test), test);
        let one = DataConfig { attributes: vec![name("hat")], ..config.clone() };
        assert!(SET.load(folder.path(), Split::Train, &one).unwrap_err().to_string().contains("at least two"));
    }

    #[test]
    fn words_of_a_style_are_apart() {
        for set in &SETS {
            let words: BTreeSet<_> = set.words.iter().map(|(attribute, _, word)| (attribute, word)).collect();
            let values: BTreeSet<_> = set.words.iter().map(|(attribute, value, _)| (attribute, value)).collect();
            assert_eq!([words.len(), values.len()], [set.words.len(); 2], "{}", set.name);
        }
    }
}
