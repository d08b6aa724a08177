//! The firmware on emulated boards against the host: the same bytes of every image, the same pixels on the panel.

use std::io::Write;
use std::path::PathBuf;

use edgegen_export::ModelFile;
use edgegen_sim::qemu::{self, Boot};
use edgegen_sim::report::Ending;
use edgegen_sim::{Cpu, PanelSpec, boards, difference, firmware::Firmware, panel, panel_levels, photo_levels};

/// The arena that the firmware sets aside, whatever the model.
const ARENA_BYTES: u32 = 36 * 1024;

/// Whether what emulates `cpu` is missing here; says what, and fails where it is required.
pub fn skipped(cpu: Cpu) -> bool {
    let Err(missing) = qemu::check(cpu) else { return false };
    assert!(std::env::var_os("EDGEGEN_BOARDS").is_none(), "{missing:#}");
    // Straight to the terminal: what a passing test prints is not shown.
    let mut terminal = std::io::stderr();
    writeln!(terminal, "skipped on {}: {missing:#}", cpu.name()).unwrap();
    true
}

fn same_as_host(cpu: Cpu, seed: u64) {
    if skipped(cpu) {
        return;
    }
    let model = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../models/mnist-dcgan/model.egm"));
    let file = ModelFile::read(&model).unwrap();
    let host = panel::photo(file.bytes(), seed, PanelSpec::OLED).unwrap();
    let firmware = Firmware::build(&model, cpu).unwrap();
    let board = qemu::boot(&firmware, Boot { seed, ..Boot::default() }).unwrap();

    assert!(matches!(board.report.ending, Some(Ending::Done { .. })), "{:?}", board.report.ending);
    assert_eq!(board.report.images.len(), 8, "128×64 holds 4×2 images of 28×28");
    assert!(board.report.images.iter().all(|image| image.ticks > 0));
    // `edgegen inspect` tells from these numbers whether a model fits.
    let budget = boards::ALL[0];
    let program_flash = firmware.flash_bytes - file.bytes().len() as u32;
    assert!(program_flash <= budget.program_flash, "{program_flash} bytes of flash");
    let program_ram = firmware.ram_bytes - ARENA_BYTES + board.stack_bytes;
    assert!(program_ram <= budget.program_ram, "{program_ram} bytes of RAM");
    assert_eq!(board.report.without_ticks(), host.report);
    let (photo, expected) = (photo_levels(&board.png).unwrap(), panel_levels(&host.image).unwrap());
    assert_eq!(difference(&photo, &expected), None);
    assert!(expected.contains(&15), "the panel shows something");
}

#[test]
fn cortex_m0() {
    same_as_host(Cpu::CortexM0, 1);
}

#[test]
fn cortex_m3() {
    same_as_host(Cpu::CortexM3, 2);
}

#[test]
fn cortex_m4() {
    same_as_host(Cpu::CortexM4, 3);
}

#[test]
fn cortex_m7() {
    same_as_host(Cpu::CortexM7, 4);
}

#[test]
fn cortex_m33() {
    same_as_host(Cpu::CortexM33, u64::MAX);
}

#[test]
fn cortex_m55() {
    same_as_host(Cpu::CortexM55, 5);
}
