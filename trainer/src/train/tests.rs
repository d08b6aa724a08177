//! Runs on a data set of a few made-up images.

use super::*;

/// Images with a bright bar whose place depends on the image.
fn dataset(size: usize) -> Dataset {
    let images = (0..40)
        .flat_map(|image| (0..size * size).map(move |at| if at % size == image % size { 230 } else { 10 }))
        .collect();
    // The class is where the bar stands.
    let labels = Some((0..40).map(|image| (image % size % 10) as u8).collect());
    Dataset { name: "bars".into(), images, labels, class_names: Vec::new(), shape: [size, size, 1] }
}

fn recipe(system: &str, steps: u64) -> Recipe {
    let table = match system {
        "gan" => "critic_hidden = [12]\nhidden = [16]\nlatent = 5",
        "vae" => "channels = [6, 4]\nencoder_channels = [4]\nlatent = 5",
        "began" => "channels = [6, 4]\nhidden = 5\nlatent = 5\nlambda = 0.5",
        "unrolled" => "critic_hidden = [6]\nhidden = [8]\nlatent = 5\nunroll = 2",
        "judge" => "channels = [4]\nfeatures = 5",
        "gaussian" => "latent = 5",
        "kmeans" => "centres = 3",
        "gmm" => "components = 2\nlatent = 5",
        _ => "head = \"conv3\"\nchannels = [8, 6, 4]\nlatent = 5\ncritic_channels = [6, 8]",
    };
    Recipe::parse(&format!(
        "system = \"{system}\"\nseed = 3\n[data]\nname = \"bars\"\nsize = 16\n[train]\nsteps = {steps}\nbatch = 8\nflip = true\nshift = 1\ncritic_steps = 2\nsample_every = 10\ncheckpoint_every = 5\nschedule = \"constant\"\n[{system}]\n{table}"
    ))
    .unwrap()
}

fn options(out: &Path) -> Options {
    Options { device: "flex".into(), out: out.to_owned(), resume: false, quiet: true, stop: Arc::default() }
}

/// Every file that says what was learned, as bytes. Adam's moments lie in a container with unordered names.
fn learned(run: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files: Vec<PathBuf> = [run.to_owned(), run.join("checkpoint")]
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()))
        .filter(|path| {
            path.is_file() && path.extension().is_none_or(|extension| extension != "bpk" && extension != "toml")
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
        let dataset = dataset(16);
        let straight = folder.path().join("straight");
        train_on(&recipe(system, 20), &dataset, &options(&straight)).unwrap();

        let resumed = folder.path().join("resumed");
        let first = train_on(&recipe(system, 10), &dataset, &options(&resumed)).unwrap();
        assert_eq!(first.steps, 10);
        // Lines of steps after the checkpoint, the last one torn, are what a kill leaves behind.
        let mut metrics = fs::OpenOptions::new().append(true).open(resumed.join(METRICS)).unwrap();
        metrics.write_all(b"{\"step\":11,\"critic\":0.0}\n{\"step\":12,\"cri").unwrap();
        let again = Options { resume: true, ..options(&resumed) };
        let second = train_on(&recipe(system, 20), &dataset, &again).unwrap();
        assert_eq!((second.steps, second.session_steps), (20, 10));

        for (a, b) in learned(&straight).into_iter().zip(learned(&resumed)) {
            assert!(a == b, "{system}: {} differs", a.0.display());
        }
        let lines = fs::read_to_string(resumed.join(METRICS)).unwrap();
        assert_eq!(lines.lines().count(), 20);
        if system == "judge" {
            let judge = crate::eval::Judge::load(&resumed, &Device::flex()).unwrap();
            assert_eq!(judge.look(&[vec![9; 256]]).classes.len(), 1);
            continue;
        }
        let run = crate::run::Run::load(&resumed, &Device::flex()).unwrap();
        let inputs = run.generator.draw(1, &mut Rng::new(1, 0));
        assert_eq!((run.shape(), run.generate_pixels(&inputs)[0].len()), ([16, 16, 1], 256));
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
    assert!(checkpoint::recover(folder.path()).unwrap().is_some());

    let message = format!("{:#}", train_on(&recipe("dcgan", 20), &dataset(16), &options(folder.path())).unwrap_err());
    assert!(message.contains("--resume"), "{message}");

    let other = Options { resume: true, ..options(folder.path()) };
    let message = format!("{:#}", train_on(&recipe("gan", 20), &dataset(16), &other).unwrap_err());
    assert!(message.contains("another recipe"), "{message}");
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
fn a_data_set_of_another_size_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = train_on(&recipe("dcgan", 20), &dataset(8), &options(folder.path())).unwrap_err();
    assert!(error.to_string().contains("found 8×8×1 in bars"), "{error}");
}
