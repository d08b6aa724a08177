//! What several runs draw, measured against the same real images: the same data through systems of several years.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use edgegen_sim::boards;
use serde::Serialize;

use super::Args;
use crate::cli::fit::{Fit, pack_for};
use crate::cli::source::Source;
use crate::cli::training::eval::{coupled, int8_of, own};
use crate::cli::training::{Run, open};
use crate::cli::{Console, grouped, table};
use crate::data::{self, Split};
use crate::eval::{Figures, Judge, Reference};
use crate::markup::{escape, png_address};
use crate::recipe::DataConfig;
use crate::{device, images, systems};

/// Images in a row of the gallery.
const COLUMNS: usize = 12;
/// Seed of all that is drawn.
const SEED: u64 = 0;
/// Images of whose drawing the time is taken.
const TIMED: usize = 100;

/// Systems in the order in which they were published, and what was new.
const YEARS: [(&str, u16, &str); 10] = [
    ("gan", 2014, "two perceptrons that play against each other"),
    ("dcgan", 2015, "convolutions"),
    ("cogan", 2016, "two games with tied layers, one side of them"),
    ("growing", 2017, "resolutions that come one after the other"),
    ("style", 2018, "styles by layer"),
    ("biggan", 2018, "classes in each normalization"),
    ("vae", 2014, "an autoencoder that is no game"),
    ("made", 2015, "each value given those before it, by masks"),
    ("maf", 2017, "a flow of such layers, exact both ways"),
    ("began", 2017, "a critic that is an autoencoder"),
];

/// One run.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    system: String,
    /// When its system was published, if the list says it.
    year: Option<u16>,
    /// Of the model as the board has it, if a board can have it.
    bytes: Option<u64>,
    /// Of an image, estimated.
    instructions: Option<u64>,
    /// What the system itself says of the test images: bits a value by its likelihood, or by a bound on it.
    bits: Option<f32>,
    /// How often layers are gone through, one time after another, to make an image.
    passes: usize,
    /// Of an image in float on this computer, drawn together with others.
    millis: f64,
    #[serde(flatten)]
    figures: Figures,
}

/// What was measured.
#[derive(Debug, Serialize)]
pub struct Measured {
    data: String,
    judge: String,
    board: String,
    count: usize,
    /// What real images come to.
    real: Figures,
    rows: Vec<Row>,
    gallery: Option<PathBuf>,
    #[serde(skip)]
    png: Vec<u8>,
}

/// What a system draws, and of which data.
struct Drawn {
    row: Row,
    images: Vec<Vec<u8>>,
}

/// Draws and measures `args.runs`.
///
/// # Errors
///
/// If one of them draws no images of the first one's data and size, or no judge of these is shipped.
pub fn measure(args: &Args, console: Console) -> Result<Measured> {
    let board = boards::find(&args.board)?;
    let count = args.count as usize;
    let runs = args.runs.iter().map(|folder| Ok((folder, open(folder)?))).collect::<Result<Vec<_>>>()?;
    let [first, ..] = &runs[..] else { anyhow::bail!("expected runs to measure, found none") };
    let (data, shape) = drawn_data(&first.1)?;
    let config =
        DataConfig { name: data.clone(), target: None, reverse: false, limit: None, ..first.1.recipe.data.clone() };
    for (folder, run) in &runs {
        let other = drawn_data(run)?;
        ensure!(
            other == (data.clone(), shape),
            "expected runs that draw {data} of {}×{}×{}, as {} does, found {} of {}×{}×{} in {}: leave it out",
            shape[0],
            shape[1],
            shape[2],
            args.runs[0].display(),
            other.0,
            other.1[0],
            other.1[1],
            other.1[2],
            folder.display()
        );
    }
    let device = device::open("flex")?;
    let judge = Judge::for_images(&data, shape, &device)?;
    let judge = judge
        .with_context(|| format!("expected data with a shipped judge with --measure, found {data}: leave it out"))?;
    let [train, test] = [Split::Train, Split::Test].map(|split| data::load_split(&config, split));
    let (train, test) = (train?, test?);
    console.say("looking at the real images");
    let reference = Reference::new(&judge, &train, &test, count, SEED, false);

    let mut drawn = Vec::new();
    for (folder, run) in runs {
        let name = folder.file_name().unwrap_or(folder.as_os_str()).to_string_lossy().into_owned();
        console.say(&format!("drawing and measuring {name}"));
        let bits = own::of_images(folder, &test, &device)?.get("bits_per_dimension").copied();
        let [_, w, c] = run.shape();
        let (system, passes) = (run.recipe.system.clone(), run.generator.net.passes());
        let start = Instant::now();
        run.generate(&run.inputs(SEED, TIMED));
        let millis = 1000.0 * start.elapsed().as_secs_f64() / TIMED as f64;
        // What no device can draw is measured in float.
        let (mut made, bytes, instructions) = if let Ok(file) = int8_of(&run) {
            let packed = pack_for(&file, board.cpu)?;
            let Fit { instructions, flash, .. } = Fit::new(&board, board.cpu, &packed)?;
            let (made, _) = Source::Model(file).images(SEED, count, None)?;
            (made, Some(flash[0]), instructions)
        } else {
            (run.generate_pixels(&run.inputs(SEED, count)), None, None)
        };
        if systems::COUPLED.contains(&&*system) {
            [_, made] = coupled::cut(&made, w * c);
        }
        let figures = reference.figures(&judge, &made, None, SEED, false);
        made.truncate(COLUMNS);
        let year = YEARS.iter().find(|(of, ..)| *of == system).map(|&(_, year, _)| year);
        let row = Row { name, system, year, bytes, instructions, bits, passes, millis, figures };
        drawn.push(Drawn { row, images: made });
    }
    // Those whose year nobody has noted last.
    drawn.sort_by_key(|drawn| drawn.row.year.unwrap_or(u16::MAX));
    let real = (0..COLUMNS.min(test.len())).map(|index| test.image(index).to_vec());
    let sheet: Vec<Vec<u8>> = drawn.iter().flat_map(|drawn| drawn.images.clone()).chain(real).collect();
    let labels = drawn.iter().map(|Drawn { row, .. }| label(row)).chain(["real".to_owned()]);
    let labels: Vec<String> = labels.collect();
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let path = args.gallery.clone().unwrap_or_else(|| folder.path().join("gallery.png"));
    images::save_labelled(&path, &sheet, shape, COLUMNS, &labels)?;
    let png = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Measured {
        data,
        judge: judge.name(),
        board: board.name,
        count,
        real: reference.floor,
        rows: drawn.into_iter().map(|drawn| drawn.row).collect(),
        gallery: args.gallery.clone(),
        png,
    })
}

