//! Reports of made-up run folders; those of real runs are looked at in `train/tests.rs`.

use super::*;

/// A PNG of one pixel need not be one here: nobody decodes it.
const SHEET: &[u8] = b"\x89PNG sheet";

/// A run folder of 20 steps of 40, named `name`, with a sheet after each of `sheets`.
pub(super) fn folder(root: &Path, name: &str, data: &str, sheets: impl Iterator<Item = u64>) -> PathBuf {
    let out = root.join(name);
    fs::create_dir_all(out.join(SAMPLES)).unwrap();
    let recipe = format!("system = \"dcgan\"\n[data]\nname = \"{data}\"\n[train]\nsteps = 40");
    fs::write(out.join(RECIPE), Recipe::parse(&recipe).unwrap().to_toml()).unwrap();
    let line =
        |step: u64| format!("{{\"critic\":{},\"generator\":1.5,\"new_measure\":2,\"step\":{step}}}\n", step * step);
    fs::write(out.join(METRICS), (1..=20).map(line).collect::<String>()).unwrap();
    for step in sheets {
        fs::write(out.join(SAMPLES).join(format!("step-{step}.png")), SHEET).unwrap();
    }
    out
}

fn report(out: &Path) -> String {
    write(out, "flex").unwrap();
    let html = fs::read_to_string(out.join(REPORT)).unwrap();
    check(&html);
    html
}

/// Every tag that is opened is closed, in order, and nothing is fetched from elsewhere.
pub(in crate::train) fn check(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = html.strip_prefix("<!doctype html>").unwrap();
    while let Some(start) = rest.find('<') {
        let end = start + rest[start..].find('>').expect("a tag ends");
        let (text, tag) = (&rest[..start], &rest[start + 1..end]);
        // The letters of a picture may read anything.
        let words = [text, if tag.starts_with("img ") { "" } else { tag }];
        assert!(words.iter().all(|words| !words.contains("http") && !words.contains("NaN")), "{words:?}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap();
        assert!(!name.is_empty() && name.chars().all(char::is_alphanumeric), "<{tag}>");
        assert_eq!(tag.matches('"').count() % 2, 0, "<{tag}>");
        rest = &rest[end + 1..];
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !tag.ends_with('/') && !["meta", "img", "input", "br"].contains(&name) {
            open.push(name);
        }
        if name == "script" || name == "style" {
            rest = &rest[rest.find("</").unwrap_or(0)..];
        }
    }
    assert!(open.is_empty(), "{open:?} are not closed");
}

#[test]
fn a_report_has_curves_sheets_recipe_and_what_is_next() {
    let root = tempfile::tempdir().unwrap();
    let out = folder(root.path(), "my run", "mnist", [2, 10, 20].into_iter());
    fs::write(out.join(SAMPLES).join("film.gif"), b"no sheet").unwrap();
    let html = report(&out);
    assert!(html.contains("<h1>my run</h1>") && html.contains("dcgan on mnist"));
    assert!(html.contains("28×28 grey") && !html.contains(RATES), "there are no rates that change");
    assert!(html.contains("step 20 of 40") && html.contains("lr_generator = 0.001"));
    assert_eq!(html.matches("<img ").count(), 3);
    assert_eq!(html.matches("\" hidden>").count(), 2, "the last is shown");
    assert!(html.find("step 2\"") < html.find("step 10\""), "in the order of numbers, not of names");
    assert_eq!(html.matches("<figure>").count(), 2, "losses, and a measure that nobody has heard of");
    assert!(html.contains("<th>new_measure</th><td>2.0000</td>") && html.contains("<td>400.0000</td>"));
    assert!(html.contains("/my run' --resume</pre>") && !html.contains("Signs of failure"));
    assert!(!html.contains("edgegen export"), "there are no weights yet");

    fs::write(out.join(GENERATOR), b"").unwrap();
    assert!(report(&out).contains("edgegen export"));
}

#[test]
fn text_of_other_people_is_no_markup() {
    let root = tempfile::tempdir().unwrap();
    let html = report(&folder(root.path(), "<i>&", "a<b>&c", [20].into_iter()));
    assert!(html.contains("<h1>&lt;i&gt;&amp;</h1>") && html.contains("on a&lt;b&gt;&amp;c,"));
    assert!(!html.contains("<i>") && !html.contains("<b>"));
}

#[test]
fn signs_come_first_with_what_to_try() {
    let root = tempfile::tempdir().unwrap();
    let out = folder(root.path(), "run", "mnist", 1..=1);
    let mut lines = fs::read_to_string(out.join(METRICS)).unwrap();
    lines += "{\"sign\":\"critic_won\",\"step\":20}\n{\"sign\":\"<new>\",\"step\":20}\n";
    fs::write(out.join(METRICS), lines).unwrap();
    let html = report(&out);
    assert!(html.contains("<li>Step 20: the critic's loss"));
    assert!(html.contains("<li>Step 20: &lt;new&gt;</li>"), "a sign of a later version");
    assert!(html.find("Signs of failure") < html.find("<h2>Samples"));
}

#[test]
fn many_sheets_are_thinned_out_and_later_ones_left_out() {
    let root = tempfile::tempdir().unwrap();
    let out = folder(root.path(), "run", "mnist", 0..0);
    let line = "{\"critic\":1,\"step\":1000}\n";
    fs::write(out.join(METRICS), line).unwrap();
    for step in (100..=1100).step_by(10) {
        fs::write(out.join(SAMPLES).join(format!("step-{step}.png")), SHEET).unwrap();
    }
    let steps: Vec<u64> = sheets(&out.join(SAMPLES), 1000).unwrap().into_iter().map(|(step, _)| step).collect();
    assert_eq!((steps.len(), steps[0], steps[SHEETS - 1]), (SHEETS, 100, 1000));
    assert!(steps.windows(2).all(|pair| (20..=30).contains(&(pair[1] - pair[0]))), "{steps:?}");
    // 91 sheets of 20/91 of what all may have: 4 of them are not too much. The large one is none of these.
    let large = fs::File::create(out.join(SAMPLES).join("step-500.png")).unwrap();
    large.set_len(20 * SHEET_BYTES).unwrap();
    assert_eq!(sheets(&out.join(SAMPLES), 1000).unwrap().len(), 4);
}

#[test]
fn before_the_first_step_there_is_a_report_too() {
    let root = tempfile::tempdir().unwrap();
    let out = folder(root.path(), "run", "mnist", 0..0);
    fs::remove_file(out.join(METRICS)).unwrap();
    fs::remove_dir(out.join(SAMPLES)).unwrap();
    let html = report(&out);
    assert!(html.contains("step 0 of 40") && html.contains("No step has been written down yet."));
    fs::remove_file(out.join(RECIPE)).unwrap();
    assert!(write(&out, "flex").unwrap_err().to_string().contains("cannot read the recipe"));
}
