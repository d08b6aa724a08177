//! Compares this CPU's kernel with the naive definition and ends with a line that says so.

#![no_std]
#![no_main]

use cortex_m::singleton;
use cortex_m_semihosting::{debug, hprintln};
use edgegen_kernel_check::{Workbench, check};
use edgegen_runtime::kernels::{Kernel, Native, scalar::Scalar};

/// Words of working memory that the kernels of microcontrollers take at most.
const SCRATCH: usize = 1200;

edgegen_runtime::start_vectors!();

#[cortex_m_rt::entry]
fn main() -> ! {
    let bench = singleton!(: Workbench<SCRATCH> = Workbench::new()).expect("main runs once");
    let kernel = Native::available().expect("built for this CPU");
    let passed = checked(Scalar, bench) & checked(kernel, bench);
    debug::exit(if passed { debug::EXIT_SUCCESS } else { debug::EXIT_FAILURE });
    loop {
        cortex_m::asm::wfi();
    }
}

fn checked<K: Kernel>(kernel: K, bench: &mut Workbench<SCRATCH>) -> bool {
    let result = check(kernel, bench);
    match result {
        Ok(cases) => hprintln!("{}: {} cases as defined", K::NAME, cases),
        Err(difference) => hprintln!("{}: {:?}", K::NAME, difference),
    }
    result.is_ok()
}

/// A fault of the processor.
///
/// # Safety
///
/// Called by the processor alone.
#[cortex_m_rt::exception]
unsafe fn HardFault(frame: &cortex_m_rt::ExceptionFrame) -> ! {
    hprintln!("hard fault at {:#010x}", frame.pc());
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}

#[panic_handler]
fn panic(info: &core::panic::PanicInfo) -> ! {
    hprintln!("panic {}", info);
    debug::exit(debug::EXIT_FAILURE);
    loop {
        cortex_m::asm::wfi();
    }
}
