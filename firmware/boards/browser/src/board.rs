//! A model on a panel: the show of the app, or one image of a latent vector that the page chose.

use edgegen_app::caption::{self, Caption, Layout};
use edgegen_app::scatter::{self, Plot};
use edgegen_app::sound::{self, Trace};
use edgegen_app::{Act, Frame, Pair, PanelColor, Placement, Show, Speaker, Stage, fault};
use edgegen_runtime::sound::sample;
use edgegen_runtime::{Generator, GeneratorError, Model, Point, Shape};
use embedded_graphics::draw_target::DrawTarget;
use embedded_graphics::geometry::{Dimensions, Point as At, Size};
use embedded_graphics::pixelcolor::{BinaryColor, Gray4, Gray8, Rgb565, Rgb888};

use crate::canvas::{Canvas, Pixels};
use crate::page::{self, Page};

/// Values of a latent vector and its classes at most.
pub const MOST_CODES: usize = 4096;

/// A latent vector with its classes' values behind it.
pub type Codes = [i8; MOST_CODES];

/// Colours of a panel, in the order of the page's list.
#[derive(Clone, Copy)]
pub enum Colors {
    Binary,
    Gray4,
    Gray8,
    Rgb565,
    Rgb888,
}

impl Colors {
    pub const ALL: [Self; 5] = [Self::Binary, Self::Gray4, Self::Gray8, Self::Rgb565, Self::Rgb888];
}

/// The panel and what it shows.
pub struct Board {
    pub size: Size,
    pub colors: Colors,
    pub pixels: &'static mut Pixels,
    /// Those of a still image.
    pub codes: &'static mut Codes,
    /// What the last frame of the show was about.
    pub shown: (Act, Point),
}

/// A still image.
pub struct Still<'a> {
    /// The other inputs' point, which is the latent vector's, too, where nobody has changed that.
    pub point: Point,
    /// How many of [`Board::codes`] the model has.
    pub codes: usize,
    /// The image that the model reads, if it reads one, row after row.
    pub fed: &'a [u8],
    /// Words beside the picture: not of a vector that no seed has.
    pub caption: bool,
}

impl Board {
    pub const fn new(pixels: &'static mut Pixels, codes: &'static mut Codes) -> Self {
        let shown = (Act::Gallery, Point::seed(0));
        Self { size: Size::new(1, 1), colors: Colors::Binary, pixels, codes, shown }
    }

    /// Shows why there is no picture.
    pub fn fault(&mut self, reason: &str) {
        let Self { size, colors, pixels, .. } = self;
        match colors {
            Colors::Binary => refuse::<BinaryColor>(pixels, *size, reason),
            Colors::Gray4 => refuse::<Gray4>(pixels, *size, reason),
            Colors::Gray8 => refuse::<Gray8>(pixels, *size, reason),
            Colors::Rgb565 => refuse::<Rgb565>(pixels, *size, reason),
            Colors::Rgb888 => refuse::<Rgb888>(pixels, *size, reason),
        }
    }

    /// The show's next frame, if it is time; whether there was one.
    pub fn frame(&mut self, stage: &mut Stage<'_, Page>) -> bool {
        let Self { size, colors, pixels, .. } = self;
        let frame = match colors {
            Colors::Binary => turn::<BinaryColor>(pixels, *size, stage),
            Colors::Gray4 => turn::<Gray4>(pixels, *size, stage),
            Colors::Gray8 => turn::<Gray8>(pixels, *size, stage),
            Colors::Rgb565 => turn::<Rgb565>(pixels, *size, stage),
            Colors::Rgb888 => turn::<Rgb888>(pixels, *size, stage),
        };
        if let Frame::Drawn { act, point, .. } = frame {
            self.shown = (act, point);
            return true;
        }
        false
    }

    /// One image.
    pub fn still(
        &mut self,
        model: &Model<'_>,
        arena: &mut [i8],
        show: &Show,
        still: Still<'_>,
    ) -> Result<(), GeneratorError> {
        let mut generator = Generator::new(model, arena)?;
        let Self { size, colors, pixels, codes, .. } = self;
        let codes = codes.get(..still.codes).unwrap_or(&[]);
        self.shown = (show.act, still.point);
        match colors {
            Colors::Binary => draw::<BinaryColor>(pixels, *size, &mut generator, codes, show, still),
            Colors::Gray4 => draw::<Gray4>(pixels, *size, &mut generator, codes, show, still),
            Colors::Gray8 => draw::<Gray8>(pixels, *size, &mut generator, codes, show, still),
            Colors::Rgb565 => draw::<Rgb565>(pixels, *size, &mut generator, codes, show, still),
            Colors::Rgb888 => draw::<Rgb888>(pixels, *size, &mut generator, codes, show, still),
        }
        Ok(())
    }
}

