//! Which range of values codes should cover, stage by stage.
//!
//! A generator's last sums run far into the saturation of tanh (−104 … 5 has been seen), and its hidden maps have rare
//! spikes; covering all of it would leave few codes for what matters. So each range is chosen to minimise the mean
//! squared error of what the stage makes of the rounded value: its nonlinearity is applied before the comparison, and
//! clipping where it is flat costs nothing. The search is exhaustive on a geometric grid, one end after the other.
//!
//! Around a normalization by statistics, channels may differ by orders of magnitude. There a stage has a factor for
//! each channel beside its code, see [`mod@channels`]; the values of a channel are divided by it before a range is
//! chosen.
//!
//! int16 codes need no such choice: they cover all that the examples show and a quarter more.

use edgegen_runtime::fixed::LEAST_CODE;
use edgegen_runtime::graph::{Prior, Source, Width};

use crate::error::ExportError;
use crate::function::{Binary, Function};
use crate::layers::{Input, PixelRange};
use crate::stage::{Op, Stage, Staged, each_example};

pub mod channels;
mod range;
mod samples;

use range::{MARGIN, best, best_inverse_sqrt};
use samples::{Samples, Turn};

/// The least factor of a channel beside the greatest of its stage: a channel that is always zero has some factor, too.
const LEAST_FACTOR: f32 = 1e-4;

/// The least value beside the greatest of which 1/√x is told apart, where no ε keeps it from 0.
const LEAST_RATIO: f32 = 1e-6;

/// Percent of a channel's sums, the least, that do not count for the middle of them.
const TAIL: usize = 2;

/// An ε in units of a squared step at most, in a mean of squares.
const EPSILON_LIMIT: f32 = (1 << 28) as f32;

/// The int8 codes that activations use.
const LEAST: f32 = LEAST_CODE as f32;
const MOST: f32 = i8::MAX as f32;
/// What a unit of the sum of squares of int16 codes is, in squared steps.
pub const WIDE_SQUARE: f32 = (1 << 14) as f32;
/// The largest int16 code, and the least with its sign changed.
const WIDE_MOST: f32 = i16::MAX as f32;

/// An affine code: `value = scale · (code − zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Code {
    /// Value of one step.
    pub scale: f32,
    /// The code of 0.0; 0 of int16 codes.
    pub zero_point: i8,
    /// Whether it is int8 or int16.
    pub width: Width,
}

impl Code {
    /// One of int8.
    pub const fn int8(scale: f32, zero_point: i8) -> Self {
        Self { scale, zero_point, width: Width::Int8 }
    }

    /// The int16 code that covers `−most … most`.
    pub fn int16(most: f32) -> Self {
        Self { scale: (most / WIDE_MOST).max(f32::MIN_POSITIVE), zero_point: 0, width: Width::Int16 }
    }

    /// The int8 code that covers `low … high`, of which 0 is made a part.
    pub fn covering(low: f32, high: f32) -> Self {
        let (low, high) = (low.min(0.0), high.max(0.0));
        let scale = ((high - low) / (MOST - LEAST)).max(f32::MIN_POSITIVE);
        let zero_point = (LEAST - low / scale).round().clamp(LEAST, MOST) as i8;
        Self::int8(scale, zero_point)
    }

    /// That of a latent vector, of the classes behind it, and of noise.
    pub fn latent(prior: Prior) -> Self {
        Self::int8(1.0 / f32::from(prior.steps()), 0)
    }

    /// That of a class: 1.0 is [`Source::CLASS_STEPS`].
    pub fn class() -> Self {
        Self::int8(1.0 / f32::from(Source::CLASS_STEPS), 0)
    }

    /// That of an image which is handed in: what [`Source::pixel_code`] makes of its bytes.
    pub fn image(pixels: PixelRange) -> Self {
        match pixels {
            PixelRange::Symmetric => Self::int8(1.0 / 127.0, 0),
            PixelRange::Unit => Self::int8(1.0 / 254.0, LEAST_CODE),
            PixelRange::Byte => Self::int8(255.0 / 254.0, LEAST_CODE),
        }
    }

