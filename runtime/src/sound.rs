//! Sound: an image of one column whose rows are samples, from first to last.
//!
//! Its values are samples companded by the μ-law, as WaveNet (van den Oord et al., 2016, section 2.2) and G.711 do, so
//! that 8 bits are enough; with μ = [`MU`] and x, y in −1 … 1:
//!
//! ```text
//! y = sgn(x) · ln(1 + μ·|x|) / ln(1 + μ)            companded, what a model makes
//! x = sgn(y) · ((1 + μ)^|y| − 1) / μ                expanded, what a speaker plays
//! ```
//!
//! How many samples a second has is a fact in the file, [`RATE`]: see
//! [`Model::sample_rate`](crate::Model::sample_rate).

use crate::graph::Source;

/// μ of the companding.
pub const MU: u16 = 255;
/// The fact that says that a model makes sound: samples a second, in decimal digits.
pub const RATE: &str = "rate";

/// The sample of a row of a sound, its only byte: 0 is −32767, 127 and 128 are silence, 255 is 32767.
pub fn sample(byte: u8) -> i16 {
    expand(Source::pixel_code(byte))
}

/// The sample of a code, whose companded value is `code` / 127; −128 is taken as −127.
pub fn expand(code: i8) -> i16 {
    let magnitude = EXPANDED.get(usize::from(code.unsigned_abs().min(127))).copied().unwrap_or(0);
    if code < 0 { -magnitude } else { magnitude }
}

/// `EXPANDED[k]` = round(32767 · (256^(k / 127) − 1) / 255). A test below computes it again.
static EXPANDED: [i16; 128] = [
    0, 6, 12, 18, 25, 31, 38, 46, 54, 62, 70, 79, 88, 98, 108, 119, 130, 141, 153, 166, 179, 193, 207, 222, 238, 254,
    271, 289, 308, 327, 348, 369, 391, 414, 439, 464, 490, 518, 547, 577, 608, 641, 676, 712, 749, 788, 829, 872, 916,
    963, 1012, 1063, 1116, 1171, 1229, 1290, 1353, 1419, 1489, 1561, 1636, 1715, 1797, 1883, 1973, 2067, 2165, 2267,
    2374, 2486, 2602, 2724, 2851, 2984, 3123, 3268, 3420, 3578, 3744, 3917, 4097, 4286, 4483, 4689, 4904, 5128, 5363,
    5608, 5864, 6131, 6411, 6703, 7007, 7326, 7659, 8006, 8369, 8748, 9145, 9558, 9991, 10442, 10914, 11407, 11922,
    12460, 13021, 13608, 14221, 14862, 15531, 16230, 16960, 17722, 18519, 19351, 20221, 21129, 22078, 23069, 24104,
    25186, 26315, 27495, 28728, 30016, 31362, 32767,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_formula() {
        for code in i8::MIN..=i8::MAX {
            let y = f64::from(code.max(-127)) / 127.0;
            let x = y.signum() * (libm::pow(1.0 + f64::from(MU), y.abs()) - 1.0) / f64::from(MU);
            assert!((f64::from(expand(code)) - 32767.0 * x).abs() <= 0.5, "{code}: {} {x}", expand(code));
        }
    }

    #[test]
    fn bytes_of_rows() {
        assert_eq!([0, 127, 128, 255].map(sample), [-32767, 0, 0, 32767]);
        assert!((0..255).all(|byte| sample(byte) <= sample(byte + 1) && sample(byte) == -sample(255 - byte)));
    }
}
