//! Inversion: from an image to a latent vector that makes it.
//!
//! ```text
//! ẑ = argmin_z  mean |G(z) − x|ᵖ + prior · mean z²        with z where the device can go
//! ```
//!
//! The generator is fixed, Adam (Kingma and Ba, 2015) moves z alone, down the gradient through G; Creswell and Bharath, "Inverting the
//! generator of a generative adversarial network" (2018), alg. 1. p is 2, or 1 as in the morphing of BEGAN (Berthelot et al., 2017, §4.4). The
//! landscape has many valleys, so several starts go down at once and the best of them counts. For a Gaussian latent the prior's term is what the
//! logarithm of its density says, up to a factor; a uniform one has the same density wherever z may be. After each step z is clipped to what the
//! device's codes reach, and what is returned are such codes.
//!
//! A generator with classes starts as often in each class. After half of the steps only the best starts go on, as many as for a
//! generator without classes: most of them are by then of one class.

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use edgegen_export::layers::PixelRange;
use edgegen_metrics::pixels;
use edgegen_runtime::Point;
use serde::Serialize;

use crate::nets::{Mode, Net};
use crate::recipe::Prior;
use crate::rng::Rng;
use crate::run::to_pixels;
use crate::systems::{Generator, one_hot};

/// p of the distance between images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Distance {
    /// Mean square, p = 2.
    Squared,
    /// Mean magnitude, p = 1.
    Absolute,
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Steps of Adam.
    pub steps: usize,
    /// Its rate at the first step, in standard deviations of the latent; it falls by half a cosine.
    pub rate: f32,
    /// Starts for an image.
    pub starts: usize,
    /// Between images, black 0 to white 1.
    pub distance: Distance,
    /// Weight of the mean of z², for a Gaussian prior.
    pub prior: f32,
}

impl Default for Search {
    fn default() -> Self {
        Self { steps: 600, rate: 0.1, starts: 8, distance: Distance::Squared, prior: 1e-4 }
    }
}

/// What makes an image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Found {
    /// The latent vector, and a value for each class behind it, in the device's codes.
    pub codes: Vec<i8>,
    /// The class, where there are classes.
    pub class: Option<usize>,
    /// What the float generator makes of the codes, H × W × C bytes.
    #[serde(skip)]
    pub image: Vec<u8>,
    /// How near that is to the wanted image, in dB.
    pub psnr_db: f64,
}

/// Candidates that go through the generator at a time.
const BATCH: usize = 256;

/// Finds latent vectors for images of H × W × C bytes.
///
/// # Panics
///
/// If an image has another size than the generator's, or there are no starts or no steps.
pub fn invert(
    generator: &Generator,
    images: &[Vec<u8>],
    search: &Search,
    rng: &mut Rng,
    device: &Device,
) -> Vec<Found> {
    assert!(search.starts > 0 && search.steps > 0, "a search has starts and steps");
    let candidates = search.starts * generator.classes.max(1);
    let descent = Descent {
        generator,
        // On a device with autodiff, but no weight asks for a gradient.
        net: generator.net.clone().train().no_grad(),
        search,
        device: device.clone().inner().autodiff(),
    };
    images.chunks((BATCH / candidates).max(1)).flat_map(|images| descent.invert(images, rng)).collect()
}

/// What is the same for all images.
struct Descent<'a> {
    generator: &'a Generator,
    net: Net,
    search: &'a Search,
    device: Device,
}

/// A point on its way.
#[derive(Clone, Debug)]
struct Candidate {
    image: usize,
    class: usize,
    z: Vec<f32>,
    /// Adam's means of the gradient and of its square.
    moments: Vec<[f32; 2]>,
    /// What was to be made small, where the point last was.
    loss: f32,
}

