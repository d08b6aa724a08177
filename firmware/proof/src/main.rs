//! A proof by the linker: after `parse` nothing can panic, and `parse` cannot either.
//!
//! The panic handler calls a function that does not exist. As long as no path leads to a panic, the optimizer drops handler
//! and call, and the program links; as soon as one creeps in, it does not, and the linker names the missing function.
//! With the feature `panic` a path is put in, to see that the proof can fail.

#![no_std]
#![no_main]

use core::hint::black_box;

use edgegen_runtime::{Arena, Generator, Model, Point};

unsafe extern "C" {
    safe fn edgegen_a_panic_can_be_reached() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    edgegen_a_panic_can_be_reached()
}

#[cortex_m_rt::entry]
fn main() -> ! {
    // The optimizer knows nothing of file, seed and memory: what it cannot rule out, it must leave in.
    let file = black_box::<&[u8]>(&[]);
    let mut arena = Arena::<4096>::new();
    if let Ok(model) = Model::parse(file)
        && let Ok(mut generator) = Generator::new(&model, black_box::<&mut [i8]>(&mut arena.0))
    {
        generator.draw(black_box(1), |row| {
            black_box(row);
        });
        let mut rows = generator.sample_at(black_box(Point::walk(1, 2, 3).of_class(4)));
        while let Some(row) = rows.next_row() {
            black_box(row);
        }
        let mut rows = generator.decode(black_box::<&[i8]>(&[]));
        while let Some(row) = rows.next_row() {
            black_box(row);
        }
        #[cfg(feature = "panic")]
        black_box(black_box::<&[u8]>(&[0])[black_box(1)]);
    }
    loop {
        core::hint::spin_loop();
    }
}
