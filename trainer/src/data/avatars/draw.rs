//! Faces in pixels: the elements and attributes of SVG 1.1 and 2 that the styles need, and no others.
//!
//! Groups, paths, rectangles, circles, ellipses, masks, linear gradients in user space; fill and stroke, opacity, blend
//! modes. What is not known is an error, so that no picture is silently wrong.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result, bail, ensure};
use tiny_skia::{
    BlendMode, Color, FillRule, GradientStop, LineCap, LineJoin, LinearGradient, Mask, MaskType, Paint, Path, Pixmap,
    PixmapPaint, Point, Shader, SpreadMode, Stroke, Transform,
};

use super::shapes::{ellipse, parse_color, path, rectangle, transform};
use super::style::{Element, Kind, Style, Value};

/// What a face has: the variant of each component, if any, and one of the colours of each name.
#[derive(Debug)]
pub struct Face<'a> {
    pub variants: BTreeMap<&'a str, Option<&'a str>>,
    pub colors: BTreeMap<&'a str, &'a str>,
}

/// Draws what lies in `window` (left, top and side in units of the style) of `face` as `side`×`side` pixels over
/// `background`, R, G, B of each pixel in turn.
///
/// # Errors
///
/// If the style has something that is not known here.
pub fn draw(style: &Style, face: &Face<'_>, side: u32, window: [f32; 3], background: [u8; 3]) -> Result<Vec<u8>> {
    let mut canvas = Pixmap::new(side, side).context("expected a side of at least one pixel, found none")?;
    let [r, g, b] = background;
    canvas.fill(Color::from_rgba8(r, g, b, u8::MAX));
    let [left, top, width] = window;
    let scale = side as f32 / width;
    let painter = Painter { style, face, named: style.named_elements() };
    let look = Look::default().with(&painter, &style.attributes)?;
    let place = Transform::from_scale(scale, scale).pre_translate(-left, -top);
    painter.all(&style.canvas.elements, &look, place, &mut canvas)?;
    // Opaque from the start, so that premultiplied colours are the colours.
    Ok(canvas.pixels().iter().flat_map(|pixel| [pixel.red(), pixel.green(), pixel.blue()]).collect())
}

struct Painter<'a> {
    style: &'a Style,
    face: &'a Face<'a>,
    named: HashMap<&'a str, &'a Element>,
}

/// What elements inherit.
#[derive(Clone)]
struct Look<'a> {
    fill: Option<Ink<'a>>,
    stroke: Option<Ink<'a>>,
    line: Stroke,
    fill_opacity: f32,
    fill_rule: FillRule,
}

#[derive(Clone, Copy)]
enum Ink<'a> {
    Flat(Color),
    Gradient(&'a Element),
}

/// What concerns an element alone and, with its children, as a whole.
struct Whole<'a> {
    opacity: f32,
    blend: BlendMode,
    mask: Option<&'a Element>,
}

impl<'a> Painter<'a> {
    fn all(&self, elements: &'a [Element], look: &Look<'a>, place: Transform, canvas: &mut Pixmap) -> Result<()> {
        elements.iter().try_for_each(|element| {
            self.element(element, look, place, canvas).with_context(|| format!("in {}", element.name))
        })
    }

