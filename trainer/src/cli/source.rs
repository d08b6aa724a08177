//! `RUN|ONNX|MODEL`: what a path on the command line means.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use edgegen_export::layers::{Input, PixelRange};
use edgegen_export::{ModelFile, picture_bytes};
use edgegen_runtime::format::MAGIC;
use edgegen_runtime::{Model, Packing, Point, Shape};
use edgegen_sim::Cpu;
use edgegen_sim::boards::{Board, Panel};
use edgegen_sim::emulator::{self, Scene, Seen};

use super::fit::pack_for;
use super::import::{self, Assumptions, Import};
use super::quoted;
use super::training::{self, Run};
use crate::files;

/// Values of an image at most. The runtime streams rows and has no limit; this command keeps whole images.
const MAX_IMAGE: usize = 1 << 26;

/// Something that can draw.
pub enum Source {
    /// A run folder or a shipped model's folder: the float generator.
    Run(Box<Run>),
    /// An ONNX file: the float generator, as tract runs it.
    Onnx(Box<Import>),
    /// A model file: the int8 generator.
    Model(ModelFile),
}

impl Source {
    /// Opens a folder as a run, a file that begins as a model does as that, and else as ONNX.
    pub fn open(path: &Path, assume: &Assumptions) -> Result<Self> {
        if path.is_dir() {
            return training::open(path).map(Box::new).map(Self::Run);
        }
        if path.extension().is_some_and(|extension| extension == "onnx") && !is_model(path) {
            return import::open(path, assume).map(Box::new).map(Self::Onnx);
        }
        Ok(Self::Model(read_model(path)?))
    }

    /// `[H, W, C]` of an image.
    pub fn shape(&self) -> Result<[usize; 3]> {
        Ok(match self {
            Self::Run(run) => run.shape(),
            Self::Onnx(import) => {
                let shape = import.network().output()?;
                [shape.h, shape.w, shape.c].map(usize::from)
            }
            Self::Model(file) => {
                let shape = Model::parse_any(file.bytes())?.output();
                [shape.h, shape.w, shape.c].map(usize::from)
            }
        })
    }

    /// Samples a second of what makes sound, and of nothing else.
    pub fn sample_rate(&self) -> Result<Option<u32>> {
        Ok(match self {
            Self::Model(file) => Model::parse_any(file.bytes())?.sample_rate(),
            Self::Run(run) => run.sample_rate(),
            Self::Onnx(_) => None,
        })
    }

    /// How many classes can be asked for, 0 for none.
    pub fn classes(&self) -> Result<usize> {
        Ok(match self {
            Self::Run(run) if run.fed().is_some() => 0,
            Self::Run(run) if !run.words().is_empty() => run.words().iter().map(|own| own.words.len()).product(),
            Self::Run(run) => run.input().classes,
            Self::Onnx(import) => {
                let classes = |input: &Input| match input {
                    Input::Latent(latent) => latent.classes,
                    Input::Class { classes, stride } => classes * (*stride).max(1),
                    _ => 0,
                };
                import.network().inputs().map(classes).max().unwrap_or(0)
            }
            Self::Model(file) => usize::from(Model::parse_any(file.bytes())?.classes()),
        })
    }

    /// How many layers have a style that can be mixed, 0 without.
    pub fn styles(&self) -> Result<u16> {
        Ok(match self {
            // Recipes end far below 65 536.
            Self::Run(run) => run.styles() as u16,
            // Such a file has all that it reads as one latent vector.
            Self::Onnx(_) => 0,
            Self::Model(file) => Model::parse_any(file.bytes())?.styles(),
        })
    }

    /// Shape of the image that it reads, if it reads one.
    pub fn fed(&self) -> Result<Option<Shape>> {
        Ok(match self {
            Self::Run(run) => run.fed(),
            Self::Onnx(import) => import.network().inputs().find_map(|input| match input {
                Input::Image { shape, .. } => Some(*shape),
                _ => None,
            }),
            Self::Model(file) => Model::parse_any(file.bytes())?.fed(),
        })
    }

    /// The pictures that a model file brings along to read, from that of `seed` on.
    pub fn pictures(&self, seed: u64) -> Result<Vec<Vec<u8>>> {
        let Self::Model(file) = self else { return Ok(Vec::new()) };
        let model = Model::parse_any(file.bytes())?;
        let Some(pictures) = model.pictures() else { return Ok(Vec::new()) };
        let numbers = (0..pictures.count().into()).map(|index| seed.wrapping_add(index));
        Ok(numbers.map(|number| picture_bytes(pictures.picture(number))).collect())
    }

    /// The images of `count` seeds from `seed` on, H × W × C bytes each, and their `[h, w, c]`; of `class`, or of all
    /// classes in turn.
    pub fn images(&self, seed: u64, count: usize, class: Option<u16>) -> Result<(Vec<Vec<u8>>, [usize; 3])> {
        self.translated(seed, count, class, &[])
    }

    /// As [`Source::images`], made of `picture`, bytes of the shape [`Source::fed`], where it reads one; without one of
    /// the pictures that a model file brings along, or of black.
    pub fn translated(
        &self,
        seed: u64,
        count: usize,
        class: Option<u16>,
        picture: &[u8],
    ) -> Result<(Vec<Vec<u8>>, [usize; 3])> {
        check_class(class, self.classes()?)?;
        Ok((self.images_at(&points(seed, count, class).collect::<Vec<_>>(), picture)?, self.shape()?))
    }

