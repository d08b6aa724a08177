//! `edgegen eval` of what turns images into others: each output beside the image that it should be.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use edgegen_metrics::ssim::ssim;
use edgegen_metrics::{classes, frechet, pixels, rank};
use edgegen_runtime::{Model, Point, Shape};
use serde::Serialize;

use super::readable::Readable;
use super::{Args, COUNT, fact_of, int8_of};
use crate::cli::import::Assumptions;
use crate::cli::source::Source;
use crate::cli::training::{Run, open};
use crate::cli::{Console, Ending, table};
use crate::data::{self, Dataset, Pairs, Split};
use crate::eval::{Judge, rotations};
use crate::recipe::DataConfig;
use crate::run::{BACK, RECIPE};
use crate::{device, images, systems};

/// Pairs on the picture.
const SHOWN: usize = 12;

/// One row: a set of images and what is said of it.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Mean absolute difference from the targets, of 1 from black to white; none where no input has a target of its
    /// own.
    #[serde(skip_serializing_if = "Option::is_none")]
    l1: Option<f64>,
    /// Peak signal-to-noise ratio to the targets; none where they are equal, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    psnr_db: Option<f64>,
    /// Mean structural similarity to the targets.
    #[serde(skip_serializing_if = "Option::is_none")]
    ssim: Option<f64>,
    /// Energy of fine detail over that of the targets.
    detail: f64,
    /// Share that the judge puts into the class of the label or, where there is none, into that of the target; where no
    /// input has a target of its own, see [`Asked::of_two_sets`].
    #[serde(skip_serializing_if = "Option::is_none")]
    accuracy: Option<f64>,
    /// Fréchet distance to the targets in the judge's features.
    #[serde(skip_serializing_if = "Option::is_none")]
    frechet: Option<f64>,
    /// Spearman's ρ of the distances between images before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    distances: Option<f64>,
    /// Mean absolute difference of the input and what the way back makes of the output, of 1 from black to white.
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<f64>,
    /// Mean absolute difference of targets and what is made of them, of 1 from black to white.
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<f64>,
    /// What can be read of the inputs' attributes, where the data know some: see [`Readable`].
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes: Option<f64>,
}

