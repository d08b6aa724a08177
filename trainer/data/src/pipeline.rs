//! The stages in a row: find, decide, decode and fit over all cores, check, cache.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail, ensure};
use rayon::prelude::*;

use crate::account::ClassCount;
use crate::dataset::{Dataset, Split};
use crate::decide::Plan;
use crate::decode::{self, Picture, over_raw};
use crate::find::{Kind, find};
use crate::fit::{self, cropped, fit_dataset, fit_over, select};
use crate::{Account, Background, Config, Fit, array, cache, check, decide, idx};

mod sounds;

/// Bytes of files from which on a cache is worth its place: below, decoding takes less than a second.
const CACHED_FROM: u64 = 1 << 20;

/// Called with the number of files that are done, and of all; `false` ends the work.
pub type Progress<'a> = &'a (dyn Fn(usize, usize) -> bool + Sync);

/// The error of work that [`Progress`] has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interrupted;

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted while images were read; nothing was written")
    }
}

impl std::error::Error for Interrupted {}

/// A data set, and its account.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The images.
    pub dataset: Dataset,
    /// What was read, what was not and why.
    pub account: Account,
}

impl Prepared {
    /// The set, unless it has files that cannot be read and `config` does not go on without them, or no images.
    ///
    /// # Errors
    /// With all files that cannot be read, or with where images were looked for.
    pub fn accept(self, config: &Config) -> Result<(Dataset, Account)> {
        let Self { dataset, account } = self;
        let bad = &account.bad;
        if !bad.is_empty() && !config.skip_bad {
            let one = |[path, reason]: &[String; 2]| format!("{path}: {reason}");
            let mut list: Vec<_> = bad.iter().take(50).map(one).collect();
            if bad.len() > list.len() {
                list.push(format!("and {} more", bad.len() - list.len()));
            }
            bail!(
                "expected files that can be read in {}, found {} that cannot: {}: repair or remove them, or go on without them by \
                 --skip-bad or [data] skip_bad = true",
                account.source,
                bad.len(),
                list.join("; ")
            );
        }
        if dataset.is_empty() {
            let skipped: Vec<_> = account
                .skipped
                .iter()
                .map(|skip| format!("{} ({}), such as {}", skip.count, skip.reason, skip.first[0]))
                .collect();
            let there =
                if skipped.is_empty() { "none".to_owned() } else { format!("none; left out: {}", skipped.join("; ")) };
            bail!(
                "expected {} in {}, found {there}: give a folder that holds some{}",
                if config.rate.is_some() { "WAV files" } else { "IDX files or images" },
                account.source,
                if config.rate.is_some() { "" } else { ", or the path of a .npy or .npz" }
            );
        }
        Ok((dataset, account))
    }
}

/// Loads what lies at `path`: a folder of images, an IDX file or a folder of such, `.npy` or `.npz`.
///
/// `cache` is the folder for fitted images.
///
/// # Errors
/// If nothing of the kind is there. Files that cannot be read are no error here, but in [`Prepared::accept`].
pub fn prepare(
    path: &Path,
    split: Split,
    config: &Config,
    cache: Option<&Path>,
    progress: Progress<'_>,
) -> Result<Prepared> {
    if path.is_dir() && !idx::is_idx_folder(path) {
        return folder(path, split, config, cache.map(|cache| (cache, CACHED_FROM)), progress);
    }
    ensure!(
        config.rate.is_none(),
        "expected a folder of WAV files for [data] rate, found images in {}: leave rate out, or give another path",
        path.display()
    );
    let (dataset, notes, format) = if path.is_dir() {
        (idx::load_folder(path, split)?, Vec::new(), "IDX")
    } else if array::is_array(path) {
        let (dataset, notes) = array::load(path, split, config)?;
        (dataset, notes, "NumPy")
    } else {
        ensure!(
            split == Split::Train,
            "expected a folder with a test part, found the path of one file, {}: give its folder instead",
            path.display()
        );
        if decode::open(path).is_ok() {
            bail!(
                "expected a folder of images, an IDX file or a NumPy array, found one single image, {}: give its folder",
                path.display()
            );
        }
        (idx::load_file(path)?, Vec::new(), "IDX")
    };
    let available = dataset.len();
    let mut dataset = fit_dataset(dataset, config);
    if dataset.labels.is_some() && !config.classes.is_empty() {
        let count = dataset.classes();
        ensure!(
            count <= config.classes.len(),
            "expected labels of the {} classes {}, found {count} in {}: change [data] classes",
            config.classes.len(),
            config.classes.join(", "),
            path.display()
        );
        dataset.class_names.clone_from(&config.classes);
    }
    let counts = counts(&dataset);
    let account = Account {
        source: path.display().to_string(),
        part: split.name().into(),
        images: dataset.len(),
        available,
        shape: dataset.shape,
        warnings: check::check(&dataset, &counts, |index| format!("number {index}")),
        classes: counts,
        formats: [(format.to_owned(), dataset.len())].into(),
        notes,
        ..Account::default()
    };
    Ok(Prepared { dataset, account })
}

