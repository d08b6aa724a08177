//! Lines on standard error. Who listens may stop, as `2>&1 | head -1` does; what goes on there goes on all the same, which
//! `eprintln!` would end with a panic.

use std::io::Write;

/// Writes a line, if anybody listens.
pub fn line(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
