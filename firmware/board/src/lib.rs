//! What boards with a Cortex-M share, so that a board's `main.rs` holds nothing but its clocks, pins and panel.
//!
//! | module | what it gives |
//! |---|---|
//! | [`board`] | what the show asks of a board: clock, button, watchdog; not for Cortex-M0, whose clocks differ |
//! | [`clock`] | time by the processor's cycle counter, which Cortex-M0 does not have |
//! | [`fault`] | what happens where nothing can go on: the board starts anew |
//! | [`oled`] | an SSD1306 that may be missing, or come later (feature `ssd1306`) |
//!
//! Panic handler and hard fault come with it.

#![no_std]
#![deny(missing_docs, unsafe_code, rustdoc::broken_intra_doc_links)]

#[cfg(cycle_counter)]
pub mod board;
#[cfg(cycle_counter)]
pub mod clock;
pub mod fault;
#[cfg(feature = "ssd1306")]
pub mod oled;

#[cfg(cycle_counter)]
pub use board::Board;
#[cfg(cycle_counter)]
pub use clock::Clock;
pub use fault::start_anew;
