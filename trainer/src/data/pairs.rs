//! Images in pairs: what a generator reads, and what it should make of it.
//!
//! | source | input | target |
//! | --- | --- | --- |
//! | `fashion-edges` | edges of a piece of clothing | the image of `fashion-mnist` that they were taken from |
//! | `mnist-negative` | an image of `mnist` | the same digit thickened and inverted, black on white |
//! | `emoji-pairs` | an emoji as Google draws it | the same as Twitter draws it |
//! | `speech` | phones of a sentence, frame by frame | mel cepstra of espeak-ng saying it |
//! | `languages`, `emoji-names` | a sentence ([`sentences`]) | the same in another language |
//! | a folder with `a/` and `b/` | an image of `a/` | that of the same name in `b/`, whatever its format |
//! | a folder of images twice as wide as high | the left half | the right half, as pix2pix has its data sets |
//!
//! Folders may have `train/` and `test/` parts, each laid out as above. `pairs/made.rs` makes the named pairs.

mod made;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use edgegen_data::{Kind, find, fit_image, over, part, select};

use super::{Dataset, Split, check_config, sentences};
use crate::recipe::DataConfig;

pub(super) use made::EDGES;
pub(super) use made::{MADE, Made, made};

/// Images of two kinds and of one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs {
    /// What is read.
    pub inputs: Dataset,
    /// What should be made of it, with labels where the source has them.
    pub targets: Dataset,
    /// Whether input i belongs to target i, so that there are as many of one as of the other. Else they are two sets of
    /// any lengths.
    pub matched: bool,
}

impl Pairs {
    /// The other way round, if the table says so.
    pub(super) fn turned(self, config: &DataConfig) -> Self {
        let Self { inputs, targets, matched } = self;
        if config.reverse {
            Self { inputs: targets, targets: inputs, matched }
        } else {
            Self { inputs, targets, matched }
        }
    }
}

/// The pairs that `config` tells of, both images as `size`×`size` images of `channels` channels, at most `limit` pairs.
///
/// # Errors
///
/// One sentence with what was expected, what was found and what to do.
pub fn load_pairs(config: &DataConfig, split: Split) -> Result<Pairs> {
    ensure!(
        config.target.is_none(),
        "expected pairs, found two sets, {} and {}: leave out data.target, or take a system that learns without pairs (cyclegan)",
        config.name,
        config.target.as_deref().unwrap_or_default()
    );
    Ok(load_straight(config, split)?.turned(config))
}

/// [`load_pairs`], the way that they are stored.
fn load_straight(config: &DataConfig, split: Split) -> Result<Pairs> {
    check_config(config)?;
    let name = &config.name;
    if let Some(made) = made(name).filter(|_| !Path::new(name).exists()) {
        return made.load(config, split);
    }
    if let Some(sentences) = sentences::find(name).filter(|_| !Path::new(name).exists()) {
        return sentences.load(config, split);
    }
    let root = Path::new(name);
    ensure!(
        root.is_dir(),
        "expected {} or a folder of pairs, found {name}: give a folder with sub-folders a and b, whose images are paired by \
         name, or one of images twice as wide as high",
        MADE.each_ref().map(|made| made.name).join(", ")
    );
    let root = part(root, split)?;
    let [a, b] = ["a", "b"].map(|side| root.join(side));
    match [a.is_dir(), b.is_dir()] {
        [true, true] => from_folders(&root, &a, &b, config),
        [false, false] => side_by_side(&root, config),
        [has_a, _] => {
            let (there, missing) = if has_a { (a, b) } else { (b, a) };
            bail!(
                "expected sub-folders a and b, found {} without {}: make both, with one image of each pair in each",
                there.display(),
                missing.display()
            )
        }
    }
}

