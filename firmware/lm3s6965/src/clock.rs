//! Processor clock.
//!
//! Texas Instruments, Stellaris LM3S6965 Microcontroller data sheet (SPMS006), chapter 5 "System Control".

use cortex_m::peripheral::SYST;
pub use edgegen_emulated::ticks::Ticks;

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

/// The processor's clock after [`start`].
pub const HERTZ: u32 = 50_000_000;

/// Raises the processor clock to 50 MHz and starts counting: in QEMU with `-icount shift=0` a tick is 20 instructions.
pub fn start(systick: SYST) -> Ticks {
    // SAFETY: aligned registers of the chip that no other code uses, and no memory that Rust knows of.
    unsafe {
        RCC.write_volatile(RCC_XTAL_8MHZ | RCC_DIVIDE_BY_4 | RCC_BYPASS);
        while RIS.read_volatile() & RIS_PLL_LOCKED == 0 {}
        RCC.write_volatile(RCC_XTAL_8MHZ | RCC_DIVIDE_BY_4);
    }
    Ticks::start(systick)
}
