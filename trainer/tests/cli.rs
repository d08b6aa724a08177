//! The command as people use it: the whole way in a temporary folder, and one clear sentence for bad input.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use edgegen_export::ModelFile;
use edgegen_runtime::Model;
use edgegen_sim::skip::or_skip;
use edgegen_sim::{Cpu, firmware};
use serde_json::Value;

fn edgegen(folder: &Path, args: &[&str]) -> Output {
    command(folder, args).output().unwrap()
}

fn command(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgegen"));
    // Backtraces and colours are settings of people, not of tests.
    command.args(args).current_dir(folder).env_remove("RUST_BACKTRACE").env("NO_COLOR", "1");
    command
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

#[path = "cli/film.rs"]
mod film;
#[path = "cli/mix.rs"]
mod mix;
#[path = "cli/runs.rs"]
mod runs;
#[path = "cli/sentences.rs"]
mod sentences;
#[path = "cli/studio.rs"]
mod studio;
#[path = "cli/tensorboard.rs"]
mod tensorboard;
#[path = "cli/words.rs"]
mod words;

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
fn pairs_of_ones_own_go_the_whole_way() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (part, count) in [("train", 40), ("test", 10)] {
        for (side, bright, dark) in [("a", 230, 20), ("b", 20, 230)] {
            let place = at.join("own").join(part).join(side);
            std::fs::create_dir_all(&place).unwrap();
            for index in 0..count {
                let bar = |x: u32, y: u32| image::Luma([if (x + y * (index % 3)) % 16 < 5 { bright } else { dark }]);
                image::GrayImage::from_fn(16, 16, bar).save(place.join(format!("{index}.png"))).unwrap();
            }
        }
    }
    let recipe = "system = \"pix2pix\"\n[data]\nname = \"own\"\nsize = 16\n[train]\nsteps = 30\nbatch = 8\nema = 0.5\nlr_generator = 5e-3\n[pix2pix]\nchannels = [6, 8]\nnorm = \"batch\"\ncritic_channels = [6]\n";
    write(at, "own.toml", recipe);
    done(at, &["train", "own.toml", "--out", "run", "--quiet"]);
    assert!(at.join("run/samples/step-30.png").is_file());
    let report: Value = serde_json::from_str(&done(at, &["export", "run", "-o", "own.egm", "--json"])).unwrap();
    assert!(report["float_vs_int8"]["psnr_db"].as_f64().unwrap() >= 30.0, "{report}");
    assert!(report["lower_error"].as_f64().unwrap() < 1e-4, "{report}");

    done(at, &["sample", "run", "--out", "pairs.png", "--count", "3"]);
    let outputs = ["run", "own.egm"].map(|source| {
        done(at, &["sample", source, "--image", "own/test/a/2.png", "--out", "one.npy"]);
        std::fs::read(at.join("one.npy")).unwrap()
    });
    let most = outputs[0].iter().zip(&outputs[1]).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(outputs[0].len() > 256 && most < 40, "float and int8 differ by {most} levels");
    assert!(refused(at, &["sample", "own.egm"]).contains("expected --image"));

    // Each picture of a folder stands beside what becomes of it, on sheets and in a model that brings them along.
    done(at, &["sample", "own.egm", "--image", "own/test/a", "--out", "sheet.png"]);
    done(at, &["sample", "own.egm", "--image", "own/test/a", "--out", "all.npy"]);
    assert_eq!(std::fs::read(at.join("all.npy")).unwrap().len() - 128, 10 * 256);
    done(at, &["export", "run", "-o", "album.egm", "--name", "own", "--image", "own/test/a"]);
    done(at, &["sample", "album.egm", "--out", "album.png"]);
    assert_eq!(std::fs::read(at.join("album.png")).unwrap(), std::fs::read(at.join("sheet.png")).unwrap());
    assert!(refused(at, &["sample", "own.egm", "--image", "run/checkpoint"]).contains("expected pictures in"));

    // What it is calibrated on lies in the run, so that it exports to the same bytes where its data are not.
    std::fs::rename(at.join("own"), at.join("moved")).unwrap();
    done(at, &["export", "run", "-o", "again.egm", "--name", "own"]);
    assert_eq!(std::fs::read(at.join("again.egm")).unwrap(), std::fs::read(at.join("own.egm")).unwrap());
    std::fs::rename(at.join("moved"), at.join("own")).unwrap();
    for option in ["--walk", "--truncation"] {
        let message = refused(at, &["sample", "run", "--image", "own/test/a/2.png", option]);
        assert!(message.contains(&format!("a latent vector for {option}")), "{message}");
    }

    // A generator of such pictures, and what this run makes of them: one model, both images side by side.
    let recipe = "system = \"gan\"\n[data]\nname = \"own\"\nsize = 16\n[train]\nsteps = 2\nbatch = 8\n[gan]\nhidden = [8]\ncritic_hidden = [8]\n";
    write(at, "bars.toml", recipe);
    done(at, &["train", "bars.toml", "--out", "bars", "--quiet"]);
    done(at, &["export", "run", "--after", "bars", "-o", "both.egm"]);
    let file = ModelFile::read(&at.join("both.egm")).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let [both, alone] = ["both.egm", "bars.egm"].map(|name| at.join(name));
    assert_eq!((model.output().h, model.output().w, model.fed()), (16, 32, None));
    done(at, &["export", "bars", "-o", "bars.egm"]);
    let drawn = [both, alone].map(|path| {
        let file = ModelFile::read(&path).unwrap();
        edgegen_export::image(&Model::parse(file.bytes()).unwrap(), 5)
    });
    let left = drawn[0].chunks(32).flat_map(|row| &row[..16]);
    let most = left.zip(&drawn[1]).map(|(both, alone)| both.abs_diff(*alone)).max().unwrap();
    assert!(most <= 4, "the picture at the left is that of its own model, but for its codes: {most} levels");
    assert!(
        refused(at, &["export", "bars", "--after", "run", "-o", "x.egm"]).contains("reads an image and nothing else")
    );

    let args = ["eval", "run", "--beside", "own.egm", "--picture", "sheet.png", "--json"];
    let report: Value = serde_json::from_str(&done(at, &args)).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!((rows.len(), &report["count"]), (5, &10.into()), "input, target, float, int8, the file: {report}");
    assert_eq!((&rows[1]["l1"], &rows[1]["detail"]), (&0.0.into(), &1.0.into()));
    assert_eq!(rows[3]["l1"], rows[4]["l1"], "exported again it is the same: {report}");
    let [input, made] = [0, 2].map(|row| rows[row]["l1"].as_f64().unwrap());
    assert!(made < 0.5 && made < input, "{report}");
    assert!(at.join("sheet.png").is_file());

    std::fs::remove_file(at.join("own/train/b/7.png")).unwrap();
    let message = refused(at, &["train", "own.toml", "--out", "other"]);
    assert!(message.contains("none called 7") && message.contains("a/7.png"), "{message}");
    assert!(refused(at, &["morph", "a", "b", "--run", "run", "--out", "m.png"]).contains("reads a picture"));
}

