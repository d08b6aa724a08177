//! Clocks, and the flash at their pace.

use embassy_stm32::rcc::{APBPrescaler, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::{Config, Peripherals, init, pac};

/// The processor's clock.
pub const HERTZ: u32 = 100_000_000;

/// 100 MHz from the chip's own oscillator of 16 MHz: boards come with crystals of 25 and of 8 MHz.
pub fn start() -> Peripherals {
    let mut config = Config::default();
    config.rcc.pll_src = PllSource::HSI;
    config.rcc.pll =
        Some(Pll { prediv: PllPreDiv::DIV8, mul: PllMul::MUL100, divp: Some(PllPDiv::DIV2), divq: None, divr: None });
    config.rcc.sys = Sysclk::PLL1_P;
    // At most 50 MHz on this bus.
    config.rcc.apb1_pre = APBPrescaler::DIV2;
    let peripherals = init(config);
    // Reset leaves the flash without its cache and prefetch; at 100 MHz a word would take four cycles.
    pac::FLASH.acr().modify(|w| {
        w.set_icen(true);
        w.set_dcen(true);
        w.set_prften(true);
    });
    peripherals
}
