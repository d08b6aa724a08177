//! Lines, areas, discs and text on a white picture.

use std::sync::LazyLock;

use anyhow::{Context, Result};
use image::RgbImage;
use tiny_skia::{
    Color, FillRule, LineCap, LineJoin, Mask, Paint, Path, PathBuilder, Pixmap, Rect, Stroke, StrokeDash, Transform,
};
use ttf_parser::{Face, OutlineBuilder};

use super::Colour;

static FONT: LazyLock<Face<'static>> = LazyLock::new(|| {
    Face::parse(include_bytes!("../../../assets/dejavu-sans.ttf"), 0).expect("the font in trainer/assets is a font")
});

/// Where a text lies from its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
    /// Around it, from below to above.
    Upwards,
}

pub(super) struct Canvas {
    pixels: Pixmap,
    /// Where lines, areas and discs are drawn; everywhere if nothing.
    pub(super) mask: Option<Mask>,
}

impl Canvas {
    pub(super) fn new(width: u32, height: u32) -> Result<Self> {
        let mut pixels = Pixmap::new(width, height)
            .with_context(|| format!("expected a picture of some pixels, found {width}×{height}"))?;
        pixels.fill(Color::WHITE);
        Ok(Self { pixels, mask: None })
    }

    pub(super) fn picture(self) -> RgbImage {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        // Nothing is transparent on white, so that premultiplied colours are colours.
        let colours = self.pixels.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
        RgbImage::from_raw(width, height, colours).expect("three bytes for each pixel")
    }

    /// Draws only between `edges` = left, top, right, bottom from now on.
    pub(super) fn clip(&mut self, [left, top, right, bottom]: [f32; 4]) {
        self.mask = Rect::from_ltrb(left, top, right, bottom).and_then(|rect| {
            let mut mask = Mask::new(self.pixels.width(), self.pixels.height())?;
            mask.fill_path(&PathBuilder::from_rect(rect), FillRule::Winding, false, Transform::identity());
            Some(mask)
        });
    }

    pub(super) fn line(&mut self, points: &[[f32; 2]], colour: Colour, width: f32, dashed: bool) {
        let Some(path) = joined(points, false) else { return };
        let stroke = Stroke {
            width,
            line_cap: LineCap::Butt,
            line_join: LineJoin::Round,
            dash: dashed.then(|| StrokeDash::new(vec![9.0, 5.0], 0.0)).flatten(),
            ..Stroke::default()
        };
        self.pixels.stroke_path(&path, &paint(colour, 1.0), &stroke, Transform::identity(), self.mask.as_ref());
    }

    pub(super) fn fill(&mut self, corners: &[[f32; 2]], colour: Colour, opacity: f32) {
        if let Some(path) = joined(corners, true) {
            self.fill_path(&path, colour, opacity);
        }
    }

    pub(super) fn dots(&mut self, centres: &[[f32; 2]], colour: Colour, radius: f32) {
        let mut path = PathBuilder::new();
        centres.iter().for_each(|centre| path.push_circle(centre[0], centre[1], radius));
        if let Some(path) = path.finish() {
            self.fill_path(&path, colour, 1.0);
        }
    }

    /// `text` on the base line through `place`.
    pub(super) fn text(&mut self, text: &str, size: f32, colour: Colour, place: [f32; 2], anchor: Anchor) {
        let width = text_width(text, size);
        let start = match anchor {
            Anchor::Start => 0.0,
            Anchor::Middle | Anchor::Upwards => -0.5 * width,
            Anchor::End => -width,
        };
        let scale = size / f32::from(FONT.units_per_em());
        let mut outline = Outline { path: PathBuilder::new(), scale, from: start };
        for glyph in text.chars().map(|letter| FONT.glyph_index(letter).unwrap_or_default()) {
            FONT.outline_glyph(glyph, &mut outline);
            outline.from += scale * f32::from(FONT.glyph_hor_advance(glyph).unwrap_or(0));
        }
        let Some(path) = outline.path.finish() else { return };
        let turn = if anchor == Anchor::Upwards { Transform::from_rotate(-90.0) } else { Transform::identity() };
        let Some(path) = path.transform(turn.post_translate(place[0], place[1])) else { return };
        let mask = self.mask.take();
        self.fill_path(&path, colour, 1.0);
        self.mask = mask;
    }

    fn fill_path(&mut self, path: &Path, colour: Colour, opacity: f32) {
        let paint = paint(colour, opacity);
        self.pixels.fill_path(path, &paint, FillRule::Winding, Transform::identity(), self.mask.as_ref());
    }
}

/// How wide a text is, in pixels.
pub(super) fn text_width(text: &str, size: f32) -> f32 {
    let advance = |letter: char| FONT.glyph_hor_advance(FONT.glyph_index(letter).unwrap_or_default()).unwrap_or(0);
    text.chars().map(|letter| f32::from(advance(letter))).sum::<f32>() * size / f32::from(FONT.units_per_em())
}

fn joined(points: &[[f32; 2]], closed: bool) -> Option<Path> {
    let (first, others) = points.split_first()?;
    let mut path = PathBuilder::new();
    path.move_to(first[0], first[1]);
    others.iter().for_each(|point| path.line_to(point[0], point[1]));
    if closed {
        path.close();
    }
    path.finish()
}

fn paint([red, green, blue]: Colour, opacity: f32) -> Paint<'static> {
    let mut paint = Paint::default();
    paint.set_color_rgba8(red, green, blue, (255.0 * opacity).round() as u8);
    paint.anti_alias = true;
    paint
}

/// A glyph's outline on its way into a path: font units with y upwards become pixels with y downwards.
struct Outline {
    path: PathBuilder,
    scale: f32,
    /// Where the glyph begins, in pixels.
    from: f32,
}

impl Outline {
    fn at(&self, x: f32, y: f32) -> (f32, f32) {
        (self.from + self.scale * x, -self.scale * y)
    }
}

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        let (x, y) = self.at(x, y);
        self.path.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        let ((x1, y1), (x, y)) = (self.at(x1, y1), self.at(x, y));
        self.path.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        let ((x1, y1), (x2, y2), (x, y)) = (self.at(x1, y1), self.at(x2, y2), self.at(x, y));
        self.path.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
