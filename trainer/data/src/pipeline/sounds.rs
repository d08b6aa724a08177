//! WAV files to sounds of one length and rate, and what is worth saying of them.

use anyhow::Result;

use super::{Prepared, Progress, Reading};
use crate::Config;
use crate::wav::{self, Sound};

/// Reads the files as sounds of `rate` samples a second.
pub(super) fn heard(mut reading: Reading<'_>, config: &Config, rate: u32, progress: Progress<'_>) -> Result<Prepared> {
    let mut read = reading.all(progress, |path| wav::open(path, config, rate))?;
    let account = &mut reading.account;
    let mut levels = Vec::with_capacity(read.len() * config.size.h);
    for (_, sound) in &mut read {
        levels.append(&mut sound.levels);
        *account.formats.entry(sound.format.clone()).or_default() += 1;
    }
    let seconds = || read.iter().map(|(_, sound)| sound.seconds);
    account.seconds = seconds().min_by(f64::total_cmp).zip(seconds().max_by(f64::total_cmp)).map(|(a, b)| [a, b]);
    let mut note = |is: fn(&Sound) -> bool, text: &str| {
        let count = read.iter().filter(|(_, sound)| is(sound)).count();
        if count > 0 {
            account.notes.push(format!("{count} of {} sounds {text}", read.len()));
        }
    };
    note(|sound| sound.channels > 1, "have several channels, of which the mean is taken");
    note(|sound| sound.is_clipped, "have samples beyond full loudness, which are clipped");
    let length = config.size.h as f64 / f64::from(rate);
    note(
        |sound| sound.is_cut,
        &format!("go on after the {length:.3} seconds of size = [{}, 1], where they are cut", config.size.h),
    );
    note(|sound| sound.is_padded, &format!("are shorter than {length:.3} seconds and have silence behind them"));
    Ok(reading.finish(&read, levels))
}
