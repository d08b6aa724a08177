//! Runs on a data set of a few made-up images.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use burn::tensor::Device;

use super::session::METRICS;
use super::*;
use crate::rng::Rng;
use crate::run::RECIPE;
use crate::systems::{COUPLED, JUDGES, PAIRED, TRANSLATING, UNPAIRED};
use crate::{checkpoint, systems};

/// Images with a bright bar whose place depends on the image.
fn dataset(size: usize) -> Dataset {
    let images = (0..40)
        .flat_map(|image| (0..size * size).map(move |at| if at % size == image % size { 230 } else { 10 }))
        .collect();
    // The class is where the bar stands.
    let labels = Some((0..40).map(|image| (image % size % 10) as u8).collect());
    Dataset { name: "bars".into(), images, labels, class_names: Vec::new(), shape: [size, size, 1] }
}

/// Such images of another shape, which has no more pixels: a part of all, in their order.
fn shaped(shape: [usize; 3]) -> Dataset {
    let whole = dataset(16);
    let images = whole.images[..whole.len() * shape.iter().product::<usize>()].to_vec();
    Dataset { shape, images, ..whole }
}

/// The run of a judge of the images, for the system that begins with one.
fn judge_folder() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        train_on(&recipe("judge", 1), &dataset(16), &options(folder.path())).unwrap();
        folder
    });
    FOLDER.path()
}

/// The run of a flow that says densities, for the one that learns from it.
fn teacher() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        train_on(&recipe("maf", 1), &dataset(16), &options(folder.path())).unwrap();
        folder
    });
    FOLDER.path()
}

/// The table of the first of two stages, and its run.
const FIRST: &str = "latent = 5\nembedding = 4\nchannels = [6]\ncritic_channels = [4]";

fn stage_one() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "system = \"words\"\n[data]\nname = \"bars\"\nsize = 8\n[train]\nsteps = 1\nbatch = 8\n[words]\n{FIRST}"
        );
        let recipe = Recipe::parse(&text).unwrap();
        train_any(&recipe, &dataset(8), &options(folder.path())).unwrap();
        folder
    });
    FOLDER.path()
}

/// Systems of sounds: they see an image's pixels one after the other.
const SOUNDS: [&str; 3] = ["wavegan", "wavenet", "parallel_wavenet"];

/// A small WaveNet, and the run of one.
const WAVENET: &str = "channels = 4\nskips = 5\ndilations = [1, 2]\nstacks = 1\ncomponents = 2";

fn wavenet() -> &'static Path {
    static FOLDER: LazyLock<tempfile::TempDir> = LazyLock::new(|| {
        let folder = tempfile::tempdir().unwrap();
        train_on(&recipe("wavenet", 1), &shaped([256, 1, 1]), &options(folder.path())).unwrap();
        folder
    });
    FOLDER.path()
}

