//! edgegen on the BBC micro:bit V2 and its 25 LEDs: clocks, LEDs, then the app. README.md has the pins.

#![no_std]
#![no_main]

mod leds;

use core::hint::black_box;

use cortex_m::singleton;
use edgegen_app::{Show, show};
use edgegen_board::{Board, Clock, start_anew};
use edgegen_runtime::{Arena, embed_model};
use embassy_nrf::Peri;
use embassy_nrf::gpio::{AnyPin, Input, Level, Output, OutputDrive, Pull};
use embassy_nrf::wdt::{self, Watchdog};
use leds::Leds;

/// Working memory for the model, of 128 KiB.
const ARENA_BYTES: usize = 96 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in 1/32768 s.
const PATIENCE: u32 = 4 * 32_768;

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_nrf::init(Default::default());
    // Reset leaves the flash without its cache.
    embassy_nrf::pac::NVMC.icachecnf().write(|w| w.set_cacheen(true));
    let core = cortex_m::Peripherals::take().expect("main runs once");
    let clock = Clock::start(core.DCB, core.DWT, 64_000_000);
    let mut patience = wdt::Config::default();
    patience.timeout_ticks = PATIENCE;
    let Ok((_, [mut watchdog])) = Watchdog::try_new(p.WDT, patience) else { start_anew() };
    // Buttons A and B do the same.
    let [a, b] = [Input::new(p.P0_14, Pull::Up), Input::new(p.P0_23, Pull::Up)];

    let rows: [Peri<AnyPin>; leds::SIDE] =
        [p.P0_21.into(), p.P0_22.into(), p.P0_15.into(), p.P0_24.into(), p.P0_19.into()];
    let columns: [Peri<AnyPin>; leds::SIDE] =
        [p.P0_28.into(), p.P0_11.into(), p.P0_31.into(), p.P1_05.into(), p.P0_30.into()];
    let rows = rows.map(|pin| Output::new(pin, Level::Low, OutputDrive::Standard0HighDrive1));
    let columns = columns.map(|pin| Output::new(pin, Level::High, OutputDrive::Standard));
    let mut display = Leds::start(core.SYST, rows, columns);

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || a.is_low() || b.is_low(), || watchdog.pet());
    // One image of 5×5 after another, slowly: there is no room for a gallery or words.
    let first = Show::parse(concat!("walk ", env!("EDGEGEN_SHOW")));
    let first = Show { pace_millis: 100, gallery_millis: 1500, caption: false, ..first };
    show(&mut display, model, &mut arena.0, &first, board)
}