#[test]
fn points_of_the_plane_go_the_whole_way() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let recipe = "system = \"gan\"\n[data]\nname = \"ring\"\n[train]\nsteps = 4\nbatch = 8\nsample_every = 2\n[gan]\noutput = \"linear\"\nhidden = [8]\n";
    write(at, "ring.toml", recipe);
    done(at, &["train", "ring.toml", "--out", "run", "--quiet"]);
    for file in ["step-2.png", "step-4.png", "film.gif"] {
        assert!(at.join("run/samples").join(file).is_file(), "{file}");
    }
    done(at, &["export", "run", "-o", "ring.egm"]);
    for (source, sets) in [("run", 3), ("ring.egm", 2)] {
        let report: Value =
            serde_json::from_str(&done(at, &["eval", source, "--count", "2000", "--seed", "7", "--json"])).unwrap();
        assert_eq!((&report["count"], &report["seed"], &report["modes"]), (&2000.into(), &7.into(), &8.into()));
        let rows = report["rows"].as_array().unwrap();
        assert_eq!(rows.len(), sets);
        assert_eq!(rows[0]["modes"], 8, "the mixture itself");
        assert!(rows[1]["energy"].as_f64().unwrap() > 0.05, "four steps teach nothing: {report}");
    }
    assert!(refused(at, &["eval", "run", "--parzen"]).contains("whose modes are known"));
    assert!(done(at, &["eval", "run", "--count", "2000", "--controls"]).contains("ModesMissing, Uneven"));
    done(at, &["sample", "run", "--out", "points.png"]);
    assert_eq!(image::open(at.join("points.png")).unwrap().width(), 604);
    done(at, &["sample", "ring.egm", "--out", "int8.png"]);
    assert_eq!(image::open(at.join("int8.png")).unwrap().width(), 604);
    assert!(done(at, &["inspect", "ring.egm"]).contains("values → a point of the plane"));
    assert!(done(at, &["sim", "ring.egm", "--seed", "7"]).contains("the dots of 512 seeds from 7 on"));
    assert!(refused(at, &["sample", "ring.egm", "--walk"]).contains("points of the plane"));
    assert!(refused(at, &["train", "ring.toml", "--data", "mnist"]).contains("size must be 4 to 512 pixels"));
}

