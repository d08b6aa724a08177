//! Folders of PNG and JPEG files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use image::{DynamicImage, ImageReader, RgbaImage};

use super::fit::{fit_image, select};
use super::{Dataset, Split};

/// Deeper folders are a mistake or a loop.
const MAX_DEPTH: usize = 16;

/// Loads every `.png`, `.jpg` and `.jpeg` below `root`, in the order of their paths, fitted to `size`×`size`×`channels`.
///
/// Sub-folder names, sorted, become the labels 0, 1, …; images that lie in `root` itself make the whole set unlabelled. Sub-folders named
/// `train` and `test`, when both are there, are the two parts. Transparent pixels are laid over black.
pub(super) fn load(root: &Path, split: Split, size: usize, channels: usize, limit: Option<usize>) -> Result<Dataset> {
    let root = &part(root, split)?;
    let mut paths = Vec::new();
    collect(root, 0, &mut paths)?;
    ensure!(
        !paths.is_empty(),
        "expected IDX files or .png, .jpg or .jpeg images in {}, found none: give a folder that holds some",
        root.display()
    );
    paths.sort();
    let labels = labels(root, &paths)?;

    let kept = select(paths.len(), limit, labels.as_deref());
    let mut images = Vec::with_capacity(kept.len() * size * size * channels);
    for &index in &kept {
        let (pixels, shape) = decode(&paths[index])?;
        images.extend(fit_image(&pixels, shape, size, channels));
    }
    Ok(Dataset {
        name: root.display().to_string(),
        images,
        labels: labels.map(|labels| kept.iter().map(|&index| labels[index]).collect()),
        shape: [size, size, channels],
    })
}

pub(super) fn part(root: &Path, split: Split) -> Result<PathBuf> {
    let (train, test) = (root.join("train"), root.join("test"));
    match (train.is_dir() && test.is_dir(), split) {
        (true, Split::Train) => Ok(train),
        (true, Split::Test) => Ok(test),
        (false, Split::Train) => Ok(root.to_owned()),
        (false, Split::Test) => bail!(
            "expected sub-folders train and test in {}, found no such pair: make them, or go without test images",
            root.display()
        ),
    }
}

