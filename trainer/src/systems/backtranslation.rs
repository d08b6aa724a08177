//! `backtranslation`: translation both ways between two languages, learned from sentences of which none belongs to one
//! of the other language.
//!
//! ```text
//! L = denoise · Σ_l −log p_l(x | C(x))  +  back · Σ_l −log p_l(x | C'(y)), y ~ q(y | x)  +  adversarial · L_adv
//! ```
//!
//! Lample et al., "Unsupervised Machine Translation Using Monolingual Corpora Only" (2018), with one encoder and one
//! decoder for both languages ([`Translator`]). Three parts, means over words:
//!
//! * Denoising (§2.3): C leaves words out, which become unknown, with probability `drop`, and shuffles the rest so
//!   that none moves by more than `shuffle` places. So the decoder learns how each language goes.
//! * Back-translation on the fly (§2.4; Sennrich et al., 2016): x is translated into the other language by what is
//!   known so far, without gradient, and learned back from that. The decoder's targets are real sentences, what it
//!   reads gets better with it. Translations are drawn, not the likeliest, so that what is uncertain stays so, as in
//!   the wake-sleep algorithm (Hinton et al., 1995), from chances to the power 1 / `temperature`; C' drops half as many
//!   words and keeps the order.
//! * A critic (§2.5) tells by the encoder's states, word by word, which language was read; the encoder learns that it
//!   cannot.
//!
//! The first `warm_up` steps have no translator. In the first `counted` of them words are counted, and which stand
//! together; then a lexicon is learned from these counts ([`lexicon`]), q takes each word for its other, and C' is C.
//! Lample et al. begin with a lexicon that is learned from embeddings (§2.6).
//!
//! A part with weight 0 is left out. It cannot be exported.
//!
//! Knobs: `words`, `width`, `heads`, `hidden`, `layers`; the weights `denoise`, `back`, `adversarial`; `drop`,
//! `shuffle`, `warm_up`, `counted`, `spread`, `temperature`, `critic_hidden`.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData, activation};
use edgegen_data::sentence::{END, FIRST, UNKNOWN, words};
use edgegen_export::layers::PixelRange;
use serde::{Deserialize, Serialize};
use toml::Table;

use super::learner::{Average, Learner};
use super::unpaired::scalar;
use super::{Generator, Kind, Losses, Step, System, Trained};
use crate::files;
use crate::nets::layer::{Layer, Meant, Said, Translator};
use crate::nets::{Init, Mode, Net, NetBuilder, Speakers};
use crate::recipe::{Prior, Recipe};
use crate::rng::Rng;

pub mod lexicon;

use lexicon::Words;

/// The table `[backtranslation]`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Words of either language; others are not known.
    pub words: usize,
    /// Values of a word's vector.
    pub width: usize,
    /// Heads of attention, which divide them.
    pub heads: usize,
    /// Hidden units behind each attention.
    pub hidden: usize,
    /// Blocks of the encoder, and of the decoder.
    pub layers: usize,
    /// Weight of denoising.
    pub denoise: f32,
    /// Weight of back-translation.
    pub back: f32,
    /// Weight of what the encoder learns from the critic.
    pub adversarial: f32,
    /// Hidden units of the critic.
    pub critic_hidden: usize,
    /// Share of words that are left out of what is read.
    pub drop: f32,
    /// Places by which a word moves in it at most.
    pub shuffle: usize,
    /// Steps before sentences are translated by what is learned.
    pub warm_up: u64,
    /// Steps of these in which words are only counted; in the others they are translated one by one.
    pub counted: u64,
    /// How much farther apart the frequencies of a word and its translation may be than chance alone puts them.
    pub spread: f32,
    /// How far translations that are learned from are drawn from the likeliest: 1 by their chances, near 0 not at all.
    pub temperature: f32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            words: 200,
            width: 64,
            heads: 4,
            hidden: 128,
            layers: 2,
            denoise: 1.0,
            back: 1.0,
            adversarial: 0.0,
            critic_hidden: 64,
            drop: 0.1,
            shuffle: 3,
            warm_up: 1000,
            counted: 300,
            spread: 1.5,
            temperature: 1.0,
        }
    }
}

