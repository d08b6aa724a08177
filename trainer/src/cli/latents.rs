//! `edgegen sample --latents z.npy`: images of latent vectors that somebody else drew.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use edgegen_export::layers::Input;
use edgegen_runtime::{Generator, Model, Point, Still};

use super::import::{Assumptions, Prior};
use super::source::{Source, draw_values};
use crate::images;

/// Reads the latent vectors in a file, each as long as that of `source`, or with a value for each class behind it where
/// the source has classes there.
pub fn read(path: &Path, source: &Source, assume: &Assumptions) -> Result<Vec<Vec<f32>>> {
    let what = path.display();
    let mut latents = images::load_npy(path).with_context(|| format!("cannot read the latent vectors {what}"))?;
    let (dims, width) = lengths(source)?;
    let found = latents.first().map_or(0, Vec::len);
    ensure!(dims > 0, "expected no --latents for a generator without a latent vector, found {what}: leave it out");
    ensure!(
        found == dims || found == width,
        "expected latent vectors of {dims} values, found {found} in {what}: draw as many as the generator reads"
    );
    if matches!(source, Source::Onnx(_)) && matches!(assume.prior, Some(Prior::Uniform01)) {
        // The network that was read from the file has its latent values from −1 to 1.
        latents.iter_mut().flatten().for_each(|value| *value = 2.0 * *value - 1.0);
    }
    Ok(latents)
}

/// Values of the latent vector, 0 without one, and with the classes behind it.
pub fn lengths(source: &Source) -> Result<(usize, usize)> {
    Ok(match source {
        Source::Run(run) => (run.input().dims, run.input().width()),
        Source::Onnx(import) => import.network().latent().map_or((0, 0), |latent| (latent.dims, latent.width())),
        Source::Model(file) => {
            let model = Model::parse_any(file.bytes())?;
            let latent = model.inputs().find(|(_, input)| input.latent().is_some());
            latent.map_or((0, 0), |(node, input)| (input.dims.into(), node.shape.c.into()))
        }
    })
}

/// The images of latent vectors, H × W × C bytes each, and how many of their values a model file clamped. What else the
/// generator reads is that of the points, one for each vector, and of `picture`.
pub fn draw(source: &Source, latents: &[Vec<f32>], points: &[Point], picture: &[u8]) -> Result<(Vec<Vec<u8>>, usize)> {
    let each = points.iter().copied().zip(latents);
    let images = match source {
        Source::Run(run) => {
            let inputs: Vec<_> = each.map(|(point, latent)| over(run.values_at(point), latent)).collect();
            run.generate_pixels(&inputs)
        }
        Source::Onnx(import) => {
            let image = |(point, latent): (Point, &Vec<f32>)| {
                let mut first = true;
                let values = |input: &Input| match input {
                    Input::Latent(own) if std::mem::take(&mut first) => over(own.vector_at(point), latent),
                    Input::Image { shape, pixels } if !picture.is_empty() => pixels.planes(picture, shape.c.into()),
                    other => other.values_at(point),
                };
                draw_values(import, &import.network().inputs().map(values).collect::<Vec<_>>())
            };
            each.map(image).collect::<Result<_>>()?
        }
        Source::Model(file) => {
            let file = edgegen_export::native(file)?;
            let model = Model::parse(file.bytes())?;
            let steps = model.latent().map_or(1.0, |latent| f32::from(latent.prior.steps()));
            let (codes, clamped) = codes(latents, steps);
            let images = points.iter().zip(&codes).map(|(&point, codes)| decoded(&model, point, codes, picture));
            return Ok((images.collect(), clamped));
        }
    };
    Ok((images, 0))
}

/// A factor of latent vectors or styles, as it is written on the command line.
pub fn psi(text: &str) -> Result<f32, String> {
    let value = text.parse::<f32>().ok().filter(|psi| (0.0..=4.0).contains(psi));
    value.ok_or_else(|| "expected a number from 0 to 4".to_owned())
}

/// Images of [`draw_truncated`].
pub struct Truncated {
    /// All of the first ψ, then those of the next, H × W × C bytes each.
    pub images: Vec<Vec<u8>>,
    /// How many latent values a model file clamped, and how many there were.
    pub clamped: [usize; 2],
    /// What was scaled: `w`, the styles of a run that keeps their mean, or `z`.
    pub space: char,
}

/// The images of points that are drawn towards what is usual, ψ by ψ: styles towards their mean m in a run that keeps
/// it, m + ψ (w − m), and else latent vectors towards the middle of their prior. Refuses a generator of neither.
pub fn draw_truncated(source: &Source, points: &[Point], psi: &[f32], picture: &[u8]) -> Result<Truncated> {
    ensure!(
        lengths(source)?.0 > 0,
        "expected a generator with a latent vector for --truncation, found none: leave it out"
    );
    if let Source::Run(run) = source {
        let inputs: Vec<_> = points.iter().map(|&point| run.values_at(point)).collect();
        let drawn = psi.iter().map(|&psi| Some(run.truncated(psi)?.generate_pixels(&inputs)));
        if let Some(images) = drawn.collect::<Option<Vec<_>>>() {
            return Ok(Truncated { images: images.concat(), clamped: [0; 2], space: 'w' });
        }
    }
    let vectors = truncated(source, points, psi)?;
    let (images, clamped) = draw(source, &vectors, &points.repeat(psi.len()), picture)?;
    Ok(Truncated { images, clamped: [clamped, vectors.iter().map(Vec::len).sum()], space: 'z' })
}

