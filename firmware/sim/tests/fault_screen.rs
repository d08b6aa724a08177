//! A file that is no model, on the emulated board and on the simulated panel: the same error screen, pixel for pixel.

use std::fs;
use std::io::Write;
use std::time::Duration;

use edgegen_sim::firmware::Firmware;
use edgegen_sim::panel::{PanelSpec, photo};
use edgegen_sim::qemu::{self, Boot};
use edgegen_sim::report::Ending;
use edgegen_sim::{Cpu, boards, difference, panel_levels, photo_levels};

#[test]
fn the_board_and_the_host_show_the_same_fault() {
    let cpu = Cpu::CortexM3;
    if let Err(missing) = qemu::check(cpu) {
        assert!(std::env::var_os("EDGEGEN_BOARDS").is_none(), "{missing:#}");
        // Straight to the terminal: what a passing test prints is not shown.
        let mut terminal = std::io::stderr();
        writeln!(terminal, "skipped: {missing:#}").unwrap();
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("broken.egm");
    let bytes = b"EGM1, but nothing like a model after that";
    fs::write(&model, bytes).unwrap();

    let board = boards::find("lm3s6965evb").unwrap();
    let firmware = Firmware::build(&model, &board, &board.panels[0], cpu).unwrap();
    let shot = qemu::boot(&firmware, Boot::default()).unwrap();
    let host = photo(bytes, 1, PanelSpec::OLED).unwrap();
    assert!(matches!(shot.report.ending, Some(Ending::Fault(_))), "{:?}", shot.report);
    assert_eq!(shot.report, host.report);
    let (shown, expected) = (photo_levels(&shot.png).unwrap(), panel_levels(&host.image).unwrap());
    assert_eq!(difference(&shown, &expected), None);

    let late = Boot { timeout: Duration::ZERO, ..Boot::default() };
    let error = qemu::boot(&firmware, late).unwrap_err();
    assert!(format!("{error:#}").contains("did not finish within 0 s"), "{error:#}");

    let refused = qemu::run(&model, cpu, 1).unwrap_err().to_string();
    assert!(refused.starts_with("the board refused"), "{refused}");
}
