//! The kernels of other targets, emulated: each follows the definition, and every shipped model draws the same bytes with each as
//! with the host's scalar kernel.
//!
//! Skipped with a reason where a target or its emulator is missing, unless `EDGEGEN_TARGETS` is set; `./x test` installs them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::ensure;
use edgegen_sim::skip::or_skip;
use edgegen_sim::toolchain;
use edgegen_targets::{MODELS, SEEDS};

const ARM: &str = "aarch64-unknown-linux-gnu";
const ARM_LINKER: &str = "aarch64-linux-gnu-gcc";
/// The C library that programs of the target are linked with and run with, where Debian's cross compiler has it.
const ARM_LIBRARIES: &str = "/usr/aarch64-linux-gnu";
const WASM: &str = "wasm32-unknown-unknown";

/// What a target printed: each kernel with its value, and the images.
#[derive(Debug, Default)]
struct Report {
    kernels: BTreeMap<String, String>,
    images: BTreeMap<(String, String, String), String>,
}

impl Report {
    fn read(text: &str) -> Self {
        let mut report = Self::default();
        for line in text.lines() {
            match *line.split(' ').collect::<Vec<_>>() {
                ["kernel", name, value, cases, "cases"] => {
                    assert!(cases.parse::<u32>().unwrap() > 1000, "{line}");
                    report.kernels.insert(name.to_owned(), value.to_owned());
                }
                ["image", kernel, model, seed, crc] => {
                    report.images.insert((kernel.to_owned(), model.to_owned(), seed.to_owned()), crc.to_owned());
                }
                _ => panic!("{line}"),
            }
        }
        report
    }

    /// Asserts that these kernels ran and no other, and that all images are those of the host's scalar kernel.
    fn assert_same_as_host(&self, kernels: &[&str]) {
        assert_eq!(
            self.kernels.keys().map(String::as_str).collect::<BTreeSet<_>>(),
            BTreeSet::from_iter(kernels.iter().copied())
        );
        assert_eq!(self.images.len(), kernels.len() * MODELS.len() * SEEDS.len());
        let host = host();
        for ((kernel, model, seed), crc) in &self.images {
            let expected = &host.images[&("scalar".to_owned(), model.clone(), seed.clone())];
            assert_eq!(crc, expected, "{kernel} draws seed {seed} of {model}");
        }
    }
}

fn host() -> Report {
    Report::read(&edgegen_targets::report())
}

/// Whether all of these are there; otherwise says what is missing, or fails where nothing may be.
fn ready(test: &str, target: &str, programs: &[&str], library: Option<&Path>) -> bool {
    let found = || {
        ensure!(has_target(target), "Rust's target {target} is missing: rustup target add {target}");
        for program in programs {
            ensure!(has_program(program), "the program {program} is missing: ./x test installs it");
        }
        if let Some(library) = library {
            ensure!(library.exists(), "{} is missing: ./x test installs it", library.display());
        }
        Ok(())
    };
    or_skip(found(), test, "EDGEGEN_TARGETS").is_some()
}

/// Whether the compiler on the path has the target's libraries.
fn has_target(target: &str) -> bool {
    let found = toolchain::host("rustc").unwrap().args(["--print", "target-libdir", "--target", target]).output();
    found.is_ok_and(|found| found.status.success() && Path::new(String::from_utf8_lossy(&found.stdout).trim()).is_dir())
}

fn has_program(program: &str) -> bool {
    let started = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    started.is_ok_and(|status| status.success())
}

/// Builds `tests/targets` for a target, beside this test; gives the folder of what was built.
fn build(target: &str, flags: &str, command: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("..");
    let status = toolchain::host("cargo")
        .unwrap()
        .args(command.split(' '))
        .args(["--config", &format!("target.{target}.rustflags = {flags:?}")])
        .args(["--config", &format!("target.{ARM}.linker = {ARM_LINKER:?}")])
        .args(["--quiet", "--locked", "--package", "edgegen-targets", "--target", target, "--target-dir"])
        .arg(&folder)
        .args(["--manifest-path", concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml")])
        .status()
        .unwrap();
    assert!(status.success(), "edgegen-targets does not build for {target}");
    folder.join(target).join("debug")
}

fn output(command: &mut Command) -> Report {
    let output = command.stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{command:?} ended with {}\n{text}", output.status);
    Report::read(&text)
}

fn in_node(flags: &str) -> Report {
    let module = build(WASM, flags, "rustc --lib --crate-type cdylib").join("edgegen_targets.wasm");
    output(Command::new("node").arg(concat!(env!("CARGO_MANIFEST_DIR"), "/targets/run.mjs")).arg(module))
}

#[test]
fn host_kernels_draw_what_the_scalar_kernel_draws() {
    let host = host();
    let kernels: Vec<&str> = host.kernels.keys().map(String::as_str).collect();
    host.assert_same_as_host(&kernels);
}

#[test]
fn aarch64_draws_as_the_host() {
    let library = Path::new(ARM_LIBRARIES).join("lib/crt1.o");
    if !ready("aarch64", ARM, &[ARM_LINKER, "qemu-aarch64"], Some(&library)) {
        return;
    }
    let program = build(ARM, "", "build").join("edgegen-targets");
    let on = |cpu| output(Command::new("qemu-aarch64").args(["-cpu", cpu, "-L", ARM_LIBRARIES]).arg(&program));

    let a53 = on("cortex-a53");
    a53.assert_same_as_host(&["scalar", "neon", "aarch64"]);
    assert_eq!(a53.kernels["aarch64"], "Neon(Neon)");

    let a76 = on("cortex-a76");
    a76.assert_same_as_host(&["scalar", "neon", "sdot", "aarch64"]);
    assert_eq!(a76.kernels["aarch64"], "Sdot(Sdot(()))");
}

#[test]
fn wasm_draws_as_the_host() {
    if !ready("wasm", WASM, &["node"], None) {
        return;
    }
    in_node("").assert_same_as_host(&["scalar"]);
    in_node("-C target-feature=+simd128").assert_same_as_host(&["scalar", "simd128"]);
}
