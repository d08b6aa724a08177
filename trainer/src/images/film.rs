//! Films: one frame after the other, in a file that starts again at its end.

use std::path::Path;

use anyhow::Result;

use super::{apng, blit, expect, gif, mp4, npy};

/// Smaller frames are enlarged by a whole factor until their longer side has at least this many pixels.
const MIN_SIDE: usize = 224;

/// The extensions that [`save_film`] knows.
pub const FILMS: [&str; 4] = ["gif", "png", "mp4", "npy"];

/// Writes `frames`, each `[H, W, C]` with `C` = 1 or 3, as the film that the extension of `path` names.
///
/// `.gif` and `.png` (APNG) repeat for ever; `.mp4` is encoded by ffmpeg; `.npy` is uint8 `[N, H, W, C]` and knows no
/// time. The same frames give the same bytes, those of an `.mp4` as long as ffmpeg is the same. `delay_ms` is the time
/// from one frame to the next in milliseconds.
///
/// # Errors
/// Another extension, no frames, a frame whose length is not `H·W·C`, no ffmpeg for an `.mp4`, or a file that cannot be
/// written.
pub fn save_film(path: &Path, frames: &[Vec<u8>], shape: [usize; 3], delay_ms: u32) -> Result<()> {
    match expect(path, &FILMS)? {
        "gif" => gif::save_gif(path, frames, shape, delay_ms),
        "png" => apng::save_apng(path, frames, shape, delay_ms),
        "mp4" => mp4::save_mp4(path, frames, shape, delay_ms),
        _ => npy::save_npy(path, frames, shape),
    }
}

/// How frames of one shape are enlarged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Enlarged {
    shape: [usize; 3],
    factor: usize,
    /// Of an enlarged frame, in pixels.
    pub(super) width: usize,
    pub(super) height: usize,
}

impl Enlarged {
    /// Of frames `[H, W, C]` of at least a pixel; the factor is a multiple of `even`.
    pub(super) fn of(shape: [usize; 3], even: usize) -> Self {
        let [height, width, _] = shape;
        let factor = MIN_SIDE.div_ceil(height.max(width)).next_multiple_of(even);
        Self { shape, factor, width: width * factor, height: height * factor }
    }

    /// An enlarged frame.
    pub(super) fn draw(&self, frame: &[u8]) -> Vec<u8> {
        let mut pixels = vec![0; self.width * self.height * self.shape[2]];
        blit(&mut pixels, self.width, frame, self.shape, (0, 0), self.factor);
        pixels
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// Three grey frames of 4×3 pixels, each of one grey.
    pub(in crate::images) fn greys() -> [Vec<u8>; 3] {
        [40, 120, 200].map(|grey| vec![grey; 12])
    }

    #[test]
    fn frames_are_enlarged_by_whole_factors() {
        let sizes = [([28, 28, 1], 1), ([27, 27, 1], 2), ([300, 7, 3], 1), ([301, 7, 3], 2)].map(|(shape, even)| {
            let Enlarged { factor, width, height, .. } = Enlarged::of(shape, even);
            (factor, width, height)
        });
        assert_eq!(sizes, [(8, 224, 224), (10, 270, 270), (1, 7, 300), (2, 14, 602)]);
    }

    #[test]
    fn the_same_frames_are_the_same_bytes() {
        let folder = tempfile::tempdir().unwrap();
        for extension in ["gif", "png", "npy"] {
            let [one, other] = ["a", "b"].map(|name| {
                let path = folder.path().join(name).with_extension(extension);
                save_film(&path, &greys(), [3, 4, 1], 50).unwrap();
                std::fs::read(path).unwrap()
            });
            assert!(one == other, "{extension}");
        }
        let error = save_film(Path::new("a.avi"), &greys(), [3, 4, 1], 50).unwrap_err().to_string();
        assert!(error.contains(".gif, .png, .mp4 or .npy"), "{error}");
    }
}
