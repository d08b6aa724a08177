//! `edgegen_export::estimate` against the newest record, of every layer, the whole generator and the shipped models;
//! and the record against what is counted now, or both could be wrong alike.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;

use edgegen_bench_arm::board::Bench;
use edgegen_bench_arm::workload::{self, LAYERS, WHOLE};
use edgegen_export::estimate::{Rates, instructions, work};
use edgegen_export::{ModelFile, repack};
use edgegen_runtime::{Model, Packing};
use edgegen_sim::{Cpu, qemu};
use serde_json::Value;

/// What an estimate may be off.
const TOLERANCE: f64 = 0.1;

/// What today's count may be off the record's.
const DRIFT: f64 = 0.01;

/// The newest record, by the date in its name.
fn record() -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../record");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let records = files.filter(|path| name(path).starts_with("arm-") && name(path).ends_with(".json"));
    let newest = records.max().expect("a record of `just bench-arm`");
    serde_json::from_slice(&std::fs::read(newest).unwrap()).unwrap()
}

/// Names of the shipped models.
fn shipped() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let names = paths.filter(|path| path.is_dir()).map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    names.collect()
}

/// What the record says of a shipped model on a core.
fn counted<'a>(core: &'a Value, name: &str) -> &'a Value {
    let mut models = core["shipped"].as_array().unwrap().iter();
    let found = models.find(|model| model[0] == name);
    found.map(|model| &model[1]).unwrap_or_else(|| panic!("the record lacks {name}: run `just bench-arm`"))
}

#[test]
fn estimates_are_near_what_was_counted() {
    let record = record();
    // Some layers are of the same network, and exporting takes its time.
    let networks = [0, 4, 5, 6].map(|layer| LAYERS[layer].model().unwrap());
    let network = [0, 0, 0, 0, 1, 2, 3];
    let (mut off, mut cores) = (Vec::new(), Vec::new());
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
        for name in shipped() {
            whole(&name, &edgegen_tests::shipped(&name), counted(core, &name));
        }
        cores.push(core["cpu"].as_str().unwrap());
    }
    assert_eq!(cores, Cpu::CORTEX_M.map(Cpu::name), "the record lacks a core: run `just bench-arm`");
    assert!(off.is_empty(), "fit the rates in trainer/export/src/estimate.rs to the record again:\n{}", off.join("\n"));
}

#[test]
fn the_record_is_what_is_counted_now() {
    let record = record();
    // One core for each kernel.
    for cpu in [Cpu::CortexM0, Cpu::CortexM4, Cpu::CortexM55] {
        if let Err(missing) = qemu::check(cpu) {
            assert!(std::env::var_os("EDGEGEN_BOARDS").is_none(), "{missing:#}");
            // Straight to the terminal: what a passing test prints is not shown.
            std::io::Write::write_all(&mut std::io::stderr(), format!("skipped: {missing:#}\n").as_bytes()).unwrap();
            continue;
        }
        let bench = Bench::build(cpu).unwrap();
        let core = record["cores"].as_array().unwrap().iter().find(|core| core["cpu"] == cpu.name()).unwrap();
        for name in ["mnist-dcgan", "mnist-vae", "icons"] {
            let now = workload::shipped(&bench, cpu.packing(), name).unwrap() as f64;
            let then = counted(core, name).as_f64().unwrap();
            assert!(
                (now / then - 1.0).abs() <= DRIFT,
                "{cpu}, {name}: {now} instructions counted, {then} in the record: run `just bench-arm`"
            );
        }
    }
}
