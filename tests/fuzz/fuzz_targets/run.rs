//! Changed valid models in every packing: graph and data are any bytes, header, lengths and checksum are made right, so that
//! the fuzzer gets past them to the rules of the graph, to the operators, and to this computer's kernel and its `unsafe`.
//!
//! The input is the length of the graph (u16), the code of the packing (u8), the graph and the data.

#![no_main]

use edgegen_export::{ModelFile, pack};
use edgegen_runtime::{Generator, Model, Packing, Point};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&[low, high, code], body)) = bytes.split_first_chunk() else { return };
    let (graph, data) = body.split_at(usize::from(u16::from_le_bytes([low, high])).min(body.len()));
    let packing = Packing::ALL[usize::from(code) % Packing::ALL.len()];

    let file = ModelFile::new(&pack::frame(graph, packing, data));
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
