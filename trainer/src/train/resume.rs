//! What may have changed when a run goes on, and where a new run starts from the weights of another.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::checkpoint::{self, Fingerprint};
use crate::data::Dataset;
use crate::recipe::Recipe;
use crate::run::{GENERATOR, RECIPE};
use crate::systems::System;

/// How long and how fast a run learns, and how often it reports: what it may take up anew when it goes on.
const FREE: [&str; 10] = [
    "train.steps",
    "train.lr_generator",
    "train.lr_critic",
    "train.beta1",
    "train.beta2",
    "train.schedule",
    "train.ema",
    "train.sample_every",
    "train.checkpoint_every",
    "train.eval_every",
];

/// A key of the recipe whose value is another one now.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    key: String,
    before: Option<Value>,
    now: Option<Value>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(f, "{} = {}, was {}", self.key, value(&self.now), value(&self.before))
    }
}

/// All keys, as `table.key`, in which two recipes differ; where they began is no part of it.
fn changes(before: &Recipe, now: &Recipe) -> Vec<Change> {
    let [before, now] = [before, now].map(|recipe| keys(&Recipe { from: None, ..recipe.clone() }));
    let keys = before.keys().chain(now.keys().filter(|&key| !before.contains_key(key)));
    let change =
        |key: &String| Change { key: key.clone(), before: before.get(key).cloned(), now: now.get(key).cloned() };
    keys.map(change).filter(|change| change.before != change.now).collect()
}

/// All values of a recipe, defaults too, by `table.key`.
pub(super) fn keys(recipe: &Recipe) -> BTreeMap<String, Value> {
    let table: Table = recipe.to_toml().parse().expect("a recipe writes TOML");
    let mut values = BTreeMap::new();
    flatten("", &table, &mut values);
    values
}

fn flatten(prefix: &str, table: &Table, values: &mut BTreeMap<String, Value>) {
    for (key, value) in table {
        let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
        match value {
            Value::Table(inner) => flatten(&key, inner, values),
            value => drop(values.insert(key, value.clone())),
        }
    }
}

/// What a run that goes on does otherwise than before. `learned` is the data that it has learned from, `data` what it would learn
/// from now; of points of the plane, and of checkpoints of earlier versions, nothing is known but the recipe.
///
/// # Errors
///
/// If something changed that cannot: names it, the value before and now, and the way out.
pub(super) fn check(
    before: &Recipe,
    now: &Recipe,
    [learned, data]: [Option<&Fingerprint>; 2],
    out: &Path,
) -> Result<Vec<Change>> {
    let both = learned.zip(data);
    let same_data = both.is_some_and(|(learned, data)| learned == data);
    let (free, fixed): (Vec<_>, Vec<_>) = changes(before, now).into_iter().partition(|change| {
        // The data itself tells whether it is the same, whatever it is called and wherever it lies.
        let named = both.is_some() && matches!(&*change.key, "data.name" | "data.limit");
        // Runs from before classes had names note none.
        let named = named || change.key == "data.classes" && change.before.is_none();
        // Images are the same whatever is learned of them.
        let is_of_data = change.key.starts_with("data.") && change.key != "data.attributes";
        FREE.contains(&&*change.key) || named || (same_data && is_of_data)
    });
    let out = out.display();
    let way = format!("or begin a new run from its weights with --from {out} and another --out");
    if let Some(first) = fixed.first() {
        let others: Vec<&str> = fixed[1..].iter().map(|change| &*change.key).collect();
        let others = if others.is_empty() { String::new() } else { format!("; {} changed, too", others.join(", ")) };
        bail!("the run in {out} cannot go on with {first}{others}: take back the change, {way}");
    }
    if let Some((learned, data)) = both.filter(|_| !same_data) {
        let difference = if learned.to_string() == data.to_string() {
            "as many, but other ones, or in another order,".to_owned()
        } else {
            data.to_string()
        };
        bail!(
            "expected what the run in {out} has learned from so far, {learned}, found {difference} in {}: bring the former \
             data back, {way}",
            now.data.name
        );
    }
    Ok(free)
}

/// What is kept of a data set, to know it again.
pub(super) fn fingerprint(datasets: &[&Dataset]) -> Fingerprint {
    let mut hash = Sha256::new();
    for dataset in datasets {
        hash.update(&dataset.images);
        if let Some(labels) = &dataset.labels {
            hash.update(labels);
        }
    }
    let hash = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    let first = datasets[0];
    Fingerprint { images: first.len(), shape: first.shape, classes: first.classes(), sha256: hash }
}