/// Pairs by name of the images below `a` and `b`.
fn from_folders(root: &Path, a: &Path, b: &Path, config: &DataConfig) -> Result<Pairs> {
    let [inputs, mut targets] = [named(a)?, named(b)?];
    let counts = [inputs.len(), targets.len()];
    let mut pairs = Vec::with_capacity(inputs.len());
    for (name, input) in inputs {
        let Some(target) = targets.remove(&name) else {
            bail!(
                "expected for each image of {} ({}) one of the same name in {} ({}), found none called {}: add it, or remove {}",
                a.display(),
                counts[0],
                b.display(),
                counts[1],
                name.display(),
                input.display()
            );
        };
        pairs.push([input, target]);
    }
    if let Some((name, target)) = targets.first_key_value() {
        bail!(
            "expected for each image of {} ({}) one of the same name in {} ({}), found none called {}: add it, or remove {}",
            b.display(),
            counts[1],
            a.display(),
            counts[0],
            name.display(),
            target.display()
        );
    }
    ensure!(!pairs.is_empty(), "expected images in {} and {}, found none: put pairs there", a.display(), b.display());
    assemble(root, pairs.len(), config, |index| {
        let [(input, from), (target, to)] = [decode(&pairs[index][0])?, decode(&pairs[index][1])?];
        ensure!(
            from[..2] == to[..2],
            "expected two images of one size, found {} of {}×{} and {} of {}×{}: crop or enlarge one of them",
            pairs[index][0].display(),
            from[1],
            from[0],
            pairs[index][1].display(),
            to[1],
            to[0]
        );
        Ok([(input, from), (target, to)])
    })
}

/// The images below a folder by their paths in it, without extensions.
fn named(folder: &Path) -> Result<BTreeMap<PathBuf, PathBuf>> {
    let mut named = BTreeMap::new();
    for path in images_of(folder)? {
        let name = path.strip_prefix(folder).unwrap_or(&path).with_extension("");
        if let Some(other) = named.insert(name, path.clone()) {
            bail!("expected one image of a name, found {} and {}: remove one", other.display(), path.display());
        }
    }
    Ok(named)
}

/// Pairs that lie side by side in one image.
fn side_by_side(root: &Path, config: &DataConfig) -> Result<Pairs> {
    let paths = images_of(root)?;
    ensure!(
        !paths.is_empty(),
        "expected sub-folders a and b or images of pairs side by side in {}, found neither: check data.name",
        root.display()
    );
    assemble(root, paths.len(), config, |index| {
        let (pixels, [height, width, c]) = decode(&paths[index])?;
        ensure!(
            width == 2 * height,
            "expected a pair side by side, twice as wide as high, found {} of {width}×{height}: \
             put single images into sub-folders a and b",
            paths[index].display()
        );
        let half = |side: usize| {
            let rows = pixels.chunks_exact(width * c).flat_map(|row| &row[side * height * c..][..height * c]);
            (rows.copied().collect(), [height, height, c])
        };
        Ok([half(0), half(1)])
    })
}

/// Pixels and `[H, W, C]`.
type Decoded = (Vec<u8>, [usize; 3]);

/// The images below a folder, in natural order.
fn images_of(folder: &Path) -> Result<Vec<PathBuf>> {
    let found = find(folder, Kind::Pictures)?;
    if let Some((path, reason)) = found.bad.first() {
        bail!("expected images in {}, found {}, {reason}", folder.display(), path.display());
    }
    Ok(found.files.into_iter().map(|file| folder.join(file.path)).collect())
}

/// An image file upright, grey or in colour; transparent pixels are black.
fn decode(path: &Path) -> Result<Decoded> {
    let image = edgegen_data::open(path).with_context(|| format!("cannot read the image {}", path.display()))?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    let color = image.color();
    Ok(if color.has_alpha() {
        (over(&image.into_rgba8(), [0; 3]), [height, width, 3])
    } else if color.has_color() {
        (image.into_rgb8().into_raw(), [height, width, 3])
    } else {
        (image.into_luma8().into_raw(), [height, width, 1])
    })
}

