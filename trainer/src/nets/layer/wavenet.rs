//! The chain rule along time: a sample has a distribution that depends on those before it, by causal dilated
//! convolutions.
//!
//! ```text
//! z = tanh(F ∗ h + V_f y) ⊙ σ(G ∗ h + V_g y)        h ← h + R z        skip ← skip + S z
//! ```
//!
//! van den Oord et al., "WaveNet: A Generative Model for Raw Audio" (2016), eq. 2 and fig. 4. F and G see their own
//! moment and one `dilation` earlier, so that n layers of dilations 1, 2, 4 … see 2ⁿ samples. Densities of whole sounds
//! come in one pass; samples are made in turn, each layer keeping what it will see again in a ring (Le Paine et al.,
//! "Fast Wavenet Generation Algorithm", 2016), so that a sample costs the same however much was before it.
//!
//! A sample is one of the 256 levels of the μ-law, by a mixture of logistics over them: each component has the
//! probability σ((x + δ − m)/s) − σ((x − δ − m)/s) for a level whose middle is x, the outermost all that lies beyond
//! (Salimans et al., "PixelCNN++", 2017, §2.1). A softmax over 256 levels needs 256 numbers a sample and knows no
//! neighbours; the mixture needs 3 for each component. Noise, which the μ-law parts in loud and soft levels of either
//! sign, takes two of them. One number of noise chooses the component, another the place within it.
//!
//! Beside the sample before, the first layer sees how far the sound is, from −1 to 1: a local condition (§2.5 there),
//! as a hit dies away over more samples than the layers see.

use burn::module::Module;
use burn::tensor::{Tensor, TensorData, activation};
use rayon::prelude::*;

use super::{Conv, Linear, PointwiseKind};
use crate::nets::operations::operations;

/// Half of the way from one level to the next.
const HALF: f64 = 1.0 / 255.0;
/// Bounds of the logarithm of a component's scale: from a twentieth of a level to all of them.
pub const LOG_SCALES: [f64; 2] = [-8.0, 2.0];

/// Noise u in [−1, 1] stands for the share `SHARE[0] · u + SHARE[1]` of a probability. That of a device has 255 steps:
/// the middle of each, so that neither end asks for more than there is.
pub const SHARE: [f32; 2] = [127.0 / 255.0, 0.5];

/// A layer that makes a sound from two numbers of noise in [−1, 1] for each sample.
///
/// # Shapes
///   - Inputs: classes `[batch, classes, 1, 1]`, one-hot, or one value that does not count where there are none; noise
///     `[batch, 2, samples, 1]`, which chooses the place within a component and the component
///   - Output `[batch, 1, samples, 1]`, levels as values in [−1, 1]
#[derive(Module, Debug)]
pub struct Wavenet {
    /// From a sample, and how far the sound is, to the channels of the blocks.
    pub first: Conv,
    /// The blocks, in their order.
    pub blocks: Vec<Block>,
    /// From the sum of the skips to as many channels.
    pub hidden: Conv,
    /// To the mixture: a score, a mean and a log-scale for each component.
    pub mixture: Conv,
    /// Classes.
    pub classes: usize,
}

/// A gated layer with its way past it.
#[derive(Module, Debug)]
pub struct Block {
    /// F and G, one behind the other: a causal window.
    pub gated: Conv,
    /// V_f and V_g, if there are classes.
    pub of_class: Option<Linear>,
    /// R and S, one behind the other: 1 × 1.
    pub out: Conv,
}

impl Wavenet {
    pub(super) fn forward(&self, [classes, noise]: [Tensor<4>; 2]) -> Tensor<4> {
        let [batch, _, samples, _] = noise.dims();
        let (device, values) = (noise.device(), classes.dims()[1]);
        let [classes, noise] = [classes, noise].map(host);
        let plain = Plain::of(self);
        let sounds: Vec<f32> = noise
            .par_chunks(2 * samples)
            .zip(classes.par_chunks(values))
            .flat_map_iter(|(noise, class)| {
                let (within, among) = noise.split_at(samples);
                let choose = |at: usize, mixture: Mixture<'_>| mixture.level([within[at], among[at]]);
                plain.in_turn(&class[..self.classes], choose, samples)
            })
            .collect();
        Tensor::from_data(TensorData::new(sounds, [batch, 1, samples, 1]), &device)
    }

