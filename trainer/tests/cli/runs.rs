//! Runs as people treat them: ended from outside, begun twice, taken up again with something changed, piped into programs that have
//! enough, asked for too much.

use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;

use super::{TINY, command, done, edgegen, refused, shipped, write};

/// More steps than anybody waits for.
const LONG: &str = "1000000";

/// Starts a long training in `out` and waits until it is under way.
fn training(at: &Path, out: &str) -> Child {
    write(at, "tiny.toml", TINY);
    let mut command = command(at, &["train", "tiny.toml", "--steps", LONG, "--out", out, "--quiet"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !std::fs::metadata(at.join(out).join("metrics.jsonl")).is_ok_and(|file| file.len() > 0) {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    child
}

fn send(signal: &str, child: &Child) {
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -{signal} {}", child.id())]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn a_signal_saves_and_gives_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (signal, code) in [("TERM", 143), ("HUP", 129), ("INT", 130)] {
        let child = training(at, signal);
        // A terminal that closes sends its signal twice, from the shell and from the system.
        (0..if signal == "HUP" { 2 } else { 1 }).for_each(|_| send(signal, &child));
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{signal}: {}", String::from_utf8_lossy(&output.stderr));
        let state = std::fs::read_to_string(at.join(signal).join("checkpoint/state.json")).unwrap();
        let state: Value = serde_json::from_str(&state).unwrap();
        assert!(state["step"].as_u64().unwrap() > 0, "{state}");
        assert!(String::from_utf8_lossy(&output.stdout).contains("next: edgegen export"));
    }
}

/// While images are read nothing is to be saved, and the exit code is that of the signal all the same.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_while_images_are_read_gives_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    // Small files that take long to decode.
    std::fs::create_dir(at.join("photos")).unwrap();
    for level in 0..30 {
        let photo = image::GrayImage::from_pixel(3000, 3000, image::Luma([level]));
        photo.save(at.join(format!("photos/{level}.png"))).unwrap();
    }
    let mut command = command(at, &["train", "tiny.toml", "--data", "photos", "--out", "run", "--quiet"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    // Bit 1 of the signals that it catches; before that, a signal would end it by itself.
    let catches = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap().trim().to_owned();
        u64::from_str_radix(&mask, 16).unwrap() & 2 != 0
    };
    while !catches() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    std::thread::sleep(std::time::Duration::from_millis(50));
    send("INT", &child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(!at.join("run").exists(), "nothing was written");
}

/// What `nohup` has a program ignore, it ignores.
#[cfg(target_os = "linux")]
#[test]
fn a_signal_that_is_ignored_stays_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    let line =
        format!("trap '' HUP; exec {} train tiny.toml --steps {LONG} --out run --quiet", env!("CARGO_BIN_EXE_edgegen"));
    let mut shell = std::process::Command::new("sh");
    let mut child = shell.args(["-c", &line]).current_dir(at).stdout(Stdio::null()).spawn().unwrap();
    while !at.join("run/metrics.jsonl").exists() {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    send("HUP", &child);
    send("TERM", &child);
    assert_eq!(child.wait().unwrap().code(), Some(143), "the first of both did nothing");
}

#[test]
fn two_trainings_do_not_share_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut first = training(at, "run");
    for resume in [&[][..], &["--resume"]] {
        let message = refused(at, &[&["train", "tiny.toml", "--out", "run"], resume].concat());
        assert!(message.contains(&format!("another edgegen (process {}) trains in run", first.id())), "{message}");
    }
    // The lock dies with its process, however that ends.
    first.kill().unwrap();
    first.wait().unwrap();
    done(at, &["train", "tiny.toml", "--out", "run", "--quiet"]);
}

#[test]
fn a_run_goes_on_with_what_may_change_and_says_what_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    done(at, &["train", "tiny.toml", "--out", "runs/tiny", "--quiet"]);
    let again = |change: [&str; 2], options: &[&str]| {
        write(at, "again.toml", TINY.replace(change[0], change[1]));
        edgegen(at, &[&["train", "again.toml", "--out", "runs/tiny", "--resume"], options].concat())
    };
    let finished = again(["", ""], &["--quiet"]);
    assert!(String::from_utf8_lossy(&finished.stdout).contains("finished already, 3 steps"));
    let slower = again(["steps = 3", "steps = 5\nlr_critic = 0.0001"], &[]);
    let said = String::from_utf8_lossy(&slower.stderr);
    assert!(slower.status.success() && said.contains("train.lr_critic = 0.0001, was 0.001"), "{said}");
    assert!(String::from_utf8_lossy(&slower.stdout).starts_with("runs/tiny: 5 steps"));
    let fewer = again(["limit = 64", "limit = 40"], &[]);
    let said = String::from_utf8_lossy(&fewer.stderr);
    assert!(said.contains("64 images of 16×16×1 in 10 classes, found 40 images"), "{said}");
    let wider = again(["channels = [8, 8]\ncritic", "channels = [8, 4]\ncritic"], &[]);
    assert!(String::from_utf8_lossy(&wider.stderr).contains("dcgan.channels = [8, 4], was [8, 8]"));

    let mistyped = refused(at, &["train", "tiny.toml", "--out", "runs/tyni", "--resume"]);
    assert!(mistyped.contains("found none") && mistyped.contains("there is a run in runs/tiny"), "{mistyped}");
    assert!(!at.join("runs/tyni").exists());

    let from = done(at, &["train", "tiny.toml", "--from", "runs/tiny", "--out", "my run", "--seed", "9"]);
    assert!(from.contains("next: edgegen export 'my run' -o model.egm"), "{from}");
    assert!(std::fs::read_to_string(at.join("my run/recipe.toml")).unwrap().contains("from = \"runs/tiny\""));
    let json: Value = serde_json::from_str(&done(
        at,
        &["train", "tiny.toml", "--from", "runs/tiny", "--out", "other", "--json", "--quiet"],
    ))
    .unwrap();
    assert_eq!((&json["outcome"], json.get("advice")), (&"too_short".into(), None), "{json}");
}

#[test]
fn a_training_that_came_to_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let wild = "steps = 110\nlr_generator = 0.9\nlr_critic = 0.9";
    let recipe = TINY[..TINY.find("[dcgan]").unwrap()].replace("dcgan", "gan").replace("steps = 3", wild);
    write(at, "wild.toml", recipe);
    let output = edgegen(at, &["train", "wild.toml", "--out", "run"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("of no use (collapsed): all samples are alike"), "{text}");
    assert!(!text.contains("next:"), "{text}");
    let json: Value =
        serde_json::from_str(&done(at, &["train", "wild.toml", "--out", "run", "--resume", "--json", "--quiet"]))
            .unwrap();
    assert_eq!(json["outcome"], "collapsed");
    assert!(json["advice"].as_str().unwrap().contains("lower lr_generator"), "{json}");
}

#[cfg(unix)]
#[test]
fn a_pipe_that_closes_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    let sh = |line: &str| {
        let line = line.replace("edgegen", env!("CARGO_BIN_EXE_edgegen"));
        let output = std::process::Command::new("sh").args(["-c", &line]).current_dir(at).output().unwrap();
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
        output
    };
    // Whoever reads the results, or the progress, ends at once; the code is that of the command.
    for line in ["completions bash", "boards", "data list", "train tiny.toml --out a"] {
        let output = sh(&format!("{{ edgegen {line}; echo code $? >&2; }} | true"));
        assert!(String::from_utf8_lossy(&output.stderr).contains("code 0"), "{line}: {output:?}");
    }
    let output = sh("{ edgegen train tiny.toml --out b 2>&1; echo $? >code; } | true");
    assert_eq!(std::fs::read_to_string(at.join("code")).unwrap().trim(), "0", "{output:?}");
    assert!(at.join("b/generator.safetensors").is_file());
    if Path::new("/dev/full").exists() {
        let output = sh("edgegen boards >/dev/full");
        assert_eq!(output.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("error: cannot write to standard output"),
            "{output:?}"
        );
    }
}

