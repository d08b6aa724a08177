//! What operators take that the layers of [`crate::workload`] do not have: each as the difference of two models, with it
//! and without, on a map of 32×32×32.

use anyhow::Result;
use edgegen_export::calibrate::Code;
use edgegen_export::pack::pack;
use edgegen_export::quantize::{QuantizedOp, QuantizedStage, Sums};
use edgegen_export::stage::CopyMap;
use edgegen_export::{Label, ModelFile, image, repack};
use edgegen_runtime::graph::{Axis, Border, Input, Phases, Prior, Read, Source, Width};
use edgegen_runtime::{Model, Packing, Shape};
use edgegen_sim::Cpu;
use edgegen_tests::Values;

use crate::board::Bench;

/// The map.
const MAP: Shape = Shape { h: 32, w: 32, c: 32 };
/// A value for each of its channels.
const VECTOR: Shape = Shape { h: 1, w: 1, c: MAP.c };
/// Not 0, as it is of most maps.
const ZERO_POINT: i8 = 5;

/// An operator of the table.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    /// As the table calls it.
    pub name: &'static str,
    /// What instructions are counted for: values of the map, or useful products.
    pub units: u64,
    /// Adds it to stages of which the first two are the map and the vector. It reads the last map.
    add: fn(&mut Stages),
    /// The codes that it reads and makes.
    width: Width,
    /// On Cortex-M0, M4 and M55.
    aims: [Aim; 3],
}

/// What we aim for on a core.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Aim {
    /// Instructions for each unit at most.
    pub most: f64,
    /// What keeps the kernel from it, where anything does.
    pub reason: &'static str,
}

/// The rows of the table.
pub const OPERATORS: [Operator; 9] = [
    Operator {
        name: "join: two maps added",
        units: VALUES,
        add: |stages| stages.join(false, 0),
        width: Width::Int8,
        aims: JOIN,
    },
    Operator {
        name: "join: the same, all channels rounded alike",
        units: VALUES,
        add: Stages::residual,
        width: Width::Int8,
        aims: JOIN,
    },
    Operator {
        name: "join: a vector added",
        units: VALUES,
        add: |stages| stages.join(false, 1),
        width: Width::Int8,
        aims: JOIN,
    },
    Operator {
        name: "join: times a vector",
        units: VALUES,
        add: |stages| stages.join(true, 1),
        width: Width::Int8,
        aims: JOIN,
    },
    Operator {
        name: "reduce: mean of a map",
        units: VALUES,
        add: |stages| stages.reduce(false),
        width: Width::Int8,
        aims: [
            aim(8.0, ""),
            aim(4.0, ""),
            aim(
                0.6,
                "6 instructions for 16 values, and a call for each row and 16 channels that loads and stores their sums",
            ),
        ],
    },
    Operator {
        name: "reduce: mean of squares",
        units: VALUES,
        add: |stages| stages.reduce(true),
        width: Width::Int8,
        aims: [
            aim(8.0, ""),
            aim(4.0, ""),
            aim(
                0.6,
                "values less a zero point have 9 bits, their squares 17, so a vector has four: 18 instructions for 16",
            ),
        ],
    },
    Operator {
        name: "copy through a table",
        units: VALUES,
        add: |stages| stages.copy(Width::Int8),
        width: Width::Int8,
        aims: [aim(6.0, ""), aim(4.0, ""), aim(1.0, "")],
    },
    Operator {
        name: "product: depthwise 3×3",
        units: 9 * VALUES,
        add: Stages::depthwise,
        width: Width::Int8,
        aims: [
            aim(5.0, "23 instructions for 6 products, and for each 18 another 66 that round and store two values"),
            aim(2.5, "13 instructions for 8 products, and for each 36 another 36 that round and store four values"),
            aim(0.5, "28 instructions for 32 products, and for each 144 another 62 that round and store 16 values"),
        ],
    },
    INT16,
];

/// The convolution of int16 codes.
pub const INT16: Operator = Operator {
    name: "product: 3×3 of int16 codes",
    units: 9 * 32 * VALUES,
    add: Stages::wide,
    width: Width::Int16,
    aims: [
        aim(3.5, "15 instructions for 4 products: each value is loaded, multiplied and added, which alone is 12"),
        aim(1.3, "36 instructions for 32 products, and a call for each channel of four pixels"),
        aim(
            0.35,
            "10 instructions for 32 products, and a call for each channel of four pixels, whose lanes take 18 each",
        ),
    ],
};