    fn element(&self, element: &'a Element, look: &Look<'a>, place: Transform, canvas: &mut Pixmap) -> Result<()> {
        let attributes = &element.attributes;
        let place = match text(attributes, "transform")? {
            Some(list) => place.pre_concat(transform(list)?),
            None => place,
        };
        if element.kind == Kind::Component {
            let Some(&variant) = self.face.variants.get(element.name.as_str()) else {
                bail!("expected a component that the style has, found {}", element.name);
            };
            let Some(variant) = variant else { return Ok(()) };
            return self.all(&self.style.components[&element.name].variants[variant].elements, look, place, canvas);
        }
        let look = look.with(self, attributes)?;
        let whole = self.whole(attributes)?;
        let number = |name: &str| number(attributes, name);
        let path = match element.name.as_str() {
            // Drawn where something refers to them.
            "defs" | "mask" => return Ok(()),
            "g" if whole.is_plain() => return self.all(&element.children, &look, place, canvas),
            "g" => {
                let mut layer = match whole.mask {
                    // SVG would let it blend with nothing. The styles come from Figma, where it blends with what is
                    // behind: the light on a face is one of its skin.
                    Some(_) => canvas.clone(),
                    None => Pixmap::new(canvas.width(), canvas.height()).context("a canvas has pixels")?,
                };
                self.all(&element.children, &look, place, &mut layer)?;
                return self.lay(layer, &whole, place, canvas);
            }
            "path" => path(text(attributes, "d")?.context("expected d of a path, found none")?)?,
            "rect" => {
                let rounded = attributes.get("rx").map(|_| number("rx")).transpose()?.unwrap_or(0.0);
                rectangle([number("x")?, number("y")?, number("width")?, number("height")?], rounded)
            }
            "circle" => ellipse([number("cx")?, number("cy")?, number("r")?, number("r")?]),
            "ellipse" => ellipse([number("cx")?, number("cy")?, number("rx")?, number("ry")?]),
            other => bail!("expected g, path, rect, circle, ellipse or mask, found {other}"),
        };
        let Some(path) = path else { return Ok(()) };
        // Where fill and stroke lie on each other, opacity is that of both together.
        if whole.mask.is_none() && (whole.opacity == 1.0 || look.fill.is_none() || look.stroke.is_none()) {
            return look.paint(&path, &whole, place, canvas);
        }
        let mut layer = Pixmap::new(canvas.width(), canvas.height()).context("a canvas has pixels")?;
        look.paint(&path, &Whole::default(), place, &mut layer)?;
        self.lay(layer, &whole, place, canvas)
    }

    /// Puts a layer onto the canvas.
    fn lay(&self, mut layer: Pixmap, whole: &Whole<'a>, place: Transform, canvas: &mut Pixmap) -> Result<()> {
        if let Some(mask) = whole.mask {
            let mut shape = Pixmap::new(canvas.width(), canvas.height()).context("a canvas has pixels")?;
            let look = Look::default().with(self, &self.style.attributes)?;
            self.all(&mask.children, &look, place, &mut shape)?;
            let kind = match text(&mask.attributes, "style")? {
                Some("mask-type:alpha") => MaskType::Alpha,
                None | Some("mask-type:luminance") => MaskType::Luminance,
                Some(other) => bail!("expected mask-type:alpha or mask-type:luminance, found {other}"),
            };
            layer.apply_mask(&Mask::from_pixmap(shape.as_ref(), kind));
        }
        let paint = PixmapPaint { opacity: whole.opacity, blend_mode: whole.blend, ..PixmapPaint::default() };
        canvas.draw_pixmap(0, 0, layer.as_ref(), &paint, Transform::identity(), None);
        Ok(())
    }

    fn whole(&self, attributes: &'a BTreeMap<String, Value>) -> Result<Whole<'a>> {
        let mut whole = Whole::default();
        if attributes.contains_key("opacity") {
            whole.opacity = number(attributes, "opacity")?;
        }
        if let Some(reference) = text(attributes, "mask")? {
            whole.mask = Some(self.referred(reference)?);
        }
        whole.blend = match text(attributes, "style")? {
            None | Some("mask-type:alpha" | "mask-type:luminance") => BlendMode::SourceOver,
            Some("mix-blend-mode:multiply") => BlendMode::Multiply,
            Some("mix-blend-mode:lighten") => BlendMode::Lighten,
            Some("mix-blend-mode:overlay") => BlendMode::Overlay,
            Some("mix-blend-mode:soft-light") => BlendMode::SoftLight,
            Some("mix-blend-mode:hard-light") => BlendMode::HardLight,
            Some(other) => bail!("expected a blend mode that is known, found {other}"),
        };
        Ok(whole)
    }

    /// The element of `url(#id)`.
    fn referred(&self, reference: &str) -> Result<&'a Element> {
        let id = reference.strip_prefix("url(#").and_then(|rest| rest.strip_suffix(')'));
        id.and_then(|id| self.named.get(id).copied())
            .with_context(|| format!("expected the id of an element, found {reference}"))
    }

