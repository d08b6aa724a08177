//! Golden bytes: what shipped models draw never changes by accident. A change of the runtime that moves one of these
//! checksums breaks the promise "one seed, the same bytes"; a model that was trained anew gets new ones.

use edgegen_export::repack;
use edgegen_runtime::{Model, Packing, format::checksum};
use edgegen_tests::shipped;

/// Folder in `models/`, seed, CRC-32 of the image.
const GOLDEN: [(&str, u64, u32); 36] = [
    ("mnist-dcgan", 0, 0x61e3d7cb),
    ("mnist-dcgan", 1, 0x93e073b8),
    ("mnist-dcgan", 2, 0x5b933efb),
    ("mnist-dcgan", 3, 0xca2463da),
    ("mnist-dcgan", 7, 0x4bfcd682),
    ("mnist-dcgan", 1000, 0xce377f13),
    ("mnist-dcgan", u64::MAX, 0x94fb9c3a),
    ("emoji-dcgan", 0, 0x4a689009),
    ("emoji-dcgan", 1, 0x266921a3),
    ("emoji-dcgan", u64::MAX, 0x7f58fbd2),
    ("mnist-cgan", 0, 0x7e3e4717),
    ("mnist-cgan", 7, 0xcedf467b),
    ("mnist-vae", 0, 0x000619ed),
    ("mnist-vae", 1, 0x13c05878),
    ("fashion-dcgan", 0, 0x60a34c38),
    ("fashion-dcgan", 1, 0xe7c519b5),
    ("fashion-residual", 0, 0x49e0b7d5),
    ("fashion-residual", 1, 0xaad7b51f),
    ("faces-words", 0, 0x2f278416),
    ("faces-words", 1, 0xb36f2827),
    ("faces-style", 0, 0x95c1eed6),
    ("faces-style", 1, 0xc809ff84),
    ("drums", 0, 0x86bc4706),
    ("drums", 1, 0x27d4a8a7),
    ("icons", 0, 0xdd85f9c5),
    ("icons", 1, 0xad6612c6),
    ("moons-iaf", 0, 0x49872ccf),
    ("moons-iaf", 1, 0x94ff3aa5),
    ("fashion-edges-pix2pix", 0, 0xd80dde79),
    ("fashion-edges-pix2pix", 1, 0xdf12812f),
    ("emoji-pairs-pix2pix", 0, 0xa22304ec),
    ("emoji-pairs-pix2pix", 1, 0xda3c40bd),
    ("avatars-emoji", 0, 0x45519e09),
    ("avatars-emoji", 1, 0x6642b13e),
    ("bags-shoes", 0, 0x7f6c9d79),
    ("bags-shoes", 1, 0xfe1b69cd),
];

#[test]
fn shipped_models_draw_the_same_bytes_for_ever() {
    let found = GOLDEN.map(|(name, seed, _)| {
        let file = shipped(name);
        (name, seed, checksum(&edgegen_export::image(&Model::parse(file.bytes()).unwrap(), seed)))
    });
    assert_eq!(found, GOLDEN, "{found:x?}");
}

#[test]
fn shipped_models_fit_their_budget() {
    // Nearly all RAM there is to drawing: the arena has the operators, too, 64 bytes for each edge.
    for (name, most_file, most_arena) in [
        ("mnist-dcgan", 170_000, 4352),
        ("mnist-cgan", 190_000, 4352),
        ("mnist-vae", 260_000, 8192),
        ("fashion-dcgan", 170_000, 4352),
        ("fashion-residual", 170_000, 8192),
        ("emoji-dcgan", 300_000, 8192),
        ("faces-words", 190_000, 8192),
        ("faces-style", 190_000, 18_432),
        ("drums", 170_000, 6144),
        ("icons", 16_384, 1024),
        ("moons-iaf", 49_152, 3072),
        ("fashion-edges-pix2pix", 65_536, 12_288),
        ("emoji-pairs-pix2pix", 300_000, 65_536),
        ("avatars-emoji", 300_000, 18_432),
        ("bags-shoes", 300_000, 24_576),
    ] {
        let file = shipped(name);
        let model = Model::parse(file.bytes()).unwrap();
        assert!(file.bytes().len() <= most_file, "{name}: {} bytes", file.bytes().len());
        assert!(model.arena_bytes() <= most_arena, "{name}: {} bytes", model.arena_bytes());
        // Packed for a microcontroller it stays within the same bounds, working memory of the kernel included.
        for packing in [Packing::Armv6m, Packing::Dsp, Packing::Mve] {
            let packed = repack(&file, packing).unwrap();
            let model = Model::parse_any(packed.bytes()).unwrap();
            assert!(packed.bytes().len() <= most_file, "{name}, {packing:?}: {} bytes", packed.bytes().len());
            assert!(model.arena_bytes() <= most_arena, "{name}, {packing:?}: {} bytes", model.arena_bytes());
        }
    }
}
