//! What stages compute, in float.

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Border, Read};

use super::{CopyMap, Op, Stage, Staged};
use crate::function::Function;
use crate::layers::{Input, dims};

/// What a stage reads: another one's values, `[h, w, c]`.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub values: &'a [f32],
    pub shape: Shape,
    pub border: Border,
}

impl Source<'_> {
    /// The value at a row, column and channel; of one row, column or channel that is spread over more, that one.
    fn spread(&self, [y, x, c]: [usize; 3]) -> f32 {
        let [channels, h, w] = dims(self.shape);
        let at = |place: usize, size: usize| if size == 1 { 0 } else { place };
        self.values[(at(y, h) * w + at(x, w)) * channels + at(c, channels)]
    }
}

impl Staged {
    /// What all stages make of `inputs`, each `[h, w, c]`. The inputs are those of
    /// [`Network::forward`](crate::layers::Network::forward): values of the inputs other than constants, in order, C ×
    /// H × W.
    pub fn trace(&self, inputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let mut values = Vec::with_capacity(self.stages.len());
        self.visit(inputs, |_, _, output| values.push(output.to_vec()));
        values
    }

    /// Calls `visit(index, sums, output)` for each stage in order, with what it computes before and after its function,
    /// `[h, w, c]`. Values that no later stage reads are dropped on the way.
    pub fn visit(&self, inputs: &[Vec<f32>], mut visit: impl FnMut(usize, &[f32], &[f32])) {
        let mut last_read = vec![0; self.stages.len()];
        for (index, stage) in self.stages.iter().enumerate() {
            stage.reads.iter().for_each(|read| last_read[usize::from(read.source)] = index);
        }
        let mut inputs = inputs.iter();
        let mut values: Vec<Vec<f32>> = Vec::with_capacity(self.stages.len());
        for (index, stage) in self.stages.iter().enumerate() {
            let sums = match &stage.op {
                Op::Input(Input::Constant { values, .. }) => interleaved(values, stage.shape),
                Op::Input(_) => interleaved(inputs.next().map_or(&[][..], |values| values), stage.shape),
                _ => self.sums(index, &values),
            };
            let output = if stage.function == Function::X {
                None
            } else {
                Some(sums.iter().map(|&value| stage.function.apply(value)).collect::<Vec<f32>>())
            };
            visit(index, &sums, output.as_ref().unwrap_or(&sums));
            values.push(output.unwrap_or(sums));
            for read in &stage.reads {
                let source = usize::from(read.source);
                if last_read[source] == index {
                    values[source] = Vec::new();
                }
            }
        }
    }

    /// What a stage computes before its function, `[h, w, c]`; `values` are those of the stages before it, after
    /// theirs. Of an input they are its own.
    pub fn sums(&self, index: usize, values: &[Vec<f32>]) -> Vec<f32> {
        let stage = &self.stages[index];
        let source = |read: &Read| {
            let source = &self.stages[usize::from(read.source)];
            Source { values: &values[usize::from(read.source)], shape: source.shape, border: source.border }
        };
        let sources: Vec<Source<'_>> = stage.reads.iter().map(source).collect();
        match (&stage.op, &sources[..]) {
            (Op::Input(_), _) => values[index].clone(),
            (Op::Product { columns, groups, blocks }, [source]) => stage.product(columns, *groups, blocks, *source),
            (Op::Add { scales, scale, bias }, [a, b]) => stage.each(|place| {
                let sum = scales[0] * a.spread(place) + scales[1] * b.spread(place);
                scale[place[2]] * sum + bias[place[2]]
            }),
            (Op::Multiply { scale, bias }, [a, b]) => {
                stage.each(|place| scale[place[2]] * a.spread(place) * b.spread(place) + bias[place[2]])
            }
            (Op::Copy { map, functions }, [first, rest @ ..]) => {
                stage.copy(map, functions, *first, rest.first().copied())
            }
            (Op::Reduce { map, square }, [source]) => stage.reduce(*map, *square, *source),
            // No stage has another number of reads.
            _ => Vec::new(),
        }
    }
}

/// What `work` makes of each of `examples`, in order; as many threads as this computer has share them.
pub fn each_example<E: Sync, R: Send>(examples: &[E], work: impl Fn(&E) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, core::num::NonZero::get);
    let each = &|part: &[E]| part.iter().map(&work).collect::<Vec<R>>();
    if threads == 1 || examples.len() < 2 {
        return each(examples);
    }
    let parts = examples.chunks(examples.len().div_ceil(threads));
    std::thread::scope(|scope| {
        let threads: Vec<_> = parts.map(|part| scope.spawn(move || each(part))).collect();
        let join = |thread: std::thread::ScopedJoinHandle<'_, Vec<R>>| match thread.join() {
            Ok(results) => results,
            Err(panic) => std::panic::resume_unwind(panic),
        };
        threads.into_iter().flat_map(join).collect()
    })
}

impl Stage {
    /// The values that `value` gives for each row, column and channel.
    fn each(&self, value: impl Fn([usize; 3]) -> f32) -> Vec<f32> {
        let [c, h, w] = dims(self.shape);
        let pixels = (0..h).flat_map(|y| (0..w).map(move |x| (y, x)));
        pixels.flat_map(|(y, x)| (0..c).map(move |c| [y, x, c])).map(value).collect()
    }

    fn copy(&self, map: &CopyMap, functions: &[Function], first: Source<'_>, second: Option<Source<'_>>) -> Vec<f32> {
        let row = |read: usize, y: usize| self.reads[read].rows.reads(y as u16).map_or(0, |(row, _)| row as usize);
        let value = |source: Source<'_>, y: usize, x: usize, c: usize| {
            source.values[(y * usize::from(source.shape.w) + x) * usize::from(source.shape.c) + c]
        };
        self.each(|[y, x, c]| {
            let Some(second) = second.filter(|_| c >= map.split) else {
                let [of_channel, of_row, of_column] = map.steps;
                let (row_in_block, column_in_block) = (y % map.enlarge[0], x % map.enlarge[1]);
                let channel = map.first_channel + c * of_channel + row_in_block * of_row + column_in_block * of_column;
                let value = value(first, row(0, y), map.first_column + x / map.enlarge[1], channel);
                return functions.get(channel).map_or(value, |function| function.apply(value));
            };
            value(second, row(1, y), x, c - map.split)
        })
    }

    /// Means, summed up with 64 bits.
    fn reduce(&self, map: bool, square: bool, source: Source<'_>) -> Vec<f32> {
        let [channels, _, _] = dims(source.shape);
        let groups = usize::from(self.shape.c);
        let per_group = channels / groups;
        let mut sums = vec![0.0f64; self.shape.len()];
        for (pixel, values) in source.values.chunks_exact(channels).enumerate() {
            let sums = if map { &mut sums[..] } else { &mut sums[pixel * groups..][..groups] };
            for (sum, group) in sums.iter_mut().zip(values.chunks_exact(per_group)) {
                let term = |value: f64| if square { value * value } else { value };
                *sum += group.iter().map(|&value| term(f64::from(value))).sum::<f64>();
            }
        }
        let pixels = if map { source.values.len() / channels } else { 1 };
        sums.iter().map(|sum| (sum / (per_group * pixels) as f64) as f32).collect()
    }
}

/// C × H × W as H × W × C.
fn interleaved(values: &[f32], shape: Shape) -> Vec<f32> {
    let [c, h, w] = dims(shape);
    (0..values.len()).map(|i| values[i % c * h * w + i / c]).collect()
}
