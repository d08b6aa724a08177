//! Sounds in one pass: noise through flows along time, each of which scales and moves a row of samples by what was in
//! the rows before it.
//!
//! ```text
//! z = ln(u / (1 − u))                                    noise u of a share, z of a logistic distribution
//! z ← W (e^{α(z_<r, y, r)} ⊙ z + μ(z_<r, y, r))          each flow, for the row r of all rows at once
//! x = sgn(z) ln(1 + μ|z|) / ln(1 + μ)                    the μ-law, whose levels a sound has
//! log s(x) = log p(z) − Σ_flows Σ α − rows · Σ_flows log |det W| − Σ log |dx/dz|
//! ```
//!
//! α and μ come from the gated causal blocks of a [`Wavenet`], here over rows of noise, which are all there from the
//! start: van den Oord et al., "Parallel WaveNet" (2018). A row holds several samples as channels, W mixes them
//! (Prenger et al., "WaveGlow", 2019): without it those of one row could not depend on each other. A device then
//! computes a row of blocks once for many samples. W is a triangle with ones times one whose diagonal is e^d (Kingma
//! and Dhariwal, "Glow", 2018, on LU decomposition), so that log |det W| is the sum of d and no step makes it singular.
//!
//! The flows make samples as a speaker plays them, where waves add and noise has one hump: companded it has two.
//!
//! What a flow knows besides noise is a learned map of the class and the row, where speech has phones and pitch as its
//! local condition: where in a hit it is, a row's own noise does not tell.

use burn::module::{Module, Param};
use burn::tensor::Tensor;

use super::Linear;
use super::wavenet::{LOG_SCALES, SHARE, Wavenet};

/// Flows, the one next to the noise first.
///
/// # Shapes
///   - Inputs: classes `[batch, classes, 1, 1]`, one-hot, or one value where there are none; noise
///     `[batch, row, rows, 1]` in [−1, 1]
///   - Output `[batch, 1, row · rows, 1]`
#[derive(Module, Debug)]
pub struct WaveFlows {
    /// The flows.
    pub flows: Vec<WaveFlow>,
}

/// One flow.
#[derive(Module, Debug)]
pub struct WaveFlow {
    /// From the classes to a map that is added to what the first layer makes, `[channels, rows, 1]`.
    pub condition: Linear,
    /// Its outputs are a mean and a log-scale for each sample of a row.
    pub waves: Wavenet,
    /// Of W = lower · upper what stands below the diagonal of `lower`, `[row, row]`; the rest does not count.
    pub lower: Param<Tensor<2>>,
    /// And above the diagonal of `upper`, `[row, row]`.
    pub upper: Param<Tensor<2>>,
    /// d, the logarithm of the diagonal of `upper`, `[row]`.
    pub diagonal: Param<Tensor<1>>,
}

impl WaveFlows {
    pub(super) fn forward(&self, reads: [Tensor<4>; 2]) -> Tensor<4> {
        companded(self.wave(reads).0.clamp(-1.0, 1.0))
    }

    /// A sound, which may reach beyond −1 and 1, with what its density needs.
    ///
    /// # Shapes
    ///   - Inputs as the layer's
    pub fn sound(&self, reads: [Tensor<4>; 2]) -> Sound {
        let (wave, spread) = self.wave(reads);
        let [batch, _, samples, _] = wave.dims();
        // dx/dz = μ / ((1 + μ|z|) ln(1 + μ))
        let of_sample = wave.clone().abs().mul_scalar(MU).log1p().neg().add_scalar((MU / MU.ln_1p()).ln());
        let spread = spread + of_sample.reshape([batch, samples]).sum_dim(1).reshape([batch]);
        Sound { companded: companded(wave.clone()), spread, wave }
    }

