//! How many instructions an image takes, estimated from the shapes of a model without running it.
//!
//! Each product is counted as its kernel works: products of whole tiles, values gathered for each pixel, sums made
//! into values, and calls of the kernel. What one of each costs was fitted to the record of `just bench-arm` in
//! `benches/record`, by least squares of the relative errors of its layers; `benches/arm/tests/estimate.rs` holds the
//! formula to within 10 % of every layer and whole model of the newest record. The rates of joins, copies, means and
//! depthwise convolutions are those that the record counts of each alone, of means half way between plain ones and
//! those of squares, of joins that of residuals, and so is that of products of int16 codes. That of joins with a vector
//! is on Cortex-M55 fitted to `faces-style`, whose maps have 12 to 64 channels; with 32 channels it takes less. What a
//! row of such a node costs beside its values is fitted to `moons-iaf`, whose rows have two values; what a convolution of
//! a map one pixel wide costs beside the rest to `drums`; what a pixel of each of several maps behind each other costs,
//! and a value of a picture that is read, to the models that turn pictures into others. On Cortex-M55 nothing is
//! gathered where the runs of a window are whole vectors, which the kernel reads where they lie.

use edgegen_runtime::graph::{Axis, Input, Kind, Node, Product, Source};
use edgegen_runtime::ops::product;
use edgegen_runtime::packing::Matrix;
use edgegen_runtime::{Model, Packing};

use crate::repack;

/// Instructions of a kernel for one piece of each kind of work.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Pixels of a row that are computed together at least.
    pub pixels: usize,
    /// Runs of values that are a multiple of so many are read where they lie, not gathered; 0 where none are.
    pub vector: usize,
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
    /// For a product of a depthwise convolution.
    pub depthwise: f64,
    /// For a product of int16 codes.
    pub wide: f64,
    /// For a value that a join makes of two maps of its shape.
    pub joined: f64,
    /// For one that it makes of a map and what all pixels or all channels share: a vector, or noise.
    pub shared: f64,
    /// For a value that is copied.
    pub copied: f64,
    /// For a value that goes into a mean.
    pub reduced: f64,
    /// For a row of a join, a copy or a mean, beside what its values take.
    pub row: f64,
    /// For a row of a convolution whose map is one pixel wide, beside the rest.
    pub narrow: f64,
    /// For a pixel of one of several maps that a copy puts behind each other, beside its values.
    pub part: f64,
    /// For a value of a picture that is read, beside the copy.
    pub fed: f64,
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
    /// Products of depthwise convolutions.
    pub depthwise: u64,
    /// Products of int16 codes.
    pub wide: u64,
    /// Values that joins make of two maps.
    pub joined: u64,
    /// Values that joins make of a map and a vector or a plane.
    pub shared: u64,
    /// Values that are copied, from a source or from a constant.
    pub copied: u64,
    /// Values that go into means.
    pub reduced: u64,
    /// Rows of joins, copies and means.
    pub rows: u64,
    /// Rows of convolutions that are one pixel wide.
    pub narrow: u64,
    /// Pixels of the maps that copies put behind each other, where these are wider than one.
    pub parts: u64,
    /// Values of pictures that are read.
    pub fed: u64,
}