    /// The mixtures of all samples, each from those before it, in one pass.
    ///
    /// # Shapes
    ///   - `x` `[batch, 1, samples, 1]`, `classes` `[batch, classes, 1, 1]`, one-hot, where there are classes
    ///   - Output `[batch, 3 · components, samples, 1]`
    pub fn mixtures(&self, x: Tensor<4>, classes: Option<&Tensor<4>>) -> Tensor<4> {
        let [batch, _, samples, _] = x.dims();
        let silence = Tensor::zeros([batch, 1, 1, 1], &x.device());
        let late = Tensor::cat(vec![silence, x.narrow(2, 0, samples - 1)], 2);
        let far = Tensor::<4>::from_data(TensorData::new(how_far(samples), [1, 1, samples, 1]), &late.device());
        let h = self.first.forward(Tensor::cat(vec![late, far.expand([batch, 1, samples, 1])], 1));
        self.behind_first(h, classes)
    }

    /// What the blocks and the two layers behind them make of `h`, what the first layer makes.
    ///
    /// # Shapes
    ///   - `h` `[batch, channels, rows, 1]`, `classes` `[batch, classes, 1, 1]`, one-hot, where there are classes
    ///   - Output `[batch, outputs, rows, 1]`
    pub(super) fn behind_first(&self, mut h: Tensor<4>, classes: Option<&Tensor<4>>) -> Tensor<4> {
        let channels = h.dims()[1];
        let mut skips: Option<Tensor<4>> = None;
        for block in &self.blocks {
            let gated = block.gated.forward(h.clone());
            let gated = match block.of_class.as_ref().zip(classes) {
                Some((linear, classes)) => operations(&[&gated]).add(gated, linear.forward(classes.clone()), [1.0; 2]),
                None => gated,
            };
            let half = |first: usize, kind| {
                let own = gated.clone().narrow(1, first, channels);
                operations(&[&own]).pointwise(kind, own)
            };
            let out = block.out.forward(half(0, PointwiseKind::Tanh) * half(channels, PointwiseKind::Sigmoid));
            let skip = out.clone().narrow(1, channels, out.dims()[1] - channels);
            h = h + out.narrow(1, 0, channels);
            skips = Some(match skips {
                Some(skips) => skips + skip,
                None => skip,
            });
        }
        let skips = activation::relu(skips.expect("a WaveNet has blocks"));
        self.mixture.forward(activation::relu(self.hidden.forward(skips)))
    }

    /// The log-probability of the levels of sounds, `[batch]`.
    ///
    /// # Shapes
    ///   - As [`Wavenet::mixtures`]
    pub fn log_probability(&self, x: Tensor<4>, classes: Option<&Tensor<4>>) -> Tensor<1> {
        let is_lowest = x.clone().lower_elem(HALF - 1.0).float();
        let is_highest = x.clone().greater_elem(1.0 - HALF).float();
        let batch = x.dims()[0];
        self.log_around(x, classes, [is_lowest, is_highest], LOG_SCALES[0]).sum_dim(2).reshape([batch])
    }

    /// The log-density of each sample given those before it, of levels and of what lies between and beyond them: that
    /// of the mixtures, each logistic at least a level wide, spread evenly over a level.
    ///
    /// A narrower one would hold a sample for impossible that rounds to the level next to the one it is sure of.
    ///
    /// # Shapes
    ///   - `x` and `classes` as [`Wavenet::mixtures`]
    ///   - Output `[batch, 1, samples, 1]`
    pub fn log_density(&self, x: Tensor<4>, classes: Option<&Tensor<4>>) -> Tensor<4> {
        let none = Tensor::zeros(x.dims(), &x.device());
        let level = (2.0 * HALF).ln();
        self.log_around(x, classes, [none.clone(), none], level).sub_scalar(level)
    }

    /// The log-probability of what is up to half a level from x, and of all beyond it where x is the lowest or the
    /// highest level, of each sample; log-scales are at least `least`.
    fn log_around(
        &self,
        x: Tensor<4>,
        classes: Option<&Tensor<4>>,
        [is_lowest, is_highest]: [Tensor<4>; 2],
        least: f64,
    ) -> Tensor<4> {
        let mixtures = self.mixtures(x.clone(), classes);
        let components = mixtures.dims()[1] / 3;
        let part = |index: usize| mixtures.clone().narrow(1, index * components, components);
        let log_scale = part(2).clamp(least, LOG_SCALES[1]);
        let inverse = log_scale.neg().exp();
        let beside = x.sub(part(1));
        let above = beside.clone().add_scalar(HALF) * inverse.clone();
        let below = beside.sub_scalar(HALF) * inverse.clone();
        // σ(a) − σ(b) = σ(a) σ(−b) (1 − e^{b − a}): nothing cancels, however far x lies from the mean.
        let width = inverse.mul_scalar(-2.0 * HALF).exp().neg().add_scalar(1.0).log();
        let not = |is: &Tensor<4>| is.clone().neg().add_scalar(1.0);
        let of_level = activation::log_sigmoid(above) * not(&is_highest)
            + activation::log_sigmoid(below.neg()) * not(&is_lowest)
            + width * (not(&is_lowest) - is_highest);
        let each = of_level + activation::log_softmax(part(0), 1);
        let most = each.clone().max_dim(1).detach();
        (each - most.clone()).exp().sum_dim(1).log() + most
    }
}

