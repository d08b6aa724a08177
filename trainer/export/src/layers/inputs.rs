//! What the inputs of a network are for a point, as the device fills them.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::Source;
use edgegen_runtime::latent::{self, Point};

use super::{Input, Network, PixelRange};

impl Network {
    /// The values of the inputs other than constants at a point, in order, each C × H × W: latent vectors drawn by
    /// their prior, noise as well, classes as the point says, and of images [`picture`] of the point's seed, also where
    /// the network reads its own.
    pub fn inputs_at(&self, point: Point) -> Vec<Vec<f32>> {
        self.inputs().map(|input| input.values_at(point)).collect()
    }
}

impl Input {
    /// Its values at a point, in the order C, H, W, as [`Network::inputs_at`].
    pub fn values_at(&self, point: Point) -> Vec<f32> {
        match self {
            Input::Latent(latent) => latent.vector_at(point),
            Input::Class { classes, stride } => {
                let mut codes = vec![0; *classes];
                // What does not fit 16 bits no file can hold.
                point.fill_classes(Source::CLASS_STEPS, *stride as u16, &mut codes);
                codes.iter().map(|&code| f32::from(code) / f32::from(Source::CLASS_STEPS)).collect()
            }
            Input::Image { shape, pixels } => pixels.planes(&picture(*shape, point.from), shape.c.into()),
            Input::Noise { shape, prior, number } => {
                let [h, w, c] = [shape.h, shape.w, shape.c].map(usize::from);
                let mut codes = vec![0; shape.len()];
                for (y, row) in (0..shape.h).zip(codes.chunks_exact_mut(shape.row_len().max(1))) {
                    latent::noise(*prior, point, *number, y, row);
                }
                let value = |place: usize| codes[place % (h * w) * c + place / (h * w)];
                (0..codes.len()).map(|place| f32::from(value(place)) / f32::from(prior.steps())).collect()
            }
            Input::Style { prior, dims } => {
                let mut codes = vec![0; *dims];
                point.fill_style(*prior, &mut codes);
                codes.iter().map(|&code| f32::from(code) / f32::from(prior.steps())).collect()
            }
            Input::Mix { layers } => {
                let mut codes = vec![0; *layers];
                point.fill_mix(&mut codes);
                codes.iter().map(|&code| f32::from(code) / f32::from(Source::CLASS_STEPS)).collect()
            }
            Input::Previous { shape, pixels } => pixels.late(&picture(*shape, point.from), *shape),
            Input::Constant { values, .. } => values.clone(),
        }
    }
}

impl PixelRange {
    /// The values of an image of `channels` channels, `[h, w, c]` bytes, when it is handed in: C × H × W.
    pub fn planes(self, bytes: &[u8], channels: usize) -> Vec<f32> {
        let plane = |channel| bytes.iter().skip(channel).step_by(channels.max(1));
        (0..channels).flat_map(plane).map(|&byte| self.input(byte)).collect()
    }

    /// The values of an image, `[h, w, c]` bytes, that is read a row late: C × H × W, zeros in the first row.
    pub fn late(self, bytes: &[u8], shape: Shape) -> Vec<f32> {
        let mut values = self.planes(bytes, shape.c.into());
        let width = usize::from(shape.w);
        for plane in values.chunks_exact_mut((usize::from(shape.h) * width).max(1)) {
            plane.rotate_right(width);
            plane[..width].fill(0.0);
        }
        values
    }

    /// The value that a byte of an image stands for when it is handed in: [`Source::pixel_code`], from −127 … 127 to
    /// this range.
    pub fn input(self, byte: u8) -> f32 {
        let code = f32::from(Source::pixel_code(byte));
        match self {
            PixelRange::Symmetric => code / 127.0,
            PixelRange::Unit => (code + 127.0) / 254.0,
            PixelRange::Byte => 255.0 * (code + 127.0) / 254.0,
        }
    }
}

/// A picture to try a network with that reads images, `[h, w, c]` bytes: on a slope of grey six soft blobs of both
/// signs, whose place, size and colour come from the seed. The same on every computer.
pub fn picture(shape: Shape, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut random = || {
        // SplitMix64 (Steele, Lea and Flood 2014), from 0 to 1.
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
    };
    let [h, w, c] = [shape.h, shape.w, shape.c].map(usize::from);
    let slopes: Vec<[f32; 3]> = (0..c).map(|_| [random(), random() - 0.5, random() - 0.5]).collect();
    let blobs: Vec<([f32; 3], Vec<f32>)> = (0..6)
        .map(|_| ([random(), random(), 0.05 + 0.25 * random()], (0..c).map(|_| 2.0 * random() - 1.0).collect()))
        .collect();
    let mut bytes = Vec::with_capacity(shape.len());
    for (y, x) in (0..h).flat_map(|y| (0..w).map(move |x| (y, x))) {
        let [y, x] = [(y as f32 + 0.5) / h as f32, (x as f32 + 0.5) / w as f32];
        for (channel, slope) in slopes.iter().enumerate() {
            let start = slope[0] + slope[1] * (y - 0.5) + slope[2] * (x - 0.5);
            let blob = |sum: f32, ([by, bx, size], colour): &([f32; 3], Vec<f32>)| {
                let distance = ((y - by) / size) * ((y - by) / size) + ((x - bx) / size) * ((x - bx) / size);
                sum + colour[channel] * libm::expf(-distance)
            };
            bytes.push((255.0 * blobs.iter().fold(start, blob).clamp(0.0, 1.0)).round() as u8);
        }
    }
    bytes
}
