//! The command without training: `cargo test --package edgegen --no-default-features --test no_training`.

#![cfg(not(feature = "train"))]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use edgegen_runtime::sound;
use edgegen_sim::skip::or_skip;
use edgegen_sim::{Cpu, firmware};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/mnist-dcgan");

fn edgegen(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_edgegen"));
    command.args(args).current_dir(folder).env_remove("RUST_BACKTRACE").output().unwrap()
}

#[test]
fn what_needs_burn_is_listed_and_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let help = String::from_utf8(edgegen(folder.path(), &["--help"]).stdout).unwrap();
    let commands: [&[&str]; 10] = [
        &["train", "r.toml", "--device", "flex", "--resume"],
        &["eval", MODEL, "--count", "100"],
        &["morph", "mnist:0", "mnist:1", "-o", "x.png"],
        &["data", "fetch", "mnist"],
        &["report", MODEL],
        &["devices"],
        &["demo", "--only", "trained"],
        &["sample", MODEL],
        &["export", MODEL, "-o", "m.egm"],
        &["play", "--train", "r.toml", "--board", "pico"],
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
    let commands: [&[&str]; 7] = [
        &["sample", &model, "--count", "4", "--out", "x.png"],
        &["sample", &model, "--walk", "--count", "2", "--out", "walk.gif"],
        &["sample", &model, "--truncation", "--out", "truncation.png"],
        &["export", &model, "--target", "dsp", "-o", "m4.egm"],
        &["inspect", &model, "--board", "lm3s6965evb"],
        &["boards"],
        &["sim", &model, "--photo", "panel.png"],
    ];
    for args in commands {
        let output = edgegen(folder.path(), args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    for picture in ["x.png", "panel.png", "walk.gif", "truncation.png"] {
        assert!(image::open(folder.path().join(picture)).unwrap().width() > 0, "{picture}");
    }
}

/// WAV files of a sound's samples, its waves, and one sentence where something is no sound.
#[test]
fn sounds_are_heard_drawn_and_described() {
    let folder = tempfile::tempdir().unwrap();
    let hits = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/sound/hits.egm");
    let run = |args: &[&str]| {
        let output = edgegen(folder.path(), args);
        let [told, wrong] = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        assert!(output.status.success(), "{args:?}: {wrong}");
        told
    };
    let heard = |name: &str| {
        let mut reader = hound::WavReader::open(folder.path().join(name)).unwrap();
        assert_eq!((reader.spec().sample_rate, reader.spec().channels, reader.spec().bits_per_sample), (8000, 1, 16));
        reader.samples().collect::<Result<Vec<i16>, _>>().unwrap()
    };
    let told = run(&["sample", hits, "--class", "kick", "--seed", "3", "--count", "3", "--out", "kicks.wav"]);
    assert_eq!(told, "kicks.wav: 3 sounds of 0.256 s at 8000 Hz\n");
    run(&["sample", hits, "--class", "0", "--seed", "3", "--count", "3", "--out", "kicks.npy"]);
    let bytes = std::fs::read(folder.path().join("kicks.npy")).unwrap();
    let samples: Vec<i16> = bytes[bytes.len() - 3 * 2048..].iter().map(|&byte| sound::sample(byte)).collect();
    // 200 ms between two of them.
    assert_eq!(heard("kicks.wav"), samples.chunks(2048).collect::<Vec<_>>().join(&[0; 1600][..]));

    run(&["sample", hits, "--out", "waves.png"]);
    assert_eq!(image::open(folder.path().join("waves.png")).unwrap().width(), 4 * 504, "one of each class");
    let told = run(&["sim", hits, "--mode", "class=snare", "--sound", "sim.wav", "--photo", "panel.png"]);
    assert!(told.ends_with("sim.wav: 1.024 s at 8000 Hz\n"), "{told}");
    run(&["sample", hits, "--class", "snare", "--count", "1", "--out", "snare.wav"]);
    // On the panel a sample of silence follows each.
    assert_eq!(heard("sim.wav")[..2049], [heard("snare.wav"), vec![0]].concat());
    let told = run(&["inspect", hits]);
    assert!(told.contains("sound of 2048 samples at 8000 Hz, 0.256 s") && told.contains("× real time"), "{told}");

    let model = format!("{MODEL}/model.egm");
    for (args, words) in [
        (&["sample", &model, "--out", "a.wav"][..], "expected a model that makes sound for a.wav"),
        (&["sample", hits, "--out", "a.gif"], "expected a file name that ends in .wav, .png or .npy"),
        (
            &["sample", hits, "--walk", "--out", "a.gif"],
            "expected a generator of images for --walk, found one of sounds",
        ),
        (&["sim", &model, "--sound", "a.wav"], "expected a model that makes sound for --sound"),
        (&["sim", &model, "--mode", "drums"], "expected a model that makes sound for drums"),
        (&["sim", hits, "--board", "lm3s6965evb", "--sound", "a.wav"], "expected a board with a speaker"),
    ] {
        let output = edgegen(folder.path(), args);
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), message.trim_end().lines().count()), (Some(1), 1), "{args:?}: {message}");
        assert!(message.contains(words), "{args:?}: {message}");
    }
    assert!(!folder.path().join("a.wav").exists() && !folder.path().join("a.gif").exists());
}

#[test]
fn the_playground_is_a_folder_or_served() {
    if or_skip(firmware::check(Cpu::Wasm32), "the playground", "EDGEGEN_BROWSER").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let model = format!("{MODEL}/model.egm");
    let output = edgegen(folder.path(), &["play", &model, "--out", "page"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let file = |name: &str| std::fs::read(folder.path().join("page").join(name)).unwrap();
    assert!(file("index.html").starts_with(b"<!doctype html>") && file("edgegen.wasm").starts_with(b"\0asm"));
    assert!(file("mnist-dcgan.egm").starts_with(b"EGM1") && file("icons.egm").starts_with(b"EGM1"));
    let list: serde_json::Value = serde_json::from_slice(&file("playground.json")).unwrap();
    assert_eq!(list["models"][0]["name"], "mnist-dcgan");
    assert_eq!(list["models"][0]["portable"][0], std::fs::metadata(&model).unwrap().len());
    assert!(list["models"][0]["chips"].as_array().unwrap().iter().any(|chip| chip["board"] == "pico"));

    let mut command = Command::new(env!("CARGO_BIN_EXE_edgegen"));
    let mut server = command.args(["play", "--no-open"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut address = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut address).unwrap();
    let host = address.trim().strip_prefix("http://").unwrap().trim_end_matches('/').to_owned();
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(stream, "GET /edgegen.wasm HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    server.kill().unwrap();
    server.wait().unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK") && answer.ends_with(&file("edgegen.wasm")));
}