/// Fits those of `count` pairs that the limit keeps.
fn assemble(
    root: &Path,
    count: usize,
    config: &DataConfig,
    decode: impl Fn(usize) -> Result<[Decoded; 2]>,
) -> Result<Pairs> {
    let &DataConfig { size, channels, limit, .. } = config;
    let mut images = [Vec::new(), Vec::new()];
    for index in select(count, limit, None) {
        for (all, (pixels, shape)) in images.iter_mut().zip(decode(index)?) {
            all.extend(fit_image(&pixels, shape, config));
        }
    }
    let shape = [size.h, size.w, channels];
    let name = root.display().to_string();
    let set = |images| Dataset { name: name.clone(), images, labels: None, class_names: Vec::new(), shape };
    let [inputs, targets] = images.map(set);
    Ok(Pairs { inputs, targets, matched: true })
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};

    fn config(root: &Path) -> DataConfig {
        DataConfig::new(root.to_str().unwrap(), 4, 1)
    }

    fn grey(root: &Path, name: &str, [width, height]: [u32; 2], value: u8) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_pixel(width, height, Luma([value])).save(path).unwrap();
    }

    fn refusal(root: &Path) -> String {
        load_pairs(&config(root), Split::Train).unwrap_err().to_string()
    }

    #[test]
    fn folders_are_paired_by_name_whatever_the_format() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [("a/2.png", 20), ("a/x/1.png", 10), ("b/x/1.jpg", 110), ("b/2.png", 120)] {
            grey(folder.path(), name, [8, 6], value);
        }
        std::fs::write(folder.path().join("a/notes.txt"), "no image").unwrap();
        let pairs = load_pairs(&config(folder.path()), Split::Train).unwrap();
        assert_eq!((pairs.inputs.len(), pairs.inputs.shape), (2, [4, 4, 1]));
        assert_eq!([0, 1].map(|i| [pairs.inputs.image(i)[0], pairs.targets.image(i)[0]]), [[20, 120], [10, 110]]);
        let one = load_pairs(&DataConfig { limit: Some(1), ..config(folder.path()) }, Split::Train).unwrap();
        assert_eq!([one.inputs.len(), one.targets.len()], [1, 1]);
        assert_eq!(one.targets.image(0)[0] - one.inputs.image(0)[0], 100, "a limit keeps pairs together");
    }

    #[test]
    fn unequal_names_and_sizes_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        assert!(
            refusal(&root.join("none"))
                .contains("fashion-edges, mnist-negative, emoji-pairs, speech or a folder of pairs")
        );
        assert!(refusal(root).contains("found neither"));
        grey(root, "a/1.png", [8, 8], 1);
        assert!(refusal(root).contains("without"), "{}", refusal(root));
        grey(root, "b/2.png", [8, 8], 1);
        let message = refusal(root);
        assert!(message.contains("none called 1: add it") && message.contains("a/1.png"), "{message}");
        grey(root, "b/1.png", [8, 7], 1);
        let message = refusal(root);
        assert!(message.contains("none called 2: add it") && message.contains("b/2.png"), "{message}");
        std::fs::remove_file(root.join("b/2.png")).unwrap();
        let message = refusal(root);
        assert!(message.contains("1.png of 8×8 and") && message.contains("of 8×7"), "{message}");
        grey(root, "b/1.jpg", [8, 8], 1);
        assert!(refusal(root).contains("one image of a name"), "{}", refusal(root));
    }

    #[test]
    fn halves_of_one_image_are_a_pair() {
        let folder = tempfile::tempdir().unwrap();
        let both = GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { 30 } else { 200 }]));
        both.save(folder.path().join("1.png")).unwrap();
        let pairs = load_pairs(&config(folder.path()), Split::Train).unwrap();
        assert_eq!([pairs.inputs.image(0), pairs.targets.image(0)], [[30; 16], [200; 16]]);
        grey(folder.path(), "2.png", [9, 8], 0);
        assert!(refusal(folder.path()).contains("2.png of 9×8"), "{}", refusal(folder.path()));
    }

    #[test]
    fn parts_are_laid_out_alike() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [("train/a/1.png", 1), ("train/b/1.png", 2), ("test/a/1.png", 3), ("test/b/1.png", 4)] {
            grey(folder.path(), name, [4, 4], value);
        }
        let test = load_pairs(&config(folder.path()), Split::Test).unwrap();
        assert_eq!([test.inputs.image(0)[0], test.targets.image(0)[0]], [3, 4]);
    }
}
