//! Rows against whole maps: the streaming runtime gives what the naive interpreter gives, in exactly the planned memory.

use edgegen_export::layers::{LatentInput, Network};
use edgegen_export::{Exported, Label, ModelFile, cost, export, export_as, pack, reference};
use edgegen_runtime::graph::Width;
use edgegen_runtime::{Generator, GeneratorError, Model, Point, Prior, Shape};
use edgegen_tests::{cases, codes, every_input, network, plan, rgb64};
use proptest::prelude::*;

const LABEL: Label<'_> = Label { name: "test", metadata: &[] };

/// The image of a point by the runtime, in exactly the arena that the model asks for.
fn stream(model: &Model<'_>, point: Point) -> Vec<u8> {
    let mut arena = vec![85; model.arena_bytes()];
    let mut generator = Generator::new(model, &mut arena).unwrap();
    let mut image = Vec::new();
    // Twice: nothing may be left over from the image before.
    for _ in 0..2 {
        image.clear();
        let mut rows = generator.sample_at(point);
        while let Some(row) = rows.next_row() {
            image.extend_from_slice(row);
        }
    }
    image
}

/// The export of a network with int16 codes, calibrated on `count` seeds.
fn int16(network: &Network, count: u64) -> Exported {
    let examples: Vec<_> = (0..count).map(|seed| network.inputs_at(Point::seed(seed))).collect();
    export_as(network, &examples, LABEL, Width::Int16).unwrap()
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn rows_give_what_whole_maps_give(plan in plan()) {
        let network = network(&plan);
        let Exported { file, .. } = export(&network, 4, LABEL).unwrap();
        let model = Model::parse(file.bytes()).unwrap();
        let point = Point::walk(plan.seed, plan.seed ^ 5, (plan.seed % 70) as u16);
        let expected = reference::image(&model, &codes(&network, point));
        prop_assert_eq!(stream(&model, point), expected);
    }

    #[test]
    fn rows_of_int16_codes_give_what_whole_maps_give(plan in plan()) {
        let network = network(&plan);
        let Exported { file, .. } = int16(&network, 4);
        let model = Model::parse(file.bytes()).unwrap();
        let point = Point::walk(plan.seed, plan.seed ^ 5, (plan.seed % 70) as u16);
        let expected = reference::image(&model, &codes(&network, point));
        prop_assert_eq!(stream(&model, point), expected);
    }

    #[test]
    fn a_file_is_read_as_it_was_written(plan in plan()) {
        let label = Label { name: "größer", metadata: &[("key", "value"), ("", "")] };
        let Exported { file, .. } = export(&network(&plan), 1, label).unwrap();
        let model = Model::parse(file.bytes()).unwrap();
        let about = model.about();
        prop_assert_eq!((model.name(), &about.metadata[..]), (label.name, label.metadata));
        prop_assert_eq!(pack::assemble(model.nodes(), &about, model.packing(), model.data()), file.bytes());
    }

    #[test]
    fn rings_are_no_higher_than_needed(plan in plan()) {
        let Exported { file, .. } = export(&network(&plan), 1, LABEL).unwrap();
        let model = Model::parse(file.bytes()).unwrap();
        for index in 0..model.nodes().len() {
            let mut nodes = model.nodes().to_vec();
            if nodes[index].ring_rows > 1 {
                nodes[index].ring_rows -= 1;
                let mut ring = 0;
                for node in &mut nodes {
                    node.ring = ring;
                    ring += node.ring_bytes() as u32;
                }
                let lower = ModelFile::new(&pack::assemble(&nodes, &model.about(), model.packing(), model.data()));
                prop_assert!(Model::parse(lower.bytes()).is_err(), "node {}", index);
            }
        }
    }
}

#[test]
fn a_64_by_64_rgb_generator_runs_in_8_kilobytes() {
    let Exported { file, .. } = export(&rgb64(), 8, LABEL).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let cost = cost::cost(&model);
    assert_eq!(model.output(), Shape { h: 64, w: 64, c: 3 });
    assert_eq!(cost.macs, 64 * 2048 + 16 * (16 * 128 * 64 + 64 * 64 * 32 + 256 * 32 * 16 + 1024 * 16 * 3));
    assert_eq!(cost.file_bytes, file.bytes().len() as u64);
    assert!(model.arena_bytes() <= 8 * 1024);
    // Latent 64, and rings of two rows with a pixel of padding at each side; the README has this figure. Beside them 6
    // bytes for each node, and up to 15 because an arena may start anywhere.
    let rings = 64 + 2 * (6 * 128 + 10 * 64 + 18 * 32 + 34 * 16) + 64 * 3;
    assert_eq!(model.arena_bytes(), rings + 100 + 12 * 6 + 15);
    assert_eq!(cost.whole_maps_bytes, 32 * 32 * 16 + 64 * 64 * 3);

    let point = Point::seed(1);
    let expected = reference::image(&model, &codes(&rgb64(), point));
    assert_eq!(stream(&model, point), expected);

    let needed = model.arena_bytes();
    let mut arena = vec![0; needed - 1];
    let refused = Generator::new(&model, &mut arena).unwrap_err();
    assert_eq!(refused, GeneratorError::Arena { expected: needed, found: needed - 1 });
}

#[test]
fn a_sample_is_the_decoding_of_its_latent_vector() {
    let Exported { file, .. } = export(&rgb64(), 2, LABEL).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let mut arena = vec![0; model.arena_bytes()];
    let mut generator = Generator::new(&model, &mut arena).unwrap();
    let mut rows = generator.decode(&LatentInput::new(Prior::Gaussian, 64).codes(9));
    let mut decoded = Vec::new();
    while let Some(row) = rows.next_row() {
        decoded.extend_from_slice(row);
    }
    assert_eq!(edgegen_export::image(&model, 9), decoded);
    assert_ne!(edgegen_export::image(&model, 10), decoded);
}

#[test]
fn every_input_can_be_chosen() {
    let Exported { file, .. } = export(&every_input(), 8, LABEL).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let ramp: Vec<u8> = (0..20).map(|index| index * 13).collect();
    let decoded = |point: Point, codes: &[i8], fed: &[u8]| {
        let mut arena = vec![85; model.arena_bytes()];
        let mut generator = Generator::new(&model, &mut arena).unwrap();
        let feed = |y: u16, row: &mut [u8]| row.copy_from_slice(&fed[usize::from(y) * row.len()..][..row.len()]);
        let mut rows = generator.decode_at(point, codes, feed);
        let mut image = Vec::new();
        while let Some(row) = rows.next_row() {
            image.extend_from_slice(row);
        }
        image
    };
    let codes = LatentInput::new(Prior::UnitUniform, 6).codes(9);
    let mut images: Vec<_> = (0..3).map(|class| decoded(Point::seed(4).of_class(class), &codes, &ramp)).collect();
    for (class, image) in (0..).zip(&images) {
        // The class is the point's, and nothing else of it.
        let point = Point::seed(9).of_class(class);
        assert_eq!(image, &edgegen_export::translated(&model, point, &ramp), "class {class}");
    }
    images.push(decoded(Point::seed(4).of_class(0), &codes, &[0; 20]));
    images.push(decoded(Point::seed(4).of_class(0), &[], &ramp));
    for (index, image) in images.iter().enumerate() {
        assert!(!images[..index].contains(image), "{index} is the same as one before");
    }
}
