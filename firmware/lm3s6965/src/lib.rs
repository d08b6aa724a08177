//! What all programs for QEMU's lm3s6965evb share: the chip's memory map, its clock, and the host behind the debug port.
//!
//! Panic handler and hard fault come with it: both tell the host where and why, and end with a failure.

#![no_std]

pub mod clock;
pub mod host;
