//! `edgegen inspect m.egm`.

use std::path::PathBuf;

use anyhow::Result;
use edgegen_export::cost::{self, Cost};
use edgegen_runtime::{Model, Prior};
use edgegen_sim::boards::{self, Board};
use serde::Serialize;

use super::source::read_any_model;
use super::{Console, Ending, bytes, grouped, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file
    model: PathBuf,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    metadata: Vec<(&'a str, &'a str)>,
    /// What its weights are packed for.
    packing: &'static str,
    latent: String,
    image: String,
    cost: Cost,
    boards: Vec<Fit<'a>>,
}

/// Whether a model and the program fit a board.
#[derive(Serialize)]
struct Fit<'a> {
    board: &'a str,
    core: &'static str,
    /// Flash left; negative: missing.
    flash_left: i64,
    /// RAM left; negative: missing.
    ram_left: i64,
}

impl<'a> Fit<'a> {
    fn new(board: &'a Board, cost: &Cost) -> Self {
        Self {
            board: &board.name,
            core: board.cpu.name(),
            flash_left: i64::from(board.flash) - i64::from(board.program_flash) - cost.file_bytes as i64,
            ram_left: i64::from(board.arena) - cost.arena_bytes as i64,
        }
    }

    fn verdict(&self) -> String {
        let missing: Vec<String> = [("flash", self.flash_left), ("RAM", self.ram_left)]
            .iter()
            .filter(|(_, left)| *left < 0)
            .map(|(what, left)| format!("{} of {what} missing", bytes(left.unsigned_abs())))
            .collect();
        if missing.is_empty() { "fits".to_owned() } else { missing.join(", ") }
    }
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let file = read_any_model(&args.model)?;
    let model = Model::parse_any(file.bytes())?;
    let graph = model.graph();
    let cost = cost::cost(&model);
    let boards = boards::all()?;
    let prior = match graph.latent.prior {
        Prior::Gaussian => "normal",
        Prior::Uniform => "uniform",
    };
    let report = Report {
        name: model.name(),
        metadata: graph.metadata.to_vec(),
        packing: model.packing().name(),
        latent: format!("{} {prior} values", graph.latent.dims),
        image: model.output().to_string(),
        boards: boards.iter().map(|board| Fit::new(board, &cost)).collect(),
        cost,
    };
    console.show(&report, || text(&report))
}

fn text(report: &Report<'_>) -> String {
    let Cost { ops, macs, weight_bytes, file_bytes, arena_bytes, whole_maps_bytes } = &report.cost;
    let rows = ops.iter().map(|op| {
        let ring = format!("{} × {}", op.ring_rows, op.ring_bytes / usize::from(op.ring_rows.max(1)));
        [op.op.clone(), op.output.clone(), grouped(op.macs), grouped(op.weight_bytes), grouped(op.channel_bytes), ring]
    });
    let facts: Vec<String> = report.metadata.iter().map(|(key, value)| format!("{key} {value}")).collect();
    let fits = report.boards.iter().map(|fit| {
        let [flash, ram] = [fit.flash_left, fit.ram_left].map(|left| left.to_string());
        [fit.board.to_owned(), fit.core.to_owned(), flash, ram, fit.verdict()]
    });
    format!(
        "{} ({}), packed as {}: {} → image of {}\n{}\n\
         {} products an image, {} weights\n\
         flash {}\n\
         RAM   {}; whole maps would take {}\n{}",
        report.name,
        facts.join(", "),
        report.packing,
        report.latent,
        report.image,
        table(["operator", "output", "products", "weights", "channel bytes", "ring rows × bytes"], rows),
        grouped(*macs),
        grouped(*weight_bytes),
        bytes(*file_bytes),
        bytes(*arena_bytes as u64),
        bytes(*whole_maps_bytes as u64),
        table(["board", "core", "flash left", "RAM left", "verdict"], fits),
    )
}
