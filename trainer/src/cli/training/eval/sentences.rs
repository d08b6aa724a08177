//! `edgegen eval` of what translates sentences: beside word by word and beside what was read, and whether round trips
//! tell how good it was at each step.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use edgegen_metrics::rank;
use serde::Serialize;
use serde_json::Value;

use super::Args;
use crate::cli::training::{Run, open};
use crate::cli::{Console, Ending, table};
use crate::data::{Pairs, Split};
use crate::device;
use crate::run::BACK;
use crate::systems::backtranslation::Config;
use crate::systems::backtranslation::lexicon::{Words, by_rank, learned};
use crate::train::METRICS;
use crate::translate::{Figures, counts, round_trip, sentences, translated};

/// Fewer measures have no order to speak of.
const LEAST: usize = 3;
/// Sentences of each language that a lexicon is learned from.
const SEEN: usize = 10_000;

/// One way of translating, in one direction.
#[derive(Debug, Serialize)]
struct Row {
    /// The languages that are read and said, 1 or 2.
    from: usize,
    to: usize,
    name: &'static str,
    /// Where each sentence has one that it should become.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    figures: Option<Figures>,
    /// BLEU of what comes back with what was read.
    round_trip: f64,
}

/// What the measures of a run say of each other.
#[derive(Debug, Serialize)]
struct Selection {
    /// Steps that were measured.
    measured: usize,
    /// Spearman's ρ of round trips and BLEU.
    rho: f64,
    /// The step whose round trips are best, and what they come to there.
    step: u64,
    round_trip: f64,
    /// Of test pairs there.
    bleu: f64,
    accuracy: f64,
    /// The best BLEU of all steps, which nobody knows without pairs.
    best_bleu: f64,
}

#[derive(Debug, Serialize)]
struct Report {
    source: PathBuf,
    data: String,
    count: usize,
    rows: Vec<Row>,
    /// Of a run that was measured while it trained.
    #[serde(skip_serializing_if = "Option::is_none")]
    selection: Option<Selection>,
}

/// Measures a run and its way back on the test pairs of its data.
pub fn run(args: &Args, run: &Run, console: Console) -> Result<Ending> {
    ensure!(
        !args.has_extras() && args.beside.is_empty() && args.picture.is_none() && args.judge.is_none(),
        "expected no other option than --count with a model of sentences, which has measures of its own: leave them out"
    );
    let back = open(&args.source.join(BACK)).with_context(|| {
        format!("expected the way back in {}: give the folder of a run, not its {BACK}", args.source.display())
    })?;
    let Pairs { inputs, targets, matched } = run.sides(Split::Test)?;
    let count = args.count.map_or(usize::MAX, |count| count as usize).min(inputs.len()).min(targets.len());
    let own = [sentences(&inputs, count), sentences(&targets, count)];
    // Without pairs, as they were learned from.
    let train = run.sides(Split::Train)?;
    let seen = [counts(&train.inputs), counts(&train.targets)];
    let by_rank = [by_rank(&seen[0], &seen[1]), by_rank(&seen[1], &seen[0])];
    let config: Config = run.recipe.settings()?;
    let languages = [&train.inputs, &train.targets].map(|set| {
        let mut words = Words::new(seen[0].len());
        sentences(set, set.len().min(SEEN)).iter().for_each(|sentence| words.see(sentence));
        words
    });
    let learned = learned(&languages, config.spread);
    let device = device::open("flex")?;
    let first = 1 + usize::from(run.recipe.data.reverse);
    let mut rows = Vec::new();
    for (way, [there, here]) in [[run, &back], [&back, run]].into_iter().enumerate() {
        console.say(&format!("translating {count} sentences of language {}", if way == 0 { first } else { 3 - first }));
        let (read, meant) = (&own[way], &own[1 - way]);
        let by_word = |sentences: &[Vec<u8>], lexicon: &[u8]| -> Vec<Vec<u8>> {
            let said = |sentence: &Vec<u8>| sentence.iter().map(|&word| lexicon[usize::from(word)]).collect();
            sentences.iter().map(said).collect()
        };
        let there_and_back = |lexicons: &[Vec<u8>; 2]| {
            let words = by_word(read, &lexicons[way]);
            (by_word(&words, &lexicons[1 - way]), words)
        };
        let [(ranks_back, ranks), (words_back, words)] = [&by_rank, &learned].map(there_and_back);
        let said = translated(&there.generator, read, &device);
        let said_back = translated(&here.generator, &said, &device);
        for (name, said, said_back) in [
            ("as it is", read, read),
            ("word by word, by frequency", &ranks, &ranks_back),
            ("word by word, by what stands together", &words, &words_back),
            ("translator", &said, &said_back),
        ] {
            rows.push(Row {
                from: if way == 0 { first } else { 3 - first },
                to: if way == 0 { 3 - first } else { first },
                name,
                figures: matched.then(|| Figures::of(said, meant)),
                round_trip: round_trip(said_back, read),
            });
        }
    }
    let report = Report {
        source: args.source.clone(),
        data: run.recipe.data.name.clone(),
        count,
        rows,
        selection: selection(&args.source.join(METRICS))?,
    };
    console.show(&report, || text(&report))
}

