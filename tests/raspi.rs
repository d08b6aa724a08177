//! The real firmware of the Raspberry Pi on an emulated one, and what its screen shows: the same pixels as the host draws.

use std::time::Duration;

use edgegen_app::Show;
use edgegen_export::{ModelFile, repack};
use edgegen_runtime::Model;
use edgegen_sim::boards::{self, Board};
use edgegen_sim::firmware::{self, Firmware};
use edgegen_sim::skip::or_skip;
use edgegen_sim::{raspi, stage};
use edgegen_tests::shipped;

use crate::gallery::{Gallery, on_host};

/// More than a busy machine needs.
const TIMEOUT: Duration = Duration::from_secs(240);

/// The board, or nothing where the emulator or the compiler is missing; says what, and fails where it is required.
fn board() -> Option<Board> {
    let board = boards::find("raspi").unwrap();
    let ready = raspi::check().and_then(|()| firmware::check(board.cpu));
    or_skip(ready, "a test on the raspi", "EDGEGEN_BOARDS").map(|()| board)
}

fn build(board: &Board, model: &[u8]) -> Firmware {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, model).unwrap();
    Firmware::build(&path, board, board.panel(None).unwrap(), board.cpu).unwrap()
}

/// The whole gallery; the numbers of `board.toml` too, on which `edgegen inspect` relies.
fn draws(board: &Board, name: &str) {
    let portable = shipped(name);
    let file = repack(&portable, board.cpu.packing()).unwrap();
    let firmware = build(board, file.bytes());
    let program_flash = firmware.flash_bytes - file.bytes().len() as u32;
    assert!(program_flash <= board.program_flash, "{program_flash} bytes of program");
    let program_ram = firmware.ram_bytes - board.arena;
    assert!(program_ram <= board.program_ram, "{program_ram} bytes of variables and stack");

    let spec = board.panel(None).unwrap().spec();
    let (gallery, host) = (Gallery::new(&file, spec), on_host(&portable, spec));
    let shot = raspi::boot(&firmware.elf(), TIMEOUT, |photo| gallery.is_whole(photo, &host)).unwrap();
    gallery.assert_begins(&shot.picture, &host, gallery.grid.cells());
    assert!(gallery.has_caption(&shot.picture), "no caption has these pixels");
    assert!(
        shot.text.starts_with(&format!("model {name} ")) && shot.text.ends_with("gallery from seed 1\n"),
        "{}",
        shot.text
    );
}

#[test]
fn digits_on_hdmi() {
    if let Some(board) = board() {
        draws(&board, "mnist-dcgan");
    }
}

#[test]
fn emoji_on_hdmi() {
    if let Some(board) = board() {
        draws(&board, "emoji-dcgan");
    }
}

#[test]
fn a_damaged_model_is_told_on_hdmi() {
    let Some(board) = board() else { return };
    let file: ModelFile = repack(&shipped("mnist-dcgan"), board.cpu.packing()).unwrap();
    let mut damaged = file.bytes().to_vec();
    damaged[file.bytes().len() / 3] ^= 1 << 5;
    let firmware = build(&board, &damaged);
    let host = stage::record(&damaged, &Show::default(), board.panel(None).unwrap().spec(), 1).pictures.pop().unwrap();
    let shot = raspi::boot(&firmware.elf(), TIMEOUT, |photo| *photo == host).unwrap();
    assert!(shot.picture == host, "the error screen differs");
    assert_eq!(shot.text, format!("fault {}\n", Model::parse_any(&damaged).unwrap_err()));
}
