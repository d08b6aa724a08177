//! The pictures that a generator which reads one is exported with.
//!
//! They lie in the run folder, so that an export needs no data and comes to the same bytes where these never were: one
//! picture, `examples.png`, tiled row by row without gaps by training inputs in an order drawn once.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use image::{ColorType, ImageEncoder as _, codecs::png::PngEncoder};

use crate::data::Dataset;
use crate::files;
use crate::rng::Rng;

/// The file's name in a run folder.
pub const EXAMPLES: &str = "examples.png";

/// Pictures in it at most: 256 to calibrate ranges on, and as many as are then compared.
const COUNT: usize = 320;
/// Pictures side by side.
const COLUMNS: usize = 20;

/// Whether a file can hold them, grey or in colour: frames of sounds are none.
pub fn are_pictures(inputs: &Dataset) -> bool {
    [1, 3].contains(&inputs.shape[2])
}

/// Those of `inputs` that are examples, `[H, W, C]` bytes each: in full rows of the file, if there are that many.
pub fn choose(inputs: &Dataset) -> Vec<&[u8]> {
    let mut order: Vec<usize> = (0..inputs.len()).collect();
    Rng::new(0, 6).shuffle(&mut order);
    let count = order.len().min(COUNT);
    order.truncate(if count > COLUMNS { count - count % COLUMNS } else { count });
    order.into_iter().map(|index| inputs.image(index)).collect()
}

/// Writes the examples of `inputs`, images of 1 or 3 channels, to `path`.
///
/// # Errors
///
/// If the file cannot be written.
pub fn write(path: &Path, inputs: &Dataset) -> Result<()> {
    let [h, w, c] = inputs.shape;
    let chosen = choose(inputs);
    let columns = COLUMNS.min(chosen.len());
    let mut pixels = Vec::with_capacity(chosen.len() * h * w * c);
    for some in chosen.chunks_exact(columns.max(1)) {
        for row in 0..h {
            some.iter().for_each(|picture| pixels.extend(&picture[row * w * c..][..w * c]));
        }
    }
    let [width, height] = [columns * w, chosen.len() / columns.max(1) * h];
    let color = if c == 1 { ColorType::L8 } else { ColorType::Rgb8 };
    let mut file = Vec::new();
    PngEncoder::new(&mut file)
        .write_image(&pixels, width as u32, height as u32, color.into())
        .with_context(|| format!("cannot encode {}", path.display()))?;
    files::replace_bytes(path, &file)
}

/// Reads the examples of shape `[H, W, C]` in `path`.
///
/// # Errors
///
/// If it is no picture, or none that such pictures tile.
pub fn read(path: &Path, [h, w, c]: [usize; 3]) -> Result<Vec<Vec<u8>>> {
    let what = path.display();
    let image = edgegen_data::open(path).with_context(|| format!("cannot read {what}"))?;
    let [width, height] = [image.width() as usize, image.height() as usize];
    ensure!(
        width > 0 && height > 0 && width.is_multiple_of(w) && height.is_multiple_of(h),
        "expected pictures of {w}×{h} side by side in {what}, found {width}×{height}: take it from the run that this is of"
    );
    let pixels = if c == 1 { image.into_luma8().into_raw() } else { image.into_rgb8().into_raw() };
    let one = |row: usize, column: usize| {
        let lines = (0..h).map(|line| ((row * h + line) * width + column * w) * c);
        lines.flat_map(|start| &pixels[start..][..w * c]).copied().collect()
    };
    Ok((0..height / h)
        .flat_map(|row| (0..width / w).map(move |column| (row, column)))
        .map(|(r, c)| one(r, c))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures of 2×3 pixels, no two alike.
    fn inputs(count: usize, c: usize) -> Dataset {
        let images = (0..count).flat_map(|index| (0..6 * c).map(move |at| (index * 7 + at * 31) as u8)).collect();
        Dataset { name: "some".into(), images, labels: None, class_names: Vec::new(), shape: [2, 3, c] }
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EXAMPLES);
        for (count, kept) in [(1, 1), (7, 7), (20, 20), (47, 40), (1000, COUNT)] {
            for c in [1, 3] {
                let inputs = inputs(count, c);
                write(&path, &inputs).unwrap();
                let read = read(&path, inputs.shape).unwrap();
                assert_eq!(read.len(), kept, "{count}");
                assert_eq!(read, choose(&inputs));
            }
        }
    }

    #[test]
    fn another_size_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(EXAMPLES);
        write(&path, &inputs(7, 1)).unwrap();
        let message = read(&path, [4, 4, 1]).unwrap_err().to_string();
        assert!(message.contains("4×4") && message.contains("21×2"), "{message}");
    }
}
