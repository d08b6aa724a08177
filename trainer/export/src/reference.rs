//! The naive interpreter of a model file: whole maps, i64 sums, one loop for each index, nothing clever. The runtime
//! and every kernel are compared with it, value by value. Of the runtime it takes the types of the graph and nothing
//! else.

use edgegen_runtime::Model;
use edgegen_runtime::graph::{Axis, Border, Copy, Input, Join, Node, Product, Reduce, Rounding, Shape, Source};

/// All nodes of a model, each `[h, w, c]`; the last is the image. `inputs` are the codes of its inputs other than
/// constants, in the order of the nodes.
pub fn trace(model: &Model<'_>, inputs: &[Vec<i8>]) -> Vec<Vec<i16>> {
    let nodes = model.nodes();
    let mut inputs = inputs.iter();
    let mut maps: Vec<Vec<i16>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let sources: Vec<Map<'_>> = node
            .reads()
            .iter()
            .map(|read| Map::new(&nodes[usize::from(read.source)], &maps[usize::from(read.source)]))
            .collect();
        let row_of = |place: usize, y: usize| taps(&node.reads()[place].rows, y).1[0];
        let values = if let Some(input) = node.parameters::<Input>() {
            match input.source() {
                Some(Source::Constant) => (0..node.shape.len()).map(|i| code(model, node, input.values, i)).collect(),
                _ => inputs.next().map_or(vec![], |codes| codes.iter().map(|&code| code.into()).collect()),
            }
        } else if let Some(product) = node.parameters::<Product>() {
            let rows = node.reads()[0].rows;
            if product.columns.phases.is_empty() {
                each(node.shape, |y, x, c| dense(model, node, product, &sources[0], [y, x, c]))
            } else {
                each(node.shape, |y, x, c| convolution(model, node, product, &sources[0], &rows, [y, x, c]))
            }
        } else if let Some(join) = node.parameters::<Join>() {
            each(node.shape, |y, x, c| {
                let [a, b] = [0, 1].map(|place| sources[place].spread(row_of(place, y), x, c));
                let zero_points = [0, 1].map(|place| i64::from(sources[place].node.zero_point));
                let sum = if join.multiply == 1 {
                    (a - zero_points[0]) * (b - zero_points[1])
                } else {
                    i64::from(join.factors[0]) * a + i64::from(join.factors[1]) * b
                };
                // Without 8 bits where a product of two int16 codes, or a sum with one, would leave no room.
                let int16 = [0, 1].map(|place| sources[place].node.width == 1);
                let shorter = if join.multiply == 1 { int16 == [true; 2] } else { int16 != [false; 2] };
                let sum = if shorter { (sum + (1 << 7)).div_euclid(1 << 8) } else { sum };
                finish(model, node, [1, 0, usize::from(node.shape.c), c], sum)
            })
        } else if let Some(copy) = node.parameters::<Copy>() {
            each(node.shape, |y, x, c| {
                let split = usize::from(copy.split);
                let enlarge = copy.enlarge.map(usize::from);
                let steps = copy.steps.map(usize::from);
                if c >= split {
                    let code = sources[1].value(row_of(1, y), x as i64, c - split);
                    return look_up(model, copy.tables[1], 0, code, [sources[1].node, node]);
                }
                let column = usize::from(copy.first_column) + x / enlarge[1];
                let channel = usize::from(copy.first_channel)
                    + c * steps[0]
                    + y % enlarge[0] * steps[1]
                    + x % enlarge[1] * steps[2];
                let code = sources[0].value(row_of(0, y), column as i64, channel);
                let number = if copy.channel_tables == 1 { channel } else { 0 };
                look_up(model, copy.tables[0], number, code, [sources[0].node, node])
            })
        } else if let Some(reduce) = node.parameters::<Reduce>() {
            each(node.shape, |y, x, c| {
                let Shape { h, w, c: channels } = sources[0].node.shape;
                let [h, w] = [h, w].map(usize::from);
                let group = usize::from(channels) / usize::from(node.shape.c);
                let (rows, columns) = if reduce.map == 1 { (0..h, 0..w) } else { (y..y + 1, x..x + 1) };
                let mut sum = 0;
                for row in rows {
                    for column in columns.clone() {
                        for channel in c * group..(c + 1) * group {
                            let code = sources[0].value(row as i64, column as i64, channel);
                            let value = code - i64::from(sources[0].node.zero_point);
                            sum += match (reduce.square, sources[0].node.width) {
                                (0, _) => value,
                                (_, 0) => value * value,
                                // Without 14 bits.
                                _ => (value * value + (1 << 13)).div_euclid(1 << 14),
                            };
                        }
                    }
                }
                finish(model, node, [1, 0, usize::from(node.shape.c), c], sum)
            })
        } else {
            // No kind that there is.
            Vec::new()
        };
        maps.push(values);
    }
    maps
}

