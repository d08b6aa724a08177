//! SysTick, the timer of every Cortex-M.

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// SysTick counts down in 24 bits.
const MASK: u32 = 0x00FF_FFFF;

/// Ticks of the processor clock. In QEMU with `-icount shift=0`, one instruction a nanosecond, they count instructions:
/// 1000 for as many ticks as the clock has MHz.
pub struct Ticks {
    ticks: u32,
    last: u32,
}

impl Ticks {
    /// Starts the count.
    pub fn start(mut systick: SYST) -> Self {
        systick.set_reload(MASK);
        systick.clear_current();
        systick.set_clock_source(SystClkSource::Core);
        systick.enable_counter();
        Self { ticks: 0, last: MASK }
    }

    /// Ticks since the start, wrapping. Right while it is asked at least every 2²⁴ ticks: at 50 MHz every 0.3 s, which is
    /// 335 million instructions, at slower clocks more rarely.
    pub fn now(&mut self) -> u32 {
        let now = SYST::get_current();
        self.ticks = self.ticks.wrapping_add(self.last.wrapping_sub(now) & MASK);
        self.last = now;
        self.ticks
    }
}
