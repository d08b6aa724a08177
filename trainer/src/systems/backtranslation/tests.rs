use super::*;
use crate::systems::Batch;

const ROWS: usize = 5;
const WORDS: u8 = 6;

fn recipe(table: &str) -> Result<Recipe> {
    Recipe::parse(&format!(
        "system = \"backtranslation\"\n[data]\nname = \"x\"\nsize = [{ROWS}, 1]\n[train]\nbatch = 16\nbeta1 = 0.9\n\
         [backtranslation]\nwords = {WORDS}\nwidth = 16\nheads = 2\nhidden = 24\nlayers = 1\n{table}"
    ))
}

/// The second language's number of each word of the first.
fn meant(word: u8) -> u8 {
    FIRST + [3, 5, 0, 2, 4, 1][usize::from(word - FIRST)]
}

/// Sentences of three to five words, each twice as frequent as the next.
fn spoken(rng: &mut Rng) -> Vec<u8> {
    let word = |rng: &mut Rng| FIRST + (0..WORDS - 1).find(|_| rng.below(2) == 0).unwrap_or(WORDS - 1);
    (0..3 + rng.below(3)).map(|_| word(rng)).collect()
}

fn levels(sentences: &[Vec<u8>]) -> Tensor<4> {
    let mut values = Vec::new();
    for sentence in sentences {
        let mut rows = sentence.clone();
        rows.resize(ROWS, END);
        values.extend(rows.into_iter().map(|word| f32::from(word) / 127.5 - 1.0));
    }
    Tensor::from_data(TensorData::new(values, [sentences.len(), 1, ROWS, 1]), &Device::flex())
}

fn batch(rng: &mut Rng) -> Batch {
    let mut sixteen = || -> Vec<Vec<u8>> { (0..16).map(|_| spoken(rng)).collect() };
    let (inputs, images) = (sixteen(), sixteen());
    let images: Vec<Vec<u8>> =
        images.iter().map(|sentence| sentence.iter().map(|&word| meant(word)).collect()).collect();
    Batch { inputs: Some(levels(&inputs)), ..Batch::alone(levels(&images), Vec::new()) }
}

fn system(table: &str) -> BackTranslation {
    BackTranslation::new(&recipe(table).unwrap(), &Device::flex().autodiff(), &mut Rng::new(1, 0)).unwrap()
}

/// The losses of the first and the last of some steps.
fn train(system: &mut BackTranslation, steps: usize) -> [Losses; 2] {
    let (mut rng, mut order) = (Rng::new(2, 0), Rng::new(3, 0));
    let mut next_batch = || batch(&mut order);
    let mut losses = Vec::new();
    for _ in 0..steps {
        losses.push(system.step(&mut Step {
            lr_generator: 5e-3,
            lr_critic: 5e-3,
            ema: 0.95,
            rng: &mut rng,
            next_batch: &mut next_batch,
        }));
    }
    [losses[0].clone(), losses[steps - 1].clone()]
}

#[test]
fn words_of_other_frequencies_are_found_without_pairs() {
    // Words stand in any order, so that of what is read must be kept.
    let mut system = system("shuffle = 0\nwarm_up = 200\ncounted = 100");
    train(&mut system, 600);
    let mut rng = Rng::new(4, 0);
    let said: Vec<Vec<u8>> = (0..50).map(|_| spoken(&mut rng)).collect();
    let other: Vec<Vec<u8>> = said.iter().map(|sentence| sentence.iter().map(|&word| meant(word)).collect()).collect();
    let Trained::Generator(forth) = system.trained() else { panic!("a generator ships") };
    let back = system.back().unwrap();
    for (generator, read, truth) in [(forth, &said, &other), (back, &other, &said)] {
        let made = generator.net.forward(levels(read), &mut Mode::Eval).into_data();
        let made: Vec<u8> =
            made.try_to_vec::<f32>().unwrap().iter().map(|level| ((level + 1.0) * 127.5).round() as u8).collect();
        let right: usize = made
            .chunks(ROWS)
            .zip(truth)
            .map(|(made, truth)| made.iter().zip(truth).filter(|(a, b)| a == b).count())
            .sum();
        let all: usize = truth.iter().map(Vec::len).sum();
        assert!(right as f32 > 0.8 * all as f32, "{right} of {all} words");
    }
}

#[test]
fn parts_can_be_left_out() {
    for (table, names) in [
        ("back = 0.0", &["denoise"][..]),
        ("denoise = 0.0\nwarm_up = 0", &["back"]),
        ("counted = 3", &["denoise"]),
        ("counted = 1\nadversarial = 0.5", &["denoise", "back", "critic", "adversarial"]),
    ] {
        let [first, last] = train(&mut system(table), 3);
        let found: Vec<&str> = last.iter().map(|(name, _)| *name).collect();
        assert_eq!(found, names);
        assert!(first.iter().chain(&last).all(|(_, value)| value.is_finite()));
    }
}

#[test]
fn what_is_read_is_moved_and_dropped_as_it_is_asked() {
    let system = system("");
    let mut rng = Rng::new(5, 0);
    let sentence: Vec<u8> = (FIRST..FIRST + 12).collect();
    let (mut moved, mut dropped) = (0, 0);
    for _ in 0..200 {
        let read = system.noisy(&sentence, 0.0, 2, &mut rng);
        for (at, &word) in read.iter().enumerate() {
            let by = at.abs_diff(usize::from(word - FIRST));
            assert!(by <= 2, "{read:?}");
            moved += usize::from(by > 0);
        }
        dropped += system.noisy(&sentence, 0.25, 0, &mut rng).iter().filter(|&&word| word == UNKNOWN).count();
    }
    assert!(moved > 500 && (500..700).contains(&dropped), "{moved} moved, {dropped} of 2400 dropped");
    assert_eq!(system.noisy(&[5, 6, END, 7], 0.0, 0, &mut rng), [5, 6]);
}

#[test]
fn what_cannot_be_is_refused() {
    for (table, expected) in [
        ("denoise = 0.0\nback = 0.0", "one of the first two more"),
        ("drop = 1.0", "drop must be at least 0"),
        ("spread = 0.0", "spread must be above 0"),
        ("temperature = 0.0", "temperature must be above 0"),
        ("warm_up = 200", "counted must be below warm_up, found 300 and 200"),
        ("critic_hidden = 0", "critic_hidden must be 1 to 1024"),
    ] {
        let message = format!("{:#}", recipe(table).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
    let text = "system = \"backtranslation\"\n[data]\nname = \"x\"\nsize = [8, 1]\n[backtranslation]\n";
    for (table, expected) in [("words = 255", "1 to 254"), ("heads = 3", "multiple of heads")] {
        let message = format!("{:#}", Recipe::parse(&format!("{text}{table}")).unwrap_err());
        assert!(message.contains(expected), "{message}");
    }
    let message = format!("{:#}", Recipe::parse("system = \"backtranslation\"\n[data]\nname = \"x\"").unwrap_err());
    assert!(message.contains("size of sentences must be [words, 1]"), "{message}");
    let named = Recipe::parse("system = \"backtranslation\"\n[data]\nname = \"languages\"").unwrap();
    assert_eq!(named.image(), [1, 12, 1]);
}
