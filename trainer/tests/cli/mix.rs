//! `mix`: the grid, and what is wrong with it.

use edgegen_export::layers::{Input, LatentInput, Layer, Network, Node, PixelRange};
use edgegen_export::{Label, export};
use edgegen_runtime::graph::Prior;
use edgegen_runtime::latent::{Noise, Style};
use edgegen_runtime::{Model, Point, Shape};

use super::*;

/// A model of 4×4 grey images, whose left half follows the first layer of style and whose right half the second.
fn model() -> ModelFile {
    let prior = Prior::Gaussian;
    let shape = Shape { h: 4, w: 4, c: 1 };
    let mut nodes: Vec<Node> = Vec::new();
    let mut push = |layer: Layer, reads: &[usize]| {
        nodes.push(Node { name: format!("node {}", nodes.len()), layer, reads: reads.to_vec() });
        nodes.len() - 1
    };
    let first = push(Layer::Input(Input::Latent(LatentInput::new(prior, 1))), &[]);
    let second = push(Layer::Input(Input::Style { prior, dims: 1 }), &[]);
    let mix = push(Layer::Input(Input::Mix { layers: 2 }), &[]);
    let difference = push(Layer::Add { scales: [1.0, -1.0] }, &[second, first]);
    let part = push(Layer::Mul, &[mix, difference]);
    let both = push(Layer::Add { scales: [1.0; 2] }, &[part, first]);
    let weight = (0..16).flat_map(|at| if at % 4 < 2 { [0.2, 0.0] } else { [0.0, 0.2] }).collect();
    push(Layer::Dense { shape, weight, bias: vec![0.0; 16] }, &[both]);
    let label = Label { name: "halves", metadata: &[] };
    export(&Network { nodes, pixels: PixelRange::Symmetric }, 64, label).unwrap().file
}

#[test]
fn images_take_the_style_of_others() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let file = model();
    write(at, "m.egm", file.bytes());
    let args = ["mix", "m.egm", "--rows", "2", "--columns", "3", "--seed", "5", "--layers", "1..2", "--json"];
    let told: Value = serde_json::from_str(&done(at, &args)).unwrap();
    assert_eq!((&told["layers"], told["of"].as_u64()), (&serde_json::json!([1, 2]), Some(2)));
    let sheet = image::open(at.join("mix.png")).unwrap().into_luma8();
    let parsed = Model::parse(file.bytes()).unwrap();
    // Cells are enlarged images with gaps between: 4 columns of 4 pixels, and 2 pixels around each.
    let factor = (sheet.width() - 10) / 16;
    assert_eq!([sheet.width(), sheet.height()], [4 * 4 * factor + 10, 3 * 4 * factor + 8]);
    let cell = |row: u32, column: u32| -> Vec<u8> {
        let place = |index: u32, pixel: u32| 2 + index * (4 * factor + 2) + pixel * factor + factor / 2;
        (0..16).map(|at| sheet.get_pixel(place(column, at % 4), place(row, at / 4)).0[0]).collect()
    };
    let point = |seed| Point::seed(seed).with_noise(Noise::Seed(5));
    let drawn = |point| edgegen_export::image_at(&parsed, point);
    for column in 0..3u32 {
        let seed = 7 + u64::from(column);
        assert_eq!(cell(0, column + 1), drawn(point(seed)), "on top");
        for row in 0..2u32 {
            let own = point(5 + u64::from(row));
            assert_eq!(cell(row + 1, 0), drawn(own), "at the left");
            let mixed = cell(row + 1, column + 1);
            assert_eq!(mixed, drawn(own.styled(Style::of(seed, 1, 2))));
            assert_eq!((mixed[0], mixed[3]), (cell(row + 1, 0)[0], drawn(point(seed))[3]), "a half of each");
        }
    }
}

#[test]
fn what_cannot_be_mixed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "m.egm", model().bytes());
    assert!(refused(at, &["mix", "m.egm", "--layers", "1..3"]).contains("within 0..2"));
    assert!(refused(at, &["mix", "m.egm", "--layers", "hair"]).contains("found hair"));
    assert!(refused(at, &["mix", "m.egm", "--out", "grid.gif"]).contains(".png"));
    let plain = shipped("mnist-dcgan");
    assert!(refused(at, &["mix", &plain]).contains("expected a generator with styles, found none"));
}
