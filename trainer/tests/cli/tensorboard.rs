//! `edgegen train --tensorboard`, read back by TensorBoard itself.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use edgegen_sim::skip::or_skip;
use serde_json::Value;

use super::{TINY, done, write};

/// Prints all scalars of an event file as `{name: [[step, value], …]}`.
const READ: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})
events.Reload()
scalars = {tag: [[event.step, event.value] for event in events.Scalars(tag)] for tag in events.Tags()['scalars']}
print(json.dumps(scalars))
";

/// A Python that has the package: that of `./x test-all`, or the system's.
fn python() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/tensorboard/bin/python");
    let has = |python: &PathBuf| {
        let output = Command::new(python).args(["-c", "import tensorboard"]).output();
        output.is_ok_and(|output| output.status.success())
    };
    match [own, "python3".into()].into_iter().find(has) {
        Some(python) => Ok(python),
        None => {
            bail!("no Python here has the package tensorboard: ./x test-all brings one, or pip install tensorboard")
        }
    }
}

#[test]
fn the_event_file_is_read_back() {
    let Some(python) = or_skip(python(), "reading event files back", "EDGEGEN_TENSORBOARD") else { return };
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(at, "tiny.toml", TINY);
    let train = ["train", "tiny.toml", "--out", "run", "--quiet", "--tensorboard"];
    done(at, &train);
    done(at, &[&train[..], &["--resume", "--steps", "5"]].concat());

    let output = Command::new(python).args(["-c", READ]).arg(at.join("run")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read: Value = serde_json::from_slice(&output.stdout).unwrap();
    let metrics = std::fs::read_to_string(at.join("run/metrics.jsonl")).unwrap();
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 5);
    for name in ["critic", "generator", "lr_generator"] {
        let points = read[name].as_array().unwrap();
        assert_eq!(points.len(), 5, "each step once: {points:?}");
        for (point, line) in points.iter().zip(&lines) {
            assert_eq!(point[0], line["step"]);
            // The file has 32 bits of it.
            let [read, written] = [&point[1], &line[name]].map(|value| value.as_f64().unwrap() as f32);
            assert_eq!(read, written, "{name}");
        }
    }
}
