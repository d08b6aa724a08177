//! Pixels to files: sheets, animations and arrays; points and sounds to pixels.
//!
//! Images are byte vectors of `H·W·C`, row-major, channels innermost, `C` = 1 (grey) or 3 (RGB), 0 = black. Every file appears by rename.

mod apng;
mod film;
mod gif;
mod label;
mod mp4;
mod npy;
mod page;
mod scatter;
mod sheet;
mod sound;

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

pub use film::{FILMS, save_film};
pub use gif::save_gif;
pub(crate) use label::{LETTER, write as write_label};
pub use mp4::encoder as mp4_encoder;
pub use npy::{load_npy, save_npy, stream_npy};
pub use page::page;
pub use scatter::{SIDE as SCATTER, scatter};
pub use sheet::{save_grid, save_labelled};
pub use sound::{SHAPE as SOUND, sound, sounds};

/// Delay between two frames when [`save`] writes a GIF, in milliseconds.
pub const GIF_DELAY_MS: u32 = 80;

/// Writes `images` in the format that the extension of `path` names.
///
/// `.png`: one sheet with `columns` images a row. `.gif`: one frame an image. `.npy`: uint8 `[N, H, W, C]`. `shape` is `[H, W, C]`.
///
/// # Errors
/// Another extension, no images, an image whose length is not `H·W·C`, or a file that cannot be written.
pub fn save(path: &Path, images: &[Vec<u8>], shape: [usize; 3], columns: usize) -> Result<()> {
    match expect(path, &FORMATS)? {
        "png" => save_grid(path, images, shape, columns),
        "gif" => save_gif(path, images, shape, GIF_DELAY_MS),
        _ => save_npy(path, images, shape),
    }
}

/// The extensions that [`save`] knows.
pub const FORMATS: [&str; 3] = ["png", "gif", "npy"];

/// Which of `extensions`, in small letters, the file name `path` ends in, for a look before long work.
///
/// # Errors
/// None of them.
pub fn expect(path: &Path, extensions: &[&'static str]) -> Result<&'static str> {
    let found = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let known = extensions.iter().find(|&&known| found.as_deref() == Some(known)).copied();
    known.with_context(|| {
        let dotted: Vec<String> = extensions.iter().map(|extension| format!(".{extension}")).collect();
        let listed = match &dotted[..] {
            [one] => one.clone(),
            [others @ .., last] => format!("{} or {last}", others.join(", ")),
            [] => String::new(),
        };
        format!("expected a file name that ends in {listed}, found {}: change the name", path.display())
    })
}

/// What every writer relies on: at least one image, each of `H·W·C` bytes, `C` one of `channels`.
fn check(images: &[Vec<u8>], shape: [usize; 3], channels: &[usize]) -> Result<()> {
    let [height, width, depth] = shape;
    let bytes = height * width * depth;
    ensure!(!images.is_empty(), "expected at least one image to save, found none: raise the count");
    ensure!(bytes > 0, "expected images of at least one pixel, found the shape {shape:?}");
    ensure!(channels.contains(&depth), "expected images of 1 or 3 channels, found {depth}: save as .npy instead");
    if let Some((index, image)) = images.iter().enumerate().find(|(_, image)| image.len() != bytes) {
        bail!("expected {bytes} bytes for an image of shape {shape:?}, found {} in image {index}", image.len());
    }
    Ok(())
}

/// Copies an image into a wider canvas with its top left pixel at `(x, y)`, each pixel as a square of `factor` pixels.
fn blit(
    canvas: &mut [u8],
    canvas_width: usize,
    image: &[u8],
    shape: [usize; 3],
    (x, y): (usize, usize),
    factor: usize,
) {
    let [height, width, channels] = shape;
    for row in 0..height * factor {
        let source = &image[row / factor * width * channels..][..width * channels];
        let target = &mut canvas[((y + row) * canvas_width + x) * channels..][..width * factor * channels];
        for (pixel, block) in source.chunks_exact(channels).zip(target.chunks_exact_mut(factor * channels)) {
            for copy in block.chunks_exact_mut(channels) {
                copy.copy_from_slice(pixel);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_chooses_the_format() {
        let folder = tempfile::tempdir().unwrap();
        let images = vec![vec![0; 4], vec![255; 4]];
        for (name, magic) in [("a.PNG", b"\x89PNG"), ("a.gif", b"GIF8"), ("a.npy", b"\x93NUM")] {
            let path = folder.path().join(name);
            save(&path, &images, [2, 2, 1], 2).unwrap();
            assert_eq!(&std::fs::read(path).unwrap()[..4], magic);
        }
        for name in ["a.bmp", "a"] {
            let error = save(Path::new(name), &images, [2, 2, 1], 2).unwrap_err().to_string();
            assert!(error.contains(".png, .gif or .npy") && error.contains(name), "{error}");
        }
    }

    #[test]
    fn wrong_lengths_are_refused_before_anything_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        let error = save(&path, &[vec![0; 4], vec![0; 3]], [2, 2, 1], 2).unwrap_err().to_string();
        assert!(error.contains("expected 4 bytes") && error.contains("found 3 in image 1"), "{error}");
        assert!(save(&path, &[], [2, 2, 1], 2).is_err());
        assert!(save(&path, &[vec![0; 8]], [2, 2, 2], 2).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