fn refuse<C: PanelColor + Into<Rgb888>>(pixels: &mut Pixels, size: Size, reason: &str) {
    let Ok(()) = fault::show(&mut Canvas::<C>::new(pixels, size), reason);
}

fn turn<C: PanelColor + Into<Rgb888>>(pixels: &mut Pixels, size: Size, stage: &mut Stage<'_, Page>) -> Frame {
    let Ok(frame) = stage.frame(&mut Canvas::<C>::new(pixels, size));
    frame
}

fn draw<C: PanelColor + Into<Rgb888>>(
    pixels: &mut Pixels,
    size: Size,
    generator: &mut Generator<'_>,
    codes: &[i8],
    show: &Show,
    still: Still<'_>,
) {
    let mut canvas = Canvas::<C>::new(pixels, size);
    let (model, panel) = (generator.model(), canvas.bounding_box());
    let pair = Pair::of(model, panel.size);
    let (image, shape) = (model.output(), pair.shape());
    let (layout, placement) = match show.caption {
        true if scatter::is_point(image) => {
            let layout = Layout::new(panel, |area| Plot::fit(area).side());
            (layout, Placement::centred(layout.picture, shape))
        }
        true if model.sample_rate().is_some() => {
            let layout = Layout::new(panel, |_| ());
            (layout, Placement::centred(layout.picture, shape))
        }
        true => Layout::single(panel, shape),
        false => (Layout { picture: panel, caption: None }, Placement::centred(panel, shape)),
    };
    let (beside, placement) = pair.split(placement);
    let began = page::now();
    let Ok(()) = canvas.clear(C::from_grey(0, At::zero()));
    let fed = |y: u16, row: &mut [u8]| {
        let start = usize::from(y) * row.len();
        match still.fed.get(start..start + row.len()) {
            Some(from) => row.copy_from_slice(from),
            None => row.fill(0),
        }
    };
    // What it reads stands beside what it makes, as in the show.
    if let (Some(place), Some(Shape { h, w, c })) = (beside, model.fed()) {
        let channels = usize::from(c);
        let rows = still.fed.chunks_exact((usize::from(w) * channels).max(1)).take(h.into());
        for (y, row) in (0..).zip(rows) {
            let Ok(()) = place.draw_row(&mut canvas, y, row, channels);
        }
    }
    let class = caption::name(model, show.act);
    let mut rows = generator.decode_at(still.point, codes, fed);
    let plot = scatter::is_point(image).then(|| Plot::fit(layout.picture));
    let mut trace = model.sample_rate().map(|_| Trace::new(layout.picture, image.h.into()));
    let mut y = 0;
    while let Some(row) = rows.next_row() {
        if let (Some(trace), Some(&byte)) = (&mut trace, row.first()) {
            let Ok(()) = trace.take(&mut canvas, sample(byte));
            if page::listens() {
                Page.take(sample(byte));
            }
            continue;
        }
        if let Some(plot) = plot {
            let Ok(_) = plot.draw(&mut canvas, row);
            continue;
        }
        let Ok(()) = placement.draw_row(&mut canvas, y, row, usize::from(image.c));
        y += 1;
    }
    let micros = u64::from(page::now().wrapping_sub(began));
    if let Some(area) = layout.caption.filter(|_| still.caption) {
        let tenths_per_second = 10_000_000 / micros.max(1000);
        let Point { from: seed, .. } = still.point;
        let (act, millis) = (show.act, micros / 1000);
        let tenths_of_real_time =
            model.sample_rate().map(|rate| sound::tenths_of_real_time(image.h.into(), rate, millis));
        let caption = Caption { act, class, seed, of_keyframes: false, millis, tenths_per_second, tenths_of_real_time };
        let Ok(()) = caption.draw(&mut canvas, area);
    }
}
