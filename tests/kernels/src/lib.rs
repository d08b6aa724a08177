//! Compares a kernel with the naive definition of [`Row`], on any target: no allocator, no output.
//!
//! Every depth from 0 to 67 is met with every remainder of the pixel and channel blocking, at every alignment of input and
//! output, with clamps and with tables, in one lane and in several, and far beyond the blocking's largest depth and channels.

#![no_std]

use edgegen_runtime::fixed::{LEAST_CODE, Output};
use edgegen_runtime::kernels::wide::{self, WideWindow};
use edgegen_runtime::kernels::{Channels, Kernel, Pair, Row, Window};
use edgegen_runtime::packing::{Matrix, Packing};

/// Values that all pixels read at most.
const INPUTS: usize = 4 * 1024;
/// Bytes of a packed matrix at most.
const WEIGHTS: usize = 24 * 1024;
/// Channels at most.
const CHANNELS: usize = 150;
/// Values of the output at most, with what lies around them.
const PIXELS: usize = 2 * 1024;
/// Surroundings of the output that must stay as they are.
const FENCE: usize = 16;

/// One case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// Convolution or fully connected.
    pub vector: bool,
    /// Number of lanes.
    pub lanes: usize,
    /// Values of a lane.
    pub run: usize,
    /// Values from pixel to pixel.
    pub step: usize,
    /// Pixels.
    pub pixels: usize,
    /// Channels.
    pub channels: usize,
    /// Values between the pixels of the output.
    pub gap: usize,
    /// Misalignment of input and output in bytes.
    pub shift: usize,
    /// Whether the output goes through a table.
    pub table: bool,
    /// Whether weights and values are the largest there are.
    pub extreme: bool,
}

/// A case in which a kernel gave another value than the definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The case.
    pub case: Case,
    /// Index in the output; beyond the pixels where the kernel wrote beside them.
    pub index: usize,
    /// What the definition gives.
    pub expected: i8,
    /// What the kernel gave.
    pub found: i8,
}

/// Memory for [`check`]: 33 KiB and `SCRATCH` words of working memory for the kernel, a static in firmware.
#[derive(Debug)]
pub struct Workbench<const SCRATCH: usize> {
    inputs: [i8; INPUTS],
    packed: [i8; WEIGHTS],
    bias: [i32; CHANNELS],
    multiplier: [i32; CHANNELS],
    table: [i8; 256],
    pixels: [i8; PIXELS],
    scratch: [i32; SCRATCH],
}

impl<const SCRATCH: usize> Workbench<SCRATCH> {
    /// Zeros.
    pub const fn new() -> Self {
        Self {
            inputs: [0; INPUTS],
            packed: [0; WEIGHTS],
            bias: [0; CHANNELS],
            multiplier: [0; CHANNELS],
            table: [0; 256],
            pixels: [0; PIXELS],
            scratch: [0; SCRATCH],
        }
    }
}

impl<const SCRATCH: usize> Default for Workbench<SCRATCH> {
    fn default() -> Self {
        Self::new()
    }
}

