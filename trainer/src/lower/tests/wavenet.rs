//! A sound that is made in turn, as rows that read those before them; and one that is made in one pass.

use super::*;
use crate::nets::layer::{LOG_SCALES, Wavenet};
use crate::nets::{Flows, Waves};
use edgegen_export::compare::compare_with;
use edgegen_runtime::Point;
use edgegen_runtime::graph::{Node, Width};

const SAMPLES: usize = 60;
const WAVES: Waves<'_> = Waves { channels: 6, skips: 8, dilations: &[1, 2, 4, 1, 2], components: 2, classes: 3 };

fn generator(waves: &Waves<'_>) -> Generator {
    let (first, mut rng) = ([waves.classes.max(1), 1, 1], Rng::new(5, 0));
    let net = NetBuilder::new(first, Init::He, &Device::flex(), &mut rng).wavenet(SAMPLES, waves).build();
    let shape = Shape { h: SAMPLES as u16, w: 1, c: 2 };
    let noise = Input::Noise { shape, prior: edgegen_runtime::Prior::Uniform, number: 0 };
    Generator { net, prior: Prior::Uniform, classes: waves.classes, pixels: PixelRange::Symmetric, more: vec![noise] }
}

fn layer(generator: &Generator) -> &Wavenet {
    match &generator.net.layers[..] {
        [Layer::Wavenet(layer)] => layer,
        _ => panic!("one layer was built"),
    }
}

/// The inputs of each point, with the sound that Burn draws there as what it reads of itself.
fn examples(generator: &Generator, count: u64) -> Vec<Vec<Vec<f32>>> {
    let values: Vec<Vec<f32>> = (0..count).map(|seed| generator.values_at(Point::seed(seed))).collect();
    let shape = Shape { h: SAMPLES as u16, w: 1, c: 1 };
    let late = |sound: &Vec<f32>| {
        let bytes = to_pixels(sound, generator.net.output, generator.pixels);
        generator.pixels.late(&bytes, shape)
    };
    let sounds = generator.generate(&values, &Device::flex());
    let [first, ..] = generator.net.inputs[0];
    let whole = |(values, sound): (&Vec<f32>, &Vec<f32>)| {
        let (class, noise) = values.split_at(first);
        vec![class.to_vec(), noise.to_vec(), late(sound)]
    };
    values.iter().zip(&sounds).map(whole).collect()
}

#[test]
fn rows_that_read_themselves_are_the_samples_in_turn() {
    for (components, classes) in [(1, 3), (2, 3), (2, 0)] {
        rows_are_samples(&Waves { components, classes, ..WAVES });
    }
}

fn rows_are_samples(waves: &Waves<'_>) {
    let &Waves { components, classes, .. } = waves;
    let generator = generator(waves);
    let network = lower(&generator).unwrap();
    let device = Device::flex();
    let tensor =
        |values: &[f32], shape: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values.to_vec(), shape), &device);
    let examples = examples(&generator, 4);
    for example in &examples {
        let [class, noise, late] = &example[..] else { panic!("three inputs") };
        // Of the sample behind the last nothing is asked.
        let x: Vec<f32> = late[1..].iter().copied().chain([0.0]).collect();
        let class = (classes > 0).then(|| tensor(class, [1, classes, 1, 1]));
        let mixtures = layer(&generator).mixtures(tensor(&x, [1, 1, SAMPLES, 1]), class.as_ref());
        let mixtures = as_floats(mixtures);
        let [least, most] = LOG_SCALES.map(|bound| bound as f32);
        let expected = (0..SAMPLES).map(|at| {
            let of = |row: usize| mixtures[row * SAMPLES + at];
            let share = |noise: f32| (127.0 * noise + 127.5) / 255.0;
            let chance = if components == 2 { 1.0 / (1.0 + (of(1) - of(0)).exp()) } else { 1.0 };
            let chosen = usize::from(share(noise[SAMPLES + at]) >= chance);
            let (mean, log_scale) = (of(components + chosen), of(2 * components + chosen));
            let share = share(noise[at]);
            mean + log_scale.clamp(least, most).exp() * (share / (1.0 - share)).ln()
        });
        same(&network, example, &expected.collect::<Vec<f32>>());
    }
    // And in the codes of a device, which hears itself.
    let label = Label { name: "test", metadata: &[] };
    let exported = edgegen_export::export_as(&network, &examples, label, Width::Int16).unwrap();
    let comparison = compare_with(&network, &exported, &examples).unwrap();
    // Between two components a table of straight lines has a slope where a step should be.
    assert!(comparison.psnr_db > [40.0, 25.0][components - 1], "{} dB", comparison.psnr_db);
    let model = Model::parse_any(exported.file.bytes()).unwrap();
    assert_eq!((usize::from(model.classes()), model.has_noise()), (classes, true));
    // Without classes a latent value that does not count comes first.
    assert_eq!(model.latent().is_some(), classes == 0);
    assert!(model.nodes().iter().any(Node::is_previous));
    // The first sample, before the sound has heard itself: within three deviations, in levels, of what Burn draws; both
    // are rounded to levels, which may part them by one more.
    let deviation = 255.0 * 10f64.powf(-comparison.psnr_db / 20.0);
    for (seed, example) in (0..).zip(&examples) {
        let sounds = generator.generate(&[example[..2].concat()], &device);
        let burn = to_pixels(&sounds[0], generator.net.output, generator.pixels)[0];
        let drawn = edgegen_export::image_at(&model, Point::seed(seed))[0];
        assert!(
            f64::from(burn.abs_diff(drawn)) <= 3.0 * deviation + 1.0,
            "seed {seed}: {burn}, {drawn}, ± {deviation}"
        );
    }
}

