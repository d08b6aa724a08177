//! The show on panels of every size: what is on them is what the generator makes, and nothing stops it.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt;
use std::path::Path;

use edgegen_app::scatter::{self, Plot};
use edgegen_app::{Act, DoubleBuffered, Frame, PanelColor, Placement, Platform, RowBus, Show, Stage, show_while};
use edgegen_export::{ModelFile, native, pack};
use edgegen_runtime::graph::Input;
use edgegen_runtime::latent::STEPS;
use edgegen_runtime::{Generator, Model, Packing, Point, Shape};
use edgegen_sim::{PanelColors, PanelSpec, panel, stage};
use edgegen_tests::shipped;
use embedded_graphics::Pixel;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, OriginDimensions, Point as At, Size};
use embedded_graphics::pixelcolor::raw::RawU16;
use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Rgb565};
use embedded_graphics::prelude::PointsIter;
use embedded_graphics::primitives::Rectangle;
use embedded_graphics_simulator::SimulatorDisplay;
use image::RgbImage;

const ACTS: [Act; 3] = [Act::Gallery, Act::Walk, Act::Class(3)];

/// A clock of a thousand ticks a second, a button, and what it was told.
#[derive(Default)]
struct Desk {
    ticks: Cell<u32>,
    feeds: Cell<u32>,
    pressed: Cell<bool>,
    lines: RefCell<Vec<String>>,
}

impl Platform for &Desk {
    fn ticks(&mut self) -> u32 {
        self.ticks.set(self.ticks.get().wrapping_add(1));
        self.ticks.get()
    }

    fn ticks_per_second(&self) -> u32 {
        1000
    }

    fn pressed(&mut self) -> bool {
        self.pressed.take()
    }

    fn feed(&mut self) {
        self.feeds.set(self.feeds.get() + 1);
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        self.lines.borrow_mut().push(line.to_string());
    }
}

/// The shipped digits with their last ten latent values taken for classes, which they are not: for the show it is the same.
fn with_classes() -> ModelFile {
    let file = shipped("mnist-dcgan");
    let model = Model::parse(file.bytes()).unwrap();
    let mut nodes = model.nodes().to_vec();
    let mut latent: Input = *nodes[0].parameters().unwrap();
    latent.dims -= 10;
    nodes[0].set_parameters(&latent);
    ModelFile::new(&pack::assemble(&nodes, &model.about(), Packing::Portable, model.data()))
}

fn image(model: &Model<'_>, point: Point) -> Vec<u8> {
    let mut arena = vec![0; model.arena_bytes()];
    let mut generator = Generator::new(model, &mut arena).unwrap();
    let mut rows = generator.sample_at(point);
    let mut image = Vec::new();
    while let Some(row) = rows.next_row() {
        image.extend_from_slice(row);
    }
    image
}

/// Draws `images` images of an act, checks each, and gives what is on the panel.
fn checked<C: PanelColor + fmt::Debug>(file: &ModelFile, act: Act, size: Size, images: u32) -> Vec<Frame> {
    let model = Model::parse(file.bytes()).unwrap();
    let mut arena = vec![0; model.arena_bytes()];
    let (desk, show) = (Desk::default(), Show { act, seed: u64::MAX - 2, auto_seconds: 0, ..Show::default() });
    let mut stage = Stage::open(Generator::new(&model, &mut arena).unwrap(), &show, &desk);
    let black = C::from_grey(0, At::zero());
    let mut display = SimulatorDisplay::with_default_color(size, black);
    let mut frames = Vec::new();
    let mut used = Vec::new();
    while frames.len() < images as usize {
        let frame = stage.frame(&mut display).unwrap();
        let Frame::Drawn { point, placement, .. } = frame else { continue };
        frames.push(frame);
        let shape = model.output();
        let area = Rectangle::new(placement.top_left, placement.size(shape));
        assert_eq!(area.intersection(&display.bounding_box()), area, "the whole image lies on {size:?}");
        same_pixels(&display, &image(&model, point), shape, placement);
        if !used.contains(&area) {
            used.push(area);
        }
    }
    // What is lit and no picture is a caption: it lies at an edge of the panel, beside the pictures.
    for Pixel(at, color) in display.bounding_box().points().map(|at| Pixel(at, display.get_pixel(at))) {
        let caption = at.y + 10 >= size.height as i32 || at.x < 66;
        assert!(color == black || caption || used.iter().any(|area| area.contains(at)), "{size:?}: {at:?} is lit");
    }
    frames
}