/// Runs a kernel on all cases; gives their number, or the first difference.
///
/// # Errors
///
/// The first difference from the definition.
pub fn check<K: Kernel, const SCRATCH: usize>(kernel: K, bench: &mut Workbench<SCRATCH>) -> Result<u32, Difference> {
    let mut random = Random(1);
    let mut count = 0;
    let mut visit = |case: Case| -> Result<(), Difference> {
        count += 1;
        run_case(kernel, bench, &mut random, case)
    };
    // Every depth, with remainders that change at different paces.
    for run in 0..=67 {
        for variant in 0..6 {
            let case = Case {
                vector: false,
                lanes: 1 + variant % 3,
                run,
                step: [run, 1 + run % 5, 2 * run][variant % 3].max(1),
                pixels: 1 + (run + 2 * variant) % 13,
                channels: 1 + (run * 7 + variant * 3) % 19,
                gap: variant % 4,
                shift: (run + variant) % 16,
                table: variant % 2 == 1,
                extreme: variant == 5,
            };
            visit(case)?;
            visit(Case { vector: true, lanes: 1, pixels: 1, step: 0, channels: 1 + (run * 5 + variant) % 23, ..case })?;
        }
    }
    // Every remainder of pixels and channels at the depths of real layers.
    for (run, lanes) in [(32, 2), (48, 3), (4, 3)] {
        for pixels in 1..=17 {
            for channels in [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 33] {
                let shift = 4 * ((pixels + channels) % 4);
                let case = Case {
                    vector: false,
                    lanes,
                    run,
                    step: run / 2,
                    pixels,
                    channels,
                    gap: channels * (pixels % 2),
                    shift,
                    table: pixels % 3 == 0,
                    extreme: false,
                };
                visit(case)?;
            }
        }
    }
    // Sums and multipliers of all sizes: without inputs, a sum is its bias.
    for round in 0..100 {
        let case = Case {
            vector: false,
            lanes: 1,
            run: 0,
            step: 1,
            pixels: 1 + round % 5,
            channels: 30,
            gap: 0,
            shift: 0,
            table: round % 4 == 3,
            extreme: false,
        };
        visit(case)?;
        visit(Case { vector: true, pixels: 1, step: 0, ..case })?;
    }
    // More than one piece of the depth, more than one tile of channels.
    for (run, lanes, channels) in [(256, 2, 9), (257, 2, 5), (130, 1, 129), (96, 3, 67), (1100, 1, 6), (16, 25, 3)] {
        for extreme in [false, true] {
            let case = Case {
                vector: false,
                lanes,
                run,
                step: run / 4,
                pixels: 5,
                channels,
                gap: 1,
                shift: 0,
                table: extreme,
                extreme: extreme && lanes * run <= 512,
            };
            visit(case)?;
            let depth = lanes * run;
            visit(Case { vector: true, lanes: 1, run: depth, pixels: 1, step: 0, ..case })?;
        }
    }
    Ok(count + check_simple(kernel, bench, &mut random)?)
}

/// int16 codes where a kernel may ask for them.
#[repr(align(4))]
struct Words([i16; 1024]);

