//! Every packing, read by a tile in plain Rust: the driver of blocked kernels, the order of weights and the planned memory
//! are right before any instruction set comes in.

use std::io::Write;

use edgegen_export::function::Function;
use edgegen_export::layers::{LatentInput, Layer, Network, PixelRange};
use edgegen_export::{Label, ModelFile, cost, export, export_as, native, reference, repack};
use edgegen_kernel_check::{Workbench, check};
use edgegen_runtime::fixed::Output;
use edgegen_runtime::graph::{Prior, Shape, Width};
use edgegen_runtime::kernels::blocked::{self, Tile};
use edgegen_runtime::kernels::{Channels, Kernel, Native, Row, Window, scalar::Scalar};
use edgegen_runtime::packing::{Blocking, Matrix, Packing};
use edgegen_runtime::{Generator, GeneratorError, Model, ParseError, Point};
use edgegen_tests::{Values, cases, codes, network, plan};
use proptest::prelude::*;

/// Reads the packing with this code.
#[derive(Clone, Copy, Debug)]
struct Plain<const CODE: u16>;

impl<const CODE: u16> Kernel for Plain<CODE> {
    const NAME: &'static str = "plain";
    const PACKING: Packing = packing(CODE);

    fn available() -> Option<Self> {
        Some(Self)
    }

    fn windows(self, row: &mut Row<'_>) {
        match row.channels.bias.len() {
            1 if Self::PACKING == Packing::X86 => blocked::run(PlainTile::<CODE, false, 1>, row),
            2 if Self::PACKING == Packing::X86 => blocked::run(PlainTile::<CODE, false, 2>, row),
            3 | 4 if Self::PACKING == Packing::X86 => blocked::run(PlainTile::<CODE, false, 4>, row),
            _ => blocked::run(PlainTile::<CODE, false>, row),
        }
    }

    fn vector(self, row: &mut Row<'_>) {
        blocked::run(PlainTile::<CODE, true>, row);
    }
}

const fn packing(code: u16) -> Packing {
    Packing::ALL[code as usize]
}

/// `INTERLEAVE` is that of the blocking if it is 0.
#[derive(Clone, Copy, Debug)]
struct PlainTile<const CODE: u16, const VECTOR: bool, const INTERLEAVE: usize = 0>;

impl<const CODE: u16, const VECTOR: bool, const INTERLEAVE: usize> Tile for PlainTile<CODE, VECTOR, INTERLEAVE> {
    const BLOCKING: Blocking = match packing(CODE).blocking(if VECTOR { Matrix::Vector } else { Matrix::Windows }) {
        Some(blocking) if INTERLEAVE == 0 => blocking,
        Some(blocking) => Blocking { interleave: INTERLEAVE, ..blocking },
        None => panic!("the portable packing is not blocked"),
    };

    fn start(self, bias: &[i32], sums: &mut [i32]) {
        for (channel, &bias) in bias.iter().enumerate() {
            sums[channel * Self::BLOCKING.pixels..][..Self::BLOCKING.pixels].fill(bias);
        }
    }

    /// One byte a value, pixel after pixel.
    fn gather(self, values: &[i8], step: usize, pixels: usize, len: usize, at: usize, strip: &mut [i32]) {
        let room = 4 * strip.len() / Self::BLOCKING.pixels;
        for pixel in 0..pixels {
            for i in 0..len {
                let byte = pixel * room + at + i;
                let shift = byte % 4 * 8;
                let value = (values[pixel * step + i] as u8 as i32) << shift;
                strip[byte / 4] = strip[byte / 4] & !(0xFF << shift) | value;
            }
        }
    }

