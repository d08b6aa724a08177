//! Boards that no emulator runs, and all others of the same kind: their firmware links with every panel, takes no more than
//! `board.toml` says, and leaves the room that `edgegen inspect` counts on.

use std::path::Path;

use edgegen_export::{ModelFile, repack};
use edgegen_runtime::Model;
use edgegen_sim::Cpu;
use edgegen_sim::binary;
use edgegen_sim::boards::{self, Board, INT16_FLASH, Panel, SOUND_FLASH};
use edgegen_sim::firmware::{self, Firmware};
use edgegen_sim::skip::or_skip;
use edgegen_tests::{int16, shipped};

/// What `program_ram` keeps for the stack, at least. Reading a model is the deepest that it gets: under 5 KB, as `just bench-arm`
/// measures, and a panel's driver on top.
const STACK_BYTES: u32 = 12 * 1024;

/// Whether the board's compiler is missing here; says what, and fails where it is required.
fn skipped(board: &Board) -> bool {
    or_skip(firmware::check(board.cpu), &format!("linking the {}", board.name), "EDGEGEN_BOARDS").is_none()
}

/// Links the board's firmware with a model; gives the bytes of flash that the program takes besides it, and of RAM besides
/// the arena.
fn link(board: &Board, panel: &Panel, model: &ModelFile) -> (u32, u32) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, model.bytes()).unwrap();
    let firmware = Firmware::build(&path, board, panel, board.cpu).unwrap();
    let model_bytes = model.bytes().len() as u32;
    assert!(firmware.flash_bytes > model_bytes, "the model is in the program");
    if board.chip == "RP235x" {
        assert!(defines_its_image(&std::fs::read(firmware.elf()).unwrap()), "the boot ROM would not start it");
    }
    assert!(firmware.flash_bytes <= board.flash && firmware.ram_bytes + STACK_BYTES <= board.ram);
    (firmware.flash_bytes - model_bytes, firmware.ram_bytes.checked_sub(board.arena).expect("the arena is in RAM"))
}

/// Whether the first 4 KiB of flash hold a block from its first to its last mark, where the RP2350's boot ROM looks for the image
/// definition (data sheet, 5.9.5 "Minimum viable image metadata").
fn defines_its_image(elf: &[u8]) -> bool {
    const FLASH: std::ops::Range<u64> = 0x1000_0000..0x1000_1000;
    let segments = binary::segments(elf).unwrap().into_iter().filter(|segment| FLASH.contains(&segment.loaded_at));
    let start: Vec<u8> = segments.flat_map(|segment| segment.bytes).take(4096).collect();
    let words: Vec<u32> = start.chunks_exact(4).map(|word| u32::from_le_bytes(word.try_into().unwrap())).collect();
    let first = words.iter().position(|&word| word == 0xFFFF_DED3);
    first.is_some_and(|first| words[first..].contains(&0xAB12_3579))
}

fn links(board: &Board) {
    if skipped(board) {
        return;
    }
    let packed = |name| repack(&shipped(name), board.cpu.packing()).unwrap();
    let (digits, emoji) = (packed("mnist-dcgan"), packed("emoji-dcgan"));
    let room = board.flash - board.program_flash;
    let (mut flash, mut ram) = (0, 0);
    for (index, panel) in board.panels.iter().enumerate() {
        // One of the panels with the large model, where it fits: the program is the same.
        let large = index == 0 && emoji.bytes().len() as u32 <= room;
        let model = if large { &emoji } else { &digits };
        let needed = Model::parse_any(model.bytes()).unwrap().arena_bytes();
        assert!(needed <= board.arena as usize, "{}: the model needs {needed} bytes of arena", board.name);
        let taken = link(board, panel, model);
        (flash, ram) = (flash.max(taken.0), ram.max(taken.1 + STACK_BYTES));
    }
    // What others do without.
    let sound = (!board.speaker.is_empty()).then(|| (crate::sound::hits(), SOUND_FLASH, "sound"));
    for (model, most, what) in sound.into_iter().chain([(int16(), INT16_FLASH, "int16 codes")]) {
        let taken = link(board, &board.panels[0], &repack(&model, board.cpu.packing()).unwrap());
        assert!(
            (flash + most / 2..=flash + most).contains(&taken.0),
            "{}: {} with {what}, {flash} without",
            board.name,
            taken.0
        );
        ram = ram.max(taken.1 + STACK_BYTES);
    }
    let name = &board.name;
    assert!(flash <= board.program_flash, "{name}: program_flash is {}, found {flash}", board.program_flash);
    assert!(ram <= board.program_ram, "{name}: program_ram is {}, found {ram}", board.program_ram);
    // Much more than that would have `inspect` refuse models that fit.
    assert!(
        flash * 3 / 2 > board.program_flash,
        "{name}: program_flash is {}, only {flash} found",
        board.program_flash
    );
}

#[test]
fn boards_link_with_every_panel() {
    for board in boards::all().unwrap() {
        if Cpu::CORTEX_M.contains(&board.cpu) {
            links(&board);
        }
    }
}

#[test]
fn what_a_model_needs_besides_takes_room_from_it() {
    let board = boards::find("pico").unwrap();
    for (file, besides) in [(shipped("mnist-dcgan"), 0), (int16(), INT16_FLASH), (crate::sound::hits(), SOUND_FLASH)] {
        let model = Model::parse_any(file.bytes()).unwrap();
        assert_eq!(board.program_flash_for(&model), board.program_flash + besides);
    }
}

#[test]
fn readmes_tell_every_pin_of_board_toml() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../firmware/boards");
    for board in boards::all().unwrap() {
        let readme = std::fs::read_to_string(folder.join(&board.name).join("README.md"));
        let readme = readme.unwrap_or_else(|error| panic!("firmware/boards/{}/README.md: {error}", board.name));
        for [_, pin] in board.panels.iter().flat_map(|panel| &panel.wiring).chain(&board.speaker) {
            assert!(readme.contains(pin.as_str()), "the README of {} does not tell of {pin}", board.name);
        }
    }
}
