//! The real firmware of the Raspberry Pi Pico in an emulator, and what its panels show: the same pixels as the host draws.

use std::collections::BTreeSet;
use std::path::Path;

use edgegen_app::Show;
use edgegen_export::{ModelFile, image as made, repack, with_pictures};
use edgegen_runtime::Model;
use edgegen_sim::boards::{self, Board};
use edgegen_sim::firmware::{self, Firmware};
use edgegen_sim::rp2040::{self, Boot, Outcome, Panel};
use edgegen_sim::skip::or_skip;
use edgegen_sim::ssd1306::Controller;
use edgegen_sim::st7789::Glass;
use edgegen_sim::{PanelSetup, stage};
use edgegen_tests::shipped;
use image::{Pixel, Rgb, RgbImage, imageops};

use crate::gallery::{Gallery, on_host};

const DISPLAY_PACK: Boot = Boot { panel: Panel::St7789(Glass::LANDSCAPE), press: None, quiet: None, seconds: 20.0 };
const OLED: Boot = Boot { panel: oled(Controller::Ssd1306, 0.0), ..DISPLAY_PACK };

const fn oled(controller: Controller, plugged: f64) -> Panel {
    Panel::Oled { controller, quarters: 0, plugged }
}

/// The board, or nothing where the emulator or the compiler is missing; says what, and fails where it is required.
pub fn pico() -> Option<Board> {
    let board = boards::find("pico").unwrap();
    // One variable each: `./x test` goes on where there is no Node.
    or_skip(rp2040::check(), "a test on the pico", "EDGEGEN_PICO")?;
    or_skip(firmware::check(board.cpu), "a test on the pico", "EDGEGEN_BOARDS")?;
    Some(board)
}

/// The firmware for a panel, around a model in the board's packing.
fn build(board: &Board, panel: &str, model: &str) -> (Firmware, ModelFile) {
    let file = repack(&shipped(model), board.cpu.packing()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, file.bytes()).unwrap();
    (Firmware::build(&path, board, board.panel(Some(panel)).unwrap(), board.cpu).unwrap(), file)
}

/// Boots and compares the panel with the host's.
fn draws(panel: &str, model: &str, boot: Boot, least: u32) {
    let Some(board) = pico() else { return };
    let (firmware, file) = build(&board, panel, model);
    let shot = rp2040::boot(&firmware.elf(), boot).unwrap();
    let expected = if boot.quiet.is_some() { Outcome::Quiet } else { Outcome::Time };
    assert_eq!(shot.outcome, expected, "{}", shot.text);
    let label = format!("model {model} ");
    assert!(shot.text.starts_with(&label) && shot.text.contains("gallery from seed 1\n"), "{}", shot.text);
    let spec = board.panel(Some(panel)).unwrap().spec();
    let gallery = Gallery::new(&file, spec);
    // With the portable packing: what the board has packed for its kernel shows the same.
    gallery.assert_begins(&shot.picture, &on_host(&shipped(model), spec), least);
    assert!(gallery.has_caption(&shot.picture), "no caption has these pixels");
    assert!(boot.quiet.is_none() || shot.seconds > 4.0, "long enough for the watchdog, had it not been fed");
}

#[test]
fn digits_on_the_display_pack() {
    draws("st7789", "mnist-dcgan", Boot { seconds: 1.2, ..DISPLAY_PACK }, 2);
}

#[test]
fn emoji_on_the_display_pack() {
    draws("st7789", "emoji-dcgan", Boot { seconds: 1.5, ..DISPLAY_PACK }, 1);
}

#[test]
fn digits_on_the_oled() {
    draws("ssd1306", "mnist-dcgan", Boot { quiet: Some(4.2), ..OLED }, 8);
}

#[test]
fn a_damaged_model_is_told_on_the_panel() {
    let Some(board) = pico() else { return };
    let (firmware, file) = build(&board, "st7789", "mnist-dcgan");
    let mut elf = std::fs::read(firmware.elf()).unwrap();
    // Bits of the flash image: in the header, among the weights, in the last byte.
    let start = elf.windows(file.bytes().len()).position(|bytes| bytes == file.bytes()).unwrap();
    for (at, bit) in [(4, 0), (file.bytes().len() / 2, 3), (file.bytes().len() - 1, 7)] {
        let mut damaged = file.bytes().to_vec();
        damaged[at] ^= 1 << bit;
        elf[start..start + damaged.len()].copy_from_slice(&damaged);
        let path = firmware.elf().with_file_name("damaged.elf");
        std::fs::write(&path, &elf).unwrap();

        let shot = rp2040::boot(&path, Boot { quiet: Some(0.5), ..DISPLAY_PACK }).unwrap();
        assert_eq!(shot.outcome, Outcome::Quiet, "{}", shot.text);
        let reason = Model::parse_any(&damaged).unwrap_err().to_string();
        assert_eq!(shot.text, format!("fault {reason}\n"));
        let host = stage::record(&damaged, &Show::default(), board.panel(None).unwrap().spec(), 1);
        assert!(host.pictures == [shot.picture], "the error screen differs");
    }
}

