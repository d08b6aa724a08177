//! `edgegen play --train`: a training that is looked at, paused, resumed, exported and seen on a panel, by plain requests
//! and in Chromium. Skipped with a reason where the page's program cannot be built, or there is no Chromium.

#[allow(dead_code, reason = "the playground's tests use all of it")]
#[path = "../../../tests/browser/chromium.rs"]
mod chromium;
#[allow(dead_code, reason = "the playground's tests use all of it")]
#[path = "../../../tests/browser/page.rs"]
mod page;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::Duration;

use edgegen_app::Show;
use edgegen_sim::skip::or_skip;
use edgegen_sim::{Cpu, boards, firmware, stage};
use serde_json::{Value, json};

use super::{TINY, command, refused, write};
use chromium::Chromium;
use page::{Page, assert_readable};

/// A studio that was started, and where.
struct Studio {
    program: Child,
    address: String,
}

impl Studio {
    /// Starts one of a training that does not end by itself; `None`, with a reason, where that cannot be.
    fn start(at: &Path) -> Option<Self> {
        let recipe = TINY.replace("steps = 3", "steps = 1000000\nsample_every = 100\ncheckpoint_every = 500");
        write(at, "tiny.toml", recipe);
        Self::of(at, &["tiny.toml"])
    }

    /// Starts one of what these arguments say.
    fn of(at: &Path, args: &[&str]) -> Option<Self> {
        Self::with(at, args, None)
    }

    /// The same with a folder of tools before all others, and of drives in place of those that are mounted.
    fn with(at: &Path, args: &[&str], tools: Option<&Path>) -> Option<Self> {
        or_skip(firmware::check(Cpu::Wasm32), "the studio", "EDGEGEN_BROWSER")?;
        let mut command = command(at, &[&["play", "--no-open", "--train"], args].concat());
        if let Some(tools) = tools {
            let path = std::env::var_os("PATH").unwrap();
            let path = [tools.to_owned()].into_iter().chain(std::env::split_paths(&path));
            command.env("PATH", std::env::join_paths(path).unwrap()).env("EDGEGEN_MOUNTS", tools);
        }
        let mut program = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut address = String::new();
        BufReader::new(program.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Some(Self { program, address: address.trim().to_owned() })
    }

    /// Status and body of the answer to a request, `GET studio/state`.
    fn ask(&self, method: &str, path: &str) -> (u16, Vec<u8>) {
        let (host, token) = self.address.strip_prefix("http://").unwrap().split_once('/').unwrap();
        ask(host, &format!("{method} /{token}{path} HTTP/1.1\r\nHost: {host}\r\n\r\n"))
    }

    fn state(&self) -> Value {
        let (status, body) = self.ask("GET", "studio/state");
        assert_eq!(status, 200);
        serde_json::from_slice(&body).unwrap()
    }

    /// Looks until its state is as wanted: six hundred times, a tenth of a second apart.
    fn wait(&self, what: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..600 {
            let state = self.state();
            if is_so(&state) {
                return state;
            }
            thread::sleep(Duration::from_millis(100));
        }
        panic!("{what} did not come: {}", self.state());
    }

    fn act(&self, what: &str) {
        let (status, body) = self.ask("POST", &format!("studio/{what}"));
        assert_eq!(status, 202, "{what}: {}", String::from_utf8_lossy(&body));
    }
}

impl Drop for Studio {
    fn drop(&mut self) {
        // A test that failed leaves no training behind: it ends with the studio.
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn ask(host: &str, request: &str) -> (u16, Vec<u8>) {
    let mut stream = TcpStream::connect(host).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), answer[end + 4..].to_vec())
}

fn step(state: &Value) -> u64 {
    state["training"]["step"].as_u64().unwrap()
}

fn is_in(phase: &'static str) -> impl Fn(&Value) -> bool {
    move |state| state["training"]["phase"] == phase
}

#[test]
fn a_training_is_paused_resumed_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let Some(mut studio) = Studio::start(folder.path()) else { return };
    let begun = studio.wait("the first sheet", |state| state["training"]["samples"] != json!([]));
    assert_eq!((&begun["training"]["phase"], &begun["model"]), (&json!("training"), &Value::Null));
    let host = studio.address.split('/').nth(2).unwrap().to_owned();
    let secret = studio.address.strip_prefix(&format!("http://{host}")).unwrap().to_owned();
    let foreign = [
        "GET / HTTP/1.1\r\nHost: localhost".to_owned(),
        format!("GET /{} HTTP/1.1\r\nHost: localhost", "0".repeat(32) + "/studio/state"),
        format!("POST {secret}studio/pause HTTP/1.1\r\nHost: evil.example"),
        format!("POST {secret}studio/pause HTTP/1.1\r\nHost: {host}\r\nOrigin: https://evil.example"),
    ];
    for request in foreign {
        assert_eq!(ask(&host, &format!("{request}\r\n\r\n")).0, 403, "{request}");
    }
    assert_eq!(studio.ask("GET", "studio/samples/..%2f..%2ftiny.toml").0, 404);
    let refused = studio.ask("POST", "studio/resume");
    assert_eq!((refused.0, refused.1), (409, b"the training is under way: pause it first".to_vec()));

