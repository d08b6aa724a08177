//! The conversation of a board with its host: one line of request, a few lines of report.
//!
//! The report is ASCII text, one line each, in this order:
//!
//! ```text
//! model mnist-dcgan 28x28x1 arena 7424      name, height x width x channels, bytes of working memory needed
//! row 000000a7ff…                           only when asked for: the bytes of a row in hex, top to bottom
//! image 0 seed 7 crc32 1c291ca3 ticks 41250 CRC-32 (ISO-HDLC) of the rows; clock ticks spent on making them
//! done images 8 columns 4 rows 2 scale 1    the last line, or
//! fault the file is cut off …               the last line, with the reason why there is no picture, or
//! done images 4                             the last line after as many images of the show as were asked for
//! ```
//!
//! The last line comes when the panel shows all there is to see, so it is the moment for a photo.
//! Ticks count the making of rows alone: neither drawing nor reporting is in them.

use core::fmt::{Display, Write};

use crc::{CRC_32_ISO_HDLC, Crc, Digest, NoTable};
use edgegen_runtime::Shape;

use crate::gallery::{GalleryReport, Watch};

/// What the host asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Seed of the first image.
    pub seed: u64,
    /// Report the bytes of every row.
    pub rows: bool,
    /// Draw so many images of the show instead of one gallery, and end.
    pub images: Option<u64>,
    /// Keep the picture after the last line, for a photo, instead of ending.
    pub hold: bool,
}

impl Default for Request {
    /// One gallery from seed 1, no rows, no hold.
    fn default() -> Self {
        Self { seed: 1, rows: false, images: None, hold: false }
    }
}

impl Request {
    /// Reads words such as `seed=7 rows hold`, in any order; others (a program's name) are passed over. `images=4` asks for so many
    /// images of the show, and leaves the other words to [`Show::parse`](crate::Show::parse).
    pub fn parse(line: &str) -> Self {
        let mut request = Self::default();
        for word in line.split_ascii_whitespace() {
            match word {
                "rows" => request.rows = true,
                "hold" => request.hold = true,
                _ => {
                    let number = |key: &str| word.strip_prefix(key).and_then(|text| text.parse().ok());
                    request.seed = number("seed=").unwrap_or(request.seed);
                    request.images = number("images=").or(request.images);
                }
            }
        }
        request
    }
}

/// CRC-32 as in zlib and PNG, without a table: a table would cost a kilobyte of flash.
static CRC: Crc<u32, NoTable> = Crc::<u32, NoTable>::new(&CRC_32_ISO_HDLC);

/// Writes the report; a lost line does not stop the picture.
pub struct Reporter<W, C> {
    out: W,
    clock: C,
    rows: bool,
    index: u32,
    seed: u64,
    crc: Digest<'static, u32, NoTable>,
    /// Clock when the current row began.
    row_began: u32,
    ticks: u64,
}

impl<W: Write, C: FnMut() -> u32> Reporter<W, C> {
    /// A reporter on `out` that reads `clock` (free-running, wrapping at 2³²) and, with `rows`, tells every byte.
    pub fn new(out: W, clock: C, rows: bool) -> Self {
        Self { out, clock, rows, index: 0, seed: 0, crc: CRC.digest(), row_began: 0, ticks: 0 }
    }

    /// The line about the model.
    pub fn model(&mut self, name: &str, shape: Shape, arena_bytes: usize) {
        let Shape { h, w, c } = shape;
        let _ = writeln!(self.out, "model {name} {h}x{w}x{c} arena {arena_bytes}");
    }

    /// The last line, when all is well.
    pub fn done(&mut self, report: &GalleryReport) {
        let grid = &report.grid;
        let _ = writeln!(
            self.out,
            "done images {} columns {} rows {} scale {}",
            report.images, grid.columns, grid.rows, grid.scale
        );
    }

    /// The last line, when there is no picture.
    pub fn fault(&mut self, reason: &dyn Display) {
        let _ = writeln!(self.out, "fault {reason}");
    }
}

impl<W: Write, C: FnMut() -> u32> Watch for Reporter<W, C> {
    fn image_begins(&mut self, index: u32, seed: u64) {
        (self.index, self.seed) = (index, seed);
        self.crc = CRC.digest();
        self.ticks = 0;
        self.row_began = (self.clock)();
    }

    fn row_made(&mut self, row: &[u8]) {
        self.ticks += u64::from((self.clock)().wrapping_sub(self.row_began));
        self.crc.update(row);
        if self.rows {
            let _ = writeln!(self.out, "row {}", Hex(row));
        }
    }

    fn row_drawn(&mut self) {
        self.row_began = (self.clock)();
    }

    fn image_ends(&mut self) {
        let crc = self.crc.clone().finalize();
        let _ = writeln!(self.out, "image {} seed {} crc32 {crc:08x} ticks {}", self.index, self.seed, self.ticks);
    }
}

impl<W, C> core::fmt::Debug for Reporter<W, C> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Reporter")
            .field("index", &self.index)
            .field("seed", &self.seed)
            .field("ticks", &self.ticks)
            .finish_non_exhaustive()
    }
}

/// Bytes as hex digits. Sixteen bytes a call: on a debug probe each call halts the processor.
struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        for chunk in self.0.chunks(16) {
            let mut text = heapless::String::<32>::new();
            for &byte in chunk {
                for digit in [byte >> 4, byte & 0xF] {
                    // 16 bytes are 32 digits: it cannot be full.
                    let _ = text.push(char::from(DIGITS[usize::from(digit)]));
                }
            }
            f.write_str(&text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gallery;
    use crate::image::tests::Ramp;
    use embedded_graphics::mock_display::MockDisplay;
    use embedded_graphics::pixelcolor::Gray4;
    use std::string::String;

    #[test]
    fn requests() {
        let request = Request::parse("firmware.elf seed=18446744073709551615 hold");
        assert_eq!((request.seed, request.rows, request.hold), (u64::MAX, false, true));
        assert_eq!(Request::parse("seed=nonsense"), Request::default());
        assert!(Request::parse("rows").rows);
        assert_eq!(Request::parse("walk images=4 seed=7"), Request { seed: 7, images: Some(4), ..Request::default() });
    }

    #[test]
    fn hex_of_odd_lengths() {
        let bytes: [u8; 17] = core::array::from_fn(|i| i as u8 * 15);
        let mut text = String::new();
        write!(text, "{}", Hex(&bytes)).unwrap();
        assert_eq!(text, "000f1e2d3c4b5a69788796a5b4c3d2e1f0");
    }

    #[test]
    fn one_image_as_text() {
        let mut source = Ramp { shape: Shape { h: 40, w: 40, c: 1 }, step: 0 };
        let mut display = MockDisplay::<Gray4>::new();
        display.set_allow_overdraw(true);
        let mut text = String::new();
        let mut now = u32::MAX - 60;
        // Ten ticks from one look at the clock to the next, across its overflow.
        let clock = || {
            now = now.wrapping_add(10);
            now
        };
        let mut reporter = Reporter::new(&mut text, clock, true);
        let report = gallery::run(&mut display, &mut source, 49, &mut reporter).unwrap();
        reporter.done(&report);
        let lines: std::vec::Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], std::format!("row {}", "31".repeat(40)));
        // zlib.crc32(b"1" * 1600)
        assert_eq!(lines[40], "image 0 seed 49 crc32 1be48795 ticks 400");
        assert_eq!(lines[41], "done images 1 columns 1 rows 1 scale 1");
    }
}
