//! `edgegen eval RUN|MODEL`: the measures, float and int8 side by side.

pub mod coupled;
mod judges;
pub mod own;
mod pairs;
pub mod plane;
mod readable;
mod sentences;
mod speech;
mod styles;
mod truncation;
mod words;

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};
use burn::tensor::Device;
use edgegen_export::{Label, ModelFile};
use edgegen_metrics::pixels::{self, Difference};
use edgegen_runtime::Model;
use serde::Serialize;

use super::{Run, stacked, translates};
use crate::cli::export::CALIBRATION;
use crate::cli::import::Assumptions;
use crate::cli::latents;
use crate::cli::source::{Source, project};
use crate::cli::{Console, Ending, table};
use crate::data::{self, Dataset, Split};
use crate::eval::figures::LEAST;
use crate::eval::{
    self, Figures, Flag, Inversion, Judge, Probed, Reference, controls, gan_train, rotations, stacked as eval_stacked,
};
use crate::invert::Search;
use crate::recipe::DataConfig;
use crate::rng::Rng;
use crate::{device, systems};

/// Images that are looked at by default.
const COUNT: usize = 10_000;

/// Bytes of images that are looked at, at most.
const MAX_BYTES: usize = 1 << 30;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A run folder (float, and the int8 it exports to) or a model file (int8); or the folder of a judge, to be tested
    #[arg(value_name = "RUN|MODEL")]
    source: PathBuf,
    /// The judge to look through [default: the shipped one of the data set, or one that learns from the images which way up they are]
    #[arg(long, value_name = "FOLDER")]
    judge: Option<PathBuf>,
    /// Generated images, and training images for the floor [default: 10000; of stacked-mnist 26000, of points of the plane 20000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(100..))]
    count: Option<u32>,
    /// Seed of the first image and of everything that is drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Also the Parzen window log-likelihood of 2014 (slow, and no measure of quality)
    #[arg(long)]
    parzen: bool,
    /// Also train a classifier on the generated images of each class, and one on as many real ones, and test both on real images
    #[arg(long)]
    gan_train: bool,
    /// Also samplers that are bad on purpose: memorising, collapsed, one class missing, blurred, noisy; of points collapsed, uneven, wide
    #[arg(long)]
    controls: bool,
    /// What is measured beside it on the same pairs, for what makes pictures from pictures; other judges for a judge
    #[arg(long, value_name = "RUN|MODEL")]
    beside: Vec<PathBuf>,
    /// A picture of some pairs to write: input, each output, target
    #[arg(long, value_name = "FILE")]
    picture: Option<PathBuf>,
    /// Latent vectors times each of these ψ in place of int8 beside float, so that what likelihood costs in variety
    /// shows
    #[arg(long, value_name = "PSI", value_delimiter = ',', value_parser = latents::psi)]
    truncation: Vec<f32>,
    /// Also latent vectors for 50 images of its own and 50 test images (needs the float weights of a run)
    #[arg(long)]
    inversion: bool,
    /// Also a linear classifier on the critic's features, from 1000 labels, beside one on pixels and one on an
    /// untrained critic's (needs a run with its checkpoint)
    #[arg(long)]
    probe: bool,
}

impl Args {
    /// Whether something is asked for that only generators of single images can be measured by.
    fn has_extras(&self) -> bool {
        self.parzen || self.gan_train || self.controls || self.inversion || self.probe
    }
}

/// Images of each kind that are inverted.
const INVERTED: usize = 50;

/// One row: a set of images and what is said of it.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    #[serde(flatten)]
    figures: Figures,
    flags: Vec<Flag>,
    /// Accuracy on test images of a classifier that has learned these images.
    #[serde(skip_serializing_if = "Option::is_none")]
    gan_train: Option<f64>,
}