    studio.act("pause");
    let paused = studio.wait("the pause", is_in("paused"));
    let saved = folder.path().join("runs/tiny/checkpoint/state.json");
    let saved: Value = serde_json::from_slice(&std::fs::read(saved).unwrap()).unwrap();
    assert_eq!(saved["step"], paused["training"]["step"]);
    let metrics = studio.ask("GET", "studio/metrics?from=0").1;
    assert_eq!(metrics.iter().filter(|byte| **byte == b'\n').count() as u64, step(&paused));
    studio.act("resume");
    studio.wait("more steps", |state| is_in("training")(state) && step(state) > step(&paused) + 100);
    studio.act("pause");
    studio.wait("the second pause", is_in("paused"));
    let all = studio.ask("GET", "studio/metrics?from=0").1;
    assert!(all.starts_with(&metrics), "what was learned before the pause has changed");

    studio.act("export");
    let exported = studio.wait("the model", |state| state["job"]["is_running"] == false)["job"]["value"].clone();
    assert!(exported["psnr_db"].as_f64().is_some_and(|psnr| psnr > 20.0), "{exported}");
    let fit: Value = serde_json::from_slice(&studio.ask("GET", "studio/fit?board=pico").1).unwrap();
    assert_eq!(fit["verdict"], "fits");
    studio.act("export?codes=int16");
    let finer = studio.wait("the finer model", |state| state["job"]["is_running"] == false)["job"]["value"].clone();
    assert_eq!((&exported["codes"], &finer["codes"]), (&json!("int8"), &json!("int16")));
    for figure in ["psnr_db", "ram"] {
        assert!(finer[figure].as_f64() > exported[figure].as_f64(), "{finer} and {exported}");
    }

    // What ends the studio lets the training save.
    studio.act("resume");
    let resumed = studio.wait("the third session", is_in("training"));
    let sent = std::process::Command::new("sh").args(["-c", &format!("kill -TERM {}", studio.program.id())]).status();
    assert!(sent.unwrap().success());
    assert_eq!(studio.program.wait().unwrap().code(), Some(143));
    let mut said = String::new();
    studio.program.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("the training is saved: `edgegen play --train runs/tiny` goes on with it"), "{said}");
    let saved = std::fs::read(folder.path().join("runs/tiny/checkpoint/state.json")).unwrap();
    let saved: Value = serde_json::from_slice(&saved).unwrap();
    assert!(saved["step"].as_u64().unwrap() >= step(&resumed));

    // A run that is there waits to be gone on with.
    let again = Studio::of(folder.path(), &["runs/tiny"]).unwrap().state();
    assert_eq!((&again["training"]["phase"], &again["training"]["step"]), (&json!("paused"), &saved["step"]));
    assert!(again["model"].is_u64());
    // Nothing was written but the recipe, by this test, and the run.
    let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "tiny.toml" || name == "runs") && names.len() == 2, "{names:?}");
}

