//! What a person sees while it trains: a bar on a terminal, a line now and then elsewhere, nothing when quiet.

use std::io::IsTerminal as _;
use std::path::Path;
use std::time::{Duration, Instant};

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use crate::recipe::TrainConfig;
use crate::stderr;
use crate::systems::Losses;

/// Seconds between lines where there is no terminal.
const LINE_SECONDS: u64 = 10;

/// Files that are read before training begins: told from a second on, because most sets are there at once.
pub(super) struct Loading {
    quiet: bool,
    start: Instant,
    bar: Mutex<Option<ProgressBar>>,
    /// When the last line was printed, where there is no terminal.
    last: Mutex<Instant>,
}

impl Loading {
    pub(super) fn new(quiet: bool) -> Self {
        let start = Instant::now();
        Self { quiet, start, bar: Mutex::new(None), last: Mutex::new(start) }
    }

    /// `done` files of `total` have been read; called from several threads.
    pub(super) fn file(&self, done: usize, total: usize) {
        if self.quiet || self.start.elapsed() < Duration::from_secs(1) {
            return;
        }
        let Ok(mut bar) = self.bar.lock() else { return };
        if std::io::stderr().is_terminal() {
            let bar = bar.get_or_insert_with(|| {
                let style = ProgressStyle::with_template("reading images {bar:30} {pos}/{len} {elapsed} + {eta}")
                    .expect("the template is a constant");
                ProgressBar::new(total as u64).with_style(style)
            });
            bar.set_position(done as u64);
        } else if let Ok(mut last) = self.last.lock()
            && last.elapsed() >= Duration::from_secs(LINE_SECONDS)
        {
            *last = Instant::now();
            let left = self.start.elapsed().as_secs_f64() * (total - done) as f64 / done.max(1) as f64;
            stderr::line(&format!("reading images: {done}/{total} · {left:.0} s left"));
        }
    }

    pub(super) fn finish(&self) {
        if let Ok(bar) = self.bar.lock()
            && let Some(bar) = &*bar
        {
            bar.finish_and_clear();
        }
    }
}

pub(super) struct Progress {
    kind: Kind,
    first: u64,
    steps: u64,
    images_per_step: u64,
    start: Instant,
}

enum Kind {
    Quiet,
    Bar(ProgressBar),
    Lines { last: Instant },
}

impl Progress {
    pub(super) fn new(quiet: bool, first: u64, config: &TrainConfig) -> Self {
        let kind = if quiet {
            Kind::Quiet
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(config.steps).with_position(first);
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed} + {eta}")
                .expect("the template is a constant");
            bar.set_style(style);
            bar.reset_eta();
            Kind::Bar(bar)
        } else {
            Kind::Lines { last: Instant::now() }
        };
        Self {
            kind,
            first,
            steps: config.steps,
            images_per_step: (config.batch * config.critic_steps) as u64,
            start: Instant::now(),
        }
    }

    pub(super) fn step(&mut self, step: u64, losses: &Losses) {
        let seconds = self.start.elapsed().as_secs_f64();
        let rate = (step - self.first) as f64 / seconds.max(1e-9);
        let message = || {
            let losses: Vec<_> = losses.iter().map(|(name, value)| format!("{name} {value:.3}")).collect();
            let images = rate * self.images_per_step as f64;
            format!("{} · {images:.0} images/s", losses.join(" · "))
        };
        match &mut self.kind {
            Kind::Quiet => {}
            Kind::Bar(bar) => {
                bar.set_position(step);
                bar.set_message(message());
            }
            Kind::Lines { last } => {
                if last.elapsed() >= Duration::from_secs(LINE_SECONDS) || step == self.steps {
                    *last = Instant::now();
                    let left = (self.steps - step) as f64 / rate;
                    let line = format!("step {step}/{} · {} · {left:.0} s left", self.steps, message());
                    stderr::line(&line);
                }
            }
        }
    }

    /// A line that a person should see, above the bar.
    pub(super) fn say(&self, line: &str) {
        match &self.kind {
            Kind::Quiet => {}
            Kind::Bar(bar) => bar.println(line),
            Kind::Lines { .. } => stderr::line(line),
        }
    }

    pub(super) fn finish(&self, stopped: bool, out: &Path) {
        if let Kind::Bar(bar) = &self.kind {
            bar.abandon();
        }
        if stopped && !matches!(self.kind, Kind::Quiet) {
            stderr::line(&format!("stopped; everything is saved in {}, --resume goes on", out.display()));
        }
    }
}
