//! Animated PNG: all colours, unlike GIF, and the first frame where a viewer knows no animations.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use anyhow::Result;
use png::{BitDepth, ColorType, Encoder};

use super::check;
use super::film::Enlarged;
use crate::files;

/// Writes `frames`, each `[H, W, C]` with `C` = 1 or 3, as an animated PNG that repeats for ever and keeps their exact
/// bytes, `delay_ms` from one to the next.
pub fn save_apng(path: &Path, frames: &[Vec<u8>], shape: [usize; 3], delay_ms: u32) -> Result<()> {
    check(frames, shape, &[1, 3])?;
    let size = Enlarged::of(shape, 1);
    files::replace(path, |temporary| {
        let mut file = BufWriter::new(File::create(temporary)?);
        let mut encoder = Encoder::new(&mut file, u32::try_from(size.width)?, u32::try_from(size.height)?);
        encoder.set_color(if shape[2] == 1 { ColorType::Grayscale } else { ColorType::Rgb });
        encoder.set_depth(BitDepth::Eight);
        // Played 0 times is for ever.
        encoder.set_animated(u32::try_from(frames.len())?, 0)?;
        encoder.set_frame_delay(u16::try_from(delay_ms).unwrap_or(u16::MAX), 1000)?;
        let mut writer = encoder.write_header()?;
        for frame in frames {
            writer.write_image_data(&size.draw(frame))?;
        }
        writer.finish()?;
        // Dropping a BufWriter would swallow the error of the last flush.
        file.into_inner()?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::images::film::tests::greys;

    #[test]
    fn frames_keep_their_bytes_and_their_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        save_apng(&path, &greys(), [3, 4, 1], 50).unwrap();

        let decoder = png::Decoder::new(std::io::BufReader::new(File::open(&path).unwrap()));
        let mut reader = decoder.read_info().unwrap();
        let animation = *reader.info().animation_control().unwrap();
        assert_eq!((animation.num_frames, animation.num_plays), (3, 0));
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        for frame in greys() {
            reader.next_frame(&mut pixels).unwrap();
            let control = reader.info().frame_control().unwrap();
            assert_eq!((control.delay_num, control.delay_den), (50, 1000));
            assert!(pixels.len() == 224 * 168 && pixels.iter().all(|&byte| byte == frame[0]));
        }
        // Who knows no animations sees the first frame.
        let still = image::open(&path).unwrap().into_luma8();
        assert_eq!((still.dimensions(), still.get_pixel(100, 100).0), ((224, 168), [40]));
    }
}
