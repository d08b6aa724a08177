//! Images to train on.
//!
//! What exists as a path is that: a folder of images, an IDX file or a folder of such, a NumPy array. They are read by
//! [`edgegen_data`]. Else it is the name of a set that edgegen knows (`mnist`, `emoji`, `avatars` and more, see
//! [`list`]); with `set:` before it, it always is. Whatever the source, the result is one block of bytes of the size
//! and channel count that the recipe asks for, and an account of it. The names `ring`, `grid`, `moons` and `circles`
//! are no images but points of the plane, which training draws as it needs them.
//!
//! | file | what |
//! | --- | --- |
//! | `avatars.rs` | faces drawn from the styles of DiceBear, with attributes and captions (`attributes.rs`) |
//! | `digits.rs` | digits in the shapes of fonts |
//! | `emoji.rs` | emoji cut from sprite sheets: faces, and all of them in pairs |
//! | `catalogue.rs` | the named sets: licence, sizes, checksums, sources |
//! | `fetch.rs`, `source.rs` | bring a named set into the cache folder and check it |
//! | `stacked.rs` | three digits of `mnist` in one colour image, for counting modes |
//! | `patches.rs` | digits of `mnist` over patches of `emoji`, for adaptation |
//! | `glyphs.rs` | digits drawn by the program itself, for a machine without sources |
//! | `drums.rs` | drum hits synthesized by the program itself |
//! | `speech.rs` | phones and spectra of sentences that espeak-ng says |
//! | `icons.rs` | icons of 5 × 5 pixels drawn by the program itself |
//! | `plane.rs` | points of the plane, drawn while training |
//! | `sentences.rs` | sentences of two languages in pairs: invented languages, names of emoji |
//! | `unpaired.rs` | images of two kinds without pairs: bags and shoes, two sets, folders `a` and `b` |
//! | `pairs.rs` | images in pairs: edges and clothes, digits and their negatives, emoji of two vendors, folders `a` and `b`, halves side by side |

mod attributes;
mod avatars;
mod catalogue;
mod digits;
mod drums;
mod emoji;
mod fetch;
mod glyphs;
mod icons;
mod pairs;
mod patches;
pub mod plane;
mod sentences;
mod source;
pub mod speech;
mod stacked;
mod unpaired;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail, ensure};
use edgegen_data::{ClassCount, fit_dataset, idx};

use crate::recipe::{DataConfig, Size};

pub use attributes::{Attributes, NONE, UNSEEN, is_held_out};
pub use catalogue::{DatasetInfo, RawFile, cache_folder, list};
pub use edgegen_data::{Account, Attribute, Dataset, Progress, Split, contact_sheet, fit_image, shared_images};
pub use fetch::{FetchOptions, fetch};
pub use glyphs::glyphs;
pub use pairs::{Pairs, load_pairs};
pub use plane::Plane;
pub use sentences::{Vocabularies, usual_sentences, vocabularies};
pub use source::Source;
pub use stacked::{NAME as STACKED, SOURCE as STACKED_SOURCE};
pub use unpaired::{judged, load_unpaired};

/// Before the name of a known set, where a path of that name exists, too.
const SET: &str = "set:";

/// The name of a known set without `set:`.
pub fn plain_name(name: &str) -> &str {
    name.strip_prefix(SET).unwrap_or(name)
}

/// Whether a name is that of a set of edgegen's own whose images come in pairs.
pub fn has_pairs(name: &str) -> bool {
    own_set(name).is_some_and(|name| pairs::made(name).is_some() || sentences::find(name).is_some())
}

/// The known set that `name` means here; none where it is a path, also one of the same name.
pub fn own_set(name: &str) -> Option<&str> {
    (name.starts_with(SET) || !Path::new(name).exists()).then(|| plain_name(name))
}

/// Rate and size of the known set of sounds that `name` means here, where it is one.
pub fn usual_sounds(name: &str) -> Option<(u32, Size)> {
    let info = own_set(name).filter(|&name| name == drums::NAME).map(|_| drums::info())?;
    Some((info.rate?, [info.shape[0], info.shape[1]].into()))
}

/// Loads the training images that `config` tells of, fitted to its size and channels, at most `limit` of them.
///
/// A limit takes images at random, always the same ones, and leaves every class in if it can.
///
/// # Errors
/// One sentence with what was expected, what was found and what to do. A named set must have been fetched before.
pub fn load(config: &DataConfig) -> Result<Dataset> {
    load_split(config, Split::Train)
}

