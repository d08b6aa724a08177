//! Each trick alone, and games with many of them.

use super::*;
use crate::data::Plane;
use crate::systems::{Batch, Losses, Step, System};

fn column(values: &[f32]) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len(), 1, 1, 1]), &Device::flex())
}

fn values(tensor: Tensor<4>) -> Vec<f32> {
    tensor.into_data().try_to_vec().unwrap()
}

fn bag(tricks: Tricks) -> Bag {
    Bag::new(tricks, PixelRange::Symmetric, 10)
}

#[test]
fn soft_labels_cost_what_their_mean_costs() {
    let bag = bag(Tricks { soft_labels: true, ..Tricks::default() });
    let of = |loss: Loss, real: f32, fake: f32| {
        let scores = |score: f32| column(&vec![score; 20_000]);
        bag.critic_loss(loss, scores(real), scores(fake), &mut Rng::new(1, 0)).into_scalar::<f32>()
    };
    // The cross-entropy is linear in the label: 0.95 and 0.15 on average.
    let softplus = |x: f32| x.exp().ln_1p();
    let expected = 0.95 * softplus(-2.0) + 0.05 * softplus(2.0) + 0.15 * softplus(1.0) + 0.85 * softplus(-1.0);
    assert!((of(Loss::NonSaturating, 2.0, -1.0) - expected).abs() < 0.01);
    // The square is not: the variances of the labels, 0.5²/12 and 0.3²/12, come on top.
    let expected = 0.5 * (1.05f32.powi(2) + 0.25 / 12.0 + 1.15f32.powi(2) + 0.09 / 12.0);
    assert!((of(Loss::LeastSquares, 2.0, -1.0) - expected).abs() < 0.01);
}

#[test]
fn drift_pulls_real_scores_to_zero() {
    let loss = |drift| {
        let bag = bag(Tricks { drift, ..Tricks::default() });
        let [real, fake] = [column(&[3.0, -1.0]), column(&[0.0, 0.0])];
        bag.critic_loss(Loss::Wasserstein, real, fake, &mut Rng::new(1, 0)).into_scalar::<f32>()
    };
    assert_eq!(loss(0.0), -1.0);
    assert!((loss(0.1) - (-1.0 + 0.1 * 5.0)).abs() < 1e-6, "(9 + 1) / 2 = 5");
}

#[test]
fn flips_exchange_as_many_pairs_as_they_should() {
    let bag = bag(Tricks { flip_labels: 0.25, ..Tricks::default() });
    let fake: Vec<f32> = (0..4_000).map(|index| -(index as f32)).collect();
    let real: Vec<f32> = fake.iter().map(|score| 1.0 - score).collect();
    let (real, fake) = bag.flipped(column(&real), column(&fake), &mut Rng::new(2, 0));
    let (real, fake) = (values(real), values(fake));
    assert!(real.iter().zip(&fake).all(|(real, fake)| (real + fake - 1.0).abs() < 1e-3), "pairs stay together");
    let flipped = real.iter().filter(|&&score| score <= 0.0).count();
    assert!((900..1_100).contains(&flipped), "{flipped} of 4 000");
}

#[test]
fn noise_falls_to_nothing() {
    let mut bag = bag(Tricks { instance_noise: 0.5, ..Tricks::default() });
    let mut rng = Rng::new(4, 0);
    let mut deviation = |bag: &Bag| {
        let seen = values(bag.seen(column(&[0.0; 20_000]), &mut rng));
        (seen.iter().map(|x| x * x).sum::<f32>() / seen.len() as f32).sqrt()
    };
    assert!((deviation(&bag) - 0.5).abs() < 0.01);
    (0..5).for_each(|_| bag.count());
    assert!((deviation(&bag) - 0.25).abs() < 0.01);
    (0..6).for_each(|_| bag.count());
    assert_eq!(deviation(&bag), 0.0);
}

#[test]
fn classification_is_the_cross_entropy_of_the_right_class() {
    let scores = Tensor::from_data(
        TensorData::new(vec![9.0f32, 1.0, 2.0, 0.5, -3.0, 0.0, 0.0, 4.0], [2, 4, 1, 1]),
        &Device::flex(),
    );
    let classes = super::super::one_hot(&[1, 0], 3, &Device::flex());
    let log_sum = |scores: [f32; 3]| scores.iter().map(|x| x.exp()).sum::<f32>().ln();
    let expected = (log_sum([1.0, 2.0, 0.5]) - 2.0 + log_sum([0.0, 0.0, 4.0]) - 0.0) / 2.0;
    assert!((classification(&scores, classes).into_scalar::<f32>() - expected).abs() < 1e-5);
}

#[test]
fn failure_is_seen() {
    let bag = bag(Tricks { watch: true, ..Tricks::default() });
    let failing = |loss: Loss, critic: f32, norms: [f32; 2]| {
        let report = bag.report(loss, critic, norms);
        assert_eq!(report[..2], [("gradient_critic", norms[0]), ("gradient_generator", norms[1])]);
        report[2] == ("failing", 1.0)
    };
    assert!(!failing(Loss::NonSaturating, 1.2, [3.0, 0.1]));
    assert!(failing(Loss::NonSaturating, 0.003, [0.0, 5.0]));
    assert!(!failing(Loss::Wasserstein, 0.003, [0.0, 5.0]));
    assert!(failing(Loss::Wasserstein, -3.0, [0.0, 101.0]));
}

/// The weights after some steps of a small game on the ring, its last losses, and the files that it saves.
struct Played {
    system: Box<dyn System>,
    rng: Rng,
    losses: Losses,
}

