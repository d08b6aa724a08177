//! Normalization by statistics, pooling and linear interpolation.
//!
//! ```text
//! normalization   mean of x ─► d = x − mean ─► mean of d², 1/√(· + ε) ─► γ·d·that + β
//! ```

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Axis, Border, MAX_LANES, Phases, Read};

use super::product::Convolution;
use super::taps::Taps;
use super::{Fold, Place};
use crate::error::ExportError;
use crate::function::Function;
use crate::layers::{Input, Over, Window, dims};
use crate::stage::{Block, Op};

/// How far a code lies from its zero point at most; the device sums up codes, or their squares, in 32 bits.
const MOST_CODE: usize = 254;

impl Fold<'_> {
    pub(super) fn normalize(
        &mut self,
        name: &str,
        source: usize,
        over: Over,
        centred: bool,
        [gamma, beta]: [&[f32]; 2],
        epsilon: f32,
    ) -> Result<Place, ExportError> {
        let mut values = self.whole(source)?;
        let shape = self.stages[values].shape;
        if centred {
            let mean = self.mean(&format!("{name} (mean)"), values, over, false);
            let mean = self.spread_groups(&format!("{name} (mean)"), mean, shape.c);
            values = self.add_stages(&format!("{name} (centre)"), [values, mean], shape, [1.0, -1.0]);
        }
        let deviation = self.mean(&format!("{name} (deviation)"), values, over, true);
        self.stages[deviation].function = Function::inverse_sqrt(epsilon);
        let deviation = self.spread_groups(&format!("{name} (deviation)"), deviation, shape.c);
        let stage = self.multiply_stages(name, [values, deviation], shape, gamma.to_vec(), beta.to_vec());
        Ok(Place::stage(stage))
    }

    /// Adds a mean of values or of squares.
    fn mean(&mut self, name: &str, mut source: usize, over: Over, mut square: bool) -> usize {
        let Shape { h, w, c } = self.stages[source].shape;
        if let Over::Groups { groups } = over {
            let most = i32::MAX as usize / if square { MOST_CODE * MOST_CODE } else { MOST_CODE };
            if usize::from(h) * usize::from(w) * (usize::from(c) / groups) > most {
                // Of each pixel first: then there are fewer values to sum up.
                let (name, shape) = (format!("{name} (pixels)"), Shape { h, w, c: groups as u16 });
                let op = Op::Reduce { map: false, square };
                source = self.add_stage(&name, shape, op, vec![Read::same(source as u16)]);
                square = false;
            }
        }
        let (map, shape, rows) = match over {
            Over::Groups { groups } => (true, Shape { h: 1, w: 1, c: groups as u16 }, all_rows(h)),
            Over::Pixel => (false, Shape { h, w, c: 1 }, Axis::SAME),
        };
        self.add_stage(name, shape, Op::Reduce { map, square }, vec![Read { source: source as u16, rows }])
    }

    /// A vector of one value for each of `channels` from one of a value for each group of them, by weights of 0 and 1.
    /// One group is spread by the join that reads it.
    fn spread_groups(&mut self, name: &str, vector: usize, channels: u16) -> usize {
        let groups = usize::from(self.stages[vector].shape.c);
        if groups == 1 || groups == usize::from(channels) {
            return vector;
        }
        let per_group = usize::from(channels) / groups;
        let rows = (0..usize::from(channels)).flat_map(|c| (0..groups).map(move |group| c / per_group == group));
        let weights = rows.map(|is_group| f32::from(u8::from(is_group))).collect();
        let blocks = vec![Block { weights, bias: vec![0.0; channels.into()] }];
        let op = Op::Product { columns: Axis::NONE, groups: 1, blocks };
        let shape = Shape { h: 1, w: 1, c: channels };
        self.add_stage(&format!("{name} (groups)"), shape, op, vec![Read::first(vector as u16)])
    }

    pub(super) fn global_mean(&mut self, name: &str, source: usize) -> Result<Place, ExportError> {
        if self.shapes[source].is_vector() {
            return Ok(self.places[source].clone());
        }
        let stage = self.whole(source)?;
        let groups = usize::from(self.stages[stage].shape.c);
        Ok(Place::stage(self.mean(name, stage, Over::Groups { groups }, false)))
    }

    pub(super) fn average_pool(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        window: &Window,
        exclude_padding: bool,
    ) -> Result<Place, ExportError> {
        let source = self.whole(source)?;
        let [_, h, w] = dims(self.stages[source].shape);
        let mut stage = self.pool(name, source, shape, window)?;
        if exclude_padding && window.padding != [[0; 2]; 2] {
            stage = self.without_padding(name, stage, window, [h, w]);
        }
        Ok(Place::stage(stage))
    }

    /// Pooling is a convolution with a group for each channel; of a window that is too high, rows and columns apart.
    fn pool(&mut self, name: &str, stage: usize, shape: Shape, window: &Window) -> Result<usize, ExportError> {
        let [c, h, _] = dims(self.stages[stage].shape);
        let [rows, columns] = [0, 1].map(|axis| Taps::conv(window, axis, window.padding[axis][0]));
        let parts = [1.0 / window.kernel[0] as f32, 1.0 / window.kernel[1] as f32];
        let one = || Taps { step: 1, dilation: 1, phases: vec![(0, vec![vec![0]])] };
        let bias = &vec![0.0; c];
        let convolution =
            |source, shape, taps| Convolution { name, source, border: Border::Zero, shape, taps, groups: c, bias };
        if window.kernel[0] * window.kernel[1] <= MAX_LANES {
            let part = 1.0 / (window.kernel[0] * window.kernel[1]) as f32;
            return self.convolve(convolution(stage, shape, [rows, columns]), |_, _, _, _| part);
        }
        let between = Shape { h: h as u16, ..shape };
        let stage = self.convolve(convolution(stage, between, [one(), columns]), |_, _, _, _| parts[1])?;
        self.convolve(convolution(stage, shape, [rows, one()]), |_, _, _, _| parts[0])
    }

    /// What makes of means that count the padding those that do not: at each pixel the size of the window over how much
    /// of it lies in a map of `size` rows and columns.
    fn without_padding(&mut self, name: &str, stage: usize, window: &Window, size: [usize; 2]) -> usize {
        let shape = self.stages[stage].shape;
        let share = |axis: usize, o: usize| {
            let place = |k: usize| o * window.stride[axis] + k * window.dilation[axis];
            let inside =
                |&k: &usize| (window.padding[axis][0]..window.padding[axis][0] + size[axis]).contains(&place(k));
            let count = (0..window.kernel[axis]).filter(inside).count();
            window.kernel[axis] as f32 / count.max(1) as f32
        };
        let pixels = (0..usize::from(shape.h)).flat_map(|y| (0..usize::from(shape.w)).map(move |x| (y, x)));
        let values = pixels.map(|(y, x)| share(0, y) * share(1, x)).collect();
        let map = Shape { c: 1, ..shape };
        let input = Input::Constant { shape: map, values };
        let shares = self.add_stage(&format!("{name} (shares)"), map, Op::Input(input), vec![]);
        let channels = usize::from(shape.c);
        self.multiply_stages(name, [stage, shares], shape, vec![1.0; channels], vec![0.0; channels])
    }

    /// Linear interpolation by whole factors has fixed weights for each phase; beyond the border the outermost pixel
    /// repeats.
    pub(super) fn upsample_linear(
        &mut self,
        name: &str,
        source: usize,
        shape: Shape,
        factor: [usize; 2],
    ) -> Result<Place, ExportError> {
        let stage = self.whole(source)?;
        let channels = usize::from(shape.c);
        // Output p lies at (p + ½)/f − ½ of the input. The kernel index says the phase, and which of its two taps.
        let axis = |factor: usize| {
            let phases = (0..factor).map(|phase| {
                let start = if 2 * phase + 1 < factor { -1 } else { 0 };
                let taps = if 2 * phase + 1 == factor { 1 } else { 2 };
                (start, (0..taps).map(|tap| vec![2 * phase + tap]).collect())
            });
            Taps { step: 1, dilation: 1, phases: phases.collect() }
        };
        let weight = |k: usize, factor: usize| {
            let at = ((k / 2) as f64 + 0.5) / factor as f64 - 0.5;
            let part = (at - at.floor()) as f32;
            if k.is_multiple_of(2) { 1.0 - part } else { part }
        };
        let (taps, bias) = (factor.map(axis), &vec![0.0; channels]);
        let convolution =
            Convolution { name, source: stage, border: Border::Repeat, shape, taps, groups: channels, bias };
        let stage = self.convolve(convolution, |_, _, ky, kx| weight(ky, factor[0]) * weight(kx, factor[1]))?;
        Ok(Place::stage(stage))
    }
}

/// All rows for the only row of a mean.
fn all_rows(h: u16) -> Axis {
    Axis { step: 0, dilation: 1, phases: Phases::one(0, h) }
}
