//! One axis of a convolution.
//!
//! An output position `o = P·m + p` of phase `p` reads the input at `step·m + offset` for the offsets of its taps. With
//! kernel index `k`, padding `q`, stride `s`, dilation `d`:
//!
//! ```text
//! convolution               P = 1, step = s     offset = k·d − q
//! transposed convolution    P = s, step = 1     offset = (p + q − k·d) / s      for k·d ≡ p + q (mod s)
//! ×f nearest, convolution   P = f, step = 1     offset = ⌊(p − q + k) / f⌋      equal offsets: add the weights
//! … then pixel shuffle ×f   P = f·P             the phase decides which of the f² groups of channels
//! ```

use edgegen_runtime::graph::{Axis, MAX_PHASES, Phase, Phases};

use crate::error::ExportError;
use crate::layers::Window;

/// The kernel indices that meet one input position: several after nearest upsampling, none where there is a hole.
pub(super) type Tap = Vec<usize>;

/// For every phase the input offset of its first tap, and its taps in input order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Taps {
    pub step: usize,
    pub dilation: usize,
    pub phases: Vec<(i32, Vec<Tap>)>,
}

impl Taps {
    /// Of a convolution with `padding` before the first position.
    pub fn conv(window: &Window, axis: usize, padding: usize) -> Self {
        let taps = (0..window.kernel[axis]).map(|k| vec![k]).collect();
        Self { step: window.stride[axis], dilation: window.dilation[axis], phases: vec![(-(padding as i32), taps)] }
    }

    /// Of a convolution of stride 1 without dilation that reads its input enlarged by `factor`.
    pub fn upsampled_conv(window: &Window, axis: usize, padding: usize, factor: usize) -> Self {
        let (factor, padding) = (factor as i32, padding as i32);
        let phases = (0..factor).map(|phase| {
            let offset = |k: usize| (phase - padding + k as i32).div_euclid(factor);
            let start = offset(0);
            let mut taps = vec![Tap::new(); (offset(window.kernel[axis] - 1) - start + 1) as usize];
            (0..window.kernel[axis]).for_each(|k| taps[(offset(k) - start) as usize].push(k));
            (start, taps)
        });
        Self { step: 1, dilation: 1, phases: phases.collect() }
    }

    /// Of a transposed convolution.
    pub fn transposed(window: &Window, axis: usize) -> Self {
        let (stride, kernel, dilation) = (window.stride[axis], window.kernel[axis], window.dilation[axis]);
        let phases = (0..stride).map(|phase| {
            let reach = phase + window.padding[axis][0];
            // Descending kernel index is ascending input position.
            let taps: Vec<Tap> =
                (0..kernel).rev().filter(|k| k * dilation % stride == reach % stride).map(|k| vec![k]).collect();
            let start = taps.first().map_or(0, |tap| (reach as i32 - (tap[0] * dilation) as i32) / stride as i32);
            (start, taps)
        });
        // Of the kernel indices that meet a phase every (stride / divisor)-th does.
        Self { step: 1, dilation: dilation / divisor(dilation, stride), phases: phases.collect() }
    }

    /// Taps of the phase that has most.
    pub fn most(&self) -> usize {
        self.phases.iter().map(|(_, taps)| taps.len()).max().unwrap_or(0)
    }

    /// Of all phases `count` taps from tap `first` on, as far as they have them.
    pub fn part(&self, first: usize, count: usize) -> Self {
        let part = |(start, taps): &(i32, Vec<Tap>)| {
            let taps: Vec<Tap> = taps.iter().skip(first).take(count).cloned().collect();
            (start + (first * self.dilation) as i32, taps)
        };
        Self { step: self.step, dilation: self.dilation, phases: self.phases.iter().map(part).collect() }
    }

    /// Whether a position before the first of `size` or behind the last is read for `output` positions.
    pub fn reads_beyond(&self, output: usize, size: usize) -> bool {
        self.phases.iter().enumerate().filter(|(phase, (_, taps))| *phase < output && !taps.is_empty()).any(
            |(phase, (start, taps))| {
                let last = (output - 1 - phase) / self.phases.len() * self.step + (taps.len() - 1) * self.dilation;
                *start < 0 || *start + last as i32 >= size as i32
            },
        )
    }

    /// All phases with the same taps: those that any has, with holes where the phase itself has none.
    pub fn unite(&self) -> Self {
        let with_taps = || self.phases.iter().filter(|(_, taps)| !taps.is_empty());
        let position = |start: i32, tap: usize| start + (tap * self.dilation) as i32;
        let first = with_taps().map(|(start, _)| *start).min().unwrap_or(0);
        let last = with_taps().map(|(start, taps)| position(*start, taps.len() - 1)).max().unwrap_or(0);
        let unite = |(start, taps): &(i32, Vec<Tap>)| {
            let mut united = vec![Tap::new(); (last - first + 1) as usize];
            taps.iter().enumerate().for_each(|(i, tap)| united[(position(*start, i) - first) as usize].clone_from(tap));
            (first, united)
        };
        Self { step: self.step, dilation: 1, phases: self.phases.iter().map(unite).collect() }
    }

    /// As the runtime has it.
    pub fn axis(&self, name: &str) -> Result<Axis, ExportError> {
        let too_large =
            |what, limit: usize, found: usize| ExportError::TooLarge { node: name.to_owned(), what, limit, found };
        let phase = |(start, taps): &(i32, Vec<Tap>)| {
            let start = i16::try_from(*start)
                .map_err(|_| too_large("pixels of padding", i16::MAX as usize, start.unsigned_abs() as usize))?;
            let taps = u16::try_from(taps.len()).map_err(|_| too_large("taps", u16::MAX.into(), taps.len()))?;
            Ok(Phase { start, taps })
        };
        let phases = self.phases.iter().map(phase).collect::<Result<Vec<_>, ExportError>>()?;
        let phases = Phases::try_from(&*phases)
            .map_err(|_| too_large("times upsampling in one layer", MAX_PHASES, phases.len()))?;
        let small = |value: usize| {
            u16::try_from(value).map_err(|_| too_large("pixels of stride or dilation", u16::MAX.into(), value))
        };
        Ok(Axis { step: small(self.step)?, dilation: small(self.dilation)?, phases })
    }
}

/// Greatest common divisor.
fn divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { divisor(b, a % b) }
}