    /// The nearest code of a value.
    pub fn encode(&self, value: f32) -> i16 {
        let [least, most] = match self.width {
            Width::Int8 => [LEAST, MOST],
            Width::Int16 => [-WIDE_MOST, WIDE_MOST],
        };
        ((value / self.scale).round() + f32::from(self.zero_point)).clamp(least, most) as i16
    }

    /// The value of a code.
    pub fn decode(&self, code: i16) -> f32 {
        self.at(code.into())
    }

    /// The value of a place among the codes, which may lie between them or beyond.
    pub(crate) fn at(&self, place: f32) -> f32 {
        self.scale * (place - f32::from(self.zero_point))
    }

    /// Whether its codes are int16.
    pub fn is_wide(&self) -> bool {
        self.width == Width::Int16
    }
}

/// The codes of all channels of a stage: in channel c a code stands for `factor(c) · code.decode(…)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Codes {
    /// The code that all channels share.
    pub code: Code,
    /// A factor for each channel; empty where all of them are 1.
    pub factors: Vec<f32>,
}

impl From<Code> for Codes {
    fn from(code: Code) -> Self {
        Self { code, factors: Vec::new() }
    }
}

impl Codes {
    /// The factor of a channel. A stage of one channel that is spread over many has one for all of them.
    pub fn factor(&self, channel: usize) -> f32 {
        match self.factors.as_slice() {
            [] => 1.0,
            [factor] => *factor,
            factors => factors[channel],
        }
    }

    /// The value of a code in a channel.
    pub fn decode(&self, code: i16, channel: usize) -> f32 {
        self.factor(channel) * self.code.decode(code)
    }
}

/// The codes of a stage.
#[derive(Clone, Debug, PartialEq)]
pub struct StageCodes {
    /// What sums are rounded to: the output itself where the nonlinearity is a clamp, else the input of its table.
    pub sums: Codes,
    /// The value of the zero point of `sums` beside the factors: not 0 where the sums are of a function 1/√(x + ε),
    /// whose x + ε come nowhere near 0.
    pub offset: f32,
    /// The output.
    pub output: Codes,
}

impl StageCodes {
    fn of(code: Code) -> Self {
        Self { sums: code.into(), offset: 0.0, output: code.into() }
    }
}

/// Between which values a function keeps what it does not change, if it does nothing else: it is done by clamping
/// codes. Else it takes a table. int16 codes are clamped at 0 or not at all.
pub fn clamp_of(function: &Function, width: Width) -> Option<[f32; 2]> {
    let clamp = bounds(function)?;
    let simple = matches!(clamp, [f32::NEG_INFINITY | 0.0, f32::INFINITY]);
    (width == Width::Int8 || simple).then_some(clamp)
}

fn bounds(function: &Function) -> Option<[f32; 2]> {
    match function {
        Function::X => Some([f32::NEG_INFINITY, f32::INFINITY]),
        Function::Binary(kind, inner, bound) => {
            let ([low, high], Function::Constant(bound)) = (bounds(inner)?, &**bound) else { return None };
            match kind {
                Binary::Max => Some([low.max(*bound), high.max(*bound)]),
                Binary::Min => Some([low.min(*bound), high.min(*bound)]),
                _ => None,
            }
            // Codes cover 0 and end somewhere: a bound on the far side of 0 takes a table.
            .filter(|&[low, high]| low <= 0.0 && high >= 0.0)
        }
        _ => None,
    }
}

