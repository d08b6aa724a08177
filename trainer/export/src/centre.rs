//! What a normalization subtracts anyway is subtracted before.
//!
//! A normalization that subtracts the mean of each channel does not see a constant that all values of the channel have
//! in common, but the codes of its input do: a channel around 5 that varies by ±1 has few codes for what matters. So
//! the constant is taken from the bias of the stage before, and nothing changes but the codes.

use crate::function::Function;
use crate::stage::{Op, Stage, Staged, each_example};

/// Makes the mean of each channel 0, over the examples, where only means of channels and sums that take them away again
/// read it. `examples` are those of [`calibrate`](mod@crate::calibrate). What the last stage makes stays the same.
pub fn centre(staged: &mut Staged, examples: &[Vec<Vec<f32>>]) {
    let stages: Vec<usize> = (0..staged.stages.len()).filter(|&index| is_centred(staged, index)).collect();
    if stages.is_empty() {
        return;
    }
    let parts = each_example(examples, |example| {
        let mut sums: Vec<Vec<f64>> =
            stages.iter().map(|&index| vec![0.0; staged.stages[index].shape.c.into()]).collect();
        staged.visit(example, |index, values, _| {
            if let Some(place) = stages.iter().position(|&stage| stage == index) {
                let sums = &mut sums[place];
                let channels = sums.len();
                values.iter().enumerate().for_each(|(at, &value)| sums[at % channels] += f64::from(value));
            }
        });
        sums
    });
    // In the order of the examples, however many threads there are.
    let sums = parts.into_iter().reduce(|mut sums, part| {
        sums.iter_mut().flatten().zip(part.into_iter().flatten()).for_each(|(sum, more)| *sum += more);
        sums
    });
    let Some(sums) = sums else { return };
    for (index, sums) in stages.into_iter().zip(sums) {
        let stage = &mut staged.stages[index];
        let count = (stage.shape.len() / sums.len() * examples.len().max(1)) as f64;
        let means: Vec<f32> = sums.iter().map(|sum| (sum / count) as f32).collect();
        if means.iter().all(|mean| mean.is_finite()) {
            subtract(stage, &means);
        }
    }
}

/// Whether a stage's constants do not matter.
fn is_centred(staged: &Staged, index: usize) -> bool {
    let stage = &staged.stages[index];
    let readers = |source: usize| {
        staged.stages.iter().filter(move |reader| reader.reads.iter().any(|read| usize::from(read.source) == source))
    };
    let is_mean = |reader: &Stage| {
        matches!(reader.op, Op::Reduce { map: true, square: false })
            && reader.shape.c == stage.shape.c
            && reader.function == Function::X
    };
    // The stage and its mean with opposite signs.
    let takes_mean_away = |reader: &Stage| {
        let (Op::Add { scales, .. }, [a, b]) = (&reader.op, reader.reads.as_slice()) else { return false };
        let sources = [a, b].map(|read| usize::from(read.source));
        let other = sources[usize::from(sources[0] == index)];
        let of_mean = &staged.stages[other];
        scales[0] == -scales[1]
            && sources.contains(&index)
            && is_mean(of_mean)
            && of_mean.reads.iter().all(|read| usize::from(read.source) == index)
    };
    let mut means = (0..staged.stages.len()).filter(|&other| {
        is_mean(&staged.stages[other])
            && staged.stages[other].reads.iter().any(|read| usize::from(read.source) == index)
    });
    matches!(stage.op, Op::Product { .. } | Op::Add { .. } | Op::Multiply { .. })
        && stage.function == Function::X
        && readers(index).next().is_some()
        && readers(index).all(|reader| is_mean(reader) || takes_mean_away(reader))
        && means.all(|mean| readers(mean).all(takes_mean_away))
}

fn subtract(stage: &mut Stage, means: &[f32]) {
    let channels = means.len();
    match &mut stage.op {
        Op::Product { groups, blocks, .. } => {
            for (index, block) in blocks.iter_mut().enumerate() {
                // A block has all channels, or those of one of the groups.
                let first = if block.bias.len() == channels { 0 } else { index % *groups * block.bias.len() };
                block.bias.iter_mut().zip(&means[first..]).for_each(|(bias, mean)| *bias -= mean);
            }
        }
        Op::Add { bias, .. } | Op::Multiply { bias, .. } => {
            bias.iter_mut().zip(means).for_each(|(bias, mean)| *bias -= mean);
        }
        Op::Input(_) | Op::Copy { .. } | Op::Reduce { .. } => {}
    }
}
