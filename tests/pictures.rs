//! Pictures that a model reads: brought along in its file, or the rows of another model.

use edgegen_app::caption::Layout;
use edgegen_app::{Pair, PanelColor, Show};
use edgegen_export::function::Function;
use edgegen_export::layers::{Input, LatentInput, Layer, Network, PixelRange, picture};
use edgegen_export::{
    ExportError, Label, ModelFile, export, image as drawn, pack, picture_bytes, reference, repack, translated,
    with_pictures,
};
use edgegen_runtime::graph::Prior;
use edgegen_runtime::{Generator, Model, Packing, Point, Shape};
use edgegen_sim::{PanelColors, PanelSpec, stage};
use edgegen_tests::{Graph, Values, codes, window};
use embedded_graphics::geometry::{Point as At, Size};
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use embedded_graphics::prelude::RgbColor;
use embedded_graphics::primitives::{PointsIter, Rectangle};
use image::RgbImage;

const SHAPE: Shape = Shape { h: 12, w: 10, c: 3 };
const LABEL: Label<'_> = Label { name: "filter", metadata: &[] };

/// A residual network from image to image of `SHAPE`, with noise of one value a pixel if `noisy`.
pub fn filter(noisy: bool) -> Network {
    let mut graph = Graph { nodes: vec![], shapes: vec![], values: Values(5) };
    let input = Layer::Input(Input::Image { shape: SHAPE, pixels: PixelRange::Symmetric });
    let image = graph.push(input, &[]).unwrap();
    let mut last = graph.conv(image, window(6, 3)).unwrap();
    if noisy {
        let noise = Input::Noise { shape: Shape { c: 1, ..SHAPE }, prior: Prior::Gaussian, number: 0 };
        let noise = graph.push(Layer::Input(noise), &[]).unwrap();
        last = graph.push(Layer::Add { scales: [1.0, 0.3] }, &[last, noise]).unwrap();
    }
    let active = graph.push(Layer::Activation(Function::relu()), &[last]).unwrap();
    let conv = graph.conv(active, window(3, 3)).unwrap();
    let sum = graph.push(Layer::Add { scales: [1.0, 0.2] }, &[image, conv]).unwrap();
    graph.push(Layer::Activation(Function::tanh()), &[sum]).unwrap();
    graph.network(PixelRange::Symmetric)
}

fn exported(network: &Network) -> ModelFile {
    export(network, 8, LABEL).unwrap().file
}

fn minor(file: &ModelFile) -> u16 {
    u16::from_le_bytes([file.bytes()[6], file.bytes()[7]])
}

#[test]
fn a_model_reads_the_pictures_that_it_brings_along() {
    let bare = exported(&filter(false));
    let pictures: Vec<_> = (0..3).map(|seed| picture(SHAPE, seed)).collect();
    let file = with_pictures(&bare, &pictures).unwrap();
    assert_eq!((minor(&bare), minor(&file)), (0, 1));
    assert_eq!(file.bytes().len(), (bare.bytes().len() + 3 * SHAPE.len()).next_multiple_of(16) - 8);
    for packing in [Packing::Portable, Packing::X86, Packing::Dsp] {
        let packed = repack(&file, packing).unwrap();
        let model = Model::parse_any(packed.bytes()).unwrap();
        let found = model.pictures().unwrap();
        assert_eq!((found.count(), found.shape()), (3, SHAPE));
        for (number, picture) in (0..).zip(&pictures) {
            assert_eq!(found.picture(number).plain(), Some(&picture[..]), "{}", packing.name());
        }
    }
    let (with, without) = (Model::parse(file.bytes()).unwrap(), Model::parse(bare.bytes()).unwrap());
    for seed in [0, 1, 2, 3, u64::MAX] {
        let expected = translated(&without, Point::seed(0), &pictures[(seed % 3) as usize]);
        assert_eq!(drawn(&with, seed), expected, "seed {seed}");
    }
    assert!(without.pictures().is_none());
    assert_eq!(drawn(&without, 1), translated(&without, Point::seed(0), &[]), "black");
}

