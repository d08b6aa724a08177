//! The firmware on emulated boards against the host: the same bytes of every image, the same pixels on the panel.

use std::path::Path;

use edgegen_app::Show;
use edgegen_export::{ModelFile, repack};
use edgegen_runtime::graph::Width;
use edgegen_runtime::{Model, Packing};
use edgegen_sim::qemu::{self, Boot};
use edgegen_sim::report::Ending;
use edgegen_sim::skip::or_skip;
use edgegen_sim::{Cpu, PanelColors, PanelSpec, boards, difference, firmware::Firmware, panel, stage};
use edgegen_sim::{panel_levels, photo_levels, picture_difference};
use edgegen_tests::{int16, shipped};
use image::RgbImage;

use crate::{keyframes, previous};

/// The board with a panel, and the model that fits it.
const DIGITS: (&str, &str) = ("lm3s6965evb", "mnist-dcgan");
/// The board with half a megabyte of flash and its relatives.
const FACES: (&str, &str) = ("mps3-an547", "emoji-dcgan");

/// Whether what emulates `cpu` is missing here; says what, and fails where it is required.
pub fn skipped(cpu: Cpu) -> bool {
    or_skip(qemu::check(cpu), &format!("a test on the {cpu}"), "EDGEGEN_BOARDS").is_none()
}

/// Draws with weights in `packing` on the board, and in the portable packing here.
fn same_as_host((board, model): (&str, &str), cpu: Cpu, packing: Packing, seed: u64) {
    if skipped(cpu) {
        return;
    }
    let board = boards::find(board).unwrap();
    let spec = board.panels[0].spec();
    let portable = shipped(model);
    let host = panel::photo(portable.bytes(), seed, spec).unwrap();
    let file = repack(&portable, packing).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("model.egm");
    std::fs::write(&model, file.bytes()).unwrap();
    let firmware = Firmware::build(&model, &board, &board.panels[0], cpu).unwrap();
    let shot = qemu::boot(&firmware, Boot { seed, ..Boot::default() }).unwrap();

    assert!(matches!(shot.report.ending, Some(Ending::Done { .. })), "{:?}", shot.report.ending);
    // 4×2 images of 28×28 on 128×64, 3×3 of 64×64 on 240×240, of which 1×3 stand beside what they are made of.
    let least = if Model::parse(portable.bytes()).unwrap().pictures().is_some() { 3 } else { 8 };
    assert!(shot.report.images.len() >= least && shot.report.images.iter().all(|image| image.ticks > 0));
    // `edgegen inspect` tells from these numbers whether a model fits.
    let program_flash = firmware.flash_bytes - file.bytes().len() as u32;
    assert!(program_flash <= board.program_flash, "{program_flash} bytes of flash on {cpu}");
    let program_ram = firmware.ram_bytes - board.arena + shot.stack_bytes;
    assert!(program_ram <= board.program_ram, "{program_ram} bytes of RAM");
    let mut expected = host.report;
    if let Some(line) = &mut expected.model {
        // The kernel's working memory comes on top.
        line.arena_bytes = Model::parse_any(file.bytes()).unwrap().arena_bytes();
    }
    // Not `assert_eq`, which would print all bytes of all images.
    assert!(shot.report.without_ticks() == expected, "{cpu} draws something else");
    assert!(host.image.pixels().any(|pixel| pixel.0.iter().all(|&channel| channel > 200)), "the panel shows something");
    assert_eq!(differs(spec, &shot.png, &host.image), None);
}

/// Where a photo of the emulated panel differs from the host's picture of it.
fn differs(spec: PanelSpec, png: &[u8], host: &RgbImage) -> Option<String> {
    match spec.colors {
        PanelColors::Gray4 => difference(&photo_levels(png).unwrap(), &panel_levels(host).unwrap()),
        _ => picture_difference(png, host).unwrap(),
    }
}

/// Looks at the show on the board after so many images, without captions, which tell times of the emulated clock.
fn shows(board: &str, model: &ModelFile, cpu: Cpu, words: &str, images: usize) {
    if skipped(cpu) {
        return;
    }
    let board = boards::find(board).unwrap();
    let spec = board.panels[0].spec();
    let file = repack(model, cpu.packing()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, file.bytes()).unwrap();
    let boot = Boot { show: Some((words, images)), ..Boot::default() };
    let shot = qemu::run(&path, &board, cpu, boot).unwrap();
    assert_eq!(shot.report.ending, Some(Ending::Shown(images as u64)), "{}", shot.text);
    let host = stage::record(model.bytes(), &Show::parse(words), spec, images);
    let first = host.lines.iter().find(|line| line.contains("from seed") || line.contains("through")).unwrap();
    assert!(shot.text.lines().any(|line| line == first), "expected {first}, found {}", shot.text);
    assert_eq!(host.pictures.len(), images);
    assert!(host.pictures[0] != host.pictures[images - 1], "the show has gone on");
    assert_eq!(differs(spec, &shot.png, &host.pictures[images - 1]), None);
}

