//! Proofs and checks that are programs for Cortex-M: built by `firmware/arm`, linked or run in QEMU.

use std::process::Stdio;

use edgegen_sim::binary::sizes;
use edgegen_sim::{Cpu, qemu};

use crate::boards::skipped;

#[test]
fn nothing_can_panic_in_a_small_program_either() {
    let small = ["--config", "profile.release.opt-level=\"s\"", "--target-dir", "../target/small"];
    for cpu in [Cpu::CortexM0, Cpu::CortexM4] {
        if !skipped(cpu) {
            cpu.build("proof", &small).unwrap();
        }
    }
}

#[test]
fn nothing_can_panic() {
    for cpu in [Cpu::CortexM0, Cpu::CortexM4, Cpu::CortexM33, Cpu::CortexM55] {
        if skipped(cpu) {
            continue;
        }
        cpu.build("proof", &[]).unwrap();
        // With a panic put in on purpose the proof fails, and for this reason.
        let refused = cpu.build("proof", &["--features", "panic"]).unwrap_err().to_string();
        assert!(refused.contains("undefined symbol: edgegen_a_panic_can_be_reached"), "{cpu}: {refused}");
    }
}

#[test]
fn kernels_follow_the_definition() {
    for cpu in Cpu::CORTEX_M {
        if skipped(cpu) {
            continue;
        }
        let elf = cpu.build("check", &[]).unwrap();
        let output = qemu::command(cpu)
            .unwrap()
            .args(["-semihosting-config", "enable=on,target=native", "-kernel"])
            .arg(elf)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{cpu}: {text}");
        for kernel in ["scalar", cpu.packing().name()] {
            assert!(text.contains(&format!("{kernel}: ")), "{cpu}: expected the kernel {kernel}, found {text}");
        }
    }
}

/// Flash of the proof on a Cortex-M4, without what is not the runtime's: the table of the processor's exceptions and
/// 224 interrupts.
fn flash(arguments: &[&str]) -> u32 {
    let elf = std::fs::read(Cpu::CortexM4.build("proof", arguments).unwrap()).unwrap();
    let (flash, _) = sizes(&elf).unwrap();
    flash - 4 * (16 + 224)
}

#[test]
fn the_runtime_fits_36_kilobytes_on_a_cortex_m4_products_alone_28_and_with_int16_codes_46() {
    if skipped(Cpu::CortexM4) {
        return;
    }
    let int8 = ["--no-default-features", "--features", "all-operators"];
    let (everything, all, products) = (flash(&[]), flash(&int8), flash(&int8[..1]));
    assert!(everything <= 46 * 1024, "{everything} bytes of flash with all operators and int16 codes");
    assert!(all <= 36 * 1024, "{all} bytes of flash with all operators");
    assert!(products <= 28 * 1024, "{products} bytes of flash with products alone");
}
