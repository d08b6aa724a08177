//! What a studio's page can ask for. Every address begins with the token; whoever does not know it is told nothing.
//!
//! ```text
//! GET  /TOKEN/                                  the page, and its files
//! GET  /TOKEN/studio/state                      Training's and Jobs' status
//! GET  /TOKEN/studio/metrics?from=BYTE          lines of metrics.jsonl
//! GET  /TOKEN/studio/samples/STEP.png           a sample sheet
//! GET  /TOKEN/studio/report.html                the run's report
//! POST /TOKEN/studio/pause, resume              202, or 409 with the reason
//! POST /TOKEN/studio/export?codes=C             int8, or int16
//! GET  /TOKEN/studio/model                      the exported model as the playground offers one
//! GET  /TOKEN/NAME.egm                          its file
//! GET  /TOKEN/studio/fit?board=B                how it fits a board
//! POST /TOKEN/studio/flash?board=B&panel=P
//! ```

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use anyhow::{Context as _, Result};
use edgegen_sim::playground::Offer;
use edgegen_sim::serve::{Answer, Request};
use edgegen_sim::{Board, boards};
use serde::Serialize;
use serde_json::json;

use super::job::{self, Jobs};
use super::training::Training;
use crate::cli::fit::{Fit, pack_for};
use crate::cli::play;
use crate::cli::source::read_any_model;
use crate::train::report::REPORT;

/// Everything that answers are made of.
pub struct Routes<F> {
    pub token: String,
    /// The page.
    pub files: F,
    pub training: Arc<Training>,
    pub jobs: Arc<Jobs>,
    pub boards: Vec<Board>,
    /// What the run and its model are called.
    pub name: String,
}

impl<F: Fn(&Request) -> Answer> Routes<F> {
    pub fn respond(&self, request: &Request) -> Answer {
        let inside = request.path.split_once('/').filter(|(token, _)| self.knows(token));
        let Some((_, path)) = inside else {
            return Answer::refusal("403 Forbidden", "expected the address that `edgegen play --train` printed");
        };
        let answer = match (request.method.as_str(), path.strip_prefix("studio/")) {
            ("GET", Some(path)) => self.tell(path, request),
            ("POST", Some(path)) => self.act(path, request),
            ("GET", None) if path == format!("{}.egm", self.name) => {
                self.offer().map(|offer| Answer::file(path, offer.file))
            }
            _ => Ok((self.files)(&Request { path: path.to_owned(), ..request.clone() })),
        };
        answer.unwrap_or_else(|error| Answer::refusal("409 Conflict", &format!("{error:#}")))
    }

    /// Looks at every letter, however early one differs, so that time tells nothing of the token.
    fn knows(&self, token: &str) -> bool {
        let differing = token.bytes().zip(self.token.bytes()).fold(0, |all, (left, right)| all | (left ^ right));
        token.len() == self.token.len() && differing == 0
    }

    fn tell(&self, path: &str, request: &Request) -> Result<Answer> {
        match path {
            "state" => json_of(&json!({
                "training": self.training.status(),
                "job": self.jobs.status(),
                "model": self.model_time(),
            })),
            "metrics" => {
                let from = request.query.get("from").and_then(|from| from.parse().ok()).unwrap_or(0);
                Ok(Answer::file("metrics.jsonl", self.training.metrics(from)?))
            }
            "report.html" => {
                // The run may have come from elsewhere.
                let page = fs::read(self.training.run().join(REPORT));
                let foreign = |page| Answer { is_foreign: true, ..Answer::file(path, page) };
                Ok(page.map_or_else(|_| Answer::not_found(), foreign))
            }
            "model" => json_of(&self.offer()?),
            "fit" => {
                let board = boards::find(named(request, "board")?)?;
                let packed = pack_for(&read_any_model(&self.model()?)?, board.cpu)?;
                let fit = Fit::new(&board, board.cpu, &packed)?;
                json_of(&json!({ "fit": fit, "verdict": fit.verdict(), "time": fit.time() }))
            }
            _ => {
                let step = path.strip_prefix("samples/").and_then(|name| name.strip_suffix(".png")?.parse().ok());
                let sheet = step.and_then(|step| self.training.sheet(step));
                Ok(sheet.map_or_else(Answer::not_found, |sheet| Answer::file(path, sheet)))
            }
        }
    }