pub(super) fn collect(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    ensure!(depth < MAX_DEPTH, "expected at most {MAX_DEPTH} nested folders, found more at {}", folder.display());
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        // A linked file is data, a linked folder may be a loop: `file_type` does not follow links, `is_file` does.
        if entry.file_type()?.is_dir() {
            collect(&path, depth + 1, found)?;
        } else if is_image(&path) && path.is_file() {
            found.push(path);
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    matches!(extension.as_str(), "png" | "jpg" | "jpeg")
}

fn labels(root: &Path, paths: &[PathBuf]) -> Result<Option<Vec<u8>>> {
    let class = |path: &PathBuf| {
        let mut parts = path.strip_prefix(root).ok()?.components();
        let first = parts.next()?;
        // What follows the first part is the file itself or deeper folders; without it the first part is the file.
        parts.next().map(|_| first.as_os_str().to_owned())
    };
    let Some(classes) = paths.iter().map(class).collect::<Option<Vec<_>>>() else {
        return Ok(None);
    };
    let names: Vec<_> = BTreeSet::from_iter(&classes).into_iter().collect();
    ensure!(
        names.len() <= 256,
        "expected at most 256 sub-folders as labels in {}, found {}: put the images into one folder to go without labels",
        root.display(),
        names.len()
    );
    let label = |class| names.binary_search(&class).expect("names holds every class") as u8;
    Ok(Some(classes.iter().map(label).collect()))
}

/// One PNG or JPEG file, fitted to `size`×`size`×`channels`; transparent pixels are laid over black.
///
/// # Errors
///
/// If there is none at `path`, or it cannot be decoded.
pub fn load_image(path: &Path, size: usize, channels: usize) -> Result<Vec<u8>> {
    ensure!(
        path.is_file(),
        "expected a PNG or JPEG image at {}, found none: check the name, or give a test image of a data set, such as mnist:7",
        path.display()
    );
    let (pixels, shape) = decode(path)?;
    Ok(fit_image(&pixels, shape, size, channels))
}

/// Pixels and `[H, W, C]` of one file; `C` = 1 where the file is grey without transparency.
pub(super) fn decode(path: &Path) -> Result<(Vec<u8>, [usize; 3])> {
    let image = open(path)?;
    let (height, width) = (image.height() as usize, image.width() as usize);
    Ok(match image {
        DynamicImage::ImageLuma8(grey) => (grey.into_raw(), [height, width, 1]),
        other => (over_black(&other.into_rgba8()), [height, width, 3]),
    })
}

/// Decodes one file, whatever its name says of its format.
pub(super) fn open(path: &Path) -> Result<DynamicImage> {
    ImageReader::open(path)
        .and_then(ImageReader::with_guessed_format)
        .map_err(anyhow::Error::from)
        .and_then(|reader| Ok(reader.decode()?))
        .with_context(|| {
            format!(
                "expected a PNG or JPEG image, found a file that cannot be decoded at {}: remove it",
                path.display()
            )
        })
}

/// `image` laid over black, three bytes a pixel.
pub(super) fn over_black(image: &RgbaImage) -> Vec<u8> {
    let mix = |value: u8, alpha: u8| ((u32::from(value) * u32::from(alpha) + 127) / 255) as u8;
    image.pixels().flat_map(|p| [0, 1, 2].map(|channel| mix(p.0[channel], p.0[3]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};

    fn grey(folder: &Path, name: &str, value: u8) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        GrayImage::from_pixel(6, 4, Luma([value])).save(path).unwrap();
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
        let dataset = load(folder.path(), Split::Train, 2, 1, None).unwrap();
        assert_eq!((dataset.len(), dataset.shape), (4, [2, 2, 1]));
        assert_eq!(dataset.labels.as_deref(), Some(&[0, 1, 1, 2][..]));
        assert_eq!([0, 1, 2, 3].map(|i| dataset.image(i)[0]), [40, 30, 20, 10]);

        let two = load(folder.path(), Split::Train, 2, 1, Some(2)).unwrap();
        let labels = two.labels.as_deref().unwrap();
        assert!(two.len() == 2 && labels[0] < labels[1], "two images of two classes: {labels:?}");
    }

    #[test]
    fn colour_and_transparency() {
        let folder = tempfile::tempdir().unwrap();
        RgbImage::from_pixel(3, 3, Rgb([255, 0, 0])).save(folder.path().join("a.png")).unwrap();
        RgbaImage::from_pixel(3, 3, Rgba([200, 100, 50, 0])).save(folder.path().join("b.png")).unwrap();
        RgbaImage::from_pixel(3, 3, Rgba([200, 100, 50, 255])).save(folder.path().join("c.png")).unwrap();
        let dataset = load(folder.path(), Split::Train, 1, 3, None).unwrap();
        assert_eq!((dataset.images, dataset.labels), (vec![255, 0, 0, 0, 0, 0, 200, 100, 50], None));
        assert_eq!(load(folder.path(), Split::Train, 1, 1, None).unwrap().images, [77, 0, 124]);
    }

    #[test]
    fn train_and_test_folders_are_parts() {
        let folder = tempfile::tempdir().unwrap();
        grey(folder.path(), "train/a/1.png", 1);
        let error = load(folder.path(), Split::Test, 1, 1, None).unwrap_err().to_string();
        assert!(error.contains("train and test"), "{error}");
        grey(folder.path(), "test/a/1.png", 2);
        assert_eq!(load(folder.path(), Split::Train, 1, 1, None).unwrap().images, [1]);
        assert_eq!(load(folder.path(), Split::Test, 1, 1, None).unwrap().images, [2]);
    }

    #[test]
    fn empty_folders_and_broken_images_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(folder.path(), Split::Train, 1, 1, None).unwrap_err().to_string();
        assert!(error.contains("found none") && error.contains(&folder.path().display().to_string()), "{error}");
        fs::write(folder.path().join("broken.png"), b"\x89PNG and no more").unwrap();
        let error = load(folder.path(), Split::Train, 1, 1, None).unwrap_err().to_string();
        assert!(error.contains("broken.png") && error.contains("remove it"), "{error}");
    }
}
