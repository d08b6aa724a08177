//! `edgegen morph A B`.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use edgegen_export::image_at;
use edgegen_metrics::pixels;
use edgegen_runtime::latent::keyframes::{KEY, LEG};
use edgegen_runtime::{Model, Point};
use serde::Serialize;

use crate::cli::import::Assumptions;
use crate::cli::source::{Source, project, read_model};
use crate::cli::{Console, Ending, export, table};
use crate::invert::{Distance, Search, invert};
use crate::morph::{self, Curve};
use crate::recipe::DataConfig;
use crate::rng::Rng;
use crate::{data, device, files, images};

/// Most stations: what a line of the strip can have.
const MAX_LEGS: i64 = 64;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// The image at the beginning of the way, fitted to the generator's size: a PNG or JPEG file, or a test image of a data set, such as mnist:7
    #[arg(value_name = "A")]
    from: String,
    /// The image at its end
    #[arg(value_name = "B")]
    to: String,
    /// The run or shipped model whose generator draws the way [default: the shipped mnist-dcgan]
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// Where the strip goes: both images, and between them what the int8 model makes on the way. The animation and the model with
    /// the way in it go beside it, as .gif and .egm
    #[arg(long, short, default_value = "morph.png", value_name = "PNG")]
    out: PathBuf,
    /// Along which curve of latent space
    #[arg(long, value_enum, default_value = "slerp")]
    curve: Curve,
    /// Stations on the curve; between two the device goes straight, in 8 steps
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=MAX_LEGS))]
    legs: u16,
    /// Distance between images while their latent vectors are looked for
    #[arg(long, value_enum, default_value = "squared")]
    distance: Distance,
    /// Where the search starts
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// One end of the way.
#[derive(Debug, Serialize)]
struct End {
    image: String,
    /// The class that was found, where there are classes.
    class: Option<usize>,
    /// How near to the image, fitted to the generator's size, its float generator comes, in dB.
    float_db: f64,
    /// The same of the int8 model.
    int8_db: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    strip: PathBuf,
    animation: PathBuf,
    model: PathBuf,
    images: usize,
    ends: [End; 2],
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let extension = args.out.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    ensure!(
        extension.as_deref() == Some("png"),
        "expected a name that ends in .png for the strip, found {}: change the name",
        args.out.display()
    );
    let beside = ["gif", "egm"].map(|extension| args.out.with_extension(extension));
    let read = [("A", Path::new(&args.from)), ("B", Path::new(&args.to))];
    let written = [("the strip", &*args.out), ("the animation", &*beside[0]), ("the model", &*beside[1])];
    files::distinct(&read, &written)?;
    let source = args.run.clone().unwrap_or_else(|| project().join("models/mnist-dcgan"));
    let opened = Source::open(&source, &Assumptions::default())?;
    let Source::Run(run) = &opened else {
        anyhow::bail!(
            "expected a run folder with --run, found the file {}: gradients need float weights, give its run",
            source.display()
        );
    };
    let shape = run.shape();
    ensure!(
        matches!(shape, [_, _, 1 | 3]),
        "expected a generator of images, grey or RGB, found one of {}×{}×{} in {}",
        shape[0],
        shape[1],
        shape[2],
        source.display()
    );
    ensure!(
        run.fed().is_none(),
        "expected a generator that reads a latent vector, found one that reads a picture in {}: give another run",
        source.display()
    );
    let [h, w, c] = shape;
    let fitting = DataConfig { size: [h, w].into(), channels: c, ..run.recipe.data.clone() };
    let given = [&args.from, &args.to].map(|name| data::load_image(name, &fitting));
    let given = given.into_iter().collect::<Result<Vec<_>>>()?;

    console.say("looking for latent vectors");
    let search = Search { distance: args.distance, ..Search::default() };
    let device = device::open("flex")?;
    let found = invert(&run.generator, &given, &search, &mut Rng::new(args.seed, 5), &device);

    let dims = run.generator.input().dims;
    let stations = morph::there_and_back(&found[0].codes, &found[1].codes, dims, args.legs.into(), args.curve);
    let [animation, path] = beside;
    let name = source.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    export::export(run, &name, &[(KEY, &morph::to_text(&stations))], export::Form::default(), &path)?;
    let frames = frames(&path)?;
    images::save_gif(&animation, &frames, shape, images::GIF_DELAY_MS)?;
    let there = frames.iter().step_by(LEG.into()).take(usize::from(args.legs) + 1);
    let strip: Vec<_> = given[..1].iter().chain(there).chain(&given[1..]).cloned().collect();
    images::save_grid(&args.out, &strip, shape, strip.len())?;

    let middle = frames.len() / 2;
    let end = |index: usize, image: &str| End {
        image: image.to_owned(),
        class: found[index].class,
        float_db: found[index].psnr_db,
        int8_db: pixels::difference(&given[index..=index], &frames[index * middle..][..1]).psnr,
    };
    let ends = [end(0, &args.from), end(1, &args.to)];
    let report = Report { strip: args.out.clone(), animation, model: path, images: frames.len(), ends };
    console.show(&report, || text(&report))
}

/// What the model in the file draws on its way, from its first keyframe round to it again.
fn frames(path: &Path) -> Result<Vec<Vec<u8>>> {
    let file = read_model(path)?;
    let model = Model::parse(file.bytes())?;
    let count = model.keyframes().map_or(0, |keyframes| u64::from(keyframes.count()));
    let way = (0..count).flat_map(|from| (0..LEG).map(move |step| Point::keyframe(from, from + 1, step)));
    Ok(way.map(|point| image_at(&model, point)).collect())
}

fn text(report: &Report) -> String {
    let Report { strip, animation, model, images, ends } = report;
    let rows = ends.iter().map(|End { image, class, float_db, int8_db }| {
        let class = class.map_or_else(String::new, |class| class.to_string());
        [image.clone(), class, format!("{float_db:.1} dB"), format!("{int8_db:.1} dB")]
    });
    format!(
        "{}\n{}: the strip\n{}: {images} images, there and back\n{}: the model; `edgegen sim` or `flash` with --mode walk shows the way on a board",
        table(["image", "class", "found, float", "found, int8"], rows),
        strip.display(),
        animation.display(),
        model.display(),
    )
}
