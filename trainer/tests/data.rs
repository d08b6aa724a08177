//! People's own pictures, from a folder to a class on a panel.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use edgegen_export::ModelFile;
use edgegen_runtime::Model;
use image::{Rgb, RgbImage};
use serde_json::Value;

fn edgegen(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgegen"));
    // What the cache of fitted images holds is no business of a test.
    command.args(args).current_dir(folder).env_remove("RUST_BACKTRACE").env("EDGEGEN_DATA", folder.join("cache"));
    command.output().unwrap()
}

/// What a command prints that must succeed: results and what it says beside them.
fn done(folder: &Path, args: &[&str]) -> (String, String) {
    let output = edgegen(folder, args);
    let [out, told] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "{args:?}: {told}");
    (out, told)
}

/// What it says that must fail with code 1.
fn refused(folder: &Path, args: &[&str]) -> String {
    let output = edgegen(folder, args);
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{args:?}: {told}");
    told
}

fn picture(folder: &Path, path: &str, seed: u32) {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let value = |x: u32, y: u32, k: u32| (x * (seed + k) * 9 + y * 31 * (k + 1) + seed * 50) as u8;
    RgbImage::from_fn(24, 12, |x, y| Rgb([0, 1, 2].map(|k| value(x, y, k)))).save(path).unwrap();
}

const RECIPE: &str = r#"
system = "cgan"
[data]
name = "icons"
size = [8, 16]
channels = 3
[train]
steps = 2
batch = 4
[cgan]
latent = 4
channels = [6]
critic_channels = [4]
classes = 2
"#;