    /// The images of points, H × W × C bytes each; of `picture`, as [`Source::translated`].
    pub fn images_at(&self, points: &[Point], picture: &[u8]) -> Result<Vec<Vec<u8>>> {
        let points = points.iter().copied();
        Ok(match self {
            Self::Run(run) if run.fed().is_some() => {
                let input = PixelRange::Symmetric.planes(picture, run.shape()[2]);
                run.generate_pixels(&vec![input; points.len()])
            }
            Self::Run(run) => {
                let inputs: Vec<_> = points.map(|point| run.values_at(point)).collect();
                run.generate_pixels(&inputs)
            }
            Self::Onnx(import) => {
                let draw = |point| draw(import, point, picture);
                points.map(draw).collect::<Result<_>>()?
            }
            Self::Model(file) => {
                let file = edgegen_export::native(file)?;
                let model = Model::parse(file.bytes())?;
                let draw = |point| match picture {
                    [] => edgegen_export::image_at(&model, point),
                    picture => edgegen_export::translated(&model, point, picture),
                };
                points.map(draw).collect()
            }
        })
    }
}

/// The points of `count` seeds from `seed` on, of a class if one is given.
pub fn points(seed: u64, count: usize, class: Option<u16>) -> impl Iterator<Item = Point> {
    (0..count as u64).map(move |index| {
        let point = Point::seed(seed.wrapping_add(index));
        class.map_or(point, |class| point.of_class(class))
    })
}

/// Refuses a class that a model of `classes` classes does not have.
pub fn check_class(class: Option<u16>, classes: usize) -> Result<()> {
    match class {
        Some(class) if classes == 0 => {
            bail!("expected a model with classes for class {class}, found one without: leave the class out")
        }
        Some(class) if usize::from(class) >= classes => {
            bail!("expected a class from 0 to {}, as this model has them, found {class}", classes - 1)
        }
        _ => Ok(()),
    }
}

/// An image of an ONNX file, H × W × C bytes.
fn draw(import: &Import, point: Point, picture: &[u8]) -> Result<Vec<u8>> {
    let values = |input: &Input| match input {
        Input::Image { shape, pixels } if !picture.is_empty() => pixels.planes(picture, shape.c.into()),
        other => other.values_at(point),
    };
    draw_values(import, &import.network().inputs().map(values).collect::<Vec<_>>())
}

/// As [`draw`], of the values of the network's inputs.
pub fn draw_values(import: &Import, inputs: &[Vec<f32>]) -> Result<Vec<u8>> {
    let network = import.network();
    let values = import.run(inputs)?;
    let shape = network.output()?;
    let (area, channels) = (usize::from(shape.h) * usize::from(shape.w), usize::from(shape.c));
    let place = |index: usize| values[index % channels * area + index / channels];
    Ok((0..values.len()).map(|index| network.pixels.level(place(index)).round() as u8).collect())
}

/// Whether a file begins as a model file does.
fn is_model(path: &Path) -> bool {
    let mut magic = [0; MAGIC.len()];
    std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok() && magic == MAGIC
}

/// Reads a model file that can be drawn from on this computer.
pub fn read_model(path: &Path) -> Result<ModelFile> {
    let file = read_any_model(path)?;
    Model::parse(file.bytes()).with_context(|| path.display().to_string())?;
    Ok(file)
}

/// Reads a model file, perhaps packed for another CPU, and checks it.
pub fn read_any_model(path: &Path) -> Result<ModelFile> {
    ensure!(
        path.exists(),
        "expected a model file or a run folder at {}, found nothing: check the path, or make one with `edgegen train`",
        path.display()
    );
    ensure!(
        !path.is_dir(),
        "expected a model file, found the folder {}: if it is a run, `edgegen export {} -o model.egm` makes one of it",
        path.display(),
        quoted(path)
    );
    let file = ModelFile::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    match Model::parse_any(file.bytes()) {
        Err(error) => bail!("{}: {error}", path.display()),
        Ok(model) => ensure!(
            model.output().len() <= MAX_IMAGE,
            "expected a model of images with at most {MAX_IMAGE} values, found {} in {}: this is no generator of ours",
            model.output(),
            path.display()
        ),
    }
    Ok(file)
}

/// A packing by the name that `--target` takes.
pub fn packing(name: &str) -> Result<Packing, String> {
    let named = |packing: &Packing| match packing {
        Packing::Simd128 => matches!(name, "simd128" | "neon" | "wasm"),
        other => other.name() == name,
    };
    Packing::ALL.into_iter().find(named).ok_or_else(|| {
        let names = Packing::ALL.map(Packing::name).join(", ");
        format!("expected one of {names}")
    })
}

/// Runs a board's firmware with a model in the board's emulator; a portable model is packed for the processor first.
pub fn emulate(file: &ModelFile, board: &Board, panel: &Panel, cpu: Cpu, scene: Scene<'_>) -> Result<Seen> {
    let packed = pack_for(file, cpu)?;
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let path = folder.path().join("model.egm");
    files::replace_bytes(&path, packed.bytes())?;
    emulator::run(&path, board, panel, cpu, scene)
}

/// The folder of the project's sources, where recipes, shipped models and firmware are.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_that_is_not_there_is_refused() {
        assert!(check_class(None, 0).is_ok() && check_class(Some(9), 10).is_ok());
        assert!(check_class(Some(10), 10).unwrap_err().to_string().contains("from 0 to 9"));
        assert!(check_class(Some(0), 0).unwrap_err().to_string().contains("found one without"));
    }
}
