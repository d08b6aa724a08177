//! `edgegen play [MODEL]`: the browser as a board; with `--train` the studio of a training beside it.

use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use edgegen_export::ModelFile;
use edgegen_runtime::Model;
use edgegen_sim::boards::{self, Board};
use edgegen_sim::playground::{Chip, Offer, Playground};
use edgegen_sim::{Cpu, serve};

use super::fit::{Fit, pack_for};
use super::source::{project, read_any_model};
use super::{Console, Ending, bytes, training};
use crate::files;

/// The sheet of samples in the folder of a shipped model, which its card shows.
const SHEET: &str = "samples.png";

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file, or a folder with a model.egm, to begin with; the shipped models are there, too
    model: Option<PathBuf>,
    /// Train this recipe, or what `edgegen new` chooses for this folder of pictures, or go on with this run: its page
    /// shows how it goes, pauses it, exports it, and puts it on a board
    #[arg(long, value_name = "RECIPE|FOLDER|RUN", conflicts_with_all = ["model", "out"])]
    train: Option<PathBuf>,
    /// The run folder, in which all files are written [default: runs/ and the name of what is trained]
    #[arg(long, value_name = "FOLDER", requires = "train")]
    pub run: Option<PathBuf>,
    /// The board that shall draw, one of `edgegen boards`; refuse a recipe that would not fit it
    #[arg(long, requires = "train")]
    pub board: Option<String>,
    /// Go on without pictures that cannot be read
    #[arg(long, requires = "train")]
    pub skip_bad: bool,
    /// Port on localhost; 0 takes any that is free
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// Open no browser
    #[arg(long)]
    no_open: bool,
    /// Write the page to a folder, which any static host can serve, instead of serving it
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["port", "no_open"])]
    out: Option<PathBuf>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    if let Some(source) = &args.train {
        return training::studio::run(source, args, console);
    }
    let offers = offers(args.model.as_deref())?;
    let names: Vec<&str> = offers.iter().map(|offer| offer.name.as_str()).collect();
    console.say("building the page's program");
    let playground = Playground::build(&offers)?;
    if let Some(folder) = &args.out {
        for (name, contents) in playground.files() {
            files::replace_bytes(&folder.join(name), contents)?;
        }
        let size: usize = playground.files().values().map(Vec::len).sum();
        let value = serde_json::json!({ "folder": folder, "models": names, "bytes": size });
        return console.show(&value, || {
            format!("{}: {}, for any static host", folder.join("index.html").display(), bytes(size as u64))
        });
    }
    let listener = listen(args.port)?;
    let address = format!("http://{}/", listener.local_addr()?);
    console.show(&serde_json::json!({ "address": address, "models": names }), || address.clone())?;
    show(&address, args, console);
    serve::serve(&listener, serve::files(playground.files().clone())).context("cannot go on serving")?;
    Ok(Ending::Done)
}

/// Listens on a port of localhost.
pub fn listen(port: u16) -> Result<TcpListener> {
    serve::listen(port)
        .with_context(|| format!("cannot listen on port {port} of localhost: leave out --port, or give another"))
}

/// Opens a browser, unless none is wanted, and says how long there will be something to see in it.
pub fn show(address: &str, args: &Args, console: Console) {
    if !args.no_open && !open(address) {
        console.say("no browser could be started here: open that address in one");
    }
    console.say("serving it until Ctrl-C");
}

/// The boards whose figures a model is offered with.
pub fn with_chips() -> Result<Vec<Board>> {
    Ok(boards::all()?.into_iter().filter(|board| Cpu::CORTEX_M.contains(&board.cpu)).collect())
}

/// The model that was asked for, then those that ship.
fn offers(model: Option<&Path>) -> Result<Vec<Offer>> {
    let boards = with_chips()?;
    let mut paths = Vec::new();
    if let Some(path) = model {
        let inside = path.join("model.egm");
        ensure!(
            !path.is_dir() || inside.is_file(),
            "expected a model file or a folder with a model.egm, found the folder {}: make one with `edgegen export`",
            path.display()
        );
        let path = if path.is_dir() { inside } else { path.to_owned() };
        paths.push(path);
    }
    let folder = project().join("models");
    let shipped = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut shipped: Vec<PathBuf> =
        shipped.filter_map(|entry| Some(entry.ok()?.path().join("model.egm"))).filter(|path| path.is_file()).collect();
    shipped.sort();
    // Digits on request first, where nothing was asked for: there is the most to turn.
    shipped.sort_by_key(|path| name(path) != "mnist-cgan");
    paths.extend(shipped);

    let mut offers: Vec<Offer> = Vec::new();
    for path in paths {
        let mut offer = offer(&path, &boards)?;
        // A copy of a shipped model has its name.
        if offers.iter().any(|other| other.name == offer.name) {
            if offers.iter().any(|other| other.file == offer.file) {
                continue;
            }
            offer.name += "-shipped";
        }
        offers.push(offer);
    }
    Ok(offers)
}

