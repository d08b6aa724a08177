//! edgegen on Arm's MPS3 board with the Corstone-300 (AN547: a Cortex-M55), as QEMU emulates it.
//!
//! The board's panel is not emulated. The app draws on a picture in RAM, one gallery or as many images of the show as the command
//! line asks for (`images=4 walk seed=7`), which goes to the host as a file when it is complete;
//! the report goes to the semihosting console. Built for another Cortex-M, the program runs in other machines of QEMU's, too.

#![no_std]
#![no_main]

use core::fmt::Write;
use core::hint::black_box;

use cortex_m::singleton;
use edgegen_app::{Ending, Plain, Request, Show, run, show_images};
use edgegen_emulated::{host, ticks::Ticks};
use edgegen_runtime::{Arena, embed_model};
use embedded_graphics::framebuffer::{Framebuffer, buffer_size};
use embedded_graphics::pixelcolor::Rgb565;
use embedded_graphics::pixelcolor::raw::{LittleEndian, RawU16};

const WIDTH: usize = 240;
const HEIGHT: usize = 240;

/// The picture: 16 bits a pixel, the low byte first, row by row from the top left.
type Frame = Framebuffer<Rgb565, RawU16, LittleEndian, WIDTH, HEIGHT, { buffer_size::<Rgb565>(WIDTH, HEIGHT) }>;

/// Working memory for the model. Of 512 KiB of RAM the picture takes 113 and the stack the rest.
const ARENA_BYTES: usize = 256 * 1024;

/// The processor's clock on this board; in other machines the show's times are off by as much as theirs.
const HERTZ: u32 = 32_000_000;

edgegen_runtime::start_vectors!();

#[cortex_m_rt::entry]
fn main() -> ! {
    let mut ticks = Ticks::start(cortex_m::Peripherals::take().expect("main runs once").SYST);
    let mut line = [0; 128];
    let line = host::command_line(&mut line);
    let request = Request::parse(line);

    let frame = singleton!(: Frame = Frame::new()).expect("main runs once");
    let arena = singleton!(: Arena<ARENA_BYTES> = Arena::new()).expect("main runs once");

    // Seen through, the compiler would check parts of the model at build time, and leave out a model that fails.
    let model = black_box(embed_model!(env!("EDGEGEN_MODEL_FILE")));
    let clock = || ticks.now();
    let done = if let Some(images) = request.images {
        let desk = Plain { clock, hertz: HERTZ, out: host::Text };
        show_images(frame, model, &mut arena.0, &Show::parse(line), desk, images);
        writeln!(host::Text, "done images {images}").is_ok()
    } else {
        let Ok(ending) = run(frame, model, &mut arena.0, &request, host::Text, clock);
        matches!(ending, Ending::Done(_))
    };
    let saved = host::save(c"frame.rgb565", frame.data());
    // After the report, when the file is there or is known not to come.
    let told = writeln!(host::Text, "frame {}", if saved { "saved" } else { "lost" }).is_ok();
    if request.hold {
        loop {
            cortex_m::asm::wfi();
        }
    }
    host::exit(done && saved && told)
}
