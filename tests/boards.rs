//! The firmware on emulated boards against the host: the same bytes of every image, the same pixels on the panel.

use std::io::Write;

use edgegen_export::repack;
use edgegen_runtime::{Model, Packing};
use edgegen_sim::qemu::{self, Boot};
use edgegen_sim::report::Ending;
use edgegen_sim::{Cpu, PanelSpec, boards, difference, firmware::Firmware, panel, panel_levels, photo_levels};
use edgegen_tests::shipped;

/// Whether what emulates `cpu` is missing here; says what, and fails where it is required.
pub fn skipped(cpu: Cpu) -> bool {
    let Err(missing) = qemu::check(cpu) else { return false };
    assert!(std::env::var_os("EDGEGEN_BOARDS").is_none(), "{missing:#}");
    // Straight to the terminal: what a passing test prints is not shown.
    let mut terminal = std::io::stderr();
    writeln!(terminal, "skipped on {}: {missing:#}", cpu.name()).unwrap();
    true
}

/// Draws with weights in `packing` on the board, and in the portable packing here.
fn same_as_host(cpu: Cpu, packing: Packing, seed: u64) {
    if skipped(cpu) {
        return;
    }
    let portable = shipped("mnist-dcgan");
    let host = panel::photo(portable.bytes(), seed, PanelSpec::OLED).unwrap();
    let file = repack(&portable, packing).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.egm");
    std::fs::write(&model, file.bytes()).unwrap();
    let lm3s6965evb = boards::find("lm3s6965evb").unwrap();
    let firmware = Firmware::build(&model, &lm3s6965evb, &lm3s6965evb.panels[0], cpu).unwrap();
    let board = qemu::boot(&firmware, Boot { seed, ..Boot::default() }).unwrap();

    assert!(matches!(board.report.ending, Some(Ending::Done { .. })), "{:?}", board.report.ending);
    assert_eq!(board.report.images.len(), 8, "128×64 holds 4×2 images of 28×28");
    assert!(board.report.images.iter().all(|image| image.ticks > 0));
    // `edgegen inspect` tells from these numbers whether a model fits.
    let program_flash = firmware.flash_bytes - file.bytes().len() as u32;
    assert!(program_flash <= lm3s6965evb.program_flash, "{program_flash} bytes of flash on {cpu}");
    let program_ram = firmware.ram_bytes - lm3s6965evb.arena + board.stack_bytes;
    assert!(program_ram <= lm3s6965evb.program_ram, "{program_ram} bytes of RAM");
    let mut expected = host.report;
    if let Some(line) = &mut expected.model {
        // The kernel's working memory comes on top.
        line.arena_bytes = Model::parse_any(file.bytes()).unwrap().arena_bytes();
    }
    // Not `assert_eq`, which would print all bytes of all images.
    assert!(board.report.without_ticks() == expected, "{cpu} draws something else");
    let (photo, expected) = (photo_levels(&board.png).unwrap(), panel_levels(&host.image).unwrap());
    assert_eq!(difference(&photo, &expected), None);
    assert!(expected.contains(&15), "the panel shows something");
}

#[test]
fn cortex_m0() {
    same_as_host(Cpu::CortexM0, Cpu::CortexM0.packing(), 1);
}

#[test]
fn cortex_m3() {
    same_as_host(Cpu::CortexM3, Cpu::CortexM3.packing(), 2);
}

#[test]
fn cortex_m4() {
    same_as_host(Cpu::CortexM4, Cpu::CortexM4.packing(), 3);
}

#[test]
fn cortex_m7() {
    same_as_host(Cpu::CortexM7, Cpu::CortexM7.packing(), 4);
}

#[test]
fn cortex_m33() {
    same_as_host(Cpu::CortexM33, Cpu::CortexM33.packing(), u64::MAX);
}

#[test]
fn cortex_m55() {
    same_as_host(Cpu::CortexM55, Cpu::CortexM55.packing(), 5);
}

#[test]
fn cortex_m0_runs_portable_models_too() {
    same_as_host(Cpu::CortexM0, Packing::Portable, 6);
}

#[test]
fn cortex_m4_runs_portable_models_too() {
    same_as_host(Cpu::CortexM4, Packing::Portable, 6);
}