#[derive(Debug, Serialize)]
struct Report {
    sources: Vec<PathBuf>,
    data: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    judge: Option<String>,
    count: usize,
    /// Whether each input has a target of its own.
    matched: bool,
    rows: Vec<Row>,
    /// int8 against float of each run.
    int8_psnr_db: Vec<f64>,
    /// What the most frequent value of each attribute would come to.
    #[serde(skip_serializing_if = "Option::is_none")]
    attributes_by_frequency: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

/// Measures `first` and what `--beside` names on the test pairs of the data of `first`.
pub fn run(args: &Args, first: Source, shape: Shape, console: Console) -> Result<Ending> {
    ensure!(
        !args.has_extras(),
        "expected no --parzen, --gan-train, --controls, --inversion or --probe with a model that reads pictures, whose outputs \
         are held against their targets: leave them out"
    );
    let config = table_of(&first, shape, &args.source)?;
    let data = config.name.clone();
    let system = fact_of(&first, "system")?.unwrap_or_default();
    let load = |split| match systems::UNPAIRED.contains(&&*system) {
        true => data::load_unpaired(&config, split, &|_, _| true).map(|(pairs, _)| pairs),
        false => data::load_pairs(&config, split),
    };
    let Pairs { inputs, targets, matched } = load(Split::Test)?;
    let count = args.count.map_or(COUNT, |count| count as usize).min(inputs.len());
    let some = |set: &Dataset, count: usize| -> Vec<Vec<u8>> {
        (0..count.min(set.len())).map(|index| set.image(index).to_vec()).collect()
    };
    let (pictures, real) = (some(&inputs, count), some(&targets, if matched { count } else { COUNT }));

    // What has a target of its own should not stay as it is.
    let shown = [&*pictures, if matched { &[] } else { &real[..real.len().min(KEPT)] }];
    let mut sets = Vec::new();
    let mut int8_psnr_db = Vec::new();
    draw(&args.source, &first, shown, &mut sets, &mut int8_psnr_db, console)?;
    for path in &args.beside {
        let source = Source::open(path, &Assumptions::default())?;
        ensure!(
            source.fed()? == Some(shape) && source.shape()? == targets.shape,
            "expected beside {} what reads and makes pictures of {shape}, found another model in {}: leave it out",
            args.source.display(),
            path.display()
        );
        draw(path, &source, shown, &mut sets, &mut int8_psnr_db, console)?;
    }

    let device = device::open("flex")?;
    let judge = match &args.judge {
        Some(folder) => Some(Judge::load(folder, &device)?.shown(targets.shape)),
        None => Judge::for_images(data::judged(&config), targets.shape, &device)?,
    };
    let train = load(Split::Train).ok().map(|pairs| pairs.targets);
    // What lies upright tells as much of what is drawn as a judge without labels can learn.
    let judge = match (judge, &train) {
        (None, Some(train)) if train.len().min(real.len()) >= LEARNED && shape.h == shape.w => {
            console.say(&format!(
                "no judge of {} is shipped: training one that tells which way up its images are (--judge takes another)",
                data::judged(&config)
            ));
            Some(rotations::learn(train, console.quiet, &device)?.shown(targets.shape))
        }
        (judge, _) => judge,
    };
    let readable = Readable::of(&config, &inputs, count)?;
    let looked = judge.as_ref().map(|judge| judge.look(&real));
    // A judge of rotations knows no classes.
    let asked = looked.as_ref().filter(|_| judge.as_ref().is_some_and(|judge| !judge.of_rotations)).map(|looked| {
        let labels = |set: &Dataset, count: usize| -> Option<Vec<usize>> {
            Some(set.labels.as_ref()?[..count].iter().map(|&label| label.into()).collect())
        };
        let of_real = labels(&targets, real.len()).unwrap_or_else(|| looked.classes.clone());
        if matched { Asked::Each(of_real) } else { Asked::of_two_sets(labels(&inputs, count), of_real) }
    });
    let detail = |images: &[Vec<u8>]| pixels::detail(images.iter().map(Vec::as_slice), targets.shape);
    let of_real = detail(&real);
    let row = |Made { name, images, back, kept }: &Made| {
        let is_made = images.len() == pictures.len();
        let difference = (matched && is_made).then(|| pixels::difference(images, &real));
        let seen = judge.as_ref().map(|judge| judge.look(images));
        let accuracy = seen.as_ref().zip(asked.as_ref()).and_then(|(seen, asked)| asked.share(&seen.classes));
        // With fewer images their covariance has no full rank.
        let both = looked.as_ref().zip(seen.as_ref()).map(|(looked, seen)| (&looked.features, &seen.features));
        let both = both.filter(|(a, b)| a.len().min(b.len()) > a.dims());
        Row {
            name: name.clone(),
            l1: difference.map(|difference| difference.mean / 255.0),
            psnr_db: difference.map(|difference| difference.psnr).filter(|psnr| psnr.is_finite()),
            ssim: difference.map(|_| ssim(images, &real, targets.shape)),
            detail: detail(images) / of_real,
            accuracy,
            frechet: both.map(|(real, made)| frechet::distance(real, made)),
            distances: is_made.then(|| order_of_distances(&pictures, images)).filter(|rho| rho.is_finite()),
            cycle: back.as_ref().map(|back| pixels::difference(back, &pictures).mean / 255.0),
            kept: kept.as_ref().map(|kept| pixels::difference(kept, &real[..kept.len()]).mean / 255.0),
            attributes: readable.as_ref().filter(|_| is_made).map(|readable| readable.share(images, targets.shape)),
        }
    };
    console.say("looking at the outputs");
    // Other images of the kind that should be made: what no generator can do better than.
    let others = train.as_ref().map_or_else(Vec::new, |train| some(train, real.len()));
    let others = Some(others).filter(|others| !others.is_empty() && looked.is_some());
    let others = others.map(|images| Made::real("other targets", images));
    let input = Made::real("input", pictures.clone());
    let target = Made::real("target", real.clone());
    let target = Some(target).filter(|_| matched);
    // From itself nothing is any distance away.
    let target = target.map(|target| Row { frechet: None, ..row(&target) });
    let mut rows: Vec<Row> = [row(&input)].into_iter().chain(target).chain(sets.iter().map(row)).collect();
    rows.extend(others.iter().map(|others| Row {
        l1: None,
        psnr_db: None,
        ssim: None,
        distances: None,
        accuracy: None,
        attributes: None,
        ..row(others)
    }));
    let sets: Vec<_> = sets.into_iter().map(|Made { images, .. }| images).collect();
    if let Some(path) = &args.picture {
        let places: Vec<usize> = (0..SHOWN.min(count)).map(|at| at * count / SHOWN.min(count)).collect();
        let rows = [&pictures].into_iter().chain(&sets).chain(matched.then_some(&real));
        let sheet: Vec<Vec<u8>> = rows.flat_map(|row| places.iter().map(|&at| row[at].clone())).collect();
        images::save_grid(path, &sheet, targets.shape, places.len())?;
    }
    let report = Report {
        sources: [&args.source].into_iter().chain(&args.beside).cloned().collect(),
        data,
        judge: judge.map(|judge| judge.name()),
        count,
        matched,
        rows,
        int8_psnr_db,
        attributes_by_frequency: readable.as_ref().map(Readable::by_frequency),
        picture: args.picture.clone(),
    };
    console.show(&report, || text(&report))
}

/// The table of the data that `source` has learned from, as far as it is noted.
pub(super) fn table_of(source: &Source, shape: Shape, path: &Path) -> Result<DataConfig> {
    if let Source::Run(run) = source {
        return Ok(DataConfig { limit: None, ..run.recipe.data.clone() });
    }
    let data = fact_of(source, "data")?.with_context(|| {
        format!("expected the data set's name in {}, found none: export it from its run", path.display())
    })?;
    let config = DataConfig::new(data, [shape.h, shape.w].map(usize::from), shape.c.into());
    Ok(DataConfig { target: fact_of(source, "target")?, reverse: fact_of(source, "reverse")?.is_some(), ..config })
}

/// What was made of pictures.
struct Made {
    name: String,
    images: Vec<Vec<u8>>,
    /// What the way back makes of them, where there is one.
    back: Option<Vec<Vec<u8>>>,
    /// What is made of the first targets, where inputs have none of their own.
    kept: Option<Vec<Vec<u8>>>,
}

impl Made {
    /// Images that nothing was done to.
    fn real(name: &str, images: Vec<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), images, back: None, kept: None }
    }
}

