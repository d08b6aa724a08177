//! `edgegen sim m.egm`.

use std::path::PathBuf;

use anyhow::Result;
use edgegen_sim::qemu::Shot;
use edgegen_sim::{Cpu, PanelSpec, boards, panel};

use super::source::{boot, read_any_model};
use super::{Console, Ending, bytes, grouped, table};
use crate::files;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// Where to run it: `host`, the simulated display of this computer, or a board that QEMU has
    #[arg(long, default_value = HOST)]
    board: String,
    /// The processor of an emulated board that can have several, cortex-m0 to cortex-m55; otherwise its own
    #[arg(long)]
    cpu: Option<Cpu>,
    /// Seed of the first image on the panel
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write a photo of the panel there
    #[arg(long, value_name = "PNG")]
    photo: Option<PathBuf>,
}

/// No board.
const HOST: &str = "host";

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let file = read_any_model(&args.model)?;
    let (png, report, instructions, stack_bytes) = match args.board.as_str() {
        HOST => {
            let photo = panel::photo(file.bytes(), args.seed, PanelSpec::OLED)?;
            (photo.png()?, photo.report, Vec::new(), None)
        }
        name => {
            let board = boards::find(name)?;
            let cpu = board.cpu(args.cpu)?;
            let Shot { png, report, instructions, stack_bytes } = boot(&file, &board, cpu, args.seed)?;
            (png, report, instructions, Some(stack_bytes))
        }
    };
    if let Some(path) = &args.photo {
        files::replace_bytes(path, &png)?;
    }
    let images: Vec<_> = report
        .images
        .iter()
        .enumerate()
        .map(|(index, image)| (image.seed, image.crc32, instructions.get(index).copied()))
        .collect();
    let value: Vec<_> = images
        .iter()
        .map(
            |(seed, crc, instructions)| serde_json::json!({ "seed": seed, "crc32": crc, "instructions": instructions }),
        )
        .collect();
    let value = serde_json::json!({ "images": value, "stack_bytes": stack_bytes, "photo": args.photo });
    console.show(&value, || {
        let rows = images.iter().map(|&(seed, crc, instructions)| {
            [seed.to_string(), format!("{crc:08x}"), instructions.map_or("–".to_owned(), grouped)]
        });
        let stack = stack_bytes.map_or(String::new(), |stack| format!("\nmost stack in use: {}", bytes(stack.into())));
        table(["seed", "CRC-32", "instructions"], rows) + &stack
    })
}
