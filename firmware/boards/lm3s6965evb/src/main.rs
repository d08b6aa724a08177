//! edgegen on the Stellaris LM3S6965 evaluation board, as QEMU emulates it: `../../arm run --release`.
//!
//! Clock, bus, display, then the app: one gallery, or as many images of the show as the command line asks for (`images=4 walk seed=7`);
//! the report goes to the semihosting console. The board runs on any Cortex-M that
//! QEMU puts into it (`-cpu cortex-m0 … cortex-m55`).

#![no_std]
#![no_main]

mod lm3s6965;
mod ssd0323;

use core::fmt::Write;
use core::hint::black_box;

use cortex_m::singleton;
use edgegen_app::{Ending, Plain, Request, Show, run, show_images};
use edgegen_lm3s6965::{clock, host};
use edgegen_runtime::{Arena, embed_model};
use ssd0323::{PICTURE_BYTES, Ssd0323};

/// Working memory for the model. Of the chip's 64 KiB the panel's picture takes 4 and the stack the rest.
const ARENA_BYTES: usize = 36 * 1024;

edgegen_runtime::start_vectors!();

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut ticks = clock::start(cortex_m::Peripherals::take().expect("main runs once").SYST);
    let mut line = [0; 128];
    let line = host::command_line(&mut line);
    let request = Request::parse(line);

    let picture = singleton!(: [u8; PICTURE_BYTES] = [0; PICTURE_BYTES]).expect("main runs once");
    let mut display = Ssd0323::new(lm3s6965::Ssi0Panel::new(), picture);
    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");

    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let clock = || ticks.now();
    let done = if let Some(images) = request.images {
        let desk = Plain { clock, hertz: clock::HERTZ, out: host::Text };
        show_images(&mut display, model, &mut arena.0, &Show::parse(line), desk, images);
        writeln!(host::Text, "done images {images}").is_ok()
    } else {
        let Ok(ending) = run(&mut display, model, &mut arena.0, &request, host::Text, clock);
        matches!(ending, Ending::Done(_))
    };
    if request.hold {
        loop {
            cortex_m::asm::wfi();
        }
    }
    host::exit(done)
}
