//! Pictures in frames: what hangs there is what the generator makes, signed while it does not move.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;

use edgegen_app::art::Hanging;
use edgegen_app::{Act, Frame, Platform, Show, Stage};
use edgegen_runtime::latent::STEPS;
use edgegen_runtime::{Generator, Model, Point, Shape};
use edgegen_sim::{PanelColors, PanelSpec, stage};
use edgegen_tests::shipped;
use embedded_graphics::geometry::{Point as At, Size};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics_simulator::{OutputSettings, SimulatorDisplay};
use image::RgbImage;

const LCD: PanelSpec = PanelSpec { width: 240, height: 240, colors: PanelColors::Rgb888 };

fn hanging(panel: PanelSpec, image: Shape) -> Hanging {
    Hanging::new(Rectangle::new(At::zero(), Size::new(panel.width, panel.height)), image)
}

fn part(picture: &RgbImage, area: Rectangle) -> RgbImage {
    let Rectangle { top_left, size } = area;
    image::imageops::crop_imm(picture, top_left.x as u32, top_left.y as u32, size.width, size.height).to_image()
}

/// One seed hangs, walks and comes to the next, which is then signed as if it had been the first.
#[test]
fn a_picture_becomes_the_next() {
    let file = shipped("emoji-dcgan");
    let model = Model::parse(file.bytes()).unwrap();
    let steps = usize::from(STEPS);
    let pictures = stage::record(file.bytes(), &Show::parse("art seed=7 auto=1"), LCD, steps + 1).pictures;
    let next = stage::record(file.bytes(), &Show::parse("art seed=8 auto=0"), LCD, 1).pictures;
    assert!(pictures[steps] == next[0], "after its walk");

    let hanging = hanging(LCD, model.output());
    let signature = hanging.signature.unwrap();
    let mat = LCD.height - hanging.moulding - 1;
    let mat = *pictures[0].get_pixel(hanging.moulding, mat);
    let is_signed = |picture: &RgbImage| part(picture, signature).pixels().any(|&pixel| pixel != mat);
    let signed: Vec<usize> = (0..=steps).filter(|&index| is_signed(&pictures[index])).collect();
    assert_eq!(signed, [0, steps], "what moves is not signed");
    assert!(part(&pictures[0], signature) != part(&pictures[steps], signature), "each has its own");

    // What hangs there is the image, each pixel as a square.
    let mut arena = vec![0; model.arena_bytes()];
    let mut generator = Generator::new(&model, &mut arena).unwrap();
    for (step, picture) in [(0, &pictures[0]), (20, &pictures[20])] {
        let mut rows = generator.sample_at(Point::walk(7, 8, step));
        let shown = part(picture, hanging.window);
        for y in 0..64 {
            let row = rows.next_row().unwrap();
            for x in 0..64 {
                let pixel = shown.get_pixel(3 * x + 1, 3 * y + 2).0;
                assert_eq!(pixel[..], row[3 * x as usize..][..3], "step {step}, pixel {x}, {y}");
            }
        }
    }
}

#[test]
fn every_panel_can_have_art() {
    let file = shipped("mnist-dcgan");
    for (width, height) in [(5, 5), (72, 40), (128, 64), (240, 135), (480, 320)] {
        for colors in [PanelColors::Binary, PanelColors::Gray4, PanelColors::Rgb565] {
            let panel = PanelSpec { width, height, colors };
            let recording = stage::record(file.bytes(), &Show::parse("art seed=7"), panel, 1);
            assert_eq!(recording.lines[1..], ["art from seed 7", "hangs 7"]);
            let lit = recording.pictures[0].pixels().filter(|pixel| pixel.0 != [0; 3]).count();
            assert!(lit > 0, "{width}×{height}");
        }
    }
}

/// What a model has no frames for is shown as on other boards.
#[test]
fn other_models_walk() {
    let points = include_bytes!("points/ring.egm");
    let lines = stage::record(points, &Show::parse("art seed=3"), PanelSpec::OLED, 2).lines;
    assert_eq!(lines[1], "walk from seed 3");
}

#[derive(Default)]
struct Desk {
    ticks: Cell<u32>,
    pressed: Cell<bool>,
    lines: RefCell<Vec<String>>,
}

impl Platform for &Desk {
    fn ticks(&mut self) -> u32 {
        self.ticks.set(self.ticks.get() + 1);
        self.ticks.get()
    }

    fn ticks_per_second(&self) -> u32 {
        1000
    }

    fn pressed(&mut self) -> bool {
        self.pressed.take()
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        self.lines.borrow_mut().push(line.to_string());
    }
}

/// A press shows the plate for eight seconds, a press at the plate goes on: from a picture to its walk, from a walk to
/// its end.
#[test]
fn a_press_shows_the_plate_and_another_goes_on() {
    let file = shipped("mnist-dcgan");
    let model = Model::parse(file.bytes()).unwrap();
    let mut arena = vec![0; model.arena_bytes()];
    let desk = Desk::default();
    let show = Show { act: Act::Art, seed: 7, auto_seconds: 0, ..Show::default() };
    let mut stage = Stage::open(Generator::new(&model, &mut arena).unwrap(), &show, &desk);
    let mut panel = SimulatorDisplay::<Rgb888>::new(Size::new(240, 240));
    let until = |panel: &mut SimulatorDisplay<Rgb888>, stage: &mut Stage<'_, &Desk>, millis: u32| {
        let (end, mut drawn) = (desk.ticks.get() + millis, Vec::new());
        while desk.ticks.get() < end {
            let Ok::<_, Infallible>(frame) = stage.frame(panel);
            if let Frame::Drawn { point, .. } = frame {
                drawn.push(point);
            }
        }
        drawn
    };
    let points = until(&mut panel, &mut stage, 5000);
    assert_eq!(points, [Point::walk(7, 8, 0)], "it hangs for ever");
    let hung = panel.clone();

    desk.pressed.set(true);
    assert_eq!(until(&mut panel, &mut stage, 7000), [], "a plate");
    assert!(panel.diff(&hung).is_some());
    // For people to look at.
    let photo = panel.to_rgb_output_image(&OutputSettings::default());
    photo.save_png(concat!(env!("CARGO_TARGET_TMPDIR"), "/art-plate.png")).unwrap();
    assert_eq!(until(&mut panel, &mut stage, 3000), [Point::walk(7, 8, 0)], "it has gone");
    assert!(panel.diff(&hung).is_none());

    desk.pressed.set(true);
    until(&mut panel, &mut stage, 1000);
    desk.pressed.set(true);
    let points = until(&mut panel, &mut stage, 2000);
    assert_eq!(points[..3], [1, 2, 3].map(|step| Point::walk(7, 8, step)), "on to the next");
    desk.pressed.set(true);
    until(&mut panel, &mut stage, 500);
    desk.pressed.set(true);
    assert_eq!(until(&mut panel, &mut stage, 3000), [Point::walk(8, 9, 0)], "there at once");
    assert_eq!(desk.lines.borrow()[1..], ["art from seed 7", "hangs 7", "hangs 7", "hangs 8"]);
}
