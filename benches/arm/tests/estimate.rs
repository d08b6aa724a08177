//! `edgegen_export::estimate` against the newest record: every layer, the whole generator and the shipped models.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;

use edgegen_bench_arm::workload::{LAYERS, WHOLE};
use edgegen_export::estimate::{Rates, instructions, work};
use edgegen_export::{ModelFile, repack};
use edgegen_runtime::{Model, Packing};
use serde_json::Value;

/// What an estimate may be off.
const TOLERANCE: f64 = 0.1;

/// The newest record, by the date in its name.
fn record() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../record");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let records = files.filter(|path| name(path).starts_with("arm-") && name(path).ends_with(".json"));
    let newest = records.max().expect("a record of `just bench-arm`");
    serde_json::from_slice(&std::fs::read(newest).unwrap()).unwrap()
}

#[test]
fn estimates_are_near_what_was_counted() {
    let record = record();
    // Some layers are of the same network, and exporting takes its time.
    let networks = [0, 4, 5, 6].map(|layer| LAYERS[layer].model().unwrap());
    let network = [0, 0, 0, 0, 1, 2, 3];
    let mut off = Vec::new();
    for core in record["cores"].as_array().unwrap() {
        let packing = Packing::ALL.into_iter().find(|packing| packing.name() == core["packing"]).unwrap();
        let rates = Rates::of(packing).unwrap();
        let packed = |file: &ModelFile| repack(file, packing).unwrap();
        let mut compare = |what: &str, estimated: u64, counted: &Value| {
            let ratio = estimated as f64 / counted.as_f64().unwrap();
            println!("{}, {what}: {estimated} estimated, {counted} counted, {ratio:.3}", core["cpu"]);
            if (ratio - 1.0).abs() > TOLERANCE {
                off.push(format!("{}, {what}: {estimated} estimated, {counted} counted", core["cpu"]));
            }
        };
        for (layer, network) in LAYERS.iter().zip(network) {
            let cell = core["cells"].as_array().unwrap().iter().find(|cell| cell["layer"] == layer.name).unwrap();
            let file = packed(&networks[network]);
            let work = work(&Model::parse_any(file.bytes()).unwrap(), layer.op, &rates);
            compare(layer.name, rates.instructions(&work), &cell["instructions"]);
        }
        let mut whole = |name: &str, file: &ModelFile, counted: &Value| {
            let file = packed(file);
            compare(name, instructions(&Model::parse_any(file.bytes()).unwrap()).unwrap(), counted);
        };
        whole(WHOLE.name, &networks[3], &core["whole"]["images"][0]);
        for shipped in core["shipped"].as_array().unwrap() {
            let name = shipped[0].as_str().unwrap();
            whole(name, &edgegen_tests::shipped(name), &shipped[1]);
        }
    }
    assert!(off.is_empty(), "fit the rates in trainer/export/src/estimate.rs to the record again:\n{}", off.join("\n"));
}