/// Every pixel of an image on the panel, by definition.
fn same_pixels<C: PanelColor + fmt::Debug>(panel: &SimulatorDisplay<C>, image: &[u8], shape: Shape, at: Placement) {
    let (width, channels) = (usize::from(shape.w), usize::from(shape.c));
    let Size { width: columns, height: rows } = at.size(shape);
    let shrink = at.shrink as usize;
    for (y, x) in (0..rows).flat_map(|y| (0..columns).map(move |x| (y, x))) {
        let (row, column) = (((y / at.scale) as usize + 1) * shrink - 1, (x / at.scale) as usize * shrink);
        let pixel: Vec<u8> = (0..channels)
            .map(|channel| {
                let level = |x: usize| u32::from(image[(row * width + x) * channels + channel]);
                let sum: u32 = (column..column + shrink).map(level).sum();
                ((sum + at.shrink / 2) / at.shrink) as u8
            })
            .collect();
        let place = at.top_left + Size::new(x, y);
        assert_eq!(panel.get_pixel(place), C::from_pixel(&pixel, place), "{place:?} of {at:?}");
    }
}

#[test]
fn the_panel_shows_what_the_generator_makes() {
    for file in [with_classes(), shipped("emoji-dcgan")].map(|file| native(&file).unwrap()) {
        for act in ACTS {
            checked::<BinaryColor>(&file, act, Size::new(5, 5), 3);
            checked::<BinaryColor>(&file, act, Size::new(72, 40), 3);
            checked::<BinaryColor>(&file, act, Size::new(128, 32), 5);
            checked::<BinaryColor>(&file, act, Size::new(128, 64), 9);
            checked::<Gray4>(&file, act, Size::new(128, 64), 9);
            for (width, height) in [(160, 80), (240, 135), (240, 240), (320, 240), (480, 320)] {
                checked::<Rgb565>(&file, act, Size::new(width, height), 4);
            }
        }
    }
}

#[test]
fn pictures_are_as_large_as_they_can_be_and_centred() {
    let digits = with_classes();
    let expected = [
        // Panel; scale, top left: with a caption the picture is centred in what that leaves.
        ((5, 5), 1, (0, 0)),
        ((72, 40), 1, (22, 3)),
        ((128, 32), 1, (72, 2)),
        ((128, 64), 2, (36, 1)),
        ((160, 80), 2, (52, 9)),
        ((240, 135), 4, (64, 6)),
        ((240, 240), 8, (8, 3)),
        ((320, 240), 8, (48, 3)),
        ((480, 320), 11, (86, 1)),
    ];
    for ((width, height), scale, (left, top)) in expected {
        let frames = checked::<Rgb565>(&digits, Act::Walk, Size::new(width, height), 1);
        let Frame::Drawn { placement, .. } = frames[0] else { unreachable!() };
        let shrink = if width == 5 { 5 } else { 1 };
        assert_eq!(placement, Placement { top_left: At::new(left, top), scale, shrink }, "{width}×{height}");
    }
}

#[test]
fn galleries_and_walks_go_on_with_the_next_seeds() {
    let file = native(&with_classes()).unwrap();
    let points = |act, images| {
        let frames = checked::<Gray4>(&file, act, Size::new(128, 64), images);
        frames.into_iter().map(|frame| match frame {
            Frame::Drawn { point, .. } => point,
            Frame::Waiting => unreachable!(),
        })
    };
    let start = u64::MAX - 2;
    let gallery: Vec<Point> = points(Act::Gallery, 11).collect();
    assert!(gallery.into_iter().eq((0..11).map(|i| Point::seed(start.wrapping_add(i)))));
    let walk = |seed: u64, step| Point::walk(seed, seed.wrapping_add(1), step);
    let expected = (0..STEPS).map(|step| walk(start, step)).chain((0..3).map(|step| walk(start + 1, step)));
    assert!(points(Act::Walk, u32::from(STEPS) + 3).eq(expected.clone()));
    assert!(points(Act::Class(7), u32::from(STEPS) + 3).eq(expected.map(|point| point.of_class(7))));
}

