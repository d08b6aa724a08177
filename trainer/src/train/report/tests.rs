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

#[test]
fn a_closer_look_stands_between_samples_and_curves() {
    let root = tempfile::tempdir().unwrap();
    let out = folder(root.path(), "run", "mnist", 1..=1);
    fs::write(out.join(GENERATOR), b"").unwrap();
    assert!(report(&out).contains("edgegen report "), "until it was taken");
    let look = out.join("closeup");
    fs::create_dir(&look).unwrap();
    let figures = "{\"step\":10,\"nearest\":{\"pixels\":{\"images\":60000,\"samples\":[30.5,20.25,40.0],\"usual\":25.5},\
                   \"judge\":[\"abc\",{\"images\":9,\"samples\":[1.5],\"usual\":null}]},\
                   \"int8\":{\"Ok\":{\"psnr_db\":43.75,\"images\":256,\"flash\":1000,\"ram\":99}}}";
    fs::write(look.join("closeup.json"), figures).unwrap();
    ["nearest.png", "int8.png"].into_iter().for_each(|name| fs::write(look.join(name), SHEET).unwrap());
    let html = report(&out);
    assert!(html.contains("<th>judge abc</th>"));
    for cells in ["samples</th><td>30.50</td><td>1.50</td>", "least of them</th><td>20.25</td><td>1.50</td>"] {
        assert!(html.contains(cells), "{cells}");
    }
    assert!(html.contains("images</th><td>25.50</td><td>–</td>") && html.contains("<td>60000</td><td>9</td>"));
    assert!(html.contains("43.8 dB PSNR over 256 images") && html.contains("Drawn after step 10."));
    assert!(!html.contains("edgegen report "));
    let places = ["<h2>Samples", "<h2>Nearest", "<h2>int8 beside float", "<h2>Curves"].map(|text| html.find(text));
    assert!(places.is_sorted() && places[0].is_some());

    // Of weights that a killed run will make again.
    fs::write(look.join("closeup.json"), figures.replace("10", "30")).unwrap();
    assert!(!report(&out).contains("Nearest training images"));
    fs::write(look.join("closeup.json"), figures.replace("\"Ok\":", "\"Err\":\"too <wide>\",\"was\":")).unwrap();
    assert!(write(&out, "flex").unwrap_err().to_string().contains("closeup.json"), "one key, or it is of no version");
    let refused = figures.split("\"int8\"").next().unwrap().to_owned() + "\"int8\":{\"Err\":\"too <wide>\"}}";
    fs::write(look.join("closeup.json"), refused).unwrap();
    fs::remove_file(look.join("int8.png")).unwrap();
    assert!(report(&out).contains("no int8 model of it: too &lt;wide&gt;"));
}

#[test]
fn points_and_judges_say_what_is_shown_instead() {
    let root = tempfile::tempdir().unwrap();
    let out = folder(root.path(), "points", "mnist", 1..=1);
    fs::write(out.join(RECIPE), "system = \"gan\"\n[data]\nname = \"ring\"\n[gan]\noutput = \"linear\"\n").unwrap();
    assert!(report(&out).contains("counts the modes"));
    let out = folder(root.path(), "judge", "mnist", 0..0);
    fs::write(out.join(RECIPE), "system = \"judge\"\n[data]\nname = \"mnist\"\n").unwrap();
    assert!(report(&out).contains("A judge draws nothing"));
}