/// Gives `system`, which is new, the weights of the run in the folder `run`; what its optimizers remember stays new. Gives a line
/// that says what was taken.
///
/// # Errors
///
/// If there is no run, or one of other networks; names what differs.
pub(super) fn start_from(run: &Path, recipe: &Recipe, system: &mut dyn System) -> Result<String> {
    let what = run.display();
    ensure!(
        run.join(RECIPE).is_file(),
        "expected a run folder with {RECIPE} to start from, found none at {what}: give the --out folder of a training"
    );
    let before = Recipe::load(&run.join(RECIPE))?;
    let table = &recipe.system;
    ensure!(
        before.system == *table,
        "expected a run of the system {table} to start from, found one of {} in {what}",
        before.system
    );
    let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
    system.save(folder.path())?;
    let said = match checkpoint::newest(run)? {
        Some((state, checkpoint)) => {
            let taken = take(&checkpoint, folder.path())?;
            ensure!(taken > 0, "expected weights to start from in {what}, found none: the system {table} has none");
            format!("starting from the weights of {what} after {} steps", state.step)
        }
        // A shipped model's folder has what it ships and nothing else.
        None => {
            let shipped = run.join(GENERATOR);
            ensure!(
                shipped.is_file(),
                "expected weights to start from in {what}, found neither a checkpoint nor {GENERATOR}"
            );
            let learner = if folder.path().join(GENERATOR).is_file() { GENERATOR } else { "decoder.safetensors" };
            for name in [learner, "average.safetensors"] {
                copy(&shipped, &folder.path().join(name))?;
            }
            format!("starting from the generator of {what}; its folder has no checkpoint, so the rest begins anew")
        }
    };
    system.load(folder.path()).map_err(|error| {
        let changed = changes(&before, recipe);
        let networks = |change: &&Change| {
            change.key.strip_prefix(&**table).is_some_and(|key| key.starts_with('.'))
                || matches!(&*change.key, "data.size" | "data.channels")
        };
        match changed.iter().find(networks) {
            Some(change) => anyhow::anyhow!(
                "cannot start from {what}, whose networks are others: {change}; give the recipe the same value"
            ),
            None => error.context(format!("cannot start from {what}")),
        }
    })?;
    Ok(said)
}

/// Copies weights from one checkpoint to another of the same system; moments of an optimizer are no weights.
fn take(from: &Path, to: &Path) -> Result<usize> {
    let mut taken = 0;
    for entry in fs::read_dir(to).with_context(|| format!("cannot list {}", to.display()))? {
        let name = entry?.file_name();
        let text = name.to_string_lossy();
        let is_moment = text.ends_with("-first.safetensors") || text.ends_with("-second.safetensors");
        if text.ends_with(".safetensors") && !is_moment && from.join(&name).is_file() {
            copy(&from.join(&name), &to.join(&name))?;
            taken += 1;
        }
    }
    Ok(taken)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {}", from.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe(change: impl Fn(&str) -> String) -> Recipe {
        let text = "system = \"dcgan\"\n[data]\nname = \"a\"\nsize = 16\n[train]\nbatch = 8\n[dcgan]\nlatent = 5\nchannels = [8, 6]\n";
        Recipe::parse(&change(text)).unwrap()
    }

    fn data(images: usize, hash: &str) -> Fingerprint {
        Fingerprint { images, shape: [16, 16, 1], classes: 2, sha256: hash.into() }
    }

    #[test]
    fn rates_and_schedule_may_change_and_are_told() {
        let before = recipe(str::to_owned);
        let now =
            recipe(|text| text.replace("[train]", "[train]\nlr_critic = 0.5\nschedule = \"constant\"\nsteps = 7"));
        let (a, out) = (data(9, "x"), Path::new("runs/a"));
        let told: Vec<_> =
            check(&before, &now, [Some(&a), Some(&a)], out).unwrap().iter().map(Change::to_string).collect();
        let expected = [
            "train.lr_critic = 0.5, was 0.001",
            "train.schedule = \"constant\", was \"cosine\"",
            "train.steps = 7, was 6000",
        ];
        assert_eq!(told, expected);
        assert!(check(&before, &before, [None, None], out).unwrap().is_empty());
    }

    #[test]
    fn other_networks_and_other_data_are_named() {
        let (before, out) = (recipe(str::to_owned), Path::new("runs/a"));
        let (a, fewer, others) = (data(9, "x"), data(7, "y"), data(9, "z"));
        let message = |now: &Recipe, learned, data| check(&before, now, [learned, data], out).unwrap_err().to_string();
        let wider = recipe(|text| text.replace("[8, 6]", "[8, 8]").replace("batch = 8", "batch = 4"));
        let found = message(&wider, Some(&a), Some(&a));
        for part in ["dcgan.channels = [8, 8], was [8, 6]", "train.batch changed, too", "--from runs/a"] {
            assert!(found.contains(part), "{found}");
        }
        let moved = recipe(|text| text.replace("\"a\"", "\"./b\""));
        assert_eq!(
            check(&before, &moved, [Some(&a), Some(&a)], out).unwrap().len(),
            1,
            "the same data by another name"
        );
        let found = message(&moved, Some(&a), Some(&fewer));
        assert!(
            found.contains("9 images of 16×16×1 in 2 classes, found 7 images") && found.contains("in ./b"),
            "{found}"
        );
        assert!(message(&before, Some(&a), Some(&others)).contains("as many, but other ones"));
        assert!(message(&moved, None, None).contains("data.name = \"./b\", was \"a\""), "nothing is known of the data");
        let colour = recipe(|text| text.replace("size = 16", "size = 16\nchannels = 3"));
        assert!(message(&colour, Some(&a), Some(&others)).contains("data.channels = 3, was 1"));
    }
}
