//! What `just size` tells, and how much RAM the runtime may take besides the arena.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use edgegen_bench_arm::board::Bench;
use edgegen_bench_arm::operators::INT16;
use edgegen_bench_arm::size::{START, flash};
use edgegen_bench_arm::workload::{self, LAYERS};
use edgegen_export::repack;
use edgegen_sim::skip::or_skip;
use edgegen_sim::{Cpu, qemu};

/// Whether what emulates `cpu` is missing; says so, and fails where it is required.
fn skipped(cpu: Cpu) -> bool {
    or_skip(qemu::check(cpu), &format!("a count on the {cpu}"), "EDGEGEN_BOARDS").is_none()
}

#[test]
fn every_part_of_the_runtime_is_found() {
    if skipped(Cpu::CortexM4) {
        return;
    }
    let parts = flash(&Cpu::CortexM4.build("proof", &[]).unwrap()).unwrap();
    // Were names or files of the debug information to change, parts would be empty; tests/proof.rs limits the sum.
    for part in ["executor", "kernel: of the core", "operator: product", "operator: copy", "latent vector"] {
        assert!(parts[part] > 100, "{part}: {parts:?}");
    }
    assert!(parts[START] < 3000, "{parts:?}");
}

#[test]
fn ram_besides_the_arena() {
    let model = edgegen_tests::shipped("mnist-dcgan");
    for cpu in Cpu::CORTEX_M {
        if skipped(cpu) {
            continue;
        }
        let bench = Bench::build(cpu).unwrap();
        let counts = bench.count(&repack(&model, cpu.packing()).unwrap(), None).unwrap();
        // The runtime has no variables, so this is all: model, generator, and the stack of parsing, of making a generator and of
        // drawing, whichever is deepest.
        assert!(counts.ram() < 1024, "{cpu}: {} bytes of {counts:?}", counts.ram());
        // The portable packing is for trying things out: the scalar kernel, which reads it, takes more than the kernels in assembly.
        let portable = bench.count(&model, None).unwrap();
        assert!(portable.ram() < 1024, "{cpu}, portable: {} bytes of {portable:?}", portable.ram());
        // Nothing but clamps depends on values, and on Cortex-M0 those are branches.
        let (least, most) = (counts.images.iter().min().unwrap(), counts.images.iter().max().unwrap());
        assert!(most - least < least / 1000, "{cpu}: {:?}", counts.images);
    }
}

/// Instructions on 2026-11-29 (`benches/record`): the first image of two shipped models, and two layers. A kernel or an
/// executor that takes a hundredth more fails here; one that takes less puts its count in the place of this one.
const COUNTED: [(Cpu, [u64; 2], [u64; 2]); 3] = [
    (Cpu::CortexM0, [5_566_980, 50_560], [5_501_646, 6_104_106]),
    (Cpu::CortexM4, [1_981_140, 18_960], [2_068_960, 2_299_880]),
    (Cpu::CortexM55, [442_740, 8_240], [399_694, 432_313]),
];
/// Likewise of the convolution of int16 codes, [`INT16`] of the operators.
const COUNTED_INT16: [(Cpu, u64); 3] =
    [(Cpu::CortexM0, 40_409_540), (Cpu::CortexM4, 12_281_053), (Cpu::CortexM55, 4_463_880)];

#[test]
fn no_kernel_has_become_slower() {
    for (cpu, models, layers) in COUNTED {
        if skipped(cpu) {
            continue;
        }
        let bench = Bench::build(cpu).unwrap();
        let check = |what: &str, found: u64, then: u64| {
            println!("{cpu}, {what}: {found} instructions, {then} on 2026-11-29");
            assert!(found * 100 <= then * 101, "{cpu}, {what}: {found} instructions, {then} on 2026-11-29");
        };
        for (name, then) in ["mnist-dcgan", "icons"].into_iter().zip(models) {
            check(name, workload::shipped(&bench, cpu.packing(), name).unwrap(), then);
        }
        let int16 = COUNTED_INT16.iter().find(|(core, _)| *core == cpu).map_or(0, |(_, then)| *then);
        check(INT16.name, INT16.count(&bench, cpu.packing()).unwrap(), int16);
        for (layer, then) in [LAYERS[2], LAYERS[5]].iter().zip(layers) {
            check(layer.name, layer.layer(&bench, cpu.packing()).unwrap().instructions, then);
        }
    }
}
