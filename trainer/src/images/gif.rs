//! Animations.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::{Result, ensure};
use gif::{Encoder, Frame, Repeat};

use super::check;
use super::film::Enlarged;
use crate::files;

/// Writes `frames`, each `[H, W, C]` with `C` = 1 or 3, as a GIF that repeats for ever.
///
/// `delay_ms` is rounded to the format's hundredths of a second, at least one. Grey frames keep their exact bytes, RGB frames of more
/// than 256 colours are quantized by frame.
pub fn save_gif(path: &Path, frames: &[Vec<u8>], shape: [usize; 3], delay_ms: u32) -> Result<()> {
    check(frames, shape, &[1, 3])?;
    let channels = shape[2];
    let size = Enlarged::of(shape, 1);
    let Enlarged { width, height, .. } = size;
    ensure!(
        width <= u16::MAX as usize && height <= u16::MAX as usize,
        "expected frames of at most 65535 pixels a side in a GIF, found {width}×{height}"
    );
    let (gif_width, gif_height) = (width as u16, height as u16);
    // One palette for the whole file; RGB frames bring their own and ignore it.
    let greys: Vec<u8> = if channels == 1 { (0..=255).flat_map(|v| [v; 3]).collect() } else { Vec::new() };

    files::replace(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        {
            let mut encoder = Encoder::new(&mut file, gif_width, gif_height, &greys)?;
            encoder.set_repeat(Repeat::Infinite)?;
            for image in frames {
                let pixels = size.draw(image);
                let mut frame = match channels {
                    1 => Frame::from_indexed_pixels(gif_width, gif_height, pixels, None),
                    _ => Frame::from_rgb_speed(gif_width, gif_height, &pixels, 10),
                };
                frame.delay = u16::try_from((delay_ms + 5) / 10).unwrap_or(u16::MAX).max(1);
                encoder.write_frame(&frame)?;
            }
        }
        // Dropping a BufWriter would swallow the error of the last flush.
        file.into_inner()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use gif::{ColorOutput, DecodeOptions};

    fn decode(path: &Path) -> Vec<(u16, Vec<u8>)> {
        let mut options = DecodeOptions::new();
        options.set_color_output(ColorOutput::RGBA);
        let mut decoder = options.read_info(File::open(path).unwrap()).unwrap();
        let mut frames = Vec::new();
        while let Some(frame) = decoder.read_next_frame().unwrap() {
            frames.push((frame.delay, frame.buffer.to_vec()));
        }
        frames
    }

    #[test]
    fn grey_frames_keep_their_bytes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        let first: Vec<u8> = (0..=255).collect();
        let second: Vec<u8> = (0..=255).rev().collect();
        save_gif(&path, &[first.clone(), second.clone()], [16, 16, 1], 84).unwrap();

        let frames = decode(&path);
        assert_eq!(frames.len(), 2);
        for ((delay, pixels), expected) in frames.iter().zip([first, second]) {
            assert_eq!(*delay, 8);
            // Side 16 is enlarged 14 times to 224; look at the first pixel of each block.
            let seen: Vec<u8> = (0..256).map(|i| pixels[(i / 16 * 14 * 224 + i % 16 * 14) * 4]).collect();
            assert_eq!(seen, expected);
        }
    }

    #[test]
    fn rgb_frames_keep_few_colours() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.gif");
        save_gif(&path, &[vec![200, 10, 60]], [1, 1, 3], 1).unwrap();
        let frames = decode(&path);
        assert_eq!((frames[0].0, &frames[0].1[..4]), (1, &[200, 10, 60, 255][..]));
    }
}