/// The entry in [`SYSTEMS`](super::SYSTEMS).
pub const KIND: Kind = Kind {
    name: "backtranslation",
    about: "sentences of one language in another without pairs: denoising, back-translation, a critic of states",
    normalize,
    generator: |recipe, device, rng| {
        let config: Config = recipe.settings()?;
        Ok(finished(config.net(recipe, device, rng)))
    },
    build: |recipe, device, rng| Ok(Box::new(BackTranslation::new(recipe, device, rng)?)),
};

fn normalize(recipe: &Recipe) -> Result<Table> {
    let config: Config = recipe.settings()?;
    let most = usize::from(u8::MAX - FIRST) + 1;
    ensure!((1..=most).contains(&config.words), "[backtranslation] words must be 1 to {most}, found {}", config.words);
    for (key, count) in [
        ("width", config.width),
        ("heads", config.heads),
        ("hidden", config.hidden),
        ("layers", config.layers),
        ("critic_hidden", config.critic_hidden),
    ] {
        ensure!((1..=1024).contains(&count), "[backtranslation] {key} must be 1 to 1024, found {count}");
    }
    ensure!(
        config.width.is_multiple_of(config.heads),
        "[backtranslation] width must be a multiple of heads, found {} and {}",
        config.width,
        config.heads
    );
    let weights = [config.denoise, config.back, config.adversarial];
    ensure!(
        weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0) && config.denoise + config.back > 0.0,
        "[backtranslation] denoise, back and adversarial must be at least 0, and one of the first two more, found {weights:?}"
    );
    ensure!(
        (0.0..1.0).contains(&config.drop),
        "[backtranslation] drop must be at least 0 and below 1, found {}",
        config.drop
    );
    ensure!(
        config.warm_up == 0 || config.counted < config.warm_up,
        "[backtranslation] counted must be below warm_up, found {} and {}: words are counted before they are translated one by one",
        config.counted,
        config.warm_up
    );
    for (key, value) in [("spread", config.spread), ("temperature", config.temperature)] {
        ensure!(value > 0.0 && value.is_finite(), "[backtranslation] {key} must be above 0, found {value}");
    }
    ensure!(
        !recipe.train.flip && recipe.train.shift == 0,
        "[train] flip and shift are for images, found them with system = \"backtranslation\": leave them out"
    );
    Ok(Table::try_from(config)?)
}

impl Config {
    fn net(&self, recipe: &Recipe, device: &Device, rng: &mut Rng) -> Net {
        let &Self { words, width, heads, hidden, layers, .. } = self;
        let numbers = usize::from(FIRST) + words;
        let speakers = Speakers { numbers, width, heads, hidden, layers, from: usize::from(recipe.data.reverse) };
        NetBuilder::new(recipe.image(), Init::He, device, rng).translator(&speakers).build()
    }
}

fn finished(net: Net) -> Generator {
    Generator { net, prior: Prior::Uniform, classes: 0, pixels: PixelRange::Symmetric, more: vec![] }
}

/// The only layer of a net of this system.
///
/// # Panics
///
/// If it is of another.
fn only(net: &Net) -> &Translator {
    match &net.layers[..] {
        [Layer::Translator(translator)] => translator,
        _ => panic!("expected the one layer of a translator"),
    }
}

/// A place by the sums of chances.
fn draw(sums: &[f32], rng: &mut Rng) -> usize {
    let share = rng.unit() * sums.last().copied().unwrap_or(0.0);
    sums.partition_point(|&sum| sum <= share).min(sums.len() - 1)
}