#[test]
fn too_much_is_refused_or_streamed() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let digits = shipped("mnist-dcgan");
    let message = refused(at, &["sample", &digits, "--count", "4294967295"]);
    assert!(message.contains("at most 342392 images of 28×28×1 for .png"), "{message}");
    assert!(refused(at, &["eval", &digits, "--count", "4294967295"]).contains("--count 4294967295"));
    done(at, &["sample", &digits, "--count", "1500", "--out", "many.npy"]);
    done(at, &["sample", &digits, "--count", "100", "--seed", "1400", "--out", "last.npy"]);
    let [many, last] = ["many.npy", "last.npy"].map(|name| std::fs::read(at.join(name)).unwrap());
    assert_eq!(many.len(), 128 + 1500 * 784);
    assert!(many.ends_with(&last[128..]), "seeds go on from piece to piece");
    for (change, place) in [
        (["batch = 8", "batch = 9223372036854775807"], "line 10: [train] batch must be at most 65536"),
        (["latent = 8", "latent = 1000000000"], "line 12: [dcgan] latent must be at most 65536"),
        (["\nchannels = [8, 8]", "\nchannels = [60000, 60000]"], "line 13: [dcgan] channels must multiply"),
        (
            ["size = 16", "size = \"big\""],
            "line 6: [data] size: expected a number of pixels, or [height, width], found string \"big\"",
        ),
    ] {
        write(at, "large.toml", TINY.replacen(change[0], change[1], 1));
        let message = refused(at, &["train", "large.toml"]);
        assert!(message.contains(place), "{message}");
    }
    assert!(refused(at, &["train", "large.toml", "--steps", "18446744073709551615"]).contains("large.toml"));
    write(at, "tiny.toml", TINY);
    let message = refused(at, &["train", "tiny.toml", "--steps", "18446744073709551615"]);
    assert!(message.contains("[train] steps must be at most 2^63 - 1"), "{message}");
}

