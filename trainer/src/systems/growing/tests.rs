//! Nets in all phases, and games that are interrupted.

use super::*;
use crate::lower::lower;
use crate::nets::layer::Layer;
use crate::nets::{Mode, Source};
use burn::tensor::TensorData;

const SMALL: &str = "channels = [6, 5, 4, 3]\ncritic_channels = [3, 4, 5, 6]\nlatent = 5\nphase = 2\nfade = 4";

fn recipe(size: usize, steps: u64, table: &str) -> Result<Recipe> {
    Recipe::parse(&format!(
        "system = \"growing\"\n[data]\nname = \"x\"\nsize = {size}\nchannels = 3\n[train]\nsteps = {steps}\nbatch = 4\n[growing]\n{table}"
    ))
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn noise(shape: [usize; 4], seed: u64) -> Tensor<4> {
    let mut rng = Rng::new(seed, 0);
    let noise: Vec<f32> = (0..shape.iter().product()).map(|_| rng.normal()).collect();
    Tensor::from_data(TensorData::new(noise, shape), &Device::flex())
}

fn small_generator() -> Net {
    (KIND.generator)(&recipe(32, 20, SMALL).unwrap(), &Device::flex(), &mut Rng::new(1, 0)).unwrap().net
}

#[test]
fn grown_it_is_the_net_without_fades() {
    for norm in ["pixel", "none"] {
        let recipe = recipe(32, 20, &format!("{SMALL}\nnorm = \"{norm}\"")).unwrap();
        let generator = (KIND.generator)(&recipe, &Device::flex(), &mut Rng::new(1, 0)).unwrap();
        let net = &generator.net;
        assert_eq!((net.output, net.shares()), ([3, 32, 32], vec![1.0, 1.0]));
        // By hand: the maps as a chain, then what makes the last one a picture.
        let is_rgb = |layer: &Layer| matches!(layer, Layer::Conv(conv) if conv.window.kernel == [1, 1]);
        let maps = net.layers.iter().zip(&net.reads).filter(|(layer, reads)| {
            let on_picture = |source: &Source| match *source {
                Source::Layer(at) => is_rgb(&net.layers[at]) || matches!(net.layers[at], Layer::Fade(_)),
                Source::Input(_) => false,
            };
            !is_rgb(layer) && !matches!(layer, Layer::Fade(_)) && !reads.iter().any(on_picture)
        });
        let last_rgb = net.layers.iter().rfind(|layer| is_rgb(layer)).unwrap();
        let chain: Vec<&Layer> = maps.map(|(layer, _)| layer).chain([last_rgb]).collect();
        assert_eq!(chain.len(), if norm == "pixel" { 3 + 3 * 4 + 1 } else { 2 + 3 * 3 + 1 });
        let x = noise([3, 5, 1, 1], 2);
        let whole = chain.iter().copied().chain(net.layers.last());
        let by_chain = whole.fold(x.clone(), |x, layer| layer.forward(vec![x], &mut Mode::Eval));
        assert!(values(net.forward(x, &mut Mode::Eval)) == values(by_chain), "bit for bit");
        // And a device runs no layer more: the latent vector, the chain, the last function.
        assert_eq!(lower(&generator).unwrap().nodes.len(), chain.len() + 2);
    }
}

#[test]
fn a_new_size_begins_as_the_one_before() {
    let mut net = small_generator();
    let x = noise([2, 5, 1, 1], 3);
    let mut drawn = |shares: [f32; 2]| {
        net.fade(&shares);
        values(net.forward(x.clone(), &mut Mode::Eval))
    };
    let first = drawn([0.0, 0.0]);
    // A picture of 8 × 8 in blocks of 4 × 4.
    for (at, value) in first.iter().enumerate() {
        let (y, x) = (at / 32 % 32, at % 32);
        assert_eq!(*value, first[at - 32 * (y % 4) - x % 4]);
    }
    let second = drawn([1.0, 0.0]);
    assert!(first != second);
    assert!(second.iter().enumerate().all(|(at, value)| *value == second[at - 32 * (at / 32 % 2) - at % 2]));
    let nearly = drawn([1.0, 1e-4]);
    assert!(second != nearly && second.iter().zip(&nearly).all(|(a, b)| (a - b).abs() < 1e-3));
}

#[test]
fn the_critic_looks_at_the_size_of_its_phase() {
    let recipe = recipe(32, 20, SMALL).unwrap();
    let mut net = critic(&recipe.settings().unwrap(), &recipe, &Device::flex(), &mut Rng::new(1, 0));
    let images = noise([4, 3, 32, 32], 4);
    for (block, largest_first) in [(4, [0.0, 0.0]), (2, [0.0, 1.0]), (1, [1.0, 1.0])] {
        net.fade(&largest_first);
        let score = |images: Tensor<4>| values(net.forward(images, &mut Mode::Eval));
        let whole = score(images.clone());
        let same = |block: usize| {
            let found = score(blocks(images.clone(), block));
            found.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-4)
        };
        assert!(same(block) && !same(2 * block), "blocks of {block} are its pixels");
    }
}

