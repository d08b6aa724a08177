//! Images to train on.
//!
//! A data set is named (`mnist`, `fashion-mnist`, `emoji`, `stacked-mnist`, `glyphs`, `icons`) or is a path: an IDX file, a folder of IDX files, or a
//! folder of PNG and JPEG files. Whatever the source, the result is one block of bytes of the size and channel count that the recipe asks for. Two
//! names, `ring` and `grid`, are no images but points of the plane, which training draws as it needs them.
//!
//! | file | what |
//! | --- | --- |
//! | `idx.rs` | the IDX format, plain and gzip |
//! | `folder.rs` | folders of images, sub-folders as labels |
//! | `emoji.rs` | emoji cut from sprite sheets |
//! | `fit.rs` | crop, resample, grey ↔ RGB, limit |
//! | `catalogue.rs` | the named sets: licence, sizes, checksums, sources |
//! | `fetch.rs`, `source.rs` | bring a named set into the cache folder and check it |
//! | `stacked.rs` | three digits of `mnist` in one colour image, for counting modes |
//! | `glyphs.rs` | digits drawn by the program itself, for a machine without sources |
//! | `icons.rs` | icons of 5 × 5 pixels drawn by the program itself |
//! | `plane.rs` | points of the plane, drawn while training |
//! | `pairs.rs` | images in pairs: edges and clothes, folders `a` and `b`, halves side by side |

mod catalogue;
mod emoji;
mod fetch;
mod fit;
mod folder;
mod glyphs;
mod icons;
mod idx;
mod pairs;
pub mod plane;
mod source;
mod stacked;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};

use crate::recipe::DataConfig;

pub use catalogue::{DatasetInfo, RawFile, cache_folder, list};
pub use fetch::{FetchOptions, fetch};
pub use fit::fit_image;
pub use glyphs::glyphs;
pub use pairs::{NAME as EDGES, Pairs, SOURCE as EDGES_SOURCE, load_pairs};
pub use plane::Plane;
pub use source::Source;
pub use stacked::{NAME as STACKED, SOURCE as STACKED_SOURCE};

/// Images of one size in memory, with labels where the source has them.
#[derive(Clone, PartialEq, Eq)]
pub struct Dataset {
    /// `data.name` of the recipe that it was loaded by.
    pub name: String,
    /// `N·H·W·C` bytes, row-major, channels innermost, 0 = black.
    pub images: Vec<u8>,
    /// One class number an image, from 0, or nothing for unlabelled data.
    pub labels: Option<Vec<u8>>,
    /// `[H, W, C]`, `C` = 1 (grey) or 3 (RGB).
    pub shape: [usize; 3],
}

impl Dataset {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.images.len() / self.image_len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// The `H·W·C` bytes of image `index`.
    ///
    /// # Panics
    /// When `index` is not below [`len`](Self::len).
    pub fn image(&self, index: usize) -> &[u8] {
        let length = self.image_len();
        &self.images[index * length..][..length]
    }

    /// Number of classes: the highest label plus one, 0 for unlabelled data.
    pub fn classes(&self) -> usize {
        self.labels.iter().flatten().max().map_or(0, |&label| usize::from(label) + 1)
    }

    fn image_len(&self) -> usize {
        self.shape.iter().product()
    }
}

// Megabytes of pixels tell nobody anything.
impl std::fmt::Debug for Dataset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dataset")
            .field("name", &self.name)
            .field("len", &self.len())
            .field("shape", &self.shape)
            .field("labelled", &self.labels.is_some())
            .finish_non_exhaustive()
    }
}

/// Which part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// What a generator learns from. A path without parts is all training data.
    Train,
    /// What it never sees; for metrics.
    Test,
}

/// Loads the training images that `config` tells of, as `size`×`size` images of `channels` channels, at most `limit` of them.
///
/// They come from the known set `config.name`, else from `config.name` taken as a path.
/// Images of another size are cropped to their central square and resampled. A limit takes images at random, always the same
/// ones, and leaves every class in if it can.
///
/// # Errors
/// One sentence with what was expected, what was found and what to do. A named set must have been fetched before.
pub fn load(config: &DataConfig) -> Result<Dataset> {
    load_split(config, Split::Train)
}

