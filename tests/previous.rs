//! Images that read themselves: each row depends on those above it.

use edgegen_export::function::Function;
use edgegen_export::layers::{Input, Layer, Network, PixelRange, Window};
use edgegen_export::{ExportError, Label, ModelFile, export, export_as, reference, repack};
use edgegen_runtime::graph::{Prior, Source, Width};
use edgegen_runtime::{Model, Packing, Point, Shape};
use edgegen_tests::{Graph, Values, codes};

const SHAPE: Shape = Shape { h: 20, w: 12, c: 1 };
const LABEL: Label<'_> = Label { name: "in turn", metadata: &[] };

/// Rows by noise, a class and three earlier rows; with `below`, also by one that is not drawn yet.
fn in_turn(below: usize) -> Option<Network> {
    let mut graph = Graph { nodes: vec![], shapes: vec![], values: Values(21) };
    let class = graph.push(Layer::Input(Input::Class { classes: 3, stride: 0 }), &[])?;
    let noise = Input::Noise { shape: SHAPE, prior: Prior::Uniform, number: 0 };
    let noise = graph.push(Layer::Input(noise), &[])?;
    let previous = Input::Previous { shape: SHAPE, pixels: PixelRange::Symmetric };
    let previous = graph.push(Layer::Input(previous), &[])?;
    let window = Window { kernel: [3, 3], padding: [[4 - below, below], [1, 1]], ..Window::causal(4, 3, 2) };
    let before = graph.conv(previous, window)?;
    let class = graph.dense(class, Shape { h: 1, w: 1, c: 4 })?;
    let sums = graph.push(Layer::Add { scales: [2.0, 1.0] }, &[before, class])?;
    let hidden = graph.push(Layer::Activation(Function::tanh()), &[sums])?;
    let image = graph.conv(hidden, edgegen_tests::window(1, 1))?;
    let moved = graph.push(Layer::Add { scales: [2.0, 0.4] }, &[image, noise])?;
    graph.push(Layer::Activation(Function::tanh()), &[moved])?;
    Some(graph.network(PixelRange::Symmetric))
}

/// It in codes of that width between its inputs and the image.
pub fn model(width: Width) -> ModelFile {
    let network = in_turn(0).unwrap();
    let examples = edgegen_export::calibration(&network, 32);
    export_as(&network, &examples, LABEL, width).unwrap().file
}

/// The image by the naive interpreter: pass after pass over whole maps, until what it reads is what it drew.
fn whole(model: &Model<'_>, point: Point) -> Vec<u8> {
    let mut inputs: Vec<Vec<i8>> = codes(&in_turn(0).unwrap(), point);
    let place = inputs.len() - 1;
    inputs[place] = vec![0; SHAPE.len()];
    for _ in 0..=SHAPE.h {
        let image = reference::image(model, &inputs);
        let late = image.iter().map(|&byte| Source::pixel_code(byte));
        let late: Vec<i8> = std::iter::repeat_n(0, SHAPE.row_len()).chain(late).take(SHAPE.len()).collect();
        if late == inputs[place] {
            return image;
        }
        inputs[place] = late;
    }
    panic!("a pass makes at least one more row what it stays");
}

#[test]
fn every_packing_draws_row_by_row_what_whole_maps_come_to() {
    for width in Width::ALL {
        let file = model(width);
        assert_eq!(file.bytes()[6..8], [4, 0], "older runtimes do not know it");
        let portable = Model::parse(file.bytes()).unwrap();
        let points: Vec<Point> = (0..6).map(|seed| Point::seed(seed).of_class(seed as u16 % 3)).collect();
        let expected: Vec<Vec<u8>> = points.iter().map(|&point| whole(&portable, point)).collect();
        assert!(expected.iter().any(|image| *image != expected[0]));
        let native = edgegen_export::native(&file).unwrap();
        for file in [&file, &native] {
            let model = Model::parse(file.bytes()).unwrap();
            for (&point, expected) in points.iter().zip(&expected) {
                assert_eq!(edgegen_export::image_at(&model, point), *expected);
            }
        }
        for packing in [Packing::Armv6m, Packing::Dsp, Packing::Mve] {
            assert!(Model::parse_any(repack(&file, packing).unwrap().bytes()).is_ok());
        }
    }
}

#[test]
fn an_image_that_needs_rows_of_its_future_is_refused() {
    let network = in_turn(2).unwrap();
    let error = export(&network, 8, LABEL).unwrap_err();
    assert!(matches!(error, ExportError::Acausal), "{error}");
    assert!(error.to_string().contains("each row depends on those above it alone"), "{error}");
}

#[test]
fn a_change_of_one_row_is_seen_below_it_alone() {
    let file = model(Width::Int8);
    let model = Model::parse(file.bytes()).unwrap();
    let point = Point::seed(1).of_class(0);
    let mut inputs = codes(&in_turn(0).unwrap(), point);
    let image = whole(&model, point);
    let late = image.iter().map(|&byte| Source::pixel_code(byte));
    let place = inputs.len() - 1;
    inputs[place] = std::iter::repeat_n(0, SHAPE.row_len()).chain(late).take(SHAPE.len()).collect();
    let (row, changed) = (SHAPE.row_len(), 7);
    inputs[place][changed * row..][..row].fill(90);
    let other = reference::image(&model, &inputs);
    let differs: Vec<usize> =
        (0..SHAPE.h.into()).filter(|y| image[y * row..][..row] != other[y * row..][..row]).collect();
    assert!(!differs.is_empty() && differs.iter().all(|y| [7, 9, 11].contains(y)), "{differs:?}");
}
