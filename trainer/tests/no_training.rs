//! The command without training: `cargo test --package edgegen --no-default-features --test no_training`.

#![cfg(not(feature = "train"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::Path;
use std::process::{Command, Output};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/mnist-dcgan");

fn edgegen(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgegen"));
    command.args(args).current_dir(folder).env_remove("RUST_BACKTRACE").output().unwrap()
}

#[test]
fn what_needs_burn_is_listed_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(edgegen(folder.path(), &["--help"]).stdout).unwrap();
    let commands: [&[&str]; 8] = [
        &["train", "r.toml", "--device", "flex", "--resume"],
        &["eval", MODEL, "--count", "100"],
        &["morph", "mnist:0", "mnist:1", "-o", "x.png"],
        &["data", "fetch", "mnist"],
        &["devices"],
        &["demo", "--only", "trained"],
        &["sample", MODEL],
        &["export", MODEL, "-o", "m.egm"],
    ];
    for args in commands {
        assert!(help.contains(args[0]), "{help}");
        let output = edgegen(folder.path(), args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
        assert_eq!(message.trim_end().lines().count(), 1, "{message}");
        assert!(message.contains("build edgegen with its default features"), "{args:?}: {message}");
    }
}

#[test]
fn model_files_are_drawn_packed_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let model = format!("{MODEL}/model.egm");
    let commands: [&[&str]; 5] = [
        &["sample", &model, "--count", "4", "--out", "x.png"],
        &["export", &model, "--target", "dsp", "-o", "m4.egm"],
        &["inspect", &model, "--board", "lm3s6965evb"],
        &["boards"],
        &["sim", &model, "--photo", "panel.png"],
    ];
    for args in commands {
        let output = edgegen(folder.path(), args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for picture in ["x.png", "panel.png"] {
        assert!(image::open(folder.path().join(picture)).unwrap().width() > 0, "{picture}");
    }
}
