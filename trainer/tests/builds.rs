//! The build without training and the one with it, which `./x demo` makes one after the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeSet;

use edgegen_sim::toolchain;

/// Crates that a build of `edgegen` compiles, each with its version and features.
fn crates(features: &[&str]) -> BTreeSet<String> {
    let output = toolchain::host("cargo")
        .unwrap()
        .args(["tree", "--offline", "--locked", "--package", "edgegen", "--edges", "normal,build"])
        .args(["--no-dedupe", "--prefix", "none", "--format", "{p} {f}"])
        .args(features)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| line.trim().to_owned()).collect()
}

/// A crate with other features is another crate to cargo: it and all that depend on it would be compiled a second time.
#[test]
fn nothing_is_compiled_twice() {
    let (without, with) = (crates(&["--no-default-features"]), crates(&[]));
    // The command itself, and the exporter, which reads ONNX files or does not.
    let ours = ["edgegen v", "edgegen-export v"];
    let again: Vec<_> =
        without.difference(&with).filter(|line| !ours.iter().any(|start| line.starts_with(start))).collect();
    assert!(
        again.is_empty(),
        "expected these features in both builds: name the others' in trainer/Cargo.toml: {again:#?}"
    );
}

#[test]
fn training_alone_needs_burn() {
    let names = |crates: BTreeSet<String>| crates.iter().any(|line| line.starts_with("burn"));
    assert!(names(crates(&[])));
    assert!(!names(crates(&["--no-default-features"])));
}
