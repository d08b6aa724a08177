//! Rounds, medians, ratios.

use std::time::Duration;

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};

use crate::contender::Contender;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Turns of each contender.
    pub rounds: usize,
    /// About how long a turn takes.
    pub turn: Duration,
}

/// CPU time of this process. On a machine that others use, too, it does not count while they have the CPU; on an idle one
/// it is the time on the wall, since all contenders compute on one thread and wait for nothing.
pub fn now() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Milliseconds an image of each contender in each round, `[contender][round]`. In a round each has one turn, and each round
/// begins with another, so that what slows the machine down for a while slows all of them.
///
/// # Errors
///
/// Those of the contenders.
pub fn measure(contenders: &mut [Box<dyn Contender>], settings: Settings) -> Result<Vec<Vec<f64>>> {
    let mut counts = Vec::new();
    for contender in &mut *contenders {
        contender.time(2)?;
        let once = contender.time(4)?.as_secs_f64() / 4.0;
        counts.push((settings.turn.as_secs_f64() / once.max(1e-7)).ceil() as usize);
    }
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..settings.rounds {
        for place in 0..contenders.len() {
            let index = (round + place) % contenders.len();
            let time = contenders[index].time(counts[index])?;
            times[index].push(1e3 * time.as_secs_f64() / counts[index] as f64);
        }
    }
    Ok(times)
}

/// The middle one.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        even if even % 2 == 0 => (values[middle - 1] + values[middle]) / 2.0,
        _ => values[middle],
    }
}

/// The least.
pub fn least(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 3.0, 1.0, 2.0]), 2.5);
        assert_eq!(least(&[4.0, 3.0]), 3.0);
    }
}
