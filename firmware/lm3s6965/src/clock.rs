//! Processor clock and SysTick.
//!
//! Texas Instruments, Stellaris LM3S6965 Microcontroller data sheet (SPMS006), chapter 5 "System Control".

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;

/// Raw interrupt status; bit 6: the PLL has locked.
const RIS: *const u32 = 0x400F_E050 as *const u32;
const RIS_PLL_LOCKED: u32 = 1 << 6;
/// Run-mode clock configuration.
const RCC: *mut u32 = 0x400F_E060 as *mut u32;
/// The PLL is bypassed; PLL and main oscillator are off, see [`RCC_XTAL_8MHZ`].
const RCC_BYPASS: u32 = 1 << 11;
/// Divide the PLL's 200 MHz by SYSDIV + 1 = 4.
const RCC_DIVIDE_BY_4: u32 = 1 << 22 | 3 << 23;
/// 8 MHz crystal on the main oscillator; PWRDN (bit 13) and MOSCDIS (bit 0) clear.
const RCC_XTAL_8MHZ: u32 = 0xE << 6;

/// SysTick counts down in 24 bits.
const SYSTICK_MASK: u32 = 0x00FF_FFFF;

/// Ticks of the 50 MHz processor clock, in QEMU with `-icount shift=0` one for 20 instructions.
pub struct Ticks {
    ticks: u32,
    last: u32,
}

impl Ticks {
    /// Raises the processor clock to 50 MHz and starts the count.
    pub fn start(mut systick: SYST) -> Self {
        // SAFETY: aligned registers of the chip that no other code uses, and no memory that Rust knows of.
        unsafe {
            RCC.write_volatile(RCC_XTAL_8MHZ | RCC_DIVIDE_BY_4 | RCC_BYPASS);
            while RIS.read_volatile() & RIS_PLL_LOCKED == 0 {}
            RCC.write_volatile(RCC_XTAL_8MHZ | RCC_DIVIDE_BY_4);
        }
        systick.set_reload(SYSTICK_MASK);
        systick.clear_current();
        systick.set_clock_source(SystClkSource::Core);
        systick.enable_counter();
        Self { ticks: 0, last: SYSTICK_MASK }
    }

    /// Ticks since the start, wrapping. Right while it is asked at least every 0.3 s (335 million instructions).
    pub fn now(&mut self) -> u32 {
        let now = SYST::get_current();
        self.ticks = self.ticks.wrapping_add(self.last.wrapping_sub(now) & SYSTICK_MASK);
        self.last = now;
        self.ticks
    }
}
