//! The command as people use it: the whole way in a temporary folder, and one clear sentence for bad input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgegen_export::ModelFile;
use edgegen_runtime::Model;

fn edgegen(folder: &Path, args: &[&str]) -> Output {
    // Backtraces and colours are settings of people, not of tests.
    Command::new(env!("CARGO_BIN_EXE_edgegen"))
        .args(args)
        .current_dir(folder)
        .env_remove("RUST_BACKTRACE")
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// Runs a command that must succeed; gives what it prints.
fn done(folder: &Path, args: &[&str]) -> String {
    let output = edgegen(folder, args);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with code 1; gives its message, which must be a single line.
fn refused(folder: &Path, args: &[&str]) -> String {
    let output = edgegen(folder, args);
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {message}");
    assert_eq!(message.trim_end().lines().count(), 1, "{message}");
    assert!(message.starts_with("error: "), "{message}");
    message
}

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

/// Names of all files below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

const TINY: &str = r#"
system = "dcgan"
seed = 3
[data]
name = "glyphs"
size = 16
limit = 64
[train]
steps = 3
batch = 8
[dcgan]
latent = 8
channels = [8, 8]
critic_channels = [8, 8]
"#;

#[test]
fn the_game_of_2014_ships_too() {
    let folder = tempfile::tempdir().unwrap();
    let recipe = TINY[..TINY.find("[dcgan]").unwrap()].replace("dcgan", "gan");
    write(folder.path(), "gan.toml", recipe + "[gan]\nloss = \"minimax\"\n");
    done(folder.path(), &["train", "gan.toml", "--out", "run", "--quiet"]);
    done(folder.path(), &["export", "run", "-o", "m.egm"]);
    let file = ModelFile::read(&folder.path().join("m.egm")).unwrap();
    let image = edgegen_export::image(&Model::parse(file.bytes()).unwrap(), 1);
    assert_eq!(image.len(), 256);
    assert!(image.iter().any(|&level| level > 0));
}

#[test]
fn train_export_inspect_sample_and_sim() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    done(at, &["train", "tiny.toml", "--out", "run", "--quiet"]);
    let export: serde_json::Value =
        serde_json::from_str(&done(at, &["export", "run", "-o", "m.egm", "--onnx", "m.onnx", "--json"])).unwrap();
    assert!(export["float_vs_int8"]["psnr_db"].as_f64().unwrap() > 25.0, "{export}");
    assert!(export["float_vs_int8"]["fold_error"].as_f64().unwrap() < 1e-4, "{export}");

    let inspect: serde_json::Value = serde_json::from_str(&done(at, &["inspect", "m.egm", "--json"])).unwrap();
    let file = ModelFile::read(&at.join("m.egm")).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    assert_eq!(inspect["image"], "16×16×1");
    assert_eq!(inspect["cost"]["file_bytes"], file.bytes().len());
    assert_eq!(inspect["cost"]["arena_bytes"], model.arena_bytes());
    assert!(done(at, &["inspect", "m.egm"]).contains("fits"));

    for (source, name) in [("run", "float"), ("m.egm", "int8")] {
        for kind in ["png", "gif", "npy"] {
            let out = format!("{name}.{kind}");
            done(at, &["sample", source, "--seed", "5", "--count", "6", "--grid", "3", "--out", &out]);
            assert!(at.join(out).exists());
        }
    }
    let npy = std::fs::read(at.join("int8.npy")).unwrap();
    let images: Vec<u8> = (5..11).flat_map(|seed| edgegen_export::image(&model, seed)).collect();
    assert!(npy.starts_with(b"\x93NUMPY") && npy.ends_with(&images), "the images stand uncompressed at the end");
    assert!(String::from_utf8_lossy(&npy[..128]).contains("(6, 16, 16, 1)"));

    done(at, &["export", "m.onnx", "-o", "from-onnx.egm"]);
    let from_onnx = ModelFile::read(&at.join("from-onnx.egm")).unwrap();
    let image = edgegen_export::image(&Model::parse(from_onnx.bytes()).unwrap(), 5);
    assert!(image == edgegen_export::image(&model, 5), "the way through ONNX changes nothing");

    for target in ["armv6m", "dsp", "mve", "neon", "x86"] {
        let packed: serde_json::Value =
            serde_json::from_str(&done(at, &["export", "m.egm", "--target", target, "-o", "packed.egm", "--json"]))
                .unwrap();
        let inspect: serde_json::Value = serde_json::from_str(&done(at, &["inspect", "packed.egm", "--json"])).unwrap();
        assert_eq!(inspect["packing"], packed["target"]);
        assert!(inspect["cost"]["arena_bytes"].as_u64().unwrap() > model.arena_bytes() as u64, "{target}");
    }
    done(at, &["export", "run", "--target", "mve", "-o", "mve.egm"]);
    let message = refused(at, &["sample", "mve.egm"]);
    assert!(message.contains("expected weights packed as portable") && message.contains("found mve"), "{message}");
    let message = refused(at, &["export", "mve.egm", "--target", "dsp", "-o", "x.egm"]);
    assert!(message.contains("found one packed for mve"), "{message}");
    done(at, &["sim", "m.egm", "--photo", "panel.png"]);
    assert!(std::fs::read(at.join("panel.png")).unwrap().starts_with(b"\x89PNG"));
    let names = files(at).into_iter().filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()));
    let leftovers: Vec<_> = names.filter(|name| name.starts_with('.') || name.contains("tmp")).collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
}

