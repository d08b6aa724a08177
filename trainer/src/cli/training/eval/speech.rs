//! `edgegen eval` of what makes speech: how far its trajectories are from those of speech, and whether they swing as
//! wide and as fast.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use edgegen_export::layers::PixelRange;
use edgegen_metrics::trajectories::{global_variance, modulation_distance, modulation_spectrum, variance_ratio};
use edgegen_runtime::Shape;
use serde::Serialize;

use super::{Args, COUNT, fact_of, int8_of, pairs};
use crate::cli::import::Assumptions;
use crate::cli::source::Source;
use crate::cli::{Console, Ending, table};
use crate::data::speech::{RANGE, seconds};
use crate::data::{Dataset, Pairs, Split, load_pairs};
use crate::files;
use crate::lab::plot::{self, BLACK, BLUE, Chart, GREEN, ORANGE, PURPLE, RED, SKY};
use crate::speech::trajectory::Smoother;
use crate::systems;

/// Width and height of a plot of the picture.
const PLOT: [u32; 2] = [760, 420];

/// One row: trajectories and what is said of them.
#[derive(Debug, Serialize)]
struct Row {
    name: String,
    /// Mean squared error, in squared deviations of each coefficient; none of what is not made from the same phones.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<f64>,
    /// Mean over coefficients of |ln(variance / variance of speech)|.
    variance_ratio: f64,
    /// Root mean square difference of modulation spectra from those of speech, in decibels.
    modulation_db: f64,
    /// Variance of each coefficient within a window, in squared deviations.
    variances: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Report {
    sources: Vec<PathBuf>,
    data: String,
    windows: usize,
    seconds: f64,
    rows: Vec<Row>,
    #[serde(skip_serializing_if = "Option::is_none")]
    picture: Option<PathBuf>,
}

/// Whether `source` is of the system that this is for.
pub fn is_speech(source: &Source) -> Result<bool> {
    Ok(fact_of(source, "system")?.is_some_and(|system| system == systems::speech::KIND.name))
}

/// Trajectories, one for each window, `[frame][coefficient]`.
type Curves = Vec<Vec<f32>>;

/// Measures `first` and what `--beside` names on the test windows of the data of `first`.
pub fn run(args: &Args, first: Source, shape: Shape, console: Console) -> Result<Ending> {
    ensure!(
        !args.has_extras() && args.judge.is_none(),
        "expected no --judge, --parzen, --gan-train, --controls, --inversion or --probe with a model of speech, whose \
         trajectories are measured: leave them out"
    );
    let config = pairs::table_of(&first, shape, &args.source)?;
    let [height, width] = [config.size.h, config.size.w];
    let [test, train] = [Split::Test, Split::Train].map(|split| load_pairs(&config, split));
    let (Pairs { inputs, targets, .. }, others) = (test?, train?.targets);
    let count = args.count.map_or(COUNT, |count| count as usize).min(inputs.len());
    let pictures: Vec<Vec<u8>> = (0..count).map(|index| inputs.image(index).to_vec()).collect();
    let natural = values(&targets, count);

    let mut sets: Vec<(String, Curves)> = Vec::new();
    draw(&args.source, &first, &pictures, [height, width], &mut sets, console)?;
    for path in &args.beside {
        let source = Source::open(path, &Assumptions::default())?;
        ensure!(
            is_speech(&source)? && source.fed()? == Some(shape),
            "expected beside {} a model of speech of the same size, found another in {}: leave it out",
            args.source.display(),
            path.display()
        );
        draw(path, &source, &pictures, [height, width], &mut sets, console)?;
    }

    let [variances, spectrum] = [global_variance(&natural, width), modulation_spectrum(&natural, width)];
    let row = |name: &str, curves: &Curves, error: Option<f64>| {
        let own = global_variance(curves, width);
        Row {
            name: name.to_owned(),
            error,
            variance_ratio: variance_ratio(&own, &variances),
            modulation_db: modulation_distance(&modulation_spectrum(curves, width), &spectrum),
            variances: own,
        }
    };
    let mut rows = vec![row("speech", &natural, Some(0.0))];
    rows.extend(sets.iter().map(|(name, curves)| row(name, curves, Some(squared(curves, &natural)))));
    // What other sentences of the same voice come to.
    rows.push(row("other sentences", &values(&others, count), None));
    if let Some(path) = &args.picture {
        let spectra: Vec<(&str, Vec<f64>)> = std::iter::once(("speech", &natural))
            .chain(sets.iter().map(|(name, curves)| (&**name, curves)))
            .map(|(name, curves)| (name, modulation_spectrum(curves, width)))
            .collect();
        save_picture(path, &rows[..rows.len() - 1], &spectra, height)?;
    }
    let report = Report {
        sources: [&args.source].into_iter().chain(&args.beside).cloned().collect(),
        data: config.name,
        windows: count,
        seconds: seconds(count * height),
        rows,
        picture: args.picture.clone(),
    };
    console.show(&report, || text(&report))
}

/// The first channel of the first images, in deviations.
fn values(dataset: &Dataset, count: usize) -> Curves {
    (0..count.min(dataset.len())).map(|index| first_channel(dataset.image(index), dataset.shape[2])).collect()
}

fn first_channel(image: &[u8], channels: usize) -> Vec<f32> {
    let plane = PixelRange::Symmetric.planes(image, channels);
    plane[..image.len() / channels].iter().map(|value| RANGE * value).collect()
}

/// The trajectories, in deviations, of what was said of each frame, `[3][frame][coefficient]`.
fn smooth(said: &[f32], [frames, width]: [usize; 2], smoother: &Smoother) -> Vec<f32> {
    let mut curves = vec![0.0; frames * width];
    for at in 0..width {
        let curve = |channel: usize| -> Vec<f32> {
            said[channel * frames * width + at..].iter().step_by(width).take(frames).copied().collect()
        };
        let parts = [0, 1, 2].map(curve);
        for (frame, value) in smoother.curve(parts.each_ref().map(Vec::as_slice)).into_iter().enumerate() {
            curves[frame * width + at] = RANGE * value;
        }
    }
    curves
}

/// The mean squared difference.
fn squared(curves: &Curves, natural: &Curves) -> f64 {
    let pairs = curves.iter().flatten().zip(natural.iter().flatten());
    let sum: f64 = pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum();
    sum / natural.iter().map(Vec::len).sum::<usize>() as f64
}

/// Adds what `source` makes of `pictures` to `sets`: of a run float and int8.
fn draw(
    path: &Path,
    source: &Source,
    pictures: &[Vec<u8>],
    size: [usize; 2],
    sets: &mut Vec<(String, Curves)>,
    console: Console,
) -> Result<()> {
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    console.say(&format!("drawing what {name} makes of {} windows", pictures.len()));
    let smoother = Smoother::new(size[0]);
    let of_bytes = |images: Vec<Vec<u8>>| -> Curves {
        let planes = images.iter().map(|image| PixelRange::Symmetric.planes(image, 3));
        planes.map(|said| smooth(&said, size, &smoother)).collect()
    };
    match source {
        Source::Run(run) => {
            let values: Vec<Vec<f32>> = pictures.iter().map(|picture| run.picture(picture)).collect();
            let float = run.generate(&values).iter().map(|said| smooth(said, size, &smoother)).collect();
            let int8 = of_bytes(pairs::translated(int8_of(run)?.bytes(), pictures)?);
            sets.extend([(format!("{name} float"), float), (format!("{name} int8"), int8)]);
        }
        Source::Model(file) => {
            let file = edgegen_export::native(file)?;
            sets.push((format!("{name} int8"), of_bytes(pairs::translated(file.bytes(), pictures)?)));
        }
        Source::Onnx(_) => {
            anyhow::bail!("expected a run or a model file, found the ONNX file {}: export it first", path.display())
        }
    }
    Ok(())
}

/// Variance by coefficient, and the modulation spectrum averaged over coefficients.
fn save_picture(path: &Path, rows: &[Row], spectra: &[(&str, Vec<f64>)], frames: usize) -> Result<()> {
    const COLOURS: [plot::Colour; 7] = [BLACK, BLUE, SKY, RED, ORANGE, GREEN, PURPLE];
    let mut wide = Chart::new("How wide coefficients swing", "coefficient", "variance in a window, squared deviations");
    for (row, colour) in rows.iter().zip(COLOURS.into_iter().cycle()) {
        let points = row.variances.iter().enumerate().map(|(at, &variance)| [at as f64, variance]);
        wide = wide.line(&row.name, colour, points);
    }
    let mut fast = Chart::new("How fast coefficients move", "modulation, Hz", "mean power of all coefficients, dB");
    for ((name, spectrum), colour) in spectra.iter().zip(COLOURS.into_iter().cycle()) {
        let rates = frames / 2;
        let dims = (spectrum.len() / rates) as f64;
        let level = |rate: usize| spectrum.iter().skip(rate).step_by(rates).sum::<f64>() / dims;
        let points = (0..rates).map(|rate| [(rate + 1) as f64 / seconds(frames), level(rate)]);
        fast = fast.line(name, colour, points);
    }
    let picture = plot::draw(&[wide.log_y(), fast], 1, PLOT)?;
    files::replace(path, |temporary| Ok(picture.save(temporary)?))
}

fn text(report: &Report) -> String {
    let rows = report.rows.iter().map(|row| {
        [
            row.name.clone(),
            row.error.map_or("–".to_owned(), |error| format!("{error:.4}")),
            format!("{:.3}", row.variance_ratio),
            format!("{:.2} dB", row.modulation_db),
        ]
    });
    let head = ["trajectories", "squared error, σ²", "|ln GV ratio|", "modulation spectrum off by"];
    format!("{}\n{} test windows of {}, {:.0} s", table(head, rows), report.windows, report.data, report.seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_shows_each_set() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gv.png");
        let row = |name: &str, scale: f64| Row {
            name: name.to_owned(),
            error: None,
            variance_ratio: 0.0,
            modulation_db: 0.0,
            variances: vec![scale; 4],
        };
        let rows = [row("speech", 1.0), row("flat", 0.25)];
        let spectra = [("speech", vec![0.0; 16]), ("flat", vec![-6.0; 16])];
        save_picture(&path, &rows, &spectra, 8).unwrap();
        let picture = image::open(&path).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (PLOT[0], 2 * PLOT[1]));
        for half in [0, PLOT[1]] {
            let blue = (half..half + PLOT[1]).any(|y| (0..PLOT[0]).any(|x| picture.get_pixel(x, y).0 == BLUE));
            assert!(blue, "the second line from row {half} on");
        }
    }

    #[test]
    fn what_agrees_is_measured_as_it_is() {
        // Two coefficients, five frames; their changes are those of the curves, so they come back.
        let curves = [[0.1f32, -0.2, 0.3, 0.0, 0.2], [0.0, 0.1, 0.1, -0.3, -0.1]];
        let mut said = vec![0.0; 3 * 5 * 2];
        for (at, curve) in curves.iter().enumerate() {
            let [first, second] = crate::speech::trajectory::changes(curve);
            for (channel, part) in [curve.to_vec(), first, second].iter().enumerate() {
                part.iter().enumerate().for_each(|(frame, value)| said[(channel * 5 + frame) * 2 + at] = *value);
            }
        }
        let found = smooth(&said, [5, 2], &Smoother::new(5));
        for (frame, row) in found.chunks(2).enumerate() {
            assert!((0..2).all(|at| (row[at] - RANGE * curves[at][frame]).abs() < 1e-4));
        }
        assert!((squared(&vec![vec![1.0, 2.0]], &vec![vec![0.0, 4.0]]) - 2.5).abs() < 1e-9);
        let bytes = [255, 0, 0, 0, 255, 9];
        assert_eq!(first_channel(&bytes, 3), [RANGE, -RANGE]);
    }
}
