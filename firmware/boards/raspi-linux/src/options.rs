//! The command line.

use std::path::PathBuf;

use edgegen_app::Show;
use lexopt::prelude::*;

const HELP: &str = "\
Shows a generator for ever: a gallery, a walk through its images, its classes.

edgegen-raspi-linux MODEL.egm [options]

  --device FILE     the framebuffer (/dev/fb0)
  --geometry FOLDER what the system tells of it (/sys/class/graphics/ and the device's name)
  --spi FILE        an ST7789 of 320×240 on SPI instead, such as /dev/spidev0.0
  --gpio FILE       the chip that its other pins are on (/dev/gpiochip0)
  --dc N            its data/command pin (25)
  --backlight N     its backlight pin, if there is one
  --show WORDS      what comes first: gallery, walk, mix, noise, class=N, art, seed=N, pace=MS, auto=S, bare
  --images N        end after so many images
";

/// Where to draw.
#[derive(Debug)]
pub enum Place {
    /// A framebuffer of the system's.
    Framebuffer {
        /// Its file.
        device: PathBuf,
        /// The folder with `virtual_size`, `bits_per_pixel` and `stride`.
        geometry: PathBuf,
    },
    /// A panel on SPI.
    Spi(Wiring),
}

/// How a panel is wired.
#[derive(Debug)]
pub struct Wiring {
    /// The bus with its select line.
    pub spi: PathBuf,
    /// The chip of the pins.
    pub gpio: PathBuf,
    /// Data/command.
    pub dc: u32,
    /// Backlight.
    pub backlight: Option<u32>,
}

/// What the command line asks for.
#[derive(Debug)]
pub struct Options {
    /// The model file.
    pub model: PathBuf,
    /// Where to draw.
    pub place: Place,
    /// What to show.
    pub show: Show,
    /// Images after which to end.
    pub images: Option<u64>,
}

impl Options {
    /// Reads the command line; nothing if it asks for help, which is then printed.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn parse(mut line: lexopt::Parser) -> Result<Option<Self>, String> {
        let mut read = || -> Result<Option<Self>, lexopt::Error> {
            let (mut model, mut geometry, mut spi) = (None, None, None);
            let (mut device, mut gpio) = (PathBuf::from("/dev/fb0"), PathBuf::from("/dev/gpiochip0"));
            let (mut dc, mut backlight) = (25, None);
            let (mut show, mut images) = (Show::default(), None);
            while let Some(argument) = line.next()? {
                match argument {
                    Short('h') | Long("help") => {
                        print!("{HELP}");
                        return Ok(None);
                    }
                    Long("device") => device = line.value()?.into(),
                    Long("geometry") => geometry = Some(PathBuf::from(line.value()?)),
                    Long("spi") => spi = Some(PathBuf::from(line.value()?)),
                    Long("gpio") => gpio = line.value()?.into(),
                    Long("dc") => dc = line.value()?.parse()?,
                    Long("backlight") => backlight = Some(line.value()?.parse()?),
                    Long("show") => show = Show::parse(&line.value()?.string()?),
                    Long("images") => images = Some(line.value()?.parse()?),
                    Value(path) if model.is_none() => model = Some(PathBuf::from(path)),
                    _ => return Err(argument.unexpected()),
                }
            }
            let model = model.ok_or("expected a model file, found none: see --help")?;
            let place = match spi {
                Some(spi) => Place::Spi(Wiring { spi, gpio, dc, backlight }),
                None => {
                    let name = device.file_name().unwrap_or_default();
                    let geometry = geometry.unwrap_or_else(|| PathBuf::from("/sys/class/graphics").join(name));
                    Place::Framebuffer { device, geometry }
                }
            };
            Ok(Some(Self { model, place, show, images }))
        };
        read().map_err(|error| error.to_string())
    }
}
