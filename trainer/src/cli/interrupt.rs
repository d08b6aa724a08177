//! Ctrl-C: training saves and ends well, everything else ends at once, and nobody leaves half-written files.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};

use crate::files;

/// Set by the first Ctrl-C.
static STOP: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);
/// Whether somebody looks at [`STOP`].
static WATCHED: AtomicBool = AtomicBool::new(false);

/// Listens for Ctrl-C, once for the whole process.
pub fn listen() -> Result<()> {
    ctrlc::set_handler(|| {
        let first = !STOP.swap(true, Ordering::Relaxed);
        if !(first && WATCHED.load(Ordering::Relaxed)) {
            files::abandon();
            std::process::exit(130);
        }
    })
    .context("cannot listen for Ctrl-C")
}

/// The flag for work that ends well by itself. From now on only a second Ctrl-C ends the process at once.
pub fn stop_flag() -> Arc<AtomicBool> {
    WATCHED.store(true, Ordering::Relaxed);
    STOP.clone()
}
