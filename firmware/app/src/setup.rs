//! How a person's panel differs from the one that a board's firmware is written for.

use core::fmt::{self, Display};

/// What is changed about a panel; by default nothing.
///
/// Modules with one and the same controller differ: the glass may show a part of the controller's memory only, be made
/// for inverted drive, have blue where others have red, and a person may build it in on its side.
///
/// ```
/// use edgegen_app::PanelSetup;
///
/// let setup = PanelSetup::parse("rotate=90 invert size=135x240 offset=52,40");
/// assert_eq!((setup.quarters, setup.invert, setup.size), (1, true, Some((135, 240))));
/// assert_eq!(PanelSetup::parse(""), PanelSetup::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PanelSetup {
    /// Quarter turns of the picture, clockwise, from the way that the board has it: 0 to 3.
    pub quarters: u8,
    /// Light where it is dark without: the glass is driven the other way.
    pub invert: bool,
    /// Red and blue change places.
    pub bgr: bool,
    /// Columns and rows of the glass as the controller counts them, whatever way up the picture is; `None` for the
    /// board's.
    pub size: Option<(u16, u16)>,
    /// Column and row of the controller's memory that the glass begins with; `None` for the board's.
    pub offset: Option<(u16, u16)>,
}

impl PanelSetup {
    /// Reads words such as `rotate=90 invert bgr size=135x240 offset=52,40`, in any order; others are passed over.
    ///
    /// They are those that its `Display` writes.
    pub fn parse(line: &str) -> Self {
        let mut setup = Self::default();
        for word in line.split_ascii_whitespace() {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            match key {
                "rotate" => setup.quarters = value.parse::<u16>().map_or(0, |degrees| (degrees / 90 % 4) as u8),
                "invert" => setup.invert = true,
                "bgr" => setup.bgr = true,
                "size" => setup.size = pair(value, 'x'),
                "offset" => setup.offset = pair(value, ','),
                _ => {}
            }
        }
        setup
    }
}

/// Two numbers with a separator between them.
pub fn pair(text: &str, separator: char) -> Option<(u16, u16)> {
    let (a, b) = text.split_once(separator)?;
    Some((a.trim().parse().ok()?, b.trim().parse().ok()?))
}

impl Display for PanelSetup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rotate={}", u16::from(self.quarters) * 90)?;
        if self.invert {
            f.write_str(" invert")?;
        }
        if self.bgr {
            f.write_str(" bgr")?;
        }
        if let Some((width, height)) = self.size {
            write!(f, " size={width}x{height}")?;
        }
        if let Some((x, y)) = self.offset {
            write!(f, " offset={x},{y}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn its_words_are_read_as_written() {
        let setup = PanelSetup { quarters: 3, invert: true, bgr: true, size: Some((80, 160)), offset: Some((26, 1)) };
        assert_eq!(setup.to_string(), "rotate=270 invert bgr size=80x160 offset=26,1");
        for setup in [setup, PanelSetup::default(), PanelSetup { quarters: 2, ..PanelSetup::default() }] {
            assert_eq!(PanelSetup::parse(&setup.to_string()), setup);
        }
    }

    #[test]
    fn other_words_change_nothing() {
        for words in ["rotate", "rotate=x", "size=80", "size=80x-1", "offset=1", "inverted", "offset=1,70000"] {
            assert_eq!(PanelSetup::parse(words), PanelSetup::default(), "{words}");
        }
    }
}