/// Codes for every stage from the values that the given examples lead to; an example is what each input reads that is
/// no constant, in the order of the stages. Of `width` are all codes but those of the image, of inputs other than
/// constants, and of copies that change nothing.
///
/// # Errors
///
/// Without examples, and when a stage gives a value that is not finite.
pub fn calibrate(staged: &Staged, examples: &[Vec<Vec<f32>>], width: Width) -> Result<Vec<StageCodes>, ExportError> {
    if examples.is_empty() {
        return Err(ExportError::NoLatents);
    }
    let classes = channels::classes(staged);
    let is_pattern = |stage: &Stage| matches!(stage.op, Op::Input(Input::Constant { .. })) && !stage.shape.is_vector();
    let patterned = staged.stages.iter().any(is_pattern);
    let numbered: Vec<_> = examples.iter().enumerate().collect();
    let parts = each_example(&numbered, |&(number, example)| {
        let turn = Turn { number, of: examples.len(), patterned };
        let mut samples = vec![Samples::default(); staged.stages.len()];
        staged.visit(example, |index, sums, _| {
            let channels = staged.stages[index].shape.c.into();
            match classes[index] {
                Some(_) => samples[index].extend_by_pixels(sums, channels, turn),
                None => samples[index].extend(sums, channels, turn),
            }
        });
        samples
    });
    let mut samples = vec![Samples::default(); staged.stages.len()];
    for part in parts {
        samples.iter_mut().zip(part).for_each(|(samples, part)| samples.append(part));
    }
    for (stage, samples) in staged.stages.iter().zip(&mut samples) {
        if let Some(&found) = samples.values.iter().find(|value| !value.is_finite()) {
            return Err(ExportError::NotFinite { stage: stage.name.clone(), found });
        }
        if let Some(epsilon) = stage.function.inverse_sqrt_epsilon() {
            samples.values.iter_mut().for_each(|value| *value += epsilon);
        }
    }
    let factors = factors(staged, &classes, &samples, width);
    let work: Vec<(usize, Samples, Vec<f32>)> = samples
        .into_iter()
        .zip(factors)
        .enumerate()
        .map(|(index, (samples, factors))| (index, samples, factors))
        .collect();
    let found = each_example(&work, |(index, samples, factors)| own_codes(staged, *index, (samples, factors), width));
    let mut codes: Vec<StageCodes> = Vec::with_capacity(staged.stages.len());
    for (stage, found) in staged.stages.iter().zip(found) {
        // One that changes nothing has the codes of what it reads.
        let source = || stage.reads.first().and_then(|read| codes.get(usize::from(read.source))).cloned();
        codes.push(found.or_else(source).unwrap_or(StageCodes::of(PIXELS)));
    }
    Ok(codes)
}

/// The codes of a stage; `None` where they are those of the only stage that it reads.
fn own_codes(
    staged: &Staged,
    index: usize,
    (samples, factors): (&Samples, &[f32]),
    width: Width,
) -> Option<StageCodes> {
    let stage = &staged.stages[index];
    let pixels = (index + 1 == staged.stages.len()).then_some(staged.pixels);
    match &stage.op {
        Op::Input(Input::Constant { values, .. }) if width == Width::Int16 => {
            return Some(StageCodes::of(Code::int16(greatest(values))));
        }
        Op::Input(input) => return Some(StageCodes::of(input_code(input))),
        Op::Copy { functions, .. }
            if pixels.is_none() && functions.is_empty() && stage.function == Function::X && stage.reads.len() == 1 =>
        {
            return None;
        }
        _ => {}
    }
    let values = samples.divided(factors);
    if width == Width::Int16 && pixels.is_none() {
        let least = least_step(staged, index, width) / factors.iter().copied().reduce(f32::min).unwrap_or(1.0);
        return Some(wide_codes(stage, &values, factors, least));
    }
    let mut found = stage_codes(stage, &values, factors.to_vec(), pixels);
    let is_clamp = clamp_of(&stage.function, Width::Int8).is_some() && pixels.is_none();
    if matches!(stage.op, Op::Reduce { map: true, .. }) && is_clamp {
        found.output.code.scale *= MARGIN;
    }
    if wide_squares(staged, index, found.output.code) {
        symmetric(&mut found.output.code);
    }
    let least_factor = factors.iter().copied().reduce(f32::min).unwrap_or(1.0);
    found.output.code.scale = found.output.code.scale.max(least_step(staged, index, Width::Int8) / least_factor);
    if is_clamp {
        found.sums.code = found.output.code;
    }
    Some(found)
}

