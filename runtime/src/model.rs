//! A checked model.

use crate::about::{self, Facts};
use crate::arena::fixed_bytes;
use crate::error::ParseError;
use crate::format::{self, Sections};
use crate::graph::{About, Input, Latent, Node, Shape, Source};
use crate::kernels::{Kernel, Native};
use crate::latent::{Keyframes, Seeds, keyframes};
use crate::packing::Packing;
use crate::pictures::Pictures;
use crate::rules::{self, Needs};
use crate::sound;
use crate::weights::Weights;

/// A checked model. It borrows the file and copies nothing of it.
#[derive(Debug)]
pub struct Model<'a> {
    nodes: &'a [Node],
    about: &'a [u8],
    weights: Weights<'a>,
    needs: Needs,
}

impl<'a> Model<'a> {
    /// Reads a model file and checks it as a whole. Whatever the bytes are, this returns; and once it returned a model,
    /// nothing that is done with the model can fail.
    ///
    /// # Errors
    ///
    /// [`ParseError`] names the first rule that does not hold.
    pub fn parse(file: &'a [u8]) -> Result<Self, ParseError> {
        Self::parse_for(file, Native::available())
    }

    /// As [`Model::parse`], for a kernel of your choice or, without one, for the portable packing alone.
    ///
    /// # Errors
    ///
    /// [`ParseError::Packing`] where the kernel cannot read the weights, else those of [`Model::parse`].
    pub fn parse_for<K: Kernel>(file: &'a [u8], kernel: Option<K>) -> Result<Self, ParseError> {
        Self::read(file, if kernel.is_some() { &[Packing::Portable, K::PACKING] } else { &[Packing::Portable] })
    }

    /// Reads and checks a file that is perhaps packed for another CPU, for tools that look at models.
    ///
    /// # Errors
    ///
    /// As [`Model::parse`].
    pub fn parse_any(file: &'a [u8]) -> Result<Self, ParseError> {
        Self::read(file, &Packing::ALL)
    }

    /// Reads and checks a file whose packing is one of those `accepted`.
    #[inline(never)] // cold, and the same for all kernels
    fn read(file: &'a [u8], accepted: &[Packing]) -> Result<Self, ParseError> {
        let Sections { packing, nodes, about, data } = format::split(file)?;
        if !accepted.contains(&packing) {
            let expected = accepted.last().copied().unwrap_or(Packing::Portable);
            return Err(ParseError::Packing { expected, found: packing });
        }
        about::find(about).ok_or(ParseError::About)?;
        let weights = Weights { packing, data };
        let needs = rules::check(nodes, &weights)?;
        Ok(Self { nodes, about, weights, needs })
    }

    /// The order of its weights.
    pub fn packing(&self) -> Packing {
        self.weights.packing
    }