#[test]
fn a_mistake_is_told_with_the_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let [digits, classes] = ["mnist-dcgan", "mnist-cgan"].map(shipped);
    let run = digits.replace("/model.egm", "");
    let cases: [(&[&str], &str); 9] = [
        (&["sample", &digits, "--class", "0"], "expected a model with classes for class 0, found one without"),
        (&["sample", &classes, "--class", "12"], "expected a class from 0 to 9"),
        (&["sim", &classes, "--mode", "class=12"], "expected a class from 0 to 9"),
        (&["flash", &classes, "--board", "pico", "--mode", "class=12"], "expected a class from 0 to 9"),
        (&["inspect", &run], "edgegen export "),
        (&["sim", &digits, "--photo", "p.jpg"], "ends in .png, found p.jpg"),
        (&["sample", &digits, "--out", "p.bmp"], "ends in .png, .gif, .npy or .wav"),
        (&["export", &run, "-o", "same", "--onnx", "./same"], "expected --onnx to be another file than --out"),
        (&["export", &digits, "--target", "dsp", "-o", &digits], "another file than the source"),
    ];
    for (args, expected) in cases {
        let message = refused(at, args);
        assert!(message.contains(expected), "{message}");
    }
    assert!(done(at, &["flash", &digits, "--help"]).contains("--drive"));
}

#[test]
fn tables_fit_a_narrow_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let digits = shipped("mnist-dcgan");
    for args in [&["boards"][..], &["boards", "pico"], &["data", "list"], &["inspect", &digits]] {
        let output = command(folder.path(), args).env("COLUMNS", "80").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let rows = text.lines().filter(|line| "┌│├╞└".contains(line.chars().next().unwrap_or(' ')));
        let widest = rows.map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= 80, "{args:?}: {widest}\n{text}");
    }
}