#[test]
fn an_oled_may_come_later() {
    let Some(board) = pico() else { return };
    let (firmware, file) = build(&board, "ssd1306", "mnist-dcgan");
    let boot = Boot { panel: oled(Controller::Ssd1306, 0.5), seconds: 1.6, ..OLED };
    let shot = rp2040::boot(&firmware.elf(), boot).unwrap();
    let told: Vec<&str> = shot.text.lines().skip(2).collect();
    let [fails, works] = told[..] else { panic!("{}", shot.text) };
    assert!(fails.starts_with("panel fails") && works == "panel works again", "{}", shot.text);
    let spec = board.panel(Some("ssd1306")).unwrap().spec();
    Gallery::new(&file, spec).assert_begins(&shot.picture, &on_host(&shipped("mnist-dcgan"), spec), 1);
}

#[test]
fn a_stuck_bus_starts_the_board_anew() {
    let Some(board) = pico() else { return };
    let (firmware, _) = build(&board, "ssd1306", "mnist-dcgan");
    let shot = rp2040::boot(&firmware.elf(), Boot { panel: Panel::StuckBus, ..OLED }).unwrap();
    assert_eq!(shot.outcome, Outcome::Reset, "{}", shot.text);
    assert!((3.9..4.5).contains(&shot.seconds), "after {} s", shot.seconds);
}

#[test]
fn a_press_goes_to_the_next_act() {
    let Some(board) = pico() else { return };
    let (firmware, _) = build(&board, "ssd1306", "mnist-dcgan");
    let shot = rp2040::boot(&firmware.elf(), Boot { press: Some(0.1), seconds: 0.4, ..OLED }).unwrap();
    let told: Vec<&str> = shot.text.lines().skip(1).collect();
    assert_eq!(told, ["gallery from seed 1", "walk from seed 1"]);
}

/// A network of two residual blocks, which draws outlines, on the board: `edgegen export tests/onnx/files/outlines.onnx`
/// made the model file.
#[test]
fn pictures_and_what_a_residual_network_from_an_onnx_file_makes_of_them() {
    let Some(board) = pico() else { return };
    let panel = board.panel(Some("st7789")).unwrap();
    let (shot, host) = outlines(&board, panel, DISPLAY_PACK.panel);
    // For people to look at.
    shot.save(concat!(env!("CARGO_TARGET_TMPDIR"), "/pico-outlines.png")).unwrap();
    assert!(host == shot, "the panel differs");
}

#[test]
fn a_panel_is_turned_inverted_and_has_its_colours_changed() {
    let Some(board) = pico() else { return };
    let setup = PanelSetup::parse("rotate=90 invert bgr");
    let panel = board.panel(Some("st7789")).unwrap().fitted(setup).unwrap();
    // The usual pack, for which none of that is right: it shows what the firmware has changed.
    let (shot, host) = outlines(&board, &panel, DISPLAY_PACK.panel);
    let mut expected = imageops::rotate90(&host);
    expected.pixels_mut().for_each(|Rgb([r, g, b])| (*r, *g, *b) = (255 - *b, 255 - *g, 255 - *r));
    assert_eq!(shot.dimensions(), (320, 240));
    // For people to look at.
    shot.save(concat!(env!("CARGO_TARGET_TMPDIR"), "/pico-turned.png")).unwrap();
    assert!(shot == expected, "the panel differs");
}

#[test]
fn a_glass_that_shows_a_part_of_the_memory() {
    let Some(board) = pico() else { return };
    let setup = PanelSetup::parse("rotate=180 size=135x240 offset=52,40");
    let panel = board.panel(Some("st7789")).unwrap().fitted(setup).unwrap();
    // All of the memory is looked at, lying on its side: 40 columns are on the left of the glass, 240 - 135 - 52 rows
    // above.
    let (shot, host) = outlines(&board, &panel, DISPLAY_PACK.panel);
    let seen = imageops::crop_imm(&shot, 40, 53, 240, 135).to_image();
    assert!(seen == imageops::rotate180(&host), "the panel differs");
    let mut rest = shot.enumerate_pixels().filter(|(x, y, _)| !(40..280).contains(x) || !(53..188).contains(y));
    let untouched = *shot.get_pixel(0, 0);
    assert!(rest.all(|(_, _, pixel)| *pixel == untouched), "drawn beside the glass");
}

