//! Proofs and checks that are programs for Cortex-M: built by `firmware/arm`, linked or run in QEMU.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;

use edgegen_sim::{Cpu, qemu};

use crate::boards::skipped;

/// Builds a program of `firmware/`; gives its ELF file, or what the compiler says.
fn build(name: &str, cpu: Cpu, arguments: &[&str]) -> Result<PathBuf, String> {
    // Cargo's own lock ends with the build, and the next build writes the same file.
    static LOCK: Mutex<()> = Mutex::new(());
    let _lock = LOCK.lock();
    let mut cargo = cpu.cargo(name).unwrap();
    let output =
        cargo.args(["build", "--release", "--quiet", "--target", cpu.target()]).args(arguments).output().unwrap();
    if output.status.success() {
        Ok(cpu.release_folder().unwrap().join(format!("edgegen-{name}")))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn nothing_can_panic() {
    for cpu in [Cpu::CortexM0, Cpu::CortexM4, Cpu::CortexM33, Cpu::CortexM55] {
        if skipped(cpu) {
            continue;
        }
        if let Err(text) = build("proof", cpu, &[]) {
            panic!("{cpu}: {text}");
        }
        // With a panic put in on purpose the proof fails, and for this reason.
        let refused = build("proof", cpu, &["--features", "panic"]).unwrap_err();
        assert!(refused.contains("undefined symbol: edgegen_a_panic_can_be_reached"), "{cpu}: {refused}");
    }
}

#[test]
fn kernels_follow_the_definition() {
    for cpu in Cpu::ALL {
        if skipped(cpu) {
            continue;
        }
        let elf = build("check", cpu, &[]).unwrap_or_else(|text| panic!("{cpu}: {text}"));
        let output = qemu::command(cpu)
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
