//! A frozen classifier.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use burn::tensor::{Device, Tensor, TensorData, activation};
use edgegen_metrics::Features;
use sha2::{Digest, Sha256};

use crate::data::Attribute;
use crate::nets::{Mode, Net};
use crate::recipe::{DataConfig, Recipe};
use crate::rng::Rng;
use crate::run::{JUDGE, RECIPE};
use crate::{checkpoint, data, systems};

/// What [`Judge::look`] sees in images.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Activations of the hidden layer.
    pub features: Features,
    /// The most likely class of each; of a judge of attributes the word of the first one.
    pub classes: Vec<usize>,
    /// Of a judge of attributes the most likely word of each, attribute by attribute, for each image; else empty.
    pub words: Vec<Vec<usize>>,
    /// Mean probability of the most likely class.
    pub confidence: f64,
}

/// A trained judge.
#[derive(Clone, Debug)]
pub struct Judge {
    /// The data set that it learned.
    pub data: String,
    /// First 12 hexadecimal digits of the SHA-256 of its weights' file.
    pub hash: String,
    /// Whether its classes are quarter turns, which it has learned from images without labels ([`rotations`](crate::eval::rotations)).
    pub of_rotations: bool,
    net: Net,
    /// What it tells of images, where that is more than their class.
    attributes: Vec<Attribute>,
    /// How many there are.
    features: usize,
    /// `[H, W, C]` of the images it is shown.
    shown: [usize; 3],
    device: Device,
}

impl Judge {
    /// Loads a judge's run folder, or one of `trainer/judges`.
    ///
    /// # Errors
    ///
    /// If `folder` does not hold a judge's recipe and weights.
    pub fn load(folder: &Path, device: &Device) -> Result<Self> {
        let (path, weights) = (folder.join(RECIPE), folder.join(JUDGE));
        ensure!(
            path.is_file() && weights.is_file(),
            "expected a judge's {RECIPE} and {JUDGE} in {}: train one with a recipe of system = \"judge\" (trainer/recipes/mnist-judge.toml)",
            folder.display()
        );
        let recipe = Recipe::load(&path)?;
        let system = &recipe.system;
        ensure!(
            systems::JUDGES.contains(&&**system),
            "expected a judge in {}, found a run of {system}: give --judge a folder of trainer/judges",
            folder.display()
        );
        let device = device.clone().inner();
        let config = systems::judge(&recipe)?;
        let mut net = config.net(&recipe, &device, &mut Rng::new(0, 0));
        checkpoint::load_net(&mut net, &weights)?;
        let digest =
            Sha256::digest(std::fs::read(&weights).with_context(|| format!("cannot read {}", weights.display()))?);
        let hash = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let [c, h, w] = net.inputs[0];
        let features = config.features;
        let DataConfig { name: data, attributes, .. } = recipe.data;
        Ok(Self { data, hash, of_rotations: false, net, attributes, features, shown: [h, w, c], device })
    }

    /// The shipped judge of the data `name`, for images of `[H, W, C]`, if there is one that can look at them.
    ///
    /// # Errors
    ///
    /// If it cannot be loaded.
    pub fn for_images(name: &str, shape: [usize; 3], device: &Device) -> Result<Option<Self>> {
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let Some(folder) = Self::of_data(&project, name) else { return Ok(None) };
        let judge = Self::load(&folder, device)?;
        let [h, w, c] = shape;
        let can_look = judge.shape()[2] == c && (h == w || judge.shape() == shape);
        Ok(can_look.then(|| judge.shown(shape)))
    }

    /// The same judge for images of `[H, W, C]`, which it fits to what it looks at as [`data`] fits images to a recipe: real and generated ones alike.
    #[must_use]
    pub fn shown(self, shape: [usize; 3]) -> Self {
        Self { shown: shape, ..self }
    }

    /// The shipped judge of a known data set, `trainer/judges/NAME`, whether it is there or not.
    pub fn shipped(project: &Path, set: &str) -> PathBuf {
        project.join("trainer/judges").join(set)
    }

    /// The shipped judge of what is read for [data] `name`: none for a person's own images, whatever they are called.
    pub fn of_data(project: &Path, name: &str) -> Option<PathBuf> {
        data::own_set(name).map(|set| Self::shipped(project, set)).filter(|folder| folder.is_dir())
    }

    /// What stands beside each figure: the hash, and what kind of judge it is, if it is no usual one.
    pub fn name(&self) -> String {
        if self.of_rotations {
            format!("{} (self-supervised, by rotations of these images; not Inception)", self.hash)
        } else {
            self.hash.clone()
        }
    }

    /// Number of classes; of a judge of attributes the words of the first one.
    pub fn classes(&self) -> usize {
        self.attributes.first().map_or(self.net.output[0], |attribute| attribute.words.len())
    }

    /// What it tells of images beside their class, each with its words.
    pub fn attributes(&self) -> &[Attribute] {
        &self.attributes
    }

    /// `[H, W, C]` of the images it looks at.
    pub fn shape(&self) -> [usize; 3] {
        let [c, h, w] = self.net.inputs[0];
        [h, w, c]
    }

    /// Looks at images of H × W × C bytes, of [`Judge::shape`] unless [`Judge::shown`] said otherwise.
    ///
    /// # Panics
    ///
    /// If an image has another length.
    pub fn look(&self, images: &[Vec<u8>]) -> Seen {
        const BATCH: usize = 250;
        let [h, w, c] = self.shape();
        let fitting = DataConfig::new("", [h, w], c);
        let (mut features, mut classes, mut confidence) = (Vec::new(), Vec::new(), 0.0);
        let mut words = vec![Vec::new(); self.attributes.len()];
        for batch in images.chunks(BATCH) {
            let mut planes = Vec::with_capacity(batch.len() * h * w * c);
            for image in batch {
                let length: usize = self.shown.iter().product();
                assert_eq!(image.len(), length, "images of {:?}", self.shown);
                let image = data::fit_image(image, self.shown, &fitting);
                let channel = |channel: usize| image.iter().skip(channel).step_by(c);
                planes.extend((0..c).flat_map(channel).map(|&byte| f32::from(byte) / 127.5 - 1.0));
            }
            let data = TensorData::new(planes, [batch.len(), c, h, w]);
            let hidden = self.net.before_last(Tensor::from_data(data, &self.device), &mut Mode::Eval);
            let outputs = self.net.output[0];
            let scores = self.net.last(hidden.clone(), &mut Mode::Eval).reshape([batch.len(), outputs]);
            let values =
                |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().expect("judges compute in 32-bit floats");
            features.extend(values(hidden));
            let best = |row: &[f32]| (0..row.len()).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or_default();
            let own = scores.clone().narrow(1, 0, self.classes());
            let probabilities = values(activation::softmax(own, 1).reshape([batch.len(), self.classes(), 1, 1]));
            for row in probabilities.chunks(self.classes()) {
                let class = best(row);
                classes.push(class);
                confidence += f64::from(row[class]);
            }
            for row in values(scores.reshape([batch.len(), outputs, 1, 1])).chunks(outputs) {
                let mut rest = row;
                for (attribute, found) in self.attributes.iter().zip(&mut words) {
                    let (own, behind) = rest.split_at(attribute.words.len());
                    found.push(best(own));
                    rest = behind;
                }
            }
        }
        let confidence = confidence / images.len().max(1) as f64;
        Seen { features: Features::new(self.features, features), classes, words, confidence }
    }
}
