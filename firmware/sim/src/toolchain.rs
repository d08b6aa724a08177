//! Cargo and Rust's compiler, as the tools and tests of this repository start them: `rust-toolchain.toml` decides,
//! whatever the environment says of Rust. Inside `cargo +nightly test`, for example, it asks for nightly.
//!
//! The script `firmware/arm` cleans the environment, for people at a shell too. A test sees to it that no other file
//! starts it, cargo or a compiler.

use std::process::{Command, Stdio};

use anyhow::Result;

use crate::folder::root;

/// A program of Rust's for this machine, `cargo`, `rustc` or `rustup`, in the folder `firmware`. Variables such as
/// `RUSTFLAGS` do not reach it, not even those set on this command: settings go by arguments, such as cargo's
/// `--config`.
///
/// # Errors
///
/// When the folder `firmware` is not there.
pub fn host(program: &str) -> Result<Command> {
    let mut command = arm("")?;
    command.args(["--host", program]);
    Ok(command)
}

/// Cargo for boards, in `folder`, a program of the folder `firmware`: the script `firmware/arm`, whose arguments are
/// still to be said.
///
/// # Errors
///
/// When that folder is not there.
pub fn arm(folder: &str) -> Result<Command> {
    let root = root()?;
    let mut command = Command::new(root.join("arm"));
    command.current_dir(root.join(folder)).stdin(Stdio::null());
    Ok(command)
}