    fn multiply(
        self,
        strip: &[i32],
        weights: &[i8],
        next: usize,
        depth: usize,
        channels: usize,
        _: usize,
        sums: &mut [i32],
    ) {
        let Blocking { interleave, group, pixels, .. } = Self::BLOCKING;
        let room = 4 * strip.len() / pixels;
        for channel in 0..channels {
            let tile = &weights[channel / interleave * next..];
            let packed = |index: usize| {
                let (channel, within) = (channel % interleave, index % group);
                let place = match (packing(CODE), VECTOR) {
                    (Packing::Armv6m, false) => within % 8 * 8 + within / 8 * 4 + channel,
                    (Packing::Armv6m, true) => within * 4 + channel,
                    _ => channel * group + within,
                };
                tile[index / group * group * interleave + place]
            };
            for index in 0..depth {
                let borrowed = packing(CODE) == Packing::Dsp && index % 2 == 1 && packed(index - 1) < 0;
                let unsigned = packing(CODE) == Packing::Armv6m && VECTOR && channel % 4 < 3;
                let weight = i32::from(packed(index) ^ if unsigned { i8::MIN } else { 0 }) + i32::from(borrowed);
                for pixel in 0..pixels {
                    let byte = pixel * room + index;
                    let value = (strip[byte / 4] >> (byte % 4 * 8)) as i8;
                    sums[channel * pixels + pixel] += weight * i32::from(value);
                }
            }
        }
    }

    fn finish(
        self,
        sums: &[i32],
        multiplier: &[i32],
        output: &Output<'_>,
        to: &mut [i8],
        pixels: usize,
        stride: usize,
    ) {
        for (channel, &multiplier) in multiplier.iter().enumerate() {
            for pixel in 0..pixels {
                to[pixel * stride + channel] = output.finish(sums[channel * Self::BLOCKING.pixels + pixel], multiplier);
            }
        }
    }
}

fn checked<K: Kernel>(kernel: K) {
    let mut bench = Box::new(Workbench::<32768>::new());
    let cases = check(kernel, &mut bench).unwrap_or_else(|difference| panic!("{}: {difference:?}", K::NAME));
    assert!(cases > 1000);
}

#[test]
fn the_reference_follows_the_definition() {
    checked(Scalar);
}

#[test]
fn blocked_kernels_follow_the_definition() {
    checked(Plain::<1>);
    checked(Plain::<2>);
    checked(Plain::<3>);
    checked(Plain::<4>);
    checked(Plain::<5>);
}

/// Calls a function of a kernel with each kernel of the host that this CPU has.
macro_rules! with_host_kernels {
    ($function:ident($($argument:expr),*)) => {{
        with_host_kernels!(@ Native, $function($($argument),*));
        #[cfg(target_arch = "x86_64")]
        {
            with_host_kernels!(@ edgegen_runtime::kernels::x86::Avx2, $function($($argument),*));
            with_host_kernels!(@ edgegen_runtime::kernels::x86::Vnni, $function($($argument),*));
            if let Some(kernel) = edgegen_runtime::kernels::x86::Vnni::available() {
                $function(kernel.without_vbmi() $(, $argument)*);
            }
        }
    }};
    (@ $kernel:ty, $function:ident($($argument:expr),*)) => {
        match <$kernel>::available() {
            Some(kernel) => $function(kernel $(, $argument)*),
            // Not by `eprintln!`, which libtest takes for output of the test: that of a passing test is not shown.
            None => writeln!(std::io::stderr(), "skipped the kernel {}: this CPU lacks it", <$kernel>::NAME).unwrap(),
        }
    };
}

#[test]
fn kernels_of_the_host_follow_the_definition() {
    with_host_kernels!(checked());
}

