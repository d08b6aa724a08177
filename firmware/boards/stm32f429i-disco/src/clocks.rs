//! Clocks, and the flash at their pace.

use embassy_stm32::rcc::{APBPrescaler, Hse, HseMode, Pll, PllMul, PllPDiv, PllPreDiv, PllSource, Sysclk};
use embassy_stm32::time::mhz;
use embassy_stm32::{Config, Peripherals, init, pac};

/// The processor's clock.
pub const HERTZ: u32 = 168_000_000;

/// 168 MHz from the board's crystal of 8 MHz.
pub fn start() -> Peripherals {
    let mut config = Config::default();
    config.rcc.hse = Some(Hse { freq: mhz(8), mode: HseMode::Oscillator });
    config.rcc.pll_src = PllSource::HSE;
    config.rcc.pll =
        Some(Pll { prediv: PllPreDiv::DIV4, mul: PllMul::MUL168, divp: Some(PllPDiv::DIV2), divq: None, divr: None });
    config.rcc.sys = Sysclk::PLL1_P;
    // 42 and 84 MHz, the most on these buses.
    config.rcc.apb1_pre = APBPrescaler::DIV4;
    config.rcc.apb2_pre = APBPrescaler::DIV2;
    let peripherals = init(config);
    // Reset leaves the flash without its cache and prefetch; at 168 MHz a word would take six cycles.
    pac::FLASH.acr().modify(|w| {
        w.set_icen(true);
        w.set_dcen(true);
        w.set_prften(true);
    });
    peripherals
}
