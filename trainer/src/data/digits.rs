//! Digits in the shapes of fonts: twenty, printed and written, of the packages `@expo-google-fonts`.
//!
//! Image i is digit i mod 10 in a font by chance, 55 to 72 per cent as high as the image, slanted, turned by up to
//! 9° and moved by up to 1.5 pixels of 28, white on black: all from a random stream that depends on the part and i
//! alone.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use edgegen_data::fit_dataset;
use tiny_skia::{Color, FillRule, Paint, PathBuilder, Pixmap, Transform};
use ttf_parser::{Face, OutlineBuilder};

use super::{Dataset, RawFile, Split};
use crate::recipe::DataConfig;
use crate::rng::Rng;

/// Training and test images.
pub(super) const COUNT: [usize; 2] = [20_000, 4_000];

pub(super) static FONTS: [RawFile; 20] = [
    font(
        "400Regular/BebasNeue_400Regular.ttf",
        57676,
        "830ea186acffc2316ed1a4e42319246ba3b46b04e33a211079249bf901193f04",
    ),
    font(
        "400Regular/Caveat_400Regular.ttf",
        256968,
        "271ee7c4a60b1be2ba13a66990e7475c76c982ac6e906c9db25139976282f6b8",
    ),
    font("700Bold/Caveat_700Bold.ttf", 257316, "b42cc772f3528d9150c29d6051e2ed3fd472ad4e584c73fe1500ee628d6b1ac0"),
    font("300Light/Comfortaa_300Light.ttf", 111292, "5d9cf0a8d5a978479ecb495c062cd212bee988d75a2c881ac70a920b0b9551c9"),
    font("700Bold/Comfortaa_700Bold.ttf", 111488, "492a6c62d53e4b0c8dbb1f4e53112b73a736537fb6a3a62eec26e0a6dbf92dee"),
    font(
        "400Regular/CourierPrime_400Regular.ttf",
        68304,
        "b4da920fa50d874bce2cab0517e4732384a6eef8fe7e1e653d2befcb8aac1aa6",
    ),
    font(
        "400Regular_Italic/CourierPrime_400Regular_Italic.ttf",
        76656,
        "a3d9cde252cabc9102d92e0c54c774563ffc613401b190584012f0d5212daab4",
    ),
    font("700Bold/CourierPrime_700Bold.ttf", 69944, "1170ca4279b38da20d390544636462ff1c76d744b15fe5db43568424d5690f8f"),
    font(
        "700Bold_Italic/CourierPrime_700Bold_Italic.ttf",
        77544,
        "88c2d60089ef6a8cd60c816a90d2c5b83dc38adc27aa0b19e02682f01c697a29",
    ),
    font("300Light/Kalam_300Light.ttf", 437488, "49c6264e8e4448e3057896508b01542cf3d43d64a991e31517f85ad90e6b3764"),
    font("400Regular/Kalam_400Regular.ttf", 427336, "c2a5822e35bd9826735baf8cea549534fd300c979129299d327a155ed9ef667f"),
    font("700Bold/Kalam_700Bold.ttf", 460872, "f2b5f6595f274a4bb00777fd7cb2958fa837ac7bf266a9c3f7d724ca01013c95"),
    font("400Regular/Lora_400Regular.ttf", 133888, "7ed00e7c9cdf16ab7e2fd2361fe45d4f0b61263cd60aae398b27b7ee08108827"),
    font(
        "400Regular_Italic/Lora_400Regular_Italic.ttf",
        139328,
        "be627e595184e8afe521f08da0607eee613f1997d423bc8dadc5798995581377",
    ),
    font("700Bold/Lora_700Bold.ttf", 133828, "7d74015e950c2fb66519c7295b8155621d22200ae2ca2a4c6b43ce3c490cac87"),
    font(
        "700Bold_Italic/Lora_700Bold_Italic.ttf",
        140332,
        "152f87e71f5ddb60d5c57ecd9132807c947e65c42977193c9164e7c5a6690081",
    ),
    font(
        "400Regular/PatrickHand_400Regular.ttf",
        212112,
        "496937dafcb18bf2c2f624ed02c8f7f4d47bd1e4e6e5646c42b6cfd873c6b13c",
    ),
    font("100Thin/RobotoSlab_100Thin.ttf", 125448, "86a48ae170b3bf5a900ce2a0b30bfc93a2b395b5745ff3d1c1014246ca98ec4b"),
    font(
        "400Regular/RobotoSlab_400Regular.ttf",
        126188,
        "1617414d9f759050b2339b58ca53d1a2d005561d8896ab0a6fb77a50f41954a7",
    ),
    font(
        "900Black/RobotoSlab_900Black.ttf",
        127172,
        "ddd7e9a573cd82576e7d3ec27f0d4e09eaf97a4016597373226a7b867d8824b7",
    ),
];

const fn font(name: &'static str, bytes: u64, sha256: &'static str) -> RawFile {
    RawFile { name, bytes, sha256 }
}