/// Runs a kernel with every slice in an allocation of its own and exactly as long as need be, then with each of them a
/// value too short. AddressSanitizer sees what is read or written beyond them.
fn confined<K: Kernel>(kernel: K) {
    let mut values = Values(5);
    let mut codes = |count: usize| -> Vec<i8> { values.take(count).iter().map(|v| (v * 127.0) as i8).collect() };
    for (matrix, run, step, pixels, channels) in [
        (Matrix::Windows, 32, 32, 5, 19),
        (Matrix::Windows, 32, 16, 29, 33),
        (Matrix::Windows, 16, 16, 17, 3),
        (Matrix::Windows, 48, 16, 33, 3),
        (Matrix::Windows, 24, 12, 9, 2),
        (Matrix::Windows, 20, 8, 18, 4),
        (Matrix::Windows, 32, 16, 14, 1),
        (Matrix::Windows, 80, 40, 14, 1),
        (Matrix::Windows, 64, 64, 33, 1),
        (Matrix::Windows, 9, 9, 9, 33),
        (Matrix::Windows, 9, 3, 21, 1),
        (Matrix::Vector, 64, 64, 1, 70),
        (Matrix::Vector, 10, 10, 1, 1),
        (Matrix::Vector, 300, 300, 1, 150),
    ] {
        let reach = (pixels - 1) * step + run;
        let lanes = [0, reach as u32];
        let values = codes(lanes.len() * reach);
        let depth = lanes.len() * run;
        let plain = codes(channels * depth);
        let mut packed = Vec::new();
        K::PACKING.pack(matrix, |c, i| plain[c * depth + i], channels, depth, |weight| packed.push(weight));
        let scratch = K::PACKING.scratch_bytes(matrix, channels, depth) / 4;
        let len = pixels * channels;
        let draw = |packing: Packing, lengths: [usize; 7]| {
            let weights = if packing == Packing::Portable { &plain } else { &packed };
            let weights = weights[..lengths[0].min(weights.len())].to_vec();
            let values = values[..lengths[1]].to_vec();
            let (bias, multiplier) = (vec![1000; lengths[2]], vec![1 << 16; lengths[3]]);
            let (mut pixels, mut scratch) = (vec![0; lengths[4]], vec![0; lengths[5]]);
            let row = &mut Row {
                window: Window { values: &values, lanes: &lanes, run, step },
                weights: &weights,
                channels: Channels {
                    bias: &bias,
                    multiplier: &multiplier,
                    output: Output { zero_point: 3, low: -127, high: 127, table: None },
                },
                pixels: &mut pixels,
                stride: lengths[6],
                scratch: &mut scratch,
            };
            match (packing, matrix) {
                (Packing::Portable, _) => Scalar.windows(row),
                (_, Matrix::Windows) => kernel.windows(row),
                (_, Matrix::Vector) => kernel.vector(row),
                (_, Matrix::Channels) => kernel.channels(row),
                (_, Matrix::Wide) => unreachable!("rows of int8 codes"),
            }
            pixels
        };
        let lengths = [packed.len().max(plain.len()), values.len(), channels, channels, len, scratch, channels];
        assert_eq!(draw(K::PACKING, lengths), draw(Packing::Portable, lengths), "{} {matrix:?} {run}", K::NAME);
        for short in 0..lengths.len() {
            let mut lengths = lengths;
            lengths[0] = packed.len();
            lengths[short] = lengths[short].saturating_sub(1);
            draw(K::PACKING, lengths);
        }
    }
}

#[test]
fn kernels_of_the_host_stay_within_their_slices() {
    with_host_kernels!(confined());
}

/// The image of a repacked model in exactly the planned memory, at an odd address.
fn image<K: Kernel>(file: &ModelFile, kernel: K, latent: &[i8]) -> Vec<u8> {
    let file = repack(file, K::PACKING).unwrap();
    let model = Model::parse_for(file.bytes(), Some(kernel)).unwrap();
    let mut arena = vec![85; model.arena_bytes() + 1];
    let mut generator = Generator::with_kernel(&model, &mut arena[1..], kernel).unwrap();
    let mut rows = generator.decode(latent);
    let mut image = Vec::new();
    while let Some(row) = rows.next_row() {
        image.extend_from_slice(row);
    }
    image
}

fn draws<K: Kernel>(kernel: K, file: &ModelFile, latent: &[i8], expected: &[u8]) {
    assert_eq!(image(file, kernel, latent), expected, "{}", K::NAME);
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn repacked_models_draw_the_same(plan in plan()) {
        let network = network(&plan);
        // int16 codes in every third case.
        let width = if plan.seed % 3 == 0 { Width::Int16 } else { Width::Int8 };
        let examples: Vec<_> = (0..4).map(|seed| network.inputs_at(Point::seed(seed))).collect();
        let file = export_as(&network, &examples, Label { name: "test", metadata: &[] }, width).unwrap().file;
        let latent = network.latent().unwrap().codes(plan.seed);
        // Inputs other than the latent vector are those of seed 0.
        let mut inputs = codes(&network, Point::seed(0));
        inputs[0].clone_from(&latent);
        let expected = reference::image(&Model::parse(file.bytes()).unwrap(), &inputs);
        prop_assert_eq!(&image(&file, Plain::<1>, &latent), &expected);
        prop_assert_eq!(&image(&file, Plain::<2>, &latent), &expected);
        prop_assert_eq!(&image(&file, Plain::<3>, &latent), &expected);
        prop_assert_eq!(&image(&file, Plain::<4>, &latent), &expected);
        prop_assert_eq!(&image(&file, Plain::<5>, &latent), &expected);
        with_host_kernels!(draws(&file, &latent, &expected));
    }
}

