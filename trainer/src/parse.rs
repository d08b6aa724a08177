//! Recipes from TOML, checked against the data and the systems that there are: [`Recipe::load`], [`Recipe::parse`] and
//! [`Recipe::check`].
//!
//! They stand apart from [`recipe`](crate::recipe), which data and systems read.

use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use toml::{Table, Value};

use crate::data::plane::{self, Plane};
use crate::data::{usual_sentences, usual_sounds};
use crate::recipe::{DataConfig, Recipe, Size, TrainConfig, section};
use crate::systems;

impl Recipe {
    /// Reads and checks the recipe at `path`.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is not TOML, or asks for something that no system can do.
    pub fn load(path: &Path) -> Result<Self> {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("cannot read the recipe {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("recipe {}", path.display()))
    }

    /// [`Recipe::load`] from text.
    ///
    /// # Errors
    ///
    /// If `text` is not TOML or asks for something that no system can do; with the line of the key that is wrong, if it has one.
    pub fn parse(text: &str) -> Result<Self> {
        Self::read(text).map_err(|error| match line_of(text, &error.to_string()) {
            Some(line) => error.context(format!("line {line}")),
            None => error,
        })
    }

    fn read(text: &str) -> Result<Self> {
        let mut table: Table = toml::from_str(text).map_err(|error| {
            // The parser's own display is a drawing over several lines; a message with a line number is enough.
            let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
            anyhow::anyhow!("line {line}: {}", error.message().replace('\n', ", "))
        })?;
        let system = match table.remove("system") {
            Some(Value::String(name)) => name,
            Some(other) => bail!("`system` must be a string, found {}", other.type_str()),
            None => bail!("`system` is missing: name one of {}, like system = \"dcgan\"", systems::names()),
        };
        let kind = systems::find(&system)?;
        let settings = sub_table(&mut table, &system)?;
        let mut data = sub_table(&mut table, "data")?;
        if data.get("name").and_then(Value::as_str).is_some_and(is_plane) {
            let [size, _, channels] = plane::SHAPE.map(|value| Value::Integer(value as i64));
            data.entry("size").or_insert(size);
            data.entry("channels").or_insert(channels);
        }
        if let Some((rate, size)) = data.get("name").and_then(Value::as_str).and_then(usual_sounds) {
            data.entry("size").or_insert(sides(size));
            data.entry("rate").or_insert(Value::Integer(rate.into()));
        }
        if let Some(size) = data.get("name").and_then(Value::as_str).and_then(usual_sentences) {
            data.entry("size").or_insert(sides(size));
        }
        let train = sub_table(&mut table, "train")?;
        let seed = match table.remove("seed") {
            Some(Value::Integer(seed)) if seed >= 0 => seed.unsigned_abs(),
            None => 0,
            Some(other) => {
                bail!("`seed` must be an integer from 0 to 2^63 - 1, found {other}")
            }
        };
        let from = match table.remove("from") {
            Some(Value::String(run)) => Some(run),
            None => None,
            Some(other) => bail!("`from` must be the folder of a run, found {other}"),
        };
        if let Some(unknown) = table.keys().next() {
            bail!("unknown key `{unknown}`, expected one of `system`, `seed`, `from`, `data`, `train`, `{system}`");
        }
        let data: DataConfig = section("data", data)?;
        let train: TrainConfig = section("train", train)?;
        let mut recipe = Self { system, seed, from, data, train, settings };
        recipe.check()?;
        within_bounds(&recipe.system, &recipe.settings)?;
        recipe.settings = (kind.normalize)(&recipe)?;
        Ok(recipe)
    }

    /// Checks what does not depend on the system; the command line calls it after its overrides.
    ///
    /// # Errors
    ///
    /// With the first value that is out of range.
    pub fn check(&self) -> Result<()> {
        ensure!(i64::try_from(self.seed).is_ok(), "`seed` must be an integer from 0 to 2^63 - 1, found {}", self.seed);
        let DataConfig { ref name, size, channels, limit, .. } = self.data;
        let train = &self.train;
        if Plane::chosen(&self.data).is_some() {
            ensure!(
                [size.h, size.w, channels] == plane::SHAPE && limit.is_none() && !train.flip && train.shift == 0,
                "[data] {name} has endless points of size 1 and 2 channels, found size {size}, {channels} channels, or a limit, flip or shift: leave all of them out"
            );
        } else if let Some(rate) = self.data.rate {
            ensure!(RATES.contains(&rate), "[data] rate must be 1000 to 48000 Hz, found {rate}");
            ensure!(
                SAMPLES.contains(&size.h) && size.w == 1 && channels == 1,
                "[data] size of sounds must be [samples, 1], 64 to 32768 samples, with channels = 1, found {size} with {channels}"
            );
            ensure!(
                !train.flip && train.shift == 0,
                "[train] flip and shift are for images, found [data] rate: leave them out"
            );
        } else if systems::TRANSLATING.contains(&&*self.system) {
            ensure!(
                WORDS.contains(&size.h) && size.w == 1 && channels == 1,
                "[data] size of sentences must be [words, 1], 2 to 64 words, with channels = 1, found {size} with {channels}"
            );
        } else {
            ensure!(
                [size.h, size.w].iter().all(|side| (4..=512).contains(side)),
                "[data] size must be 4 to 512 pixels, one number or [height, width], found {size}"
            );
            ensure!(channels == 1 || channels == 3, "[data] channels must be 1 (grey) or 3 (colour), found {channels}");
        }
        ensure!(
            self.data.held_out < 100,
            "[data] held_out must be below 100 in a hundred combinations, found {}",
            self.data.held_out
        );
        ensure!(limit != Some(0), "[data] limit must be at least 1: leave it out to take all images");
        ensure!(
            train.shift < size.h.min(size.w),
            "[train] shift must be less than the {} pixels of a side, found {}",
            size.h.min(size.w),
            train.shift
        );
        for (key, value) in [
            ("steps", train.steps),
            ("batch", train.batch as u64),
            ("critic_steps", train.critic_steps as u64),
            ("sample_every", train.sample_every),
            ("checkpoint_every", train.checkpoint_every),
        ] {
            ensure!(value >= 1, "[train] {key} must be at least 1, found {value}");
            ensure!(i64::try_from(value).is_ok(), "[train] {key} must be at most 2^63 - 1, found {value}");
        }
        let every = train.eval_every;
        ensure!(i64::try_from(every).is_ok(), "[train] eval_every must be at most 2^63 - 1, found {every}");
        ensure!(train.batch <= MAX_BATCH, "[train] batch must be at most {MAX_BATCH}, found {}", train.batch);
        ensure!(
            train.critic_steps <= MAX_CRITIC_STEPS,
            "[train] critic_steps must be at most {MAX_CRITIC_STEPS}, found {}",
            train.critic_steps
        );
        let values = size.h * size.w * channels;
        ensure!(
            train.batch * values <= MAX_VALUES,
            "[train] batch must be at most {} with images of {size}×{channels}, found {}",
            MAX_VALUES / values,
            train.batch
        );
        for (key, rate) in [("lr_generator", train.lr_generator), ("lr_critic", train.lr_critic)] {
            ensure!(rate > 0.0 && rate < 1.0, "[train] {key} must lie between 0 and 1, found {rate}");
        }
        for (key, decay) in [("beta1", train.beta1), ("beta2", train.beta2), ("ema", train.ema)] {
            ensure!((0.0..1.0).contains(&decay), "[train] {key} must be at least 0 and below 1, found {decay}");
        }
        Ok(())
    }
}

/// Words of a sentence.
const WORDS: RangeInclusive<usize> = 2..=64;
/// Samples a second of sounds.
const RATES: RangeInclusive<u32> = 1_000..=48_000;
/// Samples of a sound.
const SAMPLES: RangeInclusive<usize> = 64..=32_768;
/// Images in a batch, at most.
const MAX_BATCH: usize = 1 << 16;
/// Values of all images of a batch, at most: 1 GiB.
const MAX_VALUES: usize = 1 << 28;
const MAX_CRITIC_STEPS: usize = 1000;
/// Channels, latent values, centres and whatever else a system counts, at most.
const MAX_COUNT: i64 = 1 << 16;
/// Weights of a fully connected layer between two of the numbers of a list, at most; a convolution has several times as many.
const MAX_WEIGHTS: i64 = 1 << 24;

/// Refuses numbers in a system's table for which no memory would be enough, before anything is built of them.
fn within_bounds(name: &str, table: &Table) -> Result<()> {
    for (key, value) in table {
        match value {
            Value::Integer(count) => {
                ensure!(*count <= MAX_COUNT, "[{name}] {key} must be at most {MAX_COUNT}, found {count}");
            }
            Value::Array(values) => {
                let counts: Vec<i64> = values.iter().filter_map(Value::as_integer).collect();
                if let Some(count) = counts.iter().find(|count| **count > MAX_COUNT) {
                    bail!("[{name}] {key} must be at most {MAX_COUNT} each, found {count}");
                }
                if let Some(pair) = counts.windows(2).find(|pair| pair[0] * pair[1] > MAX_WEIGHTS) {
                    bail!(
                        "[{name}] {key} must multiply to at most {MAX_WEIGHTS} from one to the next, found {} and {}",
                        pair[0],
                        pair[1]
                    );
                }
            }
            Value::Table(inner) => within_bounds(&format!("{name}.{key}"), inner)?,
            _ => {}
        }
    }
    Ok(())
}

/// The line of `text` with the key that `message` is about: `[table] key …`, `[table] unknown field `key``, ``key` …`.
fn line_of(text: &str, message: &str) -> Option<usize> {
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | '-' | '.');
    let (table, rest) = match message.strip_prefix('[') {
        Some(rest) => rest.split_once("] ")?,
        None => ("", message),
    };
    let rest = rest.strip_prefix("unknown field ").or_else(|| rest.strip_prefix("unknown key ")).unwrap_or(rest);
    let rest = rest.strip_prefix('`').unwrap_or(rest);
    let key = &rest[..rest.find(|letter| !is_name(letter)).unwrap_or(rest.len())];
    let document = toml::de::DeTable::parse(text).ok()?.into_inner();
    let (mut inside, mut at) = (&document, None);
    for name in table.split('.').chain(key.split('.')).filter(|name| !name.is_empty()) {
        let (found, value) = inside.iter().find(|(found, _)| found.get_ref() == name)?;
        at = Some(found.span().start);
        if let toml::de::DeValue::Table(table) = value.get_ref() {
            inside = table;
        }
    }
    Some(1 + text[..at?].matches('\n').count())
}

