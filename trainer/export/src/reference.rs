//! The naive interpreter of a model file: whole maps, i64 sums, one loop for each index, nothing clever. The runtime and
//! every kernel are compared with it, value by value.

use edgegen_runtime::Model;
use edgegen_runtime::graph::{Axis, Bank, Edge, Op};

/// All edges of a model for one latent vector, each `[h, w, c]`; the last is the image.
pub fn trace(model: &Model<'_>, latent: &[i8]) -> Vec<Vec<i8>> {
    let graph = model.graph();
    let mut maps = vec![latent.to_vec()];
    for (op, output) in graph.ops.iter().zip(&graph.edges[1..]) {
        let (source, input) = (&graph.edges[op.source()], &maps[op.source()]);
        maps.push(match op {
            Op::Dense(dense) => map(output, |y, x, c| {
                let position = y * usize::from(output.shape.w) + x;
                let blocks = usize::from(output.shape.h) * usize::from(output.shape.w);
                let channel = position * usize::from(output.shape.c) + c;
                let weights = (0..input.len()).map(|i| weight(model, &dense.bank, channel * input.len() + i));
                let sum = weights.zip(input).map(|(w, &x)| w * i64::from(x)).sum();
                finish(model, &dense.bank, [blocks, position, usize::from(output.shape.c), c], sum)
            }),
            Op::PhaseConv(conv) => map(output, |y, x, c| {
                let (py, ty) = taps(&conv.vertical, y);
                let (px, tx) = taps(&conv.horizontal, x);
                let channels = usize::from(source.shape.c);
                // Weights of the phases before, all their channels included.
                let before: usize = conv.vertical.phases[..py].iter().map(|p| usize::from(p.taps)).sum::<usize>()
                    * conv.horizontal.total_taps()
                    + ty.len() * conv.horizontal.phases[..px].iter().map(|p| usize::from(p.taps)).sum::<usize>();
                let base = before * channels * usize::from(output.shape.c) + c * ty.len() * tx.len() * channels;
                let mut sum = 0;
                for (ky, &row) in ty.iter().enumerate() {
                    for (kx, &column) in tx.iter().enumerate() {
                        for i in 0..channels {
                            let index = base + (ky * tx.len() + kx) * channels + i;
                            sum += weight(model, &conv.bank, index) * value(source, input, row, column, i);
                        }
                    }
                }
                let blocks = conv.vertical.phases.len() * conv.horizontal.phases.len();
                let block = py * conv.horizontal.phases.len() + px;
                finish(model, &conv.bank, [blocks, block, usize::from(output.shape.c), c], sum)
            }),
        });
    }
    maps
}

fn map(edge: &Edge, value: impl Fn(usize, usize, usize) -> i8) -> Vec<i8> {
    let (h, w, c) = (usize::from(edge.shape.h), usize::from(edge.shape.w), usize::from(edge.shape.c));
    (0..h * w * c).map(|i| value(i / (w * c), i / c % w, i % c)).collect()
}

/// Phase of an output position and the input positions it reads.
fn taps(axis: &Axis, position: usize) -> (usize, Vec<i64>) {
    let (phase, index) = (position % axis.phases.len(), position / axis.phases.len());
    let first = index as i64 * i64::from(axis.step) + i64::from(axis.phases[phase].start);
    (phase, (0..i64::from(axis.phases[phase].taps)).map(|tap| first + tap * i64::from(axis.dilation)).collect())
}

/// A value of a map; the zero point outside of it.
fn value(edge: &Edge, map: &[i8], y: i64, x: i64, c: usize) -> i64 {
    let (h, w) = (i64::from(edge.shape.h), i64::from(edge.shape.w));
    if (0..h).contains(&y) && (0..w).contains(&x) {
        i64::from(map[(y * w + x) as usize * usize::from(edge.shape.c) + c])
    } else {
        i64::from(edge.zero_point)
    }
}

fn weight(model: &Model<'_>, bank: &Bank, index: usize) -> i64 {
    i64::from(model.data()[bank.weights as usize + index] as i8)
}

/// Bias, multiplication, rounding, clamp and table.
fn finish(model: &Model<'_>, bank: &Bank, [blocks, block, channels, c]: [usize; 4], sum: i64) -> i8 {
    let (blocks, block) = if bank.shared { (1, 0) } else { (blocks, block) };
    let word = |index: usize| {
        let at = bank.channels as usize + 4 * index;
        i64::from(i32::from_le_bytes(core::array::from_fn(|i| model.data()[at + i])))
    };
    let (bias, multiplier) = (word(block * channels + c), word((blocks + block) * channels + c));
    let rounded = ((sum + bias) * multiplier + (1 << 31)).div_euclid(1 << 32);
    let code = (rounded + i64::from(bank.zero_point)).clamp(i64::from(bank.low), i64::from(bank.high));
    match bank.table {
        Some(table) => model.data()[table as usize + (code + 128) as usize] as i8,
        None => code as i8,
    }
}