#[test]
fn a_class_keeps_its_name_from_folder_to_panel() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    // A folder called as one of our own sets, and classes that sort otherwise as numbers.
    for seed in 0..4 {
        picture(root, &format!("icons/10/{seed}.png"), seed);
        picture(root, &format!("icons/Haus 2/{seed}.jpg"), seed + 9);
    }
    fs::write(root.join("recipe.toml"), RECIPE).unwrap();
    let (_, told) = done(root, &["train", "recipe.toml", "--out", "run"]);
    for part in [
        "icons exists here and is read",
        "set:icons",
        "8 training images, 8×16 colour",
        "10 4, Haus 2 4",
        "4 JPEG, 4 PNG",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    let kept = fs::read_to_string(root.join("run/recipe.toml")).unwrap();
    assert!(kept.contains(r#"classes = ["10", "Haus 2"]"#) && kept.contains("size = [8, 16]"), "{kept}");

    done(root, &["export", "run", "-o", "m.egm"]);
    let file = ModelFile::read(&root.join("m.egm")).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    assert_eq!([0, 1, 2].map(|class| model.class_name(class)), [Some("10"), Some("Haus 2"), None]);
    let drawn = |source: &str, class: &str| {
        done(root, &["sample", source, "--class", class, "--count", "3", "--out", "x.npy"]);
        fs::read(root.join("x.npy")).unwrap()
    };
    for source in ["run", "m.egm"] {
        assert_eq!(drawn(source, "haus 2"), drawn(source, "1"));
        assert_eq!(drawn(source, "10"), drawn(source, "0"));
        assert_ne!(drawn(source, "10"), drawn(source, "1"));
        let error = refused(root, &["sample", source, "--class", "cat"]);
        assert!(error.contains("expected one of the classes 10, Haus 2"), "{error}");
    }
    done(root, &["sim", "m.egm", "--mode", "class=Haus 2", "--photo", "named.png"]);
    done(root, &["sim", "m.egm", "--mode", "class=1", "--photo", "numbered.png"]);
    assert_eq!(fs::read(root.join("named.png")).unwrap(), fs::read(root.join("numbered.png")).unwrap());
    assert!(refused(root, &["sim", "m.egm", "--mode", "class=cat"]).contains("10, Haus 2"));

    // The same names are asked for when it goes on.
    fs::rename(root.join("icons/10"), root.join("icons/11")).unwrap();
    let error = refused(root, &["train", "run/recipe.toml", "--out", "run", "--resume", "--steps", "3"]);
    assert!(error.contains("found no images of 10") && error.contains("11, Haus 2"), "{error}");
    fs::rename(root.join("icons/11"), root.join("icons/10")).unwrap();
    done(root, &["train", "recipe.toml", "--out", "run", "--resume", "--steps", "3"]);
    fs::write(root.join("nine.toml"), RECIPE.replace("classes = 2", "classes = 9")).unwrap();
    let error = refused(root, &["train", "nine.toml", "--out", "nine"]);
    assert!(error.contains("found 2 classes in icons (10, Haus 2): write classes = 2"), "{error}");
}

#[test]
fn a_folder_is_checked_before_it_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    for seed in 0..3 {
        picture(root, &format!("pets/train/cat/{seed}.png"), seed);
        picture(root, &format!("pets/train/dog/{seed}.webp"), seed + 5);
        picture(root, &format!("pets/val/dog/{seed}.bmp"), seed + 5);
    }
    fs::write(root.join("pets/train/cat/notes.txt"), "words").unwrap();
    let (out, _) = done(root, &["data", "check", "pets", "--size", "8x16", "--sheet", "sheet.png", "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    let training = &report["training"];
    assert_eq!(training["images"], 6);
    assert_eq!(training["shape"], serde_json::json!([8, 16, 3]));
    assert_eq!(training["classes"][1], serde_json::json!({ "name": "dog", "count": 3 }));
    assert_eq!(training["skipped"][0]["reason"], "another part");
    assert_eq!(report["test"]["formats"]["BMP"], 3);
    assert_eq!(report["shared"], 3, "the validation dogs are the training dogs");
    assert!(image::open(root.join("sheet.png")).unwrap().width() > 12 * 16);

    let half = fs::read(root.join("pets/train/cat/0.png")).unwrap();
    fs::write(root.join("pets/train/cat/0.png"), &half[..half.len() / 2]).unwrap();
    fs::write(root.join("pets/train/dog/5.heic"), "").unwrap();
    let error = refused(root, &["data", "check", "pets"]);
    assert!(error.contains("2 files cannot be read") && error.contains("--skip-bad"), "{error}");
    let listed = edgegen(root, &["data", "check", "pets", "--json"]);
    let report: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let reason = report["refused"].as_str().unwrap();
    assert!(reason.contains("train/cat/0.png: it is damaged") && reason.contains("5.heic"), "{reason}");
    let (out, _) = done(root, &["data", "check", "pets", "--skip-bad"]);
    assert!(out.contains("5 training images") && out.contains("cannot be read: train/cat/0.png"), "{out}");
    let error = refused(root, &["data", "check", "pets", "--sheet", "pets/sheet.png"]);
    assert!(error.contains("would become data"), "{error}");
    assert!(refused(root, &["data", "check", "nothing"]).contains("nothing at 'nothing'"));
}

#[test]
fn a_folder_becomes_a_recipe_that_fits_a_board() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (class, count) in [("cat", 10), ("dog", 12)] {
        (0..count).for_each(|seed| picture(at, &format!("my pets/{class}/{seed}.png"), seed));
    }
    let (out, _) = done(at, &["new", "my pets", "--board", "lm3s6965evb", "--quiet", "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["recipe"], &report["panel"]), (&"my pets.toml".into(), &"ssd0323".into()));
    assert!(report["flash"][0].as_u64() < report["flash"][1].as_u64());
    let recipe = fs::read_to_string(at.join("my pets.toml")).unwrap();
    for part in ["system = \"cgan\"", "size = 8", "channels = 1", "classes = 2", "augment = [\"translation\"]"] {
        assert!(recipe.contains(part), "{part}: {recipe}");
    }
    assert!(refused(at, &["new", "my pets"]).contains("expected no file yet at my pets.toml"));

    let train = ["train", "my pets.toml", "--steps", "2", "--quiet", "--board", "lm3s6965evb"];
    done(at, &[&train[..], &["--out", "a"]].concat());
    done(at, &["train", "my pets.toml", "--steps", "2", "--seed", "9", "--quiet", "--out", "b"]);
    let (out, _) = done(at, &["compare", "a", "b", "--json"]);
    let compared: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(compared["differences"], serde_json::json!({ "seed": [1, 9] }));
    assert!(fs::read_to_string(at.join("compare.html")).unwrap().contains("1 of"));

    let large =
        recipe.replace("size = 8", "size = 64").replace("\nchannels = [32]", "\nchannels = [256, 256, 256, 256]");
    fs::write(at.join("large.toml"), large).unwrap();
    let told = refused(at, &["train", "large.toml", "--board", "lm3s6965evb", "--quiet"]);
    assert!(told.contains("large.toml: what this recipe trains would not fit the lm3s6965evb: "), "{told}");
    assert!(told.contains("of flash missing") && !at.join("runs").exists(), "{told}");
}

#[test]
fn five_pixels_are_enough_for_a_perceptron() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    (0..20).for_each(|seed| picture(at, &format!("signs/{seed}.png"), seed));
    let (out, _) = done(at, &["new", "signs", "--board", "microbit-v2", "--quiet", "--json"]);
    let report: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["panel"], "leds");
    assert!(report["flash"][0].as_u64() < report["flash"][1].as_u64(), "{report}");
    let recipe = fs::read_to_string(at.join("signs.toml")).unwrap();
    for part in ["system = \"gan\"", "size = 5", "channels = 1", "hidden = [80, 64]", "augment = [\"colour\"]"] {
        assert!(recipe.contains(part), "{part}: {recipe}");
    }
    done(at, &["train", "signs.toml", "--steps", "2", "--quiet", "--board", "microbit-v2", "--out", "run"]);
    done(at, &["export", "run", "-o", "signs.egm", "--quiet"]);
    let (out, _) = done(at, &["inspect", "signs.egm", "--board", "microbit-v2", "--json"]);
    let fit: Value = serde_json::from_str(&out).unwrap();
    assert!(out.contains("\"fits\":true") || out.contains("\"fits\": true"), "{fit}");
    let file = ModelFile::read(&at.join("signs.egm")).unwrap();
    let shape = Model::parse(file.bytes()).unwrap().output();
    assert_eq!((shape.h, shape.w, shape.c), (5, 5, 1));
}
