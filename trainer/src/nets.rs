//! The layer vocabulary that Burn trains: a network is a list of layers that reads like a paper's table.
//!
//! Each layer reads earlier ones or inputs. A chain, in which each reads the one before it, names no more than its
//! layers:
//!
//! ```text
//! NetBuilder::new([32, 1, 1], Init::Normal(0.02), &device, &mut rng)
//!     .linear([64, 7, 7]).batch_norm().relu()
//!     .conv_transpose(32, 4, 2, 1).batch_norm().relu()      // 14 × 14
//!     .conv_transpose(1, 4, 2, 1).tanh()                    // 28 × 28
//!     .build()
//! ```
//!
//! Where a net branches, a [`Mark`] stands for what is there, and joins read two of them:
//!
//! ```text
//! let net = NetBuilder::new([3, 32, 32], …).conv(16, 3, 1, 1).relu();
//! let skip = net.mark();
//! net.conv(16, 4, 2, 1).relu().conv_transpose(16, 4, 2, 1).concat(skip)     // 32 channels
//! ```
//!
//! Every activation is a `Tensor<4>`, `[batch, C, H, W]`; a vector is `[batch, n, 1, 1]`. The weights are drawn on
//! the host from [`Rng`] and lie as `edgegen_export::layers` documents, so lowering copies them as they are.
//!
//! The layers themselves are in [`layer`], the modules Burn sees, and the [`builder`](NetBuilder) in a file of its own;
//! here is the graph.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};

use crate::rng::Rng;

mod builder;
pub mod cpu;
mod gradient;
pub mod layer;
pub mod operations;

pub use builder::{Chain, Flows, Mark, NetBuilder, Speakers, Waves};
use layer::{Layer, Way};
use operations::operations;

/// Whether a pass trains (batch statistics, dropout) or only evaluates.
#[derive(Debug)]
pub enum Mode<'a> {
    /// BatchNorm normalizes with the statistics of the batch; Dropout draws its mask here.
    Train(&'a mut Rng),
    /// BatchNorm uses its stored statistics; Dropout passes its input through.
    Eval,
}

/// How weights are drawn; biases start at zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Init {
    /// N(0, σ²) with this σ; 0.02 is DCGAN's (Radford et al., 2016, §3).
    Normal(f32),
    /// N(0, 2 / fan-in) of He et al., 2015, for nets without normalization.
    He,
    /// Rows of the matrix `[out, rest]`, or its columns where there are fewer, orthogonal and of length 1 (Saxe et al.,
    /// "Exact solutions to the nonlinear dynamics of learning in deep linear neural networks", 2014), for nets whose
    /// weights are spectrally normalized or followed by a normalization. Filters that start as copies of others are
    /// He's.
    Orthogonal,
}

/// A feed-forward network: a graph of layers.
#[derive(Module, Debug)]
pub struct Net {
    /// The layers, in an order in which each reads only earlier ones; the last one is the output. A parameter's name in
    /// a file is its layer's position here.
    pub layers: Vec<Layer>,
    /// What each layer reads.
    #[module(skip)]
    pub reads: Vec<Vec<Source>>,
    /// `[C, H, W]` of each input.
    #[module(skip)]
    pub inputs: Vec<[usize; 3]>,
    /// `[C, H, W]` of the output.
    #[module(skip)]
    pub output: [usize; 3],
}

/// What a layer reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// An input of the net.
    Input(usize),
    /// What an earlier layer makes.
    Layer(usize),
}

impl Net {
    /// The output of a net with one input.
    ///
    /// # Shapes
    ///   - Input `[batch, C, H, W]` with C, H, W as in [`Net::inputs`]
    ///   - Output `[batch, C, H, W]` as in [`Net::output`]
    ///
    /// # Panics
    ///
    /// If the net has another number of inputs.
    pub fn forward(&self, input: Tensor<4>, mode: &mut Mode<'_>) -> Tensor<4> {
        self.forward_all(vec![input], mode)
    }

