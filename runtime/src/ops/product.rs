//! Weights times what a pixel reads: fully connected layers and every convolution that a generator has.
//!
//! **Convolution in phases.** A transposed convolution with kernel k and stride s is s² ordinary convolutions of ⌈k/s⌉² taps
//! or fewer whose outputs interleave. For k = 4, s = 2, padding 1, along one axis with filter `f`:
//!
//! ```text
//! output[2m]     = input[m − 1]·f[3] + input[m]·f[1]         phase 0: start −1, 2 taps
//! output[2m + 1] = input[m]·f[2] + input[m + 1]·f[0]         phase 1: start  0, 2 taps
//! ```
//!
//! No product with an inserted zero is ever formed. Nearest upsampling before a 3×3 convolution is the same with taps
//! that meet the same input pixel added up (two phases of two taps), and so is pixel shuffle after a convolution
//! (phases that differ in their weights only). All of that is settled at export; here there are only phases.
//!
//! Rows lie as `W·C` with C innermost, so the taps of one kernel row are one contiguous run: no im2col, no copy. Where
//! channels are grouped, each tap is a run of its own; where each channel is a group (depthwise), all channels of a tap
//! are.
//!
//! **Fully connected.** Each output value is a weighted sum of the whole input vector. Rows here too: row `y` of the map is made
//! when it is needed, from its own part of the weights `[h, w, c, n]`.

use super::{Job, Work};
use crate::arena::Ring;
use crate::error::Fault;
use crate::graph::{Axis, MAX_LANES, Node, Phase, Product};
use crate::kernels::scalar::Scalar;
#[cfg(feature = "all-operators")]
use crate::kernels::wide;
use crate::kernels::{Channels, Kernel, Row, Window};
use crate::packing::Matrix;
use crate::weights::Weights;

/// What a product's weights are to a kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Fully connected.
    Dense,
    /// Groups of channels, one for a plain convolution.
    Windows,
    /// As many groups as channels.
    Depthwise,
}

/// How a product is cut: the same for the rules, the exporter and each row.
#[derive(Clone, Copy, Debug)]
struct Cut {
    form: Form,
    groups: usize,
    /// Channels that a group reads and makes.
    inputs: usize,
    outputs: usize,
}

impl Cut {
    fn new(node: &Node, product: &Product, source: &Node) -> Self {
        let (inputs, outputs) = (usize::from(source.shape.c), usize::from(node.shape.c));
        let groups = usize::from(product.groups).max(1);
        if product.columns.phases.is_empty() {
            Self { form: Form::Dense, groups: 1, inputs, outputs }
        } else if groups == inputs && groups == outputs && groups > 1 {
            Self { form: Form::Depthwise, groups: 1, inputs, outputs }
        } else {
            // Without division, which could panic: groups of plain convolutions are common.
            let part = |channels: usize| if groups == 1 { channels } else { channels.checked_div(groups).unwrap_or(0) };
            Self { form: Form::Windows, groups, inputs: part(inputs), outputs: part(outputs) }
        }
    }

    /// The kind of its matrices; those of int16 codes where source or result are.
    fn matrix(&self, wide: bool) -> Matrix {
        match self.form {
            Form::Depthwise => Matrix::Channels,
            _ if wide => Matrix::Wide,
            Form::Dense => Matrix::Vector,
            Form::Windows => Matrix::Windows,
        }
    }

    /// Values that a pixel reads of `taps` taps.
    fn depth(&self, taps: usize) -> usize {
        if self.form == Form::Depthwise { taps } else { taps * self.inputs }
    }

    /// Whether the taps of one kernel row are one run of values, with nothing between them.
    fn contiguous(&self, columns: &Axis) -> bool {
        columns.dilation == 1 && self.groups == 1 && self.form == Form::Windows
    }
}

