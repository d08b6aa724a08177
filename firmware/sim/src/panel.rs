//! The app on a simulated panel.

use anyhow::Result;
use edgegen_app::{PanelColor, Request, run};
use edgegen_runtime::Model;
use embedded_graphics::geometry::{OriginDimensions, Point, Size};
use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Gray8, Rgb565, Rgb888};
use embedded_graphics::prelude::RgbColor;
use embedded_graphics_simulator::SimulatorDisplay;
use image::{Rgb, RgbImage};

use crate::photo::to_png;
use crate::report::Report;
use crate::spec::{PanelColors, PanelSpec};

/// What the app drew, and what it told.
#[derive(Clone, Debug)]
pub struct Photo {
    /// The panel, one picture pixel for each panel pixel.
    pub image: RgbImage,
    /// The report with the bytes of every image; all ticks are 0.
    pub report: Report,
}

impl Photo {
    /// The picture as a PNG file.
    ///
    /// # Errors
    ///
    /// None that a picture of a panel's size can cause.
    pub fn png(&self) -> Result<Vec<u8>> {
        to_png(&self.image)
    }
}

/// Runs the app with the model file `model` on a panel; the first image has seed `seed`.
///
/// A model that cannot be run gives a picture of the error screen, as on a board; the reason is in the report.
///
/// # Errors
///
/// Only when this crate does not understand the report of the app.
pub fn photo(model: &[u8], seed: u64, panel: PanelSpec) -> Result<Photo> {
    match panel.colors {
        PanelColors::Gray4 => draw::<Gray4>(model, seed, panel),
        PanelColors::Gray8 => draw::<Gray8>(model, seed, panel),
        PanelColors::Rgb565 => draw::<Rgb565>(model, seed, panel),
        PanelColors::Rgb888 => draw::<Rgb888>(model, seed, panel),
        PanelColors::Binary => draw::<BinaryColor>(model, seed, panel),
    }
}

fn draw<C: PanelColor + Into<Rgb888>>(model: &[u8], seed: u64, panel: PanelSpec) -> Result<Photo> {
    let mut words = Vec::new();
    let aligned = aligned(model, &mut words);
    let arena_bytes = Model::parse(aligned).map_or(0, |model| model.arena_bytes());
    let request = Request { seed, rows: true, ..Request::default() };
    let mut text = String::new();
    let black = C::from_grey(0, Point::zero());
    let mut display = SimulatorDisplay::with_default_color(Size::new(panel.width, panel.height), black);
    let Ok(_) = run(&mut display, aligned, &mut vec![0; arena_bytes], &request, &mut text, || 0);

    Ok(Photo { image: picture(&display), report: Report::parse(&text)? })
}

/// The model at a multiple of 16, as the runtime wants it.
pub(crate) fn aligned<'a>(model: &[u8], words: &'a mut Vec<u128>) -> &'a mut [u8] {
    words.resize(model.len().div_ceil(size_of::<u128>()), 0);
    let aligned = &mut bytemuck::cast_slice_mut(words)[..model.len()];
    aligned.copy_from_slice(model);
    aligned
}

/// What a panel shows, one picture pixel for each panel pixel.
pub(crate) fn picture<C: PanelColor + Into<Rgb888>>(display: &SimulatorDisplay<C>) -> RgbImage {
    let Size { width, height } = display.size();
    RgbImage::from_fn(width, height, |x, y| {
        let color: Rgb888 = display.get_pixel(Point::new(x as i32, y as i32)).into();
        Rgb([color.r(), color.g(), color.b()])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Ending;

    #[test]
    fn no_model_gives_an_error_screen_in_every_colour() {
        for colors in [PanelColors::Gray4, PanelColors::Gray8, PanelColors::Rgb565, PanelColors::Binary] {
            let photo = photo(b"no model", 1, PanelSpec { width: 96, height: 40, colors }).unwrap();
            assert_eq!(photo.image.dimensions(), (96, 40));
            assert!(matches!(photo.report.ending, Some(Ending::Fault(_))), "{:?}", photo.report);
            assert!(photo.report.model.is_none() && photo.report.images.is_empty());
            // White letters on black, nothing else.
            let white = photo.image.pixels().filter(|pixel| pixel.0 == [255; 3]).count();
            let black = photo.image.pixels().filter(|pixel| pixel.0 == [0; 3]).count();
            assert_eq!(white + black, 96 * 40);
            assert!((50..1000).contains(&white), "{white} white pixels");
        }
    }

    #[test]
    fn the_png_holds_the_picture() {
        let photo = photo(b"", 1, PanelSpec::OLED).unwrap();
        let again = image::load_from_memory(&photo.png().unwrap()).unwrap().into_rgb8();
        assert!(again == photo.image);
    }
}
