//! The arithmetic, written down once.
//!
//! A real value `r` is stored as the int8 code `q` with `r = scale · (q − zero_point)`. Weights have zero point 0. All
//! codes are −127 … 127, of activations too: with −128 left out, 256·a − b of two codes fits 16 bits, which saves
//! Arm's DSP kernel a third of its unpacking (`kernels/dsp.rs`). Only pixels use all 256 codes.
//! A sum of products is exact in i32 and becomes a code again by one multiplication and one rounding:
//!
//! ```text
//! requantize(sum) = ⌊(sum · multiplier + 2³¹) / 2³²⌋        multiplier = round(scale · 2³²), scale < ½
//! ```
//!
//! where `scale` = input scale · weight scale / output scale of the channel. One rounding, ties towards +∞:
//!
//! | exact value | −1.5 | −0.5 | 0.5 | 1.5 | 2.5 |
//! |---|---|---|---|---|---|
//! | result | −1 | 0 | 1 | 2 | 3 |
//!
//! This is the single rounding of the TFLite int8 reference (`MultiplyByQuantizedMultiplier` with
//! `TFLITE_SINGLE_ROUNDING`) with its shift fixed to 32 bits, because "multiply, round, take the high half" is a single
//! instruction on Cortex-M4/M7/M33 (SMMULR) and M55 (VRMULH). The price is precision of tiny scales: the multiplier has
//! `32 + log2(scale)` significant bits, 22 for a typical 0.001. The exporter keeps every scale below ½.
//!
//! **int16 codes** ([`WideOutput`]) have zero point 0 and all of −32768 … 32767. Their sums stay within an i32, too:
//! the exporter keeps the weights of a channel so small that Σ |weight| · 2¹⁵ and the bias fit together.

/// The least int8 code of an activation that an operator reads.
pub const LEAST_CODE: i8 = -127;

/// A sum of products as a code, before zero point, clamp and table. See the module for formula and ties.
#[inline]
pub fn requantize(sum: i32, multiplier: i32) -> i32 {
    // No overflow: the product is at most 2⁶² in magnitude, and its high half fits an i32.
    ((i64::from(sum) * i64::from(multiplier) + (1 << 31)) >> 32) as i32
}

/// The rest of a layer: zero point, clamp and table, the same for all its channels.
#[derive(Clone, Copy, Debug)]
pub struct Output<'a> {
    /// Added to the requantized sum.
    pub zero_point: i8,
    /// Least code.
    pub low: i8,
    /// Greatest code, not below `low`.
    pub high: i8,
    /// Applied last: the output is `table[code + 128]`.
    pub table: Option<&'a [i8; 256]>,
}

impl Output<'_> {
    /// The stored byte for a sum of products (with its bias).
    #[inline]
    pub fn finish(&self, sum: i32, multiplier: i32) -> i8 {
        let code = requantize(sum, multiplier)
            .wrapping_add(i32::from(self.zero_point))
            .max(i32::from(self.low))
            .min(i32::from(self.high)) as i8;
        match self.table {
            Some(table) => table[usize::from((code as u8) ^ 0x80)],
            None => code,
        }
    }
}

/// The same for int16 codes.
#[derive(Clone, Copy, Debug)]
pub struct WideOutput<'a> {
    /// Least code before the table.
    pub low: i16,
    /// Greatest code before the table, not below `low`.
    pub high: i16,
    /// Applied last, see [`interpolate`].
    pub table: Option<&'a [i16; 257]>,
}

impl WideOutput<'_> {
    /// The code for a sum of products (with its bias).
    #[inline]
    pub fn finish(&self, sum: i32, multiplier: i32) -> i16 {
        let code = requantize(sum, multiplier).max(self.low.into()).min(self.high.into()) as i16;
        match self.table {
            Some(table) => interpolate(table, code),
            None => code,
        }
    }
}

