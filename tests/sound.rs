//! Sounds: what speakers play is what the generator makes, sample by sample, on the simulated panel and on the Pico.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt;
use std::path::Path;

use edgegen_app::drums::{self, Pattern, STEPS};
use edgegen_app::{Act, Frame, Platform, Show, Stage, sound};
use edgegen_export::function::Function;
use edgegen_export::layers::{Input, LatentInput, Layer, Network, Node, PixelRange, Window};
use edgegen_export::{Label, ModelFile, export, image_at, pack, repack};
use edgegen_runtime::graph::About;
use edgegen_runtime::sound::sample;
use edgegen_runtime::{Generator, Model, Packing, Point, Prior, Shape};
use edgegen_sim::firmware::Firmware;
use edgegen_sim::rp2040::{self, Boot, Panel, pulse};
use edgegen_sim::st7789::Glass;
use edgegen_sim::{PanelColors, PanelSpec, stage};
use edgegen_tests::Values;
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics_simulator::SimulatorDisplay;

use crate::pico::pico;

/// Samples of a sound and samples a second, those of the data set `drums`.
const SAMPLES: usize = 2048;
const RATE: u32 = 8000;
const LCD: PanelSpec = PanelSpec { width: 320, height: 240, colors: PanelColors::Rgb565 };

/// A network of four classes of noises that die away: a vector becomes 32 rows, which three transposed convolutions
/// along time make four times as many each, times a line that falls to 0. Nobody trained it.
fn network() -> Network {
    let mut values = Values(15);
    let mut weights = |count: usize, scale: f32| -> Vec<f32> { values.take(count).iter().map(|v| scale * v).collect() };
    let mut layers =
        vec![(Layer::Input(Input::Latent(LatentInput { prior: Prior::Gaussian, dims: 4, classes: 4 })), vec![])];
    let shape = Shape { h: 32, w: 1, c: 8 };
    layers.push((Layer::Dense { shape, weight: weights(8 * 256, 1.0), bias: weights(256, 0.5) }, vec![0]));
    for [inputs, channels] in [[8, 6], [6, 4], [4, 1]] {
        layers.push((Layer::Activation(Function::tanh()), vec![layers.len() - 1]));
        let window =
            Window { stride: [4, 1], padding: [[2; 2], [0; 2]], kernel: [8, 1], ..Window::causal(channels, 8, 1) };
        let (weight, bias) = (weights(inputs * channels * 8, 0.8), vec![0.0; channels]);
        layers.push((Layer::ConvTranspose { window, output_padding: [0; 2], weight, bias }, vec![layers.len() - 1]));
    }
    let falling = (0..SAMPLES).map(|at| 1.0 - at as f32 / SAMPLES as f32).collect();
    let constant = Input::Constant { shape: Shape { h: SAMPLES as u16, w: 1, c: 1 }, values: falling };
    layers.push((Layer::Activation(Function::tanh()), vec![layers.len() - 1]));
    layers.push((Layer::Input(constant), vec![]));
    layers.push((Layer::Mul, vec![layers.len() - 2, layers.len() - 1]));
    let node = |(layer, reads)| Node { name: "sound".to_owned(), layer, reads };
    Network { nodes: layers.into_iter().map(node).collect(), pixels: PixelRange::Symmetric }
}

/// [`network`] as `tests/sound/hits.egm`.
pub fn hits() -> ModelFile {
    ModelFile::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/sound/hits.egm"))).unwrap()
}

fn made(model: &Model<'_>, point: Point) -> Vec<i16> {
    image_at(model, point).into_iter().map(sample).collect()
}

/// A sound as it goes out: a sample of silence comes behind it.
fn played(model: &Model<'_>, point: Point) -> Vec<i16> {
    [made(model, point), vec![0]].concat()
}

#[test]
fn the_file_is_the_network() {
    let metadata = [("rate", "8000"), ("classes", "kick\nsnare\nhat\nclap")];
    let exported = export(&network(), 64, Label { name: "hits", metadata: &metadata }).unwrap();
    // For those who change the network: this is the file to keep.
    std::fs::write(concat!(env!("CARGO_TARGET_TMPDIR"), "/hits.egm"), exported.file.bytes()).unwrap();
    assert!(exported.file.bytes() == hits().bytes());
}