/// The blocks of a product and their channels; `depths` has the depth of each.
pub(crate) fn work(node: &Node, source: &Node) -> Work {
    let none = Work { matrix: Matrix::Windows, blocks: 0, channels: 0, depth: 0 };
    let Some(product) = node.parameters::<Product>() else { return none };
    let cut = Cut::new(node, product, source);
    let matrix = cut.matrix(is_wide(node, source));
    if cut.form == Form::Dense {
        let (blocks, channels) = Product::dense_blocks(node.shape, node.rounding.shared != 0);
        return Work { matrix, blocks, channels, depth: cut.inputs };
    }
    let Some(read) = node.reads().first() else { return none };
    let (rows, columns) = (&read.rows, &product.columns);
    Work {
        matrix,
        blocks: rows.phases.len() * columns.phases.len() * cut.groups,
        channels: cut.outputs,
        depth: cut.depth(rows.most_taps() * columns.most_taps()),
    }
}

/// The values that a pixel reads in block `block`: with [`work`](super::work()) it tells how the weights of a node lie.
pub fn depth(node: &Node, source: &Node, block: usize) -> usize {
    let (Some(product), Some(read)) = (node.parameters::<Product>(), node.reads().first()) else { return 0 };
    let cut = Cut::new(node, product, source);
    if cut.form == Form::Dense {
        return cut.inputs;
    }
    let columns = product.columns.phases.len();
    let pair = block.checked_div(cut.groups).unwrap_or(0);
    let taps = |axis: &Axis, phase: Option<usize>| {
        phase.and_then(|phase| axis.phases.get(phase)).map_or(0, |phase| usize::from(phase.taps))
    };
    cut.depth(taps(&read.rows, pair.checked_div(columns)) * taps(&product.columns, pair.checked_rem(columns)))
}

#[inline(never)]
pub(crate) fn check(node: &Node, source: &Node, weights: &Weights<'_>) -> Result<i8, Fault> {
    let (Some(product), [read]) = (node.parameters::<Product>(), node.reads()) else { return Err(Fault::Count) };
    let cut = Cut::new(node, product, source);
    let Work { matrix, blocks, channels, .. } = work(node, source);
    let mut bytes = 0u64;
    if cut.form == Form::Dense {
        if !source.shape.is_vector() || read.rows != Axis::FIRST {
            return Err(Fault::Shape);
        }
        bytes = weights.packing.matrix_bytes(matrix, channels, cut.inputs).saturating_mul(blocks as u64);
    } else {
        let (rows, columns) = (&read.rows, &product.columns);
        let whole = |channels: u16, part: usize| part > 0 && part * cut.groups == usize::from(channels);
        if !whole(source.shape.c, cut.inputs) || !whole(node.shape.c, cut.outputs) {
            return Err(Fault::Shape);
        }
        super::check_axis(columns, source.shape.w, node.shape.w, [source.padding.left, source.padding.right])?;
        let lanes = if cut.contiguous(columns) { 1 } else { columns.most_taps() };
        if rows.step == 0 || columns.step == 0 || rows.most_taps() * lanes > MAX_LANES {
            return Err(Fault::Window);
        }
        for vertical in rows.phases.iter() {
            for horizontal in columns.phases.iter() {
                let taps = usize::from(vertical.taps) * usize::from(horizontal.taps);
                let matrix = weights.packing.matrix_bytes(matrix, channels, cut.depth(taps));
                bytes = bytes.saturating_add(matrix.saturating_mul(cut.groups as u64));
            }
        }
    }
    weights.check(product.weights, bytes)?;
    weights.check_rounding(node, blocks, channels)
}

pub(crate) fn run<K: Kernel>(job: &mut Job<'_>, kernel: Option<K>) {
    let Some(product) = job.node.parameters::<Product>() else { return };
    let is_dense = product.columns.phases.is_empty();
    // Compiled apart, so that int8 codes pay nothing for others.
    let [read, ..] = &job.node.reads;
    let source = job.nodes.get(usize::from(read.source));
    match (is_dense, source.is_some_and(|source| is_wide(job.node, source))) {
        (true, false) => dense::<K, false>(job, kernel, product),
        (true, true) => dense::<K, true>(job, kernel, product),
        (false, false) => convolution::<K, false>(job, kernel, product),
        (false, true) => convolution::<K, true>(job, kernel, product),
    }
}