/// Which classes outputs should be of.
enum Asked {
    /// Each of its own.
    Each(Vec<usize>),
    /// All of one of these.
    Any(BTreeSet<usize>),
}

impl Asked {
    /// Where both sets have classes in common, an output keeps the class of its input, else it should be of any class
    /// of the targets.
    fn of_two_sets(inputs: Option<Vec<usize>>, targets: Vec<usize>) -> Self {
        let any: BTreeSet<usize> = targets.into_iter().collect();
        match inputs {
            Some(inputs) if inputs.iter().any(|class| any.contains(class)) => Self::Each(inputs),
            _ => Self::Any(any),
        }
    }

    /// The share of images that are, by the classes they were put into; none of other images than the outputs.
    fn share(&self, classes: &[usize]) -> Option<f64> {
        match self {
            Self::Each(asked) => (asked.len() == classes.len()).then(|| classes::accuracy(classes, asked)),
            Self::Any(any) => {
                let right = classes.iter().filter(|class| any.contains(class)).count();
                Some(right as f64 / classes.len() as f64)
            }
        }
    }
}

/// Targets that a judge without labels is worth training for, at least.
const LEARNED: usize = 100;

/// Targets that a generator is shown, at most.
const KEPT: usize = 1_000;

/// Pairs whose distances are compared, at most.
const DISTANCES: usize = 20_000;

/// Spearman's ρ of the distances between pictures and between what was made of them; distances are mean absolute
/// differences.
fn order_of_distances(pictures: &[Vec<u8>], made: &[Vec<u8>]) -> f64 {
    let count = pictures.len();
    // Each picture and the next one, each and the one after that, and so on.
    let pairs = (1..count).flat_map(|by| (0..count - by).map(move |at| (at, at + by))).take(DISTANCES);
    let apart = |set: &[Vec<u8>], (a, b): (usize, usize)| {
        let sum: u64 = set[a].iter().zip(&set[b]).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        sum as f64 / set[a].len() as f64
    };
    let [before, after]: [Vec<f64>; 2] =
        [pictures, made].map(|set| pairs.clone().map(|pair| apart(set, pair)).collect());
    rank::spearman(&before, &after)
}

/// The other way of a run that has learned both: that of the folder `back` in it, or of the run that it is such a
/// folder of.
fn way_back(folder: &Path) -> Result<Option<Run>> {
    let back = folder.join(BACK);
    let is_back = folder.file_name().is_some_and(|name| name == BACK);
    let parent = folder.parent().filter(|_| is_back);
    let found = [Some(&*back), parent].into_iter().flatten().find(|folder| folder.join(RECIPE).is_file());
    found.map(open).transpose()
}