/// Whether a recipe that says nothing of size and channels means points of the plane by a name.
/// A size as recipes write it.
fn sides(size: Size) -> Value {
    Value::Array([size.h, size.w].map(|side| Value::Integer(side as i64)).to_vec())
}

fn is_plane(name: &str) -> bool {
    Plane::named(name).is_some() && !Path::new(name).exists()
}

/// Takes the table `name` out of `table`; a missing one is empty.
fn sub_table(table: &mut Table, name: &str) -> Result<Table> {
    match table.remove(name) {
        Some(Value::Table(inner)) => Ok(inner),
        None => Ok(Table::new()),
        Some(other) => bail!("`{name}` must be a table, written as [{name}], found {}", other.type_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "system = \"dcgan\"\n[data]\nname = \"mnist\"\n";

    fn message(text: &str) -> String {
        format!("{:#}", Recipe::parse(text).unwrap_err())
    }

    #[test]
    fn short_recipe_round_trips_with_defaults() {
        let recipe = Recipe::parse(SHORT).unwrap();
        assert_eq!(recipe.train, TrainConfig::default());
        assert!(recipe.settings.contains_key("latent"), "defaults are written out");
        assert_eq!(Recipe::parse(&recipe.to_toml()).unwrap(), recipe);
    }

    #[test]
    fn shipped_recipes_load() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            Recipe::load(&entry.unwrap().path()).unwrap();
            count += 1;
        }
        assert!(count >= 4);
    }

    #[test]
    fn shipped_models_come_from_the_recipes_of_their_name() {
        let trainer = Path::new(env!("CARGO_MANIFEST_DIR"));
        for entry in std::fs::read_dir(trainer.join("../models")).unwrap() {
            let model = entry.unwrap().path();
            if model.is_dir() {
                let recipe = trainer.join("recipes").join(model.file_name().unwrap()).with_extension("toml");
                let mut shipped = Recipe::load(&model.join("recipe.toml")).unwrap();
                // A run notes the names of its classes, and the words of its attributes.
                shipped.data.classes.clear();
                shipped.data.attributes.iter_mut().for_each(|attribute| attribute.words.clear());
                assert_eq!(shipped, Recipe::load(&recipe).unwrap());
            }
        }
    }

    #[test]
    fn errors_name_the_place_and_the_choices() {
        for (text, expected) in [
            ("seed = 1", "`system` is missing"),
            ("system = \"dcgam\"\n[data]\nname=\"mnist\"", "unknown system \"dcgam\""),
            ("system = \"dcgan\"\n[data]\nname = \"mnist\"\nsiez = 3", "unknown field `siez`, expected one of `name`"),
            (
                "system = \"dcgan\"\n[data]\nname = \"mnist\"\n[train]\nsteps = \"x\"",
                "line 5: [train] steps: expected a whole number from 0 on, found string \"x\"",
            ),
            ("system = \"dcgan\"\nsede = 1\n[data]\nname = \"mnist\"", "unknown key `sede`"),
            ("system = \"dcgan\"\n[data]\nname = \"mnist\"\nchannels = 2", "channels must be 1 (grey) or 3"),
            ("system = \"dcgan\"\n[data]\nname = \"mnist\"\nsize = 30", "28"),
            ("system = \"dcgan\"\n[data]\nname = \"mnist\"\n[train]\nshift = 28", "less than the 28 pixels"),
            ("system = \"dcgan\"\n[data]\nname = \"mnist\"\n[dcgan]\nlatents = 3", "[dcgan] unknown field `latents`"),
            ("system = \"dcgan\"\n[data", "line 2"),
            (
                "system = \"gan\"\n[data]\nname = \"x\"\n[gan]\n[gan.tricks]\nwatch = 1",
                "line 6: [gan] tricks.watch: expected true or false",
            ),
            ("seed = -1\nsystem = \"gan\"", "line 1: `seed` must"),
            ("system = \"dcgan\"\n[data]\nname = \"mnist\"\nsiez = 3", "line 4: [data] unknown field"),
            (
                "system = \"gan\"\n[data]\nname = \"x\"\n[train]\nbatch = 9223372036854775807",
                "line 5: [train] batch must be at most 65536",
            ),
            (
                "system = \"gan\"\n[data]\nname = \"x\"\nsize = 512\n[train]\nbatch = 60000",
                "at most 1024 with images of 512×512×1",
            ),
            (
                "system = \"gan\"\n[data]\nname = \"x\"\n[gan]\nlatent = 100000",
                "line 5: [gan] latent must be at most 65536",
            ),
            (
                "system = \"gan\"\n[data]\nname = \"x\"\n[gan]\nhidden = [9000, 9000]",
                "line 5: [gan] hidden must multiply to at most",
            ),
            (
                "system = \"wavegan\"\n[data]\nname = \"x\"\nsize = 32\nrate = 8000",
                "line 4: [data] size of sounds must be",
            ),
            (
                "system = \"wavegan\"\n[data]\nname = \"x\"\nsize = [2048, 1]\nrate = 9",
                "line 5: [data] rate must be 1000 to",
            ),
            ("system = \"wavegan\"\n[data]\nname = \"drums\"\n[train]\nflip = true", "flip and shift are for images"),
            ("system = \"gan\"\n[data]\nname = \"ring\"\nsize = 28", "leave all of them out"),
            ("system = \"gan\"\n[data]\nname = \"ring\"\n[train]\nflip = true", "leave all of them out"),
        ] {
            let found = message(text);
            assert!(found.contains(expected), "{text}\n→ {found}");
            assert!(!found.contains('\n'), "{found}");
        }
    }
}