#[test]
fn sounds_are_loud_and_alive() {
    let file = hits();
    let model = Model::parse(file.bytes()).unwrap();
    for seed in 0..8 {
        let samples = made(&model, Point::seed(seed));
        let peak = samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        let mean = samples.iter().map(|&sample| f64::from(sample)).sum::<f64>() / SAMPLES as f64;
        let clipped = samples.iter().filter(|sample| sample.unsigned_abs() == 32767).count();
        assert!((1000..32767).contains(&peak) && clipped == 0, "seed {seed}: peak {peak}, {clipped} clipped");
        assert!(mean.abs() < 0.1 * f64::from(peak), "seed {seed}: mean {mean}, peak {peak}");
        assert!(samples[SAMPLES - 8..].iter().all(|sample| sample.unsigned_abs() < 100), "seed {seed}");
    }
}

#[test]
fn the_fact_rate_says_what_is_a_sound() {
    let (file, digits) = (hits(), edgegen_tests::shipped("mnist-dcgan"));
    let rate = |file: &ModelFile, fact: &str| {
        let model = Model::parse_any(file.bytes()).unwrap();
        let mut about = About { name: model.name(), ..About::default() };
        about.metadata.push(("rate", fact)).unwrap();
        let file = ModelFile::new(&pack::assemble(model.nodes(), &about, Packing::Portable, model.data()));
        Model::parse(file.bytes()).unwrap().sample_rate()
    };
    assert_eq!(Model::parse(file.bytes()).unwrap().sample_rate(), Some(RATE));
    assert_eq!([rate(&file, "44100"), rate(&file, "0"), rate(&file, "8 kHz")], [Some(44100), None, None]);
    assert_eq!([rate(&digits, "8000"), Model::parse(digits.bytes()).unwrap().sample_rate()], [None; 2], "an image");
}

/// Gallery, class and walk: sound after sound, each to its end.
#[test]
fn a_speaker_gets_what_the_generator_makes() {
    let file = hits();
    let model = Model::parse(file.bytes()).unwrap();
    let heard = |words: &str, images: usize| stage::record(file.bytes(), &Show::parse(words), LCD, images);
    let expect = |points: &[Point]| points.iter().flat_map(|&point| played(&model, point)).collect::<Vec<_>>();
    let seeds = |first: u64, count: u64| (first..first + count).map(Point::seed).collect::<Vec<_>>();

    let gallery = heard("gallery seed=3 auto=0", 8);
    assert_eq!(gallery.samples, expect(&seeds(3, 8)));
    let class: Vec<Point> = seeds(5, 3).into_iter().map(|point| point.of_class(2)).collect();
    let snares = heard("class=2 seed=5 auto=0", 3);
    assert_eq!(snares.samples, expect(&class));
    assert_eq!(heard("walk seed=1 auto=0", 3).samples, expect(&[0, 8, 16].map(|step| Point::walk(1, 2, step))));
    for (name, recording) in [("gallery", gallery), ("class", snares)] {
        // For people to look at.
        let path = format!("{}/sound-{name}.png", env!("CARGO_TARGET_TMPDIR"));
        recording.pictures.last().unwrap().save(path).unwrap();
    }
}

