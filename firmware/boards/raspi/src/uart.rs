//! The PL011 on GPIO 14 (pin 8 of the header): 115 200 baud, 8N1. ARM DDI 0183, chapter 3 "Programmers model".

use core::fmt;

use crate::registers::{GPFSEL1, UART, read, write};

const DR: usize = UART;
const FR: usize = UART + 0x18;
const FR_TRANSMIT_FULL: u32 = 1 << 5;
const IBRD: usize = UART + 0x24;
const FBRD: usize = UART + 0x28;
const LCRH: usize = UART + 0x2C;
/// Eight bits, with FIFOs.
const LCRH_8N1: u32 = 3 << 5 | 1 << 4;
const CR: usize = UART + 0x30;
/// On, sending only.
const CR_SEND: u32 = 1 << 0 | 1 << 8;

/// The serial port.
pub struct Uart(());

impl Uart {
    /// Sets up pin and port; its clock is 48 MHz, and 48 MHz / (16 · (26 + 3/64)) is 115 177.
    pub fn new() -> Self {
        write(CR, 0);
        write(GPFSEL1, read(GPFSEL1) & !(7 << 12) | 4 << 12);
        write(IBRD, 26);
        write(FBRD, 3);
        write(LCRH, LCRH_8N1);
        write(CR, CR_SEND);
        Self(())
    }
}

impl fmt::Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while read(FR) & FR_TRANSMIT_FULL != 0 {}
            write(DR, u32::from(byte));
        }
        Ok(())
    }
}