/// How far a sound of so many samples is at each of them: from −1 to 1.
pub fn how_far(samples: usize) -> Vec<f32> {
    (0..samples).map(|at| 2.0 * at as f32 / samples.saturating_sub(1).max(1) as f32 - 1.0).collect()
}

/// The weights as plain numbers.
struct Plain {
    first: [Vec<f32>; 2],
    blocks: Vec<PlainBlock>,
    hidden: [Vec<f32>; 2],
    mixture: [Vec<f32>; 2],
}

struct PlainBlock {
    dilation: usize,
    /// The kernel's row of the earlier moment, that of its own, and biases.
    earlier: Vec<f32>,
    own: Vec<f32>,
    bias: Vec<f32>,
    of_class: Option<[Vec<f32>; 2]>,
    out: [Vec<f32>; 2],
}

/// The distribution of one sample.
struct Mixture<'a>(&'a [f32]);

impl Plain {
    fn of(net: &Wavenet) -> Self {
        let plain = |conv: &Conv| [host(conv.normalized_weight()), host(conv.bias.val())];
        let block = |block: &Block| {
            let [weight, bias] = plain(&block.gated);
            let row = |first: usize| weight[first..].iter().step_by(2).copied().collect();
            let of_class = |linear: &Linear| [host(linear.normalized_weight()), host(linear.bias.val())];
            PlainBlock {
                dilation: block.gated.window.dilation[0],
                earlier: row(0),
                own: row(1),
                bias,
                of_class: block.of_class.as_ref().map(of_class),
                out: plain(&block.out),
            }
        };
        Self {
            first: plain(&net.first),
            blocks: net.blocks.iter().map(block).collect(),
            hidden: plain(&net.hidden),
            mixture: plain(&net.mixture),
        }
    }

    /// A sound, sample after sample, as `choose` takes them from their distributions.
    fn in_turn(&self, class: &[f32], choose: impl Fn(usize, Mixture<'_>) -> f32, samples: usize) -> Vec<f32> {
        let channels = self.first[1].len();
        let of_class: Vec<Vec<f32>> = self
            .blocks
            .iter()
            .map(|block| {
                let mut sums = block.bias.clone();
                if let Some([weight, bias]) = &block.of_class {
                    add(&mut sums, weight, class);
                    sums.iter_mut().zip(bias).for_each(|(sum, bias)| *sum += bias);
                }
                sums
            })
            .collect();
        let mut rings: Vec<Vec<f32>> = self.blocks.iter().map(|block| vec![0.0; block.dilation * channels]).collect();
        let mut sound = Vec::with_capacity(samples);
        let mut last = 0.0;
        for (at, far) in how_far(samples).into_iter().enumerate() {
            let mut h = product(&self.first, &[last, far]);
            let mut skips = vec![0.0; self.hidden[0].len() / self.hidden[1].len()];
            for ((block, ring), of_class) in self.blocks.iter().zip(&mut rings).zip(&of_class) {
                let place = at % block.dilation * channels;
                let mut gated = of_class.clone();
                add(&mut gated, &block.earlier, &ring[place..place + channels]);
                add(&mut gated, &block.own, &h);
                let (filter, gate) = gated.split_at(channels);
                let z: Vec<f32> =
                    filter.iter().zip(gate).map(|(filter, gate)| filter.tanh() / (1.0 + (-gate).exp())).collect();
                let out = product(&block.out, &z);
                ring[place..place + channels].copy_from_slice(&h);
                h.iter_mut().zip(&out).for_each(|(h, out)| *h += out);
                skips.iter_mut().zip(&out[channels..]).for_each(|(skip, out)| *skip += out);
            }
            relu(&mut skips);
            let mut hidden = product(&self.hidden, &skips);
            relu(&mut hidden);
            last = choose(at, Mixture(&product(&self.mixture, &hidden)));
            sound.push(last);
        }
        sound
    }
}

/// The share of the probability that noise in [−1, 1] stands for, see [`SHARE`].
fn share(noise: f32) -> f32 {
    SHARE[0] * noise + SHARE[1]
}

impl Mixture<'_> {
    /// A level by noise from −1 to 1: the second number chooses a component by their chances, in their order, and the
    /// first the level up to which such a share of that component's probability lies.
    fn level(&self, [within, among]: [f32; 2]) -> f32 {
        let (scores, rest) = self.0.split_at(self.0.len() / 3);
        let (means, log_scales) = rest.split_at(scores.len());
        let most = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
        let chances: Vec<f32> = scores.iter().map(|score| (score - most).exp()).collect();
        let mut left = share(among) * chances.iter().sum::<f32>();
        let chosen = chances.iter().position(|chance| {
            left -= chance;
            left < 0.0
        });
        let chosen = chosen.unwrap_or(chances.len() - 1);
        Mixture(&[0.0, means[chosen], log_scales[chosen]]).level_up_to(share(within))
    }

