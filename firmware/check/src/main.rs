//! Compares this CPU's kernel with the naive definition and ends with a line that says so.

#![no_std]
#![no_main]

use core::fmt::Write;

use cortex_m::singleton;
use edgegen_kernel_check::{Workbench, check};
use edgegen_lm3s6965::host::{self, Text};
use edgegen_runtime::kernels::{Kernel, Native, scalar::Scalar};

/// Words of working memory that the kernels of microcontrollers take at most.
const SCRATCH: usize = 1200;

edgegen_runtime::start_vectors!();

#[cortex_m_rt::entry]
fn main() -> ! {
    let bench = singleton!(: Workbench<SCRATCH> = Workbench::new()).expect("main runs once");
    let kernel = Native::available().expect("built for this CPU");
    let passed = checked(Scalar, bench) & checked(kernel, bench);
    host::exit(passed)
}

fn checked<K: Kernel>(kernel: K, bench: &mut Workbench<SCRATCH>) -> bool {
    let result = check(kernel, bench);
    let told = match &result {
        Ok(cases) => writeln!(Text, "{}: {cases} cases as defined", K::NAME),
        Err(difference) => writeln!(Text, "{}: {difference:?}", K::NAME),
    };
    told.is_ok() && result.is_ok()
}
