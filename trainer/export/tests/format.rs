//! `docs/format.md` tells the truth: its bytes are what the exporter writes, and lie as its tables say.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;

use edgegen_export::function::Function;
use edgegen_export::layers::{self, LatentInput, Layer, Network, PixelRange};
use edgegen_export::{Label, ModelFile, export, export_as, with_pictures};
use edgegen_runtime::format::checksum;
use edgegen_runtime::graph::{Axis, Border, Input, Kind, Node, Prior, Product, Source, Width};
use edgegen_runtime::{Model, Point, Shape};

fn network() -> Network {
    let layers = [
        Layer::Dense {
            shape: Shape { h: 1, w: 2, c: 1 },
            weight: vec![0.5, -0.25, 1.0, 0.75],
            bias: vec![0.125, -0.5],
        },
        Layer::Activation(Function::tanh()),
    ];
    Network::chain(LatentInput::new(Prior::Gaussian, 2), layers, PixelRange::Symmetric)
}

/// The bytes of the last code block of the page.
fn documented() -> Vec<u8> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/format.md")).unwrap();
    let (_, block) = page.split_once("```hex\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let bytes = block.lines().flat_map(|line| line.split_once(": ").unwrap().1.split_whitespace());
    bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

/// As they stand on the page.
fn printed(bytes: &[u8]) -> String {
    let lines = bytes.chunks(16).enumerate().map(|(line, bytes)| {
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{:03x}: {}\n", 16 * line, bytes.join(" "))
    });
    lines.collect()
}

#[test]
fn the_exporter_writes_the_bytes_of_the_page() {
    let exported = export(&network(), 16, Label { name: "tiny", metadata: &[("licence", "CC0")] }).unwrap();
    let found = printed(exported.file.bytes());
    assert_eq!(found, printed(&documented()), "the page should end with\n{found}");
}

#[test]
fn fields_stand_where_the_page_says() {
    let bytes = documented();
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));

    assert_eq!(bytes[..4], *b"EGM1");
    assert_eq!((u16_at(4), u16_at(6)), (3, 0));
    let (about, data) = (u32_at(8) as usize, u32_at(12) as usize);
    assert_eq!(u32_at(16), checksum(&bytes[20..]));
    assert_eq!((u16_at(20), u16_at(22)), (0, 2));
    let data_start = 32 + 2 * 112 + about.next_multiple_of(16);
    assert_eq!(bytes.len(), data_start + data);
    assert_eq!(bytes[32 + 224..][..about], *b"\x04tiny\x01\x07licence\x03CC0");

    let (latent, image) = (32, 32 + 112);
    assert_eq!([0, 2, 4].map(|field| u16_at(latent + field)), [1, 1, 2]);
    assert_eq!((bytes[latent + 18], bytes[latent + 19]), (Kind::Input as u8, 0));
    assert_eq!((u16_at(latent + 80), u16_at(latent + 82), u16_at(latent + 84)), (Source::Latent as u16, 0, 2));

    assert_eq!([0, 2, 4].map(|field| u16_at(image + field)), [1, 2, 1]);
    assert_eq!((u16_at(image + 6), u32_at(image + 8)), (1, 4));
    assert_eq!((bytes[image + 17], bytes[image + 18], bytes[image + 19]), (Border::Zero as u8, Kind::Product as u8, 1));
    let (channels, table) = (u32_at(image + 20) as usize, u32_at(image + 24) as usize);
    assert_eq!((channels % 16, table % 16), (0, 0));
    assert_eq!(table + 256, data);
    assert_eq!((u16_at(image + 32), u16_at(image + 34), u16_at(image + 38)), (0, 0, 1));
    assert_eq!((u16_at(image + 84), u16_at(image + 90)), (1, 0));
    // The largest weights of both pixels.
    let weights = data_start + u32_at(image + 80) as usize;
    assert_eq!([0, 2].map(|at| bytes[weights + at]), [127, 127]);

    // The same by the runtime's types.
    let file = ModelFile::new(&bytes);
    let model = Model::parse(file.bytes()).unwrap();
    let nodes: &[Node] = model.nodes();
    assert_eq!(nodes[0].parameters::<Input>().unwrap().latent().unwrap().dims, 2);
    assert_eq!(nodes[1].parameters::<Product>().unwrap().columns, Axis::NONE);
    assert_eq!(nodes[1].rounding.channels as usize, channels);
    assert_eq!(model.about().name, "tiny");
    assert_eq!(model.about().metadata[..], [("licence", "CC0")]);
}

