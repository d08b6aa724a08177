//! Signals that ask this process to end: training saves and ends well, everything else ends at once, and nobody leaves half-written
//! files. The exit code is that of the signal: 130 for Ctrl-C, 143 for SIGTERM, 129 for SIGHUP.

use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};

use crate::files;

/// Number of Ctrl-C's signal.
const INTERRUPT: i32 = 2;
/// Number of the signal by which programs end each other.
const TERMINATE: i32 = 15;

/// Set by the first signal.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Whether somebody looks at [`STOP`].
static WATCHED: AtomicBool = AtomicBool::new(false);
/// The first signal.
static SIGNAL: AtomicI32 = AtomicI32::new(INTERRUPT);

/// Listens for signals, once for the whole process.
pub fn listen() -> Result<()> {
    imp::listen().context("cannot listen for signals")
}

/// Takes the end of standard input for SIGTERM. Another program that holds its other end can end this one by it on
/// every system, and this one ends with that program, however that ends.
pub fn until_input_ends() {
    std::thread::spawn(|| {
        // What is there to read does not matter, and what cannot be read has ended.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        heard(TERMINATE);
    });
}

/// The flag for work that ends well by itself. From now on only a second Ctrl-C ends the process at once.
pub fn stop_flag() -> Arc<AtomicBool> {
    WATCHED.store(true, Ordering::Relaxed);
    STOP.clone()
}

/// The exit code of a process that a signal ended, as shells have it.
pub fn code() -> u8 {
    128 + SIGNAL.load(Ordering::Relaxed) as u8
}

fn heard(signal: i32) {
    let first = !STOP.swap(true, Ordering::Relaxed);
    if first {
        SIGNAL.store(signal, Ordering::Relaxed);
    }
    // A terminal that closes, and a system that shuts down, may send the same signal twice or several in a row; only a person who
    // presses Ctrl-C again does not want to wait.
    if !WATCHED.load(Ordering::Relaxed) || (!first && signal == INTERRUPT) {
        files::abandon();
        std::process::exit(code().into());
    }
}

#[cfg(unix)]
mod imp {
    use std::io;

    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::iterator::Signals;

    pub fn listen() -> io::Result<()> {
        let ignored = ignored();
        let mut signals =
            Signals::new([SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !ignored.contains(signal)))?;
        std::thread::spawn(move || signals.forever().for_each(super::heard));
        Ok(())
    }

    /// Signals that whoever started this process had it ignore, as `nohup` does with SIGHUP; known on Linux only.
    fn ignored() -> Vec<i32> {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
        (1..=64).filter(|signal| mask >> (signal - 1) & 1 == 1).collect()
    }
}

#[cfg(not(unix))]
mod imp {
    pub fn listen() -> Result<(), ctrlc::Error> {
        ctrlc::set_handler(|| super::heard(super::INTERRUPT))
    }
}
