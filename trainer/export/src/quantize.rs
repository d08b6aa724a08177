//! From float stages to integers: int8 weights, i32 biases, multipliers and tables; values are int8 or int16 codes.
//!
//! | module | what it quantizes |
//! |---|---|
//! | [`product`] | weights, which differ most |
//! | [`join`] | sums and products of two |
//! | [`reduce`] | means |
//! | [`copy`] | tables |
//!
//! The sums of a product, a join or a mean come in a unit u of each channel, the value of 1 of its i32 sum. What is
//! common to them stands here: with the code (sₒ, zₒ) and the factor f of the channel,
//!
//! ```text
//! bias       = round(b / u) − what zero points of the sources add
//! multiplier = round(u / (sₒ f) · 2³²)                      below 2³¹ in magnitude, negative where u is
//! ```
//!
//! A function 1/√(x + ε) of sums has its ε, and the offset of a code that comes nowhere near 0, in the bias: then one
//! table of 1/√x serves all channels, whatever their factors.

use edgegen_runtime::fixed::LEAST_CODE;
use edgegen_runtime::graph::{Axis, Border, Input as Source, Latent, Prior, Read, Shape};

use crate::calibrate::{Code, Codes, StageCodes, clamp_of};
use crate::error::ExportError;
use crate::function::Function;
use crate::layers::{Input, PixelRange};
use crate::stage::{CopyMap, Op, Stage, Staged};

pub mod copy;
pub mod join;
pub mod product;
pub mod reduce;

/// The largest bias: beside it there is room for what is summed up.
const BIAS_LIMIT: f64 = (1u32 << 30) as f64;

/// A stage in integers.
#[derive(Clone, Debug, PartialEq)]
pub struct QuantizedStage {
    /// As that of the float stage.
    pub name: String,
    /// Shape of what it makes.
    pub shape: Shape,
    /// What it computes.
    pub op: QuantizedOp,
    /// What it reads.
    pub reads: Vec<Read>,
    /// What its readers find beside it.
    pub border: Border,
    /// What is stored.
    pub codes: Codes,
}

/// The operator of a stage; see [`edgegen_runtime::graph`].
#[derive(Clone, Debug, PartialEq)]
pub enum QuantizedOp {
    /// Where a network starts.
    Input {
        /// Where its values come from; the offset of a constant's is not known yet.
        input: Source,
        /// Codes of a constant, `[h, w, c]`.
        values: Vec<i16>,
    },
    /// Weights times what a pixel reads.
    Product {
        /// Over the pixels of a row.
        columns: Axis,
        /// Groups of channels.
        groups: usize,
        /// Weights of all blocks.
        weights: Vec<i8>,
        /// How its sums become codes.
        sums: Sums,
    },
    /// The sum or product of two.
    Join {
        /// Whether it is the product.
        multiply: bool,
        /// Factors of a sum.
        factors: [i16; 2],
        /// How its sums become codes.
        sums: Sums,
    },
    /// One value of one of the sources.
    Copy {
        /// Which one.
        map: CopyMap,
        /// For each source a table, or none where it keeps its codes; of the first perhaps one for each channel.
        tables: [Vec<Table>; 2],
    },
    /// A mean.
    Reduce {
        /// Over all pixels.
        map: bool,
        /// Of squares.
        square: bool,
        /// How its sums become codes.
        sums: Sums,
    },
}

/// Outputs for the codes of what it is applied to: 256 of int8 codes, 257 of int16 codes. See
/// [`edgegen_runtime::graph::Copy::tables`].
pub type Table = Vec<i16>;

/// How i32 sums become codes again; see [`edgegen_runtime::graph::Rounding`].
#[derive(Clone, Debug, PartialEq)]
pub struct Sums {
    /// Whether all blocks share biases and multipliers.
    pub shared: bool,
    /// `[block, channel]`, or `[channel]` when shared.
    pub bias: Vec<i32>,
    /// As `bias`.
    pub multiplier: Vec<i32>,
    /// What a sum of 0 becomes.
    pub zero_point: i8,
    /// Least and greatest code before the table, or their high bytes.
    pub limits: [i8; 2],
    /// Applied last.
    pub table: Option<Table>,
}