/// Two bars, mixed once more by adding up whole sounds, each of which ends where its voice begins anew.
#[test]
fn the_drum_machine_plays_its_pattern_with_new_sounds_each_bar() {
    let file = hits();
    let model = Model::parse(file.bytes()).unwrap();
    let (bars, step) = (2, RATE as usize / 8);
    let recording = stage::record(file.bytes(), &Show::parse("drums seed=9 auto=0"), LCD, 1 + bars * STEPS as usize);
    assert_eq!(recording.lines[1..], ["drums from seed 9"]);
    // For people to look at.
    recording.pictures.last().unwrap().save(concat!(env!("CARGO_TARGET_TMPDIR"), "/sound-drums.png")).unwrap();
    let pattern = Pattern::of(9);
    let mut mixed = vec![0i32; bars * 16 * step];
    for voice in 0..4 {
        let begins: Vec<usize> =
            (0..bars * 16).filter(|&at| pattern.begins(voice, at as u32 % STEPS)).map(|at| at * step).collect();
        for (index, &start) in begins.iter().enumerate() {
            let bar = start / (16 * step);
            let end = begins.get(index + 1).copied().unwrap_or(mixed.len());
            let sound = made(&model, drums::point(&model, 9, bar as u64, voice));
            mixed[start..end].iter_mut().zip(sound).for_each(|(sum, sample)| *sum += i32::from(sample));
        }
    }
    let mixed: Vec<i16> = mixed.iter().map(|sum| (sum / 2).clamp(-32767, 32767) as i16).collect();
    let heard = recording.samples.len().min(mixed.len());
    assert!(heard > (bars * 16 - 1) * step, "{heard} samples");
    assert!(recording.samples[..heard] == mixed[..heard]);
    let first = |bar: usize| &mixed[bar * 16 * step..][..step];
    assert!(first(0) != first(1), "new sounds");
}

#[test]
fn every_panel_shows_sounds() {
    let file = hits();
    for (width, height) in [(5, 5), (72, 40), (128, 64), (240, 135), (480, 320)] {
        for colors in [PanelColors::Binary, PanelColors::Gray4, PanelColors::Rgb565] {
            for (act, images) in [("gallery", 1), ("class=1", 1), ("drums", 3), ("art", 1)] {
                let show = Show::parse(&format!("{act} seed=7"));
                let recording = stage::record(file.bytes(), &show, PanelSpec { width, height, colors }, images);
                let picture = &recording.pictures[images - 1];
                assert!(picture.pixels().any(|pixel| pixel.0 != [0; 3]), "{act} on {width}×{height}");
                if (width, height) == (128, 64) && colors == PanelColors::Binary {
                    // For people to look at.
                    picture.save(format!("{}/sound-{act}-oled.png", env!("CARGO_TARGET_TMPDIR"))).unwrap();
                }
            }
        }
    }
}

/// A clock of a thousand ticks a second, a button, and no speaker.
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

/// What is drawn within so many milliseconds, and when.
fn drawn(desk: &Desk, stage: &mut Stage<'_, &Desk>, millis: u32) -> Vec<(u32, Act, Point)> {
    let mut panel = SimulatorDisplay::<Rgb565>::new(Size::new(160, 80));
    let (end, mut drawn) = (desk.ticks.get() + millis, Vec::new());
    while desk.ticks.get() < end {
        let Ok::<_, Infallible>(frame) = stage.frame(&mut panel);
        if let Frame::Drawn { act, point, .. } = frame {
            drawn.push((desk.ticks.get(), act, point));
        }
    }
    drawn
}

#[test]
fn what_nobody_hears_takes_its_time_and_a_press_ends_it() {
    let file = hits();
    let model = Model::parse(file.bytes()).unwrap();
    let (mut arena, mut memory) = (vec![0; model.arena_bytes()], vec![0; drums::bytes(&model)]);
    let desk = Desk::default();
    let show = Show::parse("class=3 seed=7 auto=0");
    let mut stage = Stage::open_with(Generator::new(&model, &mut arena).unwrap(), &show, &desk, &mut memory);
    let seen = drawn(&desk, &mut stage, 2000);
    let points: Vec<Point> = seen.iter().map(|&(_, _, point)| point).collect();
    assert_eq!(points[..3], [7, 8, 9].map(|seed| Point::walk(seed, seed + 1, 0).of_class(3)));
    for pair in seen.windows(2) {
        // 256 ms of sound, 200 of silence, 96 looks at the clock while the next one is made.
        assert!((550..570).contains(&(pair[1].0 - pair[0].0)), "{seen:?}");
    }
    desk.pressed.set(true);
    let begins = desk.ticks.get();
    let seen = drawn(&desk, &mut stage, 1500);
    assert!(seen.iter().all(|&(_, act, _)| act == Act::Drums), "{seen:?}");
    assert!(seen[0].0 < begins + 50 && seen.len() > 4, "the board at once, then steps: {seen:?}");
    desk.pressed.set(true);
    assert_eq!(drawn(&desk, &mut stage, 600)[0].1, Act::Gallery);
    assert_eq!(desk.lines.borrow()[1..], ["class 3 from seed 7", "drums from seed 11", "gallery from seed 11"]);
}

