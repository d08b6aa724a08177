//! A walk that a model brings along: stations in the latent space, visited in a circle.
//!
//! They stand in the metadata under [`KEY`], as hexadecimal digits: two for each code, one code for each value of edge 0, those of the classes
//! behind the latent vector, station after station. Between two stations the way is straight, in [`LEG`] steps; whoever wrote them
//! chose a curve, and set so many on it that nobody sees the difference:
//!
//! ```text
//! code = (a · (8 − s) + b · s + 4) >> 3        s = 0 … 8
//! ```

use crate::fixed::LEAST_CODE;
use crate::latent::Point;
use crate::latent::point::remainder;

/// Where they stand in the metadata.
pub const KEY: &str = "keyframes";

/// Steps from one station to the next.
pub const LEG: u16 = 1 << LEG_BITS;
const LEG_BITS: u32 = 3;

/// The stations of a model.
#[derive(Clone, Copy, Debug)]
pub struct Keyframes<'a> {
    digits: &'a [[u8; 2]],
    /// Codes of a station.
    width: usize,
    count: u16,
}

impl<'a> Keyframes<'a> {
    /// Reads stations of `width` codes. `None` where it is not a whole number of them, 1 to 65 535, in hexadecimal digits.
    #[inline(never)]
    pub fn read(text: &'a str, width: usize) -> Option<Self> {
        let (digits, rest) = text.as_bytes().as_chunks();
        let count = digits.len().checked_div(width)?;
        let is_whole = rest.is_empty() && count * width == digits.len();
        let count = u16::try_from(count).ok().filter(|&count| is_whole && count > 0)?;
        digits.iter().all(|&pair| code(pair).is_some()).then_some(Self { digits, width, count })
    }

    /// How many there are.
    pub fn count(&self) -> u16 {
        self.count
    }

    /// The codes at a point that lies between two stations; their numbers are taken modulo [`count`](Self::count).
    #[inline(never)]
    pub fn fill(&self, point: Point, codes: &mut [i8]) {
        let (from, to) = (self.station(point.from), self.station(point.to));
        let end = i32::from(point.step.min(LEG));
        for ((code, from), to) in codes.iter_mut().zip(from).zip(to) {
            let sum = i32::from(from) * (i32::from(LEG) - end) + i32::from(to) * end;
            // Between the two, so it fits.
            *code = ((sum + i32::from(LEG / 2)) >> LEG_BITS) as i8;
        }
    }

    fn station(&self, number: u64) -> impl Iterator<Item = i8> + use<'a> {
        let start = remainder(number, self.count.into()).unwrap_or(0) * self.width;
        let digits = self.digits.get(start..start + self.width).unwrap_or(&[]);
        digits.iter().map(|&pair| code(pair).unwrap_or(0))
    }
}

/// Two digits; −128, which no code is, is taken as −127.
#[inline(never)]
fn code(pair: [u8; 2]) -> Option<i8> {
    let [high, low] = pair.map(|digit| char::from(digit).to_digit(16));
    Some((((high? << 4) | low?) as u8 as i8).max(LEAST_CODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(keyframes: Keyframes<'_>, point: Point) -> [i8; 2] {
        let mut codes = [99; 2];
        keyframes.fill(point, &mut codes);
        codes
    }

    #[test]
    fn stations_are_met_and_ways_are_straight() {
        // (1, −1), (127, −127) and (−128, 16).
        let keyframes = Keyframes::read("01ff7F818010", 2).unwrap();
        assert_eq!(keyframes.count(), 3);
        for (number, expected) in [(0, [1, -1]), (1, [127, -127]), (2, [-127, 16]), (3, [1, -1]), (u64::MAX, [1, -1])] {
            assert_eq!(filled(keyframes, Point::keyframe(number, 0, 0)), expected);
            assert_eq!(filled(keyframes, Point::keyframe(1, number, LEG)), expected);
            assert_eq!(filled(keyframes, Point::keyframe(1, number, u16::MAX)), expected);
        }
        assert_eq!(filled(keyframes, Point::keyframe(0, 1, 1)), [17, -17], "16.75 and −16.75");
        assert_eq!(filled(keyframes, Point::keyframe(0, 1, 4)), [64, -64]);
        assert_eq!(filled(keyframes, Point::keyframe(1, 2, 4)), [0, -55], "ties go up");
    }

    #[test]
    fn what_is_no_list_of_stations_is_refused() {
        for (text, width) in
            [("", 2), ("01", 2), ("010203", 2), ("0102030", 2), ("01g2", 2), ("01 2", 2), ("0102", 0), ("é1", 1)]
        {
            assert!(Keyframes::read(text, width).is_none(), "{text} of {width}");
        }
        assert!(Keyframes::read(&"00".repeat(65_535), 1).is_some());
        assert!(Keyframes::read(&"00".repeat(65_536), 1).is_none());
    }
}
