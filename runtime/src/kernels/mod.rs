//! Kernels: one file for each instruction set. A kernel sees slices and never a shape, so an operator is written once for
//! all CPUs and a CPU once for all operators.
//!
//! [`scalar`] is the reference that everybody can read; every other kernel gives the same bytes. Those for
//! microcontrollers are built from four small parts, which [`blocked`] puts together; x86-64 has registers enough to do without.

#[cfg(edgegen_isa = "armv6m")]
pub mod armv6m;
pub mod blocked;
#[cfg(edgegen_isa = "dsp")]
pub mod dsp;
#[cfg(edgegen_isa = "mve")]
pub mod mve;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
pub mod neon;
pub mod scalar;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
pub mod wasm;
#[cfg(feature = "all-operators")]
pub mod wide;
#[cfg(target_arch = "x86_64")]
pub mod x86;

use crate::fixed;
use crate::packing::Packing;

#[cfg(edgegen_isa = "armv6m")]
use armv6m::Armv6m as Best;
#[cfg(edgegen_isa = "dsp")]
use dsp::Dsp as Best;
#[cfg(edgegen_isa = "mve")]
use mve::Mve as Best;
#[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
use neon::Aarch64 as Best;
#[cfg(not(any(
    edgegen_isa = "armv6m",
    edgegen_isa = "dsp",
    edgegen_isa = "mve",
    target_arch = "x86_64",
    all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"),
    all(target_arch = "wasm32", target_feature = "simd128")
)))]
use scalar::Scalar as Best;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use wasm::Simd128 as Best;
#[cfg(target_arch = "x86_64")]
use x86::X86 as Best;

/// The best kernel of the target that this is compiled for.
pub type Native = Best;

/// Switches the vectors of a Cortex-M55 or M85 on before `main`, in a firmware started by cortex-m-rt. Empty on other CPUs.
///
/// They are off after reset, and in a firmware compiled for such a CPU the first vector instruction may come early in `main`:
/// compilers use them for plain Rust too. Write it once, beside `main`; it takes the place of cortex-m-rt's `#[pre_init]`.
///
/// ```
/// edgegen_runtime::start_vectors!();
/// ```
#[cfg(edgegen_isa = "mve")]
#[macro_export]
macro_rules! start_vectors {
    () => {
        // CPACR, full access to coprocessors 10 and 11, then barriers before the first use (Armv8-M manual, B3.28 and D1.2.14).
        ::core::arch::global_asm!(
            ".section .text.__pre_init, \"ax\"",
            ".global __pre_init",
            ".type __pre_init, %function",
            ".thumb_func",
            "__pre_init:",
            "ldr r0, =0xE000ED88",
            "ldr r1, [r0]",
            "orr r1, r1, #0x00F00000",
            "str r1, [r0]",
            "dsb",
            "isb",
            "bx lr",
            ".ltorg",
        );
    };
}

/// Switches the vectors of a Cortex-M55 or M85 on before `main`. Empty here: this is compiled for another CPU.
#[cfg(not(edgegen_isa = "mve"))]
#[macro_export]
macro_rules! start_vectors {
    () => {};
}

/// An instruction set.
///
/// A kernel is a value: holding it proves that the CPU can run it.
pub trait Kernel: Copy {
    /// Name of the instruction set.
    const NAME: &'static str;
    /// The order of weights that it reads.
    const PACKING: Packing;
    /// Whether [`Kernel::wide_products`] takes runs of values that start at multiples of 4 bytes alone.
    const WIDE_ALIGNED: bool = false;

    /// The kernel, if this CPU can run it.
    fn available() -> Option<Self>;

