//! Boards, each as `firmware/boards/<name>/board.toml` describes it: the one place that says what a board has.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use edgegen_app::PanelSetup;
use edgegen_runtime::Model;
use serde::{Deserialize, Serialize};

use crate::cpu::Cpu;
use crate::folder::root;
use crate::formats::Format;
use crate::spec::{PanelColors, PanelSpec};

/// A board, as the linker and a person see it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Board {
    /// Name of its folder in `firmware/boards`; its crate is `edgegen-<name>`.
    #[serde(skip_deserializing)]
    pub name: String,
    /// What people call it.
    pub title: String,
    /// Its chip, as probe-rs names it where probe-rs knows it.
    pub chip: String,
    /// Its processor: target, packing, and what an emulator is told.
    pub cpu: Cpu,
    /// The operating system whose program the firmware is, if it has one: it then takes the model as a file.
    pub system: Option<String>,
    /// The processors that its emulator can put into it, if it has a choice.
    #[serde(default)]
    pub cpus: Vec<Cpu>,
    /// The processor's clock in MHz, where the board has one of its own.
    pub clock_mhz: Option<u32>,
    /// Bytes of flash, or of what holds the program where there is no flash.
    pub flash: u32,
    /// Bytes of RAM.
    pub ram: u32,
    /// Bytes of flash that the program takes besides the model, at most, where that needs nothing special
    /// ([`Board::program_flash_for`]); `tests/` links it and looks.
    pub program_flash: u32,
    /// Bytes of RAM that the program takes besides the arena, the stack's reserve included.
    pub program_ram: u32,
    /// Bytes that the firmware reserves for the model's arena.
    pub arena: u32,
    /// What runs the real firmware in tests and in `edgegen sim`.
    pub emulator: Emulator,
    /// Panels that the firmware can be built for; the first unless told otherwise.
    #[serde(rename = "panel")]
    pub panels: Vec<Panel>,
    /// Pin of the speaker, pin of the board, where the firmware can play sounds: its crate's feature `sound` does it.
    #[serde(default)]
    pub speaker: Vec<[String; 2]>,
    /// How a program gets onto the board.
    #[serde(default)]
    pub flash_by: FlashBy,
}

/// Bytes of flash that showing and playing sounds takes besides [`Board::program_flash`], at most.
pub const SOUND_FLASH: u32 = 16 * 1024;

/// Bytes of flash that int16 codes take besides [`Board::program_flash`], at most.
pub const INT16_FLASH: u32 = 14 * 1024;

/// Whether a model has nodes of int16 codes or reads its own earlier rows: firmware does without both where it can.
pub fn needs_int16(model: &Model<'_>) -> bool {
    model.nodes().iter().any(|node| node.is_wide() || node.is_previous())
}

/// What emulates a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Emulator {
    /// `qemu-system-arm` or `qemu-system-aarch64`.
    Qemu,
    /// The npm package rp2040js, in Node.
    Rp2040js,
    /// `qemu-aarch64` runs the program in the tests, on a file in its panel's place; it shows no panel by itself.
    QemuUser,
    /// A browser without a window runs the page in the tests; `edgegen play` shows it to people.
    Chromium,
    /// Nothing that can be trusted with it; the firmware is linked, and drawn on the simulated panel.
    None,
}

impl Emulator {
    /// Its name in `board.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Qemu => "qemu",
            Self::Rp2040js => "rp2040js",
            Self::QemuUser => "qemu-user",
            Self::Chromium => "chromium",
            Self::None => "none",
        }
    }

    /// Whether the real firmware can be booted for a look at its panel; where not, there is the simulated panel.
    pub fn boots(self) -> bool {
        matches!(self, Self::Qemu | Self::Rp2040js)
    }
}

/// A panel that a board's firmware can be built for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Name, and the feature of the board's crate where it is not the board's first panel.
    pub name: String,
    /// What people call it, with its controller and size.
    pub title: String,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Its colours.
    pub colors: PanelColors,
    /// Columns and rows of its controller's memory, where the firmware takes a [`PanelSetup`].
    pub memory: Option<[u16; 2]>,
    /// Pin of the panel, pin of the board.
    #[serde(default)]
    pub wiring: Vec<[String; 2]>,
    /// How it differs from the panel of `board.toml`: see [`Panel::fitted`].
    #[serde(skip)]
    pub setup: PanelSetup,
}