/// What a table of every 256th code from −32768 to 32768 says about a code: between two of them, in proportion.
///
/// ```text
/// i = ⌊code / 256⌋ + 128,  r = code mod 256        ⌊(table[i] · (256 − r) + table[i + 1] · r + 128) / 256⌋
/// ```
#[inline]
pub fn interpolate(table: &[i16; 257], code: i16) -> i16 {
    let place = usize::from((code as u16) ^ 0x8000);
    let (index, part) = (place >> 8, (place & 255) as i32);
    let (low, high) = (i32::from(table[index & 255]), i32::from(table[(index & 255) + 1]));
    (low + (((high - low) * part + 128) >> 8)) as i16
}

/// The byte of an image for 256 times what a grey level is above 128, rounded; as a number of 16 bits, of which the low
/// one counts.
///
/// ```text
/// ⌊(value + 128) / 256⌋ + 128,  255 at most
/// ```
#[inline]
pub fn grey_level(value: i16) -> i16 {
    ((i32::from(value) + 128) >> 8).min(127) as i16 + 128
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_up_once() {
        let half = 1 << 30; // scale 0.25: sums of 2 are ties
        for (sum, expected) in [(-6, -1), (-2, 0), (2, 1), (6, 2), (10, 3), (0, 0), (4, 1), (-4, -1)] {
            assert_eq!(requantize(sum, half), expected, "{sum}/4");
        }
    }

    #[test]
    fn matches_exact_rational_rounding() {
        let mut state = 1u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 32) as i32
        };
        for _ in 0..10_000 {
            let (sum, multiplier) = (next(), next() & i32::MAX);
            let exact = i128::from(sum) * i128::from(multiplier) * 2 + (1 << 32);
            assert_eq!(i128::from(requantize(sum, multiplier)), exact.div_euclid(1 << 33));
        }
    }

    #[test]
    fn between_entries_a_wide_table_is_a_straight_line() {
        let mut table: [i16; 257] = core::array::from_fn(|i| (i as i32 * 256 - 32768).min(32767) as i16);
        // All but the last stretch, whose end does not fit, are the identity.
        for code in -32768..32512 {
            assert_eq!(interpolate(&table, code), code);
        }
        (table[128], table[129]) = (-100, 300);
        assert_eq!(interpolate(&table, 0), -100);
        assert_eq!(interpolate(&table, 64), 0);
        assert_eq!(interpolate(&table, 255), 298, "−100 + 400 · 255 / 256 = 298.4");
        (table[0], table[1]) = (32767, -32768);
        assert_eq!(interpolate(&table, -32768), 32767);
        assert_eq!(interpolate(&table, -32768 + 128), 0, "the middle, −0.5, goes up");
    }

    #[test]
    fn grey_levels_are_rounded() {
        let levels = [-32768, -32641, -32640, -128, 0, 127, 128, 32639, 32640, 32767].map(grey_level);
        assert_eq!(levels, [0, 0, 1, 128, 128, 128, 129, 255, 255, 255]);
    }

    #[test]
    fn wide_codes_are_clamped_then_looked_up() {
        let mut output = WideOutput { low: 0, high: 32767, table: None };
        assert_eq!(output.finish(i32::MAX, 1 << 30), 32767);
        assert_eq!(output.finish(-5, 1 << 30), 0);
        assert_eq!(output.finish(40_000, 1 << 30), 10_000);
        let mut table = [7; 257];
        (table[255], table[256]) = (0, 256);
        output.table = Some(&table);
        assert_eq!(output.finish(i32::MAX, 1 << 30), 255);
        assert_eq!(output.finish(i32::MIN, 1 << 30), 7);
    }

    #[test]
    fn clamp_then_table() {
        let mut table = [0i8; 256];
        table[0] = 11;
        table[255] = 22;
        let mut output = Output { zero_point: 5, low: -128, high: 127, table: None };
        assert_eq!(output.finish(8, 1 << 30), 7);
        assert_eq!(output.finish(i32::MAX, 1 << 30), 127);
        assert_eq!(output.finish(i32::MIN, 1 << 30), -128);
        output.table = Some(&table);
        assert_eq!(output.finish(i32::MIN, 1 << 30), 11);
        assert_eq!(output.finish(i32::MAX, 1 << 30), 22);
        output.low = 0;
        output.table = None;
        assert_eq!(output.finish(-1000, 1 << 30), 0);
    }
}