/// The int8 code of an input; that of a constant is made for its values.
pub fn input_code(input: &Input) -> Code {
    match input {
        Input::Latent(latent) => Code::latent(latent.prior),
        Input::Class { .. } | Input::Mix { .. } => Code::class(),
        Input::Image { pixels, .. } | Input::Previous { pixels, .. } => Code::image(*pixels),
        Input::Noise { prior, .. } | Input::Style { prior, .. } => Code::latent(*prior),
        Input::Constant { values, .. } => {
            let ends = values.iter().fold([0.0f32; 2], |[low, high], &value| [low.min(value), high.max(value)]);
            Code::covering(ends[0], ends[1])
        }
    }
}

/// For each stage the factors of what it computes before its function; none where its channels share all.
fn factors(staged: &Staged, classes: &[Option<usize>], samples: &[Samples], width: Width) -> Vec<Vec<f32>> {
    let mut of_class: Vec<Vec<f32>> = vec![Vec::new(); staged.stages.len()];
    for ((stage, class), samples) in staged.stages.iter().zip(classes).zip(samples) {
        let Some(class) = *class else { continue };
        let factors = &mut of_class[class];
        factors.resize(usize::from(stage.shape.c), 0.0);
        if stage.function.inverse_sqrt_epsilon().is_some() {
            // The middle of the range by its ratio, as the table has the same ratio for all channels; of a range
            // without its lower tail, or one value near 0 would move its channel to where the others have no codes.
            let mut of_channels = vec![Vec::new(); factors.len()];
            for (&value, &channel) in samples.values.iter().zip(&samples.channels) {
                of_channels[usize::from(channel)].push(value);
            }
            for (factor, mut values) in factors.iter_mut().zip(of_channels) {
                values.sort_by(f32::total_cmp);
                let least = values.get(values.len() * TAIL / 100).copied().unwrap_or(0.0);
                let most = values.last().copied().unwrap_or(0.0);
                *factor = (least.max(LEAST_RATIO * most) * most).sqrt().max(f32::MIN_POSITIVE);
            }
        } else {
            // A clamp keeps what it makes, a table needs codes for what it reads.
            let is_clamp = clamp_of(&stage.function, width).is_some();
            for (&value, &channel) in samples.values.iter().zip(&samples.channels) {
                let value = if is_clamp { stage.function.apply(value) } else { value };
                let factor = &mut factors[usize::from(channel)];
                *factor = factor.max(value.abs());
            }
        }
    }
    for (class, factors) in of_class.iter_mut().enumerate() {
        let members: Vec<usize> = (0..classes.len()).filter(|&index| classes[index] == Some(class)).collect();
        if members.iter().any(|&index| staged.stages[index].function.inverse_sqrt_epsilon().is_some()) {
            // None of them is below ε.
            continue;
        }
        let most = factors.iter().fold(0.0f32, |most, &factor| most.max(factor));
        let least = if most > 0.0 { most * LEAST_FACTOR } else { 1.0 };
        // The outermost codes stand for about ±1 times the factor.
        let most = if width == Width::Int8 { MOST } else { WIDE_MOST };
        let least = members.iter().map(|&index| most * least_step(staged, index, width)).fold(least, f32::max);
        factors.iter_mut().for_each(|factor| *factor = factor.max(least));
    }
    classes.iter().map(|class| class.map_or(Vec::new(), |class| of_class[class].clone())).collect()
}

/// Whether squares of a stage's codes are summed up so often that a zero point far from 0 would take more than 32 bits.
fn wide_squares(staged: &Staged, source: usize, code: Code) -> bool {
    let most = 127 + u64::from(code.zero_point.unsigned_abs());
    staged.stages.iter().any(|stage| {
        let values = staged.stages[source].shape.len() / stage.shape.len().max(1);
        matches!(stage.op, Op::Reduce { square: true, .. })
            && stage.reads.iter().any(|read| usize::from(read.source) == source)
            && values as u64 * most * most > i32::MAX as u64
    })
}

