use super::*;
use crate::Resize;
use image::{GrayImage, ImageBuffer, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use std::fs;
use std::path::PathBuf;

fn grey(folder: &Path, name: &str, value: u8) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    GrayImage::from_pixel(6, 4, Luma([value])).save(&path).unwrap();
    path
}

fn load(root: &Path, split: Split, config: &Config) -> Result<(Dataset, Account)> {
    prepare(root, split, config, None, &|_, _| true)?.accept(config)
}

fn config(size: usize, channels: usize) -> Config {
    Config::new("", size, channels)
}

#[test]
fn sub_folders_are_labels_in_sorted_order() {
    let folder = tempfile::tempdir().unwrap();
    for (name, value) in
        [("dog/1.png", 10), ("cat/b/1.png", 20), ("cat/2.jpg", 30), ("ant/x.PNG", 40), (".trash/1.png", 50)]
    {
        grey(folder.path(), name, value);
    }
    fs::write(folder.path().join("dog/notes.txt"), "not an image").unwrap();
    let (dataset, account) = load(folder.path(), Split::Train, &config(2, 1)).unwrap();
    assert_eq!((dataset.len(), dataset.shape), (4, [2, 2, 1]));
    assert_eq!(dataset.labels.as_deref(), Some(&[0, 1, 1, 2][..]));
    assert_eq!(dataset.class_names, ["ant", "cat", "dog"]);
    assert_eq!([0, 1, 2, 3].map(|i| dataset.image(i)[0]), [40, 30, 20, 10]);
    let skipped: Vec<_> = account.skipped.iter().map(|skip| (&*skip.reason, skip.count)).collect();
    assert_eq!(skipped, [("hidden", 1), ("no image", 1)]);
    assert_eq!(account.formats["PNG"], 3);

    let (two, account) = load(folder.path(), Split::Train, &Config { limit: Some(2), ..config(2, 1) }).unwrap();
    let labels = two.labels.as_deref().unwrap();
    assert!(two.len() == 2 && labels[0] < labels[1], "two images of two classes: {labels:?}");
    assert_eq!((account.images, account.available), (2, 4));
}

#[test]
fn colour_and_transparency() {
    let folder = tempfile::tempdir().unwrap();
    RgbImage::from_pixel(3, 3, Rgb([255, 0, 0])).save(folder.path().join("a.png")).unwrap();
    RgbaImage::from_pixel(3, 3, Rgba([200, 100, 50, 0])).save(folder.path().join("b.png")).unwrap();
    RgbaImage::from_pixel(3, 3, Rgba([200, 100, 50, 255])).save(folder.path().join("c.png")).unwrap();
    let (dataset, account) = load(folder.path(), Split::Train, &config(1, 3)).unwrap();
    assert_eq!((dataset.images, dataset.labels), (vec![255, 0, 0, 0, 0, 0, 200, 100, 50], None));
    assert_eq!(account.background.as_deref(), Some("black"));
    assert_eq!(load(folder.path(), Split::Train, &config(1, 1)).unwrap().0.images, [77, 0, 124]);
}

/// A drawing in one colour on transparency.
fn drawing(folder: &Path, name: &str, level: u8) {
    let ink = |x, y| Rgba([level, level, level, if x == y { 255 } else { 0 }]);
    RgbaImage::from_fn(4, 4, ink).save(folder.join(name)).unwrap();
}

#[test]
fn a_background_keeps_the_drawing_visible() {
    for (level, expected, behind) in [(0, "white", 255), (255, "black", 0), (128, "black", 0)] {
        let folder = tempfile::tempdir().unwrap();
        drawing(folder.path(), "1.png", level);
        let (dataset, account) = load(folder.path(), Split::Train, &config(4, 1)).unwrap();
        assert_eq!(
            (account.background.as_deref(), dataset.images[0], dataset.images[1]),
            (Some(expected), level, behind)
        );
        let green = Config { background: Background::Color([0, 255, 0]), ..config(4, 3) };
        assert_eq!(load(folder.path(), Split::Train, &green).unwrap().0.images[3..6], [0, 255, 0]);
        assert_eq!(load_picture(&folder.path().join("1.png"), &config(4, 1)).unwrap()[..2], [level, behind]);
    }
}

