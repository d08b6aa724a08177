//! How many instructions an image takes, estimated from the shapes of a model without running it.
//!
//! Each operator is counted as its kernel works: products of whole tiles, values gathered for each pixel, sums made into
//! values, and calls of the kernel. What one of each costs was fitted to the record of `just bench-arm` in `benches/record`, by least
//! squares of the relative errors of its layers; `benches/arm/tests/estimate.rs` holds the
//! formula to within 10 % of every layer and whole model of the newest record.

use edgegen_runtime::graph::{Axis, Dense, Op};
use edgegen_runtime::packing::Matrix;
use edgegen_runtime::{Model, Packing};

/// Instructions of a kernel for one piece of each kind of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Pixels of a row that are computed together at least.
    pub pixels: usize,
    /// For a product of a convolution, those with the zeros of incomplete tiles included.
    pub product: f64,
    /// For gathering a value that a pixel reads.
    pub gathered: f64,
    /// For making a sum into a value.
    pub value: f64,
    /// For a product of a fully connected layer, gathering included.
    pub dense: f64,
    /// For making a value of a fully connected layer; 0 where the products tell as much.
    pub dense_value: f64,
    /// For a call of the kernel: a row of one horizontal phase, or one block of a fully connected layer.
    pub call: f64,
    /// For drawing a value of the latent vector, as counted.
    pub latent: f64,
}

/// The work of a model in the units of [`Rates`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Products of convolutions.
    pub products: u64,
    /// Values gathered for convolutions.
    pub gathered: u64,
    /// Values that convolutions make.
    pub values: u64,
    /// Products of fully connected layers.
    pub dense: u64,
    /// Values that fully connected layers make.
    pub dense_values: u64,
    /// Calls of the kernel.
    pub calls: u64,
}

impl Rates {
    /// Those of the kernel that reads a packing on Cortex-M; `None` where none was counted.
    pub const fn of(packing: Packing) -> Option<Self> {
        Some(match packing {
            Packing::Armv6m => Self {
                pixels: 2,
                product: 1.948,
                gathered: 0.1175,
                value: 88.79,
                dense: 3.769,
                dense_value: 0.0,
                call: 1637.0,
                latent: 96.6,
            },
            Packing::Dsp => Self {
                pixels: 4,
                product: 0.7398,
                gathered: 0.1585,
                value: 27.79,
                dense: 0.4782,
                dense_value: 42.06,
                call: 912.5,
                latent: 80.6,
            },
            Packing::Mve => Self {
                pixels: 2,
                product: 0.1122,
                gathered: 0.2368,
                value: 5.99,
                dense: 0.2214,
                dense_value: 0.5021,
                call: 673.7,
                latent: 75.6,
            },
            _ => return None,
        })
    }

    /// Instructions of some work.
    pub fn instructions(&self, work: &Work) -> u64 {
        let convolutions = self.product * work.products as f64
            + self.gathered * work.gathered as f64
            + self.value * work.values as f64;
        let dense = self.dense * work.dense as f64 + self.dense_value * work.dense_values as f64;
        (convolutions + dense + self.call * work.calls as f64) as u64
    }
}

/// Instructions for an image of a model, with the kernel that its packing is for; `None` where none was counted.
pub fn instructions(model: &Model<'_>) -> Option<u64> {
    let rates = Rates::of(model.packing())?;
    let graph = model.graph();
    let operators: u64 = (0..graph.ops.len()).map(|op| rates.instructions(&work(model, op, &rates))).sum();
    Some(operators + (rates.latent * f64::from(graph.latent.dims)) as u64)
}

/// The work of one operator.
pub fn work(model: &Model<'_>, op: usize, rates: &Rates) -> Work {
    let graph = model.graph();
    let (op, shape) = (&graph.ops[op], graph.edges[op + 1].shape);
    let source = graph.edges[op.source()].shape;
    let tiles = |matrix, channels, depth| model.packing().matrix_bytes(matrix, channels, depth);
    let mut work = Work::default();
    match op {
        Op::Dense(dense) => {
            let (blocks, channels) = Dense::blocks(shape, dense.bank.shared);
            work.calls = blocks as u64;
            work.dense = work.calls * tiles(Matrix::Vector, channels, source.len());
            work.dense_values = shape.len() as u64;
        }
        Op::PhaseConv(conv) => {
            for (down, rows) in phases(&conv.vertical, shape.h) {
                for (across, columns) in phases(&conv.horizontal, shape.w) {
                    let depth = down * across * usize::from(source.c);
                    work.calls += rows as u64;
                    let pixels = (rows * columns.next_multiple_of(rates.pixels)) as u64;
                    work.products += pixels * tiles(Matrix::Windows, usize::from(shape.c), depth);
                    work.gathered += pixels * depth as u64;
                    work.values += pixels * u64::from(shape.c);
                }
            }
        }
    }
    work
}

/// Taps of each phase, and how many of `size` positions it makes.
fn phases(axis: &Axis, size: u16) -> impl Iterator<Item = (usize, usize)> {
    let every = axis.phases.len();
    let count = move |first| (usize::from(size).saturating_sub(first)).div_ceil(every);
    axis.phases.iter().enumerate().map(move |(index, phase)| (usize::from(phase.taps), count(index)))
}
