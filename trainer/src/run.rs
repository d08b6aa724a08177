//! Trained generators on disk: what `sample` and `export` read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use burn::tensor::Device;
use edgegen_export::layers::{Input, LatentInput, Network, PixelRange};
use edgegen_runtime::{Point, Shape};

use crate::data::{Attribute, Pairs, Split, load_pairs, load_unpaired};
use crate::examples::EXAMPLES;
use crate::recipe::{DataConfig, Recipe};
use crate::rng::Rng;
use crate::systems::{self, Generator};
use crate::{checkpoint, examples, lower};

/// Name of the recipe in a run folder.
pub const RECIPE: &str = "recipe.toml";
/// Name of the averaged weights in a run folder.
pub const GENERATOR: &str = "generator.safetensors";
/// Name of a judge's averaged weights in its run folder.
pub const JUDGE: &str = "judge.safetensors";

/// Images of its own that a generator which reads them is exported with at most, and more that it is compared on: what
/// is made row by row often has many rows.
const OWN: [usize; 2] = [64, 16];

/// Name of the folder in a run folder that holds the way back, as a run, where a system learns both ways.
pub const BACK: &str = "back";

/// A trained generator and the recipe that made it.
#[derive(Clone, Debug)]
pub struct Run {
    /// The recipe as run.
    pub recipe: Recipe,
    /// The averaged generator, without autodiff.
    pub generator: Generator,
    device: Device,
    /// Where its examples lie.
    folder: Option<PathBuf>,
}