#[test]
fn twelve_bits_in_sixteen_are_not_dark() {
    let folder = tempfile::tempdir().unwrap();
    for (name, values) in [("a.png", [0u16, 4_095]), ("b.png", [0, 2_048])] {
        ImageBuffer::<Luma<u16>, _>::from_raw(2, 1, values.to_vec()).unwrap().save(folder.path().join(name)).unwrap();
    }
    let stretch = Config { size: [1, 2].into(), ..config(1, 1) };
    let (dataset, account) = load(folder.path(), Split::Train, &stretch).unwrap();
    // The second stays half as bright as the first.
    assert_eq!(dataset.images, [0, 255, 0, 128]);
    assert!(account.notes[0].contains("12 bits"), "{:?}", account.notes);
}

#[test]
fn train_and_test_folders_are_parts() {
    let folder = tempfile::tempdir().unwrap();
    grey(folder.path(), "train/a/1.png", 1);
    let error = load(folder.path(), Split::Test, &config(1, 1)).unwrap_err().to_string();
    assert!(error.contains("train and test"), "{error}");
    grey(folder.path(), "val/a/1.png", 2);
    assert_eq!(load(folder.path(), Split::Train, &config(1, 1)).unwrap().0.images, [1]);
    assert_eq!(load(folder.path(), Split::Test, &config(1, 1)).unwrap().0.images, [2]);
}

#[test]
fn all_files_that_cannot_be_read_are_named_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = load(folder.path(), Split::Train, &config(1, 1)).unwrap_err().to_string();
    assert!(error.contains("found none") && error.contains(&folder.path().display().to_string()), "{error}");
    fs::write(folder.path().join("notes.txt"), "words").unwrap();
    let error = load(folder.path(), Split::Train, &config(1, 1)).unwrap_err().to_string();
    assert!(error.contains("notes.txt"), "{error}");

    let noise = RgbImage::from_fn(50, 50, |x, y| Rgb([(x * y) as u8, (x * 7) as u8, (y * 13) as u8]));
    for name in ["a/good.png", "a/half.jpg", "b/half.png", "b/good.jpg"] {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        noise.save(&path).unwrap();
        if name.contains("half") {
            let bytes = fs::read(&path).unwrap();
            fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        }
    }
    fs::write(folder.path().join("b/photo.heic"), "").unwrap();
    let error = load(folder.path(), Split::Train, &config(4, 3)).unwrap_err().to_string();
    for part in ["3 that cannot", "half.jpg: it is cut", "half.png: it is damaged or cut", "photo.heic", "--skip-bad"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let (dataset, account) = load(folder.path(), Split::Train, &Config { skip_bad: true, ..config(4, 3) }).unwrap();
    assert_eq!((dataset.len(), dataset.labels.as_deref(), account.bad.len()), (2, Some(&[0, 1][..]), 3));
}

#[test]
fn other_shapes_and_sizes() {
    let folder = tempfile::tempdir().unwrap();
    GrayImage::from_fn(8, 4, |x, _| Luma([x as u8 * 30])).save(folder.path().join("wide.png")).unwrap();
    let wide = Config { size: [4, 8].into(), ..config(1, 1) };
    let (dataset, account) = load(folder.path(), Split::Train, &wide).unwrap();
    assert_eq!((dataset.shape, &dataset.images[..8]), ([4, 8, 1], &[0, 30, 60, 90, 120, 150, 180, 210][..]));
    assert!(account.notes.is_empty(), "{:?}", account.notes);
    let (square, account) = load(folder.path(), Split::Train, &config(4, 1)).unwrap();
    assert_eq!(square.images[..4], [60, 90, 120, 150]);
    assert!(account.notes[0].contains("50 %"), "{:?}", account.notes);
    let (large, account) =
        load(folder.path(), Split::Train, &Config { resize: Resize::Nearest, fit: Fit::Pad, ..config(16, 1) }).unwrap();
    assert_eq!((large.images[0], large.images[4 * 16 + 3]), (0, 30));
    assert!(account.notes[0].contains("enlarged"), "{:?}", account.notes);
}