const VALUES: u64 = 32 * 32 * 32;
const JOIN: [Aim; 3] = [
    aim(12.0, "11.25 instructions a value beside a vector, 15.5 beside a map, and 64 or 55 a channel of each row"),
    aim(6.0, "34 instructions for 4 values, 38 for products: 13 make sums, 21 round, clamp and store them"),
    aim(1.0, "sums have 32 bits, so a vector has four: 12 instructions and 21 a pixel, 10 and none if rounded alike"),
];

const fn aim(most: f64, reason: &'static str) -> Aim {
    Aim { most, reason }
}

impl Operator {
    /// What we aim for on a core, where anything.
    pub fn aim(&self, cpu: Cpu) -> Option<Aim> {
        let place = [Cpu::CortexM0, Cpu::CortexM4, Cpu::CortexM55].into_iter().position(|core| core == cpu)?;
        Some(self.aims[place])
    }

    /// Instructions of the operator on the whole map.
    ///
    /// # Errors
    ///
    /// Those of [`Bench::count`]; the images are compared with those made here.
    pub fn count(&self, bench: &Bench, packing: Packing) -> Result<u64> {
        let rows = |more: bool| {
            let file = self.model(more)?;
            let image = image(&Model::parse(file.bytes())?, 1);
            Ok::<_, anyhow::Error>(bench.count(&repack(&file, packing)?, Some(&image))?.rows())
        };
        Ok(rows(true)?.saturating_sub(rows(false)?))
    }

    /// The map through a table, and with `more` the operator on that; through another one where its codes are int16.
    ///
    /// # Errors
    ///
    /// None that these stages cause.
    pub fn model(&self, more: bool) -> Result<ModelFile> {
        let mut stages = Stages::new();
        stages.copy(self.width);
        if more {
            (self.add)(&mut stages);
        }
        if self.width == Width::Int16 {
            stages.copy(Width::Int8);
        }
        Ok(pack(&stages.list, Label { name: "bench", metadata: &[] })?)
    }
}

/// Stages so far, and where their numbers come from.
struct Stages {
    list: Vec<QuantizedStage>,
    values: Values,
}

impl Stages {
    fn new() -> Self {
        let mut stages = Self { list: Vec::new(), values: Values(32) };
        for shape in [MAP, VECTOR] {
            let input = Input {
                source: Source::Constant as u16,
                prior: Prior::Gaussian as u16,
                dims: 0,
                pictures: 0,
                values: 0,
            };
            let values = stages.codes(shape.len()).into_iter().map(i16::from).collect();
            stages.push(shape, Width::Int8, QuantizedOp::Input { input, values }, vec![]);
        }
        stages
    }

    fn join(&mut self, multiply: bool, other: u16) {
        let factors = if multiply { [0; 2] } else { [700, -500] };
        // So that a few codes in a hundred are clamped.
        let sums = self.sums(if multiply { 1e-2 } else { 1e-3 });
        let other = if other == 1 { Read::first(other) } else { Read::same(other) };
        let reads = vec![self.last(Axis::SAME), other];
        self.push(MAP, Width::Int8, QuantizedOp::Join { multiply, factors, sums }, reads);
    }

    /// Two maps added as a residual is: nothing differs from channel to channel.
    fn residual(&mut self) {
        self.join(false, 0);
        if let Some(QuantizedOp::Join { sums, .. }) = self.list.last_mut().map(|stage| &mut stage.op) {
            let first = sums.bias.first().copied().unwrap_or_default();
            sums.bias.fill(first);
        }
    }

    fn reduce(&mut self, square: bool) {
        let rows = Axis { step: 0, dilation: 1, phases: Phases::one(0, MAP.h) };
        let sums = self.sums(if square { 1e-5 } else { 1e-3 });
        let reads = vec![self.last(rows)];
        self.push(VECTOR, Width::Int8, QuantizedOp::Reduce { map: true, square, sums }, reads);
    }

