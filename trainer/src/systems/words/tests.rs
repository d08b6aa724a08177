use burn::tensor::{Device, Tensor, TensorData};

use super::*;
use edgegen_data::Attribute;

/// 8×8 images, a bright half at one of two sides with one of three levels; 6 combinations.
fn recipe(knobs: &str) -> Recipe {
    let mut recipe = Recipe::parse(&format!(
        "system = \"words\"\n[data]\nname = \"x\"\nsize = 8\n[train]\nbatch = 12\n[words]\nlatent = 4\nembedding = 6\n\
         channels = [8]\ncritic_channels = [8]\n{knobs}"
    ))
    .unwrap();
    let attribute = |name: &str, words: &[&str]| {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Attribute { name: name.into(), words }
    };
    recipe.data.attributes =
        vec![attribute("side", &["left", "right"]), attribute("level", &["low", "middle", "high"])];
    recipe
}

fn image(&[side, level]: &[u8; 2]) -> impl Iterator<Item = f32> + use<> {
    let bright = [-0.4, 0.2, 0.9][usize::from(level)];
    (0..64).map(move |at| if (at % 8 < 4) == (side == 0) { bright } else { -0.9 })
}

fn batch() -> Batch {
    let values: Vec<[u8; 2]> = (0..12).map(|at| [at % 2, at / 2 % 3]).collect();
    let images: Vec<f32> = values.iter().flat_map(image).collect();
    let images = Tensor::from_data(TensorData::new(images, [12, 1, 8, 8]), &Device::flex());
    Batch { attributes: values.concat(), ..Batch::alone(images, Vec::new()) }
}

fn trained(knobs: &str, steps: usize) -> (Generator, Losses) {
    let mut rng = Rng::new(3, 0);
    let mut system = (KIND.build)(&recipe(knobs), &Device::flex().autodiff(), &mut rng).unwrap();
    let mut last = Losses::new();
    for _ in 0..steps {
        let (lr_generator, lr_critic, ema) = (4e-3, 4e-3, 0.9);
        last = system.step(&mut Step { lr_generator, lr_critic, ema, rng: &mut rng, next_batch: &mut batch });
    }
    let Trained::Generator(generator) = system.trained() else { panic!("a generator ships") };
    (generator, last)
}

#[test]
fn draws_what_the_words_say() {
    let (generator, losses) = trained("", 250);
    assert!(losses.iter().all(|(_, value)| value.is_finite()), "{losses:?}");
    let mut right = 0;
    for (side, level) in (0..2u8).flat_map(|side| (0..3u8).map(move |level| (side, level))) {
        for seed in 0..4 {
            let point = edgegen_runtime::Point::seed(seed).of_class(u16::from(side) + 2 * u16::from(level));
            let drawn = generator.generate(&[generator.values_at(point)], &Device::flex()).remove(0);
            let distance = |values: &[u8; 2]| image(values).zip(&drawn).map(|(a, b)| (a - b).powi(2)).sum::<f32>();
            let all = (0..2u8).flat_map(|side| (0..3u8).map(move |level| [side, level]));
            let nearest = all.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
            right += usize::from(nearest == [side, level]);
        }
    }
    assert!(right >= 22, "{right} of 24 images show what was asked for");
}

#[test]
fn a_real_image_with_wrong_words_is_bad() {
    let score = |losses: &Losses, name| losses.iter().find(|(own, _)| *own == name).unwrap().1;
    let (_, losses) = trained("", 60);
    assert!(score(&losses, "score_wrong") < score(&losses, "score_real") - 0.2, "{losses:?}");
    let (_, losses) = trained("matching = false\naugmentation = 0.0\ninterpolation = 0.0", 2);
    assert!(losses.iter().all(|(name, _)| *name != "kl"), "{losses:?}");
}

#[test]
fn wrong_captions_are_others_and_unseen_colours_are_any() {
    let recipe = recipe("");
    let (device, mut rng) = (Device::flex().autodiff(), Rng::new(1, 0));
    let system = Training::new(recipe.settings().unwrap(), vec![2, 3], &recipe, &device, &mut rng);
    assert_eq!(system.others(&[0, 1, 0, 1, 1, 2]), [1, 2, 1, 2, 0, 1]);
    assert_eq!(system.others(&[0, 1, 0, 1]), [0, 1, 0, 1]);
    let ones: Vec<f32> = system.ones(&[1, 2, 0, UNSEEN], &mut rng).into_data().try_to_vec().unwrap();
    assert_eq!(
        (&ones[..5], &ones[5..7], ones[7..].iter().sum::<f32>()),
        (&[0.0, 1.0, 0.0, 0.0, 1.0][..], &[1.0, 0.0][..], 1.0)
    );
}

#[test]
fn the_divergence_is_that_of_the_paper() {
    let tensor = |value: f32| Tensor::<4>::from_data([[[[value]]]], &Device::flex());
    // Of N(1, e²) from N(0, 1): ½ (1 + e² − 1) − 1.
    let expected = 0.5 * 1f32.exp().powi(2) - 1.0;
    assert!((scalar(divergence(tensor(1.0), tensor(1.0))) - expected).abs() < 1e-5);
    assert!(scalar(divergence(tensor(0.0), tensor(0.0))).abs() < 1e-6);
}

#[test]
fn too_many_combinations_and_wrong_knobs_are_refused() {
    let mut recipe = recipe("");
    let error =
        |recipe: &Recipe| (KIND.generator)(recipe, &Device::flex(), &mut Rng::new(0, 0)).unwrap_err().to_string();
    recipe.data.attributes = vec![recipe.data.attributes[1].clone(); 11];
    assert!(error(&recipe).contains("at most 65 535 combinations"), "{}", error(&recipe));
    recipe.data.attributes[0].words.clear();
    assert!(error(&recipe).contains("found none of \"level\""), "{}", error(&recipe));
    for (knob, part) in [
        ("interpolation = 1.5", "interpolation 0 to 1"),
        ("embedding = 0", "embedding must be at least 1"),
        ("loss = \"relativistic\"", "other than \"relativistic\""),
    ] {
        let error = Recipe::parse(&format!("system = \"words\"\n[data]\nname = \"x\"\n[words]\n{knob}")).unwrap_err();
        assert!(format!("{error:#}").contains(part), "{error:#}");
    }
}

#[test]
fn what_ships_reads_each_attribute_by_itself() {
    let recipe = recipe("");
    let (device, mut rng) = (Device::flex(), Rng::new(4, 0));
    let generator = (KIND.generator)(&recipe, &device, &mut rng).unwrap();
    let strides = [(2, 1), (3, 2)].map(|(classes, stride)| Input::Class { classes, stride });
    assert_eq!((&generator.net.inputs, &generator.more[..]), (&vec![[4, 1, 1], [2, 1, 1], [3, 1, 1]], &strides[..]));
    let network = crate::lower::lower(&generator).unwrap();
    for class in 0..6 {
        let point = edgegen_runtime::Point::seed(3).of_class(class);
        let burn = generator.generate(&[generator.values_at(point)], &device).remove(0);
        let layers = network.forward(&network.inputs_at(point)).unwrap().values;
        assert!(burn.iter().zip(&layers).all(|(a, b)| (a - b).abs() < 1e-5), "class {class}");
    }
}
