//! What boards with a Cortex-M share, so that a board's `main.rs` holds nothing but its clocks, pins and panel.
//!
//! | module | what it gives |
//! |---|---|
//! | [`board`] | what the show asks of a board: clock, button, watchdog, a line to the host |
//! | [`clock`] | time, by the processor's cycle counter where it has one (Cortex-M0 has none) |
//! | [`fault`] | what happens where nothing can go on: the board starts anew |
//! | [`lcd`] | colour panels on SPI, fed by DMA |
//! | [`oled`] | an SSD1306 or SH1106 that may be missing, or come later |
//!
//! Panic handler and hard fault come with it, on a chip; the tests run on the host.

#![no_std]
#![deny(missing_docs, missing_debug_implementations, unsafe_code, rustdoc::broken_intra_doc_links)]

#[cfg(test)]
extern crate std;

pub mod board;
pub mod clock;
#[cfg(target_os = "none")]
pub mod fault;
pub mod lcd;
pub mod oled;

pub use board::Board;
#[cfg(cycle_counter)]
pub use clock::Clock;
pub use clock::Timer;
#[cfg(target_os = "none")]
pub use fault::start_anew;
