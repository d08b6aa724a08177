//! A file that is no model, on emulated boards and on the simulated panel: the same error screen, pixel for pixel.

use std::fs;
use std::time::Duration;

use edgegen_sim::firmware::Firmware;
use edgegen_sim::panel::photo;
use edgegen_sim::qemu::{self, Boot};
use edgegen_sim::report::Ending;
use edgegen_sim::skip::or_skip;
use edgegen_sim::{Board, Cpu, PanelColors, boards, difference, panel_levels, photo_levels, picture_difference};

#[test]
fn boards_and_the_host_show_the_same_fault() {
    let cpu = Cpu::CortexM3;
    if or_skip(qemu::check(cpu), "the error screen of boards", "EDGEGEN_BOARDS").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("broken.egm");
    let bytes = b"EGM1, but nothing like a model after that";
    fs::write(&model, bytes).unwrap();

    let build = |board: &Board| Firmware::build(&model, board, &board.panels[0], cpu).unwrap();
    let [oled, frame] = ["lm3s6965evb", "mps3-an547"].map(|name| boards::find(name).unwrap());
    for board in [&frame, &oled] {
        let firmware = build(board);
        let shot = qemu::boot(&firmware, Boot::default()).unwrap();
        let host = photo(bytes, 1, firmware.panel).unwrap();
        assert!(matches!(shot.report.ending, Some(Ending::Fault(_))), "{:?}", shot.report);
        assert_eq!(shot.report, host.report);
        let difference = match firmware.panel.colors {
            PanelColors::Gray4 => difference(&photo_levels(&shot.png).unwrap(), &panel_levels(&host.image).unwrap()),
            _ => picture_difference(&shot.png, &host.image).unwrap(),
        };
        assert_eq!(difference, None, "{}", board.name);
    }

    let firmware = build(&oled);
    let late = Boot { timeout: Duration::ZERO, ..Boot::default() };
    let error = qemu::boot(&firmware, late).unwrap_err();
    assert!(format!("{error:#}").contains("did not finish within 0 s"), "{error:#}");

    let refused = qemu::run(&model, &oled, cpu, Boot::default()).unwrap_err().to_string();
    assert!(refused.starts_with("the board refused"), "{refused}");
}
