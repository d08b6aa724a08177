//! Emoji faces in colour, cut from the sprite sheets of the `emoji-datasource` packages.
//!
//! A sheet holds every emoji of one vendor in cells of 64×64 pixels, each with a transparent frame one pixel wide; `emoji.json` tells
//! the place and the kind of each.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::imageops::crop_imm;
use serde::Deserialize;

use super::{Dataset, Split};

/// Whose drawings, by the name of their folder.
const VENDORS: [&str; 2] = ["google", "twitter"];
/// Side of an emoji in the sheets.
const SIDE: u32 = 64;

/// What `emoji.json` tells of one emoji; the rest is not read.
#[derive(Debug, Deserialize)]
struct Entry {
    subcategory: String,
    sheet_x: u32,
    sheet_y: u32,
}

impl Entry {
    /// Faces that are faces: robots, ghosts and the like are costumes and have shapes of their own.
    fn is_face(&self) -> bool {
        self.subcategory.starts_with("face-") && self.subcategory != "face-costume"
    }
}

/// Loads the faces of all vendors over black; sub-categories (smiling, sleepy, …), sorted, are the labels.
pub(super) fn load(root: &Path, split: Split) -> Result<Dataset> {
    ensure!(
        split == Split::Train,
        "expected a data set with test images, found emoji, which has none: go without them"
    );
    let path = root.join("emoji.json");
    let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut faces: Vec<Entry> = serde_json::from_slice(&text).with_context(|| format!("in {}", path.display()))?;
    faces.retain(Entry::is_face);
    let names: BTreeSet<_> = faces.iter().map(|face| face.subcategory.as_str()).collect();
    let label = |face: &Entry| names.iter().take_while(|&&name| name < face.subcategory.as_str()).count() as u8;

    let mut images = Vec::with_capacity(VENDORS.len() * faces.len() * (SIDE * SIDE * 3) as usize);
    for vendor in VENDORS {
        let path = root.join("img").join(vendor).join("sheets-clean/64.png");
        let sheet = edgegen_data::open(&path)
            .with_context(|| format!("cannot read {}: fetch emoji again", path.display()))?
            .into_rgba8();
        for face in &faces {
            let [x, y] = [face.sheet_x, face.sheet_y].map(|cell| cell.saturating_mul(SIDE + 2).saturating_add(1));
            ensure!(
                x.max(y) < sheet.width().min(sheet.height()).saturating_sub(SIDE),
                "expected a cell at {x}, {y} of {}, found {}×{} pixels: fetch emoji again",
                path.display(),
                sheet.width(),
                sheet.height()
            );
            images.extend(edgegen_data::over(&crop_imm(&sheet, x, y, SIDE, SIDE).to_image(), [0; 3]));
        }
    }
    let labels: Vec<u8> = faces.iter().map(label).collect();
    let side = SIDE as usize;
    Ok(Dataset {
        name: root.display().to_string(),
        images,
        labels: Some(labels.repeat(VENDORS.len())),
        class_names: names.iter().map(|&name| name.to_owned()).collect(),
        shape: [side, side, 3],
    })
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
    fn what_is_not_there_is_named() {
        let error = |json: &str, split| format!("{:#}", load(folder(json).path(), split).unwrap_err());
        assert!(error("[]", Split::Test).contains("test images"));
        let outside = error(&format!("[{}]", entry("face-hat", 2)), Split::Train);
        assert!(outside.contains("133, 1") && outside.contains("132×132"), "{outside}");
        assert!(error("[{}]", Split::Train).contains("emoji.json"));
    }
}