/// Images of each class.
fn counts(dataset: &Dataset) -> Vec<ClassCount> {
    let Some(labels) = &dataset.labels else { return Vec::new() };
    let count = |class: usize| labels.iter().filter(|&&label| usize::from(label) == class).count();
    let name = |class: usize| dataset.class_names.get(class).cloned().unwrap_or_else(|| class.to_string());
    (0..dataset.classes()).map(|class| ClassCount { name: name(class), count: count(class) }).collect()
}

fn folder(
    root: &Path,
    split: Split,
    config: &Config,
    cache: Option<(&Path, u64)>,
    progress: Progress<'_>,
) -> Result<Prepared> {
    let mut plan = decide::decide(
        root,
        find(root, config.rate.map_or(Kind::Pictures, |_| Kind::Sounds))?,
        split,
        &config.classes,
    )?;
    let available = plan.files.len();
    let kept = select(available, config.limit, plan.labels.as_deref());
    plan.files = kept.iter().map(|&index| plan.files[index].clone()).collect();
    plan.labels = plan.labels.map(|labels| kept.iter().map(|&index| labels[index]).collect());

    let bytes: u64 = plan.files.iter().map(|file| file.bytes).sum();
    let place = root.canonicalize().unwrap_or_else(|_| root.to_owned());
    let entry =
        cache.filter(|&(_, from)| bytes >= from).map(|(cache, _)| (cache, cache::key(&place, split, config, &plan)));
    if let Some((dataset, account)) = entry.as_ref().and_then(|(folder, key)| cache::load(folder, key)) {
        let source = root.display().to_string();
        return Ok(Prepared { dataset, account: Account { source, ..account } });
    }
    let prepared = decoded(root, split, config, plan, available, progress)?;
    if let Some((folder, key)) = entry.filter(|_| prepared.account.bad.is_empty() || config.skip_bad) {
        cache::store(folder, &key, &prepared.dataset, &prepared.account);
    }
    Ok(prepared)
}

/// A file's image in the size of the set.
struct Fitted {
    /// Over the background that the recipe names, else over black.
    image: Vec<u8>,
    /// Over white, where black or white is to be chosen by contrast.
    over_white: Option<Vec<u8>>,
    picture: Picture,
    ink: Ink,
}

/// How much is drawn in an image with transparency, by area and opacity.
#[derive(Clone, Copy, Default)]
struct Ink {
    all: f64,
    /// Too near to black to be seen on it.
    dark: f64,
    /// Too near to white.
    bright: f64,
}

fn decoded(
    root: &Path,
    split: Split,
    config: &Config,
    plan: Plan,
    available: usize,
    progress: Progress<'_>,
) -> Result<Prepared> {
    let account = Account {
        source: root.display().to_string(),
        part: split.name().into(),
        available,
        shape: [config.size.h, config.size.w, config.channels],
        rate: config.rate,
        skipped: plan.skips.list(),
        bad: plan.bad.iter().map(|(path, reason)| [path.display().to_string(), reason.clone()]).collect(),
        notes: plan.notes.clone(),
        ..Account::default()
    };
    let reading = Reading { root, plan, account };
    match config.rate {
        Some(rate) => sounds::heard(reading, config, rate, progress),
        None => seen(reading, config, progress),
    }
}

/// The files of a set on their way to images or sounds, and what is known of them so far.
struct Reading<'a> {
    root: &'a Path,
    plan: Plan,
    account: Account,
}

