//! From layers to stages: batch normalization disappears into the weights, every kind of convolution and upsampling
//! becomes phases, and what is left becomes joins, copies and means.
//!
//! Nodes are taken in order. A layer that can wait does: a permutation, an affine map, an enlargement and padding are
//! remembered with the node (`Place`), and the convolution that reads it takes them in. Where nothing does, they become
//! stages of their own. A layer that only changes what a stage makes, as a nonlinearity does, changes that stage if
//! nothing else reads it.
//!
//! | file | what it turns into stages |
//! |---|---|
//! | `constants` | what depends on no input is computed; what the image does not depend on goes |
//! | `taps` | an axis of a convolution |
//! | `product` | dense layers and convolutions |
//! | `pointwise` | nonlinearities, batch normalizations and affine maps |
//! | `copy` | upsampling, pixel shuffle, concatenation, parts, padding |
//! | `reorder` | permutations |
//! | `join` | sums and products of two nodes |
//! | `mean` | normalization by statistics, pooling, linear interpolation |

use edgegen_runtime::Shape;
use edgegen_runtime::graph::{Border, MAX_NODES, Read};

use crate::error::ExportError;
use crate::function::Function;
use crate::layers::{Input, Layer, Mismatch, Network, Node};
use crate::stage::{Op, Stage, Staged};

mod constants;
mod copy;
mod join;
mod mean;
mod pointwise;
mod product;
mod reorder;
mod taps;

/// Turns a network into stages. The result computes the same up to the rounding of float sums.
///
/// # Errors
///
/// [`ExportError::Layer`] for a node that does not fit what it reads or that the runtime has no operator for,
/// [`ExportError::TooLarge`] and [`ExportError::Limit`] for what the format cannot hold.
pub fn fold(network: &Network) -> Result<Staged, ExportError> {
    let network = &constants::without_constants(network)?;
    let shapes = network.shapes()?;
    let mut readers = vec![0; network.nodes.len()];
    network.nodes.iter().flat_map(|node| &node.reads).for_each(|&read| readers[read] += 1);
    let mut fold = Fold { network, shapes, readers, places: Vec::new(), stages: Vec::new(), notes: Vec::new() };
    for index in 0..network.nodes.len() {
        let place = fold.push(index)?;
        if fold.readers[index] > 1 {
            fold.notes[place.stage].shared = true;
        }
        fold.places.push(place);
    }
    let image = fold.whole(network.nodes.len() - 1)?;
    fold.finish(image)
}

/// The work so far.
struct Fold<'a> {
    network: &'a Network,
    /// Of all nodes.
    shapes: Vec<Shape>,
    /// How many reads there are of each node.
    readers: Vec<usize>,
    /// Of the nodes so far.
    places: Vec<Place>,
    stages: Vec<Stage>,
    /// What is known of each stage beside.
    notes: Vec<Note>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Note {
    /// Whether anything but the node that is worked on reads the stage, which then has to stay as it is.
    shared: bool,
    /// What those readers ask for that read beyond it.
    border: Option<Border>,
}

/// Where the values of a node are: a stage, and what still has to be done to what it makes, in the order of the fields.
#[derive(Clone, Debug)]
struct Place {
    stage: usize,
    /// The values in another order.
    order: Option<Order>,
    /// A factor and an offset for each channel.
    affine: Option<Affine>,
    /// Each row and column repeated as often.
    enlarge: [usize; 2],
    /// Rows and columns around it.
    pad: Option<Pad>,
}

/// The new shape and, for each value of it in the order C, H, W, the place of its source in the order C, H, W.
#[derive(Clone, Debug, PartialEq)]
struct Order {
    shape: Shape,
    from: Vec<usize>,
}

/// `(x − mean[c])·scale[c] + offset[c]`.
#[derive(Clone, Debug, PartialEq)]
struct Affine {
    mean: Vec<f32>,
    scale: Vec<f32>,
    offset: Vec<f32>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Pad {
    padding: [[usize; 2]; 2],
    border: Border,
}

/// Up to which of its fields, that one included, a [`Place`] is made a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Upto {
    Order,
    Affine,
    Enlarge,
    Pad,
}

impl Place {
    /// A stage as it is.
    fn stage(stage: usize) -> Self {
        Self { stage, order: None, affine: None, enlarge: [1; 2], pad: None }
    }

    fn is_stage(&self) -> bool {
        self.order.is_none() && self.affine.is_none() && self.enlarge == [1; 2] && self.pad.is_none()
    }

    fn is_pending(&self, part: Upto) -> bool {
        match part {
            Upto::Order => self.order.is_some(),
            Upto::Affine => self.affine.is_some(),
            Upto::Enlarge => self.enlarge != [1; 2],
            Upto::Pad => self.pad.is_some(),
        }
    }
}

