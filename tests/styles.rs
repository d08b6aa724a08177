//! Styles of two latent vectors in one image, and noise with a seed of its own.

use edgegen_app::Show;
use edgegen_export::function::Function;
use edgegen_export::layers::{Input, LatentInput, Layer, Network, PixelRange};
use edgegen_export::{Label, ModelFile, export, image_at, reference, repack};
use edgegen_runtime::graph::Prior;
use edgegen_runtime::latent::{Noise, Style};
use edgegen_runtime::{Model, Packing, Point, Shape};
use edgegen_sim::{PanelColors, PanelSpec, stage};
use edgegen_tests::{Graph, Values, codes, window};

pub const LAYERS: u16 = 4;

/// A constant that layer after layer is scaled by a style: `w + mix · (w₂ − w)`, noise behind the second.
pub fn styled() -> (Network, ModelFile) {
    let mut graph = Graph { nodes: vec![], shapes: vec![], values: Values(8) };
    let prior = Prior::Gaussian;
    let vector = |c| Shape { h: 1, w: 1, c };
    let map = Shape { h: 6, w: 5, c: 8 };
    let z = graph.push(Layer::Input(Input::Latent(LatentInput::new(prior, 6))), &[]).unwrap();
    let second = graph.push(Layer::Input(Input::Style { prior, dims: 6 }), &[]).unwrap();
    let mix = graph.push(Layer::Input(Input::Mix { layers: LAYERS.into() }), &[]).unwrap();
    let noise = graph.push(Layer::Input(Input::Noise { shape: Shape { c: 1, ..map }, prior, number: 0 }), &[]).unwrap();
    let difference = graph.push(Layer::Add { scales: [1.0, -1.0] }, &[second, z]).unwrap();
    let values = graph.values.take(map.len());
    let mut last = graph.push(Layer::Input(Input::Constant { shape: map, values }), &[]).unwrap();
    for layer in 0..usize::from(LAYERS) {
        let one = graph.push(Layer::Slice { starts: [layer, 0, 0], sizes: [1; 3] }, &[mix]).unwrap();
        let part = graph.push(Layer::Mul, &[one, difference]).unwrap();
        let w = graph.push(Layer::Add { scales: [1.0; 2] }, &[part, z]).unwrap();
        let style = graph.dense(w, vector(8)).unwrap();
        let scaled = graph.push(Layer::Mul, &[last, style]).unwrap();
        last = graph.push(Layer::Add { scales: [1.0, 0.5] }, &[last, scaled]).unwrap();
        if layer == 1 {
            last = graph.push(Layer::Add { scales: [1.0, 0.2] }, &[last, noise]).unwrap();
        }
    }
    let image = graph.conv(last, window(3, 1)).unwrap();
    graph.push(Layer::Activation(Function::tanh()), &[image]).unwrap();
    let network: Network = graph.network(PixelRange::Symmetric);
    let file = export(&network, 64, Label { name: "styles", metadata: &[] }).unwrap().file;
    (network, file)
}

#[test]
fn every_packing_draws_mixtures_as_the_reference() {
    let (network, file) = styled();
    assert_eq!(file.bytes()[6..8], [3, 0], "older runtimes know no styles");
    let mut points = vec![Point::seed(3), Point::walk(3, 4, 20), Point::seed(3).with_noise(Noise::Off)];
    for style in [Style::toward(9, 32), Style::toward_middle(32), Style::toward_middle(64)] {
        points.push(Point::seed(3).styled(style).with_noise(Noise::Seed(5)));
    }
    for (first, end) in [(0, 2), (2, LAYERS), (0, LAYERS), (1, 1)] {
        points.push(Point::seed(3).styled(Style::of(9, first, end)).with_noise(Noise::Seed(5)));
    }
    let native = edgegen_export::native(&file).unwrap();
    let model = Model::parse(native.bytes()).unwrap();
    assert_eq!((model.styles(), model.has_noise()), (LAYERS, true));
    let drawn: Vec<Vec<u8>> = points.iter().map(|&point| image_at(&model, point)).collect();
    let portable = Model::parse(file.bytes()).unwrap();
    for (point, drawn) in points.iter().zip(&drawn) {
        assert_eq!(drawn, &image_at(&portable, *point), "{point:?}");
        assert_eq!(drawn, &reference::image(&portable, &codes(&network, *point)), "{point:?}");
    }
    for (index, image) in drawn.iter().enumerate() {
        for (other, another) in drawn.iter().enumerate().skip(index + 1) {
            assert_ne!(image, another, "points {index} and {other}");
        }
    }
    // A style in no layer changes nothing; one in all is the image of its seed, up to what w + (w₂ − w) loses in codes.
    let [own, other] = [3, 9].map(|seed| image_at(&model, Point::seed(seed).with_noise(Noise::Seed(5))));
    assert_eq!(drawn[9], own);
    let far = |image: &[u8]| drawn[8].iter().zip(image).map(|(a, b)| u32::from(a.abs_diff(*b))).sum::<u32>();
    assert!(10 * far(&other) < far(&own), "{} and {}", far(&other), far(&own));
    for packing in [Packing::Dsp, Packing::Mve, Packing::Armv6m] {
        assert!(Model::parse_any(repack(&file, packing).unwrap().bytes()).is_ok(), "{}", packing.name());
    }
}

/// What the panel shows of one seed: its layout in eight styles, then the next seed; other noise in each image.
#[test]
fn the_show_mixes_styles_and_noise() {
    let (_, file) = styled();
    let panel = PanelSpec { width: 48, height: 48, colors: PanelColors::Rgb888 };
    let model = Model::parse(file.bytes()).unwrap();
    for (act, at) in [
        (
            "mix",
            (|seed, step| Point::seed(seed).with_noise(Noise::Seed(seed)).styled(Style::of(seed + 1 + step, 2, LAYERS)))
                as fn(u64, u64) -> Point,
        ),
        ("noise", |seed, step| Point::seed(seed).with_noise(Noise::Seed(step))),
        ("walk", |seed, step| {
            let style = Style::toward(seed + 1, step as u16);
            Point::seed(seed).with_noise(Noise::Seed(7)).styled(style)
        }),
        ("middle", |seed, step| {
            let style = Style::toward_middle(step as u16);
            Point::seed(seed).with_noise(Noise::Seed(seed)).styled(style)
        }),
    ] {
        let show = Show { pace_millis: 0, ..Show::parse(&format!("{act} seed=7 bare auto=0")) };
        let recording = stage::record(file.bytes(), &show, panel, 9);
        assert_eq!(recording.lines[1], format!("{act} from seed 7"));
        for (index, picture) in recording.pictures.iter().enumerate() {
            let index = index as u64;
            let (seed, step) = if act == "mix" { (7 + index / 8, index % 8) } else { (7, index) };
            let image = image_at(&model, at(seed, step));
            let corner = picture.get_pixel(24 - 5 * 4, 24 - 6 * 4).0;
            assert_eq!(corner[..], image[..3], "{act}, image {index}");
        }
    }
}
