//! What all programs for QEMU's lm3s6965evb share: the chip's memory map and its clock, and the host behind the debug port.

#![no_std]

pub mod clock;
pub use edgegen_emulated::host;
