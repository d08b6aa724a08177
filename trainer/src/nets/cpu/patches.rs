//! Patches of a map: what a square kernel sees from each of its places, and the way back.
//!
//! A convolution relates a large map to a small one: place `(y, x)` of the small map belongs to the patch of the large
//! one that begins at `(y · stride − padding, x · stride − padding)`. With the channels of a pixel side by side, a row
//! of a patch is one piece of memory. Outside the map there are zeros.

use pulp::Arch;

/// Sizes of a convolution; of a transposed one, too, which goes from the small map to the large one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// Images.
    pub batch: usize,
    /// `[C, H, W]` of the large map.
    pub large: [usize; 3],
    /// `[C, H, W]` of the small map.
    pub small: [usize; 3],
    /// `[ky, kx]`.
    pub kernel: [usize; 2],
    /// Step of both axes.
    pub stride: usize,
    /// Zeros around the large map.
    pub padding: usize,
}

/// Values of patches that are made at once: half a megabyte, half of a usual second-level cache.
const BLOCK: usize = 1 << 17;

impl Geometry {
    /// Values of a patch: ky · kx · C of the large map.
    pub fn patch(&self) -> usize {
        self.kernel[0] * self.kernel[1] * self.large[0]
    }

    /// Values of one image of the large map.
    pub fn large_len(&self) -> usize {
        self.large.iter().product()
    }

    /// Values of one image of the small map.
    pub fn small_len(&self) -> usize {
        self.small.iter().product()
    }

    /// Rows of the small map whose patches are made at once.
    pub fn rows_at_once(&self) -> usize {
        (BLOCK / (self.small[2] * self.patch())).max(1)
    }

    /// The part of a row of a patch that lies in the map, from `x` of the small map: first and last + 1 of kx, and the
    /// column of the large map for the first.
    fn columns(&self, x: usize) -> (usize, usize, usize) {
        let begin = (x * self.stride) as isize - self.padding as isize;
        let first = (-begin).max(0) as usize;
        let last = (self.large[2] as isize - begin).clamp(0, self.kernel[1] as isize) as usize;
        (first.min(last), last, (begin + first as isize).clamp(0, self.large[2] as isize) as usize)
    }

    /// Row of the large map under row `ky` of the patches of row `y`, if it lies in the map.
    fn row(&self, y: usize, ky: usize) -> Option<usize> {
        let row = (y * self.stride + ky).checked_sub(self.padding)?;
        (row < self.large[1]).then_some(row)
    }
}

/// Writes the patches of `rows` (image · height + y of the small map) of `large`, one after the other.
pub fn spread(geometry: &Geometry, large: &[f32], rows: std::ops::Range<usize>, patches: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let [c, _, width] = geometry.large;
            let [_, height, across] = geometry.small;
            let [kernel_y, kernel_x] = geometry.kernel;
            for (index, patches) in rows.zip(patches.chunks_mut(across * geometry.patch())) {
                let (image, y) = (index / height, index % height);
                let map = &large[image * geometry.large_len()..][..geometry.large_len()];
                for (x, patch) in patches.chunks_mut(geometry.patch()).enumerate() {
                    let (first, last, column) = geometry.columns(x);
                    for (ky, line) in patch.chunks_mut(kernel_x * c).enumerate().take(kernel_y) {
                        let Some(row) = geometry.row(y, ky) else {
                            line.fill(0.0);
                            continue;
                        };
                        line[..first * c].fill(0.0);
                        line[last * c..].fill(0.0);
                        let source = &map[(row * width + column) * c..][..(last - first) * c];
                        copy(&mut line[first * c..last * c], source);
                    }
                }
            }
        },
    );
}

/// Adds patches to the places of `large` they were or would have been taken from.
pub fn collect(geometry: &Geometry, patches: &[f32], rows: std::ops::Range<usize>, large: &mut [f32]) {
    Arch::new().dispatch(
        #[inline(always)]
        || {
            let [c, _, width] = geometry.large;
            let [_, height, across] = geometry.small;
            let [kernel_y, kernel_x] = geometry.kernel;
            for (index, patches) in rows.zip(patches.chunks(across * geometry.patch())) {
                let (image, y) = (index / height, index % height);
                let map = &mut large[image * geometry.large_len()..][..geometry.large_len()];
                for (x, patch) in patches.chunks(geometry.patch()).enumerate() {
                    let (first, last, column) = geometry.columns(x);
                    for (ky, line) in patch.chunks(kernel_x * c).enumerate().take(kernel_y) {
                        let Some(row) = geometry.row(y, ky) else { continue };
                        let target = &mut map[(row * width + column) * c..][..(last - first) * c];
                        for (sum, value) in target.iter_mut().zip(&line[first * c..last * c]) {
                            *sum += value;
                        }
                    }
                }
            }
        },
    );
}

/// A copy without a call for the few values of a patch's row in a map of one channel.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32]) {
    if to.len() < 16 {
        for (to, from) in to.iter_mut().zip(from) {
            *to = *from;
        }
    } else {
        to.copy_from_slice(from);
    }
}
