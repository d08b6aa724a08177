//! Changed valid models: the graph and the data are any bytes, header, lengths and checksum are made right, so that the
//! fuzzer gets past them to the rules of the graph and to the operators.

#![no_main]

use edgegen_export::ModelFile;
use edgegen_runtime::Model;
use edgegen_runtime::model::{HEADER_LEN, MAGIC, VERSION, checksum, field};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((split, body)) = bytes.split_at_checked(2) else { return };
    let graph_len = usize::from(u16::from_le_bytes([split[0], split[1]])).min(body.len());
    let (graph, data) = body.split_at(graph_len);

    let mut file = vec![0; HEADER_LEN];
    file[field::MAGIC].copy_from_slice(&MAGIC);
    file[field::MAJOR].copy_from_slice(&VERSION.0.to_le_bytes());
    file[field::MINOR].copy_from_slice(&VERSION.1.to_le_bytes());
    file[field::GRAPH_LEN].copy_from_slice(&(graph.len() as u32).to_le_bytes());
    file[field::DATA_LEN].copy_from_slice(&(data.len() as u32).to_le_bytes());
    file.extend(graph);
    file.resize(file.len().next_multiple_of(16), 0);
    file.extend(data);
    let crc = checksum(&file[field::CHECKED..]);
    file[field::CRC].copy_from_slice(&crc.to_le_bytes());

    let file = ModelFile::new(&file);
    if let Ok(model) = Model::parse(file.bytes())
        && model.arena_bytes() < 1 << 20
        && model.output().len() < 1 << 16
    {
        assert_eq!(edgegen_export::image(&model, 1).len(), model.output().len());
    }
});
