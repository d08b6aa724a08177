//! `edgegen sample --walk` and `--truncation`.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use edgegen_export::{ModelFile, image_at};
use edgegen_runtime::{Model, Point};

use super::{TINY, command, done, refused, write};

const DIGITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/mnist-cgan/model.egm");
const EMOJI: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/emoji-dcgan");

/// The bytes behind an array's header.
fn array(path: &Path, bytes: usize) -> Vec<u8> {
    let file = std::fs::read(path).unwrap();
    file[file.len() - bytes..].to_vec()
}

#[test]
fn a_walk_is_a_film_that_closes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let walk = |out: &str| done(at, &["sample", DIGITS, "--walk", "--seed", "5", "--count", "3", "--out", out]);
    assert!(walk("walk.npy").contains("48 frames of 28×28×1, 2.4 s"));
    let file = ModelFile::read(Path::new(DIGITS)).unwrap();
    let file = edgegen_export::native(&file).unwrap();
    let model = Model::parse(file.bytes()).unwrap();
    let frames = array(&at.join("walk.npy"), 48 * 28 * 28);
    let frames: Vec<&[u8]> = frames.chunks(28 * 28).collect();
    assert!(frames[0] == image_at(&model, Point::seed(5)), "the first frame is the still of the seed");
    assert!(frames[16] == image_at(&model, Point::seed(6)) && frames[33] == image_at(&model, Point::walk(7, 5, 4)));

    for out in ["walk.gif", "walk.png"] {
        walk(out);
        let first = std::fs::read(at.join(out)).unwrap();
        walk(out);
        assert!(first == std::fs::read(at.join(out)).unwrap(), "{out}: the same seed, the same bytes");
    }
    let png = png::Decoder::new(BufReader::new(File::open(at.join("walk.png")).unwrap()));
    assert_eq!(png.read_info().unwrap().info().animation_control().unwrap().num_frames, 48);
    let still = image::open(at.join("walk.png")).unwrap().into_luma8();
    // Enlarged eight times.
    assert!(
        (0..28 * 28).all(|place| still.get_pixel(place % 28 * 8, place / 28 * 8).0[0] == frames[0][place as usize])
    );

    let mut without = command(at, &["sample", DIGITS, "--walk", "--out", "walk.mp4"]);
    let output = without.env("PATH", at).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.starts_with("error: expected ffmpeg") && message.contains("apt-get install ffmpeg"), "{message}");
    assert!(!at.join("walk.mp4").exists());
}

#[test]
fn truncation_goes_from_the_middle_to_beyond() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let sweep = |source: &str, out: &str| done(at, &["sample", source, "--truncation", "--count", "3", "--out", out]);
    let said = sweep(EMOJI, "float.npy");
    assert!(said.contains("3 latent vectors, a row for each ψ of 0, 0.25, 0.5, 0.75, 1, 1.25, 1.5"), "{said}");
    let image = 64 * 64 * 3;
    let float = array(&at.join("float.npy"), 21 * image);
    let cell = |row: usize, column: usize| &float[(3 * row + column) * image..][..image];
    assert!(cell(0, 0) == cell(0, 2), "the middle of the prior is one image");
    assert!(cell(4, 0) != cell(4, 2) && cell(4, 1) != cell(6, 1));
    done(at, &["sample", EMOJI, "--count", "3", "--out", "plain.npy"]);
    assert!(float[12 * image..][..3 * image] == array(&at.join("plain.npy"), 3 * image), "ψ = 1 is the seed");

    let model = format!("{EMOJI}/model.egm");
    sweep(&model, "int8.npy");
    let far = |one: &u8, other: &u8| f64::from(one.abs_diff(*other));
    let int8 = array(&at.join("int8.npy"), 21 * image);
    let mean = float.iter().zip(&int8).map(|(one, other)| far(one, other)).sum::<f64>() / float.len() as f64;
    assert!(mean < 3.0, "int8 draws the same, {mean} levels off");
    sweep(&model, "sheet.png");
    let sheet = image::open(at.join("sheet.png")).unwrap();
    assert!(sheet.width() > 600 && sheet.height() > 7 * 128);
    assert!(refused(at, &["sample", &model, "--truncation", "--out", "x.gif"]).contains("ends in .png or .npy"));
}

#[test]
fn styles_go_towards_their_mean() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // Without noise, so that images differ by their styles alone.
    let table = "[style]\nlatent = 6\nstyle = 8\nnoise = 0\nchannels = [8, 6, 4]\ncritic_channels = [8, 8]\n";
    write(at, "style.toml", TINY[..TINY.find("[dcgan]").unwrap()].replace("dcgan", "style") + table);
    done(at, &["train", "style.toml", "--out", "run", "--quiet"]);
    let said = done(at, &["sample", "run", "--truncation", "--count", "3", "--out", "sweep.npy"]);
    assert!(said.contains("3 styles, a row for each ψ"), "{said}");
    let image = 16 * 16;
    let sweep = array(&at.join("sweep.npy"), 21 * image);
    let row = |row: usize| &sweep[3 * row * image..][..3 * image];
    assert_eq!(row(0)[..image], row(0)[image..2 * image], "the mean style is one image");
    assert_ne!(row(4)[..image], row(4)[image..2 * image]);
    done(at, &["sample", "run", "--count", "3", "--out", "plain.npy"]);
    assert_eq!(row(4), array(&at.join("plain.npy"), 3 * image), "ψ = 1 leaves them");

    // The middle is in the model, and so are halves of the way there; from style to style it goes in a straight line.
    for (psi, name) in [("0", "mean.egm"), ("1", "own.egm")] {
        done(at, &["export", "run", "-o", name, "--truncation", psi]);
    }
    let [mean, own] = ["mean.egm", "own.egm"].map(|name| ModelFile::read(&at.join(name)).unwrap());
    let [mean, own] = [&mean, &own].map(|file| Model::parse(file.bytes()).unwrap());
    let draw = |model: &Model<'_>, seed| edgegen_export::image(model, seed);
    assert_eq!(draw(&mean, 1), draw(&mean, 2));
    assert_ne!(draw(&own, 1), draw(&own, 2));
    done(at, &["sample", "own.egm", "--walk", "--count", "2", "--frames", "4", "--out", "walk.npy"]);
    let walk = array(&at.join("walk.npy"), 8 * image);
    assert_eq!([&walk[..image], &walk[4 * image..5 * image]], [&draw(&own, 0)[..], &draw(&own, 1)[..]]);

    assert!(refused(at, &["export", EMOJI, "-o", "x.egm", "--truncation", "0.5"]).contains("found none in"));
    assert!(refused(at, &["export", "own.egm", "-o", "x.egm", "--truncation", "0.5"]).contains("the run that it came"));
}
