//! What `just asan` runs once more with AddressSanitizer: all that brings bytes of any kind to the parser and to the
//! kernels.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod damage;
mod packings;
mod rows;
