//! How a person's panel differs from the board's: options that `flash` and `sim` share.

use edgegen_sim::PanelSetup;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "The panel, where it is not built or driven as the board's")]
pub struct Setup {
    /// Turn the picture clockwise, by 90, 180 or 270 degrees
    #[arg(long, value_name = "DEGREES", default_value = "0", value_parser = ["0", "90", "180", "270"], hide_default_value = true, hide_possible_values = true)]
    rotate: String,
    /// Invert the colours: for a panel that shows black as white
    #[arg(long)]
    invert: bool,
    /// Swap red and blue: for a panel that shows red as blue
    #[arg(long)]
    bgr: bool,
    /// Columns and rows of the glass as its data sheet has them, whatever way up it is: 135x240
    #[arg(long, value_name = "COLUMNSxROWS", value_parser = |text: &str| pair(text, 'x', "135x240"))]
    size: Option<(u16, u16)>,
    /// Column and row of the controller's memory that the glass begins with: 52,40
    #[arg(long, value_name = "COLUMN,ROW", value_parser = |text: &str| pair(text, ',', "52,40"))]
    offset: Option<(u16, u16)>,
}

impl Setup {
    pub fn panel(&self) -> PanelSetup {
        let quarters = self.rotate.parse().map_or(0, |degrees: u16| (degrees / 90) as u8);
        PanelSetup { quarters, invert: self.invert, bgr: self.bgr, size: self.size, offset: self.offset }
    }
}

fn pair(text: &str, separator: char, example: &str) -> Result<(u16, u16), String> {
    edgegen_sim::pair(text, separator).ok_or_else(|| format!("expected two numbers such as {example}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        setup: Setup,
    }

    #[test]
    fn options_are_the_words_that_the_firmware_reads() {
        let parse = |line: &str| Line::try_parse_from(line.split(' ')).map(|line| line.setup.panel());
        assert_eq!(parse("flash").unwrap(), PanelSetup::default());
        let setup = parse("flash --rotate 270 --invert --bgr --size 135x240 --offset 52,40").unwrap();
        assert_eq!(setup, PanelSetup::parse("rotate=270 invert bgr size=135x240 offset=52,40"));
        for (line, expected) in [
            ("flash --rotate 45", "[possible values: 0, 90, 180, 270]"),
            ("flash --size 135", "expected two numbers such as 135x240"),
            ("flash --offset -1,2", "expected two numbers such as 52,40"),
        ] {
            let error = parse(&line.replace("--offset -1", "--offset=-1")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