#[test]
fn the_end_of_a_walk_is_the_next_seed() {
    let file = shipped("mnist-dcgan");
    let model = Model::parse(file.bytes()).unwrap();
    assert!(image(&model, Point::walk(3, 9, STEPS)) == image(&model, Point::seed(9)));
    assert!(image(&model, Point::walk(3, 9, 0)) == image(&model, Point::seed(3)));
    assert!(image(&model, Point::walk(3, 9, 30)) != image(&model, Point::walk(3, 9, 34)));
}

#[test]
fn classes_reach_the_model() {
    let file = with_classes();
    let model = Model::parse(file.bytes()).unwrap();
    assert_eq!((model.classes(), Model::parse(shipped("mnist-dcgan").bytes()).unwrap().classes()), (10, 0));
    let images: Vec<_> = (0..10).map(|class| image(&model, Point::seed(4).of_class(class))).collect();
    for (index, one) in images.iter().enumerate() {
        assert!(!images[..index].contains(one), "class {index}");
    }
    assert!(images[4] == image(&model, Point::seed(4)), "without a choice the class is the seed modulo 10");
}

#[test]
fn the_button_and_the_timer_go_through_the_acts() {
    let file = native(&with_classes()).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let (mut arena, desk) = (vec![0; model.arena_bytes()], Desk::default());
    let show = Show { auto_seconds: 3, ..Show::default() };
    let mut stage = Stage::open(Generator::new(&model, &mut arena).unwrap(), &show, &desk);
    let mut display = SimulatorDisplay::<Gray4>::new(Size::new(128, 64));
    let mut acts = vec![stage.act()];
    for _ in 0..12 {
        stage.frame(&mut display).unwrap();
        desk.pressed.set(true);
        stage.frame(&mut display).unwrap();
        acts.push(stage.act());
    }
    let round = [Act::Gallery, Act::Walk].into_iter().chain((0..10).map(Act::Class)).chain([Act::Gallery]);
    assert!(acts.iter().copied().eq(round), "{acts:?}");

    let began = desk.ticks.get();
    while stage.act() == Act::Gallery {
        stage.frame(&mut display).unwrap();
    }
    assert!((3000..3100).contains(&(desk.ticks.get() - began)), "{} ms", desk.ticks.get() - began);
    assert!(desk.lines.borrow().last().unwrap().starts_with("walk from seed"));
}

#[test]
fn a_press_does_not_wait_for_the_image() {
    let file = native(&shipped("emoji-dcgan")).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let (mut arena, desk) = (vec![0; model.arena_bytes()], Desk::default());
    let mut stage = Stage::open(Generator::new(&model, &mut arena).unwrap(), &Show::default(), &desk);
    let mut panel = Pressing { panel: SimulatorDisplay::new(Size::new(160, 80)), rows: 0, desk: &desk };
    // The clearing of the panel and ten rows: the tenth presses the button.
    assert_eq!((stage.frame(&mut panel).unwrap(), panel.rows), (Frame::Waiting, 11));
    assert_eq!(stage.act(), Act::Gallery);
    let frame = stage.frame(&mut panel).unwrap();
    assert!(matches!(frame, Frame::Drawn { act: Act::Walk, point: Point { from: 1, step: 0, .. }, .. }), "{frame:?}");
}

/// A panel that presses the button at its eleventh call.
struct Pressing<'a> {
    panel: SimulatorDisplay<Rgb565>,
    rows: u32,
    desk: &'a Desk,
}

impl OriginDimensions for Pressing<'_> {
    fn size(&self) -> Size {
        self.panel.size()
    }
}

impl DrawTarget for Pressing<'_> {
    type Color = Rgb565;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb565>>>(&mut self, pixels: I) -> Result<(), Infallible> {
        self.rows += 1;
        self.desk.pressed.set(self.rows == 11);
        self.panel.draw_iter(pixels)
    }
}

