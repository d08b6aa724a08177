//! `edgegen sim m.egm`.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use edgegen_runtime::Model;
use edgegen_sim::emulator::{Scene, Seen, simulate};
use edgegen_sim::{Cpu, PanelSetup, PanelSpec, boards, scatter};

use super::pictures::Pictures;
use super::setup::Setup;
use super::source::{emulate, read_any_model, read_model};
use super::{Console, Ending, bytes, classes, grouped, table};
use crate::{files, images, sounds};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// A model file
    model: PathBuf,
    /// Where to run it: `host`, the simulated display of this computer, or one of `edgegen boards`, in its emulator if it
    /// has one and else on a simulated panel of its size
    #[arg(long, default_value = HOST)]
    board: String,
    /// The panel, if the board can have another than its first
    #[arg(long)]
    panel: Option<String>,
    /// The processor of an emulated board that can have several, cortex-m0 to cortex-m55; otherwise its own
    #[arg(long)]
    cpu: Option<Cpu>,
    /// Simulate the board's panel only, although the board has an emulator
    #[arg(long)]
    simulate: bool,
    /// Act of the show to photograph: gallery, walk, mix, noise, middle, class, class=N or =NAME, picture, picture=N,
    /// art or drums; without it a plain gallery where there is one
    #[arg(long, value_parser = act)]
    mode: Option<String>,
    /// Seed of the first image on the panel
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write a photo of the panel there
    #[arg(long, value_name = "PNG")]
    photo: Option<PathBuf>,
    /// Write what its speaker plays there, as a WAV file, of a model that makes sound
    #[arg(long, value_name = "WAV")]
    sound: Option<PathBuf>,
    #[command(flatten)]
    pictures: Pictures,
    #[command(flatten)]
    setup: Setup,
}

/// No board.
const HOST: &str = "host";

/// An act as the show reads it.
pub fn act(text: &str) -> Result<String, String> {
    let numbered = |word: &str| {
        let number = text.strip_prefix(word).map(|rest| rest.strip_prefix('=').unwrap_or(rest))?;
        number.parse::<u16>().ok().map(|number| format!("{word}={number}"))
    };
    // The model knows whether it has a class of a name.
    let named = || text.strip_prefix("class=").filter(|name| !name.is_empty()).map(|_| text.to_owned());
    match text {
        "gallery" | "walk" | "mix" | "noise" | "middle" | "class" | "picture" | "art" | "drums" => Ok(text.to_owned()),
        _ => numbered("class").or_else(|| numbered("picture")).or_else(named).ok_or_else(|| {
            "expected gallery, walk, mix, noise, middle, class, class=N, class=NAME, picture, picture=N, art or drums"
                .to_owned()
        }),
    }
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    let file = |file| args.pictures.complete(file);
    if let Some(photo) = &args.photo {
        images::expect(photo, &["png"])?;
    }
    if let Some(sound) = &args.sound {
        images::expect(sound, &["wav"])?;
    }
    let model = read_any_model(&args.model)?;
    let parsed = Model::parse_any(model.bytes())?;
    let act = classes::act(&parsed, args.mode.as_deref())?;
    ensure!(
        args.sound.is_none() || parsed.sample_rate().is_some(),
        "expected a model that makes sound for --sound, found one of images in {}: leave --sound out",
        args.model.display()
    );
    // The plain gallery knows of images alone.
    let act = if parsed.sample_rate().is_some() { act.or(Some("gallery".to_owned())) } else { act };
    let is_scattered = scatter::is_point(parsed.output());
    let scene = Scene { seed: args.seed, act: act.as_deref() };
    let seen = if args.board == HOST {
        ensure!(args.panel.is_none(), "expected a board beside --panel, found none: add --board");
        ensure!(
            args.setup.panel() == PanelSetup::default(),
            "expected a board beside --rotate, --invert, --bgr, --size or --offset, found none: add --board"
        );
        simulate(file(read_model(&args.model)?)?.bytes(), PanelSpec::OLED, scene)?
    } else {
        let board = boards::find(&args.board)?;
        let panel = &board.panel(args.panel.as_deref())?.fitted(args.setup.panel())?;
        let cpu = board.cpu(args.cpu)?;
        let is_simulated = args.simulate || !board.emulator.boots();
        ensure!(
            args.sound.is_none() || is_simulated || !board.speaker.is_empty(),
            "expected a board with a speaker for --sound, found the {}, which has none: add --simulate, or take another one",
            board.name
        );
        if is_simulated {
            console.say(&format!("the app on a simulated panel, {}", panel.title));
            simulate(file(read_model(&args.model)?)?.bytes(), panel.spec(), scene)?
        } else {
            console.say(&format!(
                "building the firmware of the {} and starting it in {}",
                board.name,
                board.emulator.name()
            ));
            emulate(&file(model)?, &board, panel, cpu, scene)?
        }
    };
    let Seen { png, report, instructions, stack_bytes, text, heard } = seen;
    let heard = heard.unwrap_or_default();
    ensure!(
        args.sound.is_none() || !heard.samples.is_empty(),
        "expected the first sound before the emulator stops, found it not made yet: add --simulate"
    );
    if let Some(path) = &args.photo {
        files::replace_bytes(path, &png)?;
    }
    if let Some(path) = &args.sound {
        sounds::save_wav(path, &heard.samples, heard.rate)?;
    }
    let images: Vec<_> = report
        .iter()
        .flat_map(|report| &report.images)
        .enumerate()
        .map(|(index, image)| (image.seed, image.crc32, instructions.get(index).copied()))
        .collect();
    let value: Vec<_> = images
        .iter()
        .map(
            |(seed, crc, instructions)| serde_json::json!({ "seed": seed, "crc32": crc, "instructions": instructions }),
        )
        .collect();
    let value = serde_json::json!({
        "images": value, "stack_bytes": stack_bytes, "text": text, "photo": args.photo, "sound": args.sound,
        "samples": heard.samples.len()
    });
    console.show(&value, || {
        if let Some(path) = &args.sound {
            let seconds = heard.samples.len() as f64 / f64::from(heard.rate.max(1));
            return format!("{}\n{}: {seconds:.3} s at {} Hz", text.trim_end(), path.display(), heard.rate);
        }
        if report.is_none() {
            return text.trim_end().to_owned();
        }
        if is_scattered {
            let first = images.first().map_or(0, |&(seed, ..)| seed);
            return format!("points of the plane: the dots of {} seeds from {first} on", images.len());
        }
        let rows = images.iter().map(|&(seed, crc, instructions)| {
            [seed.to_string(), format!("{crc:08x}"), instructions.map_or("–".to_owned(), grouped)]
        });
        let stack = stack_bytes.map_or(String::new(), |stack| format!("\nmost stack in use: {}", bytes(stack.into())));
        table(["seed", "CRC-32", "instructions"], rows) + &stack
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_by_name() {
        for (text, expected) in [
            ("walk", "walk"),
            ("art", "art"),
            ("class", "class"),
            ("class=3", "class=3"),
            ("class7", "class=7"),
            ("class=cat", "class=cat"),
            ("picture=2", "picture=2"),
        ] {
            assert_eq!(act(text).unwrap(), expected);
        }
        for text in ["", "class=", "classx", "picture=-1", "parade"] {
            assert!(act(text).is_err(), "{text}");
        }
    }
}
