//! Emoji in colour, cut from the sprite sheets of the `emoji-datasource` packages: faces of two vendors as one set, and
//! all emoji as pairs, one vendor's drawing and the other's.
//!
//! A sheet holds every emoji of one vendor in cells of 64×64 pixels, each with a transparent frame one pixel wide;
//! `emoji.json` tells the place and the kind of each. All are laid over black: of 1911 emoji neither vendor draws one of
//! which more than 60 % come within 40 levels of black, while 58 and 49 do of white.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::imageops::crop_imm;
use serde::Deserialize;

use super::{Dataset, Split};
use crate::rng::Rng;

/// Training and test pairs of [`load_pairs`].
pub(super) const PAIRS: [usize; 2] = [3151, 323];
/// Classes of [`load_pairs`].
pub(super) const CATEGORIES: usize = 9;

/// Whose drawings, by the name of their folder.
const VENDORS: [&str; 2] = ["google", "twitter"];
/// Side of an emoji in the sheets.
const SIDE: u32 = 64;
/// Bytes of an emoji.
const BYTES: usize = (SIDE * SIDE * 3) as usize;

/// What `emoji.json` tells of one emoji; the rest is not read.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    category: String,
    subcategory: String,
    #[serde(flatten)]
    drawing: Drawing,
    /// The same with other colours of skin, by the tones' code points.
    #[serde(default)]
    skin_variations: BTreeMap<String, Drawing>,
}

/// Where an emoji lies in the sheets.
#[derive(Debug, Deserialize)]
struct Drawing {
    /// Code points in hexadecimal, joined by `-`.
    unified: String,
    sheet_x: u32,
    sheet_y: u32,
    #[serde(default)]
    has_img_google: bool,
    #[serde(default)]
    has_img_twitter: bool,
}

/// Loads the faces of all vendors over black; sub-categories (smiling, sleepy, …), sorted, are the labels.
pub(super) fn load(root: &Path, split: Split) -> Result<Dataset> {
    ensure!(
        split == Split::Train,
        "expected a data set with test images, found emoji, which has none: go without them"
    );
    let mut faces = entries(root)?;
    faces.retain(Entry::is_face);
    let (labels, class_names) = classes(faces.iter().map(|face| face.subcategory.as_str()));
    let drawings: Vec<&Drawing> = faces.iter().map(|face| &face.drawing).collect();
    let images = VENDORS.map(|vendor| cut(root, vendor, &drawings)).into_iter().collect::<Result<Vec<_>>>()?.concat();
    Ok(dataset(root, images, labels.repeat(VENDORS.len()), class_names))
}

/// Loads every emoji that both vendors draw, Google's drawings as inputs and Twitter's as targets; categories (flags,
/// objects, …), sorted, are the labels of both.
///
/// An emoji of people is there once for each colour of skin, but not for each two of couples, which would be a tenth of
/// all pairs. About every tenth emoji, chosen by a hash of its code points, is in the test part. What differs in the
/// colour of skin, in gender or in direction alone has the same hash, so that no part has the other's near copies; and
/// of flags that are drawn alike the first is there alone.
pub(super) fn load_pairs(root: &Path, split: Split) -> Result<[Dataset; 2]> {
    let mut entries = entries(root)?;
    // Samples of the colours of skin, and no emoji.
    entries.retain(|entry| entry.category != "Component");
    let (numbers, class_names) = classes(entries.iter().map(|entry| entry.category.as_str()));
    let mut drawings = Vec::new();
    let mut labels = Vec::new();
    for (entry, number) in entries.iter().zip(numbers) {
        let toned = entry.skin_variations.iter().filter(|(tones, _)| !tones.contains('-')).map(|(_, drawing)| drawing);
        let both = |drawing: &&Drawing| drawing.has_img_google && drawing.has_img_twitter;
        for drawing in std::iter::once(&entry.drawing).chain(toned).filter(both) {
            drawings.push(drawing);
            labels.push(number);
        }
    }
    let all = VENDORS.map(|vendor| cut(root, vendor, &drawings)).into_iter().collect::<Result<Vec<_>>>()?;
    let pair = |index: usize| [&all[0], &all[1]].map(|images| &images[index * BYTES..][..BYTES]);
    let mut seen = HashSet::new();
    let mut kept: Vec<usize> = (0..drawings.len())
        .filter(|&index| seen.insert(pair(index)) && drawings[index].is_tested() == (split == Split::Test))
        .collect();
    // By code point, the first of them, which sample sheets show, would all be signs.
    Rng::new(0, 0).shuffle(&mut kept);
    let labels: Vec<u8> = kept.iter().map(|&index| labels[index]).collect();
    Ok([0, 1].map(|vendor| {
        let images = kept.iter().flat_map(|&index| pair(index)[vendor]).copied().collect();
        dataset(root, images, labels.clone(), class_names.clone())
    }))
}