#[test]
fn without_captions_the_picture_has_the_whole_panel() {
    let file = shipped("mnist-dcgan");
    for (act, top_left) in [(Act::Walk, (36, 4)), (Act::Gallery, (2, 2))] {
        let show = Show { act, caption: false, ..Show::default() };
        let panel = PanelSpec { width: 128, height: 64, colors: PanelColors::Binary };
        let recording = stage::record(file.bytes(), &show, panel, 8);
        let lit = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
            let picture = recording.pictures.last().unwrap();
            x.flat_map(|x| y.clone().map(move |y| (x, y))).any(|(x, y)| picture.get_pixel(x, y).0 != [0; 3])
        };
        assert!(lit(top_left.0..128, top_left.1..64), "{act}");
        assert!(!lit(0..top_left.0, 0..64) && !lit(0..128, 0..top_left.1), "{act}");
    }
}

#[test]
fn a_model_without_that_class_walks() {
    let file = shipped("mnist-dcgan");
    let model = Model::parse(file.bytes()).unwrap();
    let (mut arena, desk) = (vec![0; model.arena_bytes()], Desk::default());
    let show = Show { act: Act::Class(0), ..Show::default() };
    assert_eq!(Stage::open(Generator::new(&model, &mut arena).unwrap(), &show, &desk).act(), Act::Walk);
}

#[test]
fn a_damaged_model_gives_its_reason_on_every_panel() {
    let file = shipped("mnist-dcgan");
    let panel = PanelSpec { width: 128, height: 64, colors: PanelColors::Binary };
    let sound = stage::record(file.bytes(), &Show::default(), panel, 1);
    for (byte, bit) in
        [(0, 0), (5, 3), (9, 7), (13, 1), (17, 0), (21, 2), (33, 4), (700, 6), (file.bytes().len() - 1, 7)]
    {
        let mut damaged = file.bytes().to_vec();
        damaged[byte] ^= 1 << bit;
        let reason = Model::parse(ModelFile::new(&damaged).bytes()).unwrap_err().to_string();
        let recording = stage::record(&damaged, &Show::default(), panel, 9);
        assert_eq!(recording.lines, [format!("fault {reason}")]);
        assert_eq!(recording.pictures.len(), 1);
        let mut words = SimulatorDisplay::<BinaryColor>::new(Size::new(panel.width, panel.height));
        edgegen_app::fault::show(&mut words, &reason).unwrap();
        for (x, y, pixel) in recording.pictures[0].enumerate_pixels() {
            let lit = words.get_pixel(At::new(x as i32, y as i32)).is_on();
            assert_eq!(pixel.0, [if lit { 255 } else { 0 }; 3], "{x}, {y}");
        }
        assert!(recording.pictures[0] != sound.pictures[0]);
        // From the checksum on, the reason has both numbers.
        if byte >= 16 {
            let checksum = edgegen_runtime::format::checksum(&damaged[20..]);
            let stored = u32::from_le_bytes(damaged[16..20].try_into().unwrap());
            assert!(reason.contains(&format!("expected checksum {stored:08x}, found {checksum:08x}")), "{reason}");
        }
    }
}

#[test]
fn too_little_memory_is_an_error_screen_too() {
    let (file, desk) = (shipped("mnist-dcgan"), Desk::default());
    let mut display = SimulatorDisplay::<BinaryColor>::new(Size::new(128, 64));
    let mut turns = 0..50;
    show_while(&mut display, file.bytes(), &mut [0; 100], &Show::default(), &desk, || turns.next().is_some());
    let lines = desk.lines.borrow();
    assert!(lines.len() == 1 && lines[0].starts_with("fault expected an arena of at least"), "{lines:?}");
    assert!(display.bounding_box().points().any(|at| display.get_pixel(at).is_on()));
}

#[test]
fn an_error_screen_looks_at_the_model_again() {
    let desk = Desk::default();
    let mut display = SimulatorDisplay::<BinaryColor>::new(Size::new(128, 64));
    let mut turns = 0..20_000;
    show_while(&mut display, b"no model", &mut [], &Show::default(), &desk, || {
        desk.pressed.set(turns.start == 5);
        turns.next().is_some()
    });
    // At the start, after the press, and after ten seconds of a millisecond a turn.
    assert_eq!(desk.lines.borrow().len(), 3);
    assert!(desk.feeds.get() >= 20_000);
}

