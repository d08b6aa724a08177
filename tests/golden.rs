//! Golden bytes: what shipped models draw never changes by accident. A change of the runtime that moves one of these
//! checksums breaks the promise "one seed, the same bytes"; a model that was trained anew gets new ones.

use std::path::Path;

use edgegen_export::ModelFile;
use edgegen_runtime::{Model, model::checksum};

/// Folder in `models/`, seed, CRC-32 of the image.
const GOLDEN: [(&str, u64, u32); 7] = [
    ("mnist-dcgan", 0, 0xcf1f5b75),
    ("mnist-dcgan", 1, 0xec68337f),
    ("mnist-dcgan", 2, 0xc33314a2),
    ("mnist-dcgan", 3, 0x78dee3e5),
    ("mnist-dcgan", 7, 0x8e77ad86),
    ("mnist-dcgan", 1000, 0xed7d4aca),
    ("mnist-dcgan", u64::MAX, 0x386b378a),
];

fn model(name: &str) -> ModelFile {
    let models = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../models"));
    ModelFile::read(&models.join(name).join("model.egm")).unwrap()
}

#[test]
fn shipped_models_draw_the_same_bytes_for_ever() {
    let found = GOLDEN.map(|(name, seed, _)| {
        let file = model(name);
        (name, seed, checksum(&edgegen_export::image(&Model::parse(file.bytes()).unwrap(), seed)))
    });
    assert_eq!(found, GOLDEN, "{found:x?}");
}

#[test]
fn shipped_models_fit_their_budget() {
    let file = model("mnist-dcgan");
    let model = Model::parse(file.bytes()).unwrap();
    assert!(file.bytes().len() <= 170_000, "{} bytes", file.bytes().len());
    assert!(model.arena_bytes() <= 4096, "{} bytes", model.arena_bytes());
}