    fn wave(&self, [classes, noise]: [Tensor<4>; 2]) -> (Tensor<4>, Tensor<1>) {
        let [batch, row, rows, _] = noise.dims();
        let [slope, offset] = SHARE.map(f64::from);
        let share = noise.mul_scalar(slope).add_scalar(offset);
        let mut z = share.clone().log() - share.neg().add_scalar(1.0).log();
        let mut spread = Tensor::zeros([batch], &z.device());
        for flow in &self.flows {
            let [mean, log_scale] = flow.moments(&z, classes.clone());
            let moved = z * log_scale.clone().exp() + mean;
            let mixed = flow.mixing().matmul(moved.permute([1, 0, 2, 3]).reshape([row, batch * rows]));
            z = mixed.reshape([row, batch, rows, 1]).permute([1, 0, 2, 3]);
            let of_mixing = flow.diagonal.val().sum().mul_scalar(rows as f64);
            spread = spread + log_scale.reshape([batch, row * rows]).sum_dim(1).reshape([batch]) + of_mixing;
        }
        (z.permute([0, 2, 1, 3]).reshape([batch, 1, row * rows, 1]), spread)
    }
}

/// What the flows make of noise.
#[derive(Debug)]
pub struct Sound {
    /// Its levels as values, `[batch, 1, samples, 1]`.
    pub companded: Tensor<4>,
    /// How much more spread out it is than the noise, log |det ∂x/∂z|, `[batch]`.
    pub spread: Tensor<1>,
    /// Its samples as a speaker plays them, `[batch, 1, samples, 1]`.
    pub wave: Tensor<4>,
}

/// μ of the law.
pub const MU: f64 = edgegen_runtime::sound::MU as f64;

/// By the μ-law.
fn companded(wave: Tensor<4>) -> Tensor<4> {
    wave.clone().abs().mul_scalar(MU).log1p().div_scalar(MU.ln_1p()) * wave.sign()
}

/// What is companded to `x`.
pub fn expanded(x: Tensor<4>) -> Tensor<4> {
    x.clone().abs().mul_scalar(MU.ln_1p()).exp().sub_scalar(1.0).div_scalar(MU) * x.sign()
}

impl WaveFlow {
    /// The means and the log-scales of all rows, each `[batch, row, rows, 1]`.
    fn moments(&self, z: &Tensor<4>, classes: Tensor<4>) -> [Tensor<4>; 2] {
        let [batch, row, rows, _] = z.dims();
        let silence = Tensor::zeros([batch, row, 1, 1], &z.device());
        let late = Tensor::cat(vec![silence, z.clone().narrow(2, 0, rows - 1)], 2);
        let h = self.waves.first.forward(late) + self.condition.forward(classes);
        let outputs = self.waves.behind_first(h, None);
        let part = |first: usize| outputs.clone().narrow(1, first, row);
        [part(0), part(row).clamp(LOG_SCALES[0], LOG_SCALES[1])]
    }

    /// W, `[row, row]`.
    pub fn mixing(&self) -> Tensor<2> {
        let row = self.diagonal.dims()[0];
        let unit = Tensor::eye(row, &self.diagonal.device());
        let lower = self.lower.val().tril(-1) + unit.clone();
        let upper = self.upper.val().triu(1) + unit * self.diagonal.val().exp().reshape([1, row]);
        lower.matmul(upper)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::layer::Layer;
    use crate::nets::{Flows, Init, NetBuilder, Waves};
    use crate::rng::Rng;
    use burn::tensor::{Device, TensorData};

    const ROW: usize = 4;
    const ROWS: usize = 6;

    fn layer(flows: usize) -> WaveFlows {
        let waves = Waves { channels: 5, skips: 6, dilations: &[1, 2], components: 0, classes: 2 };
        let mut rng = Rng::new(1, 0);
        let net = NetBuilder::new([2, 1, 1], Init::He, &Device::flex(), &mut rng)
            .wave_flows(ROW * ROWS, &Flows { flows, row: ROW, waves })
            .build();
        assert_eq!((net.inputs[1], net.output), ([ROW, ROWS, 1], [1, ROW * ROWS, 1]));
        let Some(Layer::WaveFlows(mut layer)) = net.layers.into_iter().next() else { panic!("one layer was built") };
        // As if it had learned to mix.
        for flow in &mut layer.flows {
            let mut some = |count: usize| (0..count).map(|_| 0.3 * rng.normal()).collect::<Vec<f32>>();
            let [below, above] = [(); 2].map(|()| tensor(some(ROW * ROW), [ROW, ROW]));
            flow.lower = flow.lower.clone().map(|_| below);
            flow.upper = flow.upper.clone().map(|_| above);
            let diagonal = tensor(some(ROW), [ROW]);
            flow.diagonal = flow.diagonal.clone().map(|_| diagonal);
        }
        layer
    }

    fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    fn floats<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_to_vec().unwrap()
    }

