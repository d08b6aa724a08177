//! `just bench-arm`, `just size` and `just mca`.
//!
//! `edgegen-bench-arm [CPU…]` counts the instructions of layers and of a whole generator on emulated cores, prints
//! the table and, unless only some cores were asked for, writes it into `benches/record/`. `edgegen-bench-arm
//! operators CPU…` counts only the operators that these layers do not have.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use edgegen_bench_arm::board::{Bench, version};
use edgegen_bench_arm::operators::OPERATORS;
use edgegen_bench_arm::record::{Cell, Core, OperatorCell, Record, Whole};
use edgegen_bench_arm::workload::{self, LAYERS, WHOLE};
use edgegen_bench_arm::{boards, goals, loops, mca, size};
use edgegen_runtime::Packing;
use edgegen_sim::{Cpu, toolchain};

/// Models of `models/`.
const SHIPPED: [&str; 15] = [
    "mnist-dcgan",
    "mnist-cgan",
    "mnist-vae",
    "fashion-dcgan",
    "fashion-residual",
    "emoji-dcgan",
    "faces-words",
    "faces-style",
    "icons",
    "moons-iaf",
    "drums",
    "fashion-edges-pix2pix",
    "emoji-pairs-pix2pix",
    "avatars-emoji",
    "bags-shoes",
];

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["size"] => size::print().and_then(|()| boards::print()),
        ["mca"] => mca::print(),
        ["operators", ref names @ ..] => cores(names)?.into_iter().try_for_each(|cpu| {
            let bench = Bench::build(cpu)?;
            operators(cpu, &bench).map(|_| ())
        }),
        [] => {
            let record = record(&Cpu::CORTEX_M)?;
            println!("{}", record.markdown());
            record.write(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../record")))
        }
        ref names => {
            println!("{}", record(&cores(names)?)?.markdown());
            Ok(())
        }
    }
}

fn cores(names: &[&str]) -> Result<Vec<Cpu>> {
    names.iter().map(|name| name.parse()).collect()
}

fn record(cores: &[Cpu]) -> Result<Record> {
    let says = |program: &str, arguments: &[&str]| -> Result<String> {
        let output =
            Command::new(program).args(arguments).output().with_context(|| format!("cannot start {program}"))?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    Ok(Record {
        date: says("date", &["-u", "+%Y-%m-%d"])?,
        commit: says("git", &["describe", "--always", "--dirty=+"]).unwrap_or_default(),
        rustc: version(toolchain::host("rustc")?)?,
        qemu: version(Command::new("qemu-system-arm"))?,
        cores: cores.iter().map(|&cpu| core(cpu)).collect::<Result<_>>()?,
    })
}

fn core(cpu: Cpu) -> Result<Core> {
    let bench = Bench::build(cpu)?;
    let (packing, goals) = (cpu.packing(), goals::of(cpu.name()));
    let mut cells = Vec::new();
    for (index, layer) in LAYERS.iter().enumerate() {
        let (taken, portable) = (layer.layer(&bench, packing)?, layer.layer(&bench, Packing::Portable)?);
        let per_mac = |instructions: u64| instructions as f64 / taken.macs as f64;
        eprintln!(
            "{cpu}, {}: {:.3}, portable {:.2}",
            layer.name,
            per_mac(taken.instructions),
            per_mac(portable.instructions)
        );
        cells.push(Cell {
            layer: layer.name,
            macs: taken.macs,
            instructions: taken.instructions,
            per_mac: per_mac(taken.instructions),
            portable_per_mac: per_mac(portable.instructions),
            goal: goals.map(|goals| goals[index]),
        });
    }
    let operators = operators(cpu, &bench)?;
    let (macs, counts, aliased) = WHOLE.whole(&bench, packing)?;
    let (_, portable, _) = WHOLE.whole(&bench, Packing::Portable)?;
    eprintln!("{cpu}, {}: {:.2} million", WHOLE.name, counts.images[0] as f64 / 1e6);
    let whole = Whole {
        macs,
        structures: counts.model + counts.generator,
        ram: counts.ram(),
        images: counts.images,
        latent: counts.latent,
        portable: portable.images[0],
        goal: goals.map(|goals| goals[LAYERS.len()]),
        aliased,
        parse: counts.parse,
        file: counts.file,
        parse_stack: counts.parse_stack,
        run_stack: counts.run_stack,
        arena: counts.arena,
    };
    let mut core = Core {
        cpu: cpu.name(),
        kernel: counts.kernel,
        packing: packing.name(),
        cells,
        operators,
        whole,
        shipped: SHIPPED
            .into_iter()
            .map(|name| Ok((name, workload::shipped(&bench, packing, name)?)))
            .collect::<Result<_>>()?,
        own_and_aliased: workload::own_and_aliased(&bench, packing)?,
        listing: None,
    };
    if !core.missed_layers().is_empty() {
        let found = loops::find(&bench.elf, cpu.name(), &format!("kernels::{}", core.kernel))?;
        core.listing = Some(found.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"));
    }
    Ok(core)
}

fn operators(cpu: Cpu, bench: &Bench) -> Result<Vec<OperatorCell>> {
    let cells = OPERATORS.iter().map(|operator| {
        let instructions = operator.count(bench, cpu.packing())?;
        let per_unit = instructions as f64 / operator.units as f64;
        let aim = operator.aim(cpu);
        eprintln!("{cpu}, {}: {per_unit:.3}", operator.name);
        Ok(OperatorCell {
            operator: operator.name,
            instructions,
            per_unit,
            aim: aim.map(|aim| aim.most),
            reason: aim.map_or("", |aim| aim.reason),
        })
    });
    cells.collect()
}