/// Quantizes every stage with the codes of [`crate::calibrate::calibrate`].
///
/// # Errors
///
/// When a bias is too large for 32 bits, which no trained network comes near, a weight is not finite, or sums may leave
/// 32 bits; and where the image is an input.
pub fn quantize(staged: &Staged, codes: &[StageCodes]) -> Result<Vec<QuantizedStage>, ExportError> {
    let mut stages: Vec<QuantizedStage> = Vec::with_capacity(staged.stages.len());
    for (index, (stage, codes)) in staged.stages.iter().zip(codes).enumerate() {
        let last = index + 1 == staged.stages.len();
        let pixels = last.then_some(staged.pixels);
        let sources = stage.reads.iter().map(|read| stages.get(usize::from(read.source)));
        let sources: Vec<&QuantizedStage> =
            sources.collect::<Option<_>>().ok_or_else(|| ExportError::Order { stage: stage.name.clone() })?;
        let (op, codes) = match (&stage.op, sources.as_slice()) {
            (Op::Input(_), _) if last => return Err(ExportError::NoImage { stage: stage.name.clone() }),
            (Op::Input(input), _) => (source(input, stage.shape, codes.output.code)?, codes.output.clone()),
            (Op::Product { columns, groups, blocks }, &[source]) => {
                let (weights, sums, codes) = product::quantize(stage, *groups, blocks, source, codes, pixels)?;
                (QuantizedOp::Product { columns: *columns, groups: *groups, weights, sums }, codes)
            }
            (Op::Add { scales, scale, bias }, &[a, b]) => {
                let (factors, sums, codes) = join::add(stage, *scales, [scale, bias], [a, b], codes, pixels)?;
                (QuantizedOp::Join { multiply: false, factors, sums }, codes)
            }
            (Op::Multiply { scale, bias }, &[a, b]) => {
                let (sums, codes) = join::multiply(stage, [scale, bias], [a, b], codes, pixels)?;
                (QuantizedOp::Join { multiply: true, factors: [0; 2], sums }, codes)
            }
            (Op::Copy { map, functions }, [_] | [_, _]) => {
                let (tables, codes) = copy::quantize(stage, functions, &sources, codes, pixels);
                (QuantizedOp::Copy { map: *map, tables }, codes)
            }
            (Op::Reduce { map, square }, &[source]) => {
                let (sums, codes) = reduce::quantize(stage, *square, source, codes, pixels)?;
                (QuantizedOp::Reduce { map: *map, square: *square, sums }, codes)
            }
            _ => return Err(ExportError::Order { stage: stage.name.clone() }),
        };
        let (name, reads) = (stage.name.clone(), stage.reads.clone());
        stages.push(QuantizedStage { name, shape: stage.shape, op, reads, border: stage.border, codes });
    }
    Ok(stages)
}

/// An input as the file says it.
fn source(input: &Input, shape: Shape, code: Code) -> Result<QuantizedOp, ExportError> {
    use edgegen_runtime::graph::Source as Kind;
    let limit = usize::from(u16::MAX);
    let small =
        |what: &'static str, found: usize| u16::try_from(found).map_err(|_| ExportError::Limit { what, limit, found });
    let of = |source: Kind, prior: Prior, dims: u16| Source {
        source: source as u16,
        prior: prior as u16,
        dims,
        pictures: 0,
        values: 0,
    };
    let input_of = |latent: Latent| of(Kind::Latent, latent.prior, latent.dims);
    Ok(match input {
        Input::Latent(latent) => {
            small("latent values and classes", latent.width())?;
            let dims = small("latent values", latent.dims)?;
            QuantizedOp::Input { input: input_of(Latent { prior: latent.prior, dims }), values: vec![] }
        }
        Input::Class { classes, stride } => {
            small("combinations of classes", classes.saturating_mul(*stride))?;
            QuantizedOp::Input { input: of(Kind::Class, Prior::Gaussian, *stride as u16), values: vec![] }
        }
        Input::Style { prior, dims } => {
            let dims = small("values of a style", *dims)?;
            QuantizedOp::Input { input: of(Kind::Style, *prior, dims), values: vec![] }
        }
        Input::Mix { .. } => QuantizedOp::Input { input: of(Kind::Mix, Prior::Gaussian, 0), values: vec![] },
        Input::Image { .. } => QuantizedOp::Input { input: of(Kind::Fed, Prior::Gaussian, 0), values: vec![] },
        Input::Previous { .. } => QuantizedOp::Input { input: of(Kind::Previous, Prior::Gaussian, 0), values: vec![] },
        Input::Noise { prior, number, .. } => {
            QuantizedOp::Input { input: of(Kind::Noise, *prior, *number), values: vec![] }
        }
        Input::Constant { values, .. } => {
            let channels = usize::from(shape.c);
            let area = usize::from(shape.h) * usize::from(shape.w);
            // From C, H, W to H, W, C.
            let codes = (0..values.len()).map(|at| code.encode(values[at % channels * area + at / channels]));
            QuantizedOp::Input { input: of(Kind::Constant, Prior::Gaussian, 0), values: codes.collect() }
        }
    })
}

/// What the sums of a stage are rounded to.
struct Target<'a> {
    stage: &'a Stage,
    /// Those of calibration.
    codes: &'a StageCodes,
    sums: Codes,
    output: Codes,
    pixels: Option<PixelRange>,
}