impl Played {
    fn new(table: &str) -> Self {
        let text = format!(
            "system = \"gan\"\n[data]\nname = \"ring\"\n[train]\nsteps = 6\nbatch = 8\n[gan]\noutput = \"linear\"\nhidden = [8]\ncritic_hidden = [8]\nmaxout_pieces = 0\nkeep_input = 1.0\nkeep_hidden = 1.0\nlatent = 3\n{table}"
        );
        let recipe = crate::recipe::Recipe::parse(&text).unwrap();
        let mut rng = Rng::new(1, 0);
        let system = (super::super::gan::KIND.build)(&recipe, &Device::flex().autodiff(), &mut rng).unwrap();
        Self { system, rng, losses: Losses::new() }
    }

    fn play(mut self, steps: u64) -> Self {
        for number in 0..steps {
            // Real points that depend on the step, so that a step done twice would show.
            let ring = Plane::named("ring").unwrap();
            let draw = |seed: u64| {
                let (points, labels) = ring.draw(8, &mut Rng::new(seed, 9));
                Batch::alone(Tensor::from_data(TensorData::new(points, [8, 2, 1, 1]), &Device::flex()), labels)
            };
            let mut step = Step {
                lr_generator: 1e-2,
                lr_critic: 1e-2,
                ema: 0.5,
                rng: &mut self.rng,
                next_batch: &mut || draw(number),
            };
            self.losses = self.system.step(&mut step);
            assert!(self.losses.iter().all(|(_, value)| value.is_finite()), "{:?}", self.losses);
        }
        self
    }

    /// All that is saved, but for the optimizers' containers, whose order is free.
    fn saved(&self) -> Vec<(String, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        self.system.save(folder.path()).unwrap();
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let mut files: Vec<_> = files
            .filter(|path| path.extension().is_none_or(|ending| ending != "bpk"))
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

const CLASSES: &str =
    "classes = 8\n[gan.tricks]\nauxiliary_classifier = true\nseparate_batches = true\nflip_labels = 0.3";
const MOST: &str = "[gan.tricks]\nsoft_labels = true\nflip_labels = 0.3\nreplay = 12\nsgd_critic = true\ninstance_noise = 0.3\nminibatch_deviation = true\nkeep_generator = 0.7\nwatch = true";

#[test]
fn a_game_with_tricks_goes_on_bit_for_bit() {
    for table in [MOST, CLASSES] {
        let folder = tempfile::tempdir().unwrap();
        let first = Played::new(table).play(3);
        first.system.save(folder.path()).unwrap();
        let mut resumed = Played::new(table);
        resumed.system.load(folder.path()).unwrap();
        resumed.rng = first.rng.clone();
        let (straight, resumed) = (first.play(3), resumed.play(3));
        assert_eq!(straight.losses, resumed.losses);
        assert!(straight.saved() == resumed.saved());
    }
    let short = tempfile::tempdir().unwrap();
    std::fs::write(short.path().join(FILE), [0; 11]).unwrap();
    let mut bag = bag(Tricks { replay: 1, ..Tricks::default() });
    // Eight bytes of a count and three of a float.
    assert!(format!("{:#}", bag.load(short.path()).unwrap_err()).contains("found 3 bytes"));
}

#[test]
fn each_trick_changes_the_game_and_two_do_not() {
    let plain = Played::new("").play(3);
    for trick in [
        "soft_labels = true",
        "flip_labels = 0.5",
        "replay = 8",
        "sgd_critic = true",
        "instance_noise = 0.1",
        "minibatch_deviation = true",
        "keep_generator = 0.5",
    ] {
        let other = Played::new(&format!("[gan.tricks]\n{trick}")).play(3);
        assert_ne!(plain.losses[..2], other.losses[..2], "{trick}");
    }
    for same in ["separate_batches = true", "watch = true"] {
        let other = Played::new(&format!("[gan.tricks]\n{same}")).play(3);
        let pairs = plain.losses.iter().zip(&other.losses);
        assert!(pairs.into_iter().all(|((_, a), (_, b))| (a - b).abs() < 1e-4), "{same}: {:?}", other.losses);
    }
    let watched = Played::new("[gan.tricks]\nwatch = true").play(1).losses;
    assert!(watched.iter().any(|&(name, norm)| name == "gradient_critic" && norm > 0.0), "{watched:?}");
}

#[test]
fn what_does_not_go_together_is_refused() {
    let check = |tricks: Tricks, loss: Loss, penalty: Penalty, classes: usize| {
        tricks.check("gan", loss, penalty, classes).map_err(|error| error.to_string())
    };
    let plain = Tricks::default();
    assert_eq!(check(plain.clone(), Loss::Hinge, Penalty::ZeroCentred(1.0), 0), Ok(()));
    let (none, some) = (Penalty::None, Penalty::Gradient(10.0));
    for (tricks, loss, penalty, classes, expected) in [
        (Tricks { soft_labels: true, ..plain.clone() }, Loss::Hinge, none, 0, "soft_labels need a loss with labels"),
        (Tricks { replay: 8, ..plain.clone() }, Loss::Hinge, none, 10, "replay does not remember classes"),
        (Tricks { flip_labels: 0.6, ..plain.clone() }, Loss::Hinge, none, 0, "flip_labels must be 0 to 0.5"),
        (Tricks { instance_noise: -1.0, ..plain.clone() }, Loss::Hinge, none, 0, "instance_noise must not"),
        (Tricks { keep_generator: 0.0, ..plain.clone() }, Loss::Hinge, none, 0, "keep_generator must be above 0"),
        (Tricks { minibatch_deviation: true, ..plain.clone() }, Loss::Hinge, some, 0, "goes with no penalty"),
        (Tricks { auxiliary_classifier: true, ..plain.clone() }, Loss::Hinge, none, 0, "needs classes"),
    ] {
        let error = check(tricks, loss, penalty, classes).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}