#[test]
fn train_export_inspect_sample_and_sim() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    done(at, &["train", "tiny.toml", "--out", "run", "--quiet"]);
    let export: Value =
        serde_json::from_str(&done(at, &["export", "run", "-o", "m.egm", "--onnx", "m.onnx", "--json"])).unwrap();
    assert!(export["float_vs_int8"]["psnr_db"].as_f64().unwrap() > 25.0, "{export}");
    assert!(export["float_vs_int8"]["fold_error"].as_f64().unwrap() < 1e-4, "{export}");

    let inspect: Value = serde_json::from_str(&done(at, &["inspect", "m.egm", "--json"])).unwrap();
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
        let packed: Value =
            serde_json::from_str(&done(at, &["export", "m.egm", "--target", target, "-o", "packed.egm", "--json"]))
                .unwrap();
        let inspect: Value = serde_json::from_str(&done(at, &["inspect", "packed.egm", "--json"])).unwrap();
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

    let message = refused(at, &["eval", &shipped("mnist-dcgan"), "--gan-train"]);
    assert!(message.contains("the data's classes") && message.contains("cgan"), "{message}");

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
    let devices: Value = serde_json::from_str(&done(folder.path(), &["devices", "--json"])).unwrap();
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
        let mut args = vec!["export", model.to_str().unwrap(), "--name", &name, "-o", "again.egm", "--json"];
        let pictures = model.join("pictures");
        if pictures.is_dir() {
            args.extend(["--image", pictures.to_str().unwrap()]);
        }
        let export = done(folder.path(), &args);
        let report: Value = serde_json::from_str(&export).unwrap();
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

/// A shipped model, as people name it.
fn shipped(name: &str) -> String {
    format!("{}/../models/{name}/model.egm", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn boards_are_listed_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let boards: Value = serde_json::from_str(&done(folder.path(), &["boards", "--json"])).unwrap();
    let names: Vec<&str> = boards.as_array().unwrap().iter().map(|board| board["name"].as_str().unwrap()).collect();
    assert!(names.contains(&"lm3s6965evb") && names.is_sorted(), "{names:?}");
    let table = done(folder.path(), &["boards"]);
    assert!(names.iter().all(|name| table.contains(name)), "{table}");
    let one = done(folder.path(), &["boards", "lm3s6965evb"]);
    assert!(one.contains("SSD0323") && one.contains("PC7"), "{one}");
    let message = refused(folder.path(), &["boards", "lm3s"]);
    assert!(message.contains("there is no board lm3s") && message.contains("lm3s6965evb"), "{message}");
}

#[test]
fn inspect_tells_whether_a_model_fits_a_board() {
    let folder = tempfile::tempdir().unwrap();
    let inspect = |model, options: &[&str]| {
        let path = shipped(model);
        let args = [&["inspect", &path, "--board", "lm3s6965evb"], options].concat();
        done(folder.path(), &args)
    };
    let digits: Value = serde_json::from_str(&inspect("mnist-dcgan", &["--json"])).unwrap();
    let fit = &digits["boards"][0];
    assert_eq!((fit["fits"].as_bool(), fit["packing"].as_str()), (Some(true), Some("armv6m")));
    // Instructions at 50 MHz.
    let milliseconds = fit["instructions"].as_f64().unwrap() / 50_000.0;
    assert!((fit["milliseconds"].as_f64().unwrap() - milliseconds).abs() < 0.01, "{fit}");
    // Counted for a Cortex-M3 in benches/record; the tenth is what benches/arm/tests/estimate.rs holds all models to.
    let counted = 5_499_000.0;
    assert!((fit["instructions"].as_f64().unwrap() / counted - 1.0).abs() < 0.1, "{fit}");
    assert_eq!(fit["counted"], false, "{fit}");
    let text = inspect("mnist-dcgan", &[]);
    assert!(text.contains("estimated from its layers") && text.contains("This is an estimate"), "{text}");

    let emoji: Value = serde_json::from_str(&inspect("emoji-dcgan", &["--json"])).unwrap();
    let fit = &emoji["boards"][0];
    let [needed, room] = [0, 1].map(|index| fit["flash"][index].as_u64().unwrap());
    assert!(fit["fits"] == false && needed > room, "{fit}");
    let text = inspect("emoji-dcgan", &[]);
    assert!(text.contains("flash 277 072 B") && text.contains("does not fit") && text.contains("node 2"), "{text}");
    let all = done(folder.path(), &["inspect", &shipped("emoji-dcgan")]);
    assert!(all.contains("of flash missing") && all.contains("≈"), "{all}");
}

#[test]
fn flash_refuses_what_cannot_be_before_it_builds() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let (digits, emoji) = (shipped("mnist-dcgan"), shipped("emoji-dcgan"));
    done(at, &["export", &digits, "--target", "mve", "-o", "mve.egm"]);
    let refusals: [(&[&str], &[&str]); 9] = [
        (&["no.egm", "--board", "lm3s6965evb"], &["found nothing"]),
        (&[&digits, "--board", "pico9"], &["there is no board pico9", "lm3s6965evb"]),
        (&[&digits, "--board", "lm3s6965evb", "--panel", "oled"], &["no panel oled", "ssd0323"]),
        (&[&emoji, "--board", "lm3s6965evb"], &["does not fit", "of flash missing", "node 2", "fewer channels"]),
        (&["mve.egm", "--board", "lm3s6965evb"], &["mve.egm", "found one packed for mve"]),
        (&[&digits, "--board", "lm3s6965evb", "--out", "x.exe"], &["ends in .uf2", "x.exe"]),
        (&[&digits, "--board", "pico", "--mode", "class=3"], &["class 3, found one without"]),
        (&[&digits, "--board", "pico", "--drive", "nowhere"], &["found none at nowhere"]),
        (&[&digits, "--board", "raspi", "--probe"], &["is not flashed by a probe"]),
    ];
    for (args, expected) in refusals {
        let message = refused(at, &[&["flash"], args].concat());
        assert!(expected.iter().all(|part| message.contains(part)), "{message}");
    }

    // Everything that firmware/arm calls, but no Rust.
    let tools = at.join("bin");
    std::fs::create_dir(&tools).unwrap();
    for tool in ["dirname", "env", "grep", "ls", "sed", "tr"] {
        let found =
            ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool)).into_iter().find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), tools.join(tool)).unwrap();
    }
    let output = command(at, &["flash", &digits, "--board", "lm3s6965evb"])
        .env("PATH", &tools)
        .env("EDGEGEN_DEBIAN_BIN", "/nowhere")
        .output()
        .unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("rustup target add thumbv7m-none-eabi"), "{message}");
}