impl Reading<'_> {
    /// What `open` makes of each file, with its number, over all cores; the account has those that cannot be read.
    fn all<T: Send>(
        &mut self,
        progress: Progress<'_>,
        open: impl Fn(&Path) -> Result<T> + Sync,
    ) -> Result<Vec<(usize, T)>> {
        let files = &self.plan.files;
        let (total, done) = (files.len(), AtomicUsize::new(0));
        let outcomes: Option<Vec<Result<T>>> = files
            .par_iter()
            .map(|file| {
                let opened = open(&self.root.join(&file.path));
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, total).then_some(opened)
            })
            .collect();
        let mut read = Vec::with_capacity(total);
        for (index, outcome) in outcomes.ok_or(Interrupted)?.into_iter().enumerate() {
            match outcome {
                Ok(opened) => read.push((index, opened)),
                Err(reason) => {
                    self.account.bad.push([files[index].path.display().to_string(), format!("{reason:#}")]);
                }
            }
        }
        Ok(read)
    }

    /// The set of the images of what was read, one behind the other.
    fn finish<T>(self, read: &[(usize, T)], images: Vec<u8>) -> Prepared {
        let Self { plan: Plan { files, labels, classes, .. }, mut account, .. } = self;
        let labels = labels.map(|labels| read.iter().map(|&(index, _)| labels[index]).collect());
        let name = account.source.clone();
        let dataset = Dataset { name, images, labels, class_names: classes, shape: account.shape };
        account.images = dataset.len();
        account.classes = counts(&dataset);
        let name = |index: usize| files[read[index].0].path.display().to_string();
        account.warnings = check::check(&dataset, &account.classes, name);
        Prepared { dataset, account }
    }
}

/// Reads pictures.
fn seen(mut reading: Reading<'_>, config: &Config, progress: Progress<'_>) -> Result<Prepared> {
    let mut read = reading.all(progress, |path| decode::picture(path, 16).map(|picture| fitted(picture, config)))?;
    let bits = fewer_bits(reading.root, &reading.plan.files, &mut read, config);
    let account = &mut reading.account;
    account.notes.extend(bits);
    account.background = background(config, &read);
    let white = account.background.as_deref() == Some("white");
    let mut images = Vec::with_capacity(read.len() * account.shape.iter().product::<usize>());
    for (_, Fitted { image, over_white, picture, .. }) in &mut read {
        images.append(over_white.as_mut().filter(|_| white).unwrap_or(image));
        *account.formats.entry(picture.format.to_owned()).or_default() += 1;
    }
    let pictures: Vec<&Picture> = read.iter().map(|(_, fitted)| &fitted.picture).collect();
    account.notes.extend(shapes(&pictures, config));
    let area = |picture: &&&Picture| picture.shape[0] * picture.shape[1];
    let sides = |picture: &&Picture| [picture.shape[0], picture.shape[1]];
    account.sizes =
        pictures.iter().min_by_key(area).zip(pictures.iter().max_by_key(area)).map(|(a, b)| [sides(a), sides(b)]);
    Ok(reading.finish(&read, images))
}

fn fitted(mut picture: Picture, config: &Config) -> Fitted {
    let Picture { pixels, shape, .. } = &picture;
    let [height, width, channels] = *shape;
    let (behind, choose) = match config.background {
        Background::Contrast => ([0; 3], channels == 4 || config.fit == Fit::Pad),
        Background::Color(color) => (color, false),
    };
    let over = |behind: [u8; 3]| match channels {
        4 => fit_over(&over_raw(pixels, behind), [height, width, 3], config, behind),
        _ => fit_over(pixels, *shape, config, behind),
    };
    let (image, over_white) = (over(behind), choose.then(|| over([255; 3])));
    let ink = if channels == 4 { ink(pixels) } else { Ink::default() };
    // Photos are large, and only their sizes are asked for from here on.
    picture.pixels = Vec::new();
    Fitted { image, over_white, picture, ink }
}

fn ink(rgba: &[u8]) -> Ink {
    const NEAR: u8 = 48;
    rgba.chunks_exact(4).fold(Ink::default(), |ink, pixel| {
        let (level, opacity) = (fit::luma(pixel[0], pixel[1], pixel[2]), f64::from(pixel[3]));
        Ink {
            all: ink.all + opacity,
            dark: ink.dark + if level < NEAR { opacity } else { 0.0 },
            bright: ink.bright + if level > 255 - NEAR { opacity } else { 0.0 },
        }
    })
}