#[inline(never)]
fn dense<K: Kernel, const WIDE: bool>(job: &mut Job<'_>, kernel: Option<K>, product: &Product) {
    let Some((source, _)) = job.read(0) else { return };
    let Job { weights, node, y, ref mut row, ref mut scratch, .. } = *job;
    let mut unmade = &mut **row;
    let inputs = usize::from(source.node.shape.c);
    let lanes = [(source.row(0) + source.node.left()) as u32];
    let (blocks, channels) = Product::dense_blocks(node.shape, node.rounding.shared != 0);
    let packed = packed(weights, kernel);
    let matrix = match packed {
        // In place, which is faster, and larger: what asking for widths costs, small models get back.
        Some(_) if cfg!(feature = "int16") && !WIDE => {
            K::PACKING.matrix_bytes_here(Matrix::Vector, channels, inputs) as usize
        }
        _ => weights.matrix_bytes(if WIDE { Matrix::Wide } else { Matrix::Vector }, channels, inputs),
    };
    // A row is a block, or `w` of them.
    let mut block = usize::from(y) * if node.rounding.shared != 0 { usize::from(node.shape.w) } else { 1 };
    let bytes = if WIDE { node.code_bytes(channels) } else { channels };
    while let Some((part, rest)) = unmade.split_at_mut_checked(bytes)
        && channels > 0
    {
        let mut row = Row {
            window: Window { values: source.values, lanes: &lanes, run: inputs, step: 0 },
            weights: weights.codes(product.weights, block * matrix, matrix),
            channels: weights.channels(&node.rounding, blocks, block, channels),
            pixels: part,
            stride: bytes,
            scratch,
        };
        match packed {
            #[cfg(feature = "all-operators")]
            _ if WIDE => make_wide(&mut row, source.node, node, false, weights, kernel),
            Some(kernel) => kernel.vector(&mut row),
            // A copy, so that the other way needs none in memory.
            None => Scalar.windows(&mut row.again()),
        }
        block += 1;
        unmade = rest;
    }
}