#[test]
fn a_small_module_with_another_controller() {
    let Some(board) = pico() else { return };
    let panel = board.panel(Some("st7735")).unwrap();
    let (shot, host) = outlines(&board, panel, Panel::St7735(Glass::SMALL));
    // For people to look at.
    shot.save(concat!(env!("CARGO_TARGET_TMPDIR"), "/pico-small.png")).unwrap();
    assert!(host == shot, "the panel differs");
}

#[test]
fn an_sh1106_standing_on_end() {
    let Some(board) = pico() else { return };
    let panel = board.panel(Some("sh1106")).unwrap().fitted(PanelSetup::parse("rotate=270 invert")).unwrap();
    let (mut shot, host) = outlines(&board, &panel, oled(Controller::Sh1106, 0.0));
    shot.pixels_mut().for_each(|pixel| pixel.invert());
    assert!(shot == imageops::rotate270(&host), "the panel differs");
}

/// What a panel shows of a picture and its outlines, and what the host draws.
fn outlines(board: &Board, panel: &boards::Panel, seen_on: Panel) -> (RgbImage, RgbImage) {
    let emoji = shipped("emoji-dcgan");
    let emoji = Model::parse(emoji.bytes()).unwrap();
    let pictures = [3, 7].map(|seed| halved(&made(&emoji, seed), 64));
    let file = ModelFile::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/onnx/outlines.egm"))).unwrap();
    let file = with_pictures(&file, &pictures).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, repack(&file, board.cpu.packing()).unwrap().bytes()).unwrap();
    let words = "picture=1 bare auto=0";
    let firmware = Firmware::build_show(&path, board, panel, board.cpu, words).unwrap();
    let shot = rp2040::boot(&firmware.elf(), Boot { panel: seen_on, quiet: Some(0.5), ..DISPLAY_PACK }).unwrap();
    assert_eq!(shot.outcome, Outcome::Quiet, "{}", shot.text);
    assert!(shot.text.contains("picture 1 from seed 1\n"), "{}", shot.text);
    let mut host = stage::record(file.bytes(), &Show::parse(words), panel.spec(), 1);
    (shot.picture, host.pictures.remove(0))
}

/// The recipe `ring`, trained, as `tests/points/ring.egm`: eight clouds of dots, each dot where the host's point lies.
#[test]
fn points_of_the_plane_on_the_oled() {
    let Some(board) = pico() else { return };
    let file = ModelFile::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/points/ring.egm"))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, repack(&file, board.cpu.packing()).unwrap().bytes()).unwrap();
    let panel = board.panel(Some("ssd1306")).unwrap();
    let firmware = Firmware::build_show(&path, &board, panel, board.cpu, "seed=7 bare auto=0").unwrap();
    let shot = rp2040::boot(&firmware.elf(), Boot { quiet: Some(0.5), ..OLED }).unwrap();
    assert_eq!(shot.outcome, Outcome::Quiet, "{}", shot.text);
    // For people to look at.
    shot.picture.save(concat!(env!("CARGO_TARGET_TMPDIR"), "/pico-ring.png")).unwrap();

    // The square in the middle of 128×64 pixels, y upwards, bytes to the nearest pixel.
    let model = Model::parse(file.bytes()).unwrap();
    let pixel = |byte: u8| (f64::from(byte) * 63.0 / 255.0).round() as u32;
    let dots: BTreeSet<(u32, u32)> = (7..7 + 512)
        .map(|seed| match made(&model, seed)[..] {
            [x, y] => (32 + pixel(x), 63 - pixel(y)),
            ref other => panic!("expected two bytes, found {other:?}"),
        })
        .collect();
    let lit = shot.picture.enumerate_pixels().filter(|(_, _, colour)| colour.0 != [0; 3]);
    assert_eq!(lit.map(|(x, y, _)| (x, y)).collect::<BTreeSet<_>>(), dots);
    assert!(dots.len() > 40, "{} dots", dots.len());
}

/// A picture of `side` × `side` pixels in three channels with half as many on each side.
fn halved(picture: &[u8], side: usize) -> Vec<u8> {
    let half = side / 2;
    let mean = |at: usize| {
        let (y, x, c) = (at / 3 / half, at / 3 % half, at % 3);
        let level = |dy: usize, dx: usize| u32::from(picture[((2 * y + dy) * side + 2 * x + dx) * 3 + c]);
        ((level(0, 0) + level(0, 1) + level(1, 0) + level(1, 1) + 2) / 4) as u8
    };
    (0..3 * half * half).map(mean).collect()
}
