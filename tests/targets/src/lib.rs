//! Checks all kernels of the target that this is compiled for, and draws the shipped models with them. `tests/targets.rs` builds
//! this for other targets, runs it in an emulator and compares what it prints:
//!
//! ```text
//! kernel sdot Sdot(()) 2002 cases                name, value, outcome of the check against the definition
//! image sdot mnist-dcgan 0 96355e1b              kernel, model, seed, CRC-32 of the image
//! ```
//!
//! It is a library because the host's own kernels need no process, and because a WebAssembly module is one.

use std::fmt::{self, Write};

use edgegen_export::{ModelFile, repack};
use edgegen_kernel_check::{Workbench, check};
use edgegen_runtime::kernels::{Kernel, Native, scalar::Scalar};
use edgegen_runtime::{Generator, Model, format::checksum};

/// The shipped models in the portable packing: folder in `models/`, file.
pub const MODELS: &[(&str, &[u8])] = &include!(concat!(env!("OUT_DIR"), "/models.rs"));

/// Seeds of the images.
pub const SEEDS: [u64; 6] = [0, 1, 2, 7, 1000, u64::MAX];

/// Words of working memory for the check.
const SCRATCH: usize = 32_768;

/// What the kernels of this target do.
pub fn report() -> String {
    let mut report = String::new();
    let mut all = || -> fmt::Result {
        kernel::<Scalar>(&mut report)?;
        #[cfg(all(target_arch = "aarch64", target_feature = "neon", target_endian = "little"))]
        {
            kernel::<edgegen_runtime::kernels::neon::Neon>(&mut report)?;
            kernel::<edgegen_runtime::kernels::neon::Sdot>(&mut report)?;
        }
        // Which of the above, or one that has no choice.
        kernel::<Native>(&mut report)
    };
    // A string takes everything.
    let _ = all();
    report
}

/// Checks a kernel, if this CPU has it, and draws with it.
fn kernel<K: Kernel + fmt::Debug>(report: &mut String) -> fmt::Result {
    let Some(kernel) = K::available() else { return Ok(()) };
    let name = K::NAME;
    // A word of the report, without spaces.
    let value = format!("{kernel:?}").replace(' ', "");
    match check(kernel, &mut Box::new(Workbench::<SCRATCH>::new())) {
        Ok(cases) => writeln!(report, "kernel {name} {value} {cases} cases")?,
        Err(difference) => writeln!(report, "kernel {name} {value} {difference:?}")?,
    }
    for &(model, file) in MODELS {
        let drawn = draw(file, kernel, |seed, crc| writeln!(report, "image {name} {model} {seed} {crc:08x}"));
        if let Err(error) = drawn {
            writeln!(report, "image {name} {model} {error}")?;
        }
    }
    Ok(())
}

/// The images of a model, packed for the kernel.
fn draw<K: Kernel>(
    file: &[u8],
    kernel: K,
    mut take: impl FnMut(u64, u32) -> fmt::Result,
) -> Result<(), Box<dyn std::error::Error>> {
    let file = repack(&ModelFile::new(file), K::PACKING)?;
    let model = Model::parse_for(file.bytes(), Some(kernel))?;
    let mut arena = vec![0; model.arena_bytes()];
    let mut generator = Generator::with_kernel(&model, &mut arena, kernel)?;
    for seed in SEEDS {
        let mut image = Vec::with_capacity(model.output().len());
        generator.draw(seed, |row| image.extend_from_slice(row));
        take(seed, checksum(&image))?;
    }
    Ok(())
}

/// The report for `run.mjs`: address in the low half, length in the high half.
#[cfg(target_arch = "wasm32")]
#[unsafe(no_mangle)]
pub extern "C" fn edgegen_report() -> u64 {
    let report = report().leak();
    report.as_ptr() as u64 | (report.len() as u64) << 32
}