impl Fold<'_> {
    /// Where the values of a node are; nodes before it have theirs.
    fn push(&mut self, index: usize) -> Result<Place, ExportError> {
        let network = self.network;
        let Node { name, layer, reads } = &network.nodes[index];
        let (shape, source) = (self.shapes[index], reads.first().copied().unwrap_or_default());
        match layer {
            Layer::Input(input) => Ok(self.input(name, shape, input)),
            Layer::Dense { shape, weight, bias } => self.dense(name, source, *shape, weight, bias),
            Layer::Conv { window, weight, bias } => self.conv(name, source, shape, window, weight, bias),
            Layer::ConvTranspose { window, weight, bias, .. } => {
                self.conv_transpose(name, source, shape, window, weight, bias)
            }
            Layer::UpsampleNearest { factor } => self.upsample(source, *factor),
            Layer::PixelShuffle { factor, blocks_first } => {
                self.pixel_shuffle(name, source, shape, *factor, *blocks_first)
            }
            Layer::BatchNorm { gamma, beta, mean, variance, epsilon } => {
                let scale = gamma.iter().zip(variance).map(|(gamma, variance)| gamma / (variance + epsilon).sqrt());
                self.affine(source, Affine { mean: mean.clone(), scale: scale.collect(), offset: beta.clone() })
            }
            Layer::Affine { scale, offset } => self.affine(source, Affine::new(scale.clone(), offset.clone())),
            Layer::Normalize { over, centred, gamma, beta, epsilon } => {
                self.normalize(name, source, *over, *centred, [gamma, beta], *epsilon)
            }
            Layer::Activation(function) => self.activation(name, source, function),
            Layer::ChannelFunctions(functions) => self.channel_functions(name, source, functions),
            Layer::Add { scales } => self.add(name, [reads[0], reads[1]], shape, *scales),
            Layer::Mul => self.multiply(name, [reads[0], reads[1]], shape),
            Layer::Concat => self.concat(name, reads),
            Layer::Slice { starts, .. } => self.slice(name, source, shape, *starts),
            Layer::Pad { padding, border } => self.pad(source, Pad { padding: *padding, border: *border }),
            Layer::Reorder { shape, from } => self.reorder(source, Order { shape: *shape, from: from.clone() }),
            Layer::GlobalMean => self.global_mean(name, source),
            Layer::AveragePool { window, exclude_padding } => {
                self.average_pool(name, source, shape, window, *exclude_padding)
            }
            Layer::UpsampleLinear { factor } => self.upsample_linear(name, source, shape, *factor),
        }
    }

    fn input(&mut self, name: &str, shape: Shape, input: &Input) -> Place {
        let stage = self.add_stage(name, shape, Op::Input(input.clone()), vec![]);
        // Codes of an input are what they are, so it stays as it is.
        self.notes[stage].shared = true;
        Place::stage(stage)
    }

    /// Adds a stage that nothing reads yet.
    fn add_stage(&mut self, name: &str, shape: Shape, op: Op, reads: Vec<Read>) -> usize {
        let (function, border) = (Function::X, Border::Zero);
        self.stages.push(Stage { name: name.to_owned(), shape, op, reads, function, border });
        self.notes.push(Note::default());
        self.stages.len() - 1
    }

    /// The place of a node of which nothing is pending up to `upto`; what was becomes stages, for all readers of the
    /// node.
    fn settle(&mut self, node: usize, upto: Upto) -> Result<Place, ExportError> {
        let mut place = self.places[node].clone();
        if let Some(last) = [Upto::Pad, Upto::Enlarge, Upto::Affine, Upto::Order]
            .into_iter()
            .find(|&part| part <= upto && place.is_pending(part))
        {
            let name = &self.network.nodes[node].name;
            if let Some(order) = place.order.take() {
                place.stage = self.reordered(name, place.stage, &order)?;
            }
            if last >= Upto::Affine
                && let Some(affine) = place.affine.take()
            {
                place.stage = self.scaled(name, place.stage, &affine);
            }
            if last >= Upto::Enlarge {
                place.stage = self.enlarged(name, place.stage, place.enlarge)?;
                place.enlarge = [1; 2];
            }
            if last >= Upto::Pad
                && let Some(pad) = place.pad.take()
            {
                place.stage = self.padded(name, place.stage, pad)?;
            }
            self.notes[place.stage].shared = self.readers[node] > 1;
            self.places[node] = place.clone();
        }
        Ok(place)
    }

    /// The stage whose values are those of a node.
    fn whole(&mut self, node: usize) -> Result<usize, ExportError> {
        Ok(self.settle(node, Upto::Pad)?.stage)
    }

    /// The stage of a place, to be read beyond its border; another one with the same values where other readers ask for
    /// another border.
    fn bordered(&mut self, stage: usize, border: Border) -> usize {
        let stage = match self.notes[stage].border {
            Some(other) if other != border => {
                let name = format!("{} (border)", self.stages[stage].name);
                self.identity(&name, stage)
            }
            _ => stage,
        };
        self.notes[stage].border = Some(border);
        self.stages[stage].border = border;
        stage
    }

    /// The stages that the image depends on.
    fn finish(self, image: usize) -> Result<Staged, ExportError> {
        let Self { stages, network, .. } = self;
        let is_start = |stage: &Stage| matches!(stage.op, Op::Input(_));
        if is_start(&stages[image]) {
            let name = &stages[image].name;
            return Err(
                Mismatch::new("a layer that makes the image", "nothing but inputs", "give the network layers").at(name)
            );
        }
        let mut read = vec![false; stages.len()];
        read[image] = true;
        for (index, stage) in stages.iter().enumerate().rev().filter(|(index, _)| *index <= image) {
            if read[index] {
                stage.reads.iter().for_each(|of| read[usize::from(of.source)] = true);
            }
        }
        let mut numbers = vec![0; stages.len()];
        let mut kept: Vec<Stage> = Vec::with_capacity(stages.len());
        for (index, mut stage) in stages.into_iter().enumerate().filter(|(index, _)| read[*index]) {
            numbers[index] = kept.len();
            stage.reads.iter_mut().for_each(|of| of.source = numbers[usize::from(of.source)] as u16);
            kept.push(stage);
        }
        if kept.len() > MAX_NODES {
            return Err(ExportError::Limit { what: "stages", limit: MAX_NODES, found: kept.len() });
        }
        Ok(Staged { stages: kept, pixels: network.pixels })
    }
}

/// An error that names a node.
fn refuse(name: &str, expected: impl Into<String>, found: impl Into<String>, remedy: &'static str) -> ExportError {
    Mismatch::new(expected, found, remedy).at(name)
}
