//! Images of two kinds, none of which belongs to one of the other: what is read, and what it should become.
//!
//! | source | inputs | targets |
//! | --- | --- | --- |
//! | `bags-shoes` | the bags of `fashion-mnist` | its sandals, sneakers and ankle boots |
//! | `name` and `target` | the images of one set or folder | those of another |
//! | a folder with `a/` and `b/` | the images below `a/` | those below `b/` |
//! | any set of pairs | every other input, from the first on | the targets of the rest |
//!
//! Of a set of pairs no image is learned from whose partner is learned from, too, so that there are no pairs to be
//! found; test images are whole pairs, whose truth is known.

use std::path::Path;

use anyhow::{Result, ensure};
use edgegen_data::{Account, Progress, part};

use super::catalogue::{self, DatasetInfo};
use super::pairs::{self, EDGES, Pairs, load_pairs};
use super::{Dataset, Split, load_split, own_set, read, sentences};
use crate::recipe::DataConfig;

/// Two kinds of images in one set.
#[derive(Debug)]
pub(super) struct Kinds {
    /// The name to give as `data.name`.
    pub(super) name: &'static str,
    /// The set whose images are taken.
    pub(super) source: &'static str,
    what: &'static str,
    /// Classes of what is read.
    inputs: &'static [u8],
    /// Classes of what it should become.
    targets: &'static [u8],
}

/// All of them.
pub(super) static KINDS: [Kinds; 1] = [Kinds {
    name: "bags-shoes",
    source: "fashion-mnist",
    what: "bags and shoes of fashion-mnist, two kinds without pairs",
    inputs: &[8],
    targets: &[5, 7, 9],
}];

/// The set of two kinds of that name, if any.
pub(super) fn kinds(name: &str) -> Option<&'static Kinds> {
    KINDS.iter().find(|kinds| kinds.name == name)
}

impl Kinds {
    pub(super) fn info(&self) -> DatasetInfo {
        let source = catalogue::info(catalogue::find(self.source).expect("the catalogue has it"));
        let part = |images: usize| images * (self.inputs.len() + self.targets.len()) / source.classes;
        DatasetInfo {
            name: self.name,
            what: self.what,
            count: source.count.map(part),
            classes: self.inputs.len() + self.targets.len(),
            sources: Vec::new(),
            ..source
        }
    }
}

/// Images of two kinds, all of one size, and an account of each that was read by itself; at most `data.limit` of
/// either.
///
/// # Errors
///
/// One sentence with what was expected, what was found and what to do.
pub fn load_unpaired(config: &DataConfig, split: Split, progress: Progress<'_>) -> Result<(Pairs, Vec<Account>)> {
    let (pairs, accounts) = load_straight(config, split, progress)?;
    Ok((pairs.turned(config), accounts))
}

fn load_straight(config: &DataConfig, split: Split, progress: Progress<'_>) -> Result<(Pairs, Vec<Account>)> {
    // Class names in the recipe would be those of one side.
    let one = |name: &str| DataConfig {
        name: name.to_owned(),
        target: None,
        reverse: false,
        classes: Vec::new(),
        ..config.clone()
    };
    let both = |names: [&str; 2]| -> Result<(Pairs, Vec<Account>)> {
        let [(inputs, a), (targets, b)] =
            [read(&one(names[0]), split, progress)?, read(&one(names[1]), split, progress)?];
        Ok((Pairs { inputs, targets, matched: false }, vec![a, b]))
    };
    if let Some(target) = &config.target {
        return both([&config.name, target]);
    }
    let (known, path) = (own_set(&config.name), Path::new(&config.name));
    if let Some(kinds) = known.and_then(kinds) {
        let source = load_split(&DataConfig { limit: None, ..one(kinds.source) }, split)?;
        let some =
            |classes: &[u8]| Dataset { name: kinds.name.to_owned(), ..of_classes(&source, classes, config.limit) };
        let pairs = Pairs { inputs: some(kinds.inputs), targets: some(kinds.targets), matched: false };
        return Ok((pairs, Vec::new()));
    }
    ensure!(
        known.map_or(path.is_dir(), |name| pairs::made(name).is_some() || sentences::find(name).is_some()),
        "expected a set of two kinds ({}), of pairs ({}), or a folder with sub-folders a and b, found {}: say in data.target what its \
         images should become, if they are one side",
        KINDS.each_ref().map(|kinds| kinds.name).join(", "),
        pairs::MADE.each_ref().map(|made| made.name).join(", "),
        config.name
    );
    if known.is_none() {
        let root = part(path, split)?;
        let sides = ["a", "b"].map(|side| root.join(side));
        if sides.iter().all(|side| side.is_dir()) {
            let [a, b] = sides.map(|side| side.to_string_lossy().into_owned());
            // The part has been chosen already.
            let [(inputs, a), (targets, b)] =
                [read(&one(&a), Split::Train, progress)?, read(&one(&b), Split::Train, progress)?];
            return Ok((Pairs { inputs, targets, matched: false }, vec![a, b]));
        }
    }
    let pairs = load_pairs(&one(&config.name), split)?;
    Ok((if split == Split::Train { parted(pairs) } else { pairs }, Vec::new()))
}