/// Adds what `source` makes of `pictures`, and of `targets`, to `sets`: of a run float and int8, whose likeness joins
/// `likeness`.
fn draw(
    path: &Path,
    source: &Source,
    [pictures, targets]: [&[Vec<u8>]; 2],
    sets: &mut Vec<Made>,
    likeness: &mut Vec<f64>,
    console: Console,
) -> Result<()> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    console.say(&format!("drawing what {name} makes of {} pictures", pictures.len() + targets.len()));
    let shown = Some(targets).filter(|targets| !targets.is_empty());
    match source {
        Source::Run(run) => {
            let channels = run.shape()[2];
            let values = |picture: &Vec<u8>| edgegen_export::layers::PixelRange::Symmetric.planes(picture, channels);
            let of =
                |run: &Run, pictures: &[Vec<u8>]| run.generate_pixels(&pictures.iter().map(values).collect::<Vec<_>>());
            let float = of(run, pictures);
            let exported = int8_of(run)?;
            let file = exported.bytes();
            let int8 = translated(file, pictures)?;
            likeness.push(pixels::difference(&float, &int8).psnr);
            let back = way_back(path)?;
            let [float_back, int8_back] = [&float, &int8].map(|made| back.as_ref().map(|back| of(back, made)));
            let int8_kept = shown.map(|targets| translated(file, targets)).transpose()?;
            let float_kept = shown.map(|targets| of(run, targets));
            sets.extend([
                Made { name: format!("{name} float"), images: float, back: float_back, kept: float_kept },
                Made { name: format!("{name} int8"), images: int8, back: int8_back, kept: int8_kept },
            ]);
        }
        Source::Model(file) => {
            let file = edgegen_export::native(file)?;
            let images = translated(file.bytes(), pictures)?;
            let kept = shown.map(|targets| translated(file.bytes(), targets)).transpose()?;
            sets.push(Made { name: format!("{name} int8"), images, back: None, kept });
        }
        Source::Onnx(_) => {
            anyhow::bail!("expected a run or a model file, found the ONNX file {}: export it first", path.display())
        }
    }
    Ok(())
}

/// What the model file `file` makes of pictures.
pub(super) fn translated(file: &[u8], pictures: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let model = Model::parse(file)?;
    Ok(pictures.iter().map(|picture| edgegen_export::translated(&model, Point::seed(0), picture)).collect())
}

fn text(report: &Report) -> String {
    let known = |value: Option<f64>, text: &dyn Fn(f64) -> String| value.map_or_else(String::new, text);
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let rows = report.rows.iter().map(
        |Row { name, l1, psnr_db, ssim, detail, accuracy, frechet, distances, cycle, kept, attributes }| {
            [
                name.clone(),
                known(*l1, &|l1| format!("{l1:.4}")),
                known(*psnr_db, &|psnr| format!("{psnr:.2} dB")),
                known(*ssim, &|ssim| format!("{ssim:.3}")),
                format!("{detail:.3}"),
                known(*accuracy, &percent),
                known(*frechet, &|distance| format!("{distance:.2}")),
                known(*distances, &|rho| format!("{rho:.3}")),
                known(*cycle, &|l1| format!("{l1:.4}")),
                known(*kept, &|l1| format!("{l1:.4}")),
                known(*attributes, &percent),
            ]
        },
    );
    let head = [
        "images",
        "L1",
        "PSNR",
        "SSIM",
        "detail / target",
        "right class",
        "Fréchet",
        "distances ρ",
        "cycle L1",
        "target L1",
        "attributes",
    ];
    let mut text = table(head, rows);
    let (what, matter) = if report.matched {
        ("pairs", "")
    } else {
        ("images", "; right: the class of the input, or any of the targets where they have none in common")
    };
    text += &format!("\n{} test {what} of {}{matter}", report.count, report.data);
    if let Some(judge) = &report.judge {
        text += &format!(", through judge {judge}");
    }
    if let Some(share) = report.attributes_by_frequency {
        text += &format!(
            "\nattributes: of the inputs, read out of the outputs' pixels by a linear classifier; the most frequent value of \
             each is right in {}",
            percent(share)
        );
    }
    if !report.int8_psnr_db.is_empty() {
        let likeness: Vec<String> = report.int8_psnr_db.iter().map(|psnr| format!("{psnr:.1} dB")).collect();
        text += &format!("\nint8 against float: {}", likeness.join(", "));
    }
    if let Some(picture) = &report.picture {
        text += &format!(
            "\n{}: from top to bottom input, each output in turn, target where it is known",
            picture.display()
        );
    }
    text
}