    fn copy(&mut self, width: Width) {
        let map = CopyMap::identity(MAP.c.into());
        let from_wide = self.list.last().is_some_and(|stage| stage.codes.code.is_wide());
        let (entries, scale) = match (from_wide, width) {
            (false, Width::Int8) => (256, 1),
            (false, Width::Int16) => (256, 256),
            (true, _) => (257, 256),
        };
        let tables = [vec![self.codes(entries).into_iter().map(|code| scale * i16::from(code)).collect()], vec![]];
        let reads = vec![self.last(Axis::SAME)];
        self.push(MAP, width, QuantizedOp::Copy { map, tables }, reads);
    }

    fn wide(&mut self) {
        let axis = Axis { phases: Phases::one(-1, 3), ..Axis::SAME };
        let weights = self.codes(9 * usize::from(MAP.c) * usize::from(MAP.c));
        let sums = Sums { zero_point: 0, limits: [i8::MIN, i8::MAX], ..self.sums(3.5e-4) };
        let reads = vec![self.last(axis)];
        self.push(MAP, Width::Int16, QuantizedOp::Product { columns: axis, groups: 1, weights, sums }, reads);
    }

    fn depthwise(&mut self) {
        let axis = Axis { phases: Phases::one(-1, 3), ..Axis::SAME };
        let (weights, sums) = (self.codes(9 * usize::from(MAP.c)), self.sums(3e-3));
        let reads = vec![self.last(axis)];
        self.push(MAP, Width::Int8, QuantizedOp::Product { columns: axis, groups: MAP.c.into(), weights, sums }, reads);
    }

    /// A read of the last stage that is a map, all of whose rows `rows` tells.
    fn last(&self, rows: Axis) -> Read {
        let last = self.list.iter().rposition(|stage| stage.shape == MAP).unwrap_or(0);
        Read { source: last as u16, rows }
    }

    fn sums(&mut self, scale: f64) -> Sums {
        let channels = usize::from(MAP.c);
        let bias = self.codes(channels).into_iter().map(i32::from).collect();
        let multiplier = vec![(scale * 2f64.powi(32)) as i32; channels];
        Sums { shared: true, bias, multiplier, zero_point: ZERO_POINT, limits: [-127, 127], table: None }
    }

    /// Codes from −127 to 127.
    fn codes(&mut self, count: usize) -> Vec<i8> {
        self.values.take(count).iter().map(|value| (127.0 * value).round().clamp(-127.0, 127.0) as i8).collect()
    }

    fn push(&mut self, shape: Shape, width: Width, op: QuantizedOp, reads: Vec<Read>) {
        let code = if width == Width::Int8 { Code::int8(1.0, ZERO_POINT) } else { Code::int16(1.0) };
        let codes = code.into();
        self.list.push(QuantizedStage { name: String::new(), shape, op, reads, border: Border::Zero, codes });
    }
}

#[cfg(test)]
mod tests {
    use edgegen_export::{cost, reference};

    use super::*;

    #[test]
    fn each_model_has_the_operator_and_draws_what_is_defined() {
        let named = [
            "add",
            "add",
            "add",
            "multiply",
            "mean of the map",
            "mean of squares of the map",
            "copy",
            "conv 3×3 in 32 groups",
            "conv 3×3, int16",
        ];
        for (operator, name) in OPERATORS.iter().zip(named) {
            let file = operator.model(true).expect("it can be packed");
            let model = Model::parse(file.bytes()).expect("it can be parsed");
            let cost = cost::cost(&model);
            assert!(cost.ops.iter().rev().take(2).any(|op| op.op == name), "{name}");
            if name.starts_with("conv") {
                assert_eq!(cost.macs, operator.units);
            }
            let image = image(&model, 1);
            let defined = reference::trace(&model, &[]).pop().expect("there are nodes");
            assert_eq!(image.len(), defined.len(), "{}", operator.name);
            assert!(image.iter().zip(&defined).all(|(&byte, &code)| byte == code as u8), "{}", operator.name);
            // Neither one code nor all of them clamped.
            let clamped = defined.iter().filter(|code| code.unsigned_abs() == 127).count();
            assert!(clamped * 5 < defined.len(), "{}: {clamped} of {}", operator.name, defined.len());
        }
    }
}