/// Which data a run draws, and `[H, W, C]` of an image of it.
fn drawn_data(run: &Run) -> Result<(String, [usize; 3])> {
    let Run { recipe, .. } = run;
    let system = &recipe.system;
    ensure!(
        run.fed().is_none() && run.shape()[..2] != [1, 1],
        "expected runs that draw images from latent vectors with --measure, found one of {system}: leave it out"
    );
    let size = recipe.data.size;
    let shape = [size.h, size.w, recipe.data.channels];
    // Of two sets the one that is drawn at the right.
    let name = if systems::COUPLED.contains(&&**system) { data::judged(&recipe.data) } else { &recipe.data.name };
    Ok((name.to_owned(), shape))
}

/// What stands before a row of the gallery.
fn label(row: &Row) -> String {
    row.year.map_or_else(|| row.system.clone(), |year| format!("{year} {}", row.system))
}

const HEAD: [&str; 12] = [
    "year",
    "run",
    "system",
    "bytes",
    "Fréchet",
    "/ floor",
    "precision / recall",
    "checkerboard",
    "bits a value",
    "passes",
    "ms an image",
    "instructions",
];

impl Measured {
    fn cells(&self) -> Vec<[String; 12]> {
        let figures = |figures: &Figures| {
            [
                format!("{:.2}", figures.frechet),
                format!("{:.2}", figures.frechet_over_floor),
                format!("{:.2} / {:.2}", figures.precision, figures.recall),
                format!("{:.2}", figures.checkerboard),
            ]
        };
        let row = |Row { name, system, year, bytes, instructions, bits, passes, millis, figures: found }: &Row| {
            let [frechet, floor, overlap, checkerboard] = figures(found);
            let known = |value: Option<String>| value.unwrap_or_else(|| "–".to_owned());
            [
                known(year.map(|year| year.to_string())),
                name.clone(),
                system.clone(),
                known(bytes.map(grouped)),
                frechet,
                floor,
                overlap,
                checkerboard,
                known(bits.map(|bits| format!("{bits:.3}"))),
                grouped(*passes as u64),
                format!("{millis:.3}"),
                known(instructions.map(grouped)),
            ]
        };
        let [frechet, floor, overlap, checkerboard] = figures(&self.real);
        let [year, system, bytes, bits, passes, millis, instructions] = std::array::from_fn(|_| String::new());
        let name = "real".into();
        let real =
            [year, name, system, bytes, frechet, floor, overlap, checkerboard, bits, passes, millis, instructions];
        self.rows.iter().map(row).chain([real]).collect()
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let Self { data, judge, board, count, gallery, .. } = self;
        let mut text = table(HEAD, self.cells());
        text += &format!(
            "\n{count} images of each from seed {SEED}, as a device draws them, or in float where none can, against the test \
             images of {data} through judge {judge}; bits a value by the likelihood of the test images or a bound on it, \
             where the system has one; time in float, {TIMED} at once on this computer; bytes and instructions of an \
             image, estimated, on the {board}"
        );
        if let Some(gallery) = gallery {
            text += &format!("\n{}: a row of each, and one of real images", gallery.display());
        }
        text
    }

    /// For the page.
    pub fn html(&self) -> String {
        let row = |tag: &str, cells: &[String]| {
            let cells = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
            format!("<tr>{}</tr>\n", cells.collect::<String>())
        };
        let mut html = "<section>\n<h2>By year</h2>\n<div class=\"wide\"><table>\n".to_owned();
        html += &row("th", &HEAD.map(str::to_owned));
        html.extend(self.cells().iter().map(|cells| row("td", cells)));
        html += "</table></div>\n";
        for (name, year, what) in YEARS.iter().filter(|(name, ..)| self.rows.iter().any(|row| row.system == *name)) {
            html += &format!("<p class=\"soft\">{year}, {name}: {what}.</p>\n");
        }
        html += &format!(
            "<img alt=\"Twelve images of each run, and real ones\" src=\"{}\">\n</section>\n",
            png_address(&self.png)
        );
        html
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_year_is_that_of_a_system() {
        for (name, year, _) in YEARS {
            assert!(systems::find(name).is_ok() && (2014..=2018).contains(&year), "{name} {year}");
        }
    }
}
