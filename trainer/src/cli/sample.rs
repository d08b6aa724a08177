//! `edgegen sample RUN|ONNX|MODEL`.

mod sentences;
mod sound;
mod speech;
mod truncation;
mod walk;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use edgegen_runtime::Point;

use super::import::Assumptions;
use super::latents;
use super::pictures::{Pictures, redrawn};
use super::source::{Source, check_class};
use super::words::{self, Asked};
use super::{Console, Ending, classes, grouped, training};
use crate::{files, images};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder (float), an ONNX file (float) or a model file (int8)
    #[arg(value_name = "RUN|ONNX|MODEL")]
    source: PathBuf,
    #[command(flatten)]
    pictures: Pictures,
    /// Latent vectors instead of those of seeds: float32 [N, z] as numpy saves them, one image each, in the units of the
    /// generator's prior. A run and an ONNX file take them as they are; a model file rounds them to its codes, 1/32 σ or
    /// 1/127, and clamps what lies beyond ±127 of them. What else is read is that of the seeds
    #[arg(long, value_name = "NPY", conflicts_with = "count")]
    latents: Option<PathBuf>,
    /// Seed of the first image; the others follow
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The class to draw, for models that have classes [default: all in turn]
    #[arg(long, value_name = "NAME|NUMBER")]
    class: Option<String>,
    /// What to draw, for models that read words: "short red hair, glasses". What is not named comes from the seeds
    #[arg(long, value_name = "CAPTION", conflicts_with = "class")]
    text: Option<String>,
    /// A film of the way from seed to seed and from the last one to the first, as boards walk it: .gif, .png
    /// (animated), .mp4 (needs ffmpeg) or .npy. --count is how many seeds [default: 8]; without it a model that brings
    /// a way along goes that
    #[arg(long, conflicts_with_all = ["latents", "grid"])]
    walk: bool,
    /// Frames from one seed to the next [default: 16]
    #[arg(long, value_name = "FRAMES", requires = "walk", value_parser = clap::value_parser!(u16).range(1..=64))]
    frames: Option<u16>,
    /// A sheet of truncation: in each row the same latent vectors, nearer to the middle of the prior or farther, ψ · z
    /// for ψ from 0 to 1.5; of a run with styles those, nearer to their mean. --count is how many [default: 8, or one
    /// of each class]
    #[arg(long, conflicts_with_all = ["latents", "grid", "walk"])]
    truncation: bool,
    /// How many images [default: 64, or ten of each class; of pictures one of each; of points 4096; of sounds one of
    /// each class, or one]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Columns of the sheet [default: one for each class, else a square]
    #[arg(long, value_name = "COLUMNS", value_parser = clap::value_parser!(u32).range(1..))]
    grid: Option<u32>,
    /// Where to: .png is a sheet, of points of the plane a picture of them, of sounds their waves; .gif one image after
    /// the other; .wav sounds, one after the other, of a run of speech test sentences; .npy uint8 [N, H, W, C]; of
    /// written sentences .png, and lines are printed
    #[arg(long, default_value = "samples.png")]
    out: PathBuf,
    #[command(flatten)]
    assume: Assumptions,
}

/// The extensions of `--out`.
const FORMATS: [&str; 4] = ["png", "gif", "npy", "wav"];
/// Bytes of pixels that are kept in memory for a sheet or an animation.
const MAX_BYTES: u64 = 1 << 28;
/// Images of an array that are made at a time.
const AT_A_TIME: u64 = 1024;
/// Seconds between two words about how far it is.
const WORD_SECONDS: u64 = 10;
/// Pairs on the sheet of a run that learned from pairs.
const PAIRS: usize = 24;