    fn ink(&self, value: &'a Value) -> Result<Option<Ink<'a>>> {
        let color = match value {
            Value::Color { name } => {
                *self.face.colors.get(name.as_str()).with_context(|| format!("expected a colour {name}, found none"))?
            }
            Value::Text(text) if text == "none" => return Ok(None),
            Value::Text(text) if text.starts_with("url(") => return Ok(Some(Ink::Gradient(self.referred(text)?))),
            Value::Text(text) => text,
        };
        Ok(Some(Ink::Flat(parse_color(color)?)))
    }
}

impl Default for Whole<'_> {
    fn default() -> Self {
        Self { opacity: 1.0, blend: BlendMode::SourceOver, mask: None }
    }
}

impl Whole<'_> {
    fn is_plain(&self) -> bool {
        self.opacity == 1.0 && self.blend == BlendMode::SourceOver && self.mask.is_none()
    }
}

impl Default for Look<'_> {
    /// As SVG has it.
    fn default() -> Self {
        let line = Stroke::default();
        Self {
            fill: Some(Ink::Flat(Color::BLACK)),
            stroke: None,
            line,
            fill_opacity: 1.0,
            fill_rule: FillRule::Winding,
        }
    }
}

impl<'a> Look<'a> {
    fn with(&self, painter: &Painter<'a>, attributes: &'a BTreeMap<String, Value>) -> Result<Self> {
        let mut look = self.clone();
        for (name, value) in attributes {
            match (name.as_str(), value) {
                ("fill", ink) => look.fill = painter.ink(ink)?,
                ("stroke", ink) => look.stroke = painter.ink(ink)?,
                ("fill-opacity", _) => look.fill_opacity = number(attributes, name)?,
                ("stroke-width", _) => look.line.width = number(attributes, name)?,
                ("stroke-miterlimit", _) => look.line.miter_limit = number(attributes, name)?,
                ("stroke-linecap", Value::Text(text)) => {
                    look.line.line_cap = match text.as_str() {
                        "round" => LineCap::Round,
                        "square" => LineCap::Square,
                        _ => LineCap::Butt,
                    }
                }
                ("stroke-linejoin", Value::Text(text)) => {
                    look.line.line_join = match text.as_str() {
                        "round" => LineJoin::Round,
                        "bevel" => LineJoin::Bevel,
                        _ => LineJoin::Miter,
                    }
                }
                ("fill-rule", Value::Text(text)) => {
                    look.fill_rule = if text == "evenodd" { FillRule::EvenOdd } else { FillRule::Winding };
                }
                // Where it is and what it is; what renders faster; what clips, where nothing clips.
                (
                    "d" | "x" | "y" | "width" | "height" | "cx" | "cy" | "r" | "rx" | "ry" | "transform" | "id"
                    | "opacity" | "mask" | "style" | "shape-rendering" | "clip-rule",
                    _,
                ) => {}
                (other, _) => bail!("expected an attribute that is known, found {other}"),
            }
        }
        Ok(look)
    }

    fn paint(&self, path: &Path, whole: &Whole<'a>, place: Transform, canvas: &mut Pixmap) -> Result<()> {
        let paint = |ink: Ink<'a>, opacity: f32| -> Result<Paint<'static>> {
            let shader = match ink {
                Ink::Flat(mut color) => {
                    color.apply_opacity(opacity * whole.opacity);
                    Shader::SolidColor(color)
                }
                Ink::Gradient(element) => gradient(element, opacity * whole.opacity)?,
            };
            // In integers, overlay goes below zero where rounding makes a colour larger than its alpha.
            let force_hq_pipeline = whole.blend != BlendMode::SourceOver;
            Ok(Paint { shader, blend_mode: whole.blend, force_hq_pipeline, ..Paint::default() })
        };
        if let Some(ink) = self.fill {
            canvas.fill_path(path, &paint(ink, self.fill_opacity)?, self.fill_rule, place, None);
        }
        if let Some(ink) = self.stroke {
            canvas.stroke_path(path, &paint(ink, 1.0)?, &self.line, place, None);
        }
        Ok(())
    }
}