#[inline(never)]
fn convolution<K: Kernel, const WIDE: bool>(job: &mut Job<'_>, kernel: Option<K>, product: &Product) {
    let Some((source, read)) = job.read(0) else { return };
    let cut = Cut::new(job.node, product, source.node);
    let Job { weights: data, node, y, ref mut row, ref mut scratch, .. } = *job;
    let (rows, columns) = (&read.rows, &product.columns);
    let bytes = |node: &Node, codes: usize| if WIDE { node.code_bytes(codes) } else { codes };
    let channels = bytes(node, node.shape.c.into());
    let pixel = bytes(source.node, source.node.shape.c.into());
    let (phase_y, index_y) = rows.split(y);
    let Some(&vertical) = rows.phases.get(phase_y) else { return };
    let top = i32::from(index_y) * i32::from(rows.step) + i32::from(vertical.start);

    let matrix = |vertical: &Phase, horizontal: &Phase| {
        let taps = usize::from(vertical.taps) * usize::from(horizontal.taps);
        data.matrix_bytes(cut.matrix(WIDE), cut.outputs, cut.depth(taps))
    };
    let before = rows.phases.iter().take(phase_y);
    let before: usize = before.flat_map(|vertical| columns.phases.iter().map(move |h| matrix(vertical, h))).sum();
    let mut rest = data.codes_from(product.weights, before * cut.groups);

    // One lane for each kernel row, or for each tap.
    let Some(scratch_words) = scratch.len().checked_sub(MAX_LANES) else { return };
    let Some((scratch, lanes)) = scratch.split_at_mut_checked(scratch_words) else { return };
    let lanes: &mut [u32] = bytemuck::cast_slice_mut(lanes);
    let contiguous = cut.contiguous(columns);
    let mut count = if contiguous { spread(lanes, source, (top, &vertical, rows.dilation), (1, 0)) } else { 0 };

    let packed = packed(data, kernel);
    let phases_x = columns.phases.len();
    let blocks = rows.phases.len() * phases_x * cut.groups;
    let mut block = phase_y * phases_x * cut.groups;
    for (phase_x, horizontal) in columns.phases.iter().enumerate() {
        let left = (i32::from(horizontal.start) + i32::from(source.node.padding.left)).max(0) as usize * pixel;
        let mut run = cut.inputs;
        if contiguous {
            run *= usize::from(horizontal.taps);
        } else {
            let taps = (horizontal.taps.into(), usize::from(columns.dilation) * pixel);
            count = spread(lanes, source, (top, &vertical, rows.dilation), taps);
        }
        let weights = matrix(&vertical, horizontal);
        // Phases and groups move all lanes to the right.
        let mut part = Row {
            window: Window {
                values: source.values.get(left..).unwrap_or(&[]),
                lanes: lanes.get(..count).unwrap_or(&[]),
                run,
                step: usize::from(columns.step) * pixel,
            },
            weights: &[],
            channels: Channels::NONE,
            pixels: row.get_mut(phase_x * channels..).unwrap_or_default(),
            stride: phases_x * channels,
            scratch: &mut *scratch,
        };
        for _ in 0..cut.groups {
            (part.weights, rest) = rest.split_at_checked(weights).unwrap_or_default();
            part.channels = data.channels(&node.rounding, blocks, block, cut.outputs);
            match (kernel, packed) {
                #[cfg(feature = "all-operators")]
                _ if WIDE => make_wide(&mut part, source.node, node, cut.form == Form::Depthwise, data, kernel),
                (Some(kernel), _) if cut.form == Form::Depthwise => kernel.channels(&mut part),
                (None, _) if cut.form == Form::Depthwise => Scalar.channels(&mut part),
                (_, Some(kernel)) => kernel.windows(&mut part),
                _ => Scalar.windows(&mut part),
            }
            block += 1;
            let (inputs, outputs) = (bytes(source.node, cut.inputs), bytes(node, cut.outputs));
            part.window.values = part.window.values.get(inputs..).unwrap_or(&[]);
            part.pixels = core::mem::take(&mut part.pixels).get_mut(outputs..).unwrap_or_default();
        }
    }
}

/// Whether a product reads or makes int16 codes.
fn is_wide(node: &Node, source: &Node) -> bool {
    node.is_wide() || source.is_wide()
}

/// Makes pixels of which source or result are int16 codes; lanes, step and stride of `row` are bytes.
#[cfg(feature = "all-operators")]
#[inline(never)]
fn make_wide<K: Kernel>(
    row: &mut Row<'_>,
    source: &Node,
    node: &Node,
    depthwise: bool,
    weights: &Weights<'_>,
    kernel: Option<K>,
) {
    let Row { window, weights: matrix, channels, ref mut pixels, stride, .. } = *row;
    let mut products = wide::Products {
        source: wide::Codes { bytes: window.values, wide: source.is_wide() },
        lanes: window.lanes,
        run: window.run,
        step: window.step >> u32::from(source.is_wide()),
        weights: matrix,
        depthwise,
        channels,
        target: weights.target(node, &channels),
        pixels,
        stride,
    };
    wide::products(kernel, &mut products);
}

/// A lane for each tap: of the rows of a phase from `top` on, `dilation` apart, and in each of them `columns`, `column`
/// values apart. Gives their number.
#[inline(never)]
fn spread(
    lanes: &mut [u32],
    source: Ring<'_>,
    (top, vertical, dilation): (i32, &Phase, u16),
    (columns, column): (usize, usize),
) -> usize {
    let all = lanes.len();
    let mut unused = lanes.iter_mut();
    let mut row = top;
    for _ in 0..vertical.taps {
        let mut start = source.row(row);
        for _ in 0..columns {
            if let Some(lane) = unused.next() {
                *lane = start as u32;
            }
            start += column;
        }
        row += i32::from(dilation);
    }
    all - unused.len()
}

/// Whether the kernel reads the model's packing.
fn packed<K: Kernel>(weights: &Weights<'_>, kernel: Option<K>) -> Option<K> {
    kernel.filter(|_| weights.packing == K::PACKING)
}