impl Panel {
    /// This panel with `setup`: its size is that of the picture then.
    ///
    /// # Errors
    ///
    /// When its firmware takes no setup, or its controller cannot do it: says what it can.
    pub fn fitted(&self, setup: PanelSetup) -> Result<Self> {
        if setup == PanelSetup::default() {
            return Ok(self.clone());
        }
        let Some(memory) = self.memory else {
            bail!(
                "the panel {} is as it is: --rotate, --invert, --bgr, --size and --offset are for panels with an ST7789, ST7735S, \
                 ILI9341, SSD1306 or SH1106 (see `edgegen boards`)",
                self.name
            )
        };
        let binary = self.colors == PanelColors::Binary;
        ensure!(
            !binary || !setup.bgr && setup.size.is_none() && setup.offset.is_none_or(|(_, row)| row == 0),
            "the panel {} is black and white, of {}×{}: it takes --rotate, --invert and --offset COLUMN,0, found --{setup_words}",
            self.name,
            self.width,
            self.height,
            setup_words = if setup.bgr {
                "bgr"
            } else if setup.size.is_some() {
                "size"
            } else {
                "offset with a row"
            }
        );
        let (mut width, mut height) = (self.width, self.height);
        // A board may have its panel on its side; size and offset are as the controller counts.
        let lies = !binary && (width > height) != (memory[0] > memory[1]) && width != height;
        let own = if lies { (height, width) } else { (width, height) };
        let size = setup.size.map_or(own, |(columns, rows)| (columns.into(), rows.into()));
        let offset = setup.offset.map_or((0, 0), |(column, row)| (column.into(), row.into()));
        let inside = |size: u32, offset: u32, memory: u16| size > 0 && size + offset <= memory.into();
        ensure!(
            inside(size.0, offset.0, memory[0]) && inside(size.1, offset.1, memory[1]),
            "the memory behind the panel {} has {}×{} pixels, in which {}×{} from column {} and row {} do not lie: {}",
            self.name,
            memory[0],
            memory[1],
            size.0,
            size.1,
            offset.0,
            offset.1,
            match binary {
                true => "if the module has columns beside its glass, it is --panel sh1106",
                false => "give --size and --offset as its data sheet has them, columns first with the connector below",
            }
        );
        (width, height) = if lies { (size.1, size.0) } else { size };
        if setup.quarters % 2 == 1 {
            (width, height) = (height, width);
        }
        Ok(Self { width, height, setup, ..self.clone() })
    }

    /// Its size and colours, for the simulated panel.
    pub fn spec(&self) -> PanelSpec {
        PanelSpec { width: self.width, height: self.height, colors: self.colors }
    }
}

/// How a program gets onto a board; several ways may be there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FlashBy {
    /// With a debug probe, on the board or beside it, through probe-rs.
    #[serde(default)]
    pub probe: bool,
    /// As a drive that takes UF2 files.
    pub uf2: Option<Uf2>,
    /// As a drive that takes another file: a probe that is one (DAPLink, ST-Link), or a memory card.
    pub drive: Option<Drive>,
    /// Through USB's Device Firmware Upgrade, in the chip's boot loader.
    pub dfu: Option<Dfu>,
}

/// A drive for UF2 files.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Uf2 {
    /// Family of chips, from the registry in <https://github.com/microsoft/uf2>.
    pub family: u32,
    /// Label of the drive, and the Board-ID in its INFO_UF2.TXT.
    pub volume: String,
}

/// A drive for whole images.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Drive {
    /// Label of the drive.
    pub volume: String,
    /// What it takes.
    pub format: Format,
    /// What the file must be called there, if that matters.
    pub file: Option<String>,
}

/// A boot loader for `dfu-util`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Dfu {
    /// Vendor and product of the USB device, `0483:df11`.
    pub id: String,
    /// Address of the flash, `0x08000000`.
    pub address: String,
}

impl Board {
    /// Its folder in `firmware`.
    pub fn folder(&self) -> String {
        format!("boards/{}", self.name)
    }

    /// Bytes of flash that the program takes besides this model, at most, with what it needs and others do not.
    pub fn program_flash_for(&self, model: &Model<'_>) -> u32 {
        let sound = if model.sample_rate().is_some() { SOUND_FLASH } else { 0 };
        let int16 = if needs_int16(model) { INT16_FLASH } else { 0 };
        self.program_flash + sound + int16
    }

