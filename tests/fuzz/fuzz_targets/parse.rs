//! Any bytes: `Model::parse` answers, and what it accepts can be drawn.

#![no_main]

use edgegen_export::ModelFile;
use edgegen_runtime::Model;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let file = ModelFile::new(bytes);
    if let Ok(model) = Model::parse(file.bytes())
        && model.arena_bytes() < 1 << 20
        && model.output().len() < 1 << 20
    {
        edgegen_export::image(&model, 1);
    }
});