/// A panel that fails from one call to another, and counts.
struct Flaky<'a> {
    panel: SimulatorDisplay<Gray4>,
    calls: Cell<u32>,
    fails: std::ops::Range<u32>,
    desk: &'a Desk,
    /// Feeds when it was last called, calls since, and the most there were.
    fed: u32,
    unfed: u32,
    most_unfed: u32,
}

impl OriginDimensions for Flaky<'_> {
    fn size(&self) -> Size {
        self.panel.size()
    }
}

impl DrawTarget for Flaky<'_> {
    type Color = Gray4;
    type Error = &'static str;

    fn draw_iter<I: IntoIterator<Item = Pixel<Gray4>>>(&mut self, pixels: I) -> Result<(), &'static str> {
        let call = self.calls.get();
        self.calls.set(call + 1);
        if self.fails.contains(&call) {
            return Err("no answer");
        }
        if self.fed != self.desk.feeds.get() {
            (self.fed, self.unfed) = (self.desk.feeds.get(), 0);
        }
        self.unfed += 1;
        self.most_unfed = self.most_unfed.max(self.unfed);
        let Ok(()) = self.panel.draw_iter(pixels);
        Ok(())
    }
}

/// A show of `turns` turns on a panel that fails in calls `fails`.
fn flaky(desk: &Desk, fails: std::ops::Range<u32>, turns: u32) -> Flaky<'_> {
    let file = shipped("mnist-dcgan");
    let model = native(&file).unwrap();
    let mut arena = vec![0; Model::parse(model.bytes()).unwrap().arena_bytes()];
    let panel = SimulatorDisplay::new(Size::new(128, 64));
    let mut screen = Flaky { panel, calls: Cell::new(0), fails, desk, fed: 0, unfed: 0, most_unfed: 0 };
    let show = Show { caption: false, auto_seconds: 0, ..Show::default() };
    let mut turns = 0..turns;
    show_while(&mut screen, model.bytes(), &mut arena, &show, desk, || turns.next().is_some());
    screen
}

#[test]
fn a_panel_that_fails_is_tried_again() {
    let (desk, other) = (Desk::default(), Desk::default());
    let whole = flaky(&other, 0..0, 2000);
    for fails in [0..1, 5..6, 40..43, 100..300] {
        let desk = Desk::default();
        flaky(&desk, fails.clone(), 400_000);
        let lines = desk.lines.borrow();
        let failing: Vec<_> = lines.iter().filter(|line| line.starts_with("panel")).collect();
        assert_eq!(failing, ["panel fails: \"no answer\"; trying again", "panel works again"], "{fails:?}");
    }
    // After a failure in the middle of a gallery's first page the page is complete and the same.
    let screen = flaky(&desk, 100..102, 4000);
    for at in whole.panel.bounding_box().points() {
        assert_eq!(screen.panel.get_pixel(at), whole.panel.get_pixel(at), "{at:?}");
    }
}

#[test]
fn a_panel_that_never_answers_does_not_stop_the_watchdog() {
    let desk = Desk::default();
    let screen = flaky(&desk, 0..u32::MAX, 100_000);
    assert!(desk.feeds.get() >= 100_000);
    // A try a second, of one call each.
    assert!((90..=101).contains(&screen.calls.get()), "{} calls", screen.calls.get());
    assert_eq!(desk.lines.borrow().len(), 3, "{:?}", desk.lines.borrow());
}

#[test]
fn the_watchdog_is_fed_at_every_row() {
    let desk = Desk::default();
    let screen = flaky(&desk, 0..0, 20_000);
    assert!(screen.calls.get() > 28 * 20);
    assert_eq!(screen.most_unfed, 1, "between two feeds one row is drawn, or the panel is cleared");
}

/// A bus that shows nothing before it is waited for.
struct Late {
    panel: SimulatorDisplay<Rgb565>,
    under_way: Option<(Rectangle, &'static mut [u8], usize)>,
}

impl RowBus for Late {
    type Error = Infallible;

    fn start(&mut self, area: Rectangle, buffer: &'static mut [u8], bytes: usize) {
        assert!(self.under_way.replace((area, buffer, bytes)).is_none());
    }

