//! Which stages have a factor for each channel.
//!
//! A mean of squares differs by orders of magnitude from channel to channel, and so does its 1/√x; one code for all
//! would leave some channels no bits. A stage can have a factor for each channel where it has a multiplier for each
//! channel and its function only scales along (x, max(0, x), 1/√x), and where all that read it take factors:
//!
//! | reader | why it can |
//! |---|---|
//! | a product of two | its multiplier of each channel takes the factor in |
//! | a mean of each channel | likewise |
//! | weights | each takes in the factor of its input channel |
//! | a sum of two | likewise, if both have the same factors: these two are in one class |
//!
//! It is done where it helps: around statistics and products of two. In a chain of layers all channels share one code.

use crate::function::Function;
use crate::stage::{Op, Stage, Staged};

/// For each stage the number of the class whose factors it has, one of its stages; `None` where its channels share one
/// code.
pub fn classes(staged: &Staged) -> Vec<Option<usize>> {
    let stages = &staged.stages;
    let readers = |index: usize| {
        stages.iter().filter(move |reader| reader.reads.iter().any(|read| usize::from(read.source) == index))
    };
    let mut can: Vec<bool> = stages
        .iter()
        .enumerate()
        .map(|(index, stage)| {
            makes(stage) && index + 1 < stages.len() && readers(index).all(|reader| takes(reader, stage))
        })
        .collect();
    let mut classes: Vec<usize> = (0..stages.len()).collect();
    // Each turn takes from at least one stage what it cannot have, so this ends.
    loop {
        let before = (can.clone(), classes.clone());
        for stage in stages {
            let (Op::Add { .. }, [a, b]) = (&stage.op, stage.reads.as_slice()) else { continue };
            let (a, b) = (usize::from(a.source), usize::from(b.source));
            let both = can[a] && can[b];
            (can[a], can[b]) = (both, both);
            if both {
                let (class, other) = (classes[a].min(classes[b]), classes[a].max(classes[b]));
                classes.iter_mut().filter(|found| **found == other).for_each(|found| *found = class);
            }
        }
        // One that cannot takes all its class along.
        for index in 0..stages.len() {
            can[index] &= (0..stages.len()).all(|other| classes[other] != classes[index] || can[other]);
        }
        if before == (can.clone(), classes.clone()) {
            break;
        }
    }
    let helps = |index: usize| {
        let of = |op: &Op| matches!(op, Op::Reduce { .. } | Op::Multiply { .. });
        of(&stages[index].op)
            || stages[index].function.inverse_sqrt_epsilon().is_some()
            || readers(index).any(|reader| of(&reader.op))
    };
    (0..stages.len())
        .map(|index| {
            let mut class = (0..stages.len()).filter(|&other| classes[other] == classes[index]);
            (can[index] && class.any(helps)).then_some(classes[index])
        })
        .collect()
}

/// Whether a stage can make factors. With a table, as of a leaky function, all channels would share how far they reach
/// to either side of 0, which costs more than factors give.
fn makes(stage: &Stage) -> bool {
    !matches!(stage.op, Op::Input(_) | Op::Copy { .. })
        && stage.shape.c > 1
        && (stage.function == Function::X
            || stage.function == Function::relu()
            || stage.function.inverse_sqrt_epsilon().is_some())
}

/// Whether a stage can take the factors of one that it reads.
fn takes(reader: &Stage, source: &Stage) -> bool {
    match &reader.op {
        Op::Multiply { .. } | Op::Reduce { .. } => reader.shape.c == source.shape.c,
        // One root has the factors that its table allows.
        Op::Add { .. } => reader.shape.c == source.shape.c && source.function.inverse_sqrt_epsilon().is_none(),
        Op::Product { .. } => true,
        Op::Input(_) | Op::Copy { .. } => false,
    }
}