    /// The panel of that name, or the first.
    ///
    /// # Errors
    ///
    /// When the board has none of that name.
    pub fn panel(&self, name: Option<&str>) -> Result<&Panel> {
        let found = self.panels.iter().find(|panel| name.is_none_or(|name| panel.name == name));
        found.with_context(|| {
            let names: Vec<&str> = self.panels.iter().map(|panel| panel.name.as_str()).collect();
            let name = name.unwrap_or_default();
            format!("the {} has no panel {name}: expected one of {}", self.name, names.join(", "))
        })
    }

    /// The processor to build for: the board's, or another one that its emulator can put into it.
    ///
    /// # Errors
    ///
    /// When the board cannot have it.
    pub fn cpu(&self, chosen: Option<Cpu>) -> Result<Cpu> {
        match chosen {
            Some(cpu) if cpu != self.cpu && !self.cpus.contains(&cpu) => {
                bail!("the {} has a {}, not a {cpu}: leave out the processor", self.name, self.cpu)
            }
            chosen => Ok(chosen.unwrap_or(self.cpu)),
        }
    }

    fn parse(name: &str, text: &str) -> Result<Self> {
        let mut board: Self = toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.to_string().trim()))?;
        board.name = name.to_owned();
        ensure!(!board.panels.is_empty(), "expected at least one [[panel]], found none");
        for (index, panel) in board.panels.iter().enumerate() {
            ensure!(panel.width > 0 && panel.height > 0, "panel {} has no pixels", panel.name);
            ensure!(
                board.panels[..index].iter().all(|other| other.name != panel.name),
                "there are two panels of the name {}",
                panel.name
            );
        }
        ensure!(board.clock_mhz != Some(0), "clock_mhz must not be 0");
        ensure!(board.program_flash < board.flash, "program_flash leaves no room for a model in flash");
        ensure!(
            board.program_ram.checked_add(board.arena).is_some_and(|sum| sum <= board.ram),
            "program_ram and arena are more than the board's ram"
        );
        Ok(board)
    }
}

/// All boards that firmware is there for, by name.
///
/// # Errors
///
/// When the folder `firmware` is not there, or a `board.toml` is wrong; says which, and what is wrong.
pub fn all() -> Result<Vec<Board>> {
    in_folder(&root()?.join("boards"))
}

/// The board of that name.
///
/// # Errors
///
/// When there is none, with the names that there are; and as [`all`].
pub fn find(name: &str) -> Result<Board> {
    let boards = all()?;
    let names: Vec<&str> = boards.iter().map(|board| board.name.as_str()).collect();
    match names.iter().position(|&other| other == name) {
        Some(index) => Ok(boards[index].clone()),
        None => bail!("there is no board {name}: expected one of {}", names.join(", ")),
    }
}

