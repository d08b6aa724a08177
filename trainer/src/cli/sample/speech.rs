//! `edgegen sample` of a run that makes speech: test sentences in its voice, as a WAV file.

use anyhow::{Result, ensure};

use super::Args;
use crate::cli::training::{Run, SPOKEN_RATE, spoken};
use crate::cli::{Console, Ending};
use crate::sounds;

/// Sentences of a file at most.
const MOST: usize = 60;
/// Samples below this are silence: −54 dB.
const SILENT: u16 = 65;

pub fn run(run: &Run, args: &Args, console: Console) -> Result<Ending> {
    let count = args.count.map_or(1, |count| count as usize);
    ensure!(count <= MOST, "expected at most {MOST} sentences, found {count}: lower --count");
    let sentences = spoken(run, args.seed, count)?;
    let samples: Vec<Vec<i16>> = sentences.iter().map(|sentence| sentence.samples.clone()).collect();
    sounds::save_wav(&args.out, &sounds::in_a_row(&samples, SPOKEN_RATE), SPOKEN_RATE)?;
    let all = || samples.iter().flatten().map(|sample| sample.unsigned_abs());
    let total = all().count();
    let seconds = total as f64 / f64::from(SPOKEN_RATE);
    let peak = f64::from(all().max().unwrap_or(0)) / f64::from(i16::MAX);
    let silence = all().filter(|&sample| sample < SILENT).count() as f64 / total.max(1) as f64;
    let distance = sentences.iter().map(|sentence| f64::from(sentence.distance)).sum::<f64>() / count as f64;
    let value = serde_json::json!({
        "file": args.out,
        "count": count,
        "texts": sentences.iter().map(|sentence| &*sentence.text).collect::<Vec<_>>(),
        "rate": SPOKEN_RATE,
        "seconds": seconds,
        "peak": peak,
        "silence": silence,
        "distance_db": distance,
    });
    console.show(&value, || {
        let texts: Vec<&str> = sentences.iter().map(|sentence| &*sentence.text).collect();
        format!(
            "{}: {seconds:.2} s at {SPOKEN_RATE} Hz, {distance:.1} dB from espeak-ng's own spectra: {}",
            args.out.display(),
            texts.join(" ")
        )
    })
}