impl Descent<'_> {
    fn invert(&self, images: &[Vec<u8>], rng: &mut Rng) -> Vec<Found> {
        let Search { steps, starts, .. } = *self.search;
        let targets: Vec<Vec<f32>> = images.iter().map(|image| self.planes(image)).collect();
        let mut candidates = self.starts(images.len(), rng);
        for step in 0..steps {
            if step == steps / 2 && self.generator.classes > 0 {
                candidates.sort_by(|a, b| a.image.cmp(&b.image).then(a.loss.total_cmp(&b.loss)));
                let mut taken = vec![0; images.len()];
                candidates.retain(|candidate| {
                    taken[candidate.image] += 1;
                    taken[candidate.image] <= starts
                });
            }
            self.step(step, &mut candidates, &targets);
        }
        self.best(&candidates, images)
    }

    fn starts(&self, images: usize, rng: &mut Rng) -> Vec<Candidate> {
        let classes = self.generator.classes.max(1);
        let dims = self.generator.input().dims;
        let mut candidates = Vec::new();
        for image in 0..images {
            for (index, mut z) in self.generator.draw(self.search.starts * classes, rng).into_iter().enumerate() {
                z.truncate(dims);
                let moments = vec![[0.0; 2]; dims];
                candidates.push(Candidate { image, class: index % classes, z, moments, loss: f32::INFINITY });
            }
        }
        candidates
    }

    /// One step of all candidates.
    fn step(&self, step: usize, candidates: &mut [Candidate], targets: &[Vec<f32>]) {
        let Search { steps, rate, distance, prior, .. } = *self.search;
        let (count, dims) = (candidates.len(), self.generator.input().dims);
        let tensor = |values: Vec<f32>| {
            let shape = [count, values.len() / count, 1, 1];
            Tensor::<4>::from_data(TensorData::new(values, shape), &self.device)
        };
        let z = tensor(candidates.iter().flat_map(|candidate| candidate.z.clone()).collect()).require_grad();
        let mut input = z.clone();
        if self.generator.classes > 0 {
            let labels: Vec<u8> = candidates.iter().map(|candidate| candidate.class as u8).collect();
            input = Tensor::cat(vec![input, one_hot(&labels, self.generator.classes, &self.device)], 1);
        }
        // What else is read is that of seed 0, as for a device that decodes a vector.
        let more = self.generator.more.iter().zip(&self.net.inputs[1..]).map(|(more, &[c, h, w])| {
            let values = more.values_at(Point::seed(0));
            Tensor::<4>::from_data(TensorData::new(values, [1, c, h, w]), &self.device).expand([count, c, h, w])
        });
        let inputs = std::iter::once(input).chain(more).collect();
        let images = self.net.forward_all(inputs, &mut Mode::Eval).reshape([count as i32, -1, 1, 1]);
        let wanted = tensor(candidates.iter().flat_map(|candidate| targets[candidate.image].clone()).collect());
        let difference = (images - wanted).mul_scalar(1.0 / self.generator.pixels.span());
        let distances = match distance {
            Distance::Squared => difference.square(),
            // Not Burn's |x|, whose gradient at exactly 0 is NaN.
            Distance::Absolute => activation::relu(difference.clone()) + activation::relu(difference.neg()),
        };
        let mut losses = distances.mean_dim(1);
        if self.generator.prior == Prior::Gaussian {
            losses = losses + z.clone().square().mean_dim(1).mul_scalar(prior);
        }
        let gradients = losses.clone().sum().backward();
        let values = |tensor: Tensor<4>| tensor.into_data().try_to_vec::<f32>().expect("networks compute in floats");
        let slopes = values(z.grad(&gradients).expect("the images depend on z"));

        let (first, second) = (0.9f32, 0.999f32);
        let rate = rate * 0.5 * (1.0 + (std::f32::consts::PI * step as f32 / steps as f32).cos());
        let unbiased = [first, second].map(|decay| 1.0 - decay.powi(step as i32 + 1));
        let reach = self.reach();
        for ((candidate, slopes), loss) in candidates.iter_mut().zip(slopes.chunks(dims)).zip(values(losses)) {
            candidate.loss = loss;
            for ((z, moments), &slope) in candidate.z.iter_mut().zip(&mut candidate.moments).zip(slopes) {
                moments[0] += (1.0 - first) * (slope - moments[0]);
                moments[1] += (1.0 - second) * (slope * slope - moments[1]);
                let [mean, square] = [moments[0] / unbiased[0], moments[1] / unbiased[1]];
                *z = (*z - rate * mean / (square.sqrt() + 1e-8)).clamp(-reach, reach);
            }
        }
    }

    /// The nearest image of each image's candidates, in the device's codes.
    fn best(&self, candidates: &[Candidate], images: &[Vec<u8>]) -> Vec<Found> {
        let generator = self.generator;
        let steps = f32::from(generator.input().prior.steps());
        let codes: Vec<Vec<i8>> = candidates
            .iter()
            .map(|candidate| {
                let class = |class: usize| if class == candidate.class { steps as i8 } else { 0 };
                let z = candidate.z.iter().map(|z| (z * steps).round().clamp(-127.0, 127.0) as i8);
                z.chain((0..generator.classes).map(class)).collect()
            })
            .collect();
        let more: Vec<f32> = generator.more.iter().flat_map(|input| input.values_at(Point::seed(0))).collect();
        let vector = |codes: &Vec<i8>| codes.iter().map(|&code| f32::from(code) / steps).chain(more.clone()).collect();
        let vectors: Vec<Vec<f32>> = codes.iter().map(vector).collect();
        let mut found: Vec<Option<Found>> = vec![None; images.len()];
        let made = generator.generate(&vectors, &self.device);
        for ((candidate, codes), made) in candidates.iter().zip(codes).zip(made) {
            let wanted = &images[candidate.image];
            let image = to_pixels(&made, generator.net.output, generator.pixels);
            let psnr_db = pixels::difference(std::slice::from_ref(wanted), std::slice::from_ref(&image)).psnr;
            let best = &mut found[candidate.image];
            if best.as_ref().is_none_or(|best| psnr_db > best.psnr_db) {
                let class = (generator.classes > 0).then_some(candidate.class);
                *best = Some(Found { codes, class, image, psnr_db });
            }
        }
        found.into_iter().flatten().collect()
    }

    /// How far from 0 a latent value can be on the device.
    fn reach(&self) -> f32 {
        127.0 / f32::from(self.generator.input().prior.steps())
    }

    /// Bytes H × W × C as values C × H × W of the generator's output.
    fn planes(&self, image: &[u8]) -> Vec<f32> {
        let [c, h, w] = self.generator.net.output;
        assert_eq!(image.len(), c * h * w, "images of {h}×{w}×{c}");
        let value = |byte: u8| match self.generator.pixels {
            PixelRange::Symmetric => f32::from(byte) / 127.5 - 1.0,
            range => range.black() + range.span() * (f32::from(byte) / 255.0),
        };
        (0..c).flat_map(|channel| image.iter().skip(channel).step_by(c)).map(|&byte| value(byte)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nets::{Init, NetBuilder};

    /// An untrained generator of 4 × 4 images.
    fn generator(prior: Prior, classes: usize) -> Generator {
        let (device, mut rng) = (Device::flex(), Rng::new(4, 0));
        let net = NetBuilder::new([3 + classes, 1, 1], Init::He, &device, &mut rng).linear([1, 4, 4]).tanh().build();
        Generator { net, prior, classes, pixels: PixelRange::Symmetric, more: vec![] }
    }

    #[test]
    fn own_images_are_found_with_their_class() {
        for (prior, classes) in [(Prior::Gaussian, 0), (Prior::Uniform, 0), (Prior::Gaussian, 3)] {
            let (generator, device) = (generator(prior, classes), Device::flex());
            let inputs = generator.draw(3, &mut Rng::new(7, 0));
            let made = generator.generate(&inputs, &device);
            let images: Vec<_> =
                made.iter().map(|image| to_pixels(image, generator.net.output, generator.pixels)).collect();
            for distance in [Distance::Squared, Distance::Absolute] {
                let search = Search { steps: 100, starts: 2, distance, ..Search::default() };
                let found = invert(&generator, &images, &search, &mut Rng::new(1, 0), &device);
                assert_eq!(found.len(), 3);
                for (index, found) in found.iter().enumerate() {
                    assert!(found.psnr_db > 25.0, "{prior:?} {classes} {distance:?}: {}", found.psnr_db);
                    assert_eq!(found.class, (classes > 0).then_some(index));
                    assert_eq!(found.codes.len(), 3 + classes);
                    assert!(found.codes.iter().all(|&code| code > i8::MIN));
                }
            }
        }
    }
}
