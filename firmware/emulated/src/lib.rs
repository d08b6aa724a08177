//! What all programs for a Cortex-M in QEMU share, whatever machine it sits in: the host behind it, and a counter of
//! instructions.
//!
//! Panic handler and hard fault come with it: both tell the host where and why, and end with a failure.

#![no_std]

pub mod host;
pub mod ticks;
