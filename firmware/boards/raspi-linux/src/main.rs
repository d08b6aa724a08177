//! edgegen on a Raspberry Pi with Linux: the show on the framebuffer, or on a panel on SPI. `--help` tells the options.

mod framebuffer;
mod options;
mod spi;

use std::fmt;
use std::fs;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use edgegen_app::screen::ErrorOf;
use edgegen_app::{Platform, Screen, show, show_images};
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
fn play<S>(mut screen: S, file: &[u8], options: &Options)
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
    let linux = Linux { started: Instant::now(), fed: Instant::now() };
    match options.images {
        Some(images) => show_images(&mut screen, model, &mut arena, &options.show, linux, images),
        None => show(&mut screen, model, &mut arena, &options.show, linux),
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