    /// The output; what a layer makes is kept until its last reader has run.
    ///
    /// # Shapes
    ///   - Inputs `[batch, C, H, W]` with C, H, W as in [`Net::inputs`]
    ///   - Output `[batch, C, H, W]` as in [`Net::output`]
    ///
    /// # Panics
    ///
    /// If the net has another number of inputs.
    pub fn forward_all(&self, inputs: Vec<Tensor<4>>, mode: &mut Mode<'_>) -> Tensor<4> {
        let mut maps = Maps::new(self, inputs);
        let reads = self.running();
        for (at, layer) in self.layers.iter().enumerate() {
            let output = reads[at].is_some().then(|| self.meant(layer).forward(maps.take(&reads, at), mode));
            maps.layers.push(output);
        }
        maps.output()
    }

    /// How often it goes through layers one time after another to make an image: once, but for layers that make values
    /// in turn, each of which depends on those before it.
    pub fn passes(&self) -> usize {
        let in_turn = |layer: &Layer| match layer {
            Layer::Autoregressive(layer) if layer.way == Way::InTurn => layer.location.degrees.len(),
            Layer::Wavenet(_) => self.output.iter().product(),
            _ => 0,
        };
        self.layers.iter().map(in_turn).sum::<usize>().max(1)
    }

    /// The layer whose weights one has: another one's for [`Layer::Again`], else its own.
    pub fn meant<'a>(&'a self, layer: &'a Layer) -> &'a Layer {
        if let Layer::Again(again) = layer { &self.layers[again.layer] } else { layer }
    }

    /// What each layer reads as the net is now, or nothing where no other needs it: behind a fade at one of its ends.
    pub fn running(&self) -> Vec<Option<Vec<Source>>> {
        let mut running = vec![None; self.layers.len()];
        let mut needed = vec![false; self.layers.len()];
        needed.iter_mut().last().into_iter().for_each(|last| *last = true);
        for (at, layer) in self.layers.iter().enumerate().rev() {
            if !needed[at] {
                continue;
            }
            let reads = match (layer, &self.reads[at][..]) {
                (Layer::Fade(fade), &[old, new]) => match fade.scales() {
                    [_, 0.0] => vec![old],
                    [0.0, _] => vec![new],
                    _ => vec![old, new],
                },
                (_, reads) => reads.to_vec(),
            };
            for source in &reads {
                if let Source::Layer(layer) = *source {
                    needed[layer] = true;
                }
            }
            running[at] = Some(reads);
        }
        running
    }

    /// Sets the α of every fade, first layer first, as far as `shares` go.
    pub fn fade(&mut self, shares: &[f32]) {
        let fades = self.layers.iter_mut().filter_map(|layer| match layer {
            Layer::Fade(fade) => Some(fade),
            _ => None,
        });
        fades.zip(shares).for_each(|(fade, &share)| fade.set(share));
    }

    /// The α of every fade, first layer first.
    pub fn shares(&self) -> Vec<f32> {
        let share = |layer: &Layer| match layer {
            Layer::Fade(fade) => Some(fade.share()),
            _ => None,
        };
        self.layers.iter().filter_map(share).collect()
    }

    /// What the last layer of a net with one input reads: the features of a classifier, the scores before a sigmoid.
    ///
    /// # Shapes
    ///   - Input `[batch, C, H, W]` with C, H, W as in [`Net::inputs`]
    ///
    /// # Panics
    ///
    /// If the net has another number of inputs or no layers, or its last layer reads several.
    pub fn before_last(&self, input: Tensor<4>, mode: &mut Mode<'_>) -> Tensor<4> {
        let (_, layers) = self.layers.split_last().expect("a net with layers");
        let mut maps = Maps::new(self, vec![input]);
        let reads = self.running();
        for (at, layer) in layers.iter().enumerate() {
            let output = reads[at].is_some().then(|| self.meant(layer).forward(maps.take(&reads, at), mode));
            maps.layers.push(output);
        }
        let mut reads = maps.take(&reads, layers.len());
        reads.pop().filter(|_| reads.is_empty()).expect("a last layer that reads one map")
    }

    /// The output, from what [`Net::before_last`] says.
    ///
    /// # Panics
    ///
    /// As [`Net::before_last`].
    pub fn last(&self, x: Tensor<4>, mode: &mut Mode<'_>) -> Tensor<4> {
        self.layers.last().expect("a net with layers").forward(vec![x], mode)
    }