/// What is not a matrix, in many lengths, steps and alignments.
fn check_simple<K: Kernel, const SCRATCH: usize>(
    kernel: K,
    bench: &mut Workbench<SCRATCH>,
    random: &mut Random,
) -> Result<u32, Difference> {
    let Workbench { inputs, packed, bias, multiplier, table, pixels, scratch } = bench;
    let mut count = 0;
    for length in 1..=67 {
        for variant in 0..4 {
            count += 1;
            let shift = (length + variant) % 5;
            inputs.fill_with(|| random.code());
            packed.iter_mut().take(INPUTS).for_each(|weight| *weight = random.code());
            bias.fill_with(|| random.next() as i32 >> 12);
            multiplier.fill_with(|| random.next() as i32 & 0x7FFF_FFFF >> (6 + random.below(10)));
            table.fill_with(|| random.next() as i8);
            let whole = variant % 2 == 1;
            let table = &*table;
            let output = Output {
                zero_point: random.code() / 4,
                low: if whole { i8::MIN } else { -100 },
                high: if whole { i8::MAX } else { 90 },
                table: whole.then_some(table),
            };
            let case = Case {
                vector: false,
                lanes: 0,
                run: length,
                step: 0,
                pixels: 1,
                channels: length,
                gap: 0,
                shift,
                table: whole,
                extreme: false,
            };
            let channels = Channels { bias: &bias[..length], multiplier: &multiplier[..length], output };
            let finished = |sum: i64, channel: usize| output.finish(sum as i32, channels.multiplier[channel]);
            let compare = |step: usize, pixels: &mut [i8], expected: &dyn Fn(usize) -> i8| {
                for (index, &found) in pixels.iter().enumerate() {
                    let inside = (FENCE..pixels.len() - FENCE).contains(&index);
                    let expected = if inside { expected(index - FENCE) } else { 77 };
                    if found != expected {
                        let case = Case { step, ..case };
                        return Err(Difference { case, index: index.wrapping_sub(FENCE), expected, found });
                    }
                }
                pixels.fill(77);
                Ok(())
            };
            // Steps tell what failed: 1 to 7.
            let room = &mut pixels[..length + 2 * FENCE];
            room.fill(77);
            kernel.look_up(table, &inputs[shift..shift + length], &mut room[FENCE..FENCE + length]);
            compare(1, room, &|index| table[(i16::from(inputs[shift + index]) + 128) as usize])?;

            let mut sums = [0; CHANNELS];
            sums.fill_with(|| random.size());
            kernel.finish(&sums[..length], &channels, &mut room[FENCE..FENCE + length]);
            compare(2, room, &|index| finished(sums[index].into(), index))?;

            // Pixels of each operand, or one for all; in half of the cases all channels are rounded alike.
            let alike = [[bias[0]; CHANNELS], [multiplier[0]; CHANNELS]];
            let [biases, multipliers] =
                if length / 4 % 2 == 0 { [&alike[0], &alike[1]] } else { [&*bias, &*multiplier] };
            let multiply = length % 2 == 0;
            let factors = if multiply { [3, -9] } else { [(1 << 14) - 1, -(1 << 14)] };
            let (a, b) = (&inputs[shift..], &packed[..INPUTS]);
            let mut join = |step, count, steps: [usize; 2], multipliers: &[i32]| {
                let [a_len, b_len] = steps.map(|step| (count - 1) * step + length);
                let pair = Pair { a: &a[..a_len], b: &b[..b_len], steps, multiply, factors };
                let room = &mut pixels[..count * length + 2 * FENCE];
                room.fill(77);
                let parameters = Channels { bias: &biases[..length], multiplier: &multipliers[..length], output };
                kernel.join(&pair, &parameters, &mut room[FENCE..FENCE + count * length]);
                compare(step, room, &|index| {
                    let (pixel, channel) = (index / length, index % length);
                    let (x, y) = (i64::from(a[pixel * steps[0] + channel]), i64::from(b[pixel * steps[1] + channel]));
                    let [p, q] = factors.map(i64::from);
                    let value = if multiply { (x - p) * (y - q) } else { p * x + q * y };
                    output.finish((value + i64::from(biases[channel])) as i32, multipliers[channel])
                })
            };
            let steps = [[length, length], [length, 0], [0, length + 3], [length + 1, length]][variant];
            join(3, 2 + length % 4, steps, multipliers)?;
            // Rows, with multipliers as real maps have them; half of them round many a sum that lies in the middle.
            let mut scales = [0; CHANNELS];
            scales.fill_with(|| match random.below(2) {
                0 => 1 << (10 + random.below(11)),
                _ => (random.next() as i32 & 0x7FFF_FFFF) >> (11 + random.below(8)),
            });
            if variant == 3 || length / 4 % 2 == 0 {
                scales = [scales[0]; CHANNELS];
            }
            let steps = [[length, length], [length, 0], [0, length], [length, length]][variant];
            join(7, 5 + (length + variant) % 13, steps, &scales)?;

            // Few and many pixels, with and without anything between them.
            let (step, square) = (length + variant % 2, variant >= 2);
            let count = 1 + (length * 3 + variant) % ((INPUTS - shift - length) / step).min(700);
            let values = &inputs[shift..shift + (count - 1) * step + length];
            let mut sums = [5; CHANNELS];
            kernel.add(values, step, -7, square, &mut sums[..length]);
            let room = &mut pixels[..length + 2 * FENCE];
            room[FENCE..FENCE + length]
                .iter_mut()
                .zip(&sums)
                .for_each(|(to, &sum)| *to = (sum ^ sum >> 8 ^ sum >> 16) as i8);
            compare(4, room, &|channel| {
                let terms = (0..count).map(|pixel| i32::from(values[pixel * step + channel]) + 7);
                let sum = 5 + terms.map(|term| if square { term * term } else { term }).sum::<i32>();
                (sum ^ sum >> 8 ^ sum >> 16) as i8
            })?;

            // Depthwise: lanes for taps, pixels overlapping, odd and even numbers of both.
            let lanes: [u32; 9] = core::array::from_fn(|lane| (lane * 70 + variant) as u32);
            let lanes = &lanes[..1 + (length + variant) % 9];
            let (weights, stride) = (&packed[..lanes.len() * length], length + variant);
            let len = (length / 3 + variant) % 4 * stride + length;
            let room = &mut pixels[..len + 2 * FENCE];
            room.fill(77);
            kernel.channels(&mut Row {
                window: Window { values: &*inputs, lanes, run: length, step: length + 2 },
                weights,
                channels,
                pixels: &mut room[FENCE..FENCE + len],
                stride,
                scratch: &mut scratch[..K::PACKING.scratch_bytes(Matrix::Channels, length, lanes.len()) / 4],
            });
            compare(5, room, &|index| {
                let (pixel, channel) = (index / stride, index % stride);
                if channel >= length {
                    return 77;
                }
                let products = lanes.iter().enumerate().map(|(lane, &start)| {
                    let value = inputs[start as usize + pixel * (length + 2) + channel];
                    i64::from(value) * i64::from(weights[lane * length + channel])
                });
                finished(i64::from(channels.bias[channel]) + products.sum::<i64>(), channel)
            })?;

            // int16 codes, with lanes at even bytes or at multiples of 4.
            let unit = if K::WIDE_ALIGNED { 2 } else { 1 };
            let words = Words(core::array::from_fn(|_| random.next() as i16));
            let values = &words.0[..];
            let lanes: [u32; 4] = core::array::from_fn(|lane| (2 * unit * (lane * 41 + variant)) as u32);
            let lanes = &lanes[..1 + (length + variant) % 4];
            let (step, first) = (unit * (1 + length / 2), variant);
            let window = WideWindow::new::<K>(values, lanes, [length, step], first + wide::PIXELS);
            let window = window.expect("all of it is there");
            assert!(WideWindow::new::<K>(values, lanes, [length, step], values.len() / step + 1).is_none());
            let weights = &packed[..lanes.len() * length];
            let mut sums: [i32; wide::PIXELS] = core::array::from_fn(|pixel| bias[pixel]);
            kernel.wide_products(&window, first, weights, &mut sums);
            let room = &mut pixels[..4 * wide::PIXELS + 2 * FENCE];
            room.fill(77);
            let found = sums.iter().flat_map(|sum| sum.to_le_bytes());
            room[FENCE..].iter_mut().zip(found).for_each(|(to, byte)| *to = byte as i8);
            compare(6, room, &|index| {
                let pixel = index / 4;
                let products = lanes.iter().zip(weights.chunks_exact(length)).flat_map(|(&lane, weights)| {
                    let start = lane as usize / 2 + (first + pixel) * step;
                    weights.iter().enumerate().map(move |(i, &weight)| i32::from(values[start + i]) * i32::from(weight))
                });
                products.fold(bias[pixel], i32::wrapping_add).to_le_bytes()[index % 4] as i8
            })?;
        }
    }
    Ok(count)
}

