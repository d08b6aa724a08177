//! Writes the corpora that fuzzing starts from: small random models, whole for `parse` and in parts for `run`, in the portable
//! packing and in this computer's. `fuzz-seeds FOLDER`

#![allow(clippy::unwrap_used, reason = "a tool for developers, which should stop where it cannot go on")]

use std::path::Path;

use edgegen_export::{Label, export, repack, with_pictures};
use edgegen_runtime::format::HEADER_LEN;
use edgegen_runtime::graph::NODE_BYTES;
use edgegen_runtime::kernels::{Kernel, Native};
use edgegen_runtime::latent::keyframes::KEY;
use edgegen_runtime::{Model, Packing};
use edgegen_tests::{every_input, in_turn, network, plan};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// Models of each packing, and the largest file.
const SEEDS: (usize, usize) = (12, 2048);

fn main() {
    let folder = std::env::args().nth(1).expect("fuzz-seeds FOLDER");
    let folder = Path::new(&folder);
    for corpus in ["parse", "run"] {
        std::fs::create_dir_all(folder.join(corpus)).unwrap();
    }
    let mut runner = TestRunner::deterministic();
    let files = (0..).map(|_| {
        let plan = plan().new_tree(&mut runner).unwrap().current();
        // With three keyframes, for the fuzzer to tear apart.
        let label = Label { name: "seed", metadata: &[(KEY, &"07f981".repeat(plan.latent))] };
        export(&network(&plan), 2, label).unwrap().file
    });
    let small = files.filter(|file| {
        let nodes = Model::parse(file.bytes()).map_or(0, |model| model.nodes().len());
        nodes >= 3 && file.bytes().len() <= SEEDS.1
    });
    let itself = export(&in_turn(0), 2, Label { name: "seed", metadata: &[] }).unwrap().file;
    // With pictures in runs.
    let reading = export(&every_input(), 2, Label { name: "seed", metadata: &[] }).unwrap().file;
    let len = Model::parse(reading.bytes()).unwrap().fed().unwrap().len();
    let reading = with_pictures(&reading, &[vec![7; len], vec![200; len]]).unwrap();
    for (index, file) in small.take(SEEDS.0).chain([itself, reading]).enumerate() {
        for packing in [Packing::Portable, Native::PACKING] {
            let file = repack(&file, packing).unwrap();
            let bytes = file.bytes();
            let name = format!("{}-{index}", packing.name());
            std::fs::write(folder.join("parse").join(&name), bytes).unwrap();

            let model = Model::parse(bytes).unwrap();
            let mut parts = vec![model.nodes().len() as u8, packing.code() as u8];
            parts.extend(&bytes[HEADER_LEN..][..NODE_BYTES * model.nodes().len()]);
            parts.extend(model.data());
            std::fs::write(folder.join("run").join(&name), parts).unwrap();
        }
    }
}