impl Entry {
    /// Faces that are faces: robots, ghosts and the like are costumes and have shapes of their own.
    fn is_face(&self) -> bool {
        self.subcategory.starts_with("face-") && self.subcategory != "face-costume"
    }
}

impl Drawing {
    fn is_tested(&self) -> bool {
        // FNV-1a.
        let hash = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        kin(&self.unified).bytes().fold(0x811c_9dc5, hash) % 10 == 0
    }
}

/// The code points without what makes variants of one emoji.
fn kin(unified: &str) -> String {
    let plain = unified.split('-').filter_map(|code| match code {
        // Five tones of skin, the signs of woman and man, an arrow to the right, and what joins them.
        "1F3FB" | "1F3FC" | "1F3FD" | "1F3FE" | "1F3FF" | "2640" | "2642" | "27A1" | "200D" | "FE0F" => None,
        // Man and woman, boy and girl, old man and old woman.
        "1F468" | "1F469" => Some("1F9D1"),
        "1F466" | "1F467" => Some("1F9D2"),
        "1F474" | "1F475" => Some("1F9D3"),
        code => Some(code),
    });
    plain.collect::<Vec<_>>().join("-")
}

fn entries(root: &Path) -> Result<Vec<Entry>> {
    let path = root.join("emoji.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&text).with_context(|| format!("in {}", path.display()))
}

/// The number of each name among all that there are, sorted, and these.
fn classes<'a>(names: impl Iterator<Item = &'a str> + Clone) -> (Vec<u8>, Vec<String>) {
    let all: BTreeSet<&str> = names.clone().collect();
    let labels = names.map(|name| all.range(..name).count() as u8).collect();
    (labels, all.into_iter().map(str::to_owned).collect())
}

/// The pixels of one vendor's drawings over black.
fn cut(root: &Path, vendor: &str, drawings: &[&Drawing]) -> Result<Vec<u8>> {
    let path = root.join("img").join(vendor).join("sheets-clean/64.png");
    let sheet = edgegen_data::open(&path)
        .with_context(|| format!("cannot read {}: fetch emoji again", path.display()))?
        .into_rgba8();
    let mut images = Vec::with_capacity(drawings.len() * BYTES);
    for drawing in drawings {
        let [x, y] = [drawing.sheet_x, drawing.sheet_y].map(|cell| cell.saturating_mul(SIDE + 2).saturating_add(1));
        ensure!(
            x.max(y) < sheet.width().min(sheet.height()).saturating_sub(SIDE),
            "expected a cell at {x}, {y} of {}, found {}×{} pixels: fetch emoji again",
            path.display(),
            sheet.width(),
            sheet.height()
        );
        images.extend(edgegen_data::over(&crop_imm(&sheet, x, y, SIDE, SIDE).to_image(), [0; 3]));
    }
    Ok(images)
}

