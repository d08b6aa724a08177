//! The naive interpreter of a model file: whole maps, i64 sums, one loop for each index, nothing clever. The runtime
//! and every kernel are compared with it, value by value. Of the runtime it takes the types of the graph and nothing
//! else.

use edgegen_runtime::Model;
use edgegen_runtime::graph::{Axis, Border, Copy, Input, Join, Node, Product, Reduce, Rounding, Shape, Source};

/// All nodes of a model, each `[h, w, c]`; the last is the image. `inputs` are the codes of its inputs other than
/// constants, in the order of the nodes.
pub fn trace(model: &Model<'_>, inputs: &[Vec<i8>]) -> Vec<Vec<i8>> {
    let nodes = model.nodes();
    let mut inputs = inputs.iter();
    let mut maps: Vec<Vec<i8>> = Vec::with_capacity(nodes.len());
    for node in nodes {
        let sources: Vec<Map<'_>> = node
            .reads()
            .iter()
            .map(|read| Map::new(&nodes[usize::from(read.source)], &maps[usize::from(read.source)]))
            .collect();
        let row_of = |place: usize, y: usize| taps(&node.reads()[place].rows, y).1[0];
        let values = if let Some(input) = node.parameters::<Input>() {
            match input.source() {
                Some(Source::Constant) => (0..node.shape.len()).map(|i| byte(model, input.values, i)).collect(),
                _ => inputs.next().cloned().unwrap_or_default(),
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
                finish(model, &node.rounding, [1, 0, usize::from(node.shape.c), c], sum)
            })
        } else if let Some(copy) = node.parameters::<Copy>() {
            each(node.shape, |y, x, c| {
                let split = usize::from(copy.split);
                let enlarge = copy.enlarge.map(usize::from);
                let steps = copy.steps.map(usize::from);
                if c >= split {
                    let code = sources[1].value(row_of(1, y), x as i64, c - split);
                    return look_up(model, copy.tables[1], 0, code);
                }
                let column = usize::from(copy.first_column) + x / enlarge[1];
                let channel = usize::from(copy.first_channel)
                    + c * steps[0]
                    + y % enlarge[0] * steps[1]
                    + x % enlarge[1] * steps[2];
                let code = sources[0].value(row_of(0, y), column as i64, channel);
                look_up(model, copy.tables[0], if copy.channel_tables == 1 { channel } else { 0 }, code)
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
                            sum += if reduce.square == 1 { value * value } else { value };
                        }
                    }
                }
                finish(model, &node.rounding, [1, 0, usize::from(node.shape.c), c], sum)
            })
        } else {
            // No kind that there is.
            Vec::new()
        };
        maps.push(values);
    }
    maps
}

fn dense(model: &Model<'_>, node: &Node, product: &Product, source: &Map<'_>, [y, x, c]: [usize; 3]) -> i8 {
    let [h, w, channels] = [node.shape.h, node.shape.w, node.shape.c].map(usize::from);
    let position = y * w + x;
    let inputs = source.values.len();
    let mut sum = 0;
    for i in 0..inputs {
        let weight = byte(model, product.weights, (position * channels + c) * inputs + i);
        sum += i64::from(weight) * source.value(0, 0, i);
    }
    finish(model, &node.rounding, [h * w, position, channels, c], sum)
}

fn convolution(
    model: &Model<'_>,
    node: &Node,
    product: &Product,
    source: &Map<'_>,
    rows: &Axis,
    [y, x, c]: [usize; 3],
) -> i8 {
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
        finish(model, &node.rounding, [pairs, pair, outputs, c], sum)
    } else {
        finish(model, &node.rounding, [pairs * groups, pair * groups + group, group_outputs, channel], sum)
    }
}

fn each(shape: Shape, value: impl Fn(usize, usize, usize) -> i8) -> Vec<i8> {
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
    values: &'a [i8],
}

impl<'a> Map<'a> {
    fn new(node: &'a Node, values: &'a [i8]) -> Self {
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

/// The output of a code by table `number` of those at an offset, if there is one.
fn look_up(model: &Model<'_>, tables: u32, number: usize, code: i64) -> i8 {
    if tables == Rounding::NO_TABLE { code as i8 } else { byte(model, tables, 256 * number + (code + 128) as usize) }
}

/// Bias, multiplication, rounding, clamp and table.
fn finish(model: &Model<'_>, rounding: &Rounding, [blocks, block, channels, c]: [usize; 4], sum: i64) -> i8 {
    let (blocks, block) = if rounding.shared == 1 { (1, 0) } else { (blocks, block) };
    let word = |index: usize| {
        let start = rounding.channels as usize + 4 * index;
        i64::from(i32::from_le_bytes(core::array::from_fn(|i| model.data()[start + i])))
    };
    let (bias, multiplier) = (word(block * channels + c), word((blocks + block) * channels + c));
    let rounded = ((sum + bias) * multiplier + (1 << 31)).div_euclid(1 << 32);
    let code = (rounded + i64::from(rounding.zero_point)).clamp(i64::from(rounding.low), i64::from(rounding.high));
    look_up(model, rounding.table, 0, code)
}
