//! Images that read themselves: each row depends on those above it.

use edgegen_export::layers::{Input, Layer};
use edgegen_export::{ExportError, Label, ModelFile, export, export_as, pack, reference, repack};
use edgegen_runtime::error::{Fault, ParseError};
use edgegen_runtime::graph::{self, Node, Source, Width};
use edgegen_runtime::{Model, Packing, Point, Shape};
use edgegen_tests::{codes, in_turn};

const SHAPE: Shape = edgegen_tests::IN_TURN;
const LABEL: Label<'_> = Label { name: "in turn", metadata: &[] };

/// It in codes of that width between its inputs and the image.
pub fn model(width: Width) -> ModelFile {
    let network = in_turn(0);
    let examples = edgegen_export::calibration(&network, 32);
    export_as(&network, &examples, LABEL, width).unwrap().file
}

/// The image by the naive interpreter: pass after pass over whole maps, until what it reads is what it drew.
fn whole(model: &Model<'_>, point: Point) -> Vec<u8> {
    let mut inputs: Vec<Vec<i8>> = codes(&in_turn(0), point);
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
    let mut network = in_turn(2);
    let error = export(&network, 8, LABEL).unwrap_err();
    assert!(matches!(error, ExportError::Acausal), "{error}");
    assert!(error.to_string().contains("each row depends on those above it alone"), "{error}");
    // And in a file: the same with an image that is fed, which then is said to be its own.
    for node in &mut network.nodes {
        if let Layer::Input(Input::Previous { shape, pixels }) = node.layer {
            node.layer = Layer::Input(Input::Image { shape, pixels });
        }
    }
    let fed = export(&network, 8, LABEL).unwrap().file;
    let (image, fault) = fault(&fed, |node| {
        let mut input: graph::Input = *node.parameters().unwrap();
        if input.source() == Some(Source::Fed) {
            input.source = Source::Previous as u16;
            node.set_parameters(&input);
        }
    });
    assert_eq!((image, fault), (Model::parse(fed.bytes()).unwrap().nodes().len() - 1, Fault::Ring));
}

#[test]
fn an_image_reads_itself_in_its_own_shape() {
    let file = model(Width::Int8);
    let place = Model::parse(file.bytes()).unwrap().nodes().iter().position(Node::is_previous).unwrap();
    let noise = |node: &mut Node| {
        let mut input: graph::Input = *node.parameters().unwrap();
        if input.source() == Some(Source::Noise) {
            (input.source, node.shape.c) = (Source::Previous as u16, 2);
            node.set_parameters(&input);
        }
    };
    // The noise, which stands before it, in two channels.
    assert_eq!(fault(&file, noise), (place - 1, Fault::Shape));
}

/// What is wrong with a file after a change of its inputs.
fn fault(file: &ModelFile, change: impl Fn(&mut Node)) -> (usize, Fault) {
    let model = Model::parse(file.bytes()).unwrap();
    let mut nodes = model.nodes().to_vec();
    nodes.iter_mut().filter(|node| node.kind() == Some(graph::Kind::Input)).for_each(change);
    let mut ring = 0;
    for node in &mut nodes {
        node.ring = ring;
        ring += node.ring_bytes() as u32;
    }
    let bytes = pack::assemble(&nodes, &model.about(), model.packing(), model.data());
    match Model::parse(ModelFile::new(&bytes).bytes()).unwrap_err() {
        ParseError::Node { node, fault } => (node.into(), fault),
        other => panic!("{other}"),
    }
}

#[test]
fn a_change_of_one_row_is_seen_below_it_alone() {
    let file = model(Width::Int8);
    let model = Model::parse(file.bytes()).unwrap();
    let point = Point::seed(1).of_class(0);
    let mut inputs = codes(&in_turn(0), point);
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
