//! edgegen on the STM32F429 Discovery: clocks, bus, display, then the app. README.md has the pins.

#![no_std]
#![no_main]

use core::hint::black_box;
use core::pin::pin;

use cortex_m::singleton;
use edgegen_app::{DoubleBuffered, Polled, Show, show};
use edgegen_board::lcd::{Lcd, ROW_BYTES};
use edgegen_board::{Board, Clock, start_anew};
use edgegen_runtime::{Arena, embed_model};
use embassy_stm32::Peri;
use embassy_stm32::bind_interrupts;
use embassy_stm32::dma::InterruptHandler;
use embassy_stm32::gpio::{AnyPin, Input, Level, Output, Pull, Speed};
use embassy_stm32::peripherals::DMA2_CH4;
use embassy_stm32::rcc::{APBPrescaler, Hse, HseMode, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::spi::{Config, Spi};
use embassy_stm32::time::{khz, mhz};
use embassy_stm32::wdg::IndependentWatchdog;
use embedded_graphics::geometry::Size;
use embedded_graphics::pixelcolor::Rgb565;
use mipidsi::Builder;
use mipidsi::models::ILI9341Rgb565;
use mipidsi::options::{ColorOrder, Orientation, Rotation};

/// Working memory for the model, of 192 KiB.
const ARENA_BYTES: usize = 128 * 1024;

/// How long the program may take from one feeding of the watchdog to the next, in microseconds.
const PATIENCE: u32 = 4_000_000;

bind_interrupts!(struct Interrupts {
    DMA2_STREAM4 => InterruptHandler<DMA2_CH4>;
});

#[cortex_m_rt::entry]
fn main() -> ! {
    let p = embassy_stm32::init(clocks());
    // Reset leaves the flash without its cache and prefetch; at 168 MHz a word would take six cycles.
    embassy_stm32::pac::FLASH.acr().modify(|w| {
        w.set_icen(true);
        w.set_dcen(true);
        w.set_prften(true);
    });
    let core = cortex_m::Peripherals::take().expect("main runs once");
    let mut clock = Clock::start(core.DCB, core.DWT, 168_000_000);
    let mut watchdog = IndependentWatchdog::new(p.IWDG, PATIENCE);
    watchdog.unleash();
    let button = Input::new(p.PA0, Pull::Down);

    let mut config = Config::default();
    // An eighth of the bus clock. The controller's data sheet ends at 10 MHz, the next step is half of this.
    config.frequency = khz(10_500);
    let bus = Spi::new_txonly(p.SPI5, p.PF7, p.PF9, p.DMA2_CH4, Interrupts, config);
    let [select, data_command] = [p.PC2.into(), p.PD13.into()].map(high);
    let mut lcd = Lcd::new(bus, select, data_command);
    let panel = Builder::new(ILI9341Rgb565, lcd.interface()).color_order(ColorOrder::Bgr);
    // Upright with the debug probe's socket at the top.
    let panel = panel.orientation(Orientation::new().rotate(Rotation::Deg180));
    if panel.init(&mut clock).is_err() {
        start_anew();
    }
    let rows = singleton!(: [[u8; ROW_BYTES]; 2] = [[0; ROW_BYTES]; 2]).expect("main runs once");
    let under_way = pin!(None);
    let bus = Polled::new(lcd, under_way, Lcd::send);
    let mut display =
        DoubleBuffered::<_, Rgb565>::new(bus, Size::new(240, 320), rows.each_mut().map(|row| &mut row[..]));

    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let board = Board::new(clock, || button.is_high(), || watchdog.pet());
    show(&mut display, model, &mut arena.0, &Show::parse(env!("EDGEGEN_SHOW")), board)
}

/// A fast output, high.
fn high(pin: Peri<'static, AnyPin>) -> Output<'static> {
    Output::new(pin, Level::High, Speed::High)
}

/// 168 MHz from the board's crystal of 8 MHz.
fn clocks() -> embassy_stm32::Config {
    let mut config = embassy_stm32::Config::default();
    config.rcc.hse = Some(Hse { freq: mhz(8), mode: HseMode::Oscillator });
    config.rcc.pll_src = PllSource::HSE;
    config.rcc.pll =
        Some(Pll { prediv: PllPreDiv::DIV4, mul: PllMul::MUL168, divp: Some(PllPDiv::DIV2), divq: None, divr: None });
    config.rcc.sys = Sysclk::PLL1_P;
    // 42 and 84 MHz, the most on these buses.
    config.rcc.apb1_pre = APBPrescaler::DIV4;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    config
}
