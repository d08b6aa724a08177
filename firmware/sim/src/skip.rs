//! Tests that need an emulator or a compiler which is not everywhere.

use std::collections::BTreeSet;
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::thread;

use anyhow::Result;

/// The lines that have been said.
static TOLD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// What a test needs, when it was found. Otherwise says on the terminal that the test is skipped, what it is, and why.
///
/// # Panics
///
/// When it was not found and the environment variable `required` is set: `./x test` sets it once it has installed
/// everything.
pub fn or_skip<T>(found: Result<T>, test: &str, required: &str) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(missing) => {
            assert!(std::env::var_os(required).is_none(), "{required} is set, and {test} cannot run: {missing:#}");
            // libtest names the thread after the test.
            let line = format!("skipped {}, {test}: {missing:#}", thread::current().name().unwrap_or_default());
            // Not by `eprintln!`, which libtest takes for output of the test: that of a passing test is not shown.
            // A test may ask again and again; if another one has failed while it told, that matters to nobody.
            if TOLD.lock().unwrap_or_else(PoisonError::into_inner).insert(line.clone()) {
                let _ = writeln!(std::io::stderr(), "{line}");
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_is_missing_fails_where_it_is_required() {
        assert_eq!(or_skip(Ok(1), "nothing", "HOME"), Some(1));
        // Cargo sets it for every test.
        let required = || or_skip(Err::<(), _>(anyhow!("no emulator")), "nothing", "CARGO_MANIFEST_DIR");
        let failed = *catch_unwind(required).unwrap_err().downcast::<String>().unwrap();
        assert!(failed.contains("nothing cannot run: no emulator"), "{failed}");
    }
}