fn gradient(element: &Element, opacity: f32) -> Result<Shader<'static>> {
    let attributes = &element.attributes;
    ensure!(
        element.name == "linearGradient" && text(attributes, "gradientUnits")? == Some("userSpaceOnUse"),
        "expected a linear gradient in user space, found {}",
        element.name
    );
    let mut stops = Vec::with_capacity(element.children.len());
    for stop in &element.children {
        let optional = |name: &str, without: f32| match stop.attributes.get(name) {
            Some(_) => number(&stop.attributes, name),
            None => Ok(without),
        };
        let mut color = parse_color(text(&stop.attributes, "stop-color")?.unwrap_or("black"))?;
        color.apply_opacity(optional("stop-opacity", 1.0)? * opacity);
        stops.push(GradientStop::new(optional("offset", 0.0)?, color));
    }
    let [x1, y1, x2, y2] = ["x1", "y1", "x2", "y2"].map(|name| number(attributes, name));
    let [from, to] = [Point::from_xy(x1?, y1?), Point::from_xy(x2?, y2?)];
    LinearGradient::new(from, to, stops, SpreadMode::Pad, Transform::identity())
        .context("expected a gradient from one colour to another, found none")
}

fn text<'a>(attributes: &'a BTreeMap<String, Value>, name: &str) -> Result<Option<&'a str>> {
    match attributes.get(name) {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text)),
        Some(Value::Color { name: color }) => bail!("expected text as {name}, found the colour {color}"),
    }
}

