//! ONNX files on the command line: what their options mean, and what a file is opened as. In a build without the
//! feature `onnx` a file can only be refused.

#[cfg_attr(feature = "onnx", path = "import/tract.rs")]
#[cfg_attr(not(feature = "onnx"), path = "import/missing.rs")]
mod reader;

use clap::{Args, ValueEnum};
use edgegen_runtime::Shape;

pub use reader::{Import, open};

/// What an ONNX file does not tell; each is found out where that can be done.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "What an ONNX file does not tell")]
pub struct Assumptions {
    /// How its latent vectors are drawn
    #[arg(long, value_enum)]
    pub prior: Option<Prior>,
    /// What the values of its picture mean
    #[arg(long, value_enum, allow_hyphen_values = true)]
    pub range: Option<Range>,
    /// Rows, columns and channels of the image that it reads, or of its picture where that is a flat vector, such as
    /// 28x28x1
    #[arg(long, value_name = "H×W×C", value_parser = shape)]
    pub shape: Option<Shape>,
    /// How many classes it has
    #[arg(long)]
    pub classes: Option<usize>,
    /// Which of its outputs is the picture
    #[arg(long, value_name = "NAME")]
    pub output: Option<String>,
}

/// How latent vectors are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Prior {
    /// Standard normal
    Gaussian,
    /// Evenly from −1 to 1
    Uniform,
    /// Evenly from 0 to 1
    Uniform01,
}

/// What the values of a picture mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Range {
    /// −1 is black, 1 is white
    #[value(name = "-1..1")]
    Symmetric,
    /// 0 is black, 1 is white
    #[value(name = "0..1")]
    Unit,
    /// 0 is black, 255 is white
    #[value(name = "0..255")]
    Byte,
    /// A sigmoid makes 0..1 of them
    Logits,
}

/// A shape as people write it: `28x28x1`, `28×28`, `1024` rows of one pixel and channel.
fn shape(text: &str) -> Result<Shape, String> {
    let sides: Option<Vec<u16>> = text.split(['x', '×', ',']).map(|side| side.trim().parse().ok()).collect();
    match sides.as_deref() {
        Some(&[h, w, c]) if h.min(w).min(c) > 0 => Ok(Shape { h, w, c }),
        Some(&[h, w]) if h.min(w) > 0 => Ok(Shape { h, w, c: 1 }),
        _ => Err(format!("expected rows, columns and channels such as 28x28x1, found {text}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_read_as_people_write_them() {
        assert_eq!(shape("28x28x1"), Ok(Shape { h: 28, w: 28, c: 1 }));
        assert_eq!(shape("64×32×3"), Ok(Shape { h: 64, w: 32, c: 3 }));
        assert_eq!(shape("64, 32"), Ok(Shape { h: 64, w: 32, c: 1 }));
        for wrong in ["", "28", "0x3x1", "1x2x3x4", "28xx1", "70000x1"] {
            assert!(shape(wrong).is_err(), "{wrong}");
        }
    }
}