/// The code with zero point 0 that covers as much.
fn symmetric(code: &mut Code) {
    let most = code.at(LEAST).abs().max(code.at(MOST));
    *code = Code::int8(most / MOST, 0);
}

/// The least value of one step, 0 where nothing demands one, of a stage whose squares are summed up with an ε beside
/// them: that ε has to fit 32 bits in units of a squared step. What is smaller does not matter beside it.
fn least_step(staged: &Staged, source: usize, width: Width) -> f32 {
    let readers = staged.stages.iter().filter(|stage| {
        matches!(stage.op, Op::Reduce { square: true, .. })
            && stage.reads.iter().any(|read| usize::from(read.source) == source)
    });
    let least = readers.filter_map(|reader| {
        let values = staged.stages[source].shape.len() / reader.shape.len().max(1);
        let unit = if width == Width::Int8 { 1.0 } else { WIDE_SQUARE };
        Some((reader.function.inverse_sqrt_epsilon()? * values as f32 / (EPSILON_LIMIT * unit)).sqrt())
    });
    least.fold(0.0, f32::max)
}

/// The codes for `values`, the sums divided by the factors of their channels; those of a function 1/√(x + ε) are x + ε.
fn stage_codes(stage: &Stage, values: &[f32], factors: Vec<f32>, pixels: Option<PixelRange>) -> StageCodes {
    if stage.function.inverse_sqrt_epsilon().is_some() {
        // In a channel with factor g, (x + ε) / g is coded, and the output 1/√(x + ε) has factor 1/√g.
        let (offset, sums, output) = best_inverse_sqrt(values);
        let output = if pixels.is_some() { PIXELS } else { output };
        let outputs = factors.iter().map(|factor| factor.sqrt().recip()).collect();
        return StageCodes {
            sums: Codes { code: sums, factors },
            offset,
            output: Codes { code: output, factors: outputs },
        };
    }
    if let Some(pixels) = pixels {
        let sums = best(values, |value| pixels.level(stage.function.apply(value)));
        return StageCodes { sums: sums.into(), offset: 0.0, output: PIXELS.into() };
    }
    let activated: Vec<f32> = values.iter().map(|&value| stage.function.apply(value)).collect();
    let output = best(&activated, |value| value);
    let sums = if clamp_of(&stage.function, Width::Int8).is_some() {
        output
    } else {
        best(values, |value| stage.function.apply(value))
    };
    let with = |code| Codes { code, factors: factors.clone() };
    StageCodes { sums: with(sums), offset: 0.0, output: with(output) }
}

/// The int16 codes for such values, with steps of `least` or more.
fn wide_codes(stage: &Stage, values: &[f32], factors: &[f32], least: f32) -> StageCodes {
    let covering = |values: &[f32]| Code::int16(MARGIN * greatest(values));
    let with = |code| Codes { code, factors: factors.to_vec() };
    if stage.function.inverse_sqrt_epsilon().is_some() {
        // What int8 covers, as the table has as many entries, but the zero point lies in the middle of it.
        let (low, narrow, _) = best_inverse_sqrt(values);
        let high = low + (MOST - LEAST) * narrow.scale;
        let outputs = factors.iter().map(|factor| factor.sqrt().recip()).collect();
        return StageCodes {
            sums: with(Code::int16((high - low) / 2.0)),
            offset: (low + high) / 2.0,
            output: Codes { code: Code::int16(low.sqrt().recip()), factors: outputs },
        };
    }
    let activated: Vec<f32> = values.iter().map(|&value| stage.function.apply(value)).collect();
    let mut output = covering(&activated);
    output.scale = output.scale.max(least);
    let sums = if clamp_of(&stage.function, Width::Int16).is_some() { output } else { covering(values) };
    StageCodes { sums: with(sums), offset: 0.0, output: with(output) }
}

/// The largest magnitude of some values.
fn greatest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |most, value| value.abs().max(most))
}

/// The code of an image: grey levels.
const PIXELS: Code = Code::int8(1.0, 0);
