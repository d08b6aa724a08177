//! edgegen-runtime with each kernel that this CPU has.

use std::rc::Rc;
use std::time::Duration;

use anyhow::{Result, ensure};
use edgegen_export::repack::repack;
use edgegen_export::{Label, ModelFile, cost, export};
use edgegen_runtime::kernels::Kernel;
use edgegen_runtime::kernels::scalar::Scalar;
#[cfg(target_arch = "x86_64")]
use edgegen_runtime::kernels::x86;
use edgegen_runtime::{Generator, Model};

use crate::contender::{Contender, Contenders, LATENTS, SEED, Task};
use crate::measure::now;

/// Latent vectors that ranges are calibrated on, as `edgegen export` does.
const CALIBRATION: usize = 256;

/// The int8 model, and one contender for each kernel.
#[derive(Debug)]
pub struct Ours {
    /// In the packing that every kernel can run.
    file: ModelFile,
    /// What it draws; a kernel must say the same, whatever its packing.
    images: Rc<[Vec<u8>]>,
}

impl Ours {
    /// Exports a network.
    ///
    /// # Errors
    ///
    /// Those of the exporter.
    pub fn new(task: &Task) -> Result<Self> {
        let label = Label { name: &task.name, metadata: &[] };
        let file = export(&task.network, CALIBRATION, label)?.file;
        let images = {
            let model = Model::parse(file.bytes())?;
            (SEED..).take(LATENTS).map(|seed| edgegen_export::image(&model, seed)).collect()
        };
        Ok(Self { file, images })
    }

    /// Each kernel that this CPU has, with the file packed for it.
    ///
    /// # Errors
    ///
    /// When a file cannot be packed for a kernel.
    pub fn contenders(&self) -> Result<Contenders> {
        // One line for each kernel.
        let all = [
            self.with::<Scalar>()?,
            #[cfg(target_arch = "x86_64")]
            self.with::<x86::Avx2>()?,
            #[cfg(target_arch = "x86_64")]
            self.with::<x86::Vnni>()?,
        ];
        Ok(all.into_iter().flatten().collect())
    }

    /// Products that an image takes.
    ///
    /// # Errors
    ///
    /// None for a file that was exported.
    pub fn macs(&self) -> Result<u64> {
        Ok(cost::cost(&Model::parse(self.file.bytes())?).macs)
    }

    fn with<K: Kernel + 'static>(&self) -> Result<Option<Box<dyn Contender>>> {
        let Some(kernel) = K::available() else { return Ok(None) };
        let packed = Packed { kernel, file: repack(&self.file, K::PACKING)?, images: Rc::clone(&self.images) };
        Ok(Some(Box::new(packed)))
    }
}

/// A model file and the kernel it is packed for.
struct Packed<K> {
    kernel: K,
    file: ModelFile,
    images: Rc<[Vec<u8>]>,
}

impl<K: Kernel> Contender for Packed<K> {
    fn name(&self) -> String {
        format!("edgegen int8, {}", K::NAME)
    }

    fn levels(&mut self, task: &Task) -> Result<Vec<Vec<f32>>> {
        let model = Model::parse_for(self.file.bytes(), Some(self.kernel))?;
        let mut arena = vec![0; model.arena_bytes()];
        let mut generator = Generator::with_kernel(&model, &mut arena, self.kernel)?;
        let channels = usize::from(model.output().c);
        let mut images = Vec::new();
        for (seed, expected) in (SEED..).zip(&*self.images).take(task.images.len()) {
            let mut image = Vec::new();
            generator.draw(seed, |row| image.extend_from_slice(row));
            ensure!(
                image == *expected,
                "expected the same bytes from all kernels, found others from {} for seed {seed}: run the tests",
                K::NAME
            );
            let planes = (0..channels).flat_map(|c| image.iter().skip(c).step_by(channels));
            images.push(planes.map(|&level| f32::from(level)).collect());
        }
        Ok(images)
    }

    /// From the seed to the last row, as on a device: drawing the latent vector and copying the rows are in it.
    fn time(&mut self, count: usize) -> Result<Duration> {
        let model = Model::parse_for(self.file.bytes(), Some(self.kernel))?;
        let mut arena = vec![0; model.arena_bytes()];
        let mut generator = Generator::with_kernel(&model, &mut arena, self.kernel)?;
        let mut image = Vec::with_capacity(model.output().len());
        let start = now();
        for index in 0..count {
            image.clear();
            generator.draw(SEED + (index % LATENTS) as u64, |row| image.extend_from_slice(row));
            std::hint::black_box(&image);
        }
        Ok(now() - start)
    }
}