/// The image that [`trace`] ends with, `[h, w, c]` bytes.
pub fn image(model: &Model<'_>, inputs: &[Vec<i8>]) -> Vec<u8> {
    trace(model, inputs).pop().unwrap_or_default().into_iter().map(|code| code as u8).collect()
}

fn dense(model: &Model<'_>, node: &Node, product: &Product, source: &Map<'_>, [y, x, c]: [usize; 3]) -> i16 {
    let [h, w, channels] = [node.shape.h, node.shape.w, node.shape.c].map(usize::from);
    let position = y * w + x;
    let inputs = source.values.len();
    let mut sum = 0;
    for i in 0..inputs {
        let weight = byte(model, product.weights, (position * channels + c) * inputs + i);
        sum += i64::from(weight) * source.value(0, 0, i);
    }
    finish(model, node, [h * w, position, channels, c], sum)
}

fn convolution(
    model: &Model<'_>,
    node: &Node,
    product: &Product,
    source: &Map<'_>,
    rows: &Axis,
    [y, x, c]: [usize; 3],
) -> i16 {
    let columns = &product.columns;
    let (phase_y, taps_y) = taps(rows, y);
    let (phase_x, taps_x) = taps(columns, x);
    let (inputs, outputs) = (usize::from(source.node.shape.c), usize::from(node.shape.c));
    let groups = usize::from(product.groups);
    let before = |axis: &Axis, phase: usize| axis.phases[..phase].iter().map(|p| usize::from(p.taps)).sum::<usize>();
    // Pairs of taps in the phases before.
    let taps_before =
        before(rows, phase_y) * before(columns, columns.phases.len()) + taps_y.len() * before(columns, phase_x);
    let pair = phase_y * columns.phases.len() + phase_x;
    let pairs = rows.phases.len() * columns.phases.len();
    let depthwise = groups > 1 && groups == inputs && groups == outputs;
    let (group_inputs, group_outputs) = (inputs / groups, outputs / groups);
    let (group, channel) = (c / group_outputs, c % group_outputs);
    let mut sum = 0;
    for (ky, &row) in taps_y.iter().enumerate() {
        for (kx, &column) in taps_x.iter().enumerate() {
            let tap = ky * taps_x.len() + kx;
            for i in 0..group_inputs {
                let index = if depthwise {
                    (taps_before + tap) * outputs + c
                } else {
                    let all_taps = taps_y.len() * taps_x.len();
                    taps_before * outputs * group_inputs
                        + ((group * group_outputs + channel) * all_taps + tap) * group_inputs
                        + i
                };
                let weight = byte(model, product.weights, index);
                sum += i64::from(weight) * source.value(row, column, group * group_inputs + i);
            }
        }
    }
    if depthwise {
        finish(model, node, [pairs, pair, outputs, c], sum)
    } else {
        finish(model, node, [pairs * groups, pair * groups + group, group_outputs, channel], sum)
    }
}

fn each(shape: Shape, value: impl Fn(usize, usize, usize) -> i16) -> Vec<i16> {
    let (w, c) = (usize::from(shape.w), usize::from(shape.c));
    (0..shape.len()).map(|i| value(i / (w * c), i / c % w, i % c)).collect()
}

