//! Kernels: one file for each instruction set. A kernel sees slices and never a shape, so an operator is written once for
//! all CPUs and a CPU once for all operators.
//!
//! [`scalar`] is the reference that everybody can read; every other kernel gives the same bytes.

pub mod scalar;

use crate::fixed;

/// The best kernel of the target that this is compiled for.
pub type Native = scalar::Scalar;

/// The products and sums of one phase of one row.
///
/// A kernel is a value: holding it proves that the CPU can run it.
pub trait Kernel: Copy {
    /// Name of the instruction set.
    const NAME: &'static str;

    /// Makes pixels at `pixels[0..c]`, `pixels[stride..stride + c]`, … to the end of `pixels`, where `c` is the number of
    /// channels. For pixel `n` and channel `c`:
    ///
    /// ```text
    /// sum = bias[c] + Σ over lanes l, i < run:  lanes[l][n · step + i] · weights[(c · lanes + l) · run + i]
    /// pixels[n · stride + c] = output(sum, multiplier[c])
    /// ```
    ///
    /// `Model::parse` has seen to it that all lengths fit. Were one too short, values would be wrong and nothing worse.
    fn row(self, window: Window<'_>, weights: &[i8], channels: Channels<'_>, pixels: &mut [i8], stride: usize);
}

/// The input of one phase of one row.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// One slice for each run of input values, each starting at the first value that pixel 0 reads.
    pub lanes: &'a [&'a [i8]],
    /// Values that a pixel reads from each lane.
    pub run: usize,
    /// Values from the start of one pixel's run to that of the next.
    pub step: usize,
}

/// The output channels.
#[derive(Clone, Copy, Debug)]
pub struct Channels<'a> {
    /// Start of each sum. The zero point of the input is already in it.
    pub bias: &'a [i32],
    /// Factor of each sum, see [`fixed::requantize`].
    pub multiplier: &'a [i32],
    /// The same for all channels.
    pub output: fixed::Output<'a>,
}