#[test]
fn flash_takes_the_best_way() {
    if or_skip(firmware::check(Cpu::CortexM0), "flashing the pico", "EDGEGEN_BOARDS").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::copy(shipped("mnist-dcgan"), at.join("digits.egm")).unwrap();
    // A probe-rs that writes down what it is asked for. It lists a probe if `probe` is there, and fails if `fails` is.
    let [tools, mounts] = ["bin", "mounts"].map(|name| at.join(name));
    for folder in [&tools, &mounts] {
        std::fs::create_dir(folder).unwrap();
    }
    let script = "#!/bin/sh\necho \"$@\" >>asked\n\
        case $1 in\n\
        list) [ ! -e probe ] || printf 'The following debug probes were found:\\n[0]: Debug Probe (CMSIS-DAP)\\n' ;;\n\
        download) [ ! -e fails ] || { echo 'Error: Connecting to the chip was unsuccessful.' >&2; exit 1; } ;;\n\
        esac\n";
    let probe_rs = write(&tools, "probe-rs", script);
    std::fs::set_permissions(&probe_rs, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path =
        std::env::join_paths([tools].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
    let path = path.unwrap();
    let flash = |options: &[&str]| {
        let args = [&["flash", "digits.egm", "--board", "pico", "--json"], options].concat();
        command(at, &args).env("PATH", &path).env("EDGEGEN_MOUNTS", &mounts).output().unwrap()
    };
    let flashed = |options: &[&str]| -> Value {
        let output = flash(options);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };

    let dry = flashed(&["--dry-run"]);
    assert_eq!((dry["way"].as_str(), dry["flashed"].as_bool()), (Some("file"), Some(false)), "{dry}");
    assert!(!at.join("digits-pico.uf2").exists());

    let file = flashed(&[]);
    assert_eq!((file["way"].as_str(), file["file"].as_str()), (Some("file"), Some("digits-pico.uf2")), "{file}");
    let uf2 = std::fs::read(at.join("digits-pico.uf2")).unwrap();
    // Blocks of 512 bytes hold 256 of the program each; its pieces need not start or end with a block.
    let program = file["flash"][0].as_u64().unwrap() as usize;
    assert!(
        uf2.len().is_multiple_of(512) && (program..program + 1024).contains(&(uf2.len() / 2)),
        "{} of {program}",
        uf2.len()
    );

    // A folder that was left when a board was unplugged is no drive, and the drive of another board not ours.
    let drive = mounts.join("RPI-RP2");
    std::fs::create_dir(&drive).unwrap();
    let other = mounts.join("RP2350");
    std::fs::create_dir(&other).unwrap();
    write(&other, "INFO_UF2.TXT", "UF2 Bootloader v1.0\nModel: Raspberry Pi RP2350\nBoard-ID: RP2350\n");
    assert_eq!(flashed(&[])["way"], "file");
    let refusal = flash(&["--drive", other.to_str().unwrap(), "--quiet"]);
    assert!(String::from_utf8_lossy(&refusal.stderr).contains("(Board-ID RPI-RP2), found RP2350"));

    write(&drive, "INFO_UF2.TXT", "UF2 Bootloader v3.0\nModel: Raspberry Pi RP2\nBoard-ID: RPI-RP2\n");
    let on_drive = flashed(&[]);
    // This drive is no board's: it does not go away.
    assert_eq!((&on_drive["way"], &on_drive["taken"]), (&"drive".into(), &false.into()), "{on_drive}");
    assert!(std::fs::read(drive.join("digits.uf2")).unwrap() == uf2);

    flashed(&["--out", "build/digits.hex"]);
    assert!(std::fs::read(at.join("build/digits.hex")).unwrap().ends_with(b":00000001FF\n"));

    // A drive says what board it is, a probe does not.
    write(at, "probe", "");
    assert_eq!(flashed(&["--dry-run"])["way"], "drive");
    std::fs::remove_file(at.join("asked")).unwrap();
    let by_probe = flashed(&["--probe"]);
    assert_eq!((&by_probe["way"], &by_probe["taken"]), (&"probe".into(), &true.into()), "{by_probe}");
    let asked = std::fs::read_to_string(at.join("asked")).unwrap();
    let asked: Vec<&str> = asked.lines().filter(|line| *line != "--version").collect();
    let [list, download, reset] = asked[..] else { panic!("{asked:?}") };
    assert_eq!([list, reset], ["list", "reset --chip RP2040"]);
    assert!(download.starts_with("download --chip RP2040 ") && download.ends_with("firmware.elf"), "{download}");

    write(at, "fails", "");
    std::fs::remove_dir_all(&drive).unwrap();
    let output = flash(&["--quiet"]);
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{message}");
    assert!(message.contains("probe-rs download failed: Error: Connecting to the chip"), "{message}");
    assert!(message.contains("--out FILE writes the program as a file"), "{message}");
}

#[test]
fn two_images_are_found_and_walked_between() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (name, column) in [("a.png", 1), ("b.png", 3)] {
        let bar = image::GrayImage::from_fn(10, 10, |x, _| image::Luma([if x / 2 == column { 255 } else { 0 }]));
        bar.save(at.join(name)).unwrap();
    }
    let icons = shipped("icons").replace("/model.egm", "");
    let text = done(at, &["morph", "a.png", "b.png", "--run", &icons, "--legs", "4", "--out", "way.png", "--json"]);
    let report: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&report["images"], &report["animation"]), (&Value::from(64), &Value::from("way.gif")), "{text}");
    for end in 0..2 {
        assert!(report["ends"][end]["int8_db"].as_f64().unwrap() > 8.0, "{text}");
        assert!(report["ends"][end]["class"].as_u64().unwrap() < 10);
    }
    assert!(done(at, &["inspect", "way.egm"]).contains("8 keyframes"));
    // Seven images of five pixels, enlarged by a whole factor, and eight gaps of two.
    assert_eq!((image::open(at.join("way.png")).unwrap().width() - 8 * 2) % (7 * 5), 0);
    assert!(refused(at, &["morph", "a.png", "c.png"]).contains("expected an image at c.png, found none"));
    assert!(
        refused(at, &["morph", "a.png", "icons:99999"]).contains("expected a test image of icons from icons:0 to ")
    );
    assert!(refused(at, &["morph", "a.png", "b.png", "--run", "way.egm"]).contains("gradients need float weights"));
    assert!(refused(at, &["morph", "a.png", "b.png", "--out", "way.gif"]).contains("ends in .png"));
}