#[test]
fn the_model_goes_through_a_probe_to_a_board() {
    if or_skip(firmware::check(Cpu::CortexM0), "flashing the pico", "EDGEGEN_BOARDS").is_none() {
        return;
    }
    let [folder, tools] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let (at, tools) = (folder.path(), tools.path());
    // A probe-rs that lists a probe, and writes down what it is asked for.
    let script = "#!/bin/sh\necho \"$@\" >>\"${0%/*}/asked\"\n\
        [ \"$1\" != list ] || printf 'The following debug probes were found:\\n[0]: Debug Probe (CMSIS-DAP)\\n'\n";
    let probe_rs = write(tools, "probe-rs", script);
    std::fs::set_permissions(&probe_rs, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    write(at, "tiny.toml", TINY);
    let Some(studio) = Studio::with(at, &["tiny.toml"], Some(tools)) else { return };
    studio.wait("the end", is_in("done"));
    assert_eq!(studio.ask("POST", "studio/flash?board=pico").0, 409, "there is no model yet");
    studio.act("export");
    studio.wait("the model", |state| state["job"]["is_running"] == false);
    studio.act("flash?board=pico&panel=ssd1306");
    let flashed = studio.wait("the board", |state| state["job"]["is_running"] == false);
    let (job, text) = (&flashed["job"], flashed["job"]["value"]["text"].as_str().unwrap_or_default());
    assert!(job["what"] == "flash" && text.starts_with("flashed "), "{flashed}");
    let asked = std::fs::read_to_string(tools.join("asked")).unwrap();
    let asked: Vec<&str> = asked.lines().filter(|line| !matches!(*line, "--version" | "list")).collect();
    let [download, reset] = asked[..] else { panic!("{asked:?}") };
    assert!(download.starts_with("download --chip RP2040 ") && download.ends_with("firmware.elf"), "{download}");
    assert_eq!(reset, "reset --chip RP2040");
    // What does not fit, or is no panel of that board, is not begun.
    let (status, said) = studio.ask("POST", "studio/flash?board=pico&panel=leds");
    assert!(status == 409 && String::from_utf8_lossy(&said).contains("no panel leds"));
}

#[test]
fn what_cannot_be_trained_is_said_before_anything_is_served() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "tiny.toml", TINY);
    write(folder.path(), "wrong.toml", "system = 3");
    let cases: [(&[&str], &str); 3] = [
        (&["nothing"], "expected a recipe, a folder of pictures or a run at nothing, found nothing"),
        (&["wrong.toml"], "wrong.toml"),
        (&["tiny.toml", "--board", "browser"], "expected a board that can be flashed, found browser"),
    ];
    for (args, reason) in cases {
        let message = refused(folder.path(), &[&["play", "--no-open", "--train"], args].concat());
        assert!(message.contains(reason), "{message}");
    }
}

#[test]
fn pictures_need_no_recipe() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    std::fs::create_dir(at.join("photos")).unwrap();
    for index in 0..24 {
        let bar = |x: u32, y: u32| image::Luma([if (x + y * (index % 4)) % 16 < 5 { 220 } else { 30 }]);
        image::GrayImage::from_fn(16, 16, bar).save(at.join(format!("photos/{index}.png"))).unwrap();
    }
    let Some(studio) = Studio::of(at, &["photos", "--run", "run"]) else { return };
    studio.wait("the training", |state| step(state) > 0);
    let chosen = std::fs::read_to_string(at.join("run/chosen.toml")).unwrap();
    assert!(chosen.contains("name = \"photos\"") && chosen.contains("on this computer"), "{chosen}");
    studio.act("pause");
    studio.wait("the pause", is_in("paused"));
}