/// A number by scores that are logarithms of chances, which count to the power 1 / `temperature`.
fn drawn(scores: &[f32], temperature: f32, rng: &mut Rng) -> u8 {
    let most = scores.iter().fold(f32::NEG_INFINITY, |most, &score| most.max(score));
    let mut sum = 0.0;
    let sums = scores.iter().map(|score| {
        sum += ((score - most) / temperature).exp();
        sum
    });
    draw(&sums.collect::<Vec<f32>>(), rng) as u8
}

/// What is known beside weights.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    steps: u64,
    /// Of both languages.
    words: [Words; 2],
    /// From each language to the other, once they are learned.
    lexicons: Option<[Vec<u8>; 2]>,
}

/// The name of its file in a checkpoint.
const SEEN: &str = "seen.json";

/// A translator that learns.
struct BackTranslation {
    translator: Learner,
    critic: Learner,
    average: Average,
    seen: Seen,
    config: Config,
    /// The language of the images of a batch.
    made: usize,
}

impl BackTranslation {
    fn new(recipe: &Recipe, device: &Device, rng: &mut Rng) -> Result<Self> {
        let config: Config = recipe.settings()?;
        let net = config.net(recipe, device, rng);
        let critic = NetBuilder::new([config.width, 1, 1], Init::He, device, rng)
            .linear([config.critic_hidden, 1, 1])
            .leaky_relu(0.2)
            .linear([1, 1, 1])
            .build();
        let numbers = usize::from(FIRST) + config.words;
        Ok(Self {
            average: Average::of(&net),
            translator: Learner::new("translator", net, &recipe.train),
            critic: Learner::new("critic", critic, &recipe.train),
            seen: Seen { steps: 0, words: [0, 1].map(|_| Words::new(numbers)), lexicons: None },
            made: usize::from(!recipe.data.reverse),
            config,
        })
    }

    /// A word that its language's list does not have is not known.
    fn known(&self, word: u8) -> u8 {
        if usize::from(word) < usize::from(FIRST) + self.config.words { word } else { UNKNOWN }
    }

    /// Real sentences of both languages, those of the first before those of the second.
    fn real(&mut self, step: &mut Step<'_>) -> Said {
        let batch = (step.next_batch)();
        let inputs = batch.inputs.expect("the loop gives two sets to this system");
        let mut sets = [(1 - self.made, inputs), (self.made, batch.images)];
        sets.sort_by_key(|(language, _)| *language);
        let mut real = Said::new(sets[0].1.dims()[2]);
        for (language, set) in sets {
            let rows = set.dims()[2];
            let levels: Vec<f32> = set.into_data().try_to_vec().expect("data are 32-bit floats");
            for sentence in levels.chunks(rows) {
                let numbers = sentence.iter().map(|level| self.known(((level + 1.0) * 127.5).round() as u8));
                let numbers: Vec<u8> = numbers.collect();
                let said = words(&numbers);
                self.seen.words[language].see(said);
                real.push(said, language);
            }
        }
        real
    }

    /// What of a sentence is read: C of the module's documentation.
    fn noisy(&self, sentence: &[u8], drop: f32, shuffle: usize, rng: &mut Rng) -> Vec<u8> {
        // Sorted by place plus noise below k + 1, no word moves by more than k places.
        let mut placed: Vec<(f32, u8)> = words(sentence)
            .iter()
            .enumerate()
            .map(|(at, &word)| (at as f32 + rng.unit() * (shuffle + 1) as f32, word))
            .collect();
        placed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        placed.into_iter().map(|(_, word)| if rng.unit() < drop { UNKNOWN } else { word }).collect()
    }

    /// The lexicons of both ways, learned when they are first asked for; what they are learned from goes.
    fn lexicons(&mut self) -> &[Vec<u8>; 2] {
        let Seen { words, lexicons, .. } = &mut self.seen;
        lexicons.get_or_insert_with(|| {
            let learned = lexicon::learned(words, self.config.spread);
            words.iter_mut().for_each(|words| words.together.clear());
            learned
        })
    }