/// Reads the measures of a run; nothing where there are too few with test pairs.
fn selection(path: &Path) -> Result<Option<Selection>> {
    // Shipped folders have none.
    let Ok(text) = std::fs::read_to_string(path) else { return Ok(None) };
    let mut measures = Vec::new();
    for line in text.lines().filter(|line| line.contains("\"round_trip\"")) {
        let line: Value =
            serde_json::from_str(line).with_context(|| format!("expected lines of JSON in {}", path.display()))?;
        let [Some(round_trip), Some(bleu), Some(accuracy)] =
            ["round_trip", "bleu", "accuracy"].map(|name| line.get(name).and_then(Value::as_f64))
        else {
            return Ok(None);
        };
        measures.push((line.get("step").and_then(Value::as_u64).unwrap_or(0), round_trip, bleu, accuracy));
    }
    if measures.len() < LEAST {
        return Ok(None);
    }
    let of = |value: fn(&(u64, f64, f64, f64)) -> f64| measures.iter().map(value).collect::<Vec<f64>>();
    let best = measures.iter().max_by(|a, b| a.1.total_cmp(&b.1));
    Ok(best.map(|&(step, round_trip, bleu, accuracy)| Selection {
        measured: measures.len(),
        rho: rank::spearman(&of(|measure| measure.1), &of(|measure| measure.2)),
        step,
        round_trip,
        bleu,
        accuracy,
        best_bleu: of(|measure| measure.2).into_iter().fold(0.0, f64::max),
    }))
}

fn text(report: &Report) -> String {
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let score = |bleu: f64| format!("{:.1}", 100.0 * bleu);
    let rows = report.rows.iter().map(|Row { from, to, name, figures, round_trip }| {
        let known = |of: &dyn Fn(&Figures) -> String| figures.as_ref().map_or_else(String::new, of);
        [
            format!("{from} → {to}"),
            (*name).to_owned(),
            known(&|figures| percent(figures.accuracy)),
            known(&|figures| percent(figures.any_order)),
            known(&|figures| score(figures.bleu)),
            score(*round_trip),
        ]
    });
    let head = ["languages", "translation", "words in place", "anywhere", "BLEU", "round trip BLEU"];
    let mut text = table(head, rows);
    text += &format!("\n{} test sentences of each language of {}", report.count, report.data);
    if let Some(Selection { measured, rho, step, round_trip, bleu, accuracy, best_bleu }) = &report.selection {
        text += &format!(
            "\nover {measured} measures of the run round trips and true BLEU have a rank correlation of {rho:.3}; round trips are best at \
             step {step} ({}), where BLEU is {} and {} of the words are in place; the best BLEU of any is {}",
            score(*round_trip),
            score(*bleu),
            percent(*accuracy),
            score(*best_bleu)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trips_choose_a_step_and_are_held_against_bleu() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(METRICS);
        assert!(selection(&path).unwrap().is_none());
        let line = |(step, round, bleu): (u64, f64, f64)| {
            format!(
                "{{\"step\":{step},\"denoise\":1.0}}\n{{\"step\":{step},\"round_trip\":{round},\"bleu\":{bleu},\"accuracy\":0.5}}\n"
            )
        };
        let write = |measures: &[(u64, f64, f64)]| {
            std::fs::write(&path, measures.iter().copied().map(line).collect::<String>()).unwrap();
            selection(&path).unwrap()
        };
        assert!(write(&[(10, 0.1, 0.1), (20, 0.2, 0.2)]).is_none(), "two have no order to speak of");
        let found = write(&[(10, 0.1, 0.2), (20, 0.3, 0.4), (30, 0.2, 0.5), (40, 0.05, 0.1)]).unwrap();
        assert_eq!((found.measured, found.step, found.bleu, found.best_bleu), (4, 20, 0.4, 0.5));
        // Ranks 1 3 2 0 and 1 2 3 0: 1 − 6 · 2 / (4 · 15).
        assert!((found.rho - 0.8).abs() < 1e-12, "{}", found.rho);
    }
}