    /// Itself with `next` behind it, which reads what it makes.
    ///
    /// # Panics
    ///
    /// If `next` does not read one map of the shape of its output.
    #[must_use]
    pub fn then(mut self, next: Net) -> Self {
        assert_eq!(next.inputs, [self.output], "what one makes the other reads");
        let first = self.layers.len();
        let moved = |source| match source {
            Source::Input(_) => Source::Layer(first - 1),
            Source::Layer(layer) => Source::Layer(first + layer),
        };
        self.reads.extend(next.reads.into_iter().map(|reads| reads.into_iter().map(moved).collect()));
        self.layers.extend(next.layers);
        Self { output: next.output, ..self }
    }

    /// Its first `count` layers, the last of which makes `[C, H, W]` = `between`, and the others, which read that
    /// alone: the opposite of [`Net::then`]. They share their parameters with it.
    ///
    /// # Panics
    ///
    /// If a layer behind them reads anything else that is before them.
    pub fn split(&self, count: usize, between: [usize; 3]) -> [Net; 2] {
        let moved = |source: &Source| match *source {
            Source::Layer(layer) if layer >= count => Source::Layer(layer - count),
            Source::Layer(layer) if layer + 1 == count => Source::Input(0),
            Source::Input(_) if count == 0 => *source,
            source => panic!("expected layers that read those from {count} on, found one that reads {source:?}"),
        };
        let [first, second] = [&self.layers[..count], &self.layers[count..]].map(<[Layer]>::to_vec);
        let reads = self.reads[count..].iter().map(|reads| reads.iter().map(moved).collect());
        [
            Net { layers: first, reads: self.reads[..count].to_vec(), inputs: self.inputs.clone(), output: between },
            Net { layers: second, reads: reads.collect(), inputs: vec![between], output: self.output },
        ]
    }

    /// Itself without its last layer, which reads `[C, H, W]` = `shape`: the features of a classifier.
    ///
    /// # Panics
    ///
    /// If it has no two layers, or the last one reads another than the one before it.
    #[must_use]
    pub fn without_last(mut self, shape: [usize; 3]) -> Self {
        self.layers.pop();
        let reads = self.reads.pop();
        let before = self.layers.len().checked_sub(1).map(|layer| vec![Source::Layer(layer)]);
        assert!(before.is_some() && reads == before, "a chain at its end");
        Self { output: shape, ..self }
    }

    /// One power iteration of every spectrally normalized layer; call it once per training step.
    pub fn power_iteration(&mut self) {
        for layer in &mut self.layers {
            layer.power_iteration();
        }
    }

    /// ‖W·Wᵀ ⊙ (1 − I)‖², summed over the weights W `[out, rest]` of all dense layers and convolutions, `[1]`: 0 where
    /// the filters of each layer are orthogonal (Brock et al., "Large Scale GAN Training", 2019, eq. 3). Of more
    /// filters than values in each, which cannot be, the columns of W are compared. Nothing where there are no such
    /// layers.
    pub fn likeness(&self) -> Option<Tensor<1>> {
        let of_matrix = |weight: Tensor<2>| {
            let [rows, columns] = weight.dims();
            let weight = if rows > columns { weight.transpose() } else { weight };
            let products = weight.clone().matmul(weight.transpose());
            let [rows, _] = products.dims();
            let others = Tensor::<2>::eye(rows, &products.device().inner()).neg().add_scalar(1.0);
            (products * others).square().sum()
        };
        let of_layer = |layer: &Layer| match layer {
            Layer::Linear(linear) => Some(of_matrix(linear.weight.val())),
            Layer::Conv(conv) => Some(of_matrix(conv.weight.val().flatten(1, 3))),
            _ => None,
        };
        self.layers.iter().filter_map(of_layer).reduce(|sum, one| sum + one)
    }

