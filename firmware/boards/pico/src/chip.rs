//! What the RP2040 has for the show: a timer in place of the cycle counter that its processor lacks, and a serial port.

use core::fmt::{self, Write};

use edgegen_board::Timer;
use embassy_rp::uart::{Blocking, UartTx};
use embassy_time::{Instant, TICK_HZ};

/// The chip's timer, in microseconds.
#[derive(Clone, Copy)]
pub struct Micros;

impl Timer for Micros {
    fn now(self) -> u32 {
        Instant::now().as_ticks() as u32
    }

    fn hertz(self) -> u32 {
        TICK_HZ as u32
    }
}

/// A serial port as text.
pub struct Serial(pub UartTx<'static, Blocking>);

impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.blocking_write(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
