//! What a run's system itself says of test data: likelihoods, bounds and the like.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;
use burn::tensor::{Device, Tensor, TensorData};
use edgegen_metrics::Features;

use crate::data::{Dataset, Plane};
use crate::recipe::Recipe;
use crate::rng::Rng;
use crate::systems::System;
use crate::{checkpoint, run, systems};

/// Figures by name.
pub type Own = BTreeMap<&'static str, f32>;

/// Test images or points that are looked at together.
const BATCH: usize = 250;

/// Of test images. Shipped folders, which have no checkpoint, and model files say nothing.
pub fn of_images(source: &Path, test: &Dataset, device: &Device) -> Result<Own> {
    let [h, w, c] = test.shape;
    let batches = (0..test.len()).step_by(BATCH).map(|start| {
        let indices = start..(start + BATCH).min(test.len());
        let count = indices.len();
        let planes = indices.flat_map(|index| {
            let channel = move |channel: usize| test.image(index).iter().skip(channel).step_by(c);
            (0..c).flat_map(channel).map(|&byte| f32::from(byte) / 127.5 - 1.0)
        });
        TensorData::new(planes.collect::<Vec<f32>>(), [count, c, h, w])
    });
    score(source, batches, device)
}

/// Of points in their mixture's units.
pub fn of_points(source: &Path, plane: &Plane, test: &Features, device: &Device) -> Result<Own> {
    let values: Vec<f32> = test.samples().flatten().map(|value| value / plane.scale).collect();
    let batches = values.chunks(2 * BATCH).map(|batch| TensorData::new(batch.to_vec(), [batch.len() / 2, 2, 1, 1]));
    score(source, batches, device)
}

fn score(source: &Path, mut batches: impl Iterator<Item = TensorData>, device: &Device) -> Result<Own> {
    let Some((_, checkpoint)) = checkpoint::newest(source)? else { return Ok(Own::new()) };
    let recipe = Recipe::load(&source.join(run::RECIPE))?;
    let kind = systems::find(&recipe.system)?;
    let mut system: Box<dyn System> = (kind.build)(&recipe, &device.clone().autodiff(), &mut Rng::new(0, 0))?;
    system.load(&checkpoint)?;
    let device = device.clone().inner();
    let mut next = || batches.next().map(|batch| Tensor::from_data(batch, &device));
    Ok(system.score(&mut next).into_iter().collect())
}

/// A line for each.
pub fn text(own: &Own) -> String {
    let line = |(name, value): (&&str, &f32)| {
        let unit = match *name {
            "bits_per_dimension" | "bits_of_order_0" => " bits",
            "test_inertia" => "",
            _ => " nats",
        };
        format!("\n{}: {value:.3}{unit}", name.replace('_', " "))
    };
    own.iter().map(line).collect()
}