/// A model file with what it comes to on boards.
pub fn offer(path: &Path, boards: &[Board]) -> Result<Offer> {
    let file = read_any_model(path)?;
    let packed = pack_for(&file, Cpu::Wasm32).with_context(|| path.display().to_string())?;
    let model = Model::parse_any(file.bytes())?;
    let chips = boards.iter().filter_map(|board| chip(&file, board).transpose()).collect::<Result<_>>()?;
    Ok(Offer {
        name: name(path),
        about: path.parent().map_or(String::new(), about),
        portable: [file.bytes().len() as u64, model.arena_bytes() as u64],
        chips,
        file: packed.bytes().to_owned(),
        sheet: sheet(path),
    })
}

/// What a model comes to on a board; `None` where it is packed for another processor.
fn chip(file: &ModelFile, board: &Board) -> Result<Option<Chip>> {
    let Ok(packed) = pack_for(file, board.cpu) else { return Ok(None) };
    let Fit { flash, ram, milliseconds, .. } = Fit::new(board, board.cpu, &packed)?;
    Ok(Some(Chip { board: board.name.clone(), title: board.title.clone(), flash, ram, milliseconds }))
}

/// The file's name, or its folder's if it is called model.egm.
fn name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    let named = if stem == "model" { path.parent().and_then(Path::file_name) } else { Some(stem) };
    named.unwrap_or(OsStr::new("model")).to_string_lossy().into_owned()
}

/// What the card in a model's folder begins with, behind its title; empty where there is no card.
fn about(folder: &Path) -> String {
    let card = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
    let mut paragraphs = card.split("\n\n").map(str::trim).skip_while(|paragraph| paragraph.starts_with('#'));
    paragraphs.next().unwrap_or_default().replace('\n', " ")
}

/// The sheet of samples beside a model.egm. Beside a file of another name there may be one of another model.
fn sheet(path: &Path) -> Option<Vec<u8>> {
    fs::read(path.parent()?.join(SHEET)).ok().filter(|_| path.file_name() == Some(OsStr::new("model.egm")))
}

/// Asks the desktop to show an address; whether there was a program to ask.
fn open(address: &str) -> bool {
    let program = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    let quiet = || Stdio::null();
    Command::new(program).arg(address).stdin(quiet()).stdout(quiet()).stderr(quiet()).spawn().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_models_are_offered_with_their_figures() {
        let offers = offers(None).unwrap();
        assert_eq!(offers[0].name, "mnist-cgan");
        // Those of sounds, too.
        assert!(offers.len() >= 6 && offers.iter().any(|offer| offer.name == "drums"));
        for Offer { name, about, portable, chips, file, sheet } in &offers {
            assert!(sheet.as_ref().is_some_and(|sheet| sheet.starts_with(b"\x89PNG")), "{name}");
            assert!(about.ends_with('.') && !about.contains('#'), "{name}: {about}");
            assert!(portable[0] > 10_000 && portable[1] > 300, "{name}: {portable:?}");
            assert!(chips.iter().any(|chip| chip.milliseconds.is_some()), "{name}");
            Model::parse_any(file).unwrap();
        }
    }

    #[test]
    fn a_model_of_ones_own_comes_first() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("icons.egm");
        fs::copy(project().join("models/mnist-vae/model.egm"), &path).unwrap();
        // Whose samples these are nobody knows.
        fs::write(folder.path().join(SHEET), "of another model").unwrap();
        let own = offers(Some(&path)).unwrap();
        assert!(own[0].sheet.is_none() && own[1].sheet.is_some());
        let names: Vec<String> = own.into_iter().map(|offer| offer.name).collect();
        assert_eq!(names[0], "icons");
        assert!(names.contains(&"icons-shipped".to_owned()), "{names:?}");
        // A folder of a shipped model is not offered twice.
        let count = offers(None).unwrap().len();
        assert_eq!(offers(Some(&project().join("models/icons"))).unwrap().len(), count);
        let error = offers(Some(folder.path())).unwrap_err().to_string();
        assert!(error.contains("a folder with a model.egm"), "{error}");
    }
}