#[test]
fn bad_input_gets_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for args in [["inspect", "no.egm"], ["sample", "no.egm"], ["sim", "no.egm"]] {
        assert!(refused(at, &args).contains("found nothing"));
    }
    assert!(refused(at, &["train", "no.toml"]).contains("no.toml"));
    assert!(refused(at, &["export", "no-run", "-o", "x.egm"]).contains("found nothing"));
    write(at, "no.onnx", "EGG1");
    assert!(refused(at, &["export", "no.onnx", "-o", "x.egm"]).contains("expected an ONNX file"));
    assert!(
        refused(at, &["export", "no.onnx", "-o", "x.egm", "--onnx", "y.onnx"]).contains("a run folder with --onnx")
    );

    write(at, "key.toml", TINY.replace("batch", "batsch"));
    let message = refused(at, &["train", "key.toml"]);
    assert!(message.contains("batsch") && message.contains("`batch`"), "{message}");
    write(at, "system.toml", TINY.replace("dcgan", "dcgun"));
    let message = refused(at, &["train", "system.toml"]);
    assert!(message.contains("dcgun") && message.contains("dcgan"), "{message}");
    write(at, "size.toml", TINY.replace("size = 16", "size = 17"));
    assert!(refused(at, &["train", "size.toml"]).contains("17"));
    write(at, "device.toml", TINY);
    let message = refused(at, &["train", "device.toml", "--device", "abacus"]);
    assert!(message.contains("abacus") && message.contains("flex"), "{message}");

    let mut idx = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 16, 0, 0, 0, 16];
    idx.resize(100, 0);
    write(at, "cut-images-idx3-ubyte", idx);
    write(at, "cut.toml", TINY.replace("\"glyphs\"", "\"cut-images-idx3-ubyte\""));
    let message = refused(at, &["train", "cut.toml"]);
    assert!(message.contains("expected 512 bytes") && message.contains("found 84"), "{message}");

    write(at, "short.egm", "EGM1");
    assert!(refused(at, &["inspect", "short.egm"]).contains("expected a model file of 32 bytes, found 4"));
    let mut future = vec![0u8; 64];
    future[..6].copy_from_slice(b"EGM1\x09\x00");
    write(at, "future.egm", future);
    assert!(refused(at, &["inspect", "future.egm"]).contains("found 9.0: update the runtime"));
    assert!(!at.join("runs").exists(), "a refused recipe leaves no run folder");
}

#[test]
fn wrong_usage_is_code_2_and_help_is_there() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(edgegen(folder.path(), &["paint"]).status.code(), Some(2));
    assert_eq!(edgegen(folder.path(), &["sample", "x", "--count", "0"]).status.code(), Some(2));
    assert!(done(folder.path(), &["--help"]).contains("inspect"));
    assert!(done(folder.path(), &["completions", "bash"]).contains("_edgegen"));
    let devices: serde_json::Value = serde_json::from_str(&done(folder.path(), &["devices", "--json"])).unwrap();
    assert_eq!(devices[0]["name"], "flex");
    assert!(done(folder.path(), &["data", "list"]).contains("mnist"));
}

#[test]
fn shipped_models_come_from_their_weights_byte_for_byte() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../models");
    let folder = tempfile::tempdir().unwrap();
    let mut count = 0;
    for entry in std::fs::read_dir(models).unwrap() {
        let model = entry.unwrap().path();
        if !model.is_dir() {
            continue;
        }
        let name = model.file_name().unwrap().to_str().unwrap().to_owned();
        let export =
            done(folder.path(), &["export", model.to_str().unwrap(), "--name", &name, "-o", "again.egm", "--json"]);
        let report: serde_json::Value = serde_json::from_str(&export).unwrap();
        let comparison = &report["float_vs_int8"];
        assert!(comparison["psnr_db"].as_f64().unwrap() >= 32.0, "{name}: {comparison}");
        assert!(comparison["fold_error"].as_f64().unwrap() < 1e-4, "{name}: {comparison}");
        assert!(report["lower_error"].as_f64().unwrap() < 1e-4, "{name}: {report}");
        let again = std::fs::read(folder.path().join("again.egm")).unwrap();
        assert!(again == std::fs::read(model.join("model.egm")).unwrap(), "{name}: run `just models`");
        count += 1;
    }
    assert!(count >= 1);
}