/// [`load`] for either part. For paths, the test part is the IDX files named `t10k…` or `test…`, or the images in a
/// sub-folder `test` or `val`.
pub fn load_split(config: &DataConfig, split: Split) -> Result<Dataset> {
    read(config, split, &|_, _| true).map(|(dataset, _)| dataset)
}

/// [`load_split`], with an account of what was read.
///
/// # Errors
/// As [`load`].
pub fn read(config: &DataConfig, split: Split, progress: Progress<'_>) -> Result<(Dataset, Account)> {
    let prepared = prepare(config, split, progress)?;
    let (mut dataset, account) = prepared.accept(config)?;
    config.name.clone_into(&mut dataset.name);
    Ok((dataset, account))
}

/// What [`read`] would find, also where it would refuse it: for `edgegen data check`.
///
/// # Errors
/// If there is nothing of the kind to look at.
pub fn prepare(config: &DataConfig, split: Split, progress: Progress<'_>) -> Result<edgegen_data::Prepared> {
    check_config(config)?;
    let name = &config.name;
    let Some(known) = own_set(name) else {
        let path = Path::new(name);
        let cache = cache_folder().ok().map(|folder| folder.join("fitted"));
        let mut prepared = edgegen_data::prepare(path, split, config, cache.as_deref(), progress)?;
        if list().iter().any(|info| info.name == name) {
            let note = format!("{name} exists here and is read; edgegen's own set of that name is set:{name}");
            prepared.account.notes.insert(0, note);
        }
        return Ok(prepared);
    };
    let dataset = named(known, config, split)?;
    let source = format!("{known} (edgegen's own set of that name)");
    Ok(account(dataset, source, split, config.rate))
}

/// What [`prepare`] would find, or for a named set of pairs each of them side by side in an image twice as wide.
///
/// # Errors
/// As [`prepare`].
pub fn look(config: &DataConfig, split: Split, progress: Progress<'_>) -> Result<edgegen_data::Prepared> {
    let Some(name) = own_set(&config.name).filter(|name| pairs::made(name).is_some()) else {
        return prepare(config, split, progress);
    };
    let Pairs { inputs, targets, .. } = load_pairs(&DataConfig { name: name.to_owned(), ..config.clone() }, split)?;
    let [h, w, c] = targets.shape;
    let rows = inputs.images.chunks_exact(w * c).zip(targets.images.chunks_exact(w * c));
    let images = rows.flat_map(|(input, target)| [input, target].concat()).collect();
    let source = format!("{name} (edgegen's own pairs of that name, side by side)");
    Ok(account(Dataset { images, shape: [h, 2 * w, c], ..targets }, source, split, None))
}

/// Refuses sizes and channels that no image has.
fn check_config(config: &DataConfig) -> Result<()> {
    let DataConfig { name, size, channels, .. } = config;
    ensure!(
        size.h > 0 && size.w > 0,
        "expected an image size of at least one pixel, found {size}: set data.size in the recipe"
    );
    ensure!(
        matches!(channels, 1 | 3) || Plane::named(name).is_some(),
        "expected 1 (grey) or 3 (RGB) channels, found {channels}: set data.channels in the recipe"
    );
    Ok(())
}

/// A set of our own with an account of it.
fn account(dataset: Dataset, source: String, split: Split, rate: Option<u32>) -> edgegen_data::Prepared {
    let class_names = &dataset.class_names;
    let called = |class: usize| class_names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let classes = dataset.labels.iter().flat_map(|labels| {
        let count = |class: usize| labels.iter().filter(|&&label| usize::from(label) == class).count();
        (0..dataset.classes()).map(move |class| (class, count(class)))
    });
    let account = Account {
        source,
        part: split.name().into(),
        images: dataset.len(),
        available: dataset.len(),
        shape: dataset.shape,
        rate,
        classes: classes.map(|(class, count)| ClassCount { name: called(class), count }).collect(),
        ..Account::default()
    };
    edgegen_data::Prepared { dataset, account }
}

