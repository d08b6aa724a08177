//! The show of the app on a simulated panel, a picture a frame.

use std::cell::Cell;
use std::convert::Infallible;
use std::fmt;

use edgegen_app::{PanelColor, Platform, Screen, Show, Speaker, drums, show_while, sound};
use edgegen_runtime::Model;
use embedded_graphics::geometry::{Point, Size};
use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Gray8, Rgb565, Rgb888};
use embedded_graphics_simulator::SimulatorDisplay;
use image::RgbImage;

use crate::panel::{aligned, picture};
use crate::spec::{PanelColors, PanelSpec};

/// What a show did.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    /// The panel after each image, one picture pixel for each panel pixel; or the error screen alone.
    pub pictures: Vec<RgbImage>,
    /// What it told its host.
    pub lines: Vec<String>,
    /// What went to its speaker, of a model that makes sound.
    pub samples: Vec<i16>,
}

/// Runs the show of `model` on a panel until `images` images are drawn, or the error screen.
///
/// Time is not real: each look at the clock, of which there is one a row, of sounds three every 64 samples, takes a
/// millisecond. So one show gives the same pictures each time, captions included. Sounds are heard to their end.
pub fn record(model: &[u8], show: &Show, panel: PanelSpec, images: usize) -> Recording {
    match panel.colors {
        PanelColors::Gray4 => run::<Gray4>(model, show, panel, images),
        PanelColors::Gray8 => run::<Gray8>(model, show, panel, images),
        PanelColors::Rgb565 => run::<Rgb565>(model, show, panel, images),
        PanelColors::Rgb888 => run::<Rgb888>(model, show, panel, images),
        PanelColors::Binary => run::<BinaryColor>(model, show, panel, images),
    }
}

fn run<C: PanelColor + Into<Rgb888>>(model: &[u8], show: &Show, panel: PanelSpec, images: usize) -> Recording {
    let mut words = Vec::new();
    let model = aligned(model, &mut words);
    let parsed = Model::parse(model).ok();
    let is_sound = parsed.as_ref().is_some_and(|model| model.sample_rate().is_some());
    let arena_bytes = |model: &Model<'_>| model.arena_bytes() + sound::bytes(model).max(drums::bytes(model));
    let taken = Cell::new(0);
    let black = C::from_grey(0, Point::zero());
    let display = SimulatorDisplay::with_default_color(Size::new(panel.width, panel.height), black);
    let mut camera = Camera { display, pictures: Vec::new(), taken: &taken };
    let mut clock = Clock::default();
    // What is heard follows what is seen, so that it is over when the next image is there.
    let wanted = if parsed.is_some() { images + usize::from(is_sound && images > 0) } else { images.min(1) };
    let mut arena = vec![0; parsed.as_ref().map_or(0, arena_bytes)];
    show_while(&mut camera, model, &mut arena, show, &mut clock, || taken.get() < wanted);
    camera.pictures.truncate(images);
    Recording { pictures: camera.pictures, lines: clock.lines, samples: clock.samples }
}

/// A panel that is photographed whenever it shows something.
struct Camera<'a, C> {
    display: SimulatorDisplay<C>,
    pictures: Vec<RgbImage>,
    taken: &'a Cell<usize>,
}

impl<C: PanelColor + Into<Rgb888>> Screen for Camera<'_, C> {
    type Display = SimulatorDisplay<C>;

    fn display(&mut self) -> &mut Self::Display {
        &mut self.display
    }

    fn flush(&mut self) -> Result<(), Infallible> {
        self.pictures.push(picture(&self.display));
        self.taken.set(self.pictures.len());
        Ok(())
    }
}

/// Samples that the speaker keeps, as many as that of the Pico.
const QUEUE: u64 = 512;

/// A clock that goes on by a millisecond whenever it is looked at, with a speaker that plays by it.
#[derive(Default)]
struct Clock {
    millis: u32,
    lines: Vec<String>,
    samples: Vec<i16>,
    rate: u32,
    /// How many samples after the start the speaker has played all that it was given.
    silent_from: u64,
}

impl Platform for Clock {
    fn ticks(&mut self) -> u32 {
        self.millis = self.millis.wrapping_add(1);
        self.millis
    }

    fn ticks_per_second(&self) -> u32 {
        1000
    }

    fn report(&mut self, line: fmt::Arguments<'_>) {
        self.lines.push(line.to_string());
    }

    fn speaker(&mut self) -> Option<&mut dyn Speaker> {
        Some(self)
    }
}

impl Speaker for Clock {
    fn start(&mut self, rate: u32) {
        self.rate = rate;
    }

    fn take(&mut self, sample: i16) -> bool {
        let now = u64::from(self.millis) * u64::from(self.rate) / 1000;
        if self.silent_from >= now + QUEUE {
            return false;
        }
        self.silent_from = self.silent_from.max(now) + 1;
        self.samples.push(sample);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_model_gives_one_picture_and_the_reason() {
        for (width, height, colors) in [(5, 5, PanelColors::Binary), (320, 240, PanelColors::Rgb565)] {
            let recording = record(b"no model", &Show::default(), PanelSpec { width, height, colors }, 7);
            assert_eq!(recording.pictures.len(), 1);
            assert_eq!(recording.pictures[0].dimensions(), (width, height));
            assert!(recording.pictures[0].pixels().any(|pixel| pixel.0 == [255; 3]));
            assert_eq!(recording.lines, ["fault expected a model file of 32 bytes, found 8: copy the file again"]);
        }
    }

    #[test]
    fn no_images_are_no_pictures() {
        assert!(record(b"no model", &Show::default(), PanelSpec::OLED, 0).pictures.is_empty());
    }
}