#[test]
fn a_person_trains_and_sees_the_model_on_a_panel() {
    let Some(program) = or_skip(chromium::find(), "the studio", "EDGEGEN_BROWSER") else { return };
    let folder = tempfile::tempdir().unwrap();
    let Some(studio) = Studio::start(folder.path()) else { return };
    let mut browser = Chromium::start(program);
    browser.resize(1200, 900);
    browser.open(&studio.address);
    browser.wait("document.body?.dataset.ready === 'yes'").unwrap();
    let mut page = Page { browser, address: studio.address.clone() };

    // Live losses and samples.
    let done = "document.getElementById('progress').value";
    page.browser.wait("document.querySelectorAll('.chart .curve').length >= 2").unwrap();
    let before = page.browser.value(done);
    page.browser.wait(&format!("{done} > {before}")).unwrap();
    page.browser.wait("document.getElementById('sheet').naturalWidth > 100").unwrap();
    assert!(page.text("steps").contains(" of 1\u{202f}000\u{202f}000"), "{}", page.text("steps"));

    // By keyboard alone, and the button keeps the focus.
    let phase = |phase: &str| format!("document.body.dataset.phase === '{phase}'");
    page.tab_to("#toggle");
    page.browser.key("Enter");
    page.browser.wait(&phase("paused")).unwrap();
    let paused = page.browser.value(done);
    page.browser.key("Enter");
    page.browser.wait(&format!("{} && {done} > {paused}", phase("training"))).unwrap();
    page.browser.key("Enter");
    page.browser.wait(&phase("paused")).unwrap();
    page.tab_to("#export");
    page.browser.key("Enter");
    page.browser.wait("document.getElementById('exported').textContent.includes('dB PSNR')").unwrap();
    page.browser.wait("document.getElementById('fit').textContent.startsWith('It fits: ')").unwrap();

    // Its panels, one board after the other, show what the host draws.
    let model = std::fs::read(folder.path().join("runs/tiny/model.egm")).unwrap();
    for (board, panel) in [("pico", "ssd1306"), ("mps3-an547", "frame")] {
        for (select, value) in [("board", board), ("board-panel", panel)] {
            let choose = format!("select.value = '{value}'; select.dispatchEvent(new Event('change'))");
            let script = format!(
                "(() => {{ const [select, panel] = ['{select}', 'panel'].map((id) => document.getElementById(id));
                const before = panel.dataset.begun; {choose}; return before !== panel.dataset.begun; }})()"
            );
            assert_eq!(page.browser.value(&script), true, "the show of {value} has begun, and the page does not tell");
        }
        page.show(&format!("#model=tiny&panel=board&mode=one&seed=7&words=0&again={board}"), 1);
        let spec = boards::find(board).unwrap().panel(Some(panel)).unwrap().spec();
        let host = stage::record(&model, &Show::parse("walk seed=7 bare auto=0"), spec, 1).pictures.pop().unwrap();
        page.assert_shows(&host, &format!("{panel} of the {board}"));
    }

    for (width, height) in [(360, 740), (1200, 900)] {
        page.browser.resize(width, height);
        let wide = "document.documentElement.clientWidth";
        page.browser.wait(&format!("{wide} <= {width} && {wide} > {width} - 30")).unwrap();
        let needed = page.browser.value("document.documentElement.scrollWidth").as_u64().unwrap();
        assert!(needed <= u64::from(width), "{needed} pixels on a screen of {width}");
        for scheme in ["light", "dark"] {
            page.browser.prefers("prefers-color-scheme", scheme);
            assert_readable(&mut page, &format!("{scheme}, {width} wide"), scheme == "dark");
        }
    }
    let own = [page.address.clone(), "data:".to_owned(), "blob:http://127.0.0.1:".to_owned()];
    for request in &page.browser.requests {
        assert!(own.iter().any(|own| request.starts_with(own)), "the page asked for {request}");
    }
}
