//! int16 codes: products, sums and copies of nodes of which one at least is [`Width::Int16`](crate::graph::Width).
//!
//! Rows are bytes here, whose codes are of either width. What takes the time, products of int16 codes, a kernel may do
//! in its own way by [`Kernel::wide_products`]; all else is plain Rust for all CPUs.

use super::{Channels, Kernel, TILE};
use crate::fixed::{Output, WideOutput};

/// Codes of either width, as bytes of a ring.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Codes<'a> {
    pub(crate) bytes: &'a [i8],
    pub(crate) wide: bool,
}

impl<'a> Codes<'a> {
    /// Code number `index`; 0 behind the last one.
    #[inline(always)]
    pub(crate) fn code(&self, index: usize) -> i32 {
        if !self.wide {
            return self.bytes.get(index).map_or(0, |&code| code.into());
        }
        let bytes = self.bytes.get(2 * index..).and_then(|bytes| bytes.first_chunk());
        bytes.map_or(0, |&[low, high]| i16::from_le_bytes([low as u8, high as u8]).into())
    }

    /// Those from code number `index` on.
    pub(crate) fn from(&self, index: usize) -> Self {
        Self { bytes: self.bytes.get(index << u32::from(self.wide)..).unwrap_or(&[]), ..*self }
    }

    /// As numbers of 16 bits, which they are: rings lie at multiples of 4.
    fn words(&self) -> &'a [i16] {
        bytemuck::try_cast_slice(self.bytes).unwrap_or(&[])
    }
}

/// How sums become codes of either width.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Target<'a> {
    Int8(Output<'a>),
    Int16(WideOutput<'a>),
}

impl Target<'_> {
    /// Bytes of a code.
    pub(crate) fn code_bytes(&self) -> usize {
        match self {
            Self::Int8(_) => 1,
            Self::Int16(_) => 2,
        }
    }

    /// Makes a sum into the first code of `to`.
    #[inline]
    pub(crate) fn write(&self, sum: i32, multiplier: i32, to: &mut [i8]) {
        match self {
            Self::Int8(output) => put(to, &[output.finish(sum, multiplier)]),
            Self::Int16(output) => put(to, &output.finish(sum, multiplier).to_le_bytes().map(|byte| byte as i8)),
        }
    }

    /// Makes sums into codes, as many as there are of both.
    pub(crate) fn finish(&self, sums: &[i32], channels: &Channels<'_>, to: &mut [i8]) {
        let to = to.chunks_exact_mut(self.code_bytes());
        for (to, (&sum, &multiplier)) in to.zip(sums.iter().zip(channels.multiplier)) {
            self.write(sum, multiplier, to);
        }
    }
}

fn put(to: &mut [i8], from: &[i8]) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
}

/// What the pixels of a phase of a row read, int16 codes; as [`Window`](super::Window). All of it is there.
#[derive(Clone, Copy, Debug)]
pub struct WideWindow<'a> {
    values: &'a [i16],
    lanes: &'a [u32],
    run: usize,
    step: usize,
    /// Values that a pixel reads from all lanes.
    depth: usize,
    /// Pixels, a multiple of [`PIXELS`].
    count: usize,
}

impl<'a> WideWindow<'a> {
    /// The window of `count` pixels: for each lane the *byte* of `values` that pixel 0 reads first, values that a pixel
    /// reads from each lane, and values from the start of one pixel's run to that of the next.
    ///
    /// `None` where a pixel reads nothing, where not all is there that the pixels read and those that make their number
    /// a multiple of four, or where a kernel does not find it at the addresses that it wants.
    pub fn new<K: Kernel>(values: &'a [i16], lanes: &'a [u32], [run, step]: [usize; 2], count: usize) -> Option<Self> {
        let (count, depth) = (count.checked_next_multiple_of(PIXELS)?, lanes.len().checked_mul(run)?);
        let reach = count.checked_sub(1)?.checked_mul(step)?.checked_add(run)?;
        let mut address = values.as_ptr() as usize | step.wrapping_mul(2);
        for &lane in lanes {
            if (lane as usize / 2).checked_add(reach)? > values.len() {
                return None;
            }
            address |= lane as usize;
        }
        let fits = address.is_multiple_of(if K::WIDE_ALIGNED { 4 } else { 2 });
        (fits && depth > 0).then_some(Self { values, lanes, run, step, depth, count })
    }
}

/// Pixels whose sums are made together.
pub const PIXELS: usize = 4;

