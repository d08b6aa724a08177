//! Changed valid models: the graph and the data are any bytes, header, lengths and checksum are made right, so that the
//! fuzzer gets past them to the rules of the graph and to the operators.

#![no_main]

use edgegen_export::{ModelFile, pack};
use edgegen_runtime::{Model, Packing};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((split, body)) = bytes.split_at_checked(2) else { return };
    let graph_len = usize::from(u16::from_le_bytes([split[0], split[1]])).min(body.len());
    let (graph, data) = body.split_at(graph_len);

    let file = ModelFile::new(&pack::frame(graph, Packing::Portable, data));
    if let Ok(model) = Model::parse(file.bytes())
        && model.arena_bytes() < 1 << 20
        && model.output().len() < 1 << 16
    {
        assert_eq!(edgegen_export::image(&model, 1).len(), model.output().len());
    }
});
