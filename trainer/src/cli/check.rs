//! `edgegen data check FOLDER`: what `train` would read, before it does.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use edgegen_data::{Account, Background, Config, Fit, Prepared, Resize, Size, Split, contact_sheet, shared_images};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Console, Ending};
use crate::images;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A folder of images, an IDX file or a folder of such, .npy or .npz, or a name of `edgegen data list`
    #[arg(value_name = "NAME|PATH")]
    data: String,
    /// Pixels of a side, or height and width like 135x240, as [data] size [default: 28; of sounds 2048x1, samples and
    /// 1]
    #[arg(long)]
    size: Option<Size>,
    /// 1 for grey, 3 for colour [default: 3]
    #[arg(long, value_parser = channels, conflicts_with = "rate")]
    channels: Option<usize>,
    /// Look for sounds, and bring them to so many samples a second, as [data] rate
    #[arg(long, value_name = "HZ")]
    rate: Option<u32>,
    /// How images of another shape are fitted: crop, pad or stretch
    #[arg(long, default_value = "crop", value_parser = word::<Fit>)]
    fit: Fit,
    /// How they are enlarged or shrunk: triangle (smooth) or nearest (pixel art)
    #[arg(long, default_value = "triangle", value_parser = word::<Resize>)]
    resize: Resize,
    /// What shows through transparent pixels: contrast, black, white or #rrggbb
    #[arg(long, default_value = "contrast")]
    background: Background,
    /// Go on without files that cannot be read
    #[arg(long)]
    skip_bad: bool,
    /// Write a contact sheet there: a row for each class; of sounds their waves and spectrograms
    #[arg(long, value_name = "PNG")]
    sheet: Option<PathBuf>,
}

fn channels(text: &str) -> Result<usize, String> {
    match text {
        "1" => Ok(1),
        "3" => Ok(3),
        _ => Err("expected 1 for grey or 3 for colour".to_owned()),
    }
}

/// A word of a recipe.
fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(text.into()).map_err(|error: serde_json::Error| error.to_string())
}

#[derive(Debug, Serialize)]
struct Report {
    training: Account,
    /// Where there is a test part.
    #[serde(skip_serializing_if = "Option::is_none")]
    test: Option<Account>,
    /// Test images that are training images, too.
    shared: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    sheet: Option<PathBuf>,
    /// Why `train` would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
}

impl Args {
    /// The name or path of the data.
    pub fn data(&self) -> &str {
        &self.data
    }
}

/// Samples of a sound where nobody says how many.
const SAMPLES: usize = 2_048;

/// Looks at both parts; `prepare` reads one. `rate` is that of a set of sounds that has one of its own.
///
/// # Errors
///
/// If `train` would refuse it; the report is printed before.
pub fn run(
    args: &Args,
    rate: Option<u32>,
    prepare: impl Fn(&Config, Split) -> Result<Prepared>,
    console: Console,
) -> Result<Ending> {
    let rate = args.rate.or(rate);
    let (size, channels) = if rate.is_some() { ([SAMPLES, 1].into(), 1) } else { (28.into(), 3) };
    let config = Config {
        rate,
        fit: args.fit,
        resize: args.resize,
        background: args.background,
        skip_bad: args.skip_bad,
        ..Config::new(&args.data, args.size.unwrap_or(size), args.channels.unwrap_or(channels))
    };
    if let Some(sheet) = &args.sheet {
        ensure!(
            !lies_in(sheet, Path::new(&args.data)),
            "expected a contact sheet outside of {}, found {} in it, where it would become data: give another place",
            args.data,
            sheet.display()
        );
    }
    let Prepared { dataset, account: training } = prepare(&config, Split::Train)?;
    // A set without a test part is a set like any other.
    let tested = prepare(&config, Split::Test).ok().filter(|tested| !tested.dataset.is_empty());
    let shared = tested.as_ref().map_or(0, |tested| shared_images(&dataset, &tested.dataset));
    if let Some(sheet) = args.sheet.as_ref().filter(|_| !dataset.is_empty()) {
        let (pictures, columns) = contact_sheet(&dataset);
        if rate.is_some() {
            images::save(sheet, &images::sounds(&pictures), images::SOUND, columns)?;
        } else {
            images::save(sheet, &pictures, dataset.shape, columns)?;
        }
    }
    let prepared = Prepared { dataset, account: training };
    let refused = prepared.clone().accept(&config).err().map(|error| format!("{error:#}"));
    let report = Report {
        training: prepared.account,
        test: tested.map(|tested| tested.account),
        shared,
        sheet: args.sheet.clone(),
        refused,
    };
    console.show(&report, || text(&report))?;
    let unread = report.training.bad.len();
    match report.refused {
        // They stand in the report already.
        Some(_) if unread > 0 => bail!(
            "`edgegen train` would refuse this, because {unread} files cannot be read: repair or remove them, or go on without \
             them by --skip-bad"
        ),
        Some(reason) => bail!("`edgegen train` would refuse this: {reason}"),
        None => Ok(Ending::Done),
    }
}

fn lies_in(path: &Path, folder: &Path) -> bool {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match (above.canonicalize(), folder.canonicalize()) {
        (Ok(above), Ok(folder)) => folder.is_dir() && above.starts_with(folder),
        _ => false,
    }
}

fn text(report: &Report) -> String {
    let mut lines = vec![report.training.text()];
    lines.extend(report.test.as_ref().map(Account::text));
    if report.shared > 0 {
        lines.push(format!("  warning: {} test images are training images, too", report.shared));
    }
    if let Some(sheet) = &report.sheet {
        let rows = if report.training.classes.len() > 1 { ", a row for each class" } else { "" };
        lines.push(format!("contact sheet{rows}: {}", sheet.display()));
    }
    lines.join("\n")
}
