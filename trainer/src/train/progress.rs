//! What a person sees while it trains: a bar on a terminal, a line now and then elsewhere, nothing when quiet.

use std::io::{IsTerminal as _, Write as _};
use std::path::Path;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::recipe::TrainConfig;
use crate::systems::Losses;

/// Seconds between lines where there is no terminal.
const LINE_SECONDS: u64 = 10;

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
                    print(&line);
                }
            }
        }
    }

    /// A line that a person should see, above the bar.
    pub(super) fn say(&self, line: &str) {
        match &self.kind {
            Kind::Quiet => {}
            Kind::Bar(bar) => bar.println(line),
            Kind::Lines { .. } => print(line),
        }
    }

    pub(super) fn finish(&self, stopped: bool, out: &Path) {
        if let Kind::Bar(bar) = &self.kind {
            bar.abandon();
        }
        if stopped && !matches!(self.kind, Kind::Quiet) {
            print(&format!("stopped; everything is saved in {}, --resume goes on", out.display()));
        }
    }
}

/// Training goes on when nobody listens any more.
fn print(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}