#[test]
fn pictures_and_noise_stand_where_the_page_says() {
    let shape = Shape { h: 2, w: 3, c: 1 };
    let node = |name: &str, layer, reads| layers::Node { name: name.into(), layer, reads };
    let image = layers::Input::Image { shape, pixels: PixelRange::Symmetric };
    let noise = layers::Input::Noise { shape, prior: Prior::Uniform, number: 7 };
    let nodes = vec![
        node("image", Layer::Input(image), vec![]),
        node("noise", Layer::Input(noise), vec![]),
        node("sum", Layer::Add { scales: [0.5, 0.5] }, vec![0, 1]),
    ];
    let network = Network { nodes, pixels: PixelRange::Symmetric };
    let bare = export(&network, 16, Label { name: "tiny", metadata: &[] }).unwrap().file;
    let file = with_pictures(&bare, &[vec![1, 2, 3, 4, 5, 6], vec![7; 6]]).unwrap();
    let bytes = file.bytes();
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
    assert_eq!((u16_at(4), u16_at(6)), (3, 1));
    let (fed, noise) = (32 + 80, 32 + 112 + 80);
    assert_eq!([0, 2, 4, 6].map(|field| u16_at(fed + field)), [2, 0, 0, 2]);
    let pictures = 32 + 3 * 112 + u32_at(8).next_multiple_of(16) + u32_at(fed + 8);
    assert_eq!(bytes[pictures as usize..], [1, 2, 3, 4, 5, 6, 7, 7, 7, 7, 7, 7]);
    assert_eq!([0, 2, 4, 6].map(|field| u16_at(noise + field)), [4, 1, 7, 0]);
    assert_eq!((bytes[noise - 80 + 16], u32_at(noise + 8)), (0, 0));
}

#[test]
fn int16_codes_are_version_3_2() {
    let latent = LatentInput::new(Prior::Gaussian, 2);
    let shape = Shape { h: 1, w: 2, c: 1 };
    let dense = |weight: Vec<f32>| Layer::Dense { shape, weight, bias: vec![0.0; 2] };
    let layers = vec![
        dense(vec![0.5, -1.0, 1.0, 0.25]),
        Layer::Activation(Function::tanh()),
        Layer::UpsampleNearest { factor: [2, 1] },
    ];
    let network = Network::chain(latent, layers, PixelRange::Symmetric);
    let examples: Vec<_> = (0..16).map(|seed| network.inputs_at(Point::seed(seed))).collect();
    let file = export_as(&network, &examples, Label { name: "tiny", metadata: &[] }, Width::Int16).unwrap().file;
    let bytes = file.bytes();
    let u16_at = |at: usize| u16::from_le_bytes([bytes[at], bytes[at + 1]]);
    let u32_at = |at: usize| u32::from_le_bytes(core::array::from_fn(|i| bytes[at + i]));
    assert_eq!((u16_at(4), u16_at(6)), (3, 2));
    // Latent vector, layer, image: the width of each, and zeros.
    let nodes = [0, 1, 2].map(|node| 32 + 112 * node);
    assert_eq!(nodes.map(|node| u32_at(node + 108)), [0, 1, 0]);
    // tanh: 257 numbers that rise from one end to the other, through 0 in the middle.
    let data = 32 + 3 * 112 + u32_at(8).next_multiple_of(16) as usize;
    let entry = |table: usize, index: usize| u16_at(data + u32_at(table) as usize + 2 * index) as i16;
    let table = nodes[1] + 24;
    assert!((0..256).all(|index| entry(table, index) <= entry(table, index + 1)));
    assert_eq!(entry(table, 128), 0);
    assert!(entry(table, 0) < -20_000 && entry(table, 256) > 20_000);
    // The image's: 256 times what a grey level is above 128.
    let table = nodes[2] + 80;
    assert_eq!(entry(table, 128), -128, "half of 255 is 127.5");
}