impl Rates {
    /// Those of the kernel that reads a packing on Cortex-M; `None` where none was counted.
    pub const fn of(packing: Packing) -> Option<Self> {
        Some(match packing {
            Packing::Armv6m => Self {
                pixels: 2,
                vector: 0,
                product: 1.948,
                gathered: 0.1175,
                value: 88.79,
                dense: 3.769,
                dense_value: 0.0,
                call: 1564.0,
                latent: 96.6,
                depthwise: 8.53,
                wide: 4.28,
                joined: 17.85,
                shared: 19.5,
                copied: 5.31,
                reduced: 6.64,
                row: 2124.0,
                narrow: 3083.0,
                part: 166.0,
                fed: 0.0,
            },
            Packing::Dsp => Self {
                pixels: 4,
                vector: 0,
                product: 0.7398,
                gathered: 0.1585,
                value: 27.79,
                dense: 0.4782,
                dense_value: 42.06,
                call: 912.5,
                latent: 80.6,
                depthwise: 2.81,
                wide: 1.306,
                joined: 9.71,
                shared: 10.72,
                copied: 3.85,
                reduced: 2.93,
                row: 586.0,
                narrow: 728.0,
                part: 456.0,
                fed: 0.0,
            },
            Packing::Mve => Self {
                pixels: 2,
                vector: 16,
                product: 0.112,
                gathered: 0.582,
                value: 8.88,
                dense: 0.2214,
                dense_value: 0.5021,
                call: 738.1,
                latent: 75.6,
                depthwise: 1.36,
                wide: 0.474,
                joined: 3.44,
                shared: 7.4,
                copied: 0.88,
                reduced: 1.04,
                row: 1198.0,
                narrow: 804.0,
                part: 82.6,
                fed: 46.9,
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
        let others = self.depthwise * work.depthwise as f64
            + self.wide * work.wide as f64
            + self.joined * work.joined as f64
            + self.shared * work.shared as f64
            + self.copied * work.copied as f64
            + self.reduced * work.reduced as f64
            + self.row * work.rows as f64
            + self.narrow * work.narrow as f64
            + self.part * work.parts as f64
            + self.fed * work.fed as f64;
        (convolutions + dense + others + self.call * work.calls as f64) as u64
    }
}

/// Instructions for an image of a model, with the kernel that its packing is for; `None` where none was counted: also
/// for int16 codes in anything but plain products.
pub fn instructions(model: &Model<'_>) -> Option<u64> {
    let rates = Rates::of(model.packing())?;
    if model.nodes().iter().any(|node| node.is_wide() && node.parameters::<Product>().is_none()) {
        return None;
    }
    let nodes: u64 = (0..model.nodes().len()).map(|node| rates.instructions(&work(model, node, &rates))).sum();
    let latent = model.latent().map_or(0, |latent| latent.dims);
    Some(nodes + (rates.latent * f64::from(latent)) as u64)
}

/// The work of one node. Latent vectors and classes are there before the rest: they have none.
pub fn work(model: &Model<'_>, node: usize, rates: &Rates) -> Work {
    let nodes = model.nodes();
    let Some(node) = nodes.get(node) else { return Work::default() };
    let (values, rows) = (node.shape.len() as u64, u64::from(node.shape.h));
    match node.kind() {
        Some(Kind::Product) => products(model, node, rates),
        Some(Kind::Join) => {
            let is_shared = node.reads().iter().any(|read| nodes[usize::from(read.source)].shape != node.shape);
            if is_shared {
                Work { shared: values, rows, ..Work::default() }
            } else {
                Work { joined: values, rows, ..Work::default() }
            }
        }
        Some(Kind::Copy) => {
            let sources = node.reads().len() as u64;
            let is_wide = sources > 1 && node.shape.w > 1;
            let parts = if is_wide { rows * u64::from(node.shape.w) * sources } else { 0 };
            Work { copied: values, rows, parts, ..Work::default() }
        }
        Some(Kind::Reduce) => {
            let sources = node.reads().iter().map(|read| nodes[usize::from(read.source)].shape.len() as u64);
            Work { reduced: sources.sum(), rows, ..Work::default() }
        }
        Some(Kind::Input) if !node.is_filled() => {
            let is_fed = node.parameters::<Input>().and_then(Input::source) == Some(Source::Fed);
            Work { copied: values, fed: if is_fed { values } else { 0 }, ..Work::default() }
        }
        Some(Kind::Input) | None => Work::default(),
    }
}

fn products(model: &Model<'_>, node: &Node, rates: &Rates) -> Work {
    let mut work = Work::default();
    let (Some(product), Some((blocks, source))) = (node.parameters::<Product>(), repack::work(model.nodes(), node))
    else {
        return work;
    };
    if blocks.matrix == Matrix::Wide {
        let depths = (0..blocks.blocks).map(|block| product::depth(node, source, block) as u64);
        // Each block makes as many pixels as the others, or one of them.
        let pixels = node.shape.len() as u64 / (blocks.blocks * blocks.channels).max(1) as u64;
        work.wide = depths.map(|depth| depth * blocks.channels as u64 * pixels.max(1)).sum();
        return work;
    }
    let tiles = |depth| model.packing().matrix_bytes(blocks.matrix, blocks.channels, depth);
    if blocks.matrix == Matrix::Vector {
        work.calls = blocks.blocks as u64;
        work.dense = work.calls * tiles(source.shape.len());
        work.dense_values = node.shape.len() as u64;
        return work;
    }
    let (rows, columns) = (&node.reads()[0].rows, &product.columns);
    let pairs = (rows.phases.len() * columns.phases.len()).max(1);
    let groups = blocks.blocks / pairs;
    // The values that a kernel row of a window reads, where they are one run.
    let run = |phase: usize| usize::from(columns.phases[phase].taps) * usize::from(source.shape.c);
    let is_run = rates.vector > 0 && columns.dilation == 1 && product.groups == 1;
    let in_place = |pair: usize| is_run && run(pair % columns.phases.len()).is_multiple_of(rates.vector);
    if node.shape.w == 1 && node.shape.h > 1 {
        work.narrow = u64::from(node.shape.h);
    }
    for (pair, (count_y, count_x)) in phases(rows, node.shape.h)
        .flat_map(|count_y| phases(columns, node.shape.w).map(move |count_x| (count_y, count_x)))
        .enumerate()
    {
        let depth = product::depth(node, source, pair * groups);
        work.calls += (count_y * groups) as u64;
        let pixels = (count_y * count_x.next_multiple_of(rates.pixels) * groups) as u64;
        if blocks.matrix == Matrix::Channels {
            work.depthwise += (count_y * count_x * depth * blocks.channels) as u64;
        } else {
            work.products += pixels * tiles(depth);
            work.gathered += if in_place(pair) { 0 } else { pixels * depth as u64 };
            work.values += pixels * blocks.channels as u64;
        }
    }
    work
}

/// How many of `size` positions each phase makes.
fn phases(axis: &Axis, size: u16) -> impl Iterator<Item = usize> {
    let every = axis.phases.len();
    (0..every).map(move |first| usize::from(size).saturating_sub(first).div_ceil(every))
}
