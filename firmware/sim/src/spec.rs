//! What a panel is: its size and its colours.

use serde::{Deserialize, Serialize};

/// What colours a panel has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum PanelColors {
    /// 16 greys, such as the SSD0323 has.
    Gray4,
    /// 256 greys.
    Gray8,
    /// 65 536 colours, such as the ST7789 and ILI9341 have.
    Rgb565,
    /// 16 million colours, such as a screen on HDMI has.
    Rgb888,
    /// Black and white, such as the SSD1306 has; greys are dithered.
    Binary,
}

/// A panel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelSpec {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Its colours.
    pub colors: PanelColors,
}

impl PanelSpec {
    /// The OLED of the lm3s6965evb: 128×64, 16 greys.
    pub const OLED: Self = Self { width: 128, height: 64, colors: PanelColors::Gray4 };
}
