//! edgegen on a Raspberry Pi with Linux: the show on the framebuffer, or on a panel on SPI. `--help` tells the options.

mod framebuffer;
mod options;
mod spi;

use std::cell::Cell;
use std::fmt;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use edgegen_app::screen::ErrorOf;
use edgegen_app::{Platform, Screen, show_while};
use edgegen_runtime::Model;
use embedded_graphics::pixelcolor::{Rgb565, Rgb888};
use framebuffer::{Framebuffer, Geometry};
use options::{Options, Place};

fn main() -> ExitCode {
    match Options::parse(lexopt::Parser::from_env()).and_then(|options| options.map_or(Ok(()), |options| run(&options)))
    {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("edgegen-raspi-linux: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let model = &options.model;
    let file = fs::read(model).map_err(|error| format!("cannot read the model {}: {error}", model.display()))?;
    match &options.place {
        Place::Framebuffer { device, geometry } => {
            let geometry = Geometry::read(geometry)?;
            match geometry.bits {
                16 => play(Framebuffer::<Rgb565>::open(device, geometry)?, &file, options),
                _ => play(Framebuffer::<Rgb888>::open(device, geometry)?, &file, options),
            }
        }
        Place::Spi(wiring) => play(spi::open(wiring)?, &file, options),
    }
    Ok(())
}

/// Shows the model until as many images are drawn as were asked for, or for ever.
fn play<S>(screen: S, file: &[u8], options: &Options)
where
    S: Screen,
    ErrorOf<S>: fmt::Debug,
{
    // The runtime wants the file at a multiple of 16: of so many bytes more, one is.
    let mut bytes = vec![0; file.len() + 15];
    let start = bytes.as_ptr().align_offset(16);
    bytes[start..start + file.len()].copy_from_slice(file);
    let model = &bytes[start..start + file.len()];
    // A refused model needs no memory: the show tells why on the panel.
    let mut arena = vec![0; Model::parse(model).map_or(0, |model| model.arena_bytes())];
    let drawn = Cell::new(0);
    let more = || options.images.is_none_or(|images| drawn.get() < images);
    let linux = Linux { started: Instant::now(), fed: Instant::now() };
    show_while(&mut Counted { screen, drawn: &drawn }, model, &mut arena, &options.show, linux, more);
}

/// A screen that counts the images.
struct Counted<'a, S> {
    screen: S,
    drawn: &'a Cell<u64>,
}

impl<S: Screen> Screen for Counted<'_, S> {
    type Display = S::Display;

    fn display(&mut self) -> &mut S::Display {
        self.screen.display()
    }

    fn flush(&mut self) -> Result<(), ErrorOf<S>> {
        self.drawn.set(self.drawn.get() + 1);
        self.screen.flush()
    }
}

/// The system's clock; what the show reports goes to standard output.
struct Linux {
    started: Instant,
    fed: Instant,
}

impl Platform for Linux {
    fn ticks(&mut self) -> u32 {
        self.started.elapsed().as_micros() as u32
    }

    fn ticks_per_second(&self) -> u32 {
        1_000_000
    }

    /// Rests where the show only waits, and comes back sooner than any row is made: nobody else needs a watchdog fed here.
    fn feed(&mut self) {
        if self.fed.elapsed() < Duration::from_micros(10) {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.fed = Instant::now();
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        println!("{line}");
    }
}
