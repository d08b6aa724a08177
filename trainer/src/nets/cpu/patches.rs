//! Patches of a map: what a kernel sees from each of its places, and the way back.
//!
//! A convolution relates a large map to a small one: place `(y, x)` of the small map belongs to the patch of the large
//! one that begins at `(y · stride − padding, x · stride − padding)`. With the channels of a pixel side by side, a row
//! of a patch is one piece of memory. Outside the map there are zeros.
//!
//! A map of one column, a sound, lies in memory as one of one row does. [`Geometry::new`] turns it, so that a whole
//! patch of it is one piece.

use std::cell::RefCell;

use edgegen_export::layers::Window;
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
    /// Step of each axis.
    pub stride: [usize; 2],
    /// Zeros above and left of the large map.
    pub padding: [usize; 2],
    /// Rows from one row of the kernel to the next.
    pub dilation: usize,
    /// Whether the axes of all these are exchanged.
    pub is_turned: bool,
}

/// Values of patches that are made at once: half a megabyte, half of a usual second-level cache.
const BLOCK: usize = 1 << 17;

impl Geometry {
    /// Of `batch` images, between maps of these shapes by one of the windows that [`suits`](Self::suits) tells.
    pub fn new(batch: usize, large: [usize; 3], small: [usize; 3], window: &Window) -> Self {
        let Window { kernel, stride, padding: [[top, _], [left, _]], dilation, .. } = *window;
        let geometry =
            Self { batch, large, small, kernel, stride, padding: [top, left], dilation: dilation[0], is_turned: false };
        let is_column = large[2] == 1 && small[2] == 1 && kernel[1] == 1 && left == 0;
        if !is_column || dilation[0] != 1 {
            return geometry;
        }
        let turned = |[c, h, w]: [usize; 3]| [c, w, h];
        let turn = |[y, x]: [usize; 2]| [x, y];
        Self {
            large: turned(large),
            small: turned(small),
            kernel: turn(kernel),
            stride: turn(stride),
            padding: turn(geometry.padding),
            is_turned: true,
            ..geometry
        }
    }

    /// Whether a window is one of these: without groups, and with the columns of its kernel side by side.
    pub fn suits(window: &Window) -> bool {
        window.groups == 1 && (window.dilation[1] == 1 || window.kernel[1] == 1)
    }

    /// `[batch, C, H, W]` of the small map.
    pub fn small_map(&self) -> [usize; 4] {
        self.upright(self.batch, self.small)
    }

    /// `[batch, C, H, W]` of the large map.
    pub fn large_map(&self) -> [usize; 4] {
        self.upright(self.batch, self.large)
    }

    /// `[small C, large C, ky, kx]`.
    pub fn weights(&self) -> [usize; 4] {
        let [ky, kx] = self.kernel;
        self.upright(self.small[0], [self.large[0], ky, kx])
    }

    fn upright(&self, count: usize, [c, h, w]: [usize; 3]) -> [usize; 4] {
        if self.is_turned { [count, c, w, h] } else { [count, c, h, w] }
    }

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
        let begin = (x * self.stride[1]) as isize - self.padding[1] as isize;
        let first = (-begin).max(0) as usize;
        let last = (self.large[2] as isize - begin).clamp(0, self.kernel[1] as isize) as usize;
        (first.min(last), last, (begin + first as isize).clamp(0, self.large[2] as isize) as usize)
    }

    /// Row of the large map under row `ky` of the patches of row `y`, if it lies in the map.
    fn row(&self, y: usize, ky: usize) -> Option<usize> {
        let row = (y * self.stride[0] + ky * self.dilation).checked_sub(self.padding[0])?;
        (row < self.large[1]).then_some(row)
    }
}

/// Calls `work` with room for `len` values of patches, which hold anything: every thread keeps its own for all layers.
pub fn with_room<R>(len: usize, work: impl FnOnce(&mut [f32]) -> R) -> R {
    thread_local! {
        static ROOM: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    ROOM.with_borrow_mut(|room| {
        if room.len() < len {
            room.resize(len, 0.0);
        }
        work(&mut room[..len])
    })
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
                        add(target, &line[first * c..last * c]);
                    }
                }
            }
        },
    );
}

/// A copy; without a call, even without a loop, for the four values of a patch's row in a map of one channel.
#[inline(always)]
fn copy(to: &mut [f32], from: &[f32]) {
    if let (Ok(to), Ok(from)) = (<&mut [f32; 4]>::try_from(&mut *to), <&[f32; 4]>::try_from(from)) {
        *to = *from;
    } else if to.len() < 16 {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
    } else {
        to.copy_from_slice(from);
    }
}

/// The sum in place of the first; in one step where there are four values.
#[inline(always)]
fn add(to: &mut [f32], from: &[f32]) {
    if let (Ok(to), Ok(from)) = (<&mut [f32; 4]>::try_from(&mut *to), <&[f32; 4]>::try_from(from)) {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    } else {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
}