/// A known set, fitted.
fn named(name: &str, config: &DataConfig, split: Split) -> Result<Dataset> {
    ensure!(
        Plane::named(name).is_none(),
        "expected a data set of images, found {name}, points that are drawn while training: choose another data.name"
    );
    ensure!(
        unpaired::kinds(name).is_none(),
        "expected a data set of single images, found {name}, which has two kinds: use system = \"cyclegan\", or another data.name"
    );
    ensure!(
        sentences::find(name).is_none(),
        "expected a data set of images, found {name}, which has sentences in pairs: use system = \"backtranslation\", or another data.name"
    );
    if pairs::made(name).is_some() {
        // What should be made, for judges of it.
        return Ok(load_pairs(&DataConfig { name: name.to_owned(), ..config.clone() }, split)?.targets);
    }
    let whole = DataConfig { limit: None, ..config.clone() };
    ensure!(
        config.rate.is_none() || name == drums::NAME,
        "expected a set of sounds for [data] rate, found {name}, which has images: leave rate out, or choose another data.name"
    );
    let mut dataset = if name == glyphs::NAME {
        let count = glyphs::count(split).min(config.limit.unwrap_or(usize::MAX));
        // Drawn at the shorter side, so that nothing is cut.
        fit_dataset(glyphs(count, glyphs::seed(split), config.size.h.min(config.size.w)), &whole)
    } else if name == icons::NAME {
        fit_dataset(icons::icons(icons::count(split), icons::seed(split)), config)
    } else if name == drums::NAME {
        drums::load(split, config)?
    } else if name == stacked::NAME {
        let source = catalogue::find(stacked::SOURCE).expect("the catalogue has it");
        fit_dataset(stacked::load(&here(source)?, split)?, config)
    } else if name == patches::NAME {
        let folder = |name| here(catalogue::find(name).expect("the catalogue has it"));
        let [digits, emoji] = patches::SOURCES.map(folder);
        fit_dataset(patches::load([&digits?, &emoji?], split)?, config)
    } else if let Some(known) = catalogue::find(name) {
        fit_dataset((known.load)(&here(known)?, split, config)?, config)
    } else {
        let names: Vec<_> = list().into_iter().map(|info| info.name).collect();
        bail!(
            "expected a data set name ({}) or the path of an IDX file or a folder, found nothing at '{name}': \
             check [data] in the recipe",
            names.join(", ")
        )
    };
    if let Some(known) = catalogue::find(name).filter(|known| !known.class_names.is_empty()) {
        dataset.class_names = known.class_names.iter().map(|&name| name.to_owned()).collect();
    }
    name.clone_into(&mut dataset.name);
    ensure!(!dataset.is_empty(), "expected at least one image in {name}, found none: check data.name and data.limit");
    name_classes(&mut dataset, &config.classes, name)?;
    Ok(dataset)
}

/// Gives the classes of the set `name` the names of the recipe, where it has some and the set has none.
fn name_classes(dataset: &mut Dataset, classes: &[String], name: &str) -> Result<()> {
    if dataset.labels.is_some() && !classes.is_empty() && classes != dataset.class_names {
        ensure!(
            dataset.class_names.is_empty() && classes.len() == dataset.classes(),
            "expected names for the {} classes of {name}{}, found {}: change [data] classes, or leave it out",
            dataset.classes(),
            if dataset.class_names.is_empty() {
                String::new()
            } else {
                format!(", which are {}", dataset.class_names.join(", "))
            },
            classes.join(", ")
        );
        dataset.class_names = classes.to_vec();
    }
    Ok(())
}

/// One image as `config` says: the image file of that name, else `SET:NUMBER`, a test image of a data set, such as `mnist:7`.
///
/// # Errors
///
/// If there is neither, or a file that cannot be decoded.
pub fn load_image(name: &str, config: &DataConfig) -> Result<Vec<u8>> {
    let numbered = name.rsplit_once(':').and_then(|(set, number)| Some((set, number.parse::<usize>().ok()?)));
    let Some((set, number)) = numbered.filter(|_| !Path::new(name).is_file()) else {
        return edgegen_data::load_picture(Path::new(name), config);
    };
    let classes = Vec::new();
    let tested = load_split(&DataConfig { name: set.to_owned(), limit: None, classes, ..config.clone() }, Split::Test)?;
    let count = tested.len();
    ensure!(number < count, "expected a test image of {set} from {set}:0 to {set}:{}, found {name}", count - 1);
    Ok(tested.image(number).to_vec())
}

