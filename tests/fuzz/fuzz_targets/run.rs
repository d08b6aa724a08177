//! Changed valid models in every packing: nodes and data are any bytes, header, lengths and checksum are made right, so
//! that the fuzzer gets past them to the rules of the graph, to the operators, and to this computer's kernel and its
//! `unsafe`.
//!
//! The input is the number of nodes (u8), the code of the packing (u8), the nodes and the data.

#![no_main]

use edgegen_export::{ModelFile, pack};
use edgegen_runtime::graph::{About, List, NODE_BYTES, Node};
use edgegen_runtime::latent::keyframes::KEY;
use edgegen_runtime::{Generator, Model, Packing, Point};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[count, code], body)) = bytes.split_first_chunk() else { return };
    let (nodes, data) = body.split_at((usize::from(count) * NODE_BYTES).min(body.len() / NODE_BYTES * NODE_BYTES));
    // The rings lie one behind the other, which no fuzzer would find.
    let mut ring = 0u32;
    let nodes: Vec<Node> = nodes
        .chunks_exact(NODE_BYTES)
        .map(|bytes| {
            let node = Node { ring, ..bytemuck::pod_read_unaligned(bytes) };
            ring = ring.wrapping_add(node.ring_bytes() as u32);
            node
        })
        .collect();
    let packing = Packing::ALL[usize::from(code) % Packing::ALL.len()];

    let about = About { name: "fuzz", metadata: List::from_iter([(KEY, "07f981000102")]) };
    let file = ModelFile::new(&pack::assemble(&nodes, &about, packing, data));
    // Models for other CPUs are refused here; their rules are checked all the same.
    let _ = Model::parse_any(file.bytes());
    if let Ok(model) = Model::parse(file.bytes())
        && model.arena_bytes() < 1 << 20
        && model.output().len() < 1 << 16
    {
        let mut arena = vec![0; model.arena_bytes()];
        let mut generator = Generator::new(&model, &mut arena).expect("the arena is large enough");
        for point in [Point::seed(1), Point::keyframe(1, 2, 3)] {
            let mut count = 0;
            let mut rows = generator.sample_at(point);
            while let Some(row) = rows.next_row() {
                count += row.len();
            }
            assert_eq!(count, model.output().len());
        }
    }
});