#[test]
fn own_pictures_are_measured_and_few_of_them_less() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    // A sky above a field, in colours of their own.
    let picture = |index: u32| {
        image::RgbImage::from_fn(16, 16, |x, y| {
            let noise = ((x * 7 + y * 13 + index * 29) % 23) as u8;
            image::Rgb(if y < 8 { [80 + noise, 120, 200] } else { [40, 150 + noise, 30 + (index % 40) as u8] })
        })
    };
    let draw = |part: &str, count: u32| {
        std::fs::create_dir_all(at.join("own").join(part)).unwrap();
        let save = |index: u32| picture(index).save(at.join(format!("own/{part}/{index}.png"))).unwrap();
        (0..count).for_each(save);
    };
    draw("train", 120);
    draw("test", 9);
    write(at, "own.toml", TINY.replace("\"glyphs\"", "\"own\"\nchannels = 3").replace("limit = 64\n", ""));
    done(at, &["train", "own.toml", "--out", "run", "--quiet"]);
    let message = refused(at, &["eval", "run", "--count", "100", "--quiet"]);
    assert!(message.contains("at least 10 test images, found 9 in own"), "{message}");

    let eval = |count: u32| -> Value {
        draw("test", count);
        serde_json::from_str(&done(at, &["eval", "run", "--count", "100", "--quiet", "--json"])).unwrap()
    };
    let few = eval(30);
    assert!(few["judge"].as_str().unwrap().contains("not Inception"), "{few}");
    assert!(few["judge_accuracy"].as_f64().unwrap() > 0.9, "a sky is above: {few}");
    let left_out = few["left_out"].to_string();
    for part in
        ["Fréchet distance needs 65 images", "KID, precision, recall", "found 120 for training and 30 for tests"]
    {
        assert!(left_out.contains(part), "{left_out}");
    }
    let float = &few["rows"][1];
    assert!(float["kid"][0].is_null() && float["frechet"].is_null() && float["mmd_p"].is_number(), "{float}");
    let enough = eval(100);
    assert_eq!(enough.get("left_out"), None);
    let [real, float] = [0, 1].map(|row| enough["rows"][row]["frechet"].as_f64().unwrap());
    assert!(float > 2.0 * real, "three steps teach nothing: {enough}");
    assert_eq!(enough["judge"], few["judge"], "the same images, the same judge");
}

#[test]
fn a_report_is_written_anew_with_a_closer_look() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    done(at, &["train", "tiny.toml", "--out", "run", "--quiet"]);
    let (page, look) = (at.join("run/report.html"), at.join("run/closeup"));
    let first = std::fs::read_to_string(&page).unwrap();
    assert!(first.contains("Nearest training images") && first.contains("int8 beside float"));
    let figures = std::fs::read_to_string(look.join("closeup.json")).unwrap();
    assert!(figures.contains("\"step\": 3") && figures.contains("\"images\": 64"), "{figures}");
    let dimensions = |name: &str| image::image_dimensions(look.join(name)).unwrap();
    assert_eq!(dimensions("nearest.png"), dimensions("int8.png"), "two rows of eight, there is no judge of glyphs");

    // What a killed run leaves may lack both.
    std::fs::remove_file(&page).unwrap();
    std::fs::remove_dir_all(&look).unwrap();
    let report: Value = serde_json::from_str(&done(at, &["report", "run", "--json"])).unwrap();
    assert!(report["closeup"]["int8"]["Ok"]["psnr_db"].as_f64().unwrap() > 20.0, "{report}");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), first);
    assert_eq!(std::fs::read_to_string(look.join("closeup.json")).unwrap(), figures);
    assert!(refused(at, &["report", "nowhere"]).contains("expected a run folder, found no recipe.toml in nowhere"));
}