fn recipe(system: &str, steps: u64) -> Recipe {
    let table = match system {
        "gan" => "critic_hidden = [12]\nhidden = [16]\nlatent = 5",
        "vae" => "channels = [6, 4]\nencoder_channels = [4]\nlatent = 6\ncouplings = 2\nprior_hidden = 7",
        "began" => "channels = [6, 4]\nhidden = 5\nlatent = 5\nlambda = 0.5",
        "growing" => "channels = [6, 4, 4]\ncritic_channels = [4, 4, 6]\nlatent = 5\nphase = 3\nfade = 4",
        "biggan" => "channels = [6, 5, 4]\ncritic_channels = [4, 6]\nlatent = 6\nembedding = 3",
        "unrolled" => "critic_hidden = [6]\nhidden = [8]\nlatent = 5\nunroll = 2",
        "style" => "channels = [6, 5, 4]\nlatent = 5\nstyle = 6\nnoise = 2\ncritic_channels = [6, 8]",
        "pix2pix" => "channels = [4, 6]\ncritic_channels = [4]\nkeep = 0.5",
        "speech" => "hidden = [6]\ncritic_hidden = [4]",
        "cyclegan" => "[cyclegan.game]\nchannels = [4, 6]\nblocks = 1\ncritic_channels = [4]\npool = 6",
        "distancegan" => {
            "halves = 0.5\n[distancegan.game]\nchannels = [4, 6]\nblocks = 1\ncritic_channels = [4]\npool = 6"
        }
        "cogan" => "channels = [6, 4]\nlatent = 5\ncritic_channels = [4, 6]",
        "dtn" => &format!(
            "judge = {:?}\nencoder_channels = [4]\nfeatures = 5\nchannels = [4]\ncritic_channels = [4]",
            judge_folder()
        ),
        // Its two parts have curves of their own, and a test of their own.
        "adda" => "source_steps = 0\nchannels = [4]\nfeatures = 5\ncritic_hidden = [6]",
        "judge" => "channels = [4]\nfeatures = 5",
        "stackgan" => &format!(
            "stage_one = {:?}\nwidth = 4\nblocks = 1\nembedding = 3\ncritic_channels = [4]\n[stackgan.first]\n{FIRST}",
            stage_one()
        ),
        "words" => "head = \"conv3\"\nchannels = [8, 6, 4]\nlatent = 5\nembedding = 4\ncritic_channels = [6, 8]",
        "gaussian" => "latent = 5",
        "kmeans" => "centres = 3",
        "gmm" => "components = 2\nlatent = 5",
        "made" => "hidden = [12]",
        "maf" => "blocks = 2\nhidden = [12]",
        "iaf" => &format!("teacher = {:?}\nblocks = 2\nhidden = [12]\n[iaf.maf]\nblocks = 2\nhidden = [12]", teacher()),
        "wavegan" => "channels = [6, 4]\nlatent = 5\nkernel = 8\ncritic_channels = [4, 6]",
        "backtranslation" => {
            "words = 240\nwidth = 8\nheads = 2\nhidden = 12\nlayers = 1\nadversarial = 0.5\ncritic_hidden = 5\nwarm_up = 4\ncounted = 2"
        }
        "wavenet" => WAVENET,
        "parallel_wavenet" => &format!(
            "teacher = {:?}\nchannels = 4\nskips = 5\ndilations = [1, 2]\nrow = 16\n[parallel_wavenet.wavenet]\n{WAVENET}",
            wavenet()
        ),
        _ => "head = \"conv3\"\nchannels = [8, 6, 4]\nlatent = 5\ncritic_channels = [6, 8]",
    };
    let (data, moves) = if SOUNDS.contains(&system) {
        ("size = [256, 1]\nrate = 8000", "")
    } else if system == "speech" {
        ("size = [8, 5]\nchannels = 3", "")
    } else if TRANSLATING.contains(&system) {
        ("size = [16, 1]", "")
    } else {
        ("size = 16", "flip = true\nshift = 1\n")
    };
    Recipe::parse(&format!(
        "system = \"{system}\"\nseed = 3\n[data]\nname = \"bars\"\n{data}\n[train]\nsteps = {steps}\nbatch = 8\n{moves}critic_steps = 2\nsample_every = 10\ncheckpoint_every = 5\nschedule = \"constant\"\n[{system}]\n{table}"
    ))
    .unwrap()
}

/// Trains on the images, or, where the system turns images into images, from their negatives to them.
fn train_any(recipe: &Recipe, dataset: &Dataset, options: &Options) -> Result<Summary> {
    if systems::learns_attributes(recipe) {
        return train_on_described(recipe, dataset, &attributes(dataset.len()), options);
    }
    if !PAIRED.contains(&&*recipe.system) && !UNPAIRED.contains(&&*recipe.system) {
        return train_on(recipe, dataset, options);
    }
    let inputs = Dataset { images: dataset.images.iter().map(|byte| 255 - byte).collect(), ..dataset.clone() };
    train_on_pairs(
        recipe,
        &Pairs { inputs, targets: dataset.clone(), matched: PAIRED.contains(&&*recipe.system) },
        options,
    )
}

