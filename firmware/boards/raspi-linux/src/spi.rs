//! An ST7789 of 320×240 on SPI, through the system's spidev and GPIO.

use std::fmt::Debug;

use edgegen_app::Screen;
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::pixelcolor::Rgb565;
use linux_embedded_hal::gpio_cdev::{Chip, LineRequestFlags};
use linux_embedded_hal::spidev::{SpiModeFlags, SpidevOptions};
use linux_embedded_hal::{CdevPin, Delay, SpidevDevice};
use mipidsi::interface::SpiInterface;
use mipidsi::models::ST7789;
use mipidsi::options::{ColorInversion, Orientation, Rotation};

use crate::options::Wiring;

/// Bits a second, the controller's fastest by its data sheet (a cycle of 16 ns).
const SPEED: u32 = 62_500_000;

/// Opens the panel. It cannot answer, so it is taken to be there.
///
/// # Errors
///
/// When the system does not have the bus or a pin, or does not give it to this user; says which.
pub fn open(wiring: &Wiring) -> Result<impl Screen<Display: DrawTarget<Color = Rgb565, Error: Debug>>, String> {
    let name = wiring.spi.display();
    let mut bus = SpidevDevice::open(&wiring.spi).map_err(|error| format!("cannot open {name}: {error}"))?;
    let options = SpidevOptions::new().max_speed_hz(SPEED).mode(SpiModeFlags::SPI_MODE_0).build();
    bus.0.configure(&options).map_err(|error| format!("cannot set up {name}: {error}"))?;
    let dc = output(wiring, wiring.dc, 0)?;
    // One row of the panel; it lives as long as the program.
    let buffer = Box::leak(Box::new([0; 640]));
    let display = mipidsi::Builder::new(ST7789, SpiInterface::new(bus, dc, buffer))
        .orientation(Orientation::new().rotate(Rotation::Deg90))
        .invert_colors(ColorInversion::Inverted)
        .init(&mut Delay)
        .map_err(|error| format!("cannot start the panel on {name}: {error:?}"))?;
    if let Some(pin) = wiring.backlight {
        // It stays on; dropped, the line would be given back.
        std::mem::forget(output(wiring, pin, 1)?);
    }
    Ok(display)
}

fn output(wiring: &Wiring, pin: u32, level: u8) -> Result<CdevPin, String> {
    let chip = wiring.gpio.display();
    let line = Chip::new(&wiring.gpio).and_then(|mut chip| chip.get_line(pin));
    line.and_then(|line| line.request(LineRequestFlags::OUTPUT, level, "edgegen"))
        .and_then(CdevPin::new)
        .map_err(|error| format!("cannot use pin {pin} of {chip}: {error}"))
}