/// Draws one part at the size of `config`, no more than its limit, with the fonts in `folder`.
pub(super) fn load(folder: &Path, split: Split, config: &DataConfig) -> Result<Dataset> {
    let (count, seed) = match split {
        Split::Train => (COUNT[0], 5),
        Split::Test => (COUNT[1], 6),
    };
    let count = count.min(config.limit.unwrap_or(count));
    let files = FONTS.iter().map(|file| {
        let path = folder.join(file.name);
        fs::read(&path).with_context(|| format!("cannot read {}: fetch digits again", path.display()))
    });
    let files = files.collect::<Result<Vec<_>>>()?;
    let fonts = files.iter().zip(&FONTS).map(|(bytes, file)| {
        Face::parse(bytes, 0).with_context(|| format!("expected a font, found {}: fetch digits again", file.name))
    });
    let fonts = fonts.collect::<Result<Vec<_>>>()?;
    let side = config.size.h.max(config.size.w);
    let mut images = Vec::with_capacity(count * side * side);
    for index in 0..count {
        let mut rng = Rng::new(seed, index as u64);
        let font = rng.below(fonts.len());
        let image = draw(&fonts[font], index % 10, &mut rng, side);
        images.extend(image.with_context(|| format!("expected ten digits in {}, found fewer", FONTS[font].name))?);
    }
    let labels = (0..count).map(|index| (index % 10) as u8).collect();
    let name = folder.display().to_string();
    let digits = Dataset { name, images, labels: Some(labels), class_names: Vec::new(), shape: [side, side, 1] };
    Ok(fit_dataset(digits, config))
}

/// Nothing if the font does not have that digit.
fn draw(font: &Face<'_>, digit: usize, rng: &mut Rng, side: usize) -> Option<Vec<u8>> {
    let mut outline = Outline(PathBuilder::new());
    let glyph = font.glyph_index((b'0' + digit as u8).into())?;
    let bounds = font.outline_glyph(glyph, &mut outline)?;
    let path = outline.0.finish()?;

    let [left, right, bottom, top] = [bounds.x_min, bounds.x_max, bounds.y_min, bounds.y_max].map(f32::from);
    let side_of = side as f32;
    let mut between = |low: f32, high: f32| low + (high - low) * rng.unit();
    // Of the largest that fits: wide fonts would leave the image.
    let scale = between(0.55, 0.72) * side_of / (top - bottom).max(right - left);
    let slant = between(-0.15, 0.25);
    let degrees = between(-9.0, 9.0);
    let [x, y] = [(); 2].map(|()| side_of * (0.5 + between(-1.5, 1.5) / 28.0));
    // From right to left: its middle to the origin, upright in an image whose rows go down, slanted, turned, moved.
    let place = Transform::from_translate(x, y)
        .pre_concat(Transform::from_rotate(degrees))
        .pre_concat(Transform::from_row(scale, 0.0, slant * scale, -scale, 0.0, 0.0))
        .pre_translate(-(left + right) / 2.0, -(bottom + top) / 2.0);
    let mut canvas = Pixmap::new(side as u32, side as u32)?;
    canvas.fill(Color::BLACK);
    let mut paint = Paint::default();
    paint.set_color(Color::WHITE);
    canvas.fill_path(&path, &paint, FillRule::Winding, place, None);
    Some(canvas.pixels().iter().map(|pixel| pixel.red()).collect())
}

/// A glyph on its way from font to path.
struct Outline(PathBuilder);

impl OutlineBuilder for Outline {
    fn move_to(&mut self, x: f32, y: f32) {
        self.0.move_to(x, y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.0.line_to(x, y);
    }

    fn quad_to(&mut self, x1: f32, y1: f32, x: f32, y: f32) {
        self.0.quad_to(x1, y1, x, y);
    }

    fn curve_to(&mut self, x1: f32, y1: f32, x2: f32, y2: f32, x: f32, y: f32) {
        self.0.cubic_to(x1, y1, x2, y2, x, y);
    }

    fn close(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_white_inside_of_black() {
        let font = Face::parse(include_bytes!("../../assets/dejavu-sans.ttf"), 0).unwrap();
        for side in [28, 64] {
            for index in 0..200 {
                let image = draw(&font, index % 10, &mut Rng::new(5, index as u64), side).unwrap();
                let at = |x: usize, y: usize| image[y * side + x];
                assert!(
                    (0..side).all(|edge| [at(edge, 0), at(edge, side - 1), at(0, edge), at(side - 1, edge)] == [0; 4])
                );
                let ink = image.iter().map(|&value| f32::from(value)).sum::<f32>() / (255 * side * side) as f32;
                assert!((0.04..0.3).contains(&ink), "{index} of side {side}: {ink}");
            }
        }
    }

    #[test]
    fn digits_stand_upright() {
        let font = Face::parse(include_bytes!("../../assets/dejavu-sans.ttf"), 0).unwrap();
        // How much lower than the middle ink lies, as a part of all: a 7 has its bar above, a 6 its bowl below.
        let low = |digit: usize| {
            let images = (0..20).map(|index| draw(&font, digit, &mut Rng::new(5, index), 28).unwrap());
            let halves = images.map(|image| {
                let ink = |rows: &[u8]| rows.iter().map(|&value| f32::from(value)).sum::<f32>();
                ink(&image[14 * 28..]) / ink(&image)
            });
            halves.sum::<f32>() / 20.0
        };
        assert!(low(7) + 0.1 < low(6), "{} {}", low(7), low(6));
    }

    #[test]
    fn a_font_that_is_missing_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = load(folder.path(), Split::Train, &DataConfig::new("digits", 28, 1)).unwrap_err().to_string();
        assert!(error.contains("BebasNeue_400Regular.ttf: fetch digits again"), "{error}");
    }
}