/// A window as kernels in assembly take it.
#[cfg(any(edgegen_isa = "armv6m", edgegen_isa = "dsp", edgegen_isa = "mve"))]
#[repr(C)]
pub(crate) struct Job {
    lanes: *const u32,
    end: *const u32,
    run: usize,
    /// Bytes from one pixel to the next.
    pixel: usize,
}

#[cfg(any(edgegen_isa = "armv6m", edgegen_isa = "dsp", edgegen_isa = "mve"))]
impl WideWindow<'_> {
    /// Where pixel `first` starts, and the rest; `None` where there are no four pixels or too few weights.
    pub(crate) fn job(&self, first: usize, weights: &[i8]) -> Option<(*const i16, Job)> {
        let Self { values, lanes, run, step, .. } = *self;
        let ends = lanes.as_ptr_range();
        let job = Job { lanes: ends.start, end: ends.end, run, pixel: 2 * step };
        let holds = first.saturating_add(PIXELS) <= self.count && weights.len() >= self.depth;
        holds.then(|| (values.as_ptr().wrapping_add(first * step), job))
    }
}

/// Pixels to make, of which source or result are int16 codes; the sums are those of [`Row`](super::Row).
#[derive(Debug)]
pub(crate) struct Products<'a> {
    pub(crate) source: Codes<'a>,
    /// For each lane the byte that pixel 0 reads first.
    pub(crate) lanes: &'a [u32],
    pub(crate) run: usize,
    /// Values from one pixel to the next.
    pub(crate) step: usize,
    pub(crate) weights: &'a [i8],
    /// Whether each channel has its own input channel; then weights are `[lane][channel]`, else `[channel][lane][run]`.
    pub(crate) depthwise: bool,
    pub(crate) channels: Channels<'a>,
    pub(crate) target: Target<'a>,
    pub(crate) pixels: &'a mut [i8],
    /// Bytes from one pixel to the next.
    pub(crate) stride: usize,
}

/// Makes them.
pub(crate) fn products<K: Kernel>(kernel: Option<K>, products: &mut Products<'_>) {
    let Products { source, lanes, run, step, depthwise, .. } = *products;
    let count = products.count();
    // One pixel alone would be made four times.
    let kernel = kernel.filter(|_| source.wide && !depthwise && count > 1);
    let window =
        kernel.and_then(|kernel| Some((kernel, WideWindow::new::<K>(source.words(), lanes, [run, step], count)?)));
    match window {
        Some((kernel, window)) => windows(kernel, &window, products),
        None => others(products),
    }
}

/// Those that a kernel makes.
///
/// ```text
/// for each four pixels, each channel
///     sums = bias
///     for each lane, each value of its run:  sums[pixel] += value · weight
///     pixels = target(sums)
/// ```
#[inline(never)]
fn windows<K: Kernel>(kernel: K, window: &WideWindow<'_>, products: &mut Products<'_>) {
    let count = products.count();
    let Products { weights, channels, target, ref mut pixels, stride, .. } = *products;
    let mut row = match target {
        Target::Int8(output) => Row::Int8(pixels, output, stride),
        Target::Int16(output) => {
            Row::Int16(bytemuck::try_cast_slice_mut(pixels).unwrap_or_default(), output, stride / 2)
        }
    };
    for first in (0..window.count).step_by(PIXELS) {
        let matrix = weights.chunks_exact(window.depth.max(1));
        for (channel, (weights, (&bias, &multiplier))) in
            matrix.zip(channels.bias.iter().zip(channels.multiplier)).enumerate()
        {
            let mut sums = [bias; PIXELS];
            kernel.wide_products(window, first, weights, &mut sums);
            let sums = sums.get(..count - first).unwrap_or(&sums);
            row.put(first, channel, sums, multiplier);
        }
    }
}

/// Those of int8 codes, of depthwise convolutions and of single pixels.
#[inline(never)]
fn others(products: &mut Products<'_>) {
    let count = products.count();
    let Products { source, lanes, run, step, weights, depthwise, channels, target, ref mut pixels, stride } = *products;
    let (bytes, depth) = (target.code_bytes(), lanes.len() * run);
    for pixel in 0..count {
        for (channel, (&bias, &multiplier)) in channels.bias.iter().zip(channels.multiplier).enumerate() {
            let mut sum = bias;
            for (lane, &byte) in lanes.iter().enumerate() {
                let from = Codes { bytes: source.bytes.get(byte as usize..).unwrap_or(&[]), ..source };
                // One value of a depthwise convolution, else a run.
                let (start, place, count) = if depthwise {
                    (pixel * step + channel, lane * run + channel, 1)
                } else {
                    (pixel * step, channel * depth + lane * run, run)
                };
                let from = from.from(start);
                for (index, &weight) in weights.get(place..).unwrap_or(&[]).iter().enumerate().take(count) {
                    sum = sum.wrapping_add(from.code(index).wrapping_mul(weight.into()));
                }
            }
            let to = pixels.get_mut(pixel * stride + channel * bytes..).unwrap_or_default();
            target.write(sum, multiplier, to);
        }
    }
}