#[test]
fn a_walk_on_the_oled() {
    shows(DIGITS.0, &shipped(DIGITS.1), Cpu::CortexM3, "walk seed=7 auto=0 bare", 5);
    let file = keyframes::with_keyframes(&keyframes::text());
    shows(DIGITS.0, &file, Cpu::CortexM4, "walk seed=7 auto=0 bare", 11);
}

/// Signed, then on its way to the next; other firmware has nothing of it.
#[test]
fn art_on_the_oled() {
    shows(DIGITS.0, &shipped(DIGITS.1), Cpu::CortexM3, "art seed=7 auto=1", 3);
    if skipped(Cpu::CortexM3) {
        return;
    }
    let board = boards::find(DIGITS.0).unwrap();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/mnist-dcgan/model.egm");
    let [plain, framed] = ["walk", "art"]
        .map(|words| Firmware::build_show(&model, &board, &board.panels[0], Cpu::CortexM3, words).unwrap());
    let tells = |firmware: &Firmware| {
        let program = std::fs::read(firmware.elf()).unwrap();
        program.windows(6).any(|bytes| bytes == b"hangs ")
    };
    assert!(tells(&framed) && !tells(&plain));
    assert!(framed.flash_bytes > plain.flash_bytes);
}

/// They are in the program only where the model has some.
#[test]
fn int16_codes_on_the_oled() {
    let model = int16();
    for cpu in [Cpu::CortexM0, Cpu::CortexM4] {
        shows(DIGITS.0, &model, cpu, "walk seed=7 auto=0 bare", 3);
    }
}

/// Each row from those above it, which the board has in its rings.
#[test]
fn images_that_read_themselves_on_the_oled() {
    for (cpu, width) in [(Cpu::CortexM0, Width::Int8), (Cpu::CortexM4, Width::Int16)] {
        shows(DIGITS.0, &previous::model(width), cpu, "class=1 seed=7 auto=0 bare", 3);
    }
}

#[test]
fn a_class_and_a_gallery_on_the_frame() {
    shows(FACES.0, &shipped("mnist-cgan"), Cpu::CortexM55, "class=3 seed=2 auto=0 bare", 4);
    shows(FACES.0, &shipped("mnist-cgan"), Cpu::CortexM55, "gallery seed=2 auto=0 bare", 3);
}

#[test]
fn cortex_m0() {
    same_as_host(DIGITS, Cpu::CortexM0, Cpu::CortexM0.packing(), 1);
}

#[test]
fn cortex_m3() {
    same_as_host(DIGITS, Cpu::CortexM3, Cpu::CortexM3.packing(), 2);
}

#[test]
fn cortex_m4() {
    same_as_host(DIGITS, Cpu::CortexM4, Cpu::CortexM4.packing(), 3);
}

#[test]
fn cortex_m7() {
    same_as_host(DIGITS, Cpu::CortexM7, Cpu::CortexM7.packing(), 4);
}

#[test]
fn cortex_m33() {
    same_as_host(DIGITS, Cpu::CortexM33, Cpu::CortexM33.packing(), u64::MAX);
}

#[test]
fn cortex_m55() {
    same_as_host(DIGITS, Cpu::CortexM55, Cpu::CortexM55.packing(), 5);
}

#[test]
fn cortex_m0_runs_portable_models_too() {
    same_as_host(DIGITS, Cpu::CortexM0, Packing::Portable, 6);
}

#[test]
fn cortex_m4_runs_portable_models_too() {
    same_as_host(DIGITS, Cpu::CortexM4, Packing::Portable, 6);
}

/// In the packing of the processor and in the portable one; and what other models ship, in that of the processor.
fn draws_faces(cpu: Cpu, seed: u64) {
    same_as_host(FACES, cpu, cpu.packing(), seed);
    same_as_host(FACES, cpu, Packing::Portable, seed);
    for model in [
        "mnist-cgan",
        "mnist-vae",
        "fashion-dcgan",
        "fashion-residual",
        "faces-words",
        "faces-style",
        "icons",
        "moons-iaf",
        "fashion-edges-pix2pix",
        "avatars-emoji",
        "bags-shoes",
    ] {
        same_as_host((FACES.0, model), cpu, cpu.packing(), seed);
    }
}

#[test]
fn cortex_m0_draws_faces() {
    draws_faces(Cpu::CortexM0, 1);
}

#[test]
fn cortex_m3_draws_faces() {
    draws_faces(Cpu::CortexM3, 2);
}

#[test]
fn cortex_m4_draws_faces() {
    draws_faces(Cpu::CortexM4, 3);
}

#[test]
fn cortex_m7_draws_faces() {
    draws_faces(Cpu::CortexM7, 4);
}

#[test]
fn cortex_m33_draws_faces() {
    draws_faces(Cpu::CortexM33, 5);
}

#[test]
fn cortex_m55_draws_faces() {
    draws_faces(Cpu::CortexM55, 6);
    // Twenty million products an image: on one core, or it would take minutes.
    same_as_host((FACES.0, "emoji-pairs-pix2pix"), Cpu::CortexM55, Cpu::CortexM55.packing(), 6);
}
