//! `sample --walk`: a film of the way from seed to seed, which ends where it begins; of a generator with styles from
//! style to style (through W: Karras et al., 2019, §4.1).

use anyhow::Result;
use edgegen_runtime::latent::keyframes::LEG;
use edgegen_runtime::latent::{Noise, STEPS, Style};
use edgegen_runtime::{Model, Point};

use super::{Scene, Words};
use crate::cli::Ending;
use crate::cli::source::Source;
use crate::images;

/// Seeds on the way.
const SEEDS: u64 = 8;
/// Frames from one to the next: a quarter of the steps that boards go.
const FRAMES: u16 = 16;
/// Time from frame to frame, in milliseconds: that of a board's show.
const DELAY_MS: u32 = 50;
/// Frames that are drawn at a time.
const AT_A_TIME: usize = 64;

/// Draws the film in the format `format`, one of [`images::FILMS`].
pub fn run(scene: &Scene<'_>, format: &str) -> Result<Ending> {
    if format == "mp4" {
        images::mp4_encoder()?;
    }
    let args = scene.args;
    let stations = match (scene.source, args.count) {
        (Source::Model(file), None) => Model::parse_any(file.bytes())?.keyframes().map(|keyframes| keyframes.count()),
        _ => None,
    };
    let points = match stations {
        Some(stations) => between_stations(stations, args.frames.unwrap_or(LEG)),
        None => {
            let (seeds, frames) = (args.count.map_or(SEEDS, u64::from), args.frames.unwrap_or(FRAMES));
            let has_styles = scene.source.styles()? > 0;
            between_seeds(args.seed, seeds, frames, if has_styles { between_styles } else { Point::walk })
        }
    };
    let points: Vec<Point> =
        points.into_iter().map(|point| scene.class.map_or(point, |class| point.of_class(class))).collect();
    scene.check_count(points.len())?;
    let mut words = Words::new(scene.console);
    let mut frames = Vec::with_capacity(points.len());
    for some in points.chunks(AT_A_TIME) {
        words.say(frames.len() as u64, points.len() as u64);
        frames.extend(scene.source.images_at(some, scene.picture)?);
    }
    images::save_film(&args.out, &frames, scene.shape, DELAY_MS)?;

    let value = serde_json::json!({
        "file": args.out,
        "frames": frames.len(),
        "delay_ms": DELAY_MS,
        "stations": stations,
        "seeds": stations.is_none().then(|| args.count.map_or(SEEDS, u64::from)),
        "shape": scene.shape,
    });
    scene.console.show(&value, || {
        let ([h, w, c], count) = (scene.shape, frames.len());
        let seconds = f64::from(DELAY_MS) * count as f64 / 1000.0;
        format!("{}: {count} frames of {h}×{w}×{c}, {seconds:.1} s, the last leads to the first", args.out.display())
    })
}

/// `step` of [`STEPS`] on the straight line from the style of one seed to that of another, without noise, which would
/// hide how styles change.
fn between_styles(from: u64, to: u64, step: u16) -> Point {
    Point::seed(from).with_noise(Noise::Off).styled(Style::toward(to, step))
}

/// `frames` points on each of the ways from seed `first` to the next one, over `seeds` of them, and back to the first.
fn between_seeds(first: u64, seeds: u64, frames: u16, way: fn(u64, u64, u16) -> Point) -> Vec<Point> {
    let seed = |number: u64| first.wrapping_add(number % seeds);
    // A seed alone goes nowhere.
    let frames = if seeds == 1 { 1 } else { frames };
    let ways = (0..seeds).map(|number| (seed(number), seed(number + 1)));
    ways.flat_map(|(from, to)| parts(frames, STEPS).map(move |step| way(from, to, step))).collect()
}

/// The same on the ways between the stations that a model brings along.
fn between_stations(stations: u16, frames: u16) -> Vec<Point> {
    let ways = (0..u64::from(stations)).map(|number| (number, (number + 1) % u64::from(stations)));
    ways.flat_map(|(from, to)| parts(frames, LEG).map(move |step| Point::keyframe(from, to, step))).collect()
}

/// `frames` of `steps` steps, evenly, from 0 on and without the last, which begins the next way.
fn parts(frames: u16, steps: u16) -> impl Iterator<Item = u16> {
    (0..frames).map(move |frame| frame * steps / frames)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_closes() {
        let points = between_seeds(u64::MAX, 3, 4, Point::walk);
        assert_eq!(points.len(), 12);
        assert_eq!(points[..2], [Point::walk(u64::MAX, 0, 0), Point::walk(u64::MAX, 0, 16)]);
        assert_eq!(points[11], Point::walk(1, u64::MAX, 48), "a step before the first seed");
        assert_eq!(between_seeds(7, 1, 16, Point::walk), [Point::walk(7, 7, 0)]);
        let styles = between_seeds(2, 2, 2, between_styles);
        assert_eq!(styles[3], Point::seed(3).with_noise(Noise::Off).styled(Style::toward(2, 32)));
        let stations = between_stations(2, 8);
        assert_eq!((stations.len(), stations[15]), (16, Point::keyframe(1, 0, 7)));
    }

    #[test]
    fn frames_are_spread_evenly() {
        assert_eq!(parts(3, STEPS).collect::<Vec<_>>(), [0, 21, 42]);
        assert_eq!(parts(64, STEPS).collect::<Vec<_>>(), (0..64).collect::<Vec<_>>());
        assert_eq!(parts(16, LEG).collect::<Vec<_>>()[..4], [0, 0, 1, 1]);
    }
}
