//! The walk that a model brings along: the same on the host, on a simulated panel and in every packing; and nothing where it cannot be read.

use edgegen_app::Show;
use edgegen_export::{ModelFile, image_at, pack, repack};
use edgegen_runtime::latent::keyframes::{KEY, LEG};
use edgegen_runtime::{Generator, Model, Packing, Point};
use edgegen_sim::{PanelColors, PanelSpec, stage};
use edgegen_tests::shipped;
use image::Rgb;

/// The shipped digits with keyframes.
pub fn with_keyframes(text: &str) -> ModelFile {
    let file = shipped("mnist-dcgan");
    let model = Model::parse(file.bytes()).unwrap();
    let mut about = model.about();
    about.metadata.push((KEY, text)).unwrap();
    ModelFile::new(&pack::assemble(model.nodes(), &about, Packing::Portable, model.data()))
}

/// The latent vectors of three seeds.
fn stations() -> Vec<Vec<i8>> {
    let file = shipped("mnist-dcgan");
    let latent = Model::parse(file.bytes()).unwrap().latent().unwrap();
    (1..4)
        .map(|seed| {
            let mut codes = vec![0; usize::from(latent.dims)];
            Point::seed(seed).fill(latent, &mut codes);
            codes
        })
        .collect()
}

/// A walk through the latent vectors of seeds 1 to 3.
pub fn text() -> String {
    stations().iter().flatten().map(|code| format!("{code:02x}")).collect()
}

#[test]
fn the_way_is_straight_between_stations() {
    let (file, stations) = (with_keyframes(&text()), stations());
    let model = Model::parse(file.bytes()).unwrap();
    assert_eq!(model.keyframes().unwrap().count(), 3);
    let mut arena = vec![0; model.arena_bytes()];
    for (from, to) in [(0, 1), (1, 2), (2, 3)] {
        for step in 0..=LEG {
            let (a, b) = (&stations[from], &stations[to % 3]);
            let part = f64::from(step) / f64::from(LEG);
            let mix = |(&a, &b): (&i8, &i8)| ((1.0 - part) * f64::from(a) + part * f64::from(b) + 0.5).floor() as i8;
            let codes: Vec<i8> = a.iter().zip(b).map(mix).collect();
            let mut expected = Vec::new();
            let mut generator = Generator::new(&model, &mut arena).unwrap();
            let mut rows = generator.decode(&codes);
            while let Some(row) = rows.next_row() {
                expected.extend_from_slice(row);
            }
            assert!(image_at(&model, Point::keyframe(from as u64, to as u64, step)) == expected, "{from} {step}");
        }
    }
    assert!(image_at(&model, Point::keyframe(0, 1, 0)) == image_at(&model, Point::seed(1)));
}

#[test]
fn every_packing_carries_it() {
    let file = with_keyframes(&text());
    for packing in Packing::ALL {
        let packed = repack(&file, packing).unwrap();
        assert_eq!(Model::parse_any(packed.bytes()).unwrap().keyframes().unwrap().count(), 3, "{packing:?}");
    }
}

#[test]
fn what_cannot_be_read_leaves_the_walk_to_the_seeds() {
    for text in ["", "0", "zz", &text()[2..], &text().replace('0', "x")] {
        let file = with_keyframes(text);
        let model = Model::parse(file.bytes()).unwrap();
        assert!(model.keyframes().is_none());
        assert!(image_at(&model, Point::keyframe(5, 6, 3)) == image_at(&model, Point::walk(5, 6, 3)));
        let spec = PanelSpec { width: 32, height: 32, colors: PanelColors::Gray8 };
        let recording = stage::record(file.bytes(), &Show::parse("walk seed=5 auto=0 bare"), spec, 1);
        assert!(recording.lines.iter().any(|line| line == "walk from seed 5"), "{:?}", recording.lines);
    }
}

#[test]
fn the_show_goes_round_it() {
    let file = with_keyframes(&text());
    let model = Model::parse(file.bytes()).unwrap();
    // Where the picture has its own size.
    let spec = PanelSpec { width: 28, height: 28, colors: PanelColors::Gray8 };
    let images = 3 * usize::from(LEG) + 2;
    let recording = stage::record(file.bytes(), &Show::parse("walk seed=5 auto=0 bare"), spec, images);
    assert!(recording.lines.iter().any(|line| line == "walk through 3 keyframes"), "{:?}", recording.lines);
    for (index, picture) in recording.pictures.iter().enumerate() {
        let (from, step) = ((index / usize::from(LEG) % 3) as u64, (index % usize::from(LEG)) as u16);
        let drawn = image_at(&model, Point::keyframe(from, from + 1, step));
        assert!(picture.pixels().zip(drawn).all(|(&pixel, grey)| pixel == Rgb([grey; 3])), "image {index}");
    }
    assert_eq!(recording.pictures.len(), images);
    assert!(recording.pictures[0] == recording.pictures[images - 2], "round");
}
