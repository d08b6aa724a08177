//! Rings of rows in the memory of the caller: where a row lies.
//!
//! ```text
//! arena:  up to 15 bytes skipped │ the kernel's memory │ lanes │ progress of each node │ rings │ seeds of noise
//! ```

use bytemuck::Pod;

use crate::graph::{Border, MAX_LANES, Node};
use crate::packing::SCRATCH_ALIGNMENT;
use crate::walk::Progress;

/// Bytes of the lanes of a convolution, see [`Window::lanes`](crate::kernels::Window::lanes): on the stack they would
/// be the largest thing there.
pub(crate) const LANE_BYTES: usize = 4 * MAX_LANES;

/// Bytes of the arena that do not depend on shapes: lanes, the progress of each node, and what is skipped because an
/// arena may start at any address.
pub(crate) const fn fixed_bytes(nodes: usize) -> usize {
    LANE_BYTES + nodes * size_of::<Progress>() + SCRATCH_ALIGNMENT - 1
}

/// The first `at` bytes and the rest. `Model::arena_bytes` saw to it that there are as many.
pub(crate) fn split(bytes: &mut [i8], at: usize) -> (&mut [i8], &mut [i8]) {
    bytes.split_at_mut_checked(at).unwrap_or_default()
}

/// Bytes at an address and of a length that fit.
pub(crate) fn cast<T: Pod>(bytes: &mut [i8]) -> &mut [T] {
    bytemuck::try_cast_slice_mut(bytes).unwrap_or_default()
}

/// Fills the padding at the sides of a row with the pixels that a mirrored or repeated border finds there.
#[inline(never)]
pub(crate) fn fill_sides(node: &Node, row: &mut [i8]) {
    let Some(border) = Border::ALL.get(usize::from(node.border)) else { return };
    let (pixel, width) = (node.pixel_bytes(), i32::from(node.shape.w));
    let left = i32::from(node.padding.left);
    for at in (-left..0).chain(width..width + i32::from(node.padding.right)) {
        let place = |at: i32| (left + at).max(0) as usize * pixel;
        let (from, to) = (place(border.inside(at, width)), place(at));
        // One byte after the other: a call of `memmove` would link 1.5 KB of it.
        for byte in 0..pixel {
            let value = row.get(from + byte).copied().unwrap_or(0);
            if let Some(to) = row.get_mut(to + byte) {
                *to = value;
            }
        }
    }
}

/// The ring of a node, for reading.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring<'a> {
    pub(crate) node: &'a Node,
    /// The rings from the start of this one on.
    pub(crate) values: &'a [i8],
    pub(crate) progress: &'a Progress,
}

impl<'a> Ring<'a> {
    /// The byte where row `row` starts, counted without padding rows, with the padding at its sides.
    pub(crate) fn row(&self, row: i32) -> usize {
        let row = if self.node.border == Border::Zero as u8 {
            row + i32::from(self.node.padding.top)
        } else {
            self.mirrored(row)
        };
        // From the next row's place backwards, which needs no division: the row is one of the last that were made.
        let slot = i32::from(self.progress.slot) - i32::from(self.progress.made) + row;
        let slot = if slot < 0 { slot + i32::from(self.node.ring_rows) } else { slot };
        slot.max(0) as usize * self.node.row_bytes()
    }

    #[inline(never)]
    fn mirrored(&self, row: i32) -> i32 {
        let border = Border::ALL.get(usize::from(self.node.border)).copied().unwrap_or_default();
        border.inside(row, self.node.shape.h.into())
    }

    /// The bytes of the pixels of row `row` without padding.
    #[cfg(feature = "all-operators")]
    pub(crate) fn pixels(&self, row: i32) -> &'a [i8] {
        let start = self.row(row) + self.node.left();
        self.values.get(start..start + self.node.content_bytes()).unwrap_or(&[])
    }
}
