//! Counts what a model costs on this CPU. The host puts the model anywhere into flash and says where:
//! `model=ADDRESS length=BYTES images=COUNT seed=FIRST`.
//!
//! ```text
//! kernel dsp packing dsp arena 7760 model 36 generator 40        sizes in bytes
//! parse ticks 25321 stack 904
//! new stack 520
//! image ticks 18234 latent 12 stack 704                           one line each image; latent: the part before the rows
//! crc32 1c291ca3                                                  of the rows of the first image
//! done                                                            or `fault …`
//! ```
//!
//! A tick is 20 instructions. Nothing but the runtime runs while it counts: rows are made and thrown away. The checksum is of
//! another pass.

#![no_std]
#![no_main]

mod stack;

use core::fmt::Write;
use core::hint::black_box;

use cortex_m::singleton;
use crc::{CRC_32_ISO_HDLC, Crc, NoTable};
use edgegen_lm3s6965::clock::{self, Ticks};
use edgegen_lm3s6965::host::{self, Text};
use edgegen_runtime::kernels::{Kernel, Native};
use edgegen_runtime::{Arena, Generator, GeneratorError, Model, ParseError};
use stack::Watch;

/// Working memory for the model.
const ARENA_BYTES: usize = 60 * 1024;

edgegen_runtime::start_vectors!();

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut ticks = clock::start(cortex_m::Peripherals::take().expect("main runs once").SYST);
    let mut line = [0; 128];
    let line = host::command_line(&mut line);
    let number = |name: &str| {
        let mut words = line.split_ascii_whitespace().rev();
        words.find_map(|word| word.strip_prefix(name)?.parse::<u32>().ok()).unwrap_or(0)
    };
    // SAFETY: the host put this many bytes there, in flash that the program does not fill; nobody writes to it.
    let file = unsafe { core::slice::from_raw_parts(number("model=") as *const u8, number("length=") as usize) };
    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");
    host::exit(match bench(file, &mut arena.0, u64::from(number("seed=")), number("images="), &mut ticks) {
        Ok(()) => writeln!(Text, "done").is_ok(),
        Err(_) => false,
    })
}

/// The report; an error is told before it is returned.
#[inline(never)]
fn bench(file: &[u8], arena: &mut [i8], seed: u64, images: u32, ticks: &mut Ticks) -> core::fmt::Result {
    let watch = Watch::start();
    let begin = ticks.now();
    let parsed = parse(file);
    let parse_ticks = ticks.now().wrapping_sub(begin);
    let parse_stack = watch.deepest();
    let model = parsed.map_err(|error| fault(&error))?;

    let arena_bytes = model.arena_bytes();
    let watch = Watch::start();
    let built = build(&model, arena);
    let new_stack = watch.deepest();
    let mut generator = built.map_err(|error| fault(&error))?;
    writeln!(
        Text,
        "kernel {} packing {} arena {arena_bytes} model {} generator {}",
        Native::NAME,
        model.packing().name(),
        size_of_val(&model),
        size_of_val(&generator)
    )?;
    writeln!(Text, "parse ticks {parse_ticks} stack {parse_stack}")?;
    writeln!(Text, "new stack {new_stack}")?;
    for image in 0..u64::from(images) {
        let watch = Watch::start();
        let begin = ticks.now();
        let latent = draw(&mut generator, seed + image, ticks).wrapping_sub(begin);
        let spent = ticks.now().wrapping_sub(begin);
        writeln!(Text, "image ticks {spent} latent {latent} stack {}", watch.deepest())?;
    }
    // Without a table, which would cost a kilobyte of flash.
    static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);
    let mut crc = CRC.digest();
    generator.draw(seed, |row| crc.update(row));
    writeln!(Text, "crc32 {:08x}", crc.finalize())
}

#[inline(never)]
fn parse(file: &[u8]) -> Result<Model<'_>, ParseError> {
    Model::parse(black_box(file))
}

#[inline(never)]
fn build<'a>(model: &'a Model<'a>, arena: &'a mut [i8]) -> Result<Generator<'a>, GeneratorError> {
    Generator::new(model, arena)
}

/// Makes an image; gives the time when the latent vector was there.
#[inline(never)]
fn draw(generator: &mut Generator<'_>, seed: u64, ticks: &mut Ticks) -> u32 {
    let mut rows = generator.sample(seed);
    let latent = ticks.now();
    while let Some(row) = rows.next_row() {
        black_box(row);
        // Keeps up with the counter, whose 24 bits a whole image might overrun: a dozen instructions a row.
        ticks.now();
    }
    latent
}

fn fault(reason: &dyn core::fmt::Display) -> core::fmt::Error {
    let _ = writeln!(Text, "fault {reason}");
    core::fmt::Error
}
