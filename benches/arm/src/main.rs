//! `just bench-arm`: instructions per useful product, counted in QEMU, of each core's kernel and of the portable one, beside
//! CMSIS-NN; a table, and a dated record in `benches/record/`. `just size`: flash and stack.

mod board;
mod record;
mod size;
mod workload;

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use edgegen_runtime::Packing;
use edgegen_sim::{Cpu, qemu};

use board::count;
use record::{Cell, Core, Record};

fn main() -> Result<()> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../record"));
    match std::env::args().nth(1).as_deref() {
        None => bench(&folder),
        Some("size") => size::print(),
        // One core, without a record.
        Some(cpu) => {
            let cpu: Cpu = cpu.parse().context("expected nothing, size or a processor")?;
            cells(cpu, cpu.packing()).map(drop)
        }
    }
}

fn bench(folder: &std::path::Path) -> Result<()> {
    aliasing_changes_nothing()?;
    let mut cores = Vec::new();
    for cpu in Cpu::ALL {
        qemu::check(cpu)?;
        let core = Core {
            cpu: cpu.name(),
            packing: cpu.packing().name(),
            cells: cells(cpu, cpu.packing())?,
            portable: cells(cpu, Packing::Portable)?,
            listing: None,
        };
        cores.push(core.with_listing(&cpu.release_folder()?.join("edgegen-bench")));
    }
    Record::new(cores)?.write(folder)
}

/// All workloads on one core.
fn cells(cpu: Cpu, packing: Packing) -> Result<Vec<Cell>> {
    let folder = tempfile::tempdir()?;
    let mut cells = Vec::new();
    for workload in &workload::ALL {
        let (model, feeding) = workload.models(packing)?;
        let counts = count(&model, cpu, folder.path())?;
        let mut instructions = counts.image();
        if let Some(feeding) = feeding {
            instructions -= count(&feeding, cpu, folder.path())?.image();
        }
        let macs = workload.macs()?;
        eprintln!("{cpu}, {}: {}: {:.3}", packing.name(), workload.name, instructions as f64 / macs as f64);
        cells.push(Cell {
            layer: workload.name,
            macs,
            instructions,
            parse: counts.parse,
            parse_stack: counts.parse_stack,
            run_stack: counts.run_stack,
        });
    }
    Ok(cells)
}

/// Weights in one place count as weights in their own.
fn aliasing_changes_nothing() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = edgegen_tests::shipped("mnist-dcgan");
    let cpu = Cpu::CortexM4;
    let packed = edgegen_export::repack(&file, cpu.packing())?;
    let own = count(&packed, cpu, folder.path())?.image();
    let shared = count(&workload::alias(&packed)?, cpu, folder.path())?.image();
    // Clamps of finished values are the only branches that depend on them.
    ensure!(own.abs_diff(shared) * 200 < own, "{own} instructions with own weights, {shared} with shared ones");
    Ok(())
}