impl Products<'_> {
    /// Pixels that fit. The last one may lack what lies between it and the next.
    fn count(&self) -> usize {
        let pixel = (self.channels.bias.len() * self.target.code_bytes()).max(1);
        (self.pixels.len() + self.stride).saturating_sub(pixel).checked_div(self.stride).unwrap_or(0)
    }
}

/// Where codes of either width go, how they are made, and how many lie from one pixel to the next.
enum Row<'a> {
    Int8(&'a mut [i8], Output<'a>, usize),
    Int16(&'a mut [i16], WideOutput<'a>, usize),
}

impl Row<'_> {
    /// Makes sums of a channel into codes of the pixels from `first` on.
    #[inline(always)]
    fn put(&mut self, first: usize, channel: usize, sums: &[i32], multiplier: i32) {
        match self {
            Self::Int8(row, output, step) => {
                put_apart(row, first * *step + channel, *step, sums, |sum| output.finish(sum, multiplier));
            }
            Self::Int16(row, output, step) => {
                put_apart(row, first * *step + channel, *step, sums, |sum| output.finish(sum, multiplier));
            }
        }
    }
}

/// Makes sums into codes that lie `step` apart from `place` on.
#[inline(always)]
fn put_apart<T>(row: &mut [T], mut place: usize, step: usize, sums: &[i32], code: impl Fn(i32) -> T) {
    for &sum in sums {
        if let Some(to) = row.get_mut(place) {
            *to = code(sum);
        }
        place += step;
    }
}

/// [`Kernel::wide_products`] in plain Rust.
pub(crate) fn add_products(window: &WideWindow<'_>, first: usize, weights: &[i8], sums: &mut [i32; PIXELS]) {
    let WideWindow { values, lanes, run, step, .. } = *window;
    for (&lane, weights) in lanes.iter().zip(weights.chunks_exact(run.max(1))) {
        let start = lane as usize / 2 + first * step;
        for (pixel, sum) in sums.iter_mut().enumerate() {
            let values = values.get(start + pixel * step..).unwrap_or(&[]);
            for (&value, &weight) in values.iter().zip(weights) {
                *sum = sum.wrapping_add(i32::from(value) * i32::from(weight));
            }
        }
    }
}

/// Two operands, see [`Pair`](super::Pair); either may stand for all columns or all channels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Operand<'a> {
    pub(crate) codes: Codes<'a>,
    /// Codes from one pixel to the next, 0 where one stands for all.
    pub(crate) pixel: usize,
    /// Codes from one channel to the next, 0 where one stands for all.
    pub(crate) channel: usize,
    /// Factor of a sum, zero point of a product.
    pub(crate) factor: i32,
}

/// Makes a row of sums or products of two. The last eight bits of a sum, and of a product of two int16 codes, are
/// rounded away, so that there is room for the bias.
#[inline(never)]
pub(crate) fn join(
    [a, b]: [Operand<'_>; 2],
    multiply: bool,
    channels: &Channels<'_>,
    target: &Target<'_>,
    row: &mut [i8],
) {
    let bytes = target.code_bytes();
    let shorter = if multiply { a.codes.wide && b.codes.wide } else { a.codes.wide || b.codes.wide };
    for (x, pixel) in row.chunks_exact_mut((channels.bias.len() * bytes).max(1)).enumerate() {
        for (tile, to) in pixel.chunks_mut(TILE * bytes).enumerate() {
            let first = tile * TILE;
            let part = channels.part(first, to.len() / bytes);
            let mut sums = [0i32; TILE];
            for (channel, (sum, &bias)) in sums.iter_mut().zip(part.bias).enumerate() {
                let [x, y] = [a, b].map(|from| from.codes.code(x * from.pixel + (first + channel) * from.channel));
                let joined = if multiply {
                    x.wrapping_sub(a.factor).wrapping_mul(y.wrapping_sub(b.factor))
                } else {
                    x.wrapping_mul(a.factor).wrapping_add(y.wrapping_mul(b.factor))
                };
                let joined = if shorter { joined.wrapping_add(1 << 7) >> 8 } else { joined };
                *sum = joined.wrapping_add(bias);
            }
            target.finish(sums.get(..part.bias.len()).unwrap_or(&[]), &part, to);
        }
    }
}