    /// Each sentence in the other language: word by word, or by what is known so far.
    fn translated(&mut self, real: &Said, rng: &mut Rng) -> Said {
        let Config { drop, shuffle, temperature, warm_up, .. } = self.config;
        let mut other = Said::new(real.sentences().next().map_or(1, <[u8]>::len));
        if self.seen.steps < warm_up {
            let lexicons = self.lexicons().clone();
            for (sentence, &language) in real.sentences().zip(real.languages()) {
                let by_word = |&word: &u8| lexicons[language][usize::from(word)];
                let said: Vec<u8> = words(sentence).iter().map(by_word).collect();
                other.push(&self.noisy(&said, drop, shuffle, rng), 1 - language);
            }
            return other;
        }
        let net = self.translator.net.valid();
        let translator = only(&net);
        // The sentences of the second language first, so that their translations are.
        let order = |language: usize| (0..real.len()).filter(move |&index| real.languages()[index] == language);
        let order: Vec<usize> = order(1).chain(order(0)).collect();
        let sentences: Vec<&[u8]> = real.sentences().collect();
        let mut read = Said::new(sentences[0].len());
        order.iter().for_each(|&index| read.push(words(sentences[index]), real.languages()[index]));
        let languages: Vec<usize> = read.languages().iter().map(|language| 1 - language).collect();
        let said =
            translator.say(&translator.encode(&read), &languages, &mut |_, scores| drawn(scores, temperature, rng));
        let mut translations = vec![Vec::new(); real.len()];
        for (&index, sentence) in order.iter().zip(said.sentences()) {
            translations[index] = self.noisy(sentence, 0.5 * drop, 0, rng);
        }
        translations.iter().zip(real.languages()).for_each(|(words, &language)| other.push(words, 1 - language));
        other
    }

    /// The critic's scores of all words that were read, positive for the second language, and what each of them is:
    /// 0 or 1, and whether it counts, all `[words]`.
    fn judged(critic: &Net, states: Tensor<3>, read: &Said) -> [Tensor<1>; 3] {
        let [sentences, rows, width] = states.dims();
        let count = sentences * rows;
        let scores = critic.forward(states.reshape([count, width, 1, 1]), &mut Mode::Eval).reshape([count]);
        let languages = read.languages().iter().flat_map(|&language| std::iter::repeat_n(language as f32, rows));
        let counts = read.sentences().flatten().map(|&word| f32::from(u8::from(word != END)));
        let device = scores.device();
        let tensor = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [count]), &device);
        [scores, tensor(languages.collect()), tensor(counts.collect())]
    }

    /// One update of the critic, and what the encoder learns from it, `[1]`.
    fn play(&mut self, meant: &Meant, read: &Said, rate: f64) -> (f32, Tensor<1>) {
        let states = Tensor::from_inner(meant.states.clone().inner());
        let loss = cross_entropy(Self::judged(&self.critic.net, states, read));
        let value = scalar(&loss);
        self.critic.update(&mut loss.backward(), rate);
        let fixed = self.critic.net.clone().no_grad();
        let [scores, languages, counts] = Self::judged(&fixed, meant.states.clone(), read);
        // Where the language would be the other one: not the negative, whose gradient is small where the critic wins.
        (value, cross_entropy([scores.neg(), languages, counts]))
    }
}

/// −log of the chance that the scores give to what each word is, a mean over the words that count, `[1]`.
fn cross_entropy([scores, is_second, counts]: [Tensor<1>; 3]) -> Tensor<1> {
    let signed = scores * (is_second.mul_scalar(2.0).sub_scalar(1.0));
    let words = counts.clone().sum();
    (activation::log_sigmoid(signed) * counts).sum().neg() / words
}

