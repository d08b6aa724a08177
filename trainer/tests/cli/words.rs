//! `--text`: words to images, and what is wrong with them.

use edgegen_export::layers::{Input, LatentInput, Layer, Network, Node, PixelRange};
use edgegen_export::{Label, export};
use edgegen_runtime::graph::Prior;
use edgegen_runtime::{Model, Point, Shape};

use super::*;

/// A model of 4×4 grey images whose first attribute lights the left or the right half, and the second the upper or the
/// lower one.
fn model() -> ModelFile {
    let input = |name: &str, input| Node { name: name.into(), layer: Layer::Input(input), reads: vec![] };
    let shape = Shape { h: 4, w: 4, c: 1 };
    let lit = |at: usize, attribute: usize, value: usize| {
        let place = if attribute == 0 { at % 4 } else { at / 4 };
        if (place < 2) == (value == 0) { 0.25 } else { 0.0 }
    };
    // The latent value, both words of one attribute and both of the other.
    let row = |at: usize| [0.01, lit(at, 0, 0), lit(at, 0, 1), lit(at, 1, 0), lit(at, 1, 1)];
    let weight = (0..16).flat_map(row).collect();
    let nodes = vec![
        input("latent", Input::Latent(LatentInput::new(Prior::Gaussian, 1))),
        input("side", Input::Class { classes: 2, stride: 1 }),
        input("height", Input::Class { classes: 2, stride: 2 }),
        Node { name: "pair".into(), layer: Layer::Concat, reads: vec![0, 1] },
        Node { name: "all".into(), layer: Layer::Concat, reads: vec![3, 2] },
        Node { name: "image".into(), layer: Layer::Dense { shape, weight, bias: vec![0.2; 16] }, reads: vec![4] },
    ];
    let words = [(Model::WORDS, "side: left half, right half\nheight: up, down")];
    let label = Label { name: "halves", metadata: &words };
    export(&Network { nodes, pixels: PixelRange::Unit }, 32, label).unwrap().file
}

#[test]
fn a_caption_draws_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let file = model();
    write(at, "m.egm", file.bytes());
    let sample = |text: &str, out: &str| {
        let args = ["sample", "m.egm", "--text", text, "--count", "6", "--seed", "3", "--out", out, "--json"];
        let told: Value = serde_json::from_str(&done(at, &args)).unwrap();
        assert_eq!((told["text"].as_str(), told["count"].as_u64()), (Some(text), Some(6)));
        let bytes = std::fs::read(at.join(out)).unwrap();
        bytes[bytes.len() - 6 * 16..].to_vec()
    };
    let parsed = Model::parse(file.bytes()).unwrap();
    let image = |seed, class| edgegen_export::image_at(&parsed, Point::seed(seed).of_class(class));
    let expected: Vec<u8> = (3..9).flat_map(|seed| image(seed, 2)).collect();
    assert_eq!(sample("down, the left half", "a.npy"), expected, "class 0 + 2 · 1");
    // The side comes from the seeds, and both come.
    let made = sample("down", "b.npy");
    let mut sides = [false; 2];
    for (seed, made) in (3..9).zip(made.chunks(16)) {
        let side = [2, 3].map(|class| image(seed, class) == made);
        assert!(side[0] != side[1], "one of both, and down");
        sides = [sides[0] | side[0], sides[1] | side[1]];
    }
    assert_eq!(sides, [true; 2]);

    for (text, part) in [
        ("dwon", "found \"dwon\": the nearest is \"down\"; it knows side (left half, right half …)"),
        ("up, down", "expected one word for height in --text, found up and down"),
    ] {
        let message = refused(at, &["sample", "m.egm", "--text", text]);
        assert!(message.contains(part), "{message}");
    }
    let message = refused(at, &["sample", &shipped("mnist-cgan"), "--text", "seven"]);
    assert!(message.contains("a model that reads words for --text"), "{message}");
    let told = done(at, &["inspect", "m.egm"]);
    assert!(told.contains("words for side, height") && told.contains("one of 2 words"), "{told}");
}
