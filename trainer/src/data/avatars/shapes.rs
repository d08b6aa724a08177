//! Values of SVG's attributes: paths, transforms, colours.

use anyhow::{Context, Result, bail};
use svgtypes::{SimplePathSegment, SimplifyingPathParser, TransformListParser, TransformListToken};
use tiny_skia::{Color, Path, PathBuilder, Rect, Transform};

/// Nothing where there is nothing to draw.
pub fn path(data: &str) -> Result<Option<Path>> {
    let mut builder = PathBuilder::new();
    for segment in SimplifyingPathParser::from(data) {
        match segment.with_context(|| format!("expected a path, found {data}"))? {
            SimplePathSegment::MoveTo { x, y } => builder.move_to(x as f32, y as f32),
            SimplePathSegment::LineTo { x, y } => builder.line_to(x as f32, y as f32),
            SimplePathSegment::Quadratic { x1, y1, x, y } => {
                builder.quad_to(x1 as f32, y1 as f32, x as f32, y as f32);
            }
            SimplePathSegment::CurveTo { x1, y1, x2, y2, x, y } => {
                builder.cubic_to(x1 as f32, y1 as f32, x2 as f32, y2 as f32, x as f32, y as f32);
            }
            SimplePathSegment::ClosePath => builder.close(),
        }
    }
    Ok(builder.finish())
}

pub fn ellipse([x, y, rx, ry]: [f32; 4]) -> Option<Path> {
    PathBuilder::from_oval(Rect::from_ltrb(x - rx, y - ry, x + rx, y + ry)?)
}

pub fn rectangle([x, y, width, height]: [f32; 4], rounded: f32) -> Option<Path> {
    let rect = Rect::from_xywh(x, y, width, height)?;
    let r = rounded.min(width / 2.0).min(height / 2.0);
    if r <= 0.0 {
        return Some(PathBuilder::from_rect(rect));
    }
    // A quarter of a circle as a cubic: (√2 − 1) · 4/3 of the radius.
    let k = r * (1.0 - 0.552_284_8);
    let [left, top, right, bottom] = [rect.left(), rect.top(), rect.right(), rect.bottom()];
    let mut builder = PathBuilder::new();
    builder.move_to(left + r, top);
    builder.line_to(right - r, top);
    builder.cubic_to(right - k, top, right, top + k, right, top + r);
    builder.line_to(right, bottom - r);
    builder.cubic_to(right, bottom - k, right - k, bottom, right - r, bottom);
    builder.line_to(left + r, bottom);
    builder.cubic_to(left + k, bottom, left, bottom - k, left, bottom - r);
    builder.line_to(left, top + r);
    builder.cubic_to(left, top + k, left + k, top, left + r, top);
    builder.close();
    builder.finish()
}

pub fn transform(list: &str) -> Result<Transform> {
    let mut all = Transform::identity();
    for token in TransformListParser::from(list) {
        let one = match token.with_context(|| format!("expected a transform, found {list}"))? {
            TransformListToken::Matrix { a, b, c, d, e, f } => {
                Transform::from_row(a as f32, b as f32, c as f32, d as f32, e as f32, f as f32)
            }
            TransformListToken::Translate { tx, ty } => Transform::from_translate(tx as f32, ty as f32),
            TransformListToken::Scale { sx, sy } => Transform::from_scale(sx as f32, sy as f32),
            TransformListToken::Rotate { angle } => Transform::from_rotate(angle as f32),
            TransformListToken::SkewX { .. } | TransformListToken::SkewY { .. } => {
                bail!("expected no skew, found {list}")
            }
        };
        all = all.pre_concat(one);
    }
    Ok(all)
}

pub fn parse_color(text: &str) -> Result<Color> {
    let parsed: svgtypes::Color = text.parse().with_context(|| format!("expected a colour, found {text}"))?;
    Ok(Color::from_rgba8(parsed.red, parsed.green, parsed.blue, parsed.alpha))
}
