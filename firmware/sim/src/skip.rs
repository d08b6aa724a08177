//! Tests that need an emulator or a compiler which is not everywhere.

use std::io::Write;

use anyhow::Result;

/// What a test needs, when it was found. Otherwise says on the terminal that `test` is skipped, and why.
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
            // Not by `eprintln!`, which libtest takes for output of the test: that of a passing test is not shown.
            let _ = writeln!(std::io::stderr(), "skipped {test}: {missing:#}");
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
