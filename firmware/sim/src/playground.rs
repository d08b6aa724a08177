//! The browser as a board: the page of `firmware/boards/browser`, its program and the models that it offers, as files
//! that any static host can serve. The page asks no other host for anything.
//!
//! ```text
//! index.html, *.css, *.js           from firmware/boards/browser/page, as they are
//! edgegen.wasm                      the program
//! playground.json                   the panels of board.toml, and the models with their figures
//! NAME.egm                          the models
//! NAME.png                          a sheet of samples of each that has one
//! ```
//!
//! The page of a studio has the files of `firmware/boards/browser/studio` besides, and no models: they come to be while
//! it is served.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Serialize, Serializer};

use crate::boards::{self, Board, Panel};
use crate::firmware;
use crate::folder::root;

/// Name of the board.
pub const BOARD: &str = "browser";

/// A model that the page offers.
#[derive(Clone, Debug, Serialize)]
pub struct Offer {
    /// What it is called.
    pub name: String,
    /// What it draws, in a sentence; may be empty.
    pub about: String,
    /// Bytes of the file in the portable packing, and of its arena.
    pub portable: [u64; 2],
    /// What it comes to on boards with a chip.
    pub chips: Vec<Chip>,
    /// The file, in a packing that the browser's kernel reads.
    #[serde(skip)]
    pub file: Vec<u8>,
    /// A sheet of its samples, a PNG; the page is told whether there is one.
    #[serde(serialize_with = "is_there")]
    pub sheet: Option<Vec<u8>>,
}

fn is_there<S: Serializer>(sheet: &Option<Vec<u8>>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_bool(sheet.is_some())
}

/// What a model comes to on a board.
#[derive(Clone, Debug, Serialize)]
pub struct Chip {
    /// Name of the board.
    pub board: String,
    /// What people call it.
    pub title: String,
    /// Bytes of flash that the model takes, and that there are for it.
    pub flash: [u64; 2],
    /// Bytes of RAM that its arena takes, and that there are for it.
    pub ram: [u64; 2],
    /// About how long an image takes, where that is known.
    pub milliseconds: Option<f64>,
}

/// What the page of a studio knows from the beginning.
#[derive(Clone, Debug, Serialize)]
pub struct Studio<'a> {
    /// What the run is called.
    pub name: &'a str,
    /// The board that is chosen at first.
    pub board: &'a str,
    /// The boards to choose from.
    pub boards: &'a [Board],
}

/// The files.
#[derive(Clone, Debug)]
pub struct Playground {
    files: BTreeMap<String, Vec<u8>>,
}

/// What the page reads first.
#[derive(Serialize)]
struct List<'a> {
    panels: &'a [Panel],
    models: &'a [Offer],
    #[serde(skip_serializing_if = "Option::is_none")]
    studio: Option<&'a Studio<'a>>,
}

impl Playground {
    /// Builds the program and puts all files together; the page opens the first of the models.
    ///
    /// # Errors
    ///
    /// When the program cannot be built here, saying what to install; or when two models have one name.
    pub fn build(models: &[Offer]) -> Result<Self> {
        Self::put_together(models, None)
    }

    /// The same with a studio on its page, and no models.
    ///
    /// # Errors
    ///
    /// When the program cannot be built here, saying what to install.
    pub fn studio(studio: &Studio<'_>) -> Result<Self> {
        Self::put_together(&[], Some(studio))
    }

    fn put_together(models: &[Offer], studio: Option<&Studio<'_>>) -> Result<Self> {
        let board = boards::find(BOARD)?;
        firmware::check(board.cpu)?;
        let mut files = files_in(&board, "page")?;
        if studio.is_some() {
            files.extend(files_in(&board, "studio")?);
        }
        let program = board.cpu.build(&board.folder(), &[])?;
        let read = |path: &Path| fs::read(path).with_context(|| format!("could not read {}", path.display()));
        files.insert("edgegen.wasm".to_owned(), read(&program)?);
        let list = List { panels: &board.panels, models, studio };
        files.insert("playground.json".to_owned(), serde_json::to_vec(&list)?);
        for Offer { name, file, sheet, .. } in models {
            files.extend(sheet.iter().map(|sheet| (format!("{name}.png"), sheet.clone())));
            let before = files.insert(format!("{name}.egm"), file.clone());
            ensure!(before.is_none(), "expected models of different names, found two called {name}: rename one");
        }
        Ok(Self { files })
    }

    /// Name and bytes of each file.
    pub fn files(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.files
    }
}

/// The files in a folder of the board.
fn files_in(board: &Board, folder: &str) -> Result<BTreeMap<String, Vec<u8>>> {
    let folder = root()?.join(board.folder()).join(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("could not list {}", folder.display()))?;
    entries
        .map(|entry| {
            let path = entry?.path();
            let bytes = fs::read(&path).with_context(|| format!("could not read {}", path.display()))?;
            Ok((path.file_name().unwrap_or_default().to_string_lossy().into_owned(), bytes))
        })
        .collect()
}