/// The last layer of a perceptron: each pixel has one value, a bias and a multiplier of its own, and its channels lie together with those of its row.
#[test]
fn rows_of_single_channels_are_packed_together() {
    let mut values = Values(9);
    let (inputs, shape) = (70, Shape { h: 3, w: 37, c: 1 });
    let layers = vec![
        Layer::Dense { shape, weight: values.take(shape.len() * inputs), bias: values.take(shape.len()) },
        Layer::Activation(Function::tanh()),
    ];
    let input = LatentInput::new(Prior::Gaussian, inputs);
    let network = Network::chain(input, layers, PixelRange::Symmetric);
    let file = export(&network, 4, Label { name: "test", metadata: &[] }).unwrap().file;
    for seed in 0..5 {
        let latent = input.codes(seed);
        let expected = reference::image(&Model::parse(file.bytes()).unwrap(), std::slice::from_ref(&latent));
        assert_eq!(image(&file, Scalar, &latent), expected);
        assert_eq!(image(&file, Plain::<1>, &latent), expected);
        assert_eq!(image(&file, Plain::<2>, &latent), expected);
        assert_eq!(image(&file, Plain::<3>, &latent), expected);
        with_host_kernels!(draws(&file, &latent, &expected));
    }
    // 37 channels become 38 or 40, not four times as many.
    for packing in [Packing::Armv6m, Packing::Dsp, Packing::Mve, Packing::Simd128] {
        let packed = repack(&file, packing).unwrap();
        let weights = cost::cost(&Model::parse_any(packed.bytes()).unwrap()).ops[0].weight_bytes;
        assert!(weights <= 3 * 40 * 80, "{}: {weights} bytes", packing.name());
    }
}

#[test]
fn shipped_models_draw_the_same_with_every_kernel_of_the_host() {
    for name in ["mnist-dcgan", "icons"] {
        let file = edgegen_tests::shipped(name);
        let model = Model::parse(file.bytes()).unwrap();
        let latent = model.latent().unwrap();
        let input =
            LatentInput { classes: model.classes().into(), ..LatentInput::new(latent.prior, latent.dims.into()) };
        for seed in 0..20 {
            let latent = input.codes(seed);
            let expected = image(&file, Scalar, &latent);
            with_host_kernels!(draws(&file, &latent, &expected));
        }
    }
}

#[test]
fn the_native_model_draws_the_same() {
    let file = edgegen_tests::shipped("mnist-dcgan");
    let native = native(&file).unwrap();
    assert_eq!(
        native.bytes() == file.bytes(),
        Native::available().is_none_or(|_| Native::PACKING == Packing::Portable)
    );
    let images = [&file, &native].map(|file| edgegen_export::image(&Model::parse(file.bytes()).unwrap(), 3));
    assert_eq!(images[0], images[1]);
    // What is not portable stays as it is.
    let packed = repack(&file, Packing::Armv6m).unwrap();
    assert_eq!(edgegen_export::native(&packed).unwrap().bytes(), packed.bytes());
}

#[test]
fn a_foreign_packing_is_refused_by_name() {
    let file = edgegen_tests::shipped("mnist-dcgan");
    let mve = repack(&file, Packing::Mve).unwrap();
    let refused = Model::parse(mve.bytes()).unwrap_err();
    let expected = if Native::available().is_some() { Native::PACKING } else { Packing::Portable };
    assert_eq!(refused, ParseError::Packing { expected, found: Packing::Mve });
    let message = refused.to_string();
    assert!(message.starts_with("expected weights packed as portable") && message.contains("found mve"), "{message}");
    let model = Model::parse_any(mve.bytes()).unwrap();
    let mut arena = vec![0; model.arena_bytes()];
    let refused = Generator::with_kernel(&model, &mut arena, Plain::<2>).unwrap_err();
    assert_eq!(refused, GeneratorError::Packing { expected: Packing::Dsp, found: Packing::Mve });
    assert!(repack(&mve, Packing::Dsp).is_err());
}
