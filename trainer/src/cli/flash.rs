//! `edgegen flash m.egm --board B`: from a model file to a device that draws.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use edgegen_runtime::Model;
use edgegen_sim::firmware::{self, Firmware};
use edgegen_sim::flash::Way;
use edgegen_sim::{Board, boards, emulator, scatter};

use super::fit::{Fit, pack_for};
use super::pictures::Pictures;
use super::setup::Setup;
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
    /// What the board shows first: gallery, walk, mix, noise, middle, class, class=N, class=NAME, picture, picture=N,
    /// art: one picture in a frame, signed, which slowly becomes the next; or drums, of a model that makes sound
    #[arg(long, value_parser = act)]
    mode: Option<String>,
    /// Seed of its first image
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Write the program there (.uf2, .hex, .bin or .elf) and flash nothing
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Flash through the debug probe, whatever else is connected
    #[arg(long, conflicts_with_all = ["drive", "out"])]
    probe: bool,
    /// Flash by the board's drive that is mounted there
    #[arg(long, value_name = "FOLDER", conflicts_with = "out")]
    drive: Option<PathBuf>,
    /// Build, and say what would be flashed and how
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pictures: Pictures,
    #[command(flatten)]
    setup: Setup,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let board = boards::find(&args.board)?;
    let panel = &board.panel(args.panel.as_deref())?.fitted(args.setup.panel())?;
    let file = args.pictures.complete(read_any_model(&args.model)?)?;
    let model = Model::parse_any(file.bytes())?;
    let mode = classes::act(&model, args.mode.as_deref())?;
    let is_scattered = scatter::is_point(model.output());
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
    let name = args.model.file_stem().unwrap_or_default().to_string_lossy();
    let ways = match (&args.out, &args.drive) {
        (Some(out), _) => vec![Way::file(&board, out)?],
        (_, Some(drive)) => vec![Way::on_drive(&board, &name, drive)?],
        _ if args.probe => vec![Way::probe(&board)?],
        _ => Way::open(&board, &name, args.model.parent().unwrap_or(Path::new("")))?,
    };
    emulator::has_act(&board, mode.as_deref())?;
    firmware::check(board.cpu)?;

    let dots = if is_scattered { ", which will show points of the plane as dots" } else { "" };
    console.say(&format!("building the firmware of the {} for {}{dots}", board.name, panel.title));
    let folder = tempfile::tempdir().context("could not make a temporary folder")?;
    let model = folder.path().join("model.egm");
    files::replace_bytes(&model, packed.bytes())?;
    let first = format!("{} seed={}", mode.as_deref().unwrap_or(""), args.seed);
    let program = Firmware::build_show(&model, &board, panel, board.cpu, &first)?;

    let (way, seen) = match args.dry_run {
        true => (&ways[0], None),
        false => {
            if let Some(out) = &args.out {
                files::create_parent(out)?;
            }
            flash(&ways, &board, &program.elf(), console)?
        }
    };
    let value = serde_json::json!({
        "board": board.name,
        "panel": panel.name,
        "setup": panel.setup.to_string(),
        "packing": fit.packing,
        "flash": [program.flash_bytes, board.flash],
        "ram": [program.ram_bytes, board.ram],
        "milliseconds": fit.milliseconds,
        "way": way.name(),
        "file": way.path(),
        "flashed": !args.dry_run,
        "taken": seen,
    });
    console.show(&value, || {
        let done = match (args.dry_run, way.name(), seen) {
            (true, ..) => "would go",
            (_, "file", _) => "written",
            (_, _, Some(false)) => {
                "written, but the drive has not gone away, as it does when a board starts its program: look at the board;"
            }
            (_, _, Some(true)) => "flashed",
            (_, _, None) => "written",
        };
        format!(
            "{done} {}\n{} of flash of {}, {} of RAM besides the stack of {}{}",
            way.describe(&board),
            bytes(program.flash_bytes.into()),
            bytes(board.flash.into()),
            bytes(program.ram_bytes.into()),
            bytes(board.ram.into()),
            fit.milliseconds.map_or(String::new(), |_| format!("; {} takes {}", fit.makes, fit.pace(""))),
        )
    })
}

/// Takes the first way that works, and says of the others why they did not.
fn flash<'a>(ways: &'a [Way], board: &Board, elf: &Path, console: Console) -> Result<(&'a Way, Option<bool>)> {
    let mut failed = Vec::new();
    for (index, way) in ways.iter().enumerate() {
        match way.flash(elf) {
            Ok(seen) => return Ok((way, seen)),
            Err(error) => {
                if let Some(next) = ways.get(index + 1) {
                    console.say(&format!("{error:#}; trying it {}", next.describe(board)));
                }
                failed.push(format!("{error:#}"));
            }
        }
    }
    bail!("could not flash the {}: {}; --out FILE writes the program as a file", board.name, failed.join("; "))
}
