//! Tests that need two crates at once.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod art;
mod boards;
mod boards_link;
mod browser;
mod direction;
mod documents;
mod example;
mod fold;
mod gallery;
mod golden;
mod keyframes;
mod latent;
mod pico;
mod pictures;
mod previous;
mod proof;
mod raspi;
mod raspi_linux;
mod regressions;
mod show;
mod sound;
mod styles;
mod targets;
mod toolchain;