    fn sound(layer: &WaveFlows, noise: &[f32], class: usize) -> (Vec<f32>, f32) {
        let classes = (0..2).map(|at| f32::from(u8::from(at == class))).collect();
        let reads = [tensor(classes, [1, 2, 1, 1]), tensor(noise.to_vec(), [1, ROW, ROWS, 1])];
        let Sound { companded, spread, .. } = layer.sound(reads);
        (floats(companded), floats(spread)[0])
    }

    fn noise() -> Vec<f32> {
        let mut rng = Rng::new(2, 0);
        (0..ROW * ROWS).map(|_| 1.6 * rng.unit() - 0.8).collect()
    }

    #[test]
    fn what_it_spreads_is_the_determinant_of_its_jacobian() {
        let (layer, noise) = (layer(2), noise());
        let dims = ROW * ROWS;
        let z = |u: f32| {
            let share = SHARE[0] * u + SHARE[1];
            f64::from((share / (1.0 - share)).ln())
        };
        // Columns of differences quotients ∂x/∂z, then the determinant by elimination with pivots.
        let mut jacobian = vec![vec![0.0; dims]; dims];
        for at in 0..dims {
            let shifted = |by: f32| {
                let mut noise = noise.clone();
                noise[at] += by;
                (sound(&layer, &noise, 1).0, z(noise[at]))
            };
            let [(low, before), (high, after)] = [-0.01, 0.01].map(shifted);
            for (row, (low, high)) in low.iter().zip(&high).enumerate() {
                jacobian[row][at] = f64::from(high - low) / (after - before);
            }
        }
        let mut log = 0.0;
        for step in 0..dims {
            let pivot = (step..dims).max_by(|&a, &b| jacobian[a][step].abs().total_cmp(&jacobian[b][step].abs()));
            jacobian.swap(step, pivot.unwrap());
            log += jacobian[step][step].abs().ln();
            for row in step + 1..dims {
                let factor = jacobian[row][step] / jacobian[step][step];
                let own = jacobian[step].clone();
                jacobian[row].iter_mut().zip(own).for_each(|(value, own)| *value -= factor * own);
            }
        }
        let spread = f64::from(sound(&layer, &noise, 1).1);
        assert!((spread - log).abs() < 0.02 * dims as f64, "{spread}, by differences {log}");
        assert!((spread - log).abs() < 0.05 * spread.abs(), "{spread}, by differences {log}");
    }

    #[test]
    fn the_law_is_that_of_data() {
        let levels: Vec<f32> = (0..=255).map(|byte: u8| f32::from(byte) / 127.5 - 1.0).collect();
        let x = tensor(levels.clone(), [1, 1, 256, 1]);
        let wave = expanded(x);
        for (byte, wave) in (0..=255).zip(floats(wave.clone())) {
            let played = edgegen_data::sound::expand(byte);
            assert!((wave - played).abs() < 1e-5, "{byte}: {wave}, {played}");
        }
        for (level, again) in levels.iter().zip(floats(companded(wave))) {
            assert!((level - again).abs() < 1e-4, "{level} {again}");
        }
    }

    #[test]
    fn a_row_depends_on_its_own_noise_and_on_that_of_rows_before_it() {
        let (layer, mut noise) = (layer(1), noise());
        let before = sound(&layer, &noise, 0).0;
        // The first channel of row 2.
        noise[2] += 0.1;
        let after = sound(&layer, &noise, 0).0;
        let rows: Vec<bool> = before.chunks(ROW).zip(after.chunks(ROW)).map(|(a, b)| a != b).collect();
        // Behind it the row after, and those that the dilations 1 and 2 look back from.
        assert_eq!(rows, [false, false, true, true, true, true]);
        let mixed = before[2 * ROW..3 * ROW].iter().zip(&after[2 * ROW..]).filter(|(a, b)| a != b).count();
        assert_eq!(mixed, ROW, "W mixes a row");
        assert_ne!(sound(&layer, &noise, 1).0, after, "classes differ");
    }
}
