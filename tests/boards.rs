//! The firmware on emulated boards against the host: the same bytes of every image, the same pixels on the panel.

use std::path::PathBuf;

use edgegen_export::ModelFile;
use edgegen_sim::qemu::{self, Boot};
use edgegen_sim::report::Ending;
use edgegen_sim::{Cpu, PanelSpec, difference, firmware::Firmware, panel, panel_levels, photo_levels};

fn same_as_host(cpu: Cpu, seed: u64) {
    if let Err(missing) = qemu::check(cpu) {
        eprintln!("skipped on {}: {missing:#}", cpu.name());
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
fn cortex_m33() {
    same_as_host(Cpu::CortexM33, u64::MAX);
}
