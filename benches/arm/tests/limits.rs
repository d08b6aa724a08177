//! What `just size` tells, and what drawing may take of the stack.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use edgegen_bench_arm::board::Bench;
use edgegen_bench_arm::size::{START, flash};
use edgegen_export::repack;
use edgegen_sim::{Cpu, qemu};

/// Whether what emulates `cpu` is missing; it must not be where it is required.
fn skipped(cpu: Cpu) -> bool {
    let missing = qemu::check(cpu).err();
    assert!(missing.is_none() || std::env::var_os("EDGEGEN_BOARDS").is_none(), "{missing:?}");
    missing.is_some()
}

#[test]
fn every_part_of_the_runtime_is_found() {
    if skipped(Cpu::CortexM4) {
        return;
    }
    let parts = flash(&Cpu::CortexM4.build("proof", &[]).unwrap()).unwrap();
    // Were names or files of the debug information to change, parts would be empty; tests/proof.rs limits the sum.
    for part in ["executor", "kernel: of the core", "operator: dense", "operator: phase_conv", "latent vector"] {
        assert!(parts[part] > 100, "{part}: {parts:?}");
    }
    assert!(parts[START] < 3000, "{parts:?}");
}

#[test]
fn stack_of_drawing() {
    let model = edgegen_tests::shipped("mnist-dcgan");
    for cpu in [Cpu::CortexM0, Cpu::CortexM4, Cpu::CortexM55] {
        if skipped(cpu) {
            continue;
        }
        let counts = Bench::build(cpu).unwrap().count(&repack(&model, cpu.packing()).unwrap(), None).unwrap();
        // The runtime has no variables: this is all the RAM that drawing takes besides arena, model and generator.
        assert!(counts.run_stack <= 1024, "{cpu}: {} bytes", counts.run_stack);
        // Nothing but clamps depends on values, and on Cortex-M0 those are branches.
        let (least, most) = (counts.images.iter().min().unwrap(), counts.images.iter().max().unwrap());
        assert!(most - least < least / 1000, "{cpu}: {:?}", counts.images);
    }
}