/// `[H, W, C]` of points of the plane, and of nothing else.
const POINT: [usize; 3] = [1, 1, 2];

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let formats: &[&str] = match (args.walk, args.truncation) {
        (true, _) => &images::FILMS,
        (_, true) => &truncation::FORMATS,
        _ => &FORMATS,
    };
    let format = images::expect(&args.out, formats)?;
    let given = args.pictures.paths().iter().map(|path| ("--image", &**path));
    let read: Vec<_> = [("the source", &*args.source)].into_iter().chain(given).collect();
    files::distinct(&read, &[("--out", &args.out)])?;
    let source = Source::open(&args.source, &args.assume)?;
    let given = args.pictures.read(source.fed()?)?;
    let pictures = if given.is_empty() { source.pictures(args.seed)? } else { given.clone() };
    if let Some(shape) = source.fed()?.filter(|_| pictures.is_empty()) {
        // A run draws pairs of its data.
        ensure!(
            matches!(source, Source::Run(_)) && !args.walk && !args.truncation,
            "expected --image for a model that reads a picture of {shape}, found none: give one"
        );
    }
    let asked = match (&args.class, &args.text) {
        (Some(class), _) => Asked::Class(classes::number(&source.class_names()?, source.classes()?, class)?),
        (None, Some(text)) => words::asked(&source, text)?,
        (None, None) => Asked::Any,
    };
    let class = asked.class(args.seed);
    if args.walk || args.truncation {
        let option = if args.walk { "--walk" } else { "--truncation" };
        let scene = Scene::new(&source, args, option, class, one(&given, option)?, console)?;
        return if args.walk { walk::run(&scene, format) } else { truncation::run(&scene) };
    }
    if let (Source::Run(run), "wav", None) = (&source, format, args.pictures.paths().first())
        && training::speaks(run)
    {
        return speech::run(run, args, console);
    }
    if let Source::Run(run) = &source
        && training::translates(run)
    {
        return sentences::run(run, args, format, console);
    }
    match (source.sample_rate()?, format) {
        (Some(_), "gif") => bail!(
            "expected a file name that ends in .wav, .png or .npy for a model that makes sound, found {}: change the name",
            args.out.display()
        ),
        (None, "wav") => bail!(
            "expected a model that makes sound for {}, found one of images in {}: write .png, .gif or .npy",
            args.out.display(),
            args.source.display()
        ),
        (Some(rate), "png" | "wav") => return sound::run(&source, args, &asked, rate, format, console),
        _ => {}
    }
    let are_points = source.shape()? == POINT;
    // Seed after seed the classes come in turn.
    let in_turn = matches!(asked, Asked::Any) && source.vocabulary()?.is_none() && !are_points;
    let classes = if in_turn { source.classes()? } else { 0 };
    let usual = match classes {
        0 if !pictures.is_empty() => pictures.len(),
        0 if are_points => 4096,
        0 => 64,
        classes => 10 * classes,
    };
    let latents = args.latents.as_deref().map(|path| latents::read(path, &source, &args.assume)).transpose()?;
    let count = match &latents {
        Some(latents) => latents.len(),
        None => args.count.map_or(usual, |count| count as usize),
    };
    let shape = source.shape()?;
    let are_pairs = matches!(source, Source::Run(_)) && source.fed()?.is_some() && pictures.is_empty();
    let are_scattered = are_points && latents.is_none() && matches!(source, Source::Run(_));
    if format == "npy" && latents.is_none() && !are_scattered && !are_pairs {
        stream(&source, args, &asked, count as u64, &pictures, console)?;
        return tell(args, count, count, shape, None, console);
    }
    let most = MAX_BYTES / shape.iter().product::<usize>().max(1) as u64;
    ensure!(
        count as u64 <= most,
        "expected at most {most} images of {}×{}×{} for .{format}, found {count}: write .npy without --latents, which has no limit, or fewer",
        shape[0],
        shape[1],
        shape[2]
    );
    let mut clamped = None;
    let mut in_a_row = None;
    let (images, shape) = match (&source, &latents) {
        (source, Some(latents)) => {
            check_class(class, source.classes()?)?;
            let points = asked.points(args.seed, latents.len());
            let (images, beyond) = latents::draw(source, latents, &points, one(&given, "--latents")?)?;
            clamped = Some((beyond, latents.iter().map(Vec::len).sum()));
            (images, shape)
        }
        (Source::Run(run), None) if are_pairs => {
            let count = args.count.map_or(PAIRS, |count| count as usize);
            let (images, shape, columns) = training::translated(run, count)?;
            in_a_row = Some(columns);
            (images, shape)
        }
        (Source::Run(run), None) if are_points => training::scattered(run, args.seed, count)?,
        _ if are_points && format != "npy" => {
            let points = source.images_at(&asked.points(args.seed, count), &[])?;
            // Bytes from edge to edge; there are no real points to lie under them.
            let in_view: Vec<f32> = points.iter().flatten().map(|&byte| f32::from(byte) / 127.5 - 1.0).collect();
            (vec![images::scatter(&[], &in_view)], [images::SCATTER, images::SCATTER, 3])
        }
        _ => {
            let made = draw(&source, &asked.points(args.seed, count), &pictures, 0)?;
            match source.fed()?.filter(|_| format == "png") {
                Some(fed) => {
                    let fed = [fed.h, fed.w, fed.c].map(usize::from);
                    let before = pictures.iter().cycle().map(|picture| redrawn(picture, fed, shape));
                    in_a_row = Some(2 * square(count));
                    (before.zip(made).flat_map(|(before, made)| [before, made]).collect(), shape)
                }
                None => (made, shape),
            }
        }
    };
    let columns = match (args.grid, in_a_row) {
        (Some(columns), _) => columns as usize,
        (None, Some(columns)) => columns,
        (None, None) if classes > 0 => classes,
        (None, None) => square(images.len()),
    };
    images::save(&args.out, &images, shape, columns)?;
    tell(args, count, images.len(), shape, clamped, console)
}

