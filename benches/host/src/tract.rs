//! tract-onnx in float32.

use std::fmt;
use std::io::Cursor;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use tract_onnx::prelude::*;
use tract_onnx::tract_core::plan::SimpleState;

use crate::contender::{Contender, FLOAT_ERROR, Task};
use crate::measure::now;

/// A network in tract, with one image a run. tract computes on one thread unless it is told otherwise.
pub struct Tract {
    state: SimpleState<TypedFact, Box<dyn TypedOp>>,
    latents: Vec<TValue>,
}

impl Tract {
    /// Loads and optimizes an ONNX file for one latent vector a run.
    ///
    /// # Errors
    ///
    /// When tract does not take the file.
    pub fn new(onnx: &[u8], latents: &[Vec<f32>]) -> Result<Self> {
        Self::load(onnx, latents, InferenceModelExt::into_optimized)
    }

    /// The same with the graph as it stands in the file.
    ///
    /// # Errors
    ///
    /// When tract does not take the file.
    pub fn unoptimized(onnx: &[u8], latents: &[Vec<f32>]) -> Result<Self> {
        Self::load(onnx, latents, InferenceModelExt::into_typed)
    }

    fn load(
        onnx: &[u8],
        latents: &[Vec<f32>],
        lower: impl Fn(InferenceModel) -> TractResult<TypedModel>,
    ) -> Result<Self> {
        let dims = latents.first().map_or(0, Vec::len);
        let model = tract_onnx::onnx().model_for_read(&mut Cursor::new(onnx))?;
        let model = lower(model.with_input_fact(0, f32::fact([1, dims]).into())?)?;
        let latents = latents.iter().map(|latent| Ok(Tensor::from_shape(&[1, dims], latent)?.into_tvalue()));
        Ok(Self { state: model.into_runnable()?.spawn()?, latents: latents.collect::<Result<_>>()? })
    }

    /// The image of a latent vector: its dimensions `[1, c, h, w]`, and its values.
    ///
    /// # Errors
    ///
    /// When tract cannot run.
    pub fn image(&mut self, latent: usize) -> Result<(Vec<usize>, Vec<f32>)> {
        let image = self.run(latent)?;
        let image = image.to_plain_array_view::<f32>()?;
        Ok((image.shape().to_vec(), image.iter().copied().collect()))
    }

    fn run(&mut self, latent: usize) -> Result<TValue> {
        let latent = self.latents[latent % self.latents.len()].clone();
        self.state.run(tvec!(latent))?.pop().ok_or_else(|| anyhow!("expected an image of tract, found nothing"))
    }
}

/// What is done with tract on its thread.
type Job = Box<dyn FnOnce(&mut Tract) + Send>;

/// [`Tract`] on a thread of its own, so that it leaves nothing behind in the registers of ours: its assembly does not clear
/// the upper halves of vector registers, after which code for SSE, as the scalar kernel is, runs at less than half its speed.
#[derive(Debug)]
pub struct Apart {
    jobs: Sender<Job>,
}

impl Apart {
    /// Starts the thread and loads a network there, as [`Tract::new`] does.
    ///
    /// # Errors
    ///
    /// When tract does not take the file.
    pub fn new(task: &Task) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel::<Job>();
        let (loaded, outcome) = mpsc::channel();
        let (onnx, latents) = (task.onnx.clone(), task.latents.clone());
        thread::spawn(move || match Tract::new(&onnx, &latents) {
            Ok(mut tract) => {
                let _ = loaded.send(Ok(()));
                inbox.into_iter().for_each(|job| job(&mut tract));
            }
            Err(error) => {
                let _ = loaded.send(Err(error));
            }
        });
        outcome.recv()??;
        Ok(Self { jobs })
    }

    fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut Tract) -> Result<T> + Send + 'static) -> Result<T> {
        let (answer, answers) = mpsc::channel();
        let job: Job = Box::new(move |tract| {
            let _ = answer.send(job(tract));
        });
        self.jobs.send(job).map_err(|_| anyhow!("expected tract's thread, found its end: look at the panic above"))?;
        answers.recv()?
    }
}

impl Contender for Apart {
    fn name(&self) -> String {
        "tract float32".into()
    }

    fn levels(&mut self, task: &Task) -> Result<Vec<Vec<f32>>> {
        let mut images = Vec::new();
        for latent in 0..task.latents.len() {
            let (_, image) = self.ask(move |tract| tract.image(latent))?;
            let difference = task.difference(latent, &image);
            ensure!(
                difference <= FLOAT_ERROR,
                "expected what the interpreter says of tract, found {difference:.1e} off"
            );
            images.push(image.iter().map(|&value| task.network.pixels.level(value)).collect());
        }
        Ok(images)
    }

    fn time(&mut self, count: usize) -> Result<Duration> {
        self.ask(move |tract| {
            let start = now();
            for index in 0..count {
                std::hint::black_box(tract.run(index)?);
            }
            Ok(now() - start)
        })
    }
}

impl fmt::Debug for Tract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tract").field("latents", &self.latents.len()).finish_non_exhaustive()
    }
}