#[test]
fn without_memory_there_are_waves_and_no_drums() {
    let file = hits();
    let model = Model::parse(file.bytes()).unwrap();
    for (bytes, lines) in [
        (SAMPLES, vec!["walk from seed 1"]),
        (SAMPLES - 1, vec!["no sound: expected 2048 bytes more of arena, found 2047", "walk from seed 1"]),
        (drums::bytes(&model) - 1, vec!["walk from seed 1"]),
        (drums::bytes(&model), vec!["drums from seed 1"]),
    ] {
        let (mut arena, mut memory) = (vec![0; model.arena_bytes()], vec![0; bytes]);
        let desk = Desk::default();
        let generator = Generator::new(&model, &mut arena).unwrap();
        let mut stage = Stage::open_with(generator, &Show::parse("drums auto=0"), &desk, &mut memory);
        assert!(!drawn(&desk, &mut stage, 300).is_empty(), "{bytes} bytes");
        assert_eq!(desk.lines.borrow()[1..], lines);
    }
    assert_eq!((sound::bytes(&model), drums::bytes(&model)), (SAMPLES, 8 * SAMPLES));
}

/// The firmware of the Pico in the emulator: pulse widths are the host's samples, one each 1/8000 s, and the panel
/// shows the host's pictures.
fn on_pico(words: &str, seconds: f64, least: usize) {
    let Some(board) = pico() else { return };
    let file = hits();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.egm");
    std::fs::write(&path, repack(&file, board.cpu.packing()).unwrap().bytes()).unwrap();
    let firmware = Firmware::build_show(&path, &board, board.panel(Some("st7789")).unwrap(), board.cpu, words).unwrap();
    let boot = Boot { panel: Panel::St7789(Glass::LANDSCAPE), press: None, quiet: None, seconds };
    let shot = rp2040::boot(&firmware.elf(), boot).unwrap();
    assert!(!shot.text.contains("fault") && !shot.text.contains("fails"), "{}", shot.text);
    // For people to look at.
    let act = words.split([' ', '=']).next().unwrap();
    shot.picture.save(format!("{}/pico-sound-{act}.png", env!("CARGO_TARGET_TMPDIR"))).unwrap();

    let host = stage::record(file.bytes(), &Show::parse(words), LCD, 40);
    let widths: Vec<u16> = shot.pulses.iter().map(|&(_, width)| width).collect();
    assert!((least..host.samples.len()).contains(&widths.len()), "{} samples", widths.len());
    let expected: Vec<u16> = host.samples.iter().map(|&sample| pulse(sample)).collect();
    assert!(widths == expected[..widths.len()], "{} samples", widths.len());
    // Within a sound; between two there is more. An interrupt may be some cycles late, or wait for another one.
    let period = 1.0 / f64::from(RATE);
    let late: Vec<f64> = shot.pulses.windows(2).map(|pair| pair[1].0 - pair[0].0 - period).collect();
    let breaks = late.iter().filter(|late| late.abs() > 10e-6).count();
    assert!(breaks <= widths.len() / SAMPLES, "{breaks} of {} samples out of time", widths.len());
    assert!(host.pictures.contains(&shot.picture), "the panel differs");
}

#[test]
fn the_pico_plays_sound_after_sound() {
    on_pico("class=1 seed=5 bare auto=0", 1.4, SAMPLES + 200);
}

#[test]
fn the_pico_is_a_drum_machine() {
    on_pico("drums seed=9 bare auto=0", 1.6, 4000);
}
