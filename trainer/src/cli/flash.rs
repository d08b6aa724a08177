//! `edgegen flash m.egm --board B`: from a model file to a device that draws.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use edgegen_runtime::Model;
use edgegen_sim::firmware::{self, Firmware};
use edgegen_sim::flash::Way;
use edgegen_sim::{boards, emulator};

use super::fit::{Fit, pack_for};
use super::sim::act;
use super::source::read_any_model;
use super::{Console, Ending, bytes, classes};
use crate::files;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// The board, one of `edgegen boards`
    #[arg(long)]
    board: String,
    /// The panel, if the board can have another than its first
    #[arg(long)]
    panel: Option<String>,
    /// What the board shows first: gallery, walk, class, class=N or class=NAME
    #[arg(long, value_parser = act)]
    mode: Option<String>,
    /// Seed of its first image
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the program there (.uf2, .hex, .bin or .elf) and flash nothing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Build, and say what would be flashed and how
    #[arg(long)]
    dry_run: bool,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let board = boards::find(&args.board)?;
    let panel = board.panel(args.panel.as_deref())?;
    let file = read_any_model(&args.model)?;
    let mode = classes::act(&Model::parse_any(file.bytes())?, args.mode.as_deref())?;
    let packed = pack_for(&file, board.cpu).with_context(|| args.model.display().to_string())?;
    let fit = Fit::new(&board, board.cpu, &packed)?;
    ensure!(
        fit.fits,
        "{} does not fit the {}: {}; {}",
        args.model.display(),
        board.name,
        fit.verdict(),
        fit.advice.join("; ")
    );
    // What cannot be is said before anything is built.
    let chosen = args.out.as_deref().map(|out| Way::file(&board, out)).transpose()?;
    emulator::has_act(&board, mode.as_deref())?;
    firmware::check(board.cpu)?;

    console.say(&format!("building the firmware of the {} for {}", board.name, panel.title));
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let model = folder.path().join("model.egm");
    files::replace_bytes(&model, packed.bytes())?;
    let first = format!("{} seed={}", mode.as_deref().unwrap_or(""), args.seed);
    let program = Firmware::build_show(&model, &board, panel, board.cpu, &first)?;

    let way = chosen.unwrap_or_else(|| {
        let name = args.model.file_stem().unwrap_or_default().to_string_lossy();
        Way::open(&board, &name, args.model.parent().unwrap_or(Path::new("")))
    });
    if !args.dry_run {
        if let Some(out) = &args.out {
            files::create_parent(out)?;
        }
        way.flash(&program.elf())?;
    }
    let value = serde_json::json!({
        "board": board.name,
        "panel": panel.name,
        "packing": fit.packing,
        "flash": [program.flash_bytes, board.flash],
        "ram": [program.ram_bytes, board.ram],
        "milliseconds": fit.milliseconds,
        "way": way.name(),
        "file": way.path(),
        "flashed": !args.dry_run,
    });
    console.show(&value, || {
        let done = match (args.dry_run, way.name()) {
            (true, _) => "would go",
            (false, "file") => "written",
            (false, _) => "flashed",
        };
        format!(
            "{done} {}\n{} of flash of {}, {} of RAM besides the stack of {}{}",
            way.describe(&board),
            bytes(program.flash_bytes.into()),
            bytes(board.flash.into()),
            bytes(program.ram_bytes.into()),
            bytes(board.ram.into()),
            fit.milliseconds.map_or(String::new(), |_| format!("; an image takes {}", fit.time())),
        )
    })
}