impl Run {
    /// Loads a run folder.
    ///
    /// # Errors
    ///
    /// If `folder` is no run folder or has not reached its first checkpoint.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let recipe = folder.join(RECIPE);
        if !recipe.is_file() {
            bail!(
                "expected a run folder with {RECIPE} and {GENERATOR}, found no {RECIPE} in {}: give the --out folder of `edgegen train`",
                folder.display()
            );
        }
        let run = Self::load_pair(&recipe, &folder.join(GENERATOR), device)?;
        Ok(Self { folder: Some(folder.to_owned()), ..run })
    }

    /// Loads the weights `weights` (safetensors) of the recipe `recipe`.
    ///
    /// # Errors
    ///
    /// If a file is missing, or the weights are not those of this recipe's generator.
    pub fn load_pair(recipe: &Path, weights: &Path, device: &Device) -> Result<Self> {
        let recipe = Recipe::load(recipe)?;
        let device = device.clone().inner();
        let kind = systems::find(&recipe.system)?;
        let mut generator = (kind.generator)(&recipe, &device, &mut Rng::new(0, 0))
            .with_context(|| format!("cannot build the {} generator", recipe.system))?;
        checkpoint::load_net(&mut generator.net, weights)?;
        Ok(Self { recipe, generator, device, folder: None })
    }

    /// What a model file notes of it.
    pub fn facts(&self) -> Vec<(&str, &str)> {
        let DataConfig { name, target, reverse, .. } = &self.recipe.data;
        let mut facts = vec![("system", &*self.recipe.system), ("data", &**name)];
        facts.extend(target.as_ref().map(|target| ("target", &**target)));
        facts.extend(reverse.then_some(("reverse", "true")));
        facts
    }

    /// Shape of the image that the generator reads, if it reads one and no latent vector.
    pub fn fed(&self) -> Option<Shape> {
        // Lowering refuses what does not fit 16 bits; recipes end far below.
        let narrow = |value: usize| u16::try_from(value).unwrap_or(u16::MAX);
        self.generator.fed().map(|[c, h, w]| Shape { h: narrow(h), w: narrow(w), c: narrow(c) })
    }

    /// Samples a second, if it makes sounds.
    pub fn sample_rate(&self) -> Option<u32> {
        self.recipe.data.rate
    }

    /// Names of the classes that can be asked for, in the order of their numbers; empty where they have none, or the
    /// system found its classes by itself.
    pub fn class_names(&self) -> &[String] {
        let names = &self.recipe.data.classes;
        let are_of_data = !systems::CLUSTERING.contains(&&*self.recipe.system);
        if are_of_data && names.len() == self.generator.classes { names } else { &[] }
    }

    /// The words that the generator reads, in the order of its inputs; nothing if it reads none.
    pub fn words(&self) -> &[Attribute] {
        let reads = self.generator.more.iter().any(|input| matches!(input, Input::Class { stride: 1.., .. }));
        if reads { &self.recipe.data.attributes } else { &[] }
    }

    /// The latent vector that the generator reads.
    pub fn input(&self) -> LatentInput {
        self.generator.input()
    }

    /// What its output means as pixels.
    pub fn pixels(&self) -> PixelRange {
        self.generator.pixels
    }

    /// The generator as the exporter's float layers.
    ///
    /// # Errors
    ///
    /// As [`lower`](lower::lower()).
    pub fn network(&self) -> Result<Network> {
        lower::lower(&self.generator)
    }

    /// `[H, W, C]` of an image.
    pub fn shape(&self) -> [usize; 3] {
        let [c, h, w] = self.generator.net.output;
        [h, w, c]
    }

    /// Images of what [`Run::inputs`] gives, or of images C × H × W in [−1, 1]: C × H × W values each, in the range of `generator.pixels`.
    ///
    /// # Panics
    ///
    /// If an input has another length than the generator's.
    pub fn generate(&self, latents: &[Vec<f32>]) -> Vec<Vec<f32>> {
        self.generator.generate(latents, &self.device)
    }

    /// A picture, H × W × C bytes, as a generator that reads one does: C × H × W in [−1, 1].
    pub fn picture(&self, bytes: &[u8]) -> Vec<f32> {
        PixelRange::Symmetric.planes(bytes, self.generator.net.inputs[0][0])
    }

    /// What `network`, the generator's, is calibrated on: `count` examples, or as many as there are.
    ///
    /// # Errors
    ///
    /// As [`Run::examples`].
    pub fn calibration(&self, network: &Network, count: usize) -> Result<Vec<Vec<Vec<f32>>>> {
        if network.reads_images() {
            let [examples, _] = self.examples(network, count, 0)?;
            return Ok(examples);
        }
        Ok(edgegen_export::calibration(network, count))
    }

    /// What `network`, the generator's, which reads images, sees of `count` of them, and of `more` others: examples for
    /// the exporter. Those that it reads come from the run folder (see [`examples`]) or, where it was trained before
    /// there were such files, from its data; if it reads its own, it draws them, at most 64 and 16.
    ///
    /// # Errors
    ///
    /// If pictures can be read from neither.
    pub fn examples(&self, network: &Network, count: usize, more: usize) -> Result<[Vec<Vec<Vec<f32>>>; 2]> {
        if let Some((shape, pixels)) = network.previous() {
            let own = |seed: u64, count: usize| {
                let values = self.inputs(seed, count);
                let images = self.generate_pixels(&values);
                let late = images.iter().map(|image| pixels.late(image, shape));
                values.iter().zip(late).map(|(values, late)| [self.apart(values), vec![late]].concat()).collect()
            };
            let [count, more] = [count.min(OWN[0]), more.min(OWN[1])];
            return Ok([own(edgegen_export::CALIBRATED, count), own(edgegen_export::COMPARED, more)]);
        }
        let path = self.folder.as_ref().map(|folder| folder.join(EXAMPLES)).filter(|path| path.is_file());
        let pictures = match path {
            Some(path) => {
                let [c, h, w] = self.generator.net.inputs[0];
                examples::read(&path, [h, w, c])?
            }
            None => examples::choose(&self.sides(Split::Train)?.inputs).into_iter().map(<[u8]>::to_vec).collect(),
        };
        // Whose own pairs are fewer is better served by the same ones twice than by none.
        let start = if pictures.len() > count { count } else { 0 };
        let some = |start: usize, count: usize| {
            pictures.iter().skip(start).take(count).map(|picture| vec![self.picture(picture)]).collect()
        };
        Ok([some(0, count), some(start, more)])
    }

    /// The values of all inputs of the generator, one behind the other, each for itself.
    pub fn apart(&self, values: &[f32]) -> Vec<Vec<f32>> {
        let mut rest = values;
        let lengths = self.generator.net.inputs.iter().map(|shape| shape.iter().product::<usize>());
        let own = |length: usize| {
            let (own, behind) = rest.split_at(length.min(rest.len()));
            rest = behind;
            own.to_vec()
        };
        lengths.map(own).collect()
    }

    /// The images that the generator reads and should make.
    ///
    /// # Errors
    ///
    /// If the run's data are neither pairs nor two sets, or cannot be read.
    pub fn sides(&self, split: Split) -> Result<Pairs> {
        let Recipe { data, system, .. } = &self.recipe;
        if systems::PAIRED.contains(&&**system) {
            return load_pairs(data, split);
        }
        load_unpaired(data, split, &|_, _| true).map(|(pairs, _)| pairs)
    }

    /// What the generator reads at a point, all its inputs one behind the other: see [`Generator::values_at`].
    pub fn values_at(&self, point: Point) -> Vec<f32> {
        self.generator.values_at(point)
    }

    /// How many layers have a style that can be mixed, 0 without.
    pub fn styles(&self) -> usize {
        let mix = |input: &Input| if let Input::Mix { layers } = input { Some(*layers) } else { None };
        self.generator.more.iter().find_map(mix).unwrap_or(0)
    }

    /// Itself with every style drawn towards the mean of them, ψ = 0 that mean, 1 as it was; nothing where the
    /// generator has no styles.
    pub fn truncated(&self, psi: f32) -> Option<Self> {
        let mut run = self.clone();
        run.generator.net.truncate(psi).then_some(run)
    }

    /// What the generator reads for `count` seeds from `seed` on, of all classes in turn.
    pub fn inputs(&self, seed: u64, count: usize) -> Vec<Vec<f32>> {
        let values = |index: u64| self.generator.values_at(Point::seed(seed.wrapping_add(index)));
        (0..count as u64).map(values).collect()
    }

    /// The same as bytes, H × W × C, 0 black to 255 white.
    ///
    /// # Panics
    ///
    /// As [`Run::generate`].
    pub fn generate_pixels(&self, latents: &[Vec<f32>]) -> Vec<Vec<u8>> {
        self.generate(latents)
            .iter()
            .map(|image| to_pixels(image, self.generator.net.output, self.generator.pixels))
            .collect()
    }
}

/// One image from floats C × H × W (`shape` in this order) to bytes H × W × C, rounded to nearest.
pub fn to_pixels(image: &[f32], shape: [usize; 3], range: PixelRange) -> Vec<u8> {
    let [c, h, w] = shape;
    let plane = h * w;
    (0..c * plane).map(|at| range.level(image[at % c * plane + at / c]).round() as u8).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_interleave_and_clip() {
        let planes = [-1.0, 1.0, 0.0, 2.0, -3.0, 0.5];
        let bytes = to_pixels(&planes, [3, 1, 2], PixelRange::Symmetric);
        assert_eq!(bytes, [0, 128, 0, 255, 255, 191]);
        assert_eq!(to_pixels(&[0.5, 1.5], [1, 1, 2], PixelRange::Unit), [128, 255]);
    }

    #[test]
    fn a_folder_that_is_no_run_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let message = Run::load(folder.path(), &Device::flex()).unwrap_err().to_string();
        assert!(message.contains("edgegen train"), "{message}");
    }
}