fn in_folder(folder: &Path) -> Result<Vec<Board>> {
    let entries = fs::read_dir(folder).with_context(|| format!("could not list {}", folder.display()))?;
    let mut boards = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("could not list {}", folder.display()))?.path();
        let file = path.join("board.toml");
        let (Some(name), true) = (path.file_name().and_then(|name| name.to_str()), file.is_file()) else { continue };
        let text = fs::read_to_string(&file).with_context(|| format!("could not read {}", file.display()))?;
        boards.push(Board::parse(name, &text).with_context(|| format!("{} is wrong", file.display()))?);
    }
    boards.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(boards)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    const PICO: &str = r#"
        title = "A board"
        chip = "RP2040"
        cpu = "cortex-m0"
        clock_mhz = 125
        flash = 2_097_152
        ram = 270_336
        program_flash = 60_000
        program_ram = 30_000
        arena = 40_000
        emulator = "rp2040js"

        [[panel]]
        name = "st7789"
        title = "ST7789, 320×240"
        width = 320
        height = 240
        colors = "rgb565"
        memory = [240, 320]
        wiring = [["SCK", "GP18"]]

        [[panel]]
        name = "ssd1306"
        title = "SSD1306, 128×64"
        width = 128
        height = 64
        colors = "binary"
        memory = [128, 64]

        [flash_by]
        probe = true
        uf2 = { family = 0xe48bff56, volume = "RPI-RP2" }
        drive = { volume = "bootfs", format = "bin", file = "kernel8.img" }
        dfu = { id = "0483:df11", address = "0x08000000" }
    "#;

    pub fn pico() -> Board {
        Board::parse("pico", PICO).unwrap()
    }

    #[test]
    fn every_board_of_the_repository_is_right() {
        let boards = all().unwrap();
        assert!(boards.iter().any(|board| board.name == "lm3s6965evb"));
        for board in boards {
            assert_eq!(find(&board.name).unwrap(), board);
        }
        let error = find("pico9").unwrap_err().to_string();
        assert!(error.starts_with("there is no board pico9") && error.contains("lm3s6965evb"), "{error}");
    }

    #[test]
    fn a_fitted_panel_has_the_size_of_its_picture() {
        let board = pico();
        let size = |panel: &str, words: &str| {
            let panel = board.panel(Some(panel)).unwrap().fitted(PanelSetup::parse(words)).unwrap();
            (panel.width, panel.height)
        };
        assert_eq!(size("st7789", ""), (320, 240));
        assert_eq!(size("st7789", "rotate=180 invert bgr"), (320, 240));
        assert_eq!(size("st7789", "rotate=270"), (240, 320));
        // 135 columns and 240 rows, lying on their side as the board has its own.
        assert_eq!(size("st7789", "size=135x240 offset=52,40"), (240, 135));
        assert_eq!(size("st7789", "size=135x240 offset=52,40 rotate=90"), (135, 240));
        assert_eq!(size("ssd1306", "rotate=90 invert"), (64, 128));
    }

    #[test]
    fn what_a_panel_cannot_is_refused() {
        let board = pico();
        let refused = |panel: &Panel, words: &str| panel.fitted(PanelSetup::parse(words)).unwrap_err().to_string();
        let lcd = board.panel(Some("st7789")).unwrap();
        for (words, place) in [
            ("offset=2,1", "240×320 from column 2 and row 1"),
            ("size=241x2", "241×2 from column 0"),
            ("size=0x5", "0×5 from"),
            ("size=320x240", "320×240 from"),
        ] {
            let error = refused(lcd, words);
            assert!(
                error.starts_with("the memory behind the panel st7789 has 240×320 pixels") && error.contains(place),
                "{error}"
            );
        }
        let oled = board.panel(Some("ssd1306")).unwrap();
        for (words, found) in [("bgr", "--bgr"), ("size=128x32", "--size"), ("offset=0,1", "--offset with a row")] {
            let error = refused(oled, words);
            assert!(
                error.contains("takes --rotate, --invert and --offset COLUMN,0") && error.ends_with(found),
                "{error}"
            );
        }
        // All 128 columns are seen already.
        assert!(refused(oled, "offset=2,0").ends_with("it is --panel sh1106"));
        let leds = Panel { memory: None, name: "leds".into(), ..oled.clone() };
        assert!(refused(&leds, "invert").starts_with("the panel leds is as it is"));
    }

    #[test]
    fn a_description_is_read() {
        let board = pico();
        assert_eq!((board.name.as_str(), board.cpu, board.emulator), ("pico", Cpu::CortexM0, Emulator::Rp2040js));
        assert_eq!(board.flash_by.uf2.as_ref().unwrap().family, 0xe48b_ff56);
        let drive = board.flash_by.drive.as_ref().unwrap();
        assert_eq!((drive.format, drive.file.as_deref()), (Format::Bin, Some("kernel8.img")));
        assert_eq!(board.panel(None).unwrap().name, "st7789");
        assert_eq!(board.panel(Some("ssd1306")).unwrap().spec().colors, PanelColors::Binary);
        let error = board.panel(Some("oled")).unwrap_err().to_string();
        assert_eq!(error, "the pico has no panel oled: expected one of st7789, ssd1306");
        assert_eq!(board.cpu(None).unwrap(), Cpu::CortexM0);
        assert!(board.cpu(Some(Cpu::CortexM4)).is_err());
    }

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = [
            ("cpu = \"cortex-m0\"", "cpu = \"cortex-m1\"", "cortex-m1"),
            ("ram = 270_336", "ram = 60_000", "more than the board's ram"),
            ("flash = 2_097_152", "flash = 60_000", "no room"),
            ("\"ssd1306\"", "\"st7789\"", "two panels"),
            ("clock_mhz", "clock", "unknown field `clock`"),
            ("emulator = \"rp2040js\"", "", "missing field `emulator`"),
            ("format = \"bin\"", "format = \"elf\"", "unknown variant `elf`"),
        ];
        for (before, after, expected) in wrong {
            let text = PICO.replacen(before, after, 1);
            let error = format!("{:#}", Board::parse("pico", &text).unwrap_err());
            assert!(error.contains(expected), "{error}");
        }
    }
}
