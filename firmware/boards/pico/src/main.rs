//! edgegen on the Raspberry Pi Pico: clocks, bus, display, then the app. README.md has pins and wiring.

#![no_std]
#![no_main]

#[cfg_attr(feature = "st7789", path = "st7789.rs")]
#[cfg_attr(not(feature = "st7789"), path = "ssd1306.rs")]
mod panel;

use core::fmt::{self, Write};
use core::hint::black_box;

use cortex_m::singleton;
use edgegen_app::Platform;
use edgegen_board as _; // panic and hard fault
use edgegen_runtime::{Arena, embed_model};
use embassy_rp::gpio::{Input, Pull};
use embassy_rp::uart::{self, Blocking, UartTx};
use embassy_rp::watchdog::Watchdog;
use embassy_time::{Duration, Instant, TICK_HZ};

/// Working memory for the model, of 264 KiB.
const ARENA_BYTES: usize = 192 * 1024;

/// How long the program may take from one feeding of the watchdog to the next.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long a button's contacts may bounce, in ticks of a microsecond.
const BOUNCE: u32 = 20_000;

#[cortex_m_rt::entry]
fn main() -> ! {
    // The defaults: 125 MHz from the crystal of 12 MHz.
    let p = embassy_rp::init(Default::default());
    let mut watchdog = Watchdog::new(p.WATCHDOG);
    watchdog.start(PATIENCE);
    let button = Input::new(p.PIN_12, Pull::Up);
    let host = Host(UartTx::new_blocking(p.UART0, p.PIN_0, uart::Config::default()));

    #[cfg(feature = "st7789")]
    let wires = panel::Wires {
        spi: p.SPI0,
        dma: p.DMA_CH0,
        clock: p.PIN_18,
        data: p.PIN_19,
        select: p.PIN_17,
        data_command: p.PIN_16,
        backlight: p.PIN_20,
    };
    #[cfg(not(feature = "st7789"))]
    let wires = panel::Wires { i2c: p.I2C0, clock: p.PIN_5, data: p.PIN_4 };

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let pico = Pico { watchdog, button, down: false, moved: 0, host };
    panel::run(wires, model, &mut arena.0, pico)
}

/// Clock, button, watchdog and serial port.
struct Pico {
    watchdog: Watchdog,
    button: Input<'static>,
    down: bool,
    /// When the button last went down or up.
    moved: u32,
    host: Host,
}

impl Platform for Pico {
    fn ticks(&mut self) -> u32 {
        Instant::now().as_ticks() as u32
    }

    fn ticks_per_second(&self) -> u32 {
        TICK_HZ as u32
    }

    fn pressed(&mut self) -> bool {
        let (now, down) = (self.ticks(), self.button.is_low());
        if down == self.down || now.wrapping_sub(self.moved) < BOUNCE {
            return false;
        }
        (self.down, self.moved) = (down, now);
        down
    }

    fn feed(&mut self) {
        self.watchdog.feed(PATIENCE);
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        let _ = writeln!(self.host, "{line}");
    }
}

/// The serial port as text.
struct Host(UartTx<'static, Blocking>);

impl Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.blocking_write(text.as_bytes()).map_err(|_| fmt::Error)
    }
}