    /// Sets the statistics of every BatchNorm, and every mean style, to those of `inputs`, layer by layer.
    ///
    /// Averaged weights have activations of their own, which running statistics of the raw weights do not describe;
    /// estimating them anew from latents also spares the bookkeeping of running statistics during training.
    ///
    /// # Panics
    ///
    /// If the net has another number of inputs.
    pub fn estimate_statistics(&mut self, inputs: Vec<Tensor<4>>) {
        let mut maps = Maps::new(self, inputs);
        let all = self.running();
        for (at, own) in all.iter().enumerate() {
            if own.is_none() {
                maps.layers.push(None);
                continue;
            }
            let reads = maps.take(&all, at);
            match &mut self.layers[at] {
                Layer::BatchNorm(norm) => norm.estimate(reads[0].clone()),
                Layer::Truncation(truncation) => truncation.estimate(reads[0].clone()),
                _ => {}
            }
            maps.layers.push(Some(self.meant(&self.layers[at]).forward(reads, &mut Mode::Eval)));
        }
    }

    /// Draws every style towards its mean, or away from it: ψ of [`Truncation`](layer::Truncation). Tells whether the
    /// net keeps a mean style.
    pub fn truncate(&mut self, psi: f32) -> bool {
        let truncations = self.layers.iter_mut().filter_map(|layer| match layer {
            Layer::Truncation(truncation) => Some(truncation),
            _ => None,
        });
        truncations.map(|truncation| truncation.psi = psi).count() > 0
    }

    /// Whether some layer keeps statistics that [`Net::estimate_statistics`] has to fill.
    pub fn has_statistics(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(_) | Layer::Truncation(_)))
    }

    /// Whether what it says of a sample depends on the rest of the batch while it trains.
    pub fn looks_at_batch(&self) -> bool {
        self.layers.iter().any(|layer| matches!(layer, Layer::BatchNorm(_) | Layer::BatchDeviation(_)))
    }

    /// Moves every parameter a little towards those of `source`: `self ← decay · self + (1 − decay) · source`.
    ///
    /// `self` is a copy without autodiff of the net it follows, so that both hold the same parameters in the same order.
    pub fn average(&mut self, source: &Net, decay: f64) {
        struct Collect(Vec<Tensor<1>>);
        impl ModuleVisitor for Collect {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                self.0.push(param.val().inner().reshape([-1]));
            }
        }
        struct Blend {
            sources: std::vec::IntoIter<Tensor<1>>,
            decay: f64,
        }
        impl ModuleMapper for Blend {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                let source = self.sources.next().expect("both nets were built from the same recipe");
                let decay = self.decay;
                param.map(|mean| {
                    let shape = mean.shape();
                    let mean = mean.reshape([-1]);
                    operations(&[&mean, &source]).blend(mean, source, decay).reshape(shape)
                })
            }
        }
        let mut collect = Collect(Vec::new());
        source.visit(&mut collect);
        let mut blend = Blend { sources: collect.0.into_iter(), decay };
        *self = self.clone().map(&mut blend);
    }
}

/// What inputs and layers hold while a net runs.
struct Maps {
    inputs: Vec<Option<Tensor<4>>>,
    layers: Vec<Option<Tensor<4>>>,
}

impl Maps {
    fn new(net: &Net, inputs: Vec<Tensor<4>>) -> Self {
        assert_eq!(inputs.len(), net.inputs.len(), "one map for each input of the net");
        Self { inputs: inputs.into_iter().map(Some).collect(), layers: Vec::with_capacity(net.layers.len()) }
    }

    /// What layer `at` reads. What no later layer reads is handed over, so that it can be changed in place.
    fn take(&mut self, reads: &[Option<Vec<Source>>], at: usize) -> Vec<Tensor<4>> {
        let own = reads[at].as_deref().unwrap_or_default();
        let one = |(index, &source): (usize, &Source)| {
            let mut later = own[index + 1..].iter().chain(reads[at + 1..].iter().flatten().flatten());
            let map = match source {
                Source::Input(input) => &mut self.inputs[input],
                Source::Layer(layer) => &mut self.layers[layer],
            };
            let map = if later.any(|&other| other == source) { map.clone() } else { map.take() };
            map.expect("a map is kept until its last reader has run")
        };
        own.iter().enumerate().map(one).collect()
    }

    /// What the last layer made, or, where there are none, what came in.
    fn output(mut self) -> Tensor<4> {
        self.layers.pop().or_else(|| self.inputs.pop()).flatten().expect("nothing reads the output")
    }
}

#[cfg(test)]
mod tests;