/// What shows through transparent pixels, if there are any: as asked for, else black, or white if it hides less.
fn background(config: &Config, read: &[(usize, Fitted)]) -> Option<String> {
    let transparent = read.iter().filter(|(_, fitted)| fitted.picture.shape[2] == 4);
    let count = transparent.clone().count();
    if count == 0 {
        return None;
    }
    // Each image counts alike, whatever its size.
    let share = |of: fn(&Ink) -> f64| {
        transparent.clone().map(|(_, fitted)| of(&fitted.ink) / fitted.ink.all.max(1.0)).sum::<f64>()
    };
    Some(match config.background {
        Background::Contrast if share(|ink| ink.bright) < share(|ink| ink.dark) => "white".to_owned(),
        Background::Contrast => "black".to_owned(),
        color => color.to_string(),
    })
}

/// Reads 16-bit files again where all of them together use the lower bits alone, as cameras with 10, 12 or 14 bits write
/// them.
fn fewer_bits(
    root: &Path,
    files: &[crate::find::File],
    read: &mut [(usize, Fitted)],
    config: &Config,
) -> Option<String> {
    let peak = read.iter().filter_map(|(_, fitted)| fitted.picture.peak).max().filter(|&peak| peak > 0)?;
    let bits = [8, 10, 12, 14].into_iter().find(|&bits| u32::from(peak) < 1 << bits)?;
    let deep = read.par_iter_mut().filter(|(_, fitted)| fitted.picture.peak.is_some());
    let count = deep
        .map(|(index, fitted)| {
            // It was read a moment ago; if it is gone by now, what was read then stands.
            if let Ok(picture) = decode::picture(&root.join(&files[*index].path), bits) {
                *fitted = self::fitted(picture, config);
            }
        })
        .count();
    Some(format!("{count} files have 16 bits and no value above {peak}: they are read as {bits} bits"))
}

/// What their sizes and kinds make worth saying.
fn shapes(pictures: &[&Picture], config: &Config) -> Vec<String> {
    let total = pictures.len();
    let count = |of: &dyn Fn(&Picture) -> bool| pictures.iter().filter(|picture| of(picture)).count();
    let mut notes = Vec::new();
    let mut note = |count: usize, text: &str| {
        if count > 0 {
            notes.push(format!("{count} of {total} images {text}"));
        }
    };
    note(count(&|picture| picture.turned), "are turned upright, as their EXIF data say");
    note(count(&|picture| picture.animated), "hold several frames, of which the first is taken");
    note(count(&|picture| picture.float), "have floating-point values, of which 0 … 1 are taken");
    let size = config.size;
    let small = |picture: &Picture| picture.shape[0] < size.h && picture.shape[1] < size.w;
    note(count(&small), &format!("are smaller than {size} and were enlarged"));
    let cut = |picture: &&Picture| {
        let [h, w, _] = picture.shape;
        let [y, x] = cropped(h, w, size);
        1.0 - (y.len() * x.len()) as f64 / (h * w) as f64
    };
    let lost = pictures.iter().map(cut).sum::<f64>() / total.max(1) as f64;
    if config.fit == Fit::Crop && lost > 0.1 {
        notes.push(format!(
            "cropping takes {:.0} % of the average image away: fit = \"pad\" or size = [height, width] keeps more",
            100.0 * lost
        ));
    }
    notes
}

/// One image file, fitted as `config` says. Transparent pixels show black, unless `config` names a background or what
/// is drawn could not be seen on it.
///
/// # Errors
///
/// If there is none at `path`, or it cannot be decoded.
pub fn load_picture(path: &Path, config: &Config) -> Result<Vec<u8>> {
    ensure!(
        path.is_file(),
        "expected an image at {}, found none: check the name, or give a test image of a data set, such as mnist:7",
        path.display()
    );
    let unread = |error: anyhow::Error| anyhow::anyhow!("cannot read the image {}: {error:#}", path.display());
    let mut picture = decode::picture(path, 16).map_err(unread)?;
    if let Some(bits) = [8, 10, 12, 14]
        .into_iter()
        .find(|&bits| picture.peak.is_some_and(|peak| peak > 0 && u32::from(peak) < 1 << bits))
    {
        picture = decode::picture(path, bits).map_err(unread)?;
    }
    let fitted = [(0, fitted(picture, config))];
    let white = background(config, &fitted).as_deref() == Some("white");
    let [(_, Fitted { image, over_white, .. })] = fitted;
    Ok(over_white.filter(|_| white).unwrap_or(image))
}

#[cfg(test)]
mod tests;
