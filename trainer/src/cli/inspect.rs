//! `edgegen inspect m.egm`.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use edgegen_export::cost::{self, Cost};
use edgegen_export::{ExportError, ModelFile};
use edgegen_runtime::graph::Source;
use edgegen_runtime::latent::keyframes::KEY;
use edgegen_runtime::{Model, Prior};
use edgegen_sim::emulator::Scene;
use edgegen_sim::{Cpu, boards, scatter};
use serde::Serialize;

use super::fit::{Fit, pack_for, what};
use super::source::{emulate, read_any_model};
use super::{Console, Ending, bytes, classes, grouped, table};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// Tell about this board only, one of `edgegen boards`
    #[arg(long)]
    board: Option<String>,
    /// Count instructions in an emulator instead of estimating them
    #[arg(long, requires = "board")]
    count: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    name: &'a str,
    metadata: Vec<(&'a str, &'a str)>,
    /// Stations of the walk that it brings along, if it does.
    keyframes: Option<u16>,
    /// What its weights are packed for.
    packing: &'static str,
    reads: String,
    image: String,
    /// What it makes one of.
    makes: &'static str,
    /// Whether that is a point of the plane, which has two channels.
    of_points: bool,
    /// Samples a second, if the image is a sound.
    rate: Option<u32>,
    /// Its rows, which then are samples.
    rows: u16,
    cost: Cost,
    boards: Vec<Fit>,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let file = read_any_model(&args.model)?;
    let model = Model::parse_any(file.bytes())?;
    let cost = cost::cost(&model);
    let boards = match &args.board {
        Some(name) => vec![boards::find(name)?],
        None => boards::all()?,
    };
    let mut fits = Vec::new();
    for board in &boards {
        match pack_for(&file, board.cpu) {
            // Among all boards those are left out that need it packed otherwise.
            Err(ExportError::AlreadyPacked { .. }) if args.board.is_none() => {}
            packed => {
                let fit = Fit::new(board, board.cpu, &packed.with_context(|| args.model.display().to_string())?)?;
                fits.push(if args.count {
                    fit.with_instructions(board, Some(count(&file, board.cpu)?), true)
                } else {
                    fit
                });
            }
        }
    }
    let report = Report {
        name: model.name(),
        metadata: model.about().metadata.to_vec(),
        keyframes: model.keyframes().map(|keyframes| keyframes.count()),
        packing: model.packing().name(),
        reads: reads(&model),
        image: model.output().to_string(),
        makes: what(&model),
        of_points: scatter::is_point(model.output()),
        rate: model.sample_rate(),
        rows: model.output().h,
        boards: fits,
        cost,
    };
    console.show(&report, || match (&args.board, &report.boards[..]) {
        (Some(_), [fit]) => format!("{}\n{}", text(&report), one(fit)),
        _ => format!("{}\n{}", text(&report), all(&report.boards, report.makes)),
    })
}

impl Report<'_> {
    /// What it makes, with its size.
    fn made(&self) -> String {
        match self.rate {
            Some(rate) => {
                let seconds = f64::from(self.rows) / f64::from(rate);
                format!("sound of {} samples at {rate} Hz, {seconds:.3} s", self.rows)
            }
            None if self.of_points => POINT.to_owned(),
            None => format!("image of {}", self.image),
        }
    }
}

/// What a model makes that makes no images.
const POINT: &str = "a point of the plane, which panels show as a dot beside those of other seeds";

/// What a model reads, in a few words.
fn reads(model: &Model<'_>) -> String {
    let inputs = model.inputs().filter_map(|(node, input)| {
        Some(match input.source()? {
            Source::Latent => {
                let prior = match input.latent()?.prior {
                    Prior::Gaussian => "normal values",
                    Prior::Uniform => "uniform values",
                    Prior::UnitUniform => "uniform values from 0 to 1",
                };
                format!("{} {prior}", input.dims)
            }
            Source::Class if input.dims > 0 => format!("one of {} words", node.shape.c),
            Source::Class => format!("one of {} classes", node.shape.c),
            Source::Fed => match input.pictures {
                0 => format!("an image of {}", node.shape),
                count => format!("an image of {}, {count} of which it brings along", node.shape),
            },
            Source::Noise => format!("noise of {}", node.shape),
            Source::Previous => "its own rows before".into(),
            Source::Style => return None,
            Source::Mix => format!("a second such vector for any of {} layers of style", node.shape.c),
            Source::Constant => return None,
        })
    });
    inputs.collect::<Vec<_>>().join(", ")
}