impl System for BackTranslation {
    fn step(&mut self, step: &mut Step<'_>) -> Losses {
        let Config { denoise, back, adversarial, drop, shuffle, warm_up, counted, .. } = self.config;
        let real = self.real(step);
        let counts = self.seen.steps < counted.min(warm_up);
        let other = (back > 0.0 && !counts).then(|| self.translated(&real, step.rng));
        self.seen.steps += 1;
        let rows = real.sentences().next().map_or(0, <[u8]>::len);
        let (mut read, mut said) = (Said::new(rows), Said::new(rows));
        // Of each sentence that should be said, whether it is a part of denoising, 0, or of back-translation, 1.
        let mut parts = Vec::new();
        let translations: Vec<&[u8]> = other.iter().flat_map(Said::sentences).collect();
        // Those of the first language before those of the second, whichever the part.
        for language in 0..2 {
            let is_own = |entry: &(usize, (&[u8], &usize))| *entry.1.1 == language;
            let own = || real.sentences().zip(real.languages()).enumerate().filter(is_own);
            // While words are counted there is nothing else to learn.
            for (_, (sentence, _)) in own().filter(|_| denoise > 0.0 || counts) {
                read.push(&self.noisy(sentence, drop, shuffle, step.rng), language);
                said.push(words(sentence), language);
                parts.push(0);
            }
            for (index, (sentence, _)) in own().filter(|_| !translations.is_empty()) {
                read.push(words(translations[index]), 1 - language);
                said.push(words(sentence), language);
                parts.push(1);
            }
        }
        let translator = only(&self.translator.net);
        let meant = translator.encode(&read);
        let logs = translator.log_probability(&meant, &said);
        let values: Vec<f32> = logs.clone().into_data().try_to_vec().expect("networks compute in 32-bit floats");
        // Ends count as words.
        let (mut lengths, mut sums) = ([0.0f32; 2], [0.0f32; 2]);
        for ((sentence, &part), log) in said.sentences().zip(&parts).zip(values) {
            lengths[part] += words(sentence).len() as f32 + 1.0;
            sums[part] -= log;
        }
        let weight = |&part: &usize| [denoise, back][part] / lengths[part];
        let weights: Vec<f32> = parts.iter().map(weight).collect();
        let weights = Tensor::<1>::from_data(TensorData::new(weights, [said.len()]), &logs.device());
        let mut whole = (logs * weights).sum().neg();
        let named = ["denoise", "back"].into_iter().zip(sums).zip(lengths);
        let mut losses: Losses =
            named.filter(|(_, words)| *words > 0.0).map(|((name, sum), words)| (name, sum / words)).collect();
        if adversarial > 0.0 {
            let (critic, fooled) = self.play(&meant, &read, step.lr_critic);
            losses.extend([("critic", critic), ("adversarial", scalar(&fooled))]);
            whole = whole + fooled.mul_scalar(adversarial);
        }
        self.translator.update(&mut whole.backward(), step.lr_generator);
        self.average.0.average(&self.translator.net, step.ema);
        losses
    }

    fn trained(&self) -> Trained {
        Trained::Generator(finished(self.average.0.clone()))
    }

    fn back(&self) -> Option<Generator> {
        let mut net = self.average.0.clone();
        if let [Layer::Translator(translator)] = &mut net.layers[..] {
            translator.from = 1 - translator.from;
        }
        Some(finished(net))
    }

    fn save(&self, folder: &Path) -> Result<()> {
        self.translator.save(folder)?;
        self.critic.save(folder)?;
        self.average.save(folder)?;
        files::replace_bytes(&folder.join(SEEN), &serde_json::to_vec(&self.seen)?)
    }

    fn load(&mut self, folder: &Path) -> Result<()> {
        self.translator.load(folder)?;
        self.critic.load(folder)?;
        self.average.load(folder)?;
        let path = folder.join(SEEN);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let seen: Seen = serde_json::from_slice(&bytes)
            .with_context(|| format!("expected what a translator has seen in {}", path.display()))?;
        let numbers = self.seen.words[0].counts.len();
        ensure!(
            seen.words.iter().all(|words| words.counts.len() == numbers),
            "expected counts of {numbers} words in {}, found others: resume with the recipe that wrote it",
            path.display()
        );
        self.seen = seen;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