/// The latent vectors of points, drawn towards the middle m of their prior or away: m + ψ (z − m), all of them for the
/// first ψ, then for the next.
fn truncated(source: &Source, points: &[Point], psi: &[f32]) -> Result<Vec<Vec<f32>>> {
    let (dims, _) = lengths(source)?;
    let drawn = points.iter().map(|&point| vector(source, point, dims)).collect::<Result<Vec<_>>>()?;
    let middle = if prior(source)? == Some(edgegen_runtime::Prior::UnitUniform) { 0.5 } else { 0.0 };
    let one = |psi: f32| {
        drawn.iter().map(move |latent| latent.iter().map(|&value| middle + psi * (value - middle)).collect())
    };
    Ok(psi.iter().flat_map(|&psi| one(psi)).collect())
}

/// The latent vector of a point, `dims` values, as the generator reads it.
fn vector(source: &Source, point: Point, dims: usize) -> Result<Vec<f32>> {
    let mut values = match source {
        Source::Run(run) => run.input().vector_at(point),
        Source::Onnx(import) => import.network().latent().map_or_else(Vec::new, |latent| latent.vector_at(point)),
        Source::Model(file) => match Model::parse_any(file.bytes())?.latent() {
            Some(latent) => {
                let mut codes = vec![0; dims];
                point.fill(latent, &mut codes);
                codes.iter().map(|&code| f32::from(code) / f32::from(latent.prior.steps())).collect()
            }
            None => Vec::new(),
        },
    };
    values.truncate(dims);
    Ok(values)
}

/// What the latent vector is drawn from.
fn prior(source: &Source) -> Result<Option<edgegen_runtime::Prior>> {
    Ok(match source {
        Source::Run(run) => Some(run.input().prior),
        Source::Onnx(import) => import.network().latent().map(|latent| latent.prior),
        Source::Model(file) => Model::parse_any(file.bytes())?.latent().map(|latent| latent.prior),
    })
}

/// `vector` with `latent` in place of its first values.
fn over(mut vector: Vec<f32>, latent: &[f32]) -> Vec<f32> {
    vector.iter_mut().zip(latent).for_each(|(to, &from)| *to = from);
    vector
}

/// The nearest codes, and how many values lie beyond the last ones.
fn codes(latents: &[Vec<f32>], steps: f32) -> (Vec<Vec<i8>>, usize) {
    let mut clamped = 0;
    let mut code = |value: &f32| {
        let code = (value * steps).round();
        clamped += usize::from(!(-127.0..=127.0).contains(&code));
        code.clamp(-127.0, 127.0) as i8
    };
    let codes = latents.iter().map(|latent| latent.iter().map(&mut code).collect()).collect();
    (codes, clamped)
}

fn decoded(model: &Model<'_>, point: Point, codes: &[i8], picture: &[u8]) -> Vec<u8> {
    let mut arena = vec![0; model.arena_bytes()];
    let Ok(mut generator) = Generator::new(model, &mut arena) else { return Vec::new() };
    let own = model.pictures().filter(|_| picture.is_empty()).map(|pictures| pictures.picture(point.from).rows());
    let mut rows = generator.decode_at(point, codes, own.unwrap_or(Still::new(picture)));
    let mut image = Vec::with_capacity(model.output().len());
    while let Some(row) = rows.next_row() {
        image.extend_from_slice(row);
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::source::{points, project};

    #[test]
    fn factors_are_small_and_not_negative() {
        assert_eq!([psi("0"), psi("0.3"), psi("4")], [Ok(0.0), Ok(0.3), Ok(4.0)]);
        assert!(["-0.1", "4.5", "nan", "half", ""].iter().all(|text| psi(text).unwrap_err().contains("from 0 to 4")));
    }

    #[test]
    fn truncation_draws_towards_the_middle() {
        let path = project().join("models/mnist-cgan/model.egm");
        let source = Source::open(&path, &Assumptions::default()).unwrap();
        let points: Vec<Point> = points(5, 2, None).collect();
        let vectors = truncated(&source, &points, &[0.0, 0.5, 1.0]).unwrap();
        assert_eq!((vectors.len(), vectors[0].len()), (6, lengths(&source).unwrap().0));
        assert!(vectors[..2].iter().flatten().all(|&value| value == 0.0), "all alike");
        assert!(vectors[2].iter().zip(&vectors[4]).all(|(half, whole)| *half == 0.5 * whole));
        assert!(vectors[4] != vectors[5] && vectors[4].iter().any(|value| value.abs() > 1.0));
        // A ψ of 1 changes nothing.
        let (drawn, clamped) = draw(&source, &vectors[4..], &points, &[]).unwrap();
        assert_eq!((drawn, clamped), (source.images_at(&points, &[]).unwrap(), 0));
    }

    #[test]
    fn values_become_the_nearest_codes() {
        let latents = vec![vec![0.0, 1.0, -0.5, 3.96], vec![3.99, -9.0, f32::NAN, 0.016]];
        let (codes, clamped) = codes(&latents, 32.0);
        assert_eq!(codes, [[0, 32, -16, 127], [127, -127, 0, 1]]);
        assert_eq!(clamped, 3, "two beyond, one no number");
    }
}