/// What an evaluation found.
#[derive(Debug, Serialize)]
struct Report {
    source: PathBuf,
    data: String,
    judge: String,
    judge_accuracy: f64,
    count: usize,
    seed: u64,
    /// Names of the judge's classes, in the order of the histograms, where they have some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    class_names: Vec<String>,
    rows: Vec<Row>,
    /// Of a model that reads words: how often its images show them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<words::Row>,
    /// Of a generator with styles: what they and noise decide.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    styles: Vec<styles::Row>,
    /// Measures for which there are too few images, a sentence each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<String>,
    /// What the system itself says of the test images, by its last checkpoint.
    #[serde(skip_serializing_if = "own::Own::is_empty")]
    own: own::Own,
    /// int8 against float on the same latent vectors.
    #[serde(skip_serializing_if = "Option::is_none")]
    int8_psnr_db: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    int8_p999_levels: Option<u8>,
    /// Share of latent vectors whose float and int8 images the judge puts into one class.
    #[serde(skip_serializing_if = "Option::is_none")]
    int8_same_class: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    inversion: Option<Inversion>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe: Option<Probed>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    if judges::is_judge(&args.source)? {
        return judges::run(args, console);
    }
    let source = Source::open(&args.source, &Assumptions::default())?;
    let without_truncation = |what: &str| {
        ensure!(
            args.truncation.is_empty(),
            "expected no --truncation with {what}, found {:?}: leave it out",
            args.truncation
        );
        Ok(())
    };
    if let Some(mixture) = plane::find(&source)? {
        without_truncation("points of the plane")?;
        return plane::run(args, source, &mixture, console);
    }
    if fact_of(&source, "system")?.is_some_and(|system| systems::COUPLED.contains(&&*system)) {
        without_truncation("a model that draws pairs")?;
        return coupled::run(args, &source, console);
    }
    if let Source::Run(run) = &source
        && translates(run)
    {
        without_truncation("a model of sentences")?;
        return sentences::run(args, run, console);
    }
    if let Some(shape) = source.fed()? {
        without_truncation("a model that reads pictures")?;
        if speech::is_speech(&source)? {
            return speech::run(args, source, shape, console);
        }
        return pairs::run(args, source, shape, console);
    }
    ensure!(
        args.beside.is_empty() && args.picture.is_none(),
        "expected a model that reads pictures with --beside or --picture, found one that does not in {}: leave them out",
        args.source.display()
    );
    let Made { data, classes, shape, mut sets, unexported } = images(args, &source)?;
    let learned_names = source.class_names()?;
    let count = sets[0].1.len();
    // Without a choice, the seeds take the classes in turn.
    let asked = (classes > 0).then(|| {
        (0..count as u64).map(|index| (args.seed.wrapping_add(index) % classes as u64) as usize).collect::<Vec<_>>()
    });
    let device = device::open("flex")?;
    if data == data::STACKED {
        without_truncation(&data)?;
        let judge = args.judge.clone().unwrap_or_else(|| Judge::shipped(&project(), data::STACKED_SOURCE));
        let task = stacked::Task { source: args.source.clone(), judge, seed: args.seed, sets };
        return stacked::run(task, &device, console);
    }
    let [h, w, c] = shape;
    let mut config = match &source {
        // Fitted as it was for training.
        Source::Run(run) => DataConfig { limit: None, ..run.recipe.data.clone() },
        _ => DataConfig::new(&data, [h, w], c),
    };
    if config.classes.is_empty() {
        config.classes = learned_names;
    }
    let [train, test] = [Split::Train, Split::Test].map(|split| data::read(&config, split, &|_, _| true));
    let ((train, read), (test, read_test)) = (train?, test?);
    console.say(&format!("{}\n{}", read.text(), read_test.text()));
    for (what, set) in [("training", &train), ("test", &test)] {
        ensure!(
            set.len() >= LEAST,
            "expected at least {LEAST} {what} images, found {} in {}: fewer say nothing",
            set.len(),
            set.name
        );
    }
    ensure!(
        !args.controls || train.labels.as_ref().is_some_and(|labels| labels.contains(&3)),
        "expected data with labels, and images of class 3, for --controls, found {} without",
        train.name
    );
    let folder = args.judge.clone().or_else(|| Judge::of_data(&project(), &data));
    let judge = match &folder {
        Some(folder) => Judge::load(folder, &device)?,
        None => {
            ensure!(
                !args.gan_train,
                "expected --judge with --gan-train: for {data} none is shipped, give one of its classes"
            );
            ensure!(h == w, "expected square images, found {h}×{w}: a judge that turns them needs them");
            console.say(&format!(
                "no judge of {data} is shipped: training one that tells which way up its images are (--judge takes another)"
            ));
            rotations::learn(&train, console.quiet, &device)?
        }
    };
    let seen = judge.shape();
    ensure!(
        (h == w || seen == shape) && c == seen[2],
        "expected square images of {} channels, or of the size that the judge {} looks at, found {h}×{w}×{c}: give --judge one for them",
        seen[2],
        judge.name()
    );
    if seen != shape {
        console.say(&format!("images of {h}×{w} are fitted to the judge's {}×{}, real ones too", seen[0], seen[1]));
    }
    let judge = judge.shown(shape);
    // Those of the data, where the judge has learned the same.
    let is_of_data = !judge.of_rotations && judge.classes() == train.class_names.len();
    let class_names = if is_of_data { train.class_names.clone() } else { Vec::new() };
    // A judge of rotations knows no classes.
    let asked = asked.filter(|_| !judge.of_rotations);
    console.say("looking at the real images");
    let reference = Reference::new(&judge, &train, &test, count, args.seed, args.parzen);

