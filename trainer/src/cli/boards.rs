//! `edgegen boards`.

use anyhow::Result;
use edgegen_sim::Board;
use edgegen_sim::boards::{self, Emulator};

use super::{Console, Ending, bytes, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A board to tell all about, its wiring too
    name: Option<String>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    if let Some(name) = &args.name {
        let board = boards::find(name)?;
        return console.show(&board, || one(&board));
    }
    let boards = boards::all()?;
    console.show(&boards, || {
        let rows = boards.iter().map(|board| {
            let panels: Vec<String> =
                board.panels.iter().map(|panel| format!("{} {}×{}", panel.name, panel.width, panel.height)).collect();
            [
                board.name.clone(),
                board.chip.clone(),
                board.cpu.to_string(),
                board.clock_mhz.map_or("–".to_owned(), |clock| format!("{clock} MHz")),
                kib(board.flash),
                kib(board.ram),
                panels.join(", "),
                ways(board),
                emulator(board),
            ]
        });
        let head = ["board", "chip", "core", "clock", "flash", "RAM", "panels", "flashed by", "emulated by"];
        table(head, rows) + "\n`edgegen boards NAME` shows the wiring"
    })
}

/// All about one board.
fn one(board: &Board) -> String {
    let clock = board.clock_mhz.map_or(String::new(), |clock| format!(" at {clock} MHz"));
    let facts = [
        ("board", board.title.clone()),
        ("chip", format!("{}, {}{clock}", board.chip, board.cpu)),
        (
            "flash",
            format!("{}, of which the program takes up to {}", bytes(board.flash.into()), kib(board.program_flash)),
        ),
        ("RAM", format!("{}, of which a model's arena may have {}", bytes(board.ram.into()), kib(board.arena))),
        ("flashed by", ways(board)),
        ("emulated by", emulator(board)),
    ];
    let mut text = table(["", &board.name], facts.map(|(what, fact)| [what.to_owned(), fact]));
    for panel in &board.panels {
        text += &format!("\n--panel {}: {}\n", panel.name, panel.title);
        if panel.wiring.is_empty() {
            text += "nothing to wire";
        } else {
            text += &table(["panel's pin", "board's pin"], panel.wiring.iter().cloned());
        }
    }
    if !board.speaker.is_empty() {
        text += "\nspeaker, of models that make sound\n";
        text += &table(["speaker's pin", "board's pin"], board.speaker.iter().cloned());
    }
    text
}

/// How a program gets there.
fn ways(board: &Board) -> String {
    let by = &board.flash_by;
    let mut ways = Vec::new();
    ways.extend(by.probe.then(|| "probe-rs".to_owned()));
    ways.extend(by.uf2.as_ref().map(|uf2| format!("UF2 to drive {}", uf2.volume)));
    ways.extend(by.drive.as_ref().map(|drive| format!("{} to drive {}", drive.format.extension(), drive.volume)));
    ways.extend(by.dfu.as_ref().map(|_| "dfu-util".to_owned()));
    ways.extend(board.system.as_ref().map(|system| format!("a program for {system}")));
    if ways.is_empty() { "file".to_owned() } else { ways.join(", ") }
}

fn emulator(board: &Board) -> String {
    if board.emulator == Emulator::None { "–" } else { board.emulator.name() }.to_owned()
}

fn kib(bytes: u32) -> String {
    format!("{} KiB", bytes / 1024)
}
