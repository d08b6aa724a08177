//! Turns, medians, ratios.

use std::time::Instant;

use anyhow::Result;
use rustix::time::{ClockId, clock_gettime};
use serde::Serialize;

use crate::ours::Case;
use crate::peer::Peer;

/// Milliseconds of one pass: on the wall, and of all cores.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Time {
    /// On the wall.
    pub wall: f64,
    /// CPU time of the process.
    pub cpu: f64,
}

/// Who takes turns.
pub enum Contender<'a> {
    /// In this process.
    Here(Case),
    /// In the Python process, under this name.
    There(&'a str),
}

impl Contender<'_> {
    fn time(&mut self, peer: &mut Peer, count: usize) -> Result<Time> {
        match self {
            Self::There(name) => peer.time(name, count),
            Self::Here(case) => {
                let (wall, cpu) = (Instant::now(), cpu_seconds());
                for _ in 0..count {
                    case();
                }
                let each = 1e3 / count as f64;
                Ok(Time { wall: wall.elapsed().as_secs_f64() * each, cpu: (cpu_seconds() - cpu) * each })
            }
        }
    }
}

fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// The times of each contender in each round, `[contender][round]`. A turn takes about `turn` milliseconds, and each round
/// begins with another contender, so that what slows the machine down for a while slows all of them.
///
/// # Errors
///
/// When the Python process has ended.
pub fn measure(contenders: &mut [Contender<'_>], peer: &mut Peer, rounds: usize, turn: f64) -> Result<Vec<Vec<Time>>> {
    let mut counts = Vec::new();
    for contender in &mut *contenders {
        contender.time(peer, 2)?;
        let once = contender.time(peer, 2)?.wall;
        counts.push((turn / once.max(1e-3)).ceil() as usize);
    }
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..rounds {
        for place in 0..contenders.len() {
            let index = (round + place) % contenders.len();
            times[index].push(contenders[index].time(peer, counts[index])?);
        }
    }
    Ok(times)
}

/// The middle one, the upper of two.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least.
pub fn least(values: impl IntoIterator<Item = f64>) -> f64 {
    values.into_iter().fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn middle_and_least() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(least([3.0, 1.0, 2.0]), 1.0);
    }
}