/// Phase of an output position and the input positions it reads.
fn taps(axis: &Axis, position: usize) -> (usize, Vec<i64>) {
    let (phase, index) = (position % axis.phases.len(), position / axis.phases.len());
    let first = index as i64 * i64::from(axis.step) + i64::from(axis.phases[phase].start);
    (phase, (0..i64::from(axis.phases[phase].taps)).map(|tap| first + tap * i64::from(axis.dilation)).collect())
}

/// What a node made.
struct Map<'a> {
    node: &'a Node,
    values: &'a [i16],
}

impl<'a> Map<'a> {
    fn new(node: &'a Node, values: &'a [i16]) -> Self {
        Self { node, values }
    }

    /// A value; what stands in the border outside of the map.
    fn value(&self, y: i64, x: i64, c: usize) -> i64 {
        let (h, w) = (i64::from(self.node.shape.h), i64::from(self.node.shape.w));
        let inside = |at: i64, size: i64| {
            if (0..size).contains(&at) {
                return Some(at);
            }
            match self.node.border {
                border if border == Border::Reflect as u8 => Some(if at < 0 { -at } else { 2 * (size - 1) - at }),
                border if border == Border::Repeat as u8 => Some(if at < 0 { 0 } else { size - 1 }),
                _ => None,
            }
        };
        match (inside(y, h), inside(x, w)) {
            (Some(y), Some(x)) => i64::from(self.values[(y * w + x) as usize * usize::from(self.node.shape.c) + c]),
            _ => i64::from(self.node.zero_point),
        }
    }

    /// A value of a map that may have one column or one channel for all.
    fn spread(&self, y: i64, x: usize, c: usize) -> i64 {
        let Shape { w, c: channels, .. } = self.node.shape;
        self.value(y, if w == 1 { 0 } else { x as i64 }, if channels == 1 { 0 } else { c })
    }
}

fn byte(model: &Model<'_>, offset: u32, index: usize) -> i8 {
    model.data()[offset as usize + index] as i8
}

/// Number `index` of the codes of a node at an offset.
fn code(model: &Model<'_>, node: &Node, offset: u32, index: usize) -> i16 {
    if node.width == 0 {
        return byte(model, offset, index).into();
    }
    let [low, high] = [0, 1].map(|half| byte(model, offset, 2 * index + half));
    i16::from(high) * 256 + i16::from(low as u8)
}

/// The output of a code by table `number` of those at an offset, if there is one; from the codes of a node to those of
/// another.
fn look_up(model: &Model<'_>, tables: u32, number: usize, found: i64, [from, to]: [&Node; 2]) -> i16 {
    if tables == Rounding::NO_TABLE {
        return found as i16;
    }
    if from.width == 0 {
        return code(model, to, tables, 256 * number + (found + 128) as usize);
    }
    // In proportion between two entries.
    let (index, part) = ((found + 32768) as usize / 256, found.rem_euclid(256));
    let entry = |index: usize| i64::from(code(model, from, tables, 257 * number + index));
    let value = (entry(index) * (256 - part) + entry(index + 1) * part + 128).div_euclid(256);
    // A grey level, 256 times and less 128, or a code.
    if to.width == 0 { (value + 128).div_euclid(256).min(127) as i16 + 128 } else { value as i16 }
}

/// Bias, multiplication, rounding, clamp and table.
fn finish(model: &Model<'_>, node: &Node, [blocks, block, channels, c]: [usize; 4], sum: i64) -> i16 {
    let rounding = &node.rounding;
    let (blocks, block) = if rounding.shared == 1 { (1, 0) } else { (blocks, block) };
    let word = |index: usize| {
        let start = rounding.channels as usize + 4 * index;
        i64::from(i32::from_le_bytes(core::array::from_fn(|i| model.data()[start + i])))
    };
    let (bias, multiplier) = (word(block * channels + c), word((blocks + block) * channels + c));
    let rounded = ((sum + bias) * multiplier + (1 << 31)).div_euclid(1 << 32);
    let [low, high] = [rounding.low, rounding.high].map(i64::from);
    let [low, high] = if node.width == 0 { [low, high] } else { [256 * low, 256 * high + 255] };
    let code = (rounded + i64::from(rounding.zero_point)).clamp(low, high);
    look_up(model, rounding.table, 0, code, [node, node])
}