fn dataset(root: &Path, images: Vec<u8>, labels: Vec<u8>, class_names: Vec<String>) -> Dataset {
    let side = SIDE as usize;
    Dataset { name: root.display().to_string(), images, labels: Some(labels), class_names, shape: [side, side, 3] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{Rgba, RgbaImage};

    /// Two by one cells a vendor; the second emoji is in the right one, half transparent.
    fn folder(json: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("emoji.json"), json).unwrap();
        for (vendor, red) in VENDORS.into_iter().zip([100, 200]) {
            let path = folder.path().join("img").join(vendor).join("sheets-clean/64.png");
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            let pixel = |x, y| match (x, y) {
                (1..=64, 1..=64) => Rgba([red, 2, 3, 255]),
                (67..=130, 1..=64) => Rgba([red, 0, 0, 51]),
                _ => Rgba([255; 4]),
            };
            RgbaImage::from_fn(132, 132, pixel).save(path).unwrap();
        }
        folder
    }

    fn entry(kind: &str, x: u32) -> String {
        format!(r#"{{"subcategory": "{kind}", "sheet_x": {x}, "sheet_y": 0, "unified": "1F600"}}"#)
    }

    #[test]
    fn faces_are_cut_without_their_frames_and_laid_over_black() {
        let kinds = [("face-sleepy", 1), ("heart", 0), ("face-costume", 0), ("face-hat", 0)];
        let folder = folder(&format!("[{}]", kinds.map(|(kind, x)| entry(kind, x)).join(",")));
        let dataset = load(folder.path(), Split::Train).unwrap();
        assert_eq!((dataset.len(), dataset.shape), (4, [64, 64, 3]));
        assert_eq!(dataset.labels.as_deref(), Some(&[1, 0, 1, 0][..]));
        for (index, pixel) in [[20, 0, 0], [100, 2, 3], [40, 0, 0], [200, 2, 3]].iter().enumerate() {
            assert!(dataset.image(index).chunks(3).all(|found| found == pixel), "{index}");
        }
    }

    #[test]
    fn pairs_are_what_both_draw_and_a_part_has_all_of_a_kind() {
        let drawn = |unified: &str, [x, y]: [u32; 2], both: bool| {
            format!(
                r#""unified": "{unified}", "sheet_x": {x}, "sheet_y": {y}, "has_img_google": true, "has_img_twitter": {both}"#
            )
        };
        let emoji = |category: &str, of_itself: String, variations: String| {
            format!(
                r#"{{"category": "{category}", "subcategory": "x", {of_itself}, "skin_variations": {{{variations}}}}}"#
            )
        };
        let toned = format!(
            r#""1F3FB": {{{}}}, "1F3FB-1F3FC": {{{}}}"#,
            drawn("1F44B-1F3FB", [0, 0], true),
            drawn("1F44B-1F3FB-1F3FC", [0, 0], true)
        );
        let json = [
            emoji("People", drawn("1F44B", [1, 0], true), toned),
            emoji("Flags", drawn("1F3C1", [1, 1], true), String::new()),
            // Drawn as the flag before.
            emoji("Flags", drawn("1F3F4", [1, 1], true), String::new()),
            emoji("Flags", drawn("1F38C", [0, 1], false), String::new()),
            emoji("Component", drawn("1F3FB", [0, 1], true), String::new()),
        ];
        let folder = folder(&format!("[{}]", json.join(",")));
        let [train, test] = [Split::Train, Split::Test].map(|split| load_pairs(folder.path(), split).unwrap());
        for (part, labels) in [(&train, &[0][..]), (&test, &[1, 1])] {
            for set in part {
                assert_eq!(set.labels.as_deref(), Some(labels));
                assert_eq!(set.class_names, ["Flags", "People"]);
            }
        }
        // Google's hand and Twitter's, and both with a tone of skin, in whatever order.
        let mut hands = [0, 1].map(|index| [&test[0], &test[1]].map(|set| set.image(index)[0]));
        hands.sort_unstable();
        assert_eq!(hands, [[20, 40], [100, 200]]);
    }

    #[test]
    fn variants_are_kin() {
        for (variant, of) in [
            ("1F44B-1F3FF", "1F44B"),
            ("1F3C3-1F3FB-200D-2640-FE0F-200D-27A1-FE0F", "1F3C3"),
            ("1F468-1F3FD-200D-1F373", "1F9D1-200D-1F373"),
            ("1F475", "1F9D3"),
        ] {
            assert_eq!(kin(variant), kin(of), "{variant}");
        }
        assert_ne!(kin("1F468-200D-1F373"), kin("1F468-200D-1F33E"));
    }

    #[test]
    fn what_is_not_there_is_named() {
        let error = |json: &str, split| format!("{:#}", load(folder(json).path(), split).unwrap_err());
        assert!(error("[]", Split::Test).contains("test images"));
        let outside = error(&format!("[{}]", entry("face-hat", 2)), Split::Train);
        assert!(outside.contains("133, 1") && outside.contains("132×132"), "{outside}");
        assert!(error("[{}]", Split::Train).contains("emoji.json"));
    }
}
