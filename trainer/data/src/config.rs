//! The table `[data]` of a recipe: what to learn from, and how pictures become images of one size.

use std::fmt;

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::attribute::Attribute;

/// The table `[data]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A path that exists (a folder of images, an IDX file or a folder of such, `.npy`, `.npz`), else a named set:
    /// `mnist`, `fashion-mnist`, `emoji`, `stacked-mnist`, `glyphs`, `icons`, `ring`, `grid`. `set:icons` is the named
    /// set whatever lies in the folder.
    pub name: String,
    /// For systems that turn images into images without pairs: what those of `name` should become, a path or a named
    /// set, too. Left out, `name` has both sides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// For systems that turn images into images: the other way round. For others, of a named set of pairs, the images
    /// that such systems read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reverse: bool,
    /// Pixels of a side of square images, or `[height, width]`; 1 for points of the plane.
    #[serde(default = "defaults::size")]
    pub size: Size,
    /// 1 for grey, 3 for colour; 2 for points of the plane.
    #[serde(default = "defaults::channels")]
    pub channels: usize,
    /// For sounds: samples a second. A sound is an image of 1 channel and 1 column with a row for each sample, so
    /// `size = [2048, 1]` says how long they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Take only so many images: at random, always the same ones, with every class in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// How images of another shape are brought to the size.
    #[serde(default, skip_serializing_if = "is_default")]
    pub fit: Fit,
    /// How they are enlarged or shrunk.
    #[serde(default, skip_serializing_if = "is_default")]
    pub resize: Resize,
    /// What shows through transparent pixels, and in the margins of `fit = "pad"`.
    #[serde(default, skip_serializing_if = "is_default")]
    pub background: Background,
    /// Go on without files that cannot be read.
    #[serde(default, skip_serializing_if = "is_default")]
    pub skip_bad: bool,
    /// Names of the classes in the order of their numbers. Left out, they are the names of the class folders, and a run
    /// notes them here; given, just these folders are classes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
    /// For systems that learn what is known of images beside their class: which attributes, in this order. A run notes
    /// their words here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
    /// Of the combinations of the first two attributes, how many in a hundred are kept out of training, so that it can
    /// be seen how they turn out all the same.
    #[serde(default, skip_serializing_if = "is_default")]
    pub held_out: u8,
}

impl Config {
    /// All images of `name`, with everything else as usual.
    pub fn new(name: impl Into<String>, size: impl Into<Size>, channels: usize) -> Self {
        Self {
            name: name.into(),
            target: None,
            reverse: false,
            size: size.into(),
            channels,
            rate: None,
            limit: None,
            fit: Fit::default(),
            resize: Resize::default(),
            background: Background::default(),
            skip_bad: false,
            classes: Vec::new(),
            attributes: Vec::new(),
            held_out: 0,
        }
    }
}