    /// The level up to which such a share of the probability lies.
    fn level_up_to(&self, share: f32) -> f32 {
        let value = |level: usize| level as f32 / 127.5 - 1.0;
        // The first of the levels 0 to 254 with as much below it, else the last.
        let (mut low, mut high) = (0, 255);
        while low < high {
            let middle = (low + high) / 2;
            if self.below(value(middle) + HALF as f32) < share {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        value(low)
    }

    /// The probability of what is below `x`.
    fn below(&self, x: f32) -> f32 {
        let (scores, rest) = self.0.split_at(self.0.len() / 3);
        let (means, log_scales) = rest.split_at(scores.len());
        let most = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
        let mut sums = [0.0; 2];
        for ((score, mean), log_scale) in scores.iter().zip(means).zip(log_scales) {
            let weight = (score - most).exp();
            let scale = log_scale.clamp(LOG_SCALES[0] as f32, LOG_SCALES[1] as f32).exp();
            sums[0] += weight / (1.0 + ((mean - x) / scale).exp());
            sums[1] += weight;
        }
        sums[0] / sums[1]
    }
}

fn product([weight, bias]: &[Vec<f32>; 2], x: &[f32]) -> Vec<f32> {
    let mut sums = bias.clone();
    add(&mut sums, weight, x);
    sums
}

/// Adds W·x to `sums`.
fn add(sums: &mut [f32], weight: &[f32], x: &[f32]) {
    for (sum, row) in sums.iter_mut().zip(weight.chunks(x.len().max(1))) {
        *sum += row.iter().zip(x).map(|(weight, x)| weight * x).sum::<f32>();
    }
}

fn relu(values: &mut [f32]) {
    values.iter_mut().for_each(|value| *value = value.max(0.0));
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("networks compute in 32-bit floats")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::layer::Layer;
    use crate::nets::{Init, NetBuilder, Waves};
    use crate::rng::Rng;
    use burn::tensor::Device;

    const SAMPLES: usize = 60;
    const WAVES: Waves<'_> = Waves { channels: 6, skips: 8, dilations: &[1, 2, 4, 1, 2, 4], components: 3, classes: 2 };

    fn layer(device: &Device) -> Wavenet {
        let mut rng = Rng::new(1, 0);
        let net = NetBuilder::new([2, 1, 1], Init::He, device, &mut rng).wavenet(SAMPLES, &WAVES).build();
        assert_eq!(net.output, [1, SAMPLES, 1]);
        match net.layers.into_iter().next() {
            Some(Layer::Wavenet(layer)) => layer,
            _ => panic!("one layer was built"),
        }
    }

    fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), &Device::flex())
    }

    /// A sound of random levels.
    fn sound(rng: &mut Rng) -> Vec<f32> {
        (0..SAMPLES).map(|_| rng.below(256) as f32 / 127.5 - 1.0).collect()
    }

    #[test]
    fn a_sample_depends_on_the_receptive_field_and_nothing_else() {
        let layer = layer(&Device::flex());
        let class = tensor(vec![0.0, 1.0], [1, 2, 1, 1]);
        let mut x = sound(&mut Rng::new(2, 0));
        let of = |x: &[f32]| host(layer.mixtures(tensor(x.to_vec(), [1, 1, SAMPLES, 1]), Some(&class)));
        let before = of(&x);
        let changed = 20;
        x[changed] = -x[changed] + 0.5;
        let after = of(&x);
        let field = WAVES.receptive_field();
        assert_eq!(field, 15, "1 + 2 · (1 + 2 + 4)");
        for at in 0..SAMPLES {
            let differs = (0..9).any(|channel| before[channel * SAMPLES + at] != after[channel * SAMPLES + at]);
            assert_eq!(differs, (changed + 1..=changed + field).contains(&at), "sample {at}");
        }
    }

    #[test]
    fn what_is_made_in_turn_is_what_one_pass_says() {
        let layer = layer(&Device::flex());
        let mut rng = Rng::new(3, 0);
        let noise: Vec<f32> = (0..2 * SAMPLES).map(|_| 2.0 * rng.unit() - 1.0).collect();
        let class = tensor(vec![1.0, 0.0], [1, 2, 1, 1]);
        let made = layer.forward([class.clone(), tensor(noise.clone(), [1, 2, SAMPLES, 1])]);
        let mixtures = host(layer.mixtures(made.clone(), Some(&class)));
        let made = host(made);
        let is_level =
            |value: &f32| ((value + 1.0) * 127.5).fract().abs() < 1e-3 || ((value + 1.0) * 127.5).fract() > 0.999;
        assert!(made.iter().all(is_level));
        let again = |at: usize| {
            let own: Vec<f32> = (0..9).map(|channel| mixtures[channel * SAMPLES + at]).collect();
            Mixture(&own).level([noise[at], noise[SAMPLES + at]])
        };
        let again: Vec<f32> = (0..SAMPLES).map(again).collect();
        let same = again.iter().zip(&made).filter(|(again, made)| (*again - *made).abs() < 1e-6).count();
        // Rounding may move a sample that lies between two levels to the other.
        assert!(same >= SAMPLES - 2, "{same} of {SAMPLES} samples");
    }

    #[test]
    fn components_are_drawn_by_their_chances_and_levels_by_theirs() {
        // Three in four times a component around −0.5, else one around 0.5, either two hundredths wide.
        let mixture = Mixture(&[3f32.ln(), 0.0, -0.5, 0.5, -4.0, -4.0]);
        let mut rng = Rng::new(6, 0);
        let levels: Vec<f32> = (0..4000).map(|_| mixture.level([(); 2].map(|()| 2.0 * rng.unit() - 1.0))).collect();
        let low: Vec<f32> = levels.iter().copied().filter(|&level| level < 0.0).collect();
        assert!((2900..3100).contains(&low.len()), "{}", low.len());
        let mean = low.iter().sum::<f32>() / low.len() as f32;
        let deviation = (low.iter().map(|level| (level - mean).powi(2)).sum::<f32>() / low.len() as f32).sqrt();
        // That of a logistic is π/√3 times its scale.
        assert!((mean + 0.5).abs() < 3e-3 && (deviation - 0.0332).abs() < 3e-3, "{mean} ± {deviation}");
        // The level below which such a share lies, of the whole mixture.
        let half = |share: f32| Mixture(&[3f32.ln(), 0.0, -0.5, 0.5, -4.0, -4.0]).level_up_to(share);
        assert!((half(0.375) + 0.5).abs() < 0.01 && (half(0.875) - 0.5).abs() < 0.01);
    }

    #[test]
    fn probabilities_of_all_levels_add_up_to_one() {
        let layer = layer(&Device::flex());
        let x = sound(&mut Rng::new(4, 0));
        let class = tensor(vec![0.0, 1.0], [1, 2, 1, 1]);
        let with = |level: usize| {
            let mut x = x.clone();
            // The last sample: no other depends on it.
            x[SAMPLES - 1] = level as f32 / 127.5 - 1.0;
            let log = layer.log_probability(tensor(x, [1, 1, SAMPLES, 1]), Some(&class));
            f64::from(host(log)[0])
        };
        let logs: Vec<f64> = (0..256).map(with).collect();
        // What is left of each without the chance of its level, which the mixture of the last sample tells.
        let mixtures = host(layer.mixtures(tensor(x, [1, 1, SAMPLES, 1]), Some(&class)));
        let last: Vec<f32> = (0..9).map(|channel| mixtures[channel * SAMPLES + SAMPLES - 1]).collect();
        let below = |level: usize| match level {
            0 => 0.0,
            256 => 1.0,
            level => f64::from(Mixture(&last).below((level as f32 - 0.5) / 127.5 - 1.0)),
        };
        let chances: Vec<f64> = (0..256).map(|level| below(level + 1) - below(level)).collect();
        let likely = (0..256).max_by(|&a, &b| chances[a].total_cmp(&chances[b])).unwrap();
        let rest = logs[likely] - chances[likely].ln();
        for (level, (log, chance)) in logs.iter().zip(&chances).enumerate() {
            assert!(((log - rest).exp() - chance).abs() < 1e-4, "level {level}: {} and {chance}", (log - rest).exp());
        }
        let total: f64 = logs.iter().map(|log| (log - rest).exp()).sum();
        assert!((total - 1.0).abs() < 1e-3, "{total}");
    }
}