    fn act(&self, path: &str, request: &Request) -> Result<Answer> {
        match path {
            "pause" => self.training.pause()?,
            "resume" => self.training.resume()?,
            "export" => {
                let codes = request.query.get("codes").map_or("int8", String::as_str);
                self.jobs.export(self.training.run(), &self.name, codes)?;
            }
            "flash" => {
                let board = boards::find(named(request, "board")?)?;
                let panel = board.panel(request.query.get("panel").map(String::as_str))?;
                self.jobs.flash(self.model()?, &board.name, &panel.name)?;
            }
            _ => return Ok(Answer::not_found()),
        }
        Ok(Answer { status: "202 Accepted", ..json_of(&json!({}))? })
    }

    fn model(&self) -> Result<PathBuf> {
        job::model(self.training.run())
    }

    /// When the model was written, by which the page knows a new one; milliseconds since 1970.
    fn model_time(&self) -> Option<u64> {
        let written = fs::metadata(self.model().ok()?).and_then(|file| file.modified()).ok()?;
        Some(written.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64))
    }

    fn offer(&self) -> Result<Offer> {
        // A sheet is none of the files that are served here.
        Ok(Offer { name: self.name.clone(), sheet: None, ..play::offer(&self.model()?, &self.boards)? })
    }
}

fn named<'a>(request: &'a Request, name: &str) -> Result<&'a str> {
    let value = request.query.get(name).with_context(|| format!("expected ?{name}=… in the address, found none"))?;
    Ok(value)
}