fn text(report: &Report<'_>) -> String {
    let Cost { ops, macs, weight_bytes, file_bytes, arena_bytes, whole_maps_bytes } = &report.cost;
    let rows = ops.iter().map(|op| {
        let ring = format!("{} × {}", op.ring_rows, op.ring_bytes / usize::from(op.ring_rows.max(1)));
        [op.op.clone(), op.output.clone(), grouped(op.macs), grouped(op.weight_bytes), grouped(op.channel_bytes), ring]
    });
    let fact = |&(key, value): &(&str, &str)| match (key, report.keyframes) {
        (KEY, Some(count)) => format!("{count} keyframes"),
        (KEY, None) => "keyframes that cannot be read: walks go by seeds".to_owned(),
        (Model::WORDS, _) => {
            let names: Vec<&str> = value.lines().filter_map(|line| Some(line.split_once(": ")?.0)).collect();
            format!("words for {}", names.join(", "))
        }
        (classes::FACT, _) => format!("{key} {}", value.lines().collect::<Vec<_>>().join(", ")),
        _ => format!("{key} {value}"),
    };
    let facts: Vec<String> = report.metadata.iter().map(fact).collect();
    format!(
        "{} ({}), packed as {}: {} → {}\n{}\n\
         {} products {}, {} weights\n\
         flash {}\n\
         RAM   {}; whole maps would take {}",
        report.name,
        facts.join(", "),
        report.packing,
        report.reads,
        report.made(),
        table(["operator", "output", "products", "weights", "channel bytes", "ring rows × bytes"], rows),
        grouped(*macs),
        report.makes,
        grouped(*weight_bytes),
        bytes(*file_bytes),
        bytes(*arena_bytes as u64),
        bytes(*whole_maps_bytes as u64),
    )
}

/// Instructions of an image, the mean of a gallery, on a machine in QEMU with that processor and room for large models.
fn count(file: &ModelFile, cpu: Cpu) -> Result<u64> {
    ensure!(Cpu::CORTEX_M.contains(&cpu), "no emulator here counts the instructions of a {cpu}: leave out --count");
    let machine = boards::find("mps3-an547")?;
    let seen = emulate(file, &machine, machine.panel(None)?, cpu, Scene { seed: 0, act: None })?;
    let images = seen.instructions.len() as u64;
    ensure!(images > 0, "the emulator has counted no image");
    Ok(seen.instructions.iter().sum::<u64>() / images)
}

/// All boards in a table.
fn all(fits: &[Fit], what: &str) -> String {
    let rows = fits.iter().map(|fit| {
        let [flash, ram] = fit.left().map(|left| left.to_string());
        let packing = fit.packing.to_owned();
        [fit.board.clone(), fit.cpu.to_owned(), packing, flash, ram, fit.pace(""), fit.verdict()]
    });
    let head = ["board", "core", "packed as", "flash left", "RAM left", what, "verdict"];
    format!("{}\n{TIME}", table(head, rows))
}

/// What a time is worth.
const TIME: &str =
    "times are estimates: instructions, as estimated from the layers, at one a cycle of the board's clock";

/// All about one board.
fn one(fit: &Fit) -> String {
    let memory = |name, [needed, room]: [u64; 2]| {
        let rest =
            if needed <= room { ("fits", room - needed, "left") } else { ("does not fit", needed - room, "missing") };
        format!("{name} {} of {} for a model: {}, {} {}", bytes(needed), bytes(room), rest.0, bytes(rest.1), rest.2)
    };
    let how = if fit.counted { "counted in QEMU" } else { "estimated from its layers" };
    let time = match fit.instructions {
        Some(count) => format!(
            "{}: {} instructions, {how}, at one a cycle. This is an estimate: loads and branches of more \
             cycles and waiting for flash add to it, and a core that does two at a time takes from it",
            fit.pace(&format!(" {}", fit.makes)),
            grouped(count)
        ),
        None if Cpu::CORTEX_M.iter().any(|cpu| cpu.name() == fit.cpu) => {
            format!("no estimate: what its layers take was not counted one by one for {}; --count runs it", fit.packing)
        }
        None => format!("no estimate: nothing was counted for {} yet", fit.packing),
    };
    let lines = [
        format!("on the {} ({}, {}), packed as {}:", fit.board, fit.chip, fit.cpu, fit.packing),
        memory("flash", fit.flash),
        memory("RAM  ", fit.ram),
        format!("time  {time}"),
    ];
    // Whether it is fast enough or not, the speaker gets its samples at its own pace.
    let played =
        fit.sound_seconds.map(|_| "sound is made first, into memory beside the arena, and then played".to_owned());
    lines.into_iter().chain(played).chain(fit.advice.iter().cloned()).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::source::{project, read_model};

    #[test]
    fn what_has_no_estimate_says_how_to_get_a_count() {
        let file = read_model(&project().join("models/mnist-dcgan/model.egm")).unwrap();
        for (board, expected) in
            [("pico", "not counted one by one for armv6m; --count"), ("raspi", "nothing was counted")]
        {
            let board = boards::find(board).unwrap();
            let fit = Fit::new(&board, board.cpu, &pack_for(&file, board.cpu).unwrap()).unwrap();
            let said = one(&fit.with_instructions(&board, None, false));
            assert!(said.contains(expected), "{said}");
        }
    }
}