/// [`load`] for either part. For paths, the test part is the IDX files named `t10k…` or `test…`, or the images in a sub-folder `test`.
pub fn load_split(config: &DataConfig, split: Split) -> Result<Dataset> {
    let &DataConfig { ref name, size, channels, limit } = config;
    ensure!(
        Plane::named(name).is_none(),
        "expected a data set of images, found {name}, points that are drawn while training: choose another data.name"
    );
    ensure!(
        name != pairs::NAME,
        "expected a data set of single images, found {name}, which has pairs: use system = \"pix2pix\", or another data.name"
    );
    ensure!(size > 0, "expected an image size of at least one pixel, found 0: set data.size in the recipe");
    ensure!(
        matches!(channels, 1 | 3),
        "expected 1 (grey) or 3 (RGB) channels, found {channels}: set data.channels in the recipe"
    );

    let mut dataset = if name == glyphs::NAME {
        let count = glyphs::count(split).min(limit.unwrap_or(usize::MAX));
        fit::fit(glyphs(count, glyphs::seed(split), size), size, channels, None)
    } else if name == icons::NAME {
        fit::fit(icons::icons(icons::count(split), icons::seed(split)), size, channels, limit)
    } else if name == stacked::NAME {
        let source = catalogue::find(stacked::SOURCE).expect("the catalogue has it");
        fit::fit(stacked::load(&here(source)?, split)?, size, channels, limit)
    } else if let Some(known) = catalogue::find(name) {
        fit::fit((known.load)(&here(known)?, split)?, size, channels, limit)
    } else {
        load_path(Path::new(name), split, config)?
    };
    name.clone_into(&mut dataset.name);
    ensure!(!dataset.is_empty(), "expected at least one image in {name}, found none: check data.name and data.limit");
    Ok(dataset)
}

/// One image of `size`×`size`×`channels`: the PNG or JPEG file of that name, else `SET:NUMBER`, a test image of a data set, such as `mnist:7`.
///
/// # Errors
///
/// If there is neither, or a file that cannot be decoded.
pub fn load_image(name: &str, size: usize, channels: usize) -> Result<Vec<u8>> {
    let numbered = name.rsplit_once(':').and_then(|(set, number)| Some((set, number.parse::<usize>().ok()?)));
    let Some((set, number)) = numbered.filter(|_| !Path::new(name).is_file()) else {
        return folder::load_image(Path::new(name), size, channels);
    };
    let tested = load_split(&DataConfig { name: set.to_owned(), size, channels, limit: None }, Split::Test)?;
    let count = tested.len();
    ensure!(number < count, "expected a test image of {set} from {set}:0 to {set}:{}, found {name}", count - 1);
    Ok(tested.image(number).to_vec())
}

/// The folder of a set that has been fetched.
fn here(known: &catalogue::Known) -> Result<PathBuf> {
    let (name, folder) = (known.name, cache_folder()?.join(known.name));
    ensure!(
        known.is_complete_in(&folder),
        "expected the data set {name} in {}, found it missing or incomplete: run `edgegen data fetch {name}` once",
        folder.display()
    );
    Ok(folder)
}

fn load_path(path: &Path, split: Split, config: &DataConfig) -> Result<Dataset> {
    let &DataConfig { size, channels, limit, .. } = config;
    if path.is_file() {
        ensure!(
            split == Split::Train,
            "expected a folder with a test part, found the path of one file, {}: give its folder instead",
            path.display()
        );
        Ok(fit::fit(idx::load_file(path)?, size, channels, limit))
    } else if idx::is_idx_folder(path) {
        Ok(fit::fit(idx::load_folder(path, split)?, size, channels, limit))
    } else if path.is_dir() {
        folder::load(path, split, size, channels, limit)
    } else {
        let names: Vec<_> = list().into_iter().map(|info| info.name).collect();
        bail!(
            "expected a data set name ({}) or the path of an IDX file or a folder, found nothing at '{}': \
             check [data] in the recipe",
            names.join(", "),
            path.display()
        )
    }
}