    /// The name given at export.
    pub fn name(&self) -> &'a str {
        about::find(self.about).map_or("", |(name, _)| name)
    }

    /// Name and metadata, as a value of a few hundred bytes: for tools.
    pub fn about(&self) -> About<'a> {
        about::about(self.about)
    }

    /// The graph, as it lies in the file.
    pub fn nodes(&self) -> &'a [Node] {
        self.nodes
    }

    /// Shape of the image.
    pub fn output(&self) -> Shape {
        // Without nodes there is no model.
        self.nodes.last().map_or(Shape { h: 0, w: 0, c: 0 }, |image| image.shape)
    }

    /// The inputs with their nodes.
    pub fn inputs(&self) -> impl Iterator<Item = (&'a Node, &'a Input)> + use<'a> {
        self.nodes.iter().filter_map(|node| Some((node, node.parameters()?)))
    }

    /// How the latent vector is drawn; `None` for a model without one.
    pub fn latent(&self) -> Option<Latent> {
        self.inputs().find_map(|(_, input)| input.latent())
    }

    /// How many classes can be drawn by choice, 0 for a model without classes: see [`Point::class`](crate::latent::Point::class).
    /// Of a model with several class inputs they are all combinations of one value of each.
    pub fn classes(&self) -> u16 {
        let classes = |(node, input): (&Node, &Input)| match input.source() {
            // Within 16 bits, as was checked.
            Some(Source::Class) => node.shape.c.wrapping_mul(input.dims.max(1)),
            Some(Source::Latent) => node.shape.c.saturating_sub(input.dims),
            _ => 0,
        };
        self.inputs().map(classes).max().unwrap_or(0)
    }

    /// How many layers have a style that can be mixed, 0 for a model without: see
    /// [`Point::style`](crate::latent::Point::style).
    pub fn styles(&self) -> u16 {
        let mix = |(node, input): (&Node, &Input)| (input.source() == Some(Source::Mix)).then_some(node.shape.c);
        self.inputs().find_map(mix).unwrap_or(0)
    }

    /// Whether it draws noise.
    pub fn has_noise(&self) -> bool {
        self.needs.noise
    }

    /// Whether a class is a combination of one value of each of several inputs.
    pub fn combines(&self) -> bool {
        self.inputs().any(|(_, input)| input.source == Source::Class as u16 && input.dims > 0)
    }

    /// What the class `class` is called, where the file notes names: the fact `classes`, one name a line in the order of
    /// their numbers.
    pub fn class_name(&self, class: u16) -> Option<&'a str> {
        let (_, mut facts): (_, Facts<'a>) = about::find(self.about)?;
        let (_, names) = facts.find(|&(key, _)| key == "classes")?;
        names.split('\n').nth(class.into()).filter(|name| !name.is_empty())
    }

    /// Samples a second of a model that makes [`sound`]: one whose image is a column of grey pixels and whose file says
    /// so, by the fact [`sound::RATE`].
    pub fn sample_rate(&self) -> Option<u32> {
        let (_, mut facts): (_, Facts<'a>) = about::find(self.about)?;
        let (_, rate) = facts.find(|&(key, _)| key == sound::RATE)?;
        let Shape { w: 1, c: 1, .. } = self.output() else { return None };
        rate.parse().ok().filter(|&rate| rate > 0)
    }

    /// The fact that [`Model::words`] reads.
    pub const WORDS: &'static str = "words";

    /// What is asked for by class `class` of a model with several class inputs, a word of each in their order, where
    /// the file notes them: the fact `words`, a line for each input, `hair: bob, curls`. Of other models nothing.
    pub fn words(&self, class: u16) -> impl Iterator<Item = &'a str> + use<'a> {
        let fact = || about::find(self.about)?.1.find(|&(key, _)| key == Self::WORDS);
        let lines = fact().map_or("", |(_, lines)| lines).split('\n');
        let inputs = self.inputs().filter(|(_, input)| input.source == Source::Class as u16 && input.dims > 0);
        inputs.zip(lines).filter_map(move |((node, input), line)| {
            let value = class.checked_div(input.dims)?.checked_rem(node.shape.c)?;
            line.split_once(": ")?.1.split(", ").nth(value.into())
        })
    }

    /// Shape of the rows that the caller hands in, for a model that reads an image.
    pub fn fed(&self) -> Option<Shape> {
        self.fed_input().map(|(node, _)| node.shape)
    }

    fn fed_input(&self) -> Option<(&'a Node, &'a Input)> {
        let node = self.nodes.get(usize::from(self.needs.fed))?;
        Some((node, node.parameters()?))
    }

    /// The pictures that the file brings along for a model that reads an image, if it does.
    #[inline(never)]
    pub fn pictures(&self) -> Option<Pictures<'a>> {
        if !cfg!(feature = "all-operators") {
            return None; // such files are refused
        }
        let (node, input) = self.fed_input()?;
        let bytes = self.weights.data.get(input.values as usize..)?;
        Pictures::new(node.shape, input.pictures, input.dims > 0, bytes)
    }

    /// The walk that the file brings along, if it does.
    pub fn keyframes(&self) -> Option<Keyframes<'a>> {
        let (_, mut facts): (_, Facts<'a>) = about::find(self.about)?;
        let (_, text) = facts.find(|&(key, _)| key == keyframes::KEY)?;
        let latent = self.inputs().find(|(_, input)| input.latent().is_some());
        Keyframes::read(text, latent?.0.shape.c.into())
    }

    /// Bytes of RAM that a [`Generator`](crate::Generator) needs: all rings together, what the kernel works in, 12
    /// bytes for each node, 100 for lanes, 20 where there is noise, and 15 because an arena may start anywhere.
    pub fn arena_bytes(&self) -> usize {
        self.rings_bytes() + self.scratch_bytes() + fixed_bytes(self.nodes.len()) + self.noise_bytes()
    }

    /// Weights, biases, multipliers, tables and constants; the offsets in nodes count from its start.
    pub fn data(&self) -> &'a [u8] {
        self.weights.data
    }

    /// As [`Model::data`], with its order.
    pub(crate) fn weights(&self) -> &Weights<'a> {
        &self.weights
    }

    /// Bytes of all rings together.
    pub(crate) fn rings_bytes(&self) -> usize {
        self.needs.rings as usize
    }

    /// Bytes of what noise is drawn from, if there is any.
    pub(crate) fn noise_bytes(&self) -> usize {
        if cfg!(feature = "all-operators") && self.needs.noise { size_of::<Seeds>() } else { 0 }
    }

    /// Bytes that the kernel works in.
    pub(crate) fn scratch_bytes(&self) -> usize {
        self.needs.scratch as usize
    }
}
