//! Photographs the panels of the emulated boards that run the show, for the README: `cargo run --example photos FOLDER`.

#![allow(clippy::unwrap_used, reason = "a tool of our own, which stops where it cannot go on")]

mod gallery;

use std::path::{Path, PathBuf};
use std::time::Duration;

use edgegen_export::repack;
use edgegen_sim::boards::Board;
use edgegen_sim::firmware::Firmware;
use edgegen_sim::rp2040::{self, Boot, Panel};
use edgegen_sim::{boards, raspi};
use edgegen_tests::shipped;
use gallery::{Gallery, on_host};
use image::RgbImage;

fn main() {
    let folder = PathBuf::from(std::env::args_os().nth(1).unwrap_or("docs".into()));
    let pico = boards::find("pico").unwrap();
    let on_pico = |panel: &str, model: &str, place: Panel| {
        let boot = Boot { panel: place, press: None, quiet: Some(0.8), seconds: 20.0 };
        rp2040::boot(&build(&pico, panel, model).elf(), boot).unwrap().picture
    };
    save(&folder, "panel-pico.png", &on_pico("st7789", "emoji-dcgan", Panel::St7789));
    save(&folder, "panel-pico-oled.png", &on_pico("ssd1306", "mnist-dcgan", Panel::Ssd1306 { plugged: 0.0 }));

    let board = boards::find("raspi").unwrap();
    let (file, spec) = (shipped("emoji-dcgan"), board.panel(None).unwrap().spec());
    let (gallery, host) = (Gallery::new(&file, spec), on_host(&file, spec));
    let firmware = build(&board, "hdmi", "emoji-dcgan");
    let shot = raspi::boot(&firmware.elf(), Duration::from_secs(300), |photo| gallery.is_whole(photo, &host)).unwrap();
    save(&folder, "panel-raspi.png", &shot.picture);
}

fn build(board: &Board, panel: &str, model: &str) -> Firmware {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, repack(&shipped(model), board.cpu.packing()).unwrap().bytes()).unwrap();
    Firmware::build(&path, board, board.panel(Some(panel)).unwrap(), board.cpu).unwrap()
}

fn save(folder: &Path, name: &str, picture: &RgbImage) {
    let part = folder.join(format!("{name}.part"));
    picture.save_with_format(&part, image::ImageFormat::Png).unwrap();
    std::fs::rename(part, folder.join(name)).unwrap();
    println!("{}", folder.join(name).display());
}
