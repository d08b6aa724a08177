//! Boards without hardware, so that a model can be seen and compared before there is a board.
//!
//! | module | what it gives |
//! |---|---|
//! | [`spec`] | what a panel is: size and colours |
//! | [`panel`] | the app on a simulated panel of any size: a picture and the report, in milliseconds |
//! | [`stage`] | the show on such a panel: a picture of each frame |
//! | [`qemu`] | the real firmware on an emulated board: a photo of its panel and the report |
//! | [`machine`] | the machines of QEMU's that stand for a board |
//! | [`emulator`] | one door to all of these: what `board.toml` names, or the simulated panel |
//! | [`firmware`] | building that firmware for a model, a panel and a processor |
//! | [`cpu`] | processors: targets and packings |
//! | [`toolchain`] | Cargo and Rust's compiler in a clean environment |
//! | [`binary`] | what a linked program puts where |
//! | [`formats`] | a linked program as UF2, Intel HEX and plain bytes |
//! | [`flash`] | how a program gets onto a board from here |
//! | [`rp2040`] | the real firmware on an emulated Raspberry Pi Pico, and a picture of its panel |
//! | [`raspi`] | the real firmware for the Raspberry Pi on an emulated one, and photos of its screen |
//! | [`st7789`], [`ssd1306`] | panels: from the bytes on their bus to a picture |
//! | [`playground`] | the browser as a board: its page, program and models, as files for any static host |
//! | [`serve`] | answers to a browser on localhost, such files among them |
//! | [`photo`] | pictures back to panel levels, to compare the two pixel for pixel |
//! | [`boards`] | what boards have: memory, panels, how they are flashed; read from each board.toml |
//! | [`report`] | the report as data |
//! | [`skip`] | tests that need what is not everywhere |
//!
//! Both ways run the same [`edgegen_app`], so for one seed the reports agree byte for byte (but for the ticks).

#![deny(missing_docs, unsafe_code, rustdoc::broken_intra_doc_links)]

pub mod binary;
pub mod boards;
pub mod cpu;
pub mod emulator;
pub mod firmware;
pub mod flash;
pub mod formats;
pub mod machine;
pub mod panel;
pub mod photo;
pub mod playground;
pub mod qemu;
pub mod raspi;
pub mod report;
pub mod rp2040;
pub mod serve;
pub mod skip;
pub mod spec;
pub mod ssd1306;
pub mod st7789;
pub mod stage;
pub mod toolchain;

mod folder;
mod qmp;

pub use boards::Board;
pub use cpu::Cpu;
pub use edgegen_app::setup::pair;
pub use edgegen_app::{PanelSetup, scatter};
pub use photo::{difference, panel_levels, photo_levels, picture_difference};
pub use report::Report;
pub use spec::{PanelColors, PanelSpec};