/// Says what was drawn: `count` samples in `made` images, and of latent values handed in how many of all were clamped.
fn tell(
    args: &Args,
    count: usize,
    made: usize,
    shape: [usize; 3],
    clamped: Option<(usize, usize)>,
    console: Console,
) -> Result<Ending> {
    let value = serde_json::json!({
        "file": args.out,
        "count": count,
        "seeds": [args.seed, args.seed.wrapping_add(count as u64 - 1)],
        "shape": shape,
        "text": args.text,
        "latents": args.latents,
        "clamped": clamped.map_or(0, |(beyond, _)| beyond),
    });
    console.show(&value, || {
        let [h, w, c] = shape;
        let told = format!("{}: {made} images of {h}×{w}×{c}", args.out.display());
        match clamped {
            Some((beyond, all)) => {
                format!("{told}; {} of {} latent values were clamped", grouped(beyond as u64), grouped(all as u64))
            }
            None => told,
        }
    })
}

/// Writes an array piece by piece.
fn stream(
    source: &Source,
    args: &Args,
    asked: &Asked,
    count: u64,
    pictures: &[Vec<u8>],
    console: Console,
) -> Result<()> {
    let mut words = Words::new(console);
    images::stream_npy(&args.out, count, source.shape()?, |done| {
        words.say(done, count);
        let some = AT_A_TIME.min(count - done) as usize;
        draw(source, &asked.points(args.seed.wrapping_add(done), some), pictures, done as usize)
    })
}

/// The images of points; where the generator reads pictures, each of the next of `pictures` from number `first` on,
/// which come round again.
fn draw(source: &Source, points: &[Point], pictures: &[Vec<u8>], first: usize) -> Result<Vec<Vec<u8>>> {
    match pictures {
        [] => source.images_at(points, &[]),
        [picture] => source.images_at(points, picture),
        pictures => {
            let next = pictures.iter().cycle().skip(first % pictures.len());
            let each = points.iter().zip(next).map(|(&point, picture)| source.images_at(&[point], picture));
            Ok(each.collect::<Result<Vec<_>>>()?.concat())
        }
    }
}

/// The picture, if any, where `option` takes one for all images.
fn one<'a>(pictures: &'a [Vec<u8>], option: &str) -> Result<&'a [u8]> {
    match pictures {
        [] => Ok(&[]),
        [picture] => Ok(picture),
        _ => bail!("expected one picture with {option}, found {}: give one by --image", pictures.len()),
    }
}

/// What a walk or a sweep is drawn of.
struct Scene<'a> {
    source: &'a Source,
    args: &'a Args,
    class: Option<u16>,
    /// What the generator reads beside its latent vector; of a model without pictures nothing.
    picture: &'a [u8],
    shape: [usize; 3],
    console: Console,
}

impl<'a> Scene<'a> {
    /// `option` asks for it, and stands in errors.
    fn new(
        source: &'a Source,
        args: &'a Args,
        option: &str,
        class: Option<u16>,
        picture: &'a [u8],
        console: Console,
    ) -> Result<Self> {
        let (shape, what) = (source.shape()?, args.source.display());
        let is_fed_alone = matches!(source, Source::Run(_)) && source.fed()?.is_some();
        ensure!(
            !is_fed_alone && latents::lengths(source)?.0 > 0,
            "expected a generator with a latent vector for {option}, found none in {what}: leave {option} out"
        );
        ensure!(
            shape != POINT,
            "expected a generator of images for {option}, found one of points of the plane in {what}: leave {option} out"
        );
        ensure!(
            source.sample_rate()?.is_none(),
            "expected a generator of images for {option}, found one of sounds in {what}: leave {option} out"
        );
        check_class(class, source.classes()?)?;
        Ok(Self { source, args, class, picture, shape, console })
    }

    /// Refuses more images than are kept in memory.
    fn check_count(&self, count: usize) -> Result<()> {
        let [h, w, c] = self.shape;
        let most = MAX_BYTES / (h * w * c).max(1) as u64;
        ensure!(count as u64 <= most, "expected at most {most} images of {h}×{w}×{c}, found {count}: lower --count");
        Ok(())
    }
}

/// Says every few seconds how far it is.
struct Words {
    console: Console,
    start: Instant,
    next: Duration,
}

impl Words {
    fn new(console: Console) -> Self {
        Self { console, start: Instant::now(), next: Duration::from_secs(WORD_SECONDS) }
    }

    fn say(&mut self, done: u64, count: u64) {
        let elapsed = self.start.elapsed();
        if elapsed > self.next {
            self.next = elapsed + Duration::from_secs(WORD_SECONDS);
            let left = elapsed.as_secs_f64() * (count - done) as f64 / done.max(1) as f64;
            self.console.say(&format!("{done} of {count} images, {left:.0} s left"));
        }
    }
}

/// Columns of the sheet nearest to a square.
pub fn square(count: usize) -> usize {
    count.isqrt() + usize::from(count.isqrt().pow(2) < count)
}