#[test]
fn a_cache_gives_the_same_until_something_changes() {
    let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    grey(folder.path(), "cat/1.png", 10);
    let dog = grey(folder.path(), "dog/1.png", 20);
    let get = |config: &Config| {
        let prepared =
            super::folder(folder.path(), Split::Train, config, Some((cache.path(), 0)), &|_, _| true).unwrap();
        let cached = prepared.account.cached;
        (prepared.dataset, Account { cached: false, ..prepared.account }, cached)
    };
    let (first, account, cached) = get(&config(2, 1));
    assert!(!cached);
    let again = get(&config(2, 1));
    assert_eq!((&again.0, &again.1, again.2), (&first, &account, true));
    assert!(!get(&config(3, 1)).2, "another size");
    let entry = fs::read_dir(cache.path()).unwrap().next().unwrap().unwrap().path();
    assert_eq!(entry.extension().unwrap(), "set");
    fs::remove_file(dog).unwrap();
    grey(folder.path(), "dog/1.jpg", 99);
    let changed = get(&config(2, 1));
    assert!(!changed.2 && changed.0 != first);
    // Damage is repaired.
    for entry in fs::read_dir(cache.path()).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    assert!(!get(&config(2, 1)).2);
    assert!(get(&config(2, 1)).2);
}

#[test]
fn progress_comes_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..5 {
        grey(folder.path(), &format!("{index}.png"), index);
    }
    let most = AtomicUsize::new(0);
    let progress = |done: usize, total: usize| {
        assert_eq!(total, 5);
        most.fetch_max(done, Ordering::Relaxed);
        true
    };
    prepare(folder.path(), Split::Train, &config(1, 1), None, &progress).unwrap();
    assert_eq!(most.into_inner(), 5);
    let error = prepare(folder.path(), Split::Train, &config(1, 1), None, &|done, _| done < 2).unwrap_err();
    assert!(error.is::<Interrupted>() && error.to_string().contains("interrupted"), "{error}");
}

/// A WAV file of `seconds` of a square wave.
fn wav(folder: &Path, name: &str, rate: u32, seconds: f32) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let spec =
        hound::WavSpec { channels: 2, sample_rate: rate, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(&path, spec).unwrap();
    for at in 0..2 * (seconds * rate as f32) as u32 {
        writer.write_sample(if at / 40 % 2 == 0 { 9_000i16 } else { -9_000 }).unwrap();
    }
    writer.finalize().unwrap();
    path
}

#[test]
fn folders_of_sounds_have_classes_and_an_account() {
    let folder = tempfile::tempdir().unwrap();
    wav(folder.path(), "kick/1.wav", 44_100, 0.5);
    wav(folder.path(), "kick/2.WAV", 8_000, 0.05);
    let cut = wav(folder.path(), "snare/1.wav", 22_050, 0.1);
    wav(folder.path(), "snare/2.wav", 22_050, 0.1);
    grey(folder.path(), "snare/cover.png", 9);
    fs::write(folder.path().join("snare/song.mp3"), "ID3").unwrap();
    fs::write(&cut, &fs::read(&cut).unwrap()[..900]).unwrap();
    let sounds = Config { rate: Some(8_000), ..Config::new("", [1024, 1], 1) };
    let refused = format!("{:#}", load(folder.path(), Split::Train, &sounds).unwrap_err());
    for part in ["found 2 that cannot", "snare/song.mp3: a sound of the kind .mp3", "snare/1.wav: it is damaged or cut"]
    {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    let lenient = Config { skip_bad: true, ..sounds.clone() };
    let (dataset, account) = load(folder.path(), Split::Train, &lenient).unwrap();
    assert_eq!((dataset.len(), dataset.shape, account.rate), (3, [1024, 1, 1], Some(8_000)));
    assert_eq!(
        (dataset.labels.as_deref(), &*dataset.class_names),
        (Some(&[0, 0, 1][..]), &["kick", "snare"].map(str::to_owned)[..])
    );
    assert_eq!(account.formats["16-bit WAV at 44100 Hz"], 1);
    let text = account.text();
    for part in [
        "3 training sounds, 1024 samples at 8000 Hz (0.128 s)",
        "0.05 to 0.50 seconds",
        "1 of 3 sounds go on after the 0.128 seconds",
        "2 of 3 sounds are shorter",
        "3 of 3 sounds have several channels",
        "1 (no sound): snare/cover.png",
    ] {
        // The account breaks long lines.
        assert!(text.split_whitespace().collect::<Vec<_>>().join(" ").contains(part), "{part}: {text}");
    }
    let (pictures, account) = load(folder.path(), Split::Train, &config(4, 1)).unwrap();
    assert_eq!(pictures.len(), 1);
    assert!(account.text().contains("[data] rate asks"), "{}", account.text());
    let none = tempfile::tempdir().unwrap();
    grey(none.path(), "a.png", 9);
    assert!(format!("{:#}", load(none.path(), Split::Train, &sounds).unwrap_err()).contains("expected WAV files in"));
}