mod defaults {
    pub fn size() -> super::Size {
        28.into()
    }
    pub fn channels() -> usize {
        1
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Height and width of an image in pixels. Recipes write one number for a square, else `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Rows.
    pub h: usize,
    /// Columns.
    pub w: usize,
}

impl Size {
    /// The side, if it is a square.
    pub fn side(self) -> Option<usize> {
        (self.h == self.w).then_some(self.h)
    }
}

impl From<usize> for Size {
    fn from(side: usize) -> Self {
        Self { h: side, w: side }
    }
}

impl From<[usize; 2]> for Size {
    fn from([h, w]: [usize; 2]) -> Self {
        Self { h, w }
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}×{}", self.h, self.w)
    }
}

/// From the command line: `32`, or `135x240` for height × width.
impl std::str::FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut sides = text.split(['x', '×', ',']).map(|side| side.trim().parse::<usize>().ok().filter(|&n| n > 0));
        match (sides.next().flatten(), sides.next(), sides.next()) {
            (Some(side), None, None) => Ok(side.into()),
            (Some(h), Some(Some(w)), None) => Ok(Self { h, w }),
            _ => Err("expected a side like 32, or height and width like 135x240".to_owned()),
        }
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.side() {
            Some(side) => side.serialize(serializer),
            None => [self.h, self.w].serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Sides;

        impl<'de> Visitor<'de> for Sides {
            type Value = Size;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number of pixels, or [height, width]")
            }

            fn visit_i64<E: Error>(self, side: i64) -> Result<Size, E> {
                usize::try_from(side).map(Size::from).map_err(|_| E::custom("`size` must be positive"))
            }

            fn visit_u64<E: Error>(self, side: u64) -> Result<Size, E> {
                usize::try_from(side).map(Size::from).map_err(|_| E::custom("`size` is too large"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sides: A) -> Result<Size, A::Error> {
                match (sides.next_element()?, sides.next_element()?, sides.next_element::<usize>()?) {
                    (Some(h), Some(w), None) => Ok(Size { h, w }),
                    _ => Err(A::Error::custom("`size` must be a number, or [height, width]")),
                }
            }
        }

        deserializer.deserialize_any(Sides)
    }
}

/// How an image of another shape is brought to the size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fit {
    /// Its middle, as much as has the shape.
    #[default]
    Crop,
    /// All of it, with margins of the background.
    Pad,
    /// All of it, with its proportions changed.
    Stretch,
}

/// How an image is enlarged or shrunk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resize {
    /// Smooth: a triangle filter, as wide as a pixel of the smaller image.
    #[default]
    Triangle,
    /// The nearest pixel, for pixel art.
    Nearest,
}

/// What shows through transparent pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Background {
    /// Black or white for the whole set, whichever hides less of what is drawn.
    #[default]
    Contrast,
    /// Red, green and blue.
    Color([u8; 3]),
}

impl fmt::Display for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contrast => f.write_str("contrast"),
            Self::Color([0, 0, 0]) => f.write_str("black"),
            Self::Color([255, 255, 255]) => f.write_str("white"),
            Self::Color([r, g, b]) => write!(f, "#{r:02x}{g:02x}{b:02x}"),
        }
    }
}

impl std::str::FromStr for Background {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6);
        match (text, digits.and_then(|digits| u32::from_str_radix(digits, 16).ok())) {
            ("contrast", _) => Ok(Self::Contrast),
            ("black", _) => Ok(Self::Color([0; 3])),
            ("white", _) => Ok(Self::Color([255; 3])),
            (_, Some(rgb)) => Ok(Self::Color([rgb >> 16, rgb >> 8, rgb].map(|value| value as u8))),
            _ => Err(format!("expected contrast, black, white or #rrggbb for the background, found {text}")),
        }
    }
}

impl Serialize for Background {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Background {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_and_written_short() {
        let short: Config = serde_json::from_str(r#"{"name": "x"}"#).unwrap();
        assert_eq!(short, Config::new("x", 28, 1));
        assert_eq!(serde_json::to_string(&short).unwrap(), r#"{"name":"x","size":28,"channels":1}"#);
        let text = r##"{"name":"x","size":[135,240],"channels":3,"fit":"pad","resize":"nearest","background":"#0a0B0c","classes":["cat","dog"]}"##;
        let long: Config = serde_json::from_str(text).unwrap();
        assert_eq!((long.size.h, long.size.w, long.background), (135, 240, Background::Color([10, 11, 12])));
        assert_eq!(serde_json::to_string(&long).unwrap(), text.to_lowercase());
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (json, part) in [
            (r#"{"name": "x", "size": "big"}"#, "[height, width]"),
            (r#"{"name": "x", "size": [1, 2, 3]}"#, "[height, width]"),
            (r#"{"name": "x", "size": -1}"#, "positive"),
            (r#"{"name": "x", "background": "green"}"#, "#rrggbb"),
            (r#"{"name": "x", "fit": "squash"}"#, "crop"),
        ] {
            let error = serde_json::from_str::<Config>(json).unwrap_err().to_string();
            assert!(error.contains(part), "{json}: {error}");
        }
        assert_eq!("135x240".parse::<Size>(), Ok(Size { h: 135, w: 240 }));
        assert_eq!("32".parse::<Size>(), Ok(32.into()));
        for wrong in ["", "0", "x", "3x", "1x2x3", "-4"] {
            assert!(wrong.parse::<Size>().is_err(), "{wrong}");
        }
    }
}