fn run_case<K: Kernel, const SCRATCH: usize>(
    kernel: K,
    bench: &mut Workbench<SCRATCH>,
    random: &mut Random,
    case: Case,
) -> Result<(), Difference> {
    let Case { vector, lanes, run, step, pixels, channels, gap, shift, table, extreme } = case;
    let depth = lanes * run;
    bench.inputs.fill_with(|| if extreme { [127, LEAST_CODE][random.below(8) / 7] } else { random.code() });
    // Not stored: a matrix and its packing together would not fit a small chip.
    let seed = random.next();
    let weight = |channel: usize, index: usize| {
        let place = (channel * 4099 + index) as u64;
        if extreme { 127 } else { Random(u64::from(seed) ^ place << 24).code() }
    };
    for (bias, multiplier) in bench.bias.iter_mut().zip(&mut bench.multiplier) {
        if depth == 0 {
            // Models for the DSP kernel have sums of 24 bits.
            *bias = random.size() >> if K::PACKING == Packing::Dsp { 8 } else { 0 };
            *multiplier = random.size() & i32::MAX;
            continue;
        }
        *bias = random.next() as i32 >> 16;
        // Sums come out a few times the size of a code, so that some are clamped.
        *multiplier =
            random.next() as i32 & 0x7FFF_FFFF >> if extreme { 14 } else { 8 + (depth as u32).ilog2_or_zero() };
    }
    bench.table.fill_with(|| random.next() as i8);
    bench.scratch.fill(0x55AA_7F80_u32 as i32);

    let matrix = if vector { Matrix::Vector } else { Matrix::Windows };
    let packed_len = K::PACKING.matrix_bytes(matrix, channels, depth) as usize;
    let mut at = 0;
    K::PACKING.pack(matrix, weight, channels, depth, |weight| {
        bench.packed[at] = weight;
        at += 1;
    });
    assert_eq!(at, packed_len);

    // Lanes overlap, as the rows of a ring do not, but kernels only read.
    let starts: [u32; 32] = core::array::from_fn(|lane| lane as u32 * 64);
    let values = &bench.inputs[shift..shift + starts[lanes - 1] as usize + (pixels - 1) * step + run];
    let low = if table { i8::MIN } else { [LEAST_CODE, 0, -30][random.below(3)] };
    let high = if table { i8::MAX } else { [127, 100][random.below(2)] };
    let output = Output { zero_point: random.code() / 4, low, high, table: table.then_some(&bench.table) };
    let stride = channels + gap;
    let len = (pixels - 1) * stride + channels;
    let from = FENCE + shift;
    let scratch = K::PACKING.scratch_bytes(matrix, channels, depth) / 4;
    bench.pixels.fill(77);
    let row = &mut Row {
        window: Window { values, lanes: &starts[..lanes], run, step },
        weights: &bench.packed[..packed_len],
        channels: Channels { bias: &bench.bias[..channels], multiplier: &bench.multiplier[..channels], output },
        pixels: &mut bench.pixels[from..from + len],
        stride,
        scratch: &mut bench.scratch[..scratch],
    };
    if vector {
        kernel.vector(row)
    } else {
        kernel.windows(row)
    }

    for (index, &found) in bench.pixels[..from + len + FENCE].iter().enumerate() {
        let expected = match index.checked_sub(from) {
            Some(inside) if inside < len && inside % stride < channels => {
                let (pixel, channel) = (inside / stride, inside % stride);
                let mut sum = i64::from(bench.bias[channel]);
                for (lane, start) in starts[..lanes].iter().enumerate() {
                    for i in 0..run {
                        let weight = weight(channel, lane * run + i);
                        sum += i64::from(values[*start as usize + pixel * step + i]) * i64::from(weight);
                    }
                }
                let rounded = (sum * i64::from(bench.multiplier[channel]) + (1 << 31)) >> 32;
                let code = (rounded + i64::from(output.zero_point)).clamp(i64::from(low), i64::from(high));
                if table { bench.table[(code + 128) as usize] } else { code as i8 }
            }
            _ => 77,
        };
        if found != expected {
            return Err(Difference { case, index: index.wrapping_sub(from), expected, found });
        }
    }
    Ok(())
}

