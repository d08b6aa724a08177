//! The runtime in firmware of one's own: what `runtime/README.md` shows is compiled, booted, and draws what the host draws.

use std::path::Path;

use edgegen_runtime::Model;
use edgegen_sim::Cpu;
use edgegen_sim::binary::sizes;
use edgegen_sim::rp2040::{self, Boot, Outcome, Panel};
use edgegen_sim::st7789::Glass;
use edgegen_tests::shipped;
use image::{Rgb, RgbImage};

use crate::pico::pico;

/// Where the program draws its image of 28×28 pixels.
const AT: (u32, u32) = (146, 106);

#[test]
fn the_readme_shows_the_program() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let program = read("firmware/examples/embassy-rp/src/main.rs");
    // Of the path to the model a reader needs the last part alone.
    let program = program.replace("../../../../models/mnist-dcgan/model.egm", "../model.egm");
    assert!(read("runtime/README.md").contains(&format!("```rust,ignore\n{program}```\n")), "{program}");
}

#[test]
fn a_program_of_ones_own_draws_what_the_host_draws() {
    let Some(board) = pico() else { return };
    let elf = Cpu::CortexM0.build("examples/embassy-rp", &[]).unwrap();
    let (flash, ram) = sizes(&std::fs::read(&elf).unwrap()).unwrap();
    let file = shipped("mnist-dcgan");
    let program = flash - file.bytes().len() as u32;
    assert!(program <= 64 * 1024 && ram <= 16 * 1024, "{program} bytes of flash and {ram} of RAM");

    let boot = Boot { panel: Panel::St7789(Glass::LANDSCAPE), press: None, quiet: Some(0.5), seconds: 4.0 };
    let shot = rp2040::boot(&elf, boot).unwrap();
    assert_eq!(shot.outcome, Outcome::Quiet, "a second passes between two images");
    let model = Model::parse(file.bytes()).unwrap();
    let mut arena = vec![0; model.arena_bytes()];
    let mut expected = RgbImage::new(board.panels[0].width, board.panels[0].height);
    let mut y = AT.1;
    edgegen_runtime::Generator::new(&model, &mut arena).unwrap().draw(0, |row| {
        for (x, &grey) in (AT.0..).zip(row) {
            // Five, six and five bits of the panel as eight.
            let [five, six] = [3, 2].map(|bits| (f32::from(grey >> bits) * 255.0 / f32::from(u8::MAX >> bits)).round());
            expected.put_pixel(x, y, Rgb([five as u8, six as u8, five as u8]));
        }
        y += 1;
    });
    assert!(expected.pixels().any(|pixel| pixel.0[0] > 200), "the image shows something");
    assert!(shot.picture == expected, "the panel shows something else");
}
