//! The lines of `metrics.jsonl` as curves.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value};

/// Steps whose mean stands in tables of values.
pub(super) const RECENT: u64 = 100;

/// One value over the steps of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Series {
    pub(super) name: String,
    /// Steps and finite values, in the order of the file.
    pub(super) points: Vec<(u64, f64)>,
}

impl Series {
    /// The mean over the last [`RECENT`] steps of the curve, 0 without any.
    pub(super) fn recent(&self) -> f64 {
        let last = self.points.last().map_or(0, |&(step, _)| step);
        let recent = || self.points.iter().filter(|(step, _)| step + RECENT > last).map(|(_, value)| value);
        recent().sum::<f64>() / recent().count().max(1) as f64
    }
}

/// Everything that was written down while a run trained.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Metrics {
    /// In the order of their first lines.
    pub(super) series: Vec<Series>,
    /// Steps and names of what went wrong.
    pub(super) signs: Vec<(u64, String)>,
    /// The last step of the file, 0 without any.
    pub(super) last: u64,
}

impl Metrics {
    /// Reads the file, which need not be there yet.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or a line is not an object with a step. The last line may be torn: it is left out then.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = match fs::read_to_string(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
            text => text.with_context(|| format!("cannot read {}", path.display()))?,
        };
        let mut metrics = Self::default();
        for (index, line) in text.split_inclusive('\n').enumerate() {
            let added = serde_json::from_str(line).is_ok_and(|line| metrics.add(line).is_some());
            ensure!(
                added || !line.ends_with('\n'),
                "expected a JSON object with a step in line {} of {}, found {:?}: remove the line",
                index + 1,
                path.display(),
                line.trim_end()
            );
        }
        Ok(metrics)
    }

    fn add(&mut self, line: Map<String, Value>) -> Option<()> {
        let step = line.get("step")?.as_u64()?;
        self.last = self.last.max(step);
        for (name, value) in line {
            match value {
                Value::String(sign) if name == "sign" => self.signs.push((step, sign)),
                Value::Number(value) if name != "step" => {
                    let at = self.series.iter().position(|series| series.name == name).unwrap_or_else(|| {
                        self.series.push(Series { name, points: Vec::new() });
                        self.series.len() - 1
                    });
                    self.series[at].points.extend(value.as_f64().map(|value| (step, value)));
                }
                _ => {}
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_are_the_last_steps_not_the_last_values() {
        let every = Series { name: String::new(), points: (1..=1_000).map(|step| (step, step as f64)).collect() };
        assert_eq!(every.recent(), 950.5);
        let rare = Series { name: String::new(), points: vec![(100, 9.0), (200, 5.0)] };
        assert_eq!((rare.recent(), Series::default().recent()), (5.0, 0.0));
    }

    #[test]
    fn lines_become_curves_and_signs() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metrics.jsonl");
        assert_eq!(Metrics::read(&path).unwrap(), Metrics::default());

        let lines = "{\"a\":1.5,\"step\":1}\n{\"a\":2.5,\"b\":7,\"sign\":\"collapsed\",\"step\":2}\n{\"step\":2}\n";
        fs::write(&path, format!("{lines}{{\"a\":9,\"st")).unwrap();
        let metrics = Metrics::read(&path).unwrap();
        let a = Series { name: "a".into(), points: vec![(1, 1.5), (2, 2.5)] };
        let b = Series { name: "b".into(), points: vec![(2, 7.0)] };
        assert_eq!(metrics, Metrics { series: vec![a, b], signs: vec![(2, "collapsed".into())], last: 2 });

        fs::write(&path, format!("{lines}nonsense\n{lines}")).unwrap();
        let error = Metrics::read(&path).unwrap_err().to_string();
        assert!(error.contains("line 4 of") && error.contains("nonsense"), "{error}");
    }
}