/// The packing that a kernel is checked with, for a report.
pub fn packing<K: Kernel>(_: K) -> Packing {
    K::PACKING
}

trait Ilog2 {
    fn ilog2_or_zero(self) -> u32;
}

impl Ilog2 for u32 {
    fn ilog2_or_zero(self) -> u32 {
        self.checked_ilog2().unwrap_or(0)
    }
}

/// A linear congruential generator (Knuth's MMIX), high half.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 32) as u32
    }

    fn below(&mut self, limit: usize) -> usize {
        self.next() as usize % limit
    }

    /// Of every size; near a power of two often.
    fn size(&mut self) -> i32 {
        let (bits, shift) = (self.next(), self.below(32));
        match bits % 4 {
            0 => (1_i32 << shift).wrapping_sub(1 + (bits >> 2 & 1) as i32),
            1 => (-1_i32 << shift).wrapping_add((bits >> 2 & 1) as i32),
            _ => bits as i32 >> shift,
        }
    }

    /// −127 … 127, ends and zero often.
    fn code(&mut self) -> i8 {
        let bits = self.next();
        match bits % 16 {
            0 => 127,
            1 => LEAST_CODE,
            2 => 0,
            _ => ((bits >> 8) as i8).max(LEAST_CODE),
        }
    }
}