#[test]
fn several_logistics_are_for_this_computer_alone() {
    let message = lower(&generator(&Waves { components: 3, ..WAVES })).unwrap_err().to_string();
    assert!(message.contains("components = 2"), "{message}");
}

#[test]
fn flows_of_noise_are_the_sound() {
    for classes in [3, 0] {
        let (device, mut rng) = (Device::flex(), Rng::new(7, 0));
        let waves = Waves { channels: 6, skips: 8, dilations: &[1, 2], components: 0, classes };
        let flows = Flows { flows: 2, row: 6, waves };
        let mut net =
            NetBuilder::new([classes.max(1), 1, 1], Init::He, &device, &mut rng).wave_flows(SAMPLES, &flows).build();
        let [Layer::WaveFlows(layer)] = &mut net.layers[..] else { panic!("one layer was built") };
        // As if it had learned to mix samples.
        for flow in &mut layer.flows {
            let some: Vec<f32> = (0..36).map(|_| 0.3 * rng.normal()).collect();
            let some = Tensor::<2>::from_data(TensorData::new(some, [6, 6]), &device);
            (flow.lower, flow.upper) =
                (flow.lower.clone().map(|_| some.clone()), flow.upper.clone().map(|_| some.clone().transpose()));
            flow.diagonal = flow.diagonal.clone().map(|diagonal| diagonal.sub_scalar(0.2));
        }
        let shape = Shape { h: (SAMPLES / 6) as u16, w: 1, c: 6 };
        let noise = Input::Noise { shape, prior: edgegen_runtime::Prior::Uniform, number: 0 };
        let generator =
            Generator { net, prior: Prior::Uniform, classes, pixels: PixelRange::Symmetric, more: vec![noise] };
        let network = lower(&generator).unwrap();
        let values: Vec<Vec<f32>> = (0..16).map(|seed| generator.values_at(Point::seed(seed))).collect();
        let examples: Vec<Vec<Vec<f32>>> = values
            .iter()
            .map(|values| {
                let (class, noise) = values.split_at(classes.max(1));
                vec![class.to_vec(), noise.to_vec()]
            })
            .collect();
        let sounds = generator.generate(&values, &device);
        for (example, sound) in examples.iter().zip(&sounds) {
            same(&network, example, sound);
        }
        let label = Label { name: "test", metadata: &[] };
        let exported = edgegen_export::export_as(&network, &examples, label, Width::Int16).unwrap();
        let model = Model::parse_any(exported.file.bytes()).unwrap();
        let float: Vec<Vec<u8>> =
            sounds.iter().map(|sound| to_pixels(sound, generator.net.output, generator.pixels)).collect();
        let drawn: Vec<Vec<u8>> = (0..16).map(|seed| edgegen_export::image_at(&model, Point::seed(seed))).collect();
        let psnr = edgegen_metrics::pixels::difference(&float, &drawn).psnr;
        assert!(psnr > 35.0, "{classes} classes: {psnr} dB");
        assert!(!model.nodes().iter().any(Node::is_previous));
    }
}