/// Two attributes of `count` images.
fn attributes(count: usize) -> Attributes {
    let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
    Attributes {
        names: words(&["side", "third"]),
        words: vec![words(&["even", "odd"]), words(&["first", "second", "last"])],
        values: (0..count).flat_map(|image| [(image % 2) as u8, (image % 3) as u8]).collect(),
        phrases: vec![vec![0, 1]],
    }
}

fn options(out: &Path) -> Options {
    Options {
        device: "flex".into(),
        out: out.to_owned(),
        resume: false,
        tensorboard: false,
        quiet: true,
        stop: Arc::default(),
    }
}

/// Every file that says what was learned, as bytes. Adam's moments lie in a container with unordered names.
fn learned(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> = [run.to_owned(), run.join("checkpoint")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| {
            let other = |extension| ["bpk", "toml", "html"].iter().any(|other| extension == *other);
            path.is_file() && !path.extension().is_some_and(other)
        })
        .collect();
    files.sort();
    files.into_iter().map(|path| (path.strip_prefix(run).unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

#[test]
fn ten_and_ten_are_twenty_bit_for_bit() {
    for kind in systems::SYSTEMS {
        let system = kind.name;
        let folder = tempfile::tempdir().unwrap();
        let image = match system {
            "speech" => [8, 5, 3],
            _ if SOUNDS.contains(&system) => [256, 1, 1],
            _ if TRANSLATING.contains(&system) => [16, 1, 1],
            _ => [16, 16, 1],
        };
        let dataset = shaped(image);
        let straight = folder.path().join("straight");
        train_any(&recipe(system, 20), &dataset, &options(&straight)).unwrap();

        let resumed = folder.path().join("resumed");
        let first = train_any(&recipe(system, 10), &dataset, &options(&resumed)).unwrap();
        assert_eq!(first.steps, 10);
        // Lines of steps after the checkpoint, the last one torn, are what a kill leaves behind.
        let mut metrics = fs::OpenOptions::new().append(true).open(resumed.join(METRICS)).unwrap();
        metrics.write_all(b"{\"step\":11,\"critic\":0.0}\n{\"step\":12,\"cri").unwrap();
        let again = Options { resume: true, ..options(&resumed) };
        let second = train_any(&recipe(system, 20), &dataset, &again).unwrap();
        assert_eq!((second.steps, second.session_steps), (20, 10));

        for (a, b) in learned(&straight).into_iter().zip(learned(&resumed)) {
            assert!(a == b, "{system}: {} differs", a.0.display());
        }
        let lines = fs::read_to_string(resumed.join(METRICS)).unwrap();
        assert_eq!(lines.lines().count(), 20);
        let sheets = fs::read_dir(resumed.join("samples")).unwrap().count();
        check_report(&resumed, 20, sheets);
        assert_eq!(sheets, if JUDGES.contains(&system) { 0 } else { 2 });
        if JUDGES.contains(&system) {
            let judge = crate::eval::Judge::load(&resumed, &Device::flex()).unwrap();
            assert_eq!(judge.look(&[vec![9; 256]]).classes.len(), 1);
            continue;
        }
        let run = crate::run::Run::load(&resumed, &Device::flex()).unwrap();
        let inputs = match run.fed() {
            Some(shape) => vec![vec![0.5; shape.len()]],
            None => run.generator.draw(1, &mut Rng::new(1, 0)),
        };
        // Pairs stand side by side.
        let [height, width, channels] = image;
        let width = if COUPLED.contains(&system) { 32 } else { width };
        let shape = [height, width, channels];
        assert_eq!((run.shape(), run.generate_pixels(&inputs)[0].len()), (shape, shape.iter().product()));
        let back = resumed.join(crate::run::BACK);
        assert_eq!(
            back.exists(),
            ["cyclegan", "backtranslation"].contains(&system),
            "who learns the way back ships it"
        );
        if back.exists() {
            let back = crate::run::Run::load(&back, &Device::flex()).unwrap();
            assert!(back.recipe.data.reverse && !run.recipe.data.reverse);
            assert_ne!(back.generate_pixels(&inputs), run.generate_pixels(&inputs));
        }
    }
}

#[test]
fn points_resume_bit_for_bit() {
    let recipe = |steps: u64| {
        Recipe::parse(&format!(
            "system = \"gan\"\n[data]\nname = \"grid\"\n[train]\nsteps = {steps}\nbatch = 8\nschedule = \"constant\"\n[gan]\noutput = \"linear\"\nhidden = [8]"
        ))
        .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let [straight, resumed] = ["straight", "resumed"].map(|name| folder.path().join(name));
    train(&recipe(10), &options(&straight)).unwrap();
    train(&recipe(5), &options(&resumed)).unwrap();
    let summary = train(&recipe(10), &Options { resume: true, ..options(&resumed) }).unwrap();
    assert_eq!(summary.session_steps, 5);
    assert!(learned(&straight) == learned(&resumed));
    check_report(&resumed, 10, fs::read_dir(resumed.join("samples")).unwrap().count() - 1);
}

#[test]
fn measuring_changes_nothing_that_is_learned() {
    let folder = tempfile::tempdir().unwrap();
    let [plain, measured, resumed] = ["plain", "measured", "resumed"].map(|name| folder.path().join(name));
    let recipe = |steps, eval_every| {
        let mut recipe = recipe("dcgan", steps);
        recipe.train.eval_every = eval_every;
        recipe
    };
    let dataset = dataset(16);
    train_on(&recipe(20, 0), &dataset, &options(&plain)).unwrap();
    train_on(&recipe(20, 5), &dataset, &options(&measured)).unwrap();
    train_on(&recipe(10, 5), &dataset, &options(&resumed)).unwrap();
    train_on(&recipe(20, 5), &dataset, &Options { resume: true, ..options(&resumed) }).unwrap();
    assert!(learned(&measured) == learned(&resumed), "measures, too");
    let weights = |run: &Path| fs::read(run.join(crate::run::GENERATOR)).unwrap();
    assert_eq!(weights(&plain), weights(&measured));
    let lines = fs::read_to_string(measured.join(METRICS)).unwrap();
    let found: Vec<&str> = lines.lines().filter(|line| line.contains("sliced")).collect();
    assert_eq!((lines.lines().count(), found.len()), (24, 4));
    assert!(found[3].contains("\"step\":20") && !lines.contains("frechet"), "there is no judge of bars: {}", found[3]);
    let html = fs::read_to_string(measured.join(report::REPORT)).unwrap();
    assert!(html.contains("Sliced Wasserstein distance of pixels") && html.contains("sliced real"));

    let few = Dataset { images: dataset.images[..256 * 39].to_vec(), labels: None, ..dataset };
    let refused = train_on(&recipe(1, 1), &few, &options(&folder.path().join("few"))).unwrap_err().to_string();
    assert!(refused.contains("expected at least 40 images to measure with, found 39 in bars"), "{refused}");
}

/// Every step is on the curves, every sheet in the page.
fn check_report(run: &Path, steps: usize, sheets: usize) {
    let html = fs::read_to_string(run.join(report::REPORT)).unwrap();
    report::tests::check(&html);
    assert!(html.contains(&format!("step {steps} of {steps}")) && !html.contains("--resume"));
    assert_eq!(html.matches("<img ").count(), sheets);
    let curve = html.split("class=\"smooth c0\" points=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(curve.split(' ').count(), steps);
}

#[test]
fn a_run_goes_on_without_a_report() {
    let folder = tempfile::tempdir().unwrap();
    // A folder that is not empty takes no file's name.
    fs::create_dir_all(folder.path().join(report::REPORT).join("x")).unwrap();
    assert_eq!(train_on(&recipe("dcgan", 12), &dataset(16), &options(folder.path())).unwrap().steps, 12);
}

#[test]
fn two_runs_are_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let dataset = dataset(16);
    let [a, b] = ["a", "b"].map(|name| {
        let out = folder.path().join(name);
        train_on(&recipe("dcgan", 12), &dataset, &options(&out)).unwrap();
        learned(&out)
    });
    assert!(a == b);
}

#[test]
fn stop_saves_and_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let stop = Options { stop: Arc::new(AtomicBool::new(true)), ..options(folder.path()) };
    let summary = train_on(&recipe("dcgan", 20), &dataset(16), &stop).unwrap();
    assert!(summary.stopped && summary.steps == 0 && summary.sheet.unwrap().is_file());
    assert!(checkpoint::newest(folder.path()).unwrap().is_some());

    let message = format!("{:#}", train_on(&recipe("dcgan", 20), &dataset(16), &options(folder.path())).unwrap_err());
    assert!(message.contains("--resume"), "{message}");

    let other = Options { resume: true, ..options(folder.path()) };
    let message = format!("{:#}", train_on(&recipe("gan", 20), &dataset(16), &other).unwrap_err());
    assert!(message.contains("cannot go on with") && message.contains("--from"), "{message}");
}

#[test]
fn data_with_other_classes_or_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let labelled = dataset(16);
    let two = || Some((0..labelled.len()).map(|index| index as u8 % 2).collect());
    for (labels, found) in [
        (None, "found 0 classes"),
        (Some(vec![200; labelled.len()]), "found 201 classes"),
        (two(), "found 2 classes in bars: write classes = 2"),
    ] {
        let dataset = Dataset { labels, ..labelled.clone() };
        let error = train_on(&recipe("cgan", 20), &dataset, &options(folder.path())).unwrap_err().to_string();
        assert!(error.contains(found) && error.contains("[cgan]"), "{error}");
    }
}

#[test]
fn pairs_are_for_the_systems_that_want_them() {
    let folder = tempfile::tempdir().unwrap();
    let message = train_on(&recipe("pix2pix", 20), &dataset(16), &options(folder.path())).unwrap_err().to_string();
    assert!(message.contains("expected pairs of images for system = \"pix2pix\", found bars"), "{message}");
    let text = "system = \"dcgan\"\n[data]\nname = \"fashion-edges\"";
    let message = train(&Recipe::parse(text).unwrap(), &options(folder.path())).unwrap_err().to_string();
    assert!(message.contains("found fashion-edges, which has pairs"), "{message}");
}

#[test]
fn a_data_set_of_another_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = train_on(&recipe("dcgan", 20), &dataset(8), &options(folder.path())).unwrap_err();
    assert!(error.to_string().contains("found 8×8×1 in bars"), "{error}");
}

#[test]
fn rates_may_change_on_the_way_and_data_may_not() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("a");
    train_on(&recipe("dcgan", 4), &dataset(16), &options(&out)).unwrap();
    let mut slower = recipe("dcgan", 6);
    slower.train.lr_critic = 1e-4;
    slower.data.name = "elsewhere".into();
    let again = Options { resume: true, ..options(&out) };
    assert_eq!(train_on(&slower, &dataset(16), &again).unwrap().steps, 6);
    assert_eq!(Recipe::load(&out.join(RECIPE)).unwrap(), slower, "the folder has the recipe as run");

    let mut fewer = dataset(16);
    fewer.images.truncate(30 * 256);
    fewer.labels.as_mut().unwrap().truncate(30);
    let message = train_on(&slower, &fewer, &again).unwrap_err().to_string();
    assert!(message.contains("40 images of 16×16×1 in 10 classes, found 30 images"), "{message}");
    let mut other = dataset(16);
    other.images[0] ^= 1;
    let message = train_on(&slower, &other, &again).unwrap_err().to_string();
    assert!(message.contains("as many, but other ones"), "{message}");
    let mut wider = slower.clone();
    wider.train.batch = 10;
    let message = train_on(&wider, &dataset(16), &again).unwrap_err().to_string();
    assert!(message.contains("train.batch = 10, was 8"), "{message}");

    let typed_wrong = Options { resume: true, ..options(&folder.path().join("b")) };
    let message = train_on(&slower, &dataset(16), &typed_wrong).unwrap_err().to_string();
    assert!(message.contains("found none") && message.contains(&*out.to_string_lossy()), "{message}");
    assert!(!folder.path().join("b").exists());
}