/// A drawing: a few pixels on one colour, and a row of others.
fn drawing(seed: u8) -> Vec<u8> {
    let colour = [seed, 200, 30];
    let mut bytes = colour.repeat(SHAPE.len() / 3);
    bytes.iter_mut().skip(3 * 14 + usize::from(seed)).step_by(37).for_each(|byte| *byte ^= 85);
    let row = &mut bytes[5 * SHAPE.row_len()..6 * SHAPE.row_len()];
    (0..).zip(row).for_each(|(at, byte)| *byte = at);
    bytes
}

/// A model that brings five of them along.
pub fn drawings() -> ModelFile {
    with_pictures(&exported(&filter(false)), &(0..5).map(drawing).collect::<Vec<_>>()).unwrap()
}

#[test]
fn drawings_lie_in_runs() {
    let (bare, file) = (exported(&filter(false)), drawings());
    let drawings: Vec<_> = (0..5).map(drawing).collect();
    assert_eq!(minor(&file), 5);
    let without = Model::parse(bare.bytes()).unwrap();
    for packing in [Packing::Portable, Packing::X86, Packing::Dsp] {
        let packed = repack(&file, packing).unwrap();
        let model = Model::parse_any(packed.bytes()).unwrap();
        let found = model.pictures().unwrap();
        assert!(found.in_runs() && found.bytes().len() * 2 < 5 * SHAPE.len(), "{} bytes", found.bytes().len());
        for (number, drawing) in (0..).zip(&drawings) {
            assert!(picture_bytes(found.picture(number)) == *drawing, "{}, drawing {number}", packing.name());
        }
    }
    let model = Model::parse(file.bytes()).unwrap();
    for seed in [0, 4, 7, u64::MAX] {
        let expected = translated(&without, Point::seed(0), &drawings[(seed % 5) as usize]);
        assert!(drawn(&model, seed) == expected, "seed {seed}");
    }
    // Noise is not worth a run, and what was there before is gone.
    let noise = [picture(SHAPE, 7)];
    assert!(with_pictures(&file, &noise).unwrap().bytes() == with_pictures(&bare, &noise).unwrap().bytes());
    assert!(with_pictures(&file, &[]).unwrap().bytes().len() <= bare.bytes().len() + 16);
}

/// Whatever lies where a picture should, its rows are read, and the image is drawn.
#[test]
fn runs_that_are_none_are_black() {
    let file = with_pictures(&exported(&filter(false)), &[drawing(1)]).unwrap();
    let whole = Model::parse(file.bytes()).unwrap();
    let (about, nodes) = (whole.about(), whole.nodes());
    let at = whole.data().len() - whole.pictures().unwrap().bytes().len();
    for (offset, bytes, is_read) in [
        (0, &[4, 0, 0, 0][..], true),
        (0, &[255; 4], true),
        (8, &[255; 20], true),
        (8, &[0; 20], true),
        (4, &[255; 4], false),
        (4, &[255, 255, 0, 0], false),
    ] {
        let mut data = whole.data().to_vec();
        data[at + offset..at + offset + bytes.len()].copy_from_slice(bytes);
        let damaged = ModelFile::new(&pack::assemble(nodes, &about, whole.packing(), &data));
        match Model::parse(damaged.bytes()) {
            Ok(model) if is_read => assert_eq!(drawn(&model, 0).len(), model.output().len()),
            Err(error) if !is_read => assert!(error.to_string().contains("data"), "{error}"),
            other => panic!("{bytes:?} at {offset}: {other:?}"),
        }
    }
}