fn json_of(value: &impl Serialize) -> Result<Answer> {
    Ok(Answer::file("answer.json", serde_json::to_vec(value)?))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use clap::Parser as _;
    use edgegen_sim::serve;

    use super::*;
    use crate::cli::source::project;

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        args: play::Args,
    }

    const LINES: &str = "{\"critic\":1.5,\"step\":1}\n{\"critic\":0.5,\"step\":2}\n";

    /// The studio of a run of a shipped recipe that was ended in the midst of a line.
    fn studio(folder: &Path) -> Routes<impl Fn(&Request) -> Answer + use<>> {
        let run = folder.join("runs/digits");
        fs::create_dir_all(run.join("samples")).unwrap();
        fs::write(run.join("metrics.jsonl"), format!("{LINES}{{\"crit")).unwrap();
        fs::write(run.join("samples/step-2.png"), "a sheet").unwrap();
        fs::write(run.join("samples/step-3.png"), "one of a step that will be done again").unwrap();
        fs::write(folder.join("secret"), "of somebody else").unwrap();
        let recipe = project().join("trainer/recipes/mnist-dcgan.toml");
        let Line { args } = Line::parse_from(["play", "--train", "x", "--run", run.to_str().unwrap()]);
        let files: BTreeMap<_, _> = [("index.html".to_owned(), b"<p>".to_vec())].into();
        Routes {
            token: "f00".into(),
            files: serve::files(files),
            training: Arc::new(Training::new(&recipe, &args).unwrap()),
            jobs: Arc::default(),
            boards: play::with_chips().unwrap(),
            name: "digits".into(),
        }
    }

    fn ask(studio: &Routes<impl Fn(&Request) -> Answer>, method: &str, path: &str) -> (u16, String) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        let query = query.into_iter().collect();
        let answer = studio.respond(&Request { method: method.into(), path: path.into(), query });
        (answer.status[..3].parse().unwrap(), String::from_utf8(answer.body).unwrap())
    }

    #[test]
    fn who_does_not_know_the_token_is_told_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let studio = studio(folder.path());
        assert_eq!(ask(&studio, "GET", "f00/"), (200, "<p>".into()));
        for path in ["", "index.html", "studio/state", "f0/", "f01/", "f000/studio/state", "F00/", "f00"] {
            for method in ["GET", "POST"] {
                assert_eq!(ask(&studio, method, path).0, 403, "{method} {path}");
            }
        }
    }

    #[test]
    fn nothing_is_read_but_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let studio = studio(folder.path());
        assert_eq!(ask(&studio, "GET", "f00/studio/metrics"), (200, LINES.into()));
        assert_eq!(ask(&studio, "GET", "f00/studio/metrics?from=26").1, LINES[26..]);
        assert_eq!(ask(&studio, "GET", "f00/studio/metrics?from=9999"), (200, String::new()));
        assert_eq!(ask(&studio, "GET", "f00/studio/samples/2.png"), (200, "a sheet".into()));
        for path in ["samples/7.png", "samples/../metrics.jsonl", "samples/-2.png", "../../secret", "report.html", "x"]
        {
            assert_eq!(ask(&studio, "GET", &format!("f00/studio/{path}")).0, 404, "{path}");
        }
        for path in ["../secret", "../runs/digits/metrics.jsonl", "Cargo.toml"] {
            assert_eq!(ask(&studio, "GET", &format!("f00/{path}")).0, 404, "{path}");
        }
        let state: serde_json::Value = serde_json::from_str(&ask(&studio, "GET", "f00/studio/state").1).unwrap();
        let training = &state["training"];
        assert_eq!(
            (&training["phase"], &training["step"], &training["has_weights"]),
            (&json!("paused"), &json!(2), &json!(false))
        );
        assert_eq!((&training["samples"], &state["job"], &state["model"]), (&json!([2]), &json!(null), &json!(null)));
    }

    #[test]
    fn what_cannot_be_done_is_told_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let studio = studio(folder.path());
        let cases = [
            ("POST", "pause", 409, "the training is not under way: there is nothing to pause"),
            ("GET", "model", 409, "found none: export the run first"),
            ("GET", "fit", 409, "expected ?board=… in the address"),
            ("GET", "fit?board=pico", 409, "found none: export the run first"),
            ("GET", "fit?board=--out", 409, "there is no board --out"),
            ("POST", "flash?board=pico", 409, "found none: export the run first"),
            ("POST", "export?codes=int4", 409, "expected codes int8 or int16, found int4"),
            ("POST", "delete", 404, "no such file"),
            ("GET", "export", 404, "no such file"),
            ("PUT", "state", 405, "expected GET"),
        ];
        for (method, path, code, reason) in cases {
            let (status, said) = ask(&studio, method, &format!("f00/studio/{path}"));
            assert!(status == code && said.contains(reason), "{method} {path}: {status} {said}");
        }
    }

    #[test]
    fn a_model_in_the_run_is_offered_and_fitted() {
        let folder = tempfile::tempdir().unwrap();
        let studio = studio(folder.path());
        fs::copy(project().join("models/emoji-dcgan/model.egm"), folder.path().join("runs/digits/model.egm")).unwrap();
        let told = |path: &str| {
            let (status, text) = ask(&studio, "GET", &format!("f00/studio/{path}"));
            assert_eq!(status, 200, "{path}: {text}");
            serde_json::from_str::<serde_json::Value>(&text).unwrap()
        };
        assert!(told("state")["model"].as_u64().is_some());
        let offer = told("model");
        assert_eq!(offer["name"], "digits");
        assert!(offer["chips"].as_array().unwrap().iter().any(|chip| chip["board"] == "pico"), "{offer}");
        let fit = told("fit?board=pico");
        assert!(fit["verdict"] == "fits" && fit["fit"]["fits"] == true, "{fit}");
        let fit = told("fit?board=lm3s6965evb");
        assert!(fit["fit"]["fits"] == false && fit["verdict"].as_str().unwrap().contains("of flash missing"), "{fit}");
        let model =
            studio.respond(&Request { method: "GET".into(), path: "f00/digits.egm".into(), ..Request::default() });
        assert!(model.status == "200 OK" && model.body.starts_with(b"EGM1"));
    }
}
