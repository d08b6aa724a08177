//! edgegen on the nRF52840 DK: clocks, bus, display, then the app. README.md has pins and wiring.

#![no_std]
#![no_main]

use core::hint::black_box;

use cortex_m::singleton;
use edgegen_app::{Buffered, PanelSetup, Show, show};
use edgegen_board::oled::Oled;
use edgegen_board::{Board, Clock, start_anew};
use edgegen_runtime::{Arena, embed_model};
use embassy_nrf::gpio::{Input, Pull};
use embassy_nrf::twim::{self, Frequency, Twim};
use embassy_nrf::wdt::{self, Watchdog};
use embassy_nrf::{bind_interrupts, peripherals};

/// Working memory for the model, of 256 KiB.
const ARENA_BYTES: usize = 192 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in 1/32768 s.
const PATIENCE: u32 = 4 * 32_768;

bind_interrupts!(struct Interrupts {
    TWISPI0 => twim::InterruptHandler<peripherals::TWISPI0>;
});

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
    let button = Input::new(p.P0_11, Pull::Up);

    let mut config = twim::Config::default();
    // The controller's fastest.
    config.frequency = Frequency::K400;
    (config.sda_pullup, config.scl_pullup) = (true, true);
    // The bus reads from RAM alone: what lies in flash goes through here.
    let buffer = singleton!(: [u8; 32] = [0; 32]).expect("main runs once");
    let bus = Twim::new(p.TWISPI0, Interrupts, p.P0_26, p.P0_27, config, buffer);
    let setup = PanelSetup::parse(env!("EDGEGEN_PANEL"));
    let panel = if cfg!(feature = "sh1106") { Oled::sh1106(bus, &setup) } else { Oled::ssd1306(bus, &setup) };
    let mut display = Buffered::new(panel, Oled::flush);

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_low(), || watchdog.pet());
    show(&mut display, model, &mut arena.0, &Show::parse(env!("EDGEGEN_SHOW")), board)
}