    let mut report = Report {
        source: args.source.clone(),
        data,
        judge: judge.name(),
        judge_accuracy: reference.judge_accuracy,
        count,
        seed: args.seed,
        class_names,
        rows: Vec::new(),
        words: words_shown(args, &source, &judge, &sets, &test, &config)?,
        styles: styles::rows(&source, &judge, args.seed)?,
        left_out: reference.left_out().into_iter().chain(unexported).collect(),
        own: own::of_images(&args.source, &test, &device)?,
        int8_psnr_db: None,
        int8_p999_levels: None,
        int8_same_class: None,
        inversion: None,
        probe: None,
    };
    if args.inversion {
        console.say("looking for latent vectors");
        report.inversion = Some(inverted(args, &source, [&train, &test], &device)?);
    }
    if args.probe {
        console.say("probing the critic");
        let Source::Run(run) = &source else {
            bail!(
                "expected a run folder with --probe, found the model file {}: only a run has a critic",
                args.source.display()
            );
        };
        report.probe = Some(eval::probe(&args.source, run, [&train, &test], args.seed, &device)?);
    }
    if let ([(_, float), (_, int8)], []) = (&sets[..], &args.truncation[..]) {
        let Difference { psnr, p999, .. } = pixels::difference(float, int8);
        let same = edgegen_metrics::classes::accuracy(&judge.look(int8).classes, &judge.look(float).classes);
        (report.int8_psnr_db, report.int8_p999_levels) = (Some(psnr), Some(p999));
        report.int8_same_class = (!judge.of_rotations).then_some(same);
    }
    // Of what follows no classes were asked for.
    let generated = sets.len();
    if args.controls {
        let mut rng = Rng::new(args.seed, 1);
        sets.extend(
            controls::CONTROLS
                .iter()
                .map(|(name, _)| ((*name).to_owned(), controls::images(name, &train, count, &mut rng))),
        );
    }
    let learn = |name: &str, images: &[Vec<u8>], labels: &[usize]| {
        console.say(&format!("training a classifier on the images: {name}"));
        let folder = folder.as_deref().context("--gan-train has a judge's folder")?;
        gan_train::accuracy(folder, images, labels, &test, args.seed, &device)
    };
    let gan_train = args.gan_train.then(|| {
        let (images, labels) = some_of(&train, count, args.seed);
        learn("real", &images, &labels)
    });
    let figures = reference.floor.clone();
    report.rows.push(Row { name: "real".into(), figures, flags: Vec::new(), gan_train: gan_train.transpose()? });
    for (index, (name, images)) in sets.into_iter().enumerate() {
        console.say(&format!("looking at the images: {name}"));
        let asked = asked.as_deref().filter(|_| index < generated);
        let figures = reference.figures(&judge, &images, asked, args.seed, args.parzen);
        let flags = reference.flags(&figures);
        let gan_train = asked.filter(|_| args.gan_train).map(|asked| learn(&name, &images, asked)).transpose()?;
        report.rows.push(Row { name, figures, flags, gan_train });
    }
    console.show(&report, || text(&report))
}

/// How often generated images show the words that their seeds ask for; nothing where the model reads none or the judge
/// knows none.
fn words_shown(
    args: &Args,
    source: &Source,
    judge: &Judge,
    sets: &[(String, Vec<Vec<u8>>)],
    test: &Dataset,
    config: &DataConfig,
) -> Result<Vec<words::Row>> {
    let Some(vocabulary) = source.vocabulary()?.filter(|_| !judge.attributes().is_empty()) else {
        return Ok(Vec::new());
    };
    let Some(known) = data::attributes(config, Split::Test)? else { return Ok(Vec::new()) };
    let known = known.learned(vocabulary.attributes())?;
    let images: Vec<Vec<u8>> = (0..test.len()).map(|index| test.image(index).to_vec()).collect();
    Ok(words::rows(judge, &vocabulary, sets, (&images, &known), args.seed, config.held_out))
}

/// `count` training images at random, or all, and their classes.
fn some_of(train: &Dataset, count: usize, seed: u64) -> (Vec<Vec<u8>>, Vec<usize>) {
    let mut order: Vec<usize> = (0..train.len()).collect();
    Rng::new(seed, 3).shuffle(&mut order);
    order.truncate(count);
    let label = |&index: &usize| train.labels.as_ref().map_or(0, |labels| usize::from(labels[index]));
    (order.iter().map(|&index| train.image(index).to_vec()).collect(), order.iter().map(label).collect())
}

