//! What the firmware of each board takes: flash, variables, arena, stack.

use anyhow::{Context, Result};
use edgegen_export::repack;
use edgegen_sim::Cpu;
use edgegen_sim::boards::{self, Board, Panel};
use edgegen_sim::emulator::{self, Scene};
use edgegen_sim::firmware::Firmware;

/// The shipped model that every board has room for.
const MODEL: &str = "mnist-dcgan";

/// One firmware in bytes.
struct Size {
    name: String,
    /// Without the model.
    flash: u32,
    /// Without the arena.
    variables: u32,
    arena: u32,
    /// What is left for the stack.
    room: u32,
    /// Most in use, where the board's emulator shows it.
    stack: Option<u32>,
}

/// Prints a table of all boards with a Cortex-M, each with every panel.
///
/// # Errors
///
/// When a compiler or an emulator fails; one that is missing leaves its column empty.
pub fn print() -> Result<()> {
    let mut sizes = Vec::new();
    for board in boards::all()?.iter().filter(|board| Cpu::CORTEX_M.contains(&board.cpu)) {
        for panel in &board.panels {
            sizes.push(size(board, panel).with_context(|| format!("{} with {}", board.name, panel.name))?);
        }
    }
    let deepest = sizes.iter().filter_map(|size| size.stack).max();
    println!("\nBytes of each board's firmware, with {MODEL}:\n");
    println!("| board | flash without model | variables without arena | arena | left for the stack | most stack |");
    println!("|---|{}", "---:|".repeat(5));
    for Size { name, flash, variables, arena, room, stack } in &sizes {
        let stack = match (stack, deepest) {
            (Some(stack), _) => stack.to_string(),
            (None, Some(deepest)) => format!("≈ {deepest}"),
            (None, None) => "–".to_owned(),
        };
        println!("| {name} | {flash} | {variables} | {arena} | {room} | {stack} |");
    }
    println!(
        "\nFlash, variables and arena are the linked program's. Most stack is measured in the emulator, while a gallery is drawn; ≈ \
         marks boards that nothing emulates, with the most of the others, which run the same app."
    );
    Ok(())
}

fn size(board: &Board, panel: &Panel) -> Result<Size> {
    let file = repack(&edgegen_tests::shipped(MODEL), board.cpu.packing())?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("model.egm");
    std::fs::write(&path, file.bytes())?;
    let firmware = Firmware::build(&path, board, panel, board.cpu)?;
    let emulated = board.emulator.boots() && emulator::check(board, board.cpu).is_ok();
    let scene = Scene { seed: 1, act: None };
    let stack = if emulated { emulator::run(&path, board, panel, board.cpu, scene)?.stack_bytes } else { None };
    Ok(Size {
        name: format!("{}, {}", board.name, panel.name),
        flash: firmware.flash_bytes - file.bytes().len() as u32,
        variables: firmware.ram_bytes - board.arena,
        arena: board.arena,
        room: board.ram - firmware.ram_bytes,
        stack,
    })
}