/// [`load`] that needs nothing but this program: fetches a named set that is missing, and draws [`glyphs()`] when no source answers.
///
/// The text, if any, says what was loaded instead; print it.
///
/// # Errors
/// As [`load`], for anything but a named set that cannot be fetched.
pub fn load_or_glyphs(config: &DataConfig, options: &FetchOptions) -> Result<(Dataset, Option<String>)> {
    let name = &config.name;
    let can_be_fetched = catalogue::find(name).is_some();
    if !can_be_fetched || fetch(name, options).is_ok() {
        return Ok((load(config)?, None));
    }
    let dataset = load(&DataConfig { name: glyphs::NAME.to_owned(), ..config.clone() })?;
    // Each source has been reported with its reason by now; the command gives them again, and says how to go on.
    let notice = format!(
        "no source gives {name} (`edgegen data fetch {name}` tells why): going on with {} digits drawn by edgegen itself",
        dataset.len()
    );
    Ok((dataset, Some(notice)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(name: &str) -> DataConfig {
        DataConfig { name: name.to_owned(), size: 8, channels: 1, limit: None }
    }

    #[test]
    fn a_name_that_is_nothing_says_what_there_is() {
        let error = load(&config("mnits")).unwrap_err().to_string();
        for part in [
            "mnist, fashion-mnist, emoji, stacked-mnist, fashion-edges, glyphs, icons, ring, grid",
            "'mnits'",
            "[data]",
        ] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_path_is_a_name_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a-idx3-ubyte");
        std::fs::write(&file, [&[0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1][..], &[9]].concat()).unwrap();
        for path in [folder.path().to_owned(), file.clone()] {
            let config = config(path.to_str().unwrap());
            let dataset = load(&config).unwrap();
            assert_eq!((&dataset.name, dataset.shape, dataset.images), (&config.name, [8, 8, 1], vec![9; 64]));
            assert!(load_split(&config, Split::Test).unwrap_err().to_string().contains("test"));
            assert!(load_or_glyphs(&config, &FetchOptions::default()).unwrap().1.is_none());
        }
    }

    #[test]
    fn one_image_is_a_file_or_a_number_in_a_set() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("grey:1");
        image::GrayImage::from_pixel(8, 8, image::Luma([9])).save_with_format(&file, image::ImageFormat::Png).unwrap();
        assert_eq!(load_image(file.to_str().unwrap(), 8, 1).unwrap(), [9; 64]);
        let tested = load_split(&config("icons"), Split::Test).unwrap();
        assert_eq!(load_image("icons:7", 8, 1).unwrap(), tested.image(7));
        for (name, expected) in [
            ("icons:4000", "expected a test image of icons from icons:0 to icons:3999, found icons:4000"),
            ("icons", "expected a PNG or JPEG image at icons, found none"),
            ("mnits:7", "expected a data set name"),
        ] {
            let error = load_image(name, 8, 1).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn glyphs_stand_in_for_a_set_that_no_source_gives() {
        let nowhere = tempfile::tempdir().unwrap();
        let root = Some(nowhere.path().join("cache"));
        let options = FetchOptions {
            root,
            from: Some(nowhere.path().join("none")),
            report: Box::new(|_| ()),
            ..FetchOptions::default()
        };
        let (dataset, notice) = load_or_glyphs(&DataConfig { limit: Some(20), ..config("mnist") }, &options).unwrap();
        assert_eq!((&*dataset.name, dataset.len()), ("glyphs", 20));
        let notice = notice.unwrap();
        assert!(notice.contains("mnist") && notice.contains("20 digits"), "{notice}");
    }

    #[test]
    fn glyphs_come_in_the_asked_size_and_splits_differ() {
        let config = DataConfig { size: 16, channels: 3, limit: Some(50), ..config("glyphs") };
        let train = load(&config).unwrap();
        assert_eq!((train.len(), train.shape, train.classes(), &*train.name), (50, [16, 16, 3], 10, "glyphs"));
        assert_eq!(train.image(49).len(), 16 * 16 * 3);
        assert_ne!(train.images, load_split(&config, Split::Test).unwrap().images);
    }

    #[test]
    fn bad_sizes_and_channels_are_refused() {
        let error = load(&DataConfig { channels: 2, ..config("glyphs") }).unwrap_err().to_string();
        assert!(error.contains("found 2"), "{error}");
        let error = load(&DataConfig { size: 0, ..config("glyphs") }).unwrap_err().to_string();
        assert!(error.contains("found 0"), "{error}");
        let error = load(&DataConfig { limit: Some(0), ..config("glyphs") }).unwrap_err().to_string();
        assert!(error.contains("data.limit"), "{error}");
        let error = load(&config("ring")).unwrap_err().to_string();
        assert!(error.contains("found ring, points"), "{error}");
    }
}