/// The images of some classes, with their labels.
fn of_classes(source: &Dataset, classes: &[u8], limit: Option<usize>) -> Dataset {
    let labels = source.labels.as_deref().unwrap_or_default();
    let chosen = (0..source.len()).filter(|&index| labels.get(index).is_some_and(|label| classes.contains(label)));
    of_indices(source, chosen.take(limit.unwrap_or(usize::MAX)))
}

/// Every other input, and the targets of the rest.
fn parted(Pairs { inputs, targets, .. }: Pairs) -> Pairs {
    let count = inputs.len();
    Pairs {
        inputs: of_indices(&inputs, (0..count).step_by(2)),
        targets: of_indices(&targets, (1..count).step_by(2)),
        matched: false,
    }
}

fn of_indices(source: &Dataset, indices: impl Iterator<Item = usize>) -> Dataset {
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for index in indices {
        images.extend_from_slice(source.image(index));
        labels.extend(source.labels.as_ref().map(|labels| labels[index]));
    }
    let labels = source.labels.is_some().then_some(labels);
    Dataset { name: source.name.clone(), images, labels, class_names: source.class_names.clone(), shape: source.shape }
}

/// The data whose shipped judge knows what should be made; there may be none.
pub fn judged(config: &DataConfig) -> &str {
    let DataConfig { name, target, reverse, .. } = config;
    if let Some(target) = target {
        return if *reverse { name } else { target };
    }
    let of_known = own_set(name).and_then(|known| match (kinds(known), pairs::made(known)) {
        (Some(kinds), _) => Some(kinds.source),
        // Edges are no clothes any more, but what they were taken from is.
        (_, Some(made)) if (known == EDGES) != *reverse => Some(made.source),
        _ => None,
    });
    of_known.unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};

    fn load(config: &DataConfig, split: Split) -> Result<(Pairs, Vec<Account>)> {
        load_unpaired(config, split, &|_, _| true)
    }

    #[test]
    fn two_sets_and_the_other_way_round() {
        let config = DataConfig { target: Some("icons".into()), limit: Some(50), ..DataConfig::new("glyphs", 8, 1) };
        let (pairs, accounts) = load(&config, Split::Train).unwrap();
        assert_eq!((&*pairs.inputs.name, &*pairs.targets.name, pairs.matched), ("glyphs", "icons", false));
        assert_eq!((pairs.inputs.len(), accounts.len()), (50, 2));
        let (turned, _) = load(&DataConfig { reverse: true, ..config.clone() }, Split::Train).unwrap();
        assert_eq!((turned.inputs, turned.targets), (pairs.targets, pairs.inputs));
        let turned = DataConfig { reverse: true, ..config.clone() };
        assert_eq!([judged(&config), judged(&turned)], ["icons", "glyphs"]);
        let error =
            load_pairs(&DataConfig { target: Some("icons".into()), ..DataConfig::new("glyphs", 8, 1) }, Split::Train);
        assert!(error.unwrap_err().to_string().contains("leave out data.target"));
        let error = load(&DataConfig::new("glyphs", 8, 1), Split::Train).unwrap_err().to_string();
        assert!(error.contains("bags-shoes") && error.contains("data.target"), "{error}");
    }

    #[test]
    fn folders_need_no_equal_names_or_counts() {
        let folder = tempfile::tempdir().unwrap();
        for (name, value) in [("a/1.png", 10), ("a/2.png", 20), ("a/x/3.png", 30), ("b/photo.jpg", 200)] {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            GrayImage::from_pixel(8, 8, Luma([value])).save(path).unwrap();
        }
        let config = DataConfig::new(folder.path().to_str().unwrap(), 4, 1);
        let (pairs, accounts) = load(&config, Split::Train).unwrap();
        assert_eq!([pairs.inputs.len(), pairs.targets.len()], [3, 1]);
        assert_eq!((pairs.inputs.image(2)[0], pairs.targets.image(0)[0], accounts[0].images), (30, 200, 3));
        assert!(load(&config, Split::Test).is_err(), "there is no test part");
    }

    #[test]
    fn no_training_image_has_its_partner_beside_it() {
        let images = |first: u8| Dataset {
            name: "x".into(),
            images: (first..first + 5).collect(),
            labels: Some((0..5).collect()),
            class_names: Vec::new(),
            shape: [1, 1, 1],
        };
        let pairs = parted(Pairs { inputs: images(0), targets: images(100), matched: true });
        assert_eq!(
            (&*pairs.inputs.images, &*pairs.targets.images, pairs.matched),
            (&[0, 2, 4][..], &[101, 103][..], false)
        );
        assert_eq!(pairs.targets.labels, Some(vec![1, 3]));
        let some = of_classes(&images(7), &[1, 4], Some(1));
        assert_eq!((some.images, some.labels), (vec![8], Some(vec![1])));
    }

    #[test]
    fn the_judge_is_that_of_what_is_made() {
        let judge = |name: &str, reverse| judged(&DataConfig { reverse, ..DataConfig::new(name, 28, 1) }).to_owned();
        assert_eq!(judge("bags-shoes", false), "fashion-mnist");
        assert_eq!(judge("bags-shoes", true), "fashion-mnist");
        assert_eq!([judge("mnist-negative", false), judge("mnist-negative", true)], ["mnist-negative", "mnist"]);
        assert_eq!([judge("fashion-edges", false), judge("fashion-edges", true)], ["fashion-mnist", "fashion-edges"]);
    }
}