#[test]
fn sizes_come_in_turn() {
    let schedule = Schedule { sizes: 2, phase: 3, fade: 2 };
    let shares: Vec<Vec<f32>> = (0..11).map(|step| schedule.shares(step)).collect();
    let of = |size: usize| shares.iter().map(|shares| shares[size]).collect::<Vec<_>>();
    assert_eq!(of(0), [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_eq!(of(1), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0]);
    assert_eq!(schedule.grown(), 10);
    assert_eq!(Schedule { fade: 0, ..schedule }.shares(3), [1.0, 0.0], "at once");
}

#[test]
fn real_images_are_faded_alike() {
    let image = |values: [f32; 16]| Tensor::from_data(TensorData::new(values.to_vec(), [1, 1, 4, 4]), &Device::flex());
    let x = image([1.0, 3.0, 0.0, 0.0, 5.0, 7.0, 0.0, 0.0, 8.0, 8.0, 2.0, 2.0, 8.0, 8.0, 2.0, 2.0]);
    // Of the size with 2 × 2 pixels: means of 4, 0, 8 and 2, and of all 3.5.
    let means = image([4.0, 4.0, 0.0, 0.0, 4.0, 4.0, 0.0, 0.0, 8.0, 8.0, 2.0, 2.0, 8.0, 8.0, 2.0, 2.0]);
    let same = |shares: &[f32], expected: Tensor<4>| assert_eq!(values(faded(x.clone(), shares)), values(expected));
    same(&[1.0, 1.0], x.clone());
    same(&[1.0], x.clone());
    same(&[0.0, 0.0], x.clone());
    same(&[1.0, 0.5], means.clone() * 0.5 + x.clone() * 0.5);
    same(&[0.25, 0.0], means * 0.25 + 3.5 * 0.75);
}

/// A game on noise that depends on the step.
struct Played {
    system: Box<dyn System>,
    rng: Rng,
    steps: u64,
    ema: f64,
}

impl Played {
    fn new(table: &str) -> Self {
        let mut rng = Rng::new(1, 0);
        let recipe = recipe(32, 20, &format!("{SMALL}\n{table}")).unwrap();
        let system = (KIND.build)(&recipe, &Device::flex().autodiff(), &mut rng).unwrap();
        Self { system, rng, steps: 0, ema: 0.5 }
    }

    fn play(&mut self, steps: u64) -> Losses {
        let mut losses = Losses::new();
        for _ in 0..steps {
            let seed = self.steps;
            let mut next_batch = || Batch::alone(noise([4, 3, 32, 32], seed).tanh(), vec![]);
            let mut step = Step {
                lr_generator: 1e-2,
                lr_critic: 1e-2,
                ema: self.ema,
                rng: &mut self.rng,
                next_batch: &mut next_batch,
            };
            losses = self.system.step(&mut step);
            self.steps += 1;
        }
        losses
    }

    /// The weights of each dense layer and convolution that ships.
    fn weights(&self) -> Vec<Vec<f32>> {
        let Trained::Generator(generator) = self.system.trained() else { panic!("a generator ships") };
        let weight = |layer: &Layer| match layer {
            Layer::Linear(linear) => Some(values(linear.weight.val())),
            Layer::Conv(conv) => Some(values(conv.weight.val())),
            _ => None,
        };
        generator.net.layers.iter().filter_map(weight).collect()
    }

    fn side(losses: &Losses) -> f32 {
        losses.iter().find(|(name, _)| *name == "size").unwrap().1
    }
}

#[test]
fn a_run_goes_on_in_the_middle_of_a_fade() {
    // The second one with the game of the paper.
    let paper =
        "spectral_norm = false\nloss = \"wasserstein\"\npenalty = { gradient = 10.0 }\n[growing.tricks]\ndrift = 0.001";
    for table in ["", paper] {
        let mut straight = Played::new(table);
        assert_eq!(Played::side(&straight.play(4)), 8.0 + 8.0 * 0.5);
        let folder = tempfile::tempdir().unwrap();
        straight.system.save(folder.path()).unwrap();
        let mut resumed = Played::new(table);
        resumed.system.load(folder.path()).unwrap();
        (resumed.rng, resumed.steps) = (straight.rng.clone(), straight.steps);
        assert_eq!(resumed.weights(), straight.weights());
        for _ in 0..5 {
            let (a, b) = (straight.play(1), resumed.play(1));
            assert_eq!(a, b, "{table}");
            assert!(a.iter().all(|(_, value)| value.is_finite()), "{a:?}");
        }
        assert_eq!(Played::side(&straight.play(1)), 16.0 + 16.0 * 0.5);
        resumed.play(1);
        assert_eq!(resumed.weights(), straight.weights());
    }
}

#[test]
fn what_has_no_part_does_not_learn() {
    // What ships are the weights themselves, which an average would follow for a while.
    let mut game = Played { ema: 0.0, ..Played::new("") };
    let before = game.weights();
    game.play(2);
    let after = game.weights();
    // Linear, then for each size its convolution and what makes a picture of it; the first size alone has learned.
    let changed = |a: &[Vec<f32>], b: &[Vec<f32>]| a.iter().zip(b).map(|(a, b)| a != b).collect::<Vec<_>>();
    assert_eq!(changed(&before, &after), [true, true, true, false, false, false, false]);
    game.play(4);
    let grown = game.weights();
    game.play(2);
    assert_eq!(changed(&grown, &game.weights()), [true, true, false, true, true, false, false], "8 × 8 rests");
}

#[test]
fn without_growing_all_sizes_are_there_at_once() {
    let mut game = Played::new("grow = false");
    let losses = game.play(1);
    assert!(!losses.iter().any(|(name, _)| *name == "size"));
    let Trained::Generator(generator) = game.system.trained() else { panic!("a generator ships") };
    assert_eq!(generator.net.shares(), [1.0, 1.0]);
}

#[test]
fn weights_of_a_grown_run_stay_grown() {
    let mut first = Played::new("");
    first.play(13);
    let folder = tempfile::tempdir().unwrap();
    first.system.save(folder.path()).unwrap();
    // As `train --from` does: the weights of another run, the counter of a new one.
    files::replace_bytes(&folder.path().join(FILE), &0u64.to_le_bytes()).unwrap();
    let mut second = Played::new("");
    second.system.load(folder.path()).unwrap();
    assert_eq!(Played::side(&second.play(1)), 32.0);
}

#[test]
fn what_does_not_fit_is_refused() {
    for (size, steps, table, expected) in [
        (16, 20, "channels = [4, 4]\ncritic_channels = [4, 4]", "at least three maps"),
        (
            32,
            6000,
            "channels = [4, 4, 4]\ncritic_channels = [4, 4, 4]",
            "use channels = [4, 4, 4, 2] for images of 32×32",
        ),
        (32, 6000, "channels = [4, 4, 4, 4]\ncritic_channels = [4, 4]", "expected 4 critic_channels"),
        (32, 12, SMALL, "steps above 12"),
        (32, 20, "latent = 0\nchannels = [4, 4, 4, 4]", "latent must be at least 1"),
    ] {
        let message = format!("{:#}", recipe(size, steps, table).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
    assert!(recipe(32, 12, &format!("{SMALL}\ngrow = false")).is_ok());
}
