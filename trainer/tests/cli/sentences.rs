//! Sentences of two languages: training, measures and samples.

use super::*;

#[test]
fn a_translator_is_trained_measured_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    write(
        at,
        "r.toml",
        "system = \"backtranslation\"\n[data]\nname = \"languages\"\nlimit = 400\n[train]\nsteps = 3\nbatch = 4\n\
         eval_every = 1\n[backtranslation]\nwidth = 8\nheads = 2\nhidden = 8\nlayers = 1\nwarm_up = 2\ncounted = 1",
    );
    done(at, &["train", "r.toml", "--out", "run", "--quiet"]);
    let report: Value =
        serde_json::from_str(&done(at, &["eval", "run", "--count", "100", "--json", "--quiet"])).unwrap();
    let rows = report["rows"].as_array().unwrap();
    assert_eq!((rows.len(), report["count"].as_u64()), (8, Some(100)));
    let of = |row: usize, name: &str| rows[row][name].as_f64().unwrap();
    for (row, from) in [(0, 1), (4, 2)] {
        assert_eq!(rows[row]["from"].as_u64(), Some(from));
        // What stays as it is comes back, and so does what goes by a lexicon that has each word once.
        assert_eq!([of(row, "round_trip"), of(row + 1, "round_trip")], [1.0; 2]);
        assert!(of(row + 1, "any_order") < 0.5, "frequency alone finds less than half of the words");
    }
    assert_eq!(report["selection"]["measured"].as_u64(), Some(3));
    let told: Value =
        serde_json::from_str(&done(at, &["sample", "run", "--count", "2", "--out", "s.png", "--json"])).unwrap();
    let lines: Vec<&str> = told["lines"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].contains(" → ") && lines[1].starts_with("    truth: "), "{lines:?}");
    assert!(at.join("s.png").is_file() && at.join("run/samples/step-3.png").is_file());
    assert!(refused(at, &["eval", "run/back", "--count", "100"]).contains("expected the way back"));
    assert!(refused(at, &["export", "run", "-o", "m.egm"]).contains("found a translator"));
    assert!(refused(at, &["sample", "run", "--out", "s.gif"]).contains("expected a .png"));
}