/// Generated images.
struct Made {
    /// Name of the data set.
    data: String,
    /// Classes of the data that could be asked for.
    classes: usize,
    /// `[H, W, C]` of an image.
    shape: [usize; 3],
    /// Sets of images by name, of equal lengths: float and int8 of a run, int8 of a model.
    sets: Vec<(String, Vec<Vec<u8>>)>,
    /// Why there is no int8 of a run.
    unexported: Option<String>,
}

/// What is noted of `source`: its "data" or its "system"; a model file may not say it.
fn fact_of(source: &Source, name: &str) -> Result<Option<String>> {
    match source {
        Source::Run(run) => Ok(match name {
            "data" => Some(run.recipe.data.name.clone()),
            "system" => Some(run.recipe.system.clone()),
            _ => None,
        }),
        // Which data a generator from elsewhere learned from nobody has noted.
        Source::Onnx(_) => Ok(None),
        Source::Model(file) => {
            let model = Model::parse(file.bytes())?;
            Ok(model.about().metadata.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
        }
    }
}

/// Draws them.
fn images(args: &Args, source: &Source) -> Result<Made> {
    let data = fact_of(source, "data")?.with_context(|| {
        format!("expected the data set's name in {}, found none: export it from its run", args.source.display())
    })?;
    // What a mixture calls its classes the data's labels know nothing of.
    let reads_words = source.vocabulary()?.is_some();
    let is_clustering = fact_of(source, "system")?.is_some_and(|system| systems::CLUSTERING.contains(&&*system));
    // Words are many classes at once, and looked at one by one.
    let classes = if is_clustering || reads_words { 0 } else { source.classes()? };
    check(args, &data, classes)?;
    let usual = if data == data::STACKED { eval_stacked::COUNT } else { COUNT };
    let count = args.count.map_or(usual, |count| count as usize);
    let most = MAX_BYTES / source.shape()?.iter().product::<usize>().max(1);
    ensure!(count <= most, "expected at most {most} images of this size to look at, found --count {count}");
    if !args.truncation.is_empty() {
        let sets = truncation::sets(source, &args.truncation, args.seed, count)?;
        return Ok(Made { data, classes, shape: source.shape()?, sets, unexported: None });
    }
    match source {
        Source::Run(run) => {
            let (float, shape) = source.images(args.seed, count, None)?;
            let mut sets = vec![("float".into(), float)];
            let unexported = match int8_of(run) {
                Ok(file) => {
                    let (int8, _) = Source::Model(file).images(args.seed, count, None)?;
                    sets.push(("int8".into(), int8));
                    None
                }
                // What no device can draw has a likelihood all the same.
                Err(error) => Some(format!("no int8: {error:#}")),
            };
            Ok(Made { data, classes, shape, sets, unexported })
        }
        Source::Onnx(_) | Source::Model(_) => {
            let (images, shape) = source.images(args.seed, count, None)?;
            Ok(Made { data, classes, shape, sets: vec![("int8".into(), images)], unexported: None })
        }
    }
}

/// What a device draws of a run.
///
/// # Errors
///
/// If no device can.
pub(super) fn int8_of(run: &Run) -> Result<ModelFile> {
    let network = run.network()?;
    let examples = run.calibration(&network, CALIBRATION)?;
    Ok(edgegen_export::export_with(&network, &examples, Label { name: "eval", metadata: &[] })?.file)
}

/// Refuses what cannot be measured, before thousands of images are drawn for it.
fn check(args: &Args, data: &str, classes: usize) -> Result<()> {
    ensure!(
        data != data::STACKED || !args.has_extras(),
        "expected no --parzen, --gan-train, --controls, --inversion or --probe with {data}, whose modes are counted: leave them out"
    );
    ensure!(
        !args.gan_train || classes > 0,
        "expected a generator of the data's classes with --gan-train, found one without: give a cgan"
    );
    Ok(())
}

/// How inversion does on a run.
fn inverted(args: &Args, source: &Source, data: [&Dataset; 2], device: &Device) -> Result<Inversion> {
    let Source::Run(run) = source else {
        bail!(
            "expected a run folder with --inversion, found the model file {}: gradients need float weights, give its run",
            args.source.display()
        );
    };
    let [_, test] = data;
    ensure!(
        test.len() >= INVERTED,
        "expected at least {INVERTED} test images for --inversion, found {} in {}",
        test.len(),
        test.name
    );
    Ok(eval::inversion(run, data, INVERTED, &Search::default(), args.seed, device))
}

fn text(report: &Report) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    // Of a class, with its name if it has one.
    let share = |(class, share): (usize, f64)| match report.class_names.get(class) {
        Some(name) => format!("{} {name}", percent(share)),
        None => percent(share),
    };
    // A measure that was left out is no number.
    let known = |value: f64, text: String| if value.is_nan() { "–".to_owned() } else { text };
    // The first row is that of real images.
    let usual = report.rows.first().map_or(f64::NAN, |row| row.figures.checkerboard);
    let checkerboard = |energy: f64| match energy / usual {
        ratio if ratio.is_finite() => format!("{energy:.3}, {ratio:.2} of real"),
        _ => format!("{energy:.3}"),
    };
    let rows = report.rows.iter().map(|Row { name, figures, flags, gan_train }| {
        let classes = || figures.histogram.iter().copied().enumerate();
        let least = classes().min_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or_default();
        let most = classes().max_by(|(_, a), (_, b)| a.total_cmp(b)).unwrap_or_default();
        let flags: Vec<String> = flags.iter().map(|flag| format!("{flag:?}")).collect();
        [
            name.clone(),
            known(figures.frechet, format!("{:.2}", figures.frechet)),
            known(figures.frechet, format!("{:.2}", figures.frechet_over_floor)),
            known(figures.kid[0], format!("{:.2} ± {:.2}", figures.kid[0], figures.kid[1])),
            known(figures.precision, format!("{:.2} / {:.2}", figures.precision, figures.recall)),
            known(figures.density, format!("{:.2} / {:.2}", figures.density, figures.coverage)),
            if figures.histogram.is_empty() {
                "–".to_owned()
            } else {
                format!("{} … {}", share(least), share(most))
            },
            figures.asked.map_or_else(String::new, percent),
            gan_train.map_or_else(String::new, percent),
            format!("{:.3}", figures.sliced),
            known(figures.nearest_ratio, format!("{:.2}, {}", figures.nearest_ratio, percent(figures.too_near))),
            checkerboard(figures.checkerboard),
            known(figures.mmd_p, format!("{:.3}, {:.3}", figures.mmd_p, figures.classifier_p)),
            figures.parzen.map_or_else(String::new, |[mean, error]| format!("{mean:.1} ± {error:.1}")),
            flags.join(", "),
        ]
    });
    let head = [
        "images",
        "Fréchet",
        "/ floor",
        "KID·1000",
        "precision / recall",
        "density / coverage",
        "classes",
        "GAN-test",
        "GAN-train",
        "sliced W₂",
        "nearest, copies",
        "checkerboard",
        "p: MMD, classifier",
        "Parzen",
        "flags",
    ];
    let mut text = format!(
        "{}\n{}: {} images from seed {}, against the test images of {} through judge {} ({})",
        table(head, rows),
        report.source.display(),
        report.count,
        report.seed,
        report.data,
        report.judge,
        match report.judge_accuracy {
            accuracy if accuracy.is_nan() => "they have no labels".to_owned(),
            accuracy if report.judge.contains("rotations") => {
                format!("right on the turns of {} of them", percent(accuracy))
            }
            accuracy => format!("right on {} of them", percent(accuracy)),
        },
    );
    text += &words::text(&report.words);
    text += &styles::text(&report.styles);
    for note in &report.left_out {
        text += &format!("\n{note}");
    }
    text += &own::text(&report.own);
    if let (Some(psnr), Some(p999)) = (report.int8_psnr_db, report.int8_p999_levels) {
        text += &format!("\nint8 against float: {psnr:.1} dB PSNR, 99.9 % of pixels within {p999} levels");
        if let Some(same) = report.int8_same_class {
            text += &format!(", {} in the same class", percent(same));
        }
    }
    if let Some(inversion) = &report.inversion {
        let Inversion { count, own_found, own_median_db, test_nearer, test_median_db, nearest_median_db } = inversion;
        text += &format!(
            "\ninversion: {} of {count} own images to 30 dB, median {own_median_db:.1} dB; {} of {count} test images nearer than the nearest \
             training image, median {test_median_db:.1} dB against {nearest_median_db:.1} dB",
            percent(*own_found),
            percent(*test_nearer)
        );
    }
    if let Some(Probed { labels, critic, untrained, features, pixels }) = report.probe {
        text += &format!(
            "\na linear classifier of {labels} labels is right on {} of the test images by the critic's {features} features, on {} by \
             those of an untrained critic, on {} by pixels",
            percent(critic),
            percent(untrained),
            percent(pixels)
        );
    }
    text
}