    /// Makes the pixels of one phase of one row of a convolution.
    fn windows(self, row: &mut Row<'_>);

    /// Makes one pixel of a fully connected layer.
    fn vector(self, row: &mut Row<'_>);

    /// Makes the pixels of one phase of one row of a depthwise convolution: channel `c` reads place `c` of each lane,
    /// and its weights are `weights[lane · channels + c]`.
    fn channels(self, row: &mut Row<'_>) {
        scalar::channels(self, row);
    }

    /// Makes a sum for each channel into codes; as many as all slices have.
    fn finish(self, sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
        scalar::finish(sums, channels, to);
    }

    /// Adds pixels that lie `step` values apart to a sum for each channel, each value less `zero_point`, or the square
    /// of that.
    fn add(self, values: &[i8], step: usize, zero_point: i8, square: bool, sums: &mut [i32]) {
        scalar::add(values, step, zero_point, square, sums);
    }

    /// Makes whole pixels of two operands, see [`Pair`].
    fn join(self, pair: &Pair<'_>, channels: &Channels<'_>, to: &mut [i8]) {
        scalar::join(pair, channels, to);
    }

    /// Adds to a sum for each of four pixels from pixel `first` on the products of a channel's weights, `[lane][run]`,
    /// with what it reads. Without four pixels from there on, or as many weights, the sums mean nothing.
    #[cfg(feature = "all-operators")]
    fn wide_products(
        self,
        window: &wide::WideWindow<'_>,
        first: usize,
        weights: &[i8],
        sums: &mut [i32; wide::PIXELS],
    ) {
        wide::add_products(window, first, weights, sums);
    }

    /// Makes codes into those that a table has at code + 128.
    fn look_up(self, table: &[i8; 256], from: &[i8], to: &mut [i8]) {
        scalar::look_up(table, from, to);
    }
}

/// Pixels to make.
///
/// Pixel `n` lies at `pixels[n · stride ..]`; there are as many as fit. For channel `c` of pixel `n`:
///
/// ```text
/// sum = bias[c] + Σ over lanes l, i < run:  values[lanes[l] + n · step + i] · weights[c][l · run + i]
/// pixels[n · stride + c] = output(sum, multiplier[c])
/// ```
///
/// `Model::parse` has seen to it that all lengths fit. Were one too short, values would be wrong and nothing worse.
#[derive(Debug)]
pub struct Row<'a> {
    /// What the pixels read.
    pub window: Window<'a>,
    /// The matrix `[channel][lane · run]` in the packing of the model.
    pub weights: &'a [i8],
    /// Biases, multipliers and the rest.
    pub channels: Channels<'a>,
    /// Where the pixels go.
    pub pixels: &'a mut [i8],
    /// Values from one pixel to the next.
    pub stride: usize,
    /// Working memory, [`Packing::scratch_bytes`] of it.
    pub scratch: &'a mut [i32],
}

impl Row<'_> {
    /// The same row, to take apart.
    #[inline(always)]
    pub fn again(&mut self) -> Row<'_> {
        Row { pixels: &mut *self.pixels, scratch: &mut *self.scratch, ..*self }
    }
}

/// The input of one phase of one row.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Where the lanes are.
    pub values: &'a [i8],
    /// For each run of input values, the place of the first value that pixel 0 reads.
    pub lanes: &'a [u32],
    /// Values that a pixel reads from each lane.
    pub run: usize,
    /// Values from the start of one pixel's run to that of the next.
    pub step: usize,
}

impl Window<'_> {
    /// Whether each lane has `count` values.
    pub fn holds(&self, count: usize) -> bool {
        self.lanes.iter().all(|lane| (*lane as usize).saturating_add(count) <= self.values.len())
    }
}

/// Two operands of a sum or a product, value by value. Of pixel `n`, channel `c`:
///
/// ```text
/// x = a[n · steps[0] + c]          sum = factors[0] · x + factors[1] · y + bias[c]
/// y = b[n · steps[1] + c]          or    (x − factors[0]) · (y − factors[1]) + bias[c]
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Pair<'a> {
    /// First operand.
    pub a: &'a [i8],
    /// Second operand.
    pub b: &'a [i8],
    /// Values from one pixel to the next, 0 where one stands for all.
    pub steps: [usize; 2],
    /// Whether they are multiplied.
    pub multiply: bool,
    /// Factors of a sum, zero points of a product.
    pub factors: [i32; 2],
}

/// Channels whose sums are held at the same time where a kernel does not say otherwise.
pub const TILE: usize = 16;

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

impl<'a> Channels<'a> {
    /// `count` of them from channel `first` on.
    #[inline]
    pub fn part(&self, first: usize, count: usize) -> Self {
        fn part(words: &[i32], first: usize, count: usize) -> &[i32] {
            let rest = words.get(first..).unwrap_or(&[]);
            rest.get(..count).unwrap_or(rest)
        }
        Channels { bias: part(self.bias, first, count), multiplier: part(self.multiplier, first, count), ..*self }
    }

    /// No channel.
    pub const NONE: Self =
        Self { bias: &[], multiplier: &[], output: fixed::Output { zero_point: 0, low: 0, high: 0, table: None } };
}