#[test]
fn pictures_replace_others_and_go_again() {
    let bare = exported(&filter(false));
    let one = with_pictures(&bare, &[picture(SHAPE, 7)]).unwrap();
    let two = with_pictures(&one, &[picture(SHAPE, 1), picture(SHAPE, 2)]).unwrap();
    assert_eq!(Model::parse(two.bytes()).unwrap().pictures().unwrap().count(), 2);
    let again = with_pictures(&two, &[picture(SHAPE, 7)]).unwrap();
    assert!(again.bytes() == one.bytes(), "nothing is left of others");
    assert_eq!(minor(&with_pictures(&two, &[]).unwrap()), 0);
    let small = with_pictures(&bare, &[vec![0; 7]]).unwrap_err().to_string();
    assert!(small.contains("expected a picture of the model's size, found one of 7 bytes"), "{small}");
    let none = with_pictures(&edgegen_tests::shipped("icons"), &[]);
    assert!(matches!(none, Err(ExportError::Picture { .. })), "{none:?}");
}

/// Two models, each in its own memory: rows go from one to the other as they are made.
#[test]
fn the_rows_of_one_model_feed_another() {
    let draws = {
        let mut graph = Graph::new(LatentInput::new(Prior::Gaussian, 6), 7);
        let dense = graph.dense(0, Shape { h: 4, w: 5, c: 4 }).unwrap();
        let large = graph.push(Layer::UpsampleNearest { factor: [3, 2] }, &[dense]).unwrap();
        let conv = graph.conv(large, window(3, 3)).unwrap();
        graph.push(Layer::Activation(Function::tanh()), &[conv]).unwrap();
        exported(&graph.network(PixelRange::Symmetric))
    };
    let reads = exported(&filter(true));
    let (first, second) = (Model::parse(draws.bytes()).unwrap(), Model::parse(reads.bytes()).unwrap());
    let (mut of_first, mut of_second) = (vec![0; first.arena_bytes()], vec![0; second.arena_bytes()]);
    let mut drawing = Generator::new(&first, &mut of_first).unwrap();
    let mut reading = Generator::new(&second, &mut of_second).unwrap();
    for seed in 0..5 {
        let whole = translated(&second, Point::seed(seed + 1), &drawn(&first, seed));
        let mut rows = reading.translate(Point::seed(seed + 1), drawing.sample(seed));
        let mut streamed = Vec::new();
        while let Some(row) = rows.next_row() {
            streamed.extend_from_slice(row);
        }
        assert_eq!(streamed, whole, "seed {seed}");
    }
}

#[test]
fn noise_is_the_seed_s_and_the_same_whenever_a_row_is_made() {
    let file = exported(&filter(true));
    assert_eq!(minor(&file), 1);
    let model = Model::parse(file.bytes()).unwrap();
    let given = picture(SHAPE, 3);
    let of = |seed| translated(&model, Point::seed(seed), &given);
    assert_eq!(of(4), of(4));
    assert_ne!(of(4), of(5));
    // Without the convolution behind it, rows of noise are made at other moments; both networks add the same.
    let mut late = filter(true);
    let add = late.nodes.iter().position(|node| matches!(node.layer, Layer::Add { .. })).unwrap();
    late.nodes.truncate(add + 1);
    let squeeze = Layer::Slice { starts: [0, 2, 0], sizes: [1, 8, 10] };
    late.nodes.push(edgegen_export::layers::Node { name: "part".into(), layer: squeeze, reads: vec![add] });
    let file = exported(&late);
    let model = Model::parse(file.bytes()).unwrap();
    let expected = reference::image(&model, &codes(&late, Point::seed(4)));
    let found = translated(&model, Point::seed(4), &picture(SHAPE, 4));
    assert_eq!(found, expected);
}

/// What a show draws on a panel, without captions.
fn shown(file: &ModelFile, words: &str, (width, height): (u32, u32), images: usize) -> stage::Recording {
    let spec = PanelSpec { width, height, colors: PanelColors::Rgb565 };
    stage::record(file.bytes(), &Show::parse(&format!("{words} bare auto=0")), spec, images)
}