#[test]
fn two_do_not_train_in_one_folder() {
    let folder = tempfile::tempdir().unwrap();
    let claim = folder::claim(folder.path(), false).unwrap();
    let train = || train_on(&recipe("dcgan", 2), &dataset(16), &options(folder.path()));
    let message = train().unwrap_err().to_string();
    let process = format!("(process {})", std::process::id());
    assert!(message.contains(&process) && message.contains("another --out"), "{message}");
    drop(claim);
    train().unwrap();
}

#[test]
fn a_run_starts_from_the_weights_of_another() {
    // Systems whose files in a checkpoint are called differently; a gaussian has none.
    for system in ["dcgan", "vae", "unrolled", "judge"] {
        let folder = tempfile::tempdir().unwrap();
        let [first, second, shipped, third] = ["a", "b", "shipped", "c"].map(|name| folder.path().join(name));
        train_on(&recipe(system, 4), &dataset(16), &options(&first)).unwrap();
        // A stop before the first step saves what a run starts from.
        let stop = |out: &Path| Options { stop: Arc::new(AtomicBool::new(true)), ..options(out) };
        let from = |run: &Path| Recipe { from: Some(run.display().to_string()), seed: 9, ..recipe(system, 4) };
        let summary = train_on(&from(&first), &dataset(16), &stop(&second)).unwrap();
        assert_eq!(summary.steps, 0);
        let net = if system == "judge" { "judge.safetensors" } else { "generator.safetensors" };
        let weights = |run: &Path| fs::read(run.join(net)).unwrap();
        assert!(weights(&first) == weights(&second), "{system}");
        assert_eq!(Recipe::load(&second.join(RECIPE)).unwrap().from, from(&first).from);
        // It goes on with and without naming again where it began.
        train_on(&Recipe { seed: 9, ..recipe(system, 4) }, &dataset(16), &Options { resume: true, ..options(&second) })
            .unwrap();
        assert_eq!(Recipe::load(&second.join(RECIPE)).unwrap().from, from(&first).from);
        if JUDGES.contains(&system) {
            continue;
        }
        fs::create_dir(&shipped).unwrap();
        for file in [RECIPE, net] {
            fs::copy(first.join(file), shipped.join(file)).unwrap();
        }
        train_on(&from(&shipped), &dataset(16), &stop(&third)).unwrap();
        assert!(weights(&first) == weights(&third), "{system}");
    }
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["a", "b"].map(|name| folder.path().join(name));
    train_on(&recipe("dcgan", 1), &dataset(16), &options(&first)).unwrap();
    let from = |recipe: Recipe| Recipe { from: Some(first.display().to_string()), ..recipe };
    let refused = |recipe| train_on(&recipe, &dataset(16), &options(&second)).unwrap_err().to_string();
    let mut wider = from(recipe("dcgan", 1));
    wider.settings.insert("latent".into(), 6.into());
    assert!(refused(wider).contains("dcgan.latent = 6, was 5"));
    assert!(refused(from(recipe("gan", 1))).contains("found one of dcgan"));
    let nowhere = Recipe { from: Some("nowhere".into()), ..recipe("gan", 1) };
    assert!(refused(nowhere).contains("found none at nowhere"));
    assert!(!second.exists());
}

#[test]
fn samples_without_levels_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let mut wild = recipe("gan", 110);
    (wild.train.lr_generator, wild.train.lr_critic) = (0.9, 0.9);
    let summary = train_on(&wild, &dataset(16), &options(&folder.path().join("a"))).unwrap();
    assert_eq!(summary.outcome, Outcome::Saturated);
    assert!(summary.advice.contains("black and white"), "{}", summary.advice);
    let metrics = fs::read_to_string(folder.path().join("a").join(METRICS)).unwrap();
    let signs: Vec<&str> = metrics.lines().filter(|line| line.contains("sign")).collect();
    assert_eq!(signs, ["{\"sign\":\"saturated\",\"step\":100}"]);
    let short = train_on(&recipe("gan", 9), &dataset(16), &options(&folder.path().join("b"))).unwrap();
    assert_eq!((short.outcome, &*short.advice), (Outcome::TooShort, ""));
}