fn number(attributes: &BTreeMap<String, Value>, name: &str) -> Result<f32> {
    let text = text(attributes, name)?.unwrap_or("0");
    text.parse().with_context(|| format!("expected a number as {name}, found {text}"))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::*;

    /// 8×8 pixels over blue, of these elements.
    fn drawn(elements: &str) -> Result<Vec<u8>> {
        let json = format!(
            r##"{{"canvas": {{"elements": [{elements}]}}, "attributes": {{"fill": "none"}}, "components": {{}}, "colors": {{}}}}"##
        );
        let style = Style::parse(json.as_bytes())?;
        let face = Face { variants: BTreeMap::new(), colors: BTreeMap::from([("skin", "#ff8000")]) };
        draw(&style, &face, 8, [0.0, 0.0, 8.0], [0, 0, 200])
    }

    fn element(name: &str, attributes: &str, children: &str) -> String {
        format!(r#"{{"type": "element", "name": "{name}", "attributes": {{{attributes}}}, "children": [{children}]}}"#)
    }

    fn pixel(image: &[u8], x: usize, y: usize) -> [u8; 3] {
        image[(y * 8 + x) * 3..][..3].try_into().unwrap()
    }

    #[test]
    fn shapes_lie_where_they_should_in_their_colours() {
        let skin = r#""fill": {"type": "color", "name": "skin"}"#;
        let left = element("path", &format!(r#""d": "m0 0h2v8H0z", {skin}"#), "");
        let dot = element("circle", r#""cx": "6", "cy": "2", "r": "2", "fill": "lime", "opacity": ".5""#, "");
        let line = element("path", r#""d": "M4 6h4", "stroke": "white", "stroke-width": "2""#, "");
        let moved =
            element("rect", r#""width": "1", "height": "1", "fill": "black", "transform": "translate(3 7)""#, "");
        let image = drawn(&[left, dot, line, moved].join(",")).unwrap();
        assert_eq!(pixel(&image, 1, 4), [255, 128, 0]);
        assert_eq!(pixel(&image, 2, 4), [0, 0, 200], "nothing is filled unless it says so");
        assert_eq!(pixel(&image, 5, 1), [0, 128, 100]);
        assert_eq!([pixel(&image, 6, 5), pixel(&image, 6, 6)], [[255; 3]; 2]);
        assert_eq!(pixel(&image, 3, 7), [0; 3]);
    }

    #[test]
    fn masks_clip_and_blend_with_what_is_behind() {
        let half = element("path", r#""d": "M0 0h4v8H0z", "fill": "white""#, "");
        let mask = element("mask", r#""id": "m", "style": "mask-type:alpha""#, &half);
        let grey = element("path", r#""d": "M0 0h8v8H0z", "fill": "gray", "style": "mix-blend-mode:multiply""#, "");
        let group = element("g", r#""mask": "url(#m)""#, &grey);
        let image = drawn(&[mask, group].join(",")).unwrap();
        assert_eq!([pixel(&image, 3, 3), pixel(&image, 4, 3)], [[0, 0, 100], [0, 0, 200]]);
    }

    #[test]
    fn gradients_go_from_one_colour_to_another() {
        let stops = [r##""stop-color": "#000000""##, r##""stop-color": "#ffffff", "offset": "1""##];
        let stops = stops.map(|stop| element("stop", stop, "")).join(",");
        let places = r#""id": "a", "x1": "0", "y1": "0", "x2": "8", "y2": "0", "gradientUnits": "userSpaceOnUse""#;
        let all = element("path", r#""d": "M0 0h8v8H0z", "fill": "url(#a)""#, "");
        let defs = element("defs", "", &element("linearGradient", places, &stops));
        let image = drawn(&[defs, all].join(",")).unwrap();
        let row: Vec<u8> = (0..8).map(|x| pixel(&image, x, 0)[0]).collect();
        assert!(row.is_sorted() && row[0] < 20 && row[7] > 235, "{row:?}");
    }

    /// All that depends on sines, roots and rounding, as it was drawn on x86-64.
    #[test]
    fn bytes_are_the_same_everywhere() {
        let arc = element("path", r##""d": "M1 4a3 3 0 0 1 6 0.2q-1 3-3 3z", "fill": "#c04020""##, "");
        let turned = element(
            "rect",
            r#""x": "2", "y": "2", "width": "4", "height": "3", "rx": "1", "fill": "white", "fill-opacity": ".3",
               "transform": "rotate(20 4 4)", "style": "mix-blend-mode:overlay""#,
            "",
        );
        let line = element(
            "path",
            r#""d": "M1 1l5 6", "stroke": "black", "stroke-width": ".7", "stroke-linecap": "round""#,
            "",
        );
        let image = drawn(&[arc, turned, line].join(",")).unwrap();
        let sum: String = Sha256::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(sum, "ac82e570c4459a1efa2b5cebf89e5f043ea15685eafe3dac4f9aea5d1dc29609");
    }

    #[test]
    fn what_is_not_known_is_named() {
        let error = |name: &str, attributes: &str| format!("{:#}", drawn(&element(name, attributes, "")).unwrap_err());
        for (name, attributes, expected) in [
            ("text", "", "found text"),
            ("path", r#""d": "M0 0h1", "filter": "url(#a)""#, "found filter"),
            ("path", r#""d": "M0 0h1", "fill": "url(#a)""#, "found url(#a)"),
            ("path", r#""d": "M0 0h1", "style": "mix-blend-mode:hue""#, "found mix-blend-mode:hue"),
            ("circle", r#""r": "wide""#, "a number as r, found wide"),
            ("path", r#""d": "M0 0h1", "fill": {"type": "color", "name": "hair"}"#, "a colour hair, found none"),
        ] {
            assert!(error(name, attributes).contains(expected), "{}", error(name, attributes));
        }
    }
}