/// Asserts that a panel shows a map of bytes as large as it is on it, at a place.
fn same(panel: &RgbImage, map: &[u8], shape: Shape, top_left: At, scale: u32) {
    let area = Rectangle::new(top_left, Size::new(u32::from(shape.w) * scale, u32::from(shape.h) * scale));
    for at in area.points() {
        let [x, y] = [(at.x - top_left.x) as u32 / scale, (at.y - top_left.y) as u32 / scale];
        let place = (y as usize * usize::from(shape.w) + x as usize) * 3;
        let expected: Rgb888 = Rgb565::from_pixel(&map[place..place + 3], at).into();
        let found = panel.get_pixel(at.x as u32, at.y as u32).0;
        assert_eq!(found, [expected.r(), expected.g(), expected.b()], "{at:?}");
    }
}

#[test]
fn a_panel_shows_pictures_beside_what_becomes_of_them() {
    let pictures: Vec<_> = (0..3).map(|seed| picture(SHAPE, seed)).collect();
    let file = with_pictures(&exported(&filter(false)), &pictures).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let images: Vec<_> = pictures.iter().map(|picture| translated(&model, Point::seed(0), picture)).collect();
    // One picture, then the next ones by themselves; a column of 22 image pixels and 12 rows.
    let recording = shown(&file, "picture=1", (100, 60), 3);
    for (number, panel) in [1, 2, 0].into_iter().zip(&recording.pictures) {
        same(panel, &pictures[number], SHAPE, At::new(6, 6), 4);
        same(panel, &images[number], SHAPE, At::new(6 + 12 * 4, 6), 4);
    }
    assert_eq!(recording.pictures.len(), 3);
    assert!(recording.lines[1].starts_with("picture 1 from seed"), "{:?}", recording.lines);
    // All three in a gallery, as large as they fit.
    let area = Rectangle::new(At::zero(), Size::new(100, 60));
    let pair = Pair::of(&model, area.size);
    let (_, grid) = Layout::gallery(area, pair.shape(), 3);
    let gallery = shown(&file, "gallery seed=0", (100, 60), 3).pictures.pop().unwrap();
    assert_eq!((grid.cells(), grid.scale), (3, 2));
    for (index, number) in (0..3).zip(0..) {
        let (input, output) = pair.split(edgegen_app::gallery::Grid::fit_most(area, pair.shape(), 3).placement(index));
        same(&gallery, &pictures[number], SHAPE, input.unwrap().top_left, 2);
        same(&gallery, &images[number], SHAPE, output.top_left, 2);
    }
    // No room for two.
    let small = shown(&file, "picture", (20, 14), 1).pictures.pop().unwrap();
    same(&small, &images[0], SHAPE, At::new(5, 1), 1);
}

#[test]
fn noise_moves_beside_a_picture_that_stays() {
    let pictures = [picture(SHAPE, 1), picture(SHAPE, 2)];
    let file = with_pictures(&exported(&filter(true)), &pictures).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let recording = shown(&file, "picture seed=5", (22, 12), 66);
    for (step, panel) in recording.pictures.iter().enumerate() {
        let number = step / 64;
        let at = Point::walk(5 + number as u64, 6 + number as u64, (step % 64) as u16);
        same(panel, &pictures[number], SHAPE, At::zero(), 1);
        same(panel, &translated(&model, at, &pictures[number]), SHAPE, At::new(12, 0), 1);
    }
    assert_ne!(recording.pictures[0], recording.pictures[40]);
}

#[test]
fn a_model_without_the_pictures_that_it_reads_says_so_on_the_panel() {
    let file = exported(&filter(false));
    let recording = shown(&file, "picture", (240, 135), 1);
    let fault = "fault expected pictures of 12×10×3 to read, found none in the model: put some in with --image";
    assert_eq!(recording.lines, [fault]);
    assert_eq!(recording.pictures.len(), 1);
    let white = recording.pictures[0].pixels().filter(|pixel| pixel.0 == [255; 3]).count();
    assert!((500..8000).contains(&white), "{white} white pixels");
}