    fn finish(&mut self) -> (&'static mut [u8], Result<(), Infallible>) {
        let (area, buffer, bytes) = self.under_way.take().unwrap();
        let colors =
            buffer[..bytes].chunks(2).map(|pair| Rgb565::from(RawU16::new(u16::from_be_bytes([pair[0], pair[1]]))));
        let Ok(()) = self.panel.fill_contiguous(&area, colors);
        (buffer, Ok(()))
    }
}

#[test]
fn two_buffers_show_the_same() {
    let file = native(&shipped("emoji-dcgan")).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let size = Size::new(160, 80);
    let run = |screen: &mut dyn FnMut(&mut Stage<'_, &Desk>) -> bool| {
        let (mut arena, desk) = (vec![0; model.arena_bytes()], Desk::default());
        let mut stage = Stage::open(Generator::new(&model, &mut arena).unwrap(), &Show::default(), &desk);
        let mut drawn = 0;
        while drawn < 5 {
            drawn += u32::from(screen(&mut stage));
        }
    };
    let mut plain = SimulatorDisplay::<Rgb565>::new(size);
    run(&mut |stage| stage.frame(&mut plain).unwrap() != Frame::Waiting);
    let buffers = [0; 2].map(|_| &mut *Box::leak(vec![0u8; 2 * 160].into_boxed_slice()));
    let bus = Late { panel: SimulatorDisplay::new(size), under_way: None };
    let mut doubled = DoubleBuffered::<_, Rgb565>::new(bus, size, buffers);
    run(&mut |stage| stage.frame(&mut doubled).unwrap() != Frame::Waiting);
    if doubled.bus().under_way.is_some() {
        let _ = doubled.bus().finish();
    }
    assert!(doubled.bus().panel.diff(&plain).is_none());
}

/// Dots of the trained recipe `ring`: as many as the panel is to hold, then a pause, then others on a cleared panel.
#[test]
fn points_stay_as_dots_until_the_panel_is_full() {
    let file = ModelFile::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/points/ring.egm"))).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let frames = (scatter::DOTS / scatter::AT_A_TIME) as usize;
    let dots = |first: u64, count: u64, panel: PanelSpec| -> BTreeSet<(u32, u32)> {
        let plot = Plot::fit(Rectangle::new(At::zero(), Size::new(panel.width, panel.height)));
        let corner = |seed| plot.placement(&image(&model, Point::seed(seed))).top_left;
        (first..first + count).map(corner).map(|at| (at.x as u32, at.y as u32)).collect()
    };
    let lit = |picture: &RgbImage| -> BTreeSet<(u32, u32)> {
        picture.enumerate_pixels().filter(|(_, _, colour)| colour.0 != [0; 3]).map(|(x, y, _)| (x, y)).collect()
    };
    let oled = PanelSpec { colors: PanelColors::Binary, ..PanelSpec::OLED };
    let show = Show::parse("gallery seed=3 bare auto=0");
    let pictures = stage::record(file.bytes(), &show, oled, frames + 2).pictures;
    let page = u64::from(scatter::DOTS);
    let each = u64::from(scatter::AT_A_TIME);
    assert_eq!(lit(&pictures[0]), dots(3, each, oled));
    assert_eq!(lit(&pictures[1]), dots(3, 2 * each, oled), "dots stay");
    assert_eq!(lit(&pictures[frames - 1]), dots(3, page, oled));
    assert_eq!(lit(&pictures[frames]), dots(3 + page, each, oled), "cleared, and other seeds");

    // On the walk one dot after the other, with words beside the square.
    let walk = stage::record(file.bytes(), &Show::parse("walk seed=3 auto=0"), oled, 3).pictures;
    let square = |picture: &RgbImage| lit(picture).into_iter().filter(|&(x, _)| x >= 54).count();
    assert!((1..=3).contains(&square(&walk[2])) && lit(&walk[2]).len() > 50, "a caption at the left");

    // A plain gallery, as boards in QEMU show it, has the same dots.
    let photo = panel::photo(file.bytes(), 3, oled).unwrap();
    assert_eq!(lit(&photo.image), dots(3, page, oled));
    assert_eq!(photo.report.images.len(), 512);
}
