//! The chip's pins and SSI0, as far as the panel needs them.
//!
//! Texas Instruments, Stellaris LM3S6965 Microcontroller data sheet (SPMS006): chapters 5 "System Control", 8 "GPIO" and 13
//! "SSI", whose port is ARM's PrimeCell PL022 (DDI 0194). On the evaluation board (EK-LM3S6965) the panel hangs on PA2 clock,
//! PA3 select, PA5 data, PC7 data/command; PD0 high keeps the memory card off the same bus.

use crate::ssd0323::Bus;

/// System control, at 0x400F_E000.
mod sysctl {
    /// Clock gates; bit 4: SSI0.
    pub const RCGC1: usize = 0x400F_E104;
    pub const RCGC1_SSI0: u32 = 1 << 4;
    /// Clock gates; bits 0, 2, 3: GPIO A, C, D.
    pub const RCGC2: usize = 0x400F_E108;
    pub const RCGC2_PORTS: u32 = 1 << 0 | 1 << 2 | 1 << 3;
}

/// GPIO ports and the registers in each.
mod gpio {
    pub const PORT_A: usize = 0x4000_4000;
    pub const PORT_C: usize = 0x4000_6000;
    pub const PORT_D: usize = 0x4000_7000;
    /// Data, with a mask of pins in address bits 9…2: a write changes these pins alone.
    pub const fn data(pins: u32) -> usize {
        (pins as usize) << 2
    }
    /// Direction; 1 is output.
    pub const DIR: usize = 0x400;
    /// Alternate function; 1 gives the pin to its peripheral.
    pub const AFSEL: usize = 0x420;
    /// Digital enable.
    pub const DEN: usize = 0x51C;
    /// PA2, PA3, PA5: SSI0's clock, select and data out.
    pub const SSI0_PINS: u32 = 1 << 2 | 1 << 3 | 1 << 5;
    /// PC7: high for data, low for commands.
    pub const DATA_COMMAND: u32 = 1 << 7;
    /// PD0: low selects the memory card.
    pub const CARD_SELECT: u32 = 1 << 0;
}

/// SSI0, a PL022, at 0x4000_8000.
mod ssi {
    /// Frame format: clock rate in bits 15…8, SPH bit 7, SPO bit 6, size − 1 in bits 3…0.
    pub const CR0: usize = 0x4000_8000;
    /// 50 MHz / (10 · (1 + 0)) = 5 MHz; idle high, second edge; 8 bits. The panel takes up to 5 MHz.
    pub const CR0_PANEL: u32 = 1 << 7 | 1 << 6 | 7;
    /// Bit 1 enables the port.
    pub const CR1: usize = 0x4000_8004;
    pub const CR1_ENABLE: u32 = 1 << 1;
    /// Write: into the transmit FIFO; read: out of the receive FIFO. Eight frames each.
    pub const DR: usize = 0x4000_8008;
    /// Status.
    pub const SR: usize = 0x4000_800C;
    pub const SR_TRANSMIT_NOT_FULL: u32 = 1 << 1;
    pub const SR_RECEIVE_NOT_EMPTY: u32 = 1 << 2;
    pub const SR_BUSY: u32 = 1 << 4;
    /// Clock prescale divisor, even.
    pub const CPSR: usize = 0x4000_8010;
    pub const CPSR_PANEL: u32 = 10;
}

/// SSI0 with the panel's data/command line.
pub struct Ssi0Panel(());

impl Ssi0Panel {
    /// Sets up port and pins, for a processor clock of 50 MHz. To be called once.
    pub fn new() -> Self {
        write(sysctl::RCGC1, sysctl::RCGC1_SSI0);
        write(sysctl::RCGC2, sysctl::RCGC2_PORTS);
        read(sysctl::RCGC2); // a gate needs a few cycles to open
        write(gpio::PORT_A + gpio::AFSEL, gpio::SSI0_PINS);
        write(gpio::PORT_A + gpio::DEN, gpio::SSI0_PINS);
        for (port, pin) in [(gpio::PORT_C, gpio::DATA_COMMAND), (gpio::PORT_D, gpio::CARD_SELECT)] {
            // PC0…PC3 are the debug port: the other pins stay what they are.
            write(port + gpio::DIR, read(port + gpio::DIR) | pin);
            write(port + gpio::DEN, read(port + gpio::DEN) | pin);
            write(port + gpio::data(pin), pin);
        }

        write(ssi::CR1, 0);
        write(ssi::CPSR, ssi::CPSR_PANEL);
        write(ssi::CR0, ssi::CR0_PANEL);
        write(ssi::CR1, ssi::CR1_ENABLE);
        Self(())
    }

    /// Sends bytes and returns when the last bit is out, so that the data/command line may change.
    fn send(&mut self, data_command: u32, bytes: &[u8]) {
        write(gpio::PORT_C + gpio::data(gpio::DATA_COMMAND), data_command);
        for &byte in bytes {
            while read(ssi::SR) & ssi::SR_TRANSMIT_NOT_FULL == 0 {
                drain();
            }
            write(ssi::DR, u32::from(byte));
            drain();
        }
        while read(ssi::SR) & ssi::SR_BUSY != 0 {
            drain();
        }
        drain();
    }
}

impl Bus for Ssi0Panel {
    fn command(&mut self, bytes: &[u8]) {
        self.send(0, bytes);
    }

    fn data(&mut self, bytes: &[u8]) {
        self.send(gpio::DATA_COMMAND, bytes);
    }
}

/// Empties the receive FIFO. Each frame sent brings one in, of no meaning here; QEMU's PL022 stops once eight are in.
fn drain() {
    while read(ssi::SR) & ssi::SR_RECEIVE_NOT_EMPTY != 0 {
        read(ssi::DR);
    }
}

fn read(register: usize) -> u32 {
    // SAFETY: callers pass the registers named in this file alone: aligned, always mapped, and none of them memory that
    // Rust knows of. Single core, no interrupts: nothing else uses them.
    unsafe { (register as *const u32).read_volatile() }
}

fn write(register: usize, value: u32) {
    // SAFETY: as for `read`.
    unsafe { (register as *mut u32).write_volatile(value) }
}
