use super::*;

/// Runs an experiment into a temporary folder.
fn found(name: &str, seed: u64, steps: Option<u64>) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let found = run(find(name).unwrap(), folder.path(), seed, steps, true).unwrap();
    for picture in &found.pictures {
        let path = folder.path().join(name).join(&picture.file);
        let is_png = picture.file.ends_with(".png");
        // Films are GIFs, whose writer has tests of its own.
        let size = if is_png { image::image_dimensions(&path).unwrap().into() } else { picture.size };
        assert!(path.is_file() && size == picture.size, "{}", picture.file);
    }
    found
}

/// What is wrong, for messages.
fn failed(found: &Found) -> Vec<&Figure> {
    found.failed().collect()
}

#[test]
fn names_differ_and_say_what_page_and_terminal_need() {
    for (index, experiment) in EXPERIMENTS.iter().enumerate() {
        let Experiment { name, title, lecture, claim, equation, mathml, .. } = experiment;
        assert!(EXPERIMENTS[..index].iter().all(|other| other.name != *name), "{name}");
        assert!([title, lecture, claim, equation].iter().all(|text| !text.is_empty()), "{name}");
        assert!(
            !name.contains(|letter: char| letter != '-' && !letter.is_ascii_lowercase()),
            "{name} is a file's name"
        );
        assert!(balanced(mathml), "{name}: an element of its MathML is not closed");
    }
}

/// Whether every element that begins ends, in the right order.
fn balanced(markup: &str) -> bool {
    let mut open = Vec::new();
    for tag in markup.split('<').skip(1) {
        let name = tag.split(['>', ' ', '/']).find(|part| !part.is_empty()).unwrap_or("");
        if tag.starts_with('/') {
            if open.pop() != Some(name) {
                return false;
            }
        } else if !tag.split('>').next().unwrap_or("").ends_with('/') {
            open.push(name);
        }
    }
    open.is_empty()
}

#[test]
fn elements_that_do_not_close_are_seen() {
    assert!(balanced("<mi>a</mi><mspace width='1em'/><msup><mi>b</mi><mn>2</mn></msup>"));
    assert!(!balanced("<mi>a</mo>") && !balanced("<mi>a") && !balanced("a</mi>"));
}

/// Pure mathematics, at full size.
#[test]
fn claims_without_training_hold() {
    for name in ["saturation", "oscillation", "optimum"] {
        for seed in [1, 5] {
            let found = found(name, seed, None);
            assert!(found.figures.iter().any(|figure| figure.holds.is_some()));
            assert!(failed(&found).is_empty(), "{name}: {:?}", failed(&found));
        }
    }
}

/// A few steps: it runs, draws, and learns the same from the same seed.
#[test]
fn trainings_follow_from_their_seed() {
    for name in ["optimal-critic", "learning", "plane"] {
        let [first, again, other] = [3, 3, 4].map(|seed| found(name, seed, Some(40)));
        assert_eq!(first.figures, again.figures, "{name}");
        assert_ne!(first.figures, other.figures, "{name}");
        assert_eq!(first.steps, 40);
    }
}

#[test]
fn a_claim_that_does_not_hold_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { seed: 1, steps: 0, folder: folder.path().to_owned(), quiet: true };
    let mut report = Report::new("optimum", &options);
    report.check("too large", 2.0, Expected::AtMost(1.0));
    report.check("right", 2.0, Expected::Near(2.1, 0.2));
    report.check("nothing", f64::NAN, Expected::AtMost(1.0));
    report.show("whatever", 7.0);
    let (figures, pictures) = report.finish();
    let found = Found { name: "optimum".into(), seed: 1, steps: 0, seconds: 1.0, figures, pictures };
    let failed: Vec<&str> = found.failed().map(|figure| &*figure.what).collect();
    assert_eq!(failed, ["too large", "nothing"]);
    files::replace_bytes(&folder.path().join("optimum").join(FOUND), serde_json::to_string(&found).unwrap().as_bytes())
        .unwrap();
    let page = std::fs::read_to_string(page::write(folder.path()).unwrap()).unwrap();
    assert!(page.contains("0 of 1 hold") && page.contains("too large") && page.contains("not a number"), "{page}");
    assert!(page.contains("≤ 1") && page.contains("2.1 ± 0.2"), "{page}");
}