impl<'a> Target<'a> {
    /// That of calibration, but no finer than multipliers below ½ allow: `coarsest` is the greatest unit of a channel
    /// divided by the factor of the channel.
    fn new(stage: &'a Stage, codes: &'a StageCodes, pixels: Option<PixelRange>, coarsest: f32) -> Self {
        let StageCodes { mut sums, mut output, .. } = codes.clone();
        if sums.code.scale < 2.001 * coarsest {
            sums.code.scale = 2.001 * coarsest;
        }
        if pixels.is_none() && clamp_of(&stage.function, output.code.width).is_some() {
            output = sums.clone();
        }
        Self { stage, codes, sums, output, pixels }
    }

    /// Bias and multiplier of a channel whose sums come in `unit` and have `bias` added; `fold` is taken away from the
    /// bias in units.
    fn channel(&self, channel: usize, unit: f64, bias: f32, fold: i64) -> Result<(i32, i32), ExportError> {
        let factor = f64::from(self.sums.factor(channel));
        let shift = shift(self.stage, self.codes, channel);
        let not_finite = ExportError::NotFinite { stage: self.stage.name.clone(), found: bias };
        let total = f64::from(bias) + shift;
        if !(total.is_finite() && unit.is_finite()) {
            return Err(not_finite);
        }
        let folded = (total / unit).round() as i64 - fold;
        let multiplier = (unit / (f64::from(self.sums.code.scale) * factor) * 2f64.powi(32)).round() as i32;
        Ok((i32::try_from(folded).map_err(|_| not_finite)?, multiplier))
    }

    /// The sums with biases and multipliers, and the code of the output.
    fn finish(self, shared: bool, channels: impl IntoIterator<Item = (i32, i32)>) -> (Sums, Codes) {
        let (bias, multiplier) = channels.into_iter().unzip();
        let code = self.sums.code;
        let mut sums =
            Sums { shared, bias, multiplier, zero_point: code.zero_point, limits: [LEAST_CODE, i8::MAX], table: None };
        let clamp = clamp_of(&self.stage.function, code.width);
        match (self.pixels, clamp) {
            (None, Some([low, _])) if code.is_wide() => sums.limits[0] = if low == 0.0 { 0 } else { i8::MIN },
            (None, Some([low, high])) => sums.limits = [low, high].map(|end| code.encode(end) as i8),
            (Some(pixels), _) => sums.table = Some(self.table(|value| level(pixels, value))),
            (None, None) => sums.table = Some(self.table(|value| self.output.code.encode(value))),
        }
        if sums.table.is_some() {
            // A table has an entry for every byte, so nothing needs clamping.
            sums.limits[0] = i8::MIN;
        }
        (sums, self.output)
    }

    /// What `output` makes of the function of each code of the sums.
    fn table(&self, output: impl Fn(f32) -> i16) -> Table {
        let root = self.stage.function.inverse_sqrt_epsilon().is_some();
        table(self.sums.code, |value| {
            // ε is part of the sums.
            let value = if root {
                (value + self.codes.offset).max(f32::MIN_POSITIVE).sqrt().recip()
            } else {
                self.apply(value)
            };
            output(value)
        })
    }

    fn apply(&self, value: f32) -> f32 {
        let function: &Function = &self.stage.function;
        function.apply(value)
    }
}

/// What is added to the sums of a channel beside its bias: the ε of a function 1/√(x + ε), and the offset of their
/// code.
fn shift(stage: &Stage, codes: &StageCodes, channel: usize) -> f64 {
    let epsilon = stage.function.inverse_sqrt_epsilon().unwrap_or(0.0);
    f64::from(epsilon) - f64::from(codes.offset) * f64::from(codes.sums.factor(channel))
}

/// The unit of a channel of a join or a mean that is multiplied with `scale`: where the bias would not fit beside it,
/// larger, which loses nothing, as what is summed up then is far below one step of the output.
fn unit(unit: f64, scale: f32, bias: f64) -> f64 {
    let exact = unit * f64::from(scale);
    let least = bias.abs() / BIAS_LIMIT;
    if exact.abs() >= least && exact != 0.0 {
        exact
    } else if least > 0.0 {
        least.copysign(exact)
    } else {
        // A channel of zeros, whatever the unit.
        f64::MIN_POSITIVE
    }
}

/// What `output` makes of the codes of `from`.
fn table(from: Code, output: impl Fn(f32) -> i16) -> Table {
    let (step, last) = if from.is_wide() { (256.0, 128) } else { (1.0, 127) };
    (-128..=last).map(|place| output(from.at(step * place as f32))).collect()
}

/// The code of a grey level.
fn level(pixels: PixelRange, value: f32) -> i16 {
    i16::from(pixels.level(value).round() as u8 as i8)
}
