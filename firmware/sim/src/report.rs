//! A board's report as data; [`edgegen_app::report`] describes its text.

use anyhow::{Context, Result, bail, ensure};

/// What a board told from start to end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The model, unless it was refused.
    pub model: Option<ModelLine>,
    /// The images, in the order of drawing.
    pub images: Vec<ImageLine>,
    /// How it came out; `None` while the last line is missing.
    pub ending: Option<Ending>,
}

/// The model as the board sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelLine {
    /// Name given at export.
    pub name: String,
    /// Height, width, channels.
    pub shape: [u16; 3],
    /// Bytes of working memory that it needs.
    pub arena_bytes: usize,
}

/// One image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLine {
    /// Cell of the gallery, from 0.
    pub index: u32,
    /// Its seed.
    pub seed: u64,
    /// CRC-32 of its bytes.
    pub crc32: u32,
    /// Ticks of the board's clock spent on making its rows.
    pub ticks: u64,
    /// Its bytes, height · width · channels, if they were asked for; else empty.
    pub bytes: Vec<u8>,
}

/// The last line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The gallery is on the panel.
    Done {
        /// Images drawn.
        images: u32,
        /// Cells side by side.
        columns: u32,
        /// Cells one above the other.
        rows: u32,
        /// Panel pixels per image pixel.
        scale: u32,
    },
    /// So many images of the show were drawn.
    Shown(u64),
    /// There is no picture, for this reason.
    Fault(String),
}

impl Report {
    /// Reads a report. Lines that are no part of one (a debugger's, an emulator's) are passed over.
    ///
    /// # Errors
    ///
    /// When a line starts like one of a report and does not go on so.
    pub fn parse(text: &str) -> Result<Self> {
        let mut report = Self::default();
        let mut bytes = Vec::new();
        for line in text.lines() {
            report.take(line, &mut bytes).with_context(|| format!("the board's report has the line {line:?}"))?;
        }
        Ok(report)
    }

    /// Whether `line` is the last of a report.
    pub fn ends_with(line: &str) -> bool {
        line.starts_with("done ") || line.starts_with("fault ")
    }

    /// The report without ticks, which two boards do not share.
    pub fn without_ticks(mut self) -> Self {
        self.images.iter_mut().for_each(|image| image.ticks = 0);
        self
    }

    fn take(&mut self, line: &str, bytes: &mut Vec<u8>) -> Result<()> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match *words {
            // The name may have blanks in it.
            ["model", .., shape, "arena", arena_bytes] => {
                let name = line.strip_prefix("model ").unwrap_or(line);
                let name = name.split_once(&format!(" {shape} arena ")).map_or("", |(name, _)| name);
                let shape = shape.split('x').map(str::parse).collect::<Result<Vec<u16>, _>>()?;
                let Ok(shape) = <[u16; 3]>::try_from(shape) else { bail!("expected height x width x channels") };
                self.model = Some(ModelLine { name: name.into(), shape, arena_bytes: arena_bytes.parse()? });
            }
            ["row", hex] => {
                ensure!(hex.len() % 2 == 0 && hex.is_ascii(), "expected pairs of hex digits");
                for at in (0..hex.len()).step_by(2) {
                    bytes.push(u8::from_str_radix(&hex[at..at + 2], 16)?);
                }
            }
            ["image", index, "seed", seed, "crc32", crc32, "ticks", ticks] => self.images.push(ImageLine {
                index: index.parse()?,
                seed: seed.parse()?,
                crc32: u32::from_str_radix(crc32, 16)?,
                ticks: ticks.parse()?,
                bytes: std::mem::take(bytes),
            }),
            ["done", "images", images, "columns", columns, "rows", rows, "scale", scale] => {
                self.ending = Some(Ending::Done {
                    images: images.parse()?,
                    columns: columns.parse()?,
                    rows: rows.parse()?,
                    scale: scale.parse()?,
                });
            }
            ["done", "images", images] => self.ending = Some(Ending::Shown(images.parse()?)),
            ["fault", ..] => self.ending = Some(Ending::Fault(line["fault".len()..].trim().into())),
            ["model" | "row" | "image" | "done", ..] => bail!("which is not of the form that edgegen-app writes"),
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_the_app_writes() {
        let report = Report::parse(
            "Timer with period zero\nmodel my digits 1x2x3 arena 7424\nrow 000102\nrow 0304ff\n\
             image 0 seed 18446744073709551615 crc32 0000beef ticks 12\n\
             done images 1 columns 1 rows 1 scale 4\n",
        )
        .unwrap();
        let model = report.model.clone().unwrap();
        assert_eq!((model.name.as_str(), model.shape, model.arena_bytes), ("my digits", [1, 2, 3], 7424));
        assert_eq!(report.images[0].bytes, [0, 1, 2, 3, 4, 255]);
        assert_eq!((report.images[0].seed, report.images[0].crc32), (u64::MAX, 0xBEEF));
        assert_eq!(report.ending, Some(Ending::Done { images: 1, columns: 1, rows: 1, scale: 4 }));
        assert_eq!(report.without_ticks().images[0].ticks, 0);
    }

    #[test]
    fn a_fault_keeps_its_sentence() {
        let report = Report::parse("fault expected 32 bytes, found 8").unwrap();
        assert_eq!(report.ending, Some(Ending::Fault("expected 32 bytes, found 8".into())));
    }

    #[test]
    fn a_garbled_line_is_quoted() {
        for line in ["image 0 seed", "row 0g", "row 123", "model x 1x2 arena 3", "done images many"] {
            let error = Report::parse(line).unwrap_err();
            assert!(error.to_string().contains(line), "{error}");
        }
    }
}
