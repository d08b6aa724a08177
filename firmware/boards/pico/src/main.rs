//! edgegen on the Raspberry Pi Pico: clocks, bus, display, then the app. README.md has pins and wiring.

#![no_std]
#![no_main]

mod chip;
#[cfg_attr(any(feature = "st7789", feature = "st7735"), path = "st7789.rs")]
#[cfg_attr(not(any(feature = "st7789", feature = "st7735")), path = "ssd1306.rs")]
mod panel;
#[cfg(feature = "sound")]
mod speaker;

use core::hint::black_box;

use chip::{Micros, Serial};
use cortex_m::singleton;
use edgegen_board::Board;
use edgegen_runtime::{Arena, embed_model};
use embassy_rp::gpio::{Input, Pull};
use embassy_rp::uart::UartTx;
use embassy_rp::watchdog::Watchdog;
use embassy_time::Duration;

/// Working memory for the model, of 264 KiB.
const ARENA_BYTES: usize = 192 * 1024;

/// How long the program may take from one feeding of the watchdog to the next.
const PATIENCE: Duration = Duration::from_secs(4);

#[cortex_m_rt::entry]
fn main() -> ! {
    // The defaults: 125 MHz from the crystal of 12 MHz.
    let p = embassy_rp::init(Default::default());
    let mut watchdog = Watchdog::new(p.WATCHDOG);
    watchdog.start(PATIENCE);
    let button = Input::new(p.PIN_12, Pull::Up);
    let host = Serial(UartTx::new_blocking(p.UART0, p.PIN_0, Default::default()));

    #[cfg(any(feature = "st7789", feature = "st7735"))]
    let wires = panel::Wires {
        spi: p.SPI0,
        dma: p.DMA_CH0,
        clock: p.PIN_18,
        data: p.PIN_19,
        select: p.PIN_17,
        data_command: p.PIN_16,
        backlight: p.PIN_20,
    };
    #[cfg(not(any(feature = "st7789", feature = "st7735")))]
    let wires = panel::Wires { i2c: p.I2C0, clock: p.PIN_5, data: p.PIN_4 };

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(Micros, || button.is_low(), || watchdog.feed(PATIENCE)).with_host(host);
    #[cfg(feature = "sound")]
    let board =
        edgegen_app::WithSpeaker { platform: board, speaker: speaker::Pin::new(p.PIN_22, p.PWM_SLICE3, p.PWM_SLICE4) };
    panel::run(wires, model, &mut arena.0, board)
}