/// What is known of the images that [`load_split`] gives for the same `config`, in their order; nothing for most sets.
/// It is all of it: [`Attributes::learned`] chooses.
///
/// # Errors
/// As [`load`].
pub fn attributes(config: &DataConfig, split: Split) -> Result<Option<Attributes>> {
    let name = plain_name(&config.name);
    let Some(set) = avatars::find(name).filter(|_| name != config.name || !Path::new(name).exists()) else {
        return Ok(None);
    };
    let known = catalogue::find(name).expect("the catalogue has it");
    set.attributes(&here(known)?, split, config).map(Some)
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

/// [`load`] that needs nothing but this program: fetches a named set that is missing, and draws [`glyphs()`] when no source answers.
///
/// The text, if any, says what was loaded instead; print it.
///
/// # Errors
/// As [`load`], for anything but a named set that cannot be fetched.
pub fn load_or_glyphs(config: &DataConfig, options: &FetchOptions) -> Result<(Dataset, Option<String>)> {
    let name = &config.name;
    let can_be_fetched = catalogue::find(name).is_some() && !Path::new(name).exists();
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
        DataConfig::new(name, 8, 1)
    }

    #[test]
    fn a_name_that_is_nothing_says_what_there_is() {
        let error = load(&config("mnits")).unwrap_err().to_string();
        for part in [
            "mnist, fashion-mnist, emoji, avatars, fun-emoji, digits, emoji-names, stacked-mnist, mnist-patches, fashion-edges, mnist-negative, emoji-pairs, speech, bags-shoes, glyphs, icons, drums, languages, ring, grid, moons, circles",
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
    fn a_path_goes_before_a_set_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("mnist");
        assert_eq!(own_set("mnist"), Some("mnist"));
        assert_eq!(own_set("set:mnist"), Some("mnist"));
        let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        assert!(crate::judge::Judge::of_data(&project, "mnist").is_some());
        std::fs::create_dir(&own).unwrap();
        assert_eq!(own_set(own.to_str().unwrap()), None);
        // A path has more than a name, so a folder of that very name is one beside which the program runs.
        assert_eq!(crate::judge::Judge::of_data(&project, own.to_str().unwrap()), None);
        assert_eq!(crate::judge::Judge::of_data(&project, "set:mnist-nowhere"), None);
    }

    #[test]
    fn one_image_is_a_file_or_a_number_in_a_set() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("grey:1");
        image::GrayImage::from_pixel(8, 8, image::Luma([9])).save_with_format(&file, image::ImageFormat::Png).unwrap();
        assert_eq!(load_image(file.to_str().unwrap(), &config("")).unwrap(), [9; 64]);
        let tested = load_split(&config("icons"), Split::Test).unwrap();
        assert_eq!(load_image("icons:7", &config("")).unwrap(), tested.image(7));
        for (name, expected) in [
            ("icons:4000", "expected a test image of icons from icons:0 to icons:3999, found icons:4000"),
            ("icons", "expected an image at icons, found none"),
            ("mnits:7", "expected a data set name"),
        ] {
            let error = load_image(name, &config("")).unwrap_err().to_string();
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
        let config = DataConfig { size: 16.into(), channels: 3, limit: Some(50), ..config("glyphs") };
        let train = load(&config).unwrap();
        assert_eq!((train.len(), train.shape, train.classes(), &*train.name), (50, [16, 16, 3], 10, "glyphs"));
        assert_eq!(train.image(49).len(), 16 * 16 * 3);
        assert_ne!(train.images, load_split(&config, Split::Test).unwrap().images);
    }

    #[test]
    fn classes_have_names_where_there_are_some() {
        let (icons, account) =
            read(&DataConfig { limit: Some(100), ..config("set:icons") }, Split::Test, &|_, _| true).unwrap();
        assert_eq!((icons.class_names.len(), &*icons.class_names[0], icons.classes()), (10, "heart", 10));
        assert_eq!((account.classes[9].name.as_str(), &*account.part), ("thing", "test"));
        assert_eq!(account.classes.iter().map(|class| class.count).sum::<usize>(), 100);
        let digits = |classes: &[&str]| {
            let classes = classes.iter().map(|&name| name.to_owned()).collect();
            load(&DataConfig { classes, limit: Some(20), ..config("glyphs") })
        };
        let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"];
        assert_eq!(digits(&names).unwrap().class_names, names);
        assert!(digits(&[]).unwrap().class_names.is_empty());
        let error = digits(&names[..3]).unwrap_err().to_string();
        assert!(error.contains("10 classes of glyphs"), "{error}");
        let other = DataConfig { classes: vec!["x".into(); 10], ..config("icons") };
        assert!(load(&other).unwrap_err().to_string().contains("which are heart, face"));
    }

    #[test]
    fn bad_sizes_and_channels_are_refused() {
        let error = load(&DataConfig { channels: 2, ..config("glyphs") }).unwrap_err().to_string();
        assert!(error.contains("found 2"), "{error}");
        let error = load(&DataConfig { size: 0.into(), ..config("glyphs") }).unwrap_err().to_string();
        assert!(error.contains("found 0"), "{error}");
        let error = load(&DataConfig { limit: Some(0), ..config("glyphs") }).unwrap_err().to_string();
        assert!(error.contains("data.limit"), "{error}");
        let error = load(&config("ring")).unwrap_err().to_string();
        assert!(error.contains("found ring, points"), "{error}");
    }
}
