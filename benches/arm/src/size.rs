//! What the runtime takes: flash of each of its parts, and stack.
//!
//! Flash is that of `firmware/proof`, the smallest program that parses and draws. The compiler inlines most of the runtime into a few
//! functions, so instructions are sorted by the source file that they come from, as the debug information tells it.

use std::collections::BTreeMap;
use std::path::Path;

use addr2line::Loader;
use anyhow::{Result, anyhow};
use edgegen_sim::Cpu;
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags, SectionKind, elf};

use crate::board::{Bench, Counts};

/// Parts by file of `runtime/src`, and the same by path of a function without debug information, such as one in assembly.
const FILES: [(&str, &str, &str); 21] = [
    ("kernels/scalar", "kernels::scalar", "kernel: scalar"),
    ("kernels/armv6m", "kernels::armv6m", "kernel: of the core"),
    ("kernels/dsp", "kernels::dsp", "kernel: of the core"),
    ("kernels/mve", "kernels::mve", "kernel: of the core"),
    ("kernels/", "kernels::", "kernel: driver"),
    ("ops/input", "ops::input", "operator: input"),
    ("ops/product", "ops::product", "operator: product"),
    ("ops/join", "ops::join", "operator: join"),
    ("ops/copy", "ops::copy", "operator: copy"),
    ("ops/reduce", "ops::reduce", "operator: reduce"),
    ("ops/", "ops::", "executor"),
    ("weights", "weights::", "executor"),
    ("arena", "arena::", "executor"),
    ("stream", "stream::", "executor"),
    ("walk", "walk::", "executor"),
    ("latent", "latent::", "latent vector"),
    ("rules", "rules::", "parse: header and checks"),
    ("format", "format::", "parse: header and checks"),
    ("about", "about::", ABOUT),
    ("model", "model::", "parse: header and checks"),
    ("error", "error::", "parse: header and checks"),
];

/// Files whose functions serve several parts: the part is that of their caller.
const SERVING: [&str; 4] = ["graph", "fixed", "packing", "lib"];

const ABOUT: &str = "parse: name and metadata";

/// Parts by the name of a function that comes from no file of the runtime.
const CRATES: [(&str, &str); 5] = [
    ("from_utf8", ABOUT),
    ("compiler_builtins", "memcpy, division and the like"),
    ("__aeabi", "memcpy, division and the like"),
    ("mem", "memcpy, division and the like"),
    ("__udivmoddi4", "memcpy, division and the like"),
];

/// All that is left and not of the runtime: vectors, reset, `main`.
pub const START: &str = "start and main";
/// Constants without a name.
const CONSTANTS: &str = "constants of several parts";

/// Prints the tables.
///
/// # Errors
///
/// When a compiler or QEMU are missing, saying what to install.
pub fn print() -> Result<()> {
    let cores = [Cpu::CortexM0, Cpu::CortexM3, Cpu::CortexM4, Cpu::CortexM33, Cpu::CortexM55];
    println!("Bytes of flash of a program that parses and draws (firmware/proof), without model:\n");
    let tables: Vec<_> = cores.iter().map(|&cpu| flash(&cpu.build("proof", &[])?)).collect::<Result<_>>()?;
    let parts: std::collections::BTreeSet<&str> = tables.iter().flat_map(|table| table.keys().copied()).collect();
    println!("| part |{}\n|---|{}", cores.map(|cpu| format!(" {cpu} |")).concat(), "---:|".repeat(cores.len()));
    let row = |name: &str, bytes: &dyn Fn(&BTreeMap<&str, u64>) -> u64| {
        let cells: String = tables.iter().map(|table| format!(" {} |", bytes(table))).collect();
        println!("| {name} |{cells}");
    };
    for part in parts {
        row(part, &|table| table.get(part).copied().unwrap_or(0));
    }
    row("**all**", &|table| table.values().sum());

    let model = edgegen_tests::shipped("mnist-dcgan");
    println!("\nBytes of RAM besides the arena, with mnist-dcgan:\n");
    println!("| core | model | generator | stack of parse | stack of new | stack of drawing | most at a time |");
    println!("|---|{}", "---:|".repeat(6));
    for cpu in cores {
        let counts = Bench::build(cpu)?.count(&edgegen_export::repack(&model, cpu.packing())?, None)?;
        let Counts { model, generator, parse_stack, new_stack, run_stack, .. } = counts;
        let most = counts.ram();
        println!("| {cpu} | {model} | {generator} | {parse_stack} | {new_stack} | {run_stack} | {most} |");
    }
    println!(
        "\nThe runtime has no variables of its own. Stack is free again when a call returns, so the most is that of one call."
    );
    Ok(())
}

/// Bytes of flash of each part of a program.
///
/// # Errors
///
/// When it is not an ELF file with debug information.
pub fn flash(program: &Path) -> Result<BTreeMap<&'static str, u64>> {
    let bytes = std::fs::read(program)?;
    let file = object::File::parse(&*bytes)?;
    let lines = Loader::new(program).map_err(|error| anyhow!("{}: {error}", program.display()))?;
    let mut parts = BTreeMap::new();
    for section in file.sections() {
        let SectionFlags::Elf { sh_flags, .. } = section.flags() else { continue };
        if !sh_flags.contains(elf::SHF_ALLOC) || section.kind() == SectionKind::UninitializedData {
            continue;
        }
        if section.kind() == SectionKind::Text {
            // An instruction has two or four bytes.
            for address in (section.address()..section.address() + section.size()).step_by(2) {
                *parts.entry(part_of_code(&lines, address)?).or_insert(0) += 2;
            }
        } else {
            let named = file.symbols().filter(|symbol| symbol.section_index() == Some(section.index()));
            let mut rest = section.size();
            for symbol in named.filter(|symbol| symbol.size() > 0) {
                let name = format!("{:#}", rustc_demangle::demangle(symbol.name()?));
                *parts.entry(part_of_name(&name).unwrap_or(START)).or_insert(0) += symbol.size();
                rest = rest.saturating_sub(symbol.size());
            }
            *parts.entry(CONSTANTS).or_insert(0) += rest;
        }
    }
    parts.retain(|_, bytes| *bytes > 0);
    Ok(parts)
}

/// The part of an instruction: by the innermost function of the runtime that was inlined here.
fn part_of_code(lines: &Loader, address: u64) -> Result<&'static str> {
    let mut frames = lines.find_frames(address).map_err(|error| anyhow!("{error}"))?;
    let mut serving = None;
    while let Some(frame) = frames.next().map_err(|error| anyhow!("{error}"))? {
        let Some(file) = frame.location.and_then(|location| location.file) else { continue };
        let Some((_, file)) = file.split_once("runtime/src/") else { continue };
        if let Some((_, _, part)) = FILES.iter().find(|(start, _, _)| file.starts_with(start)) {
            return Ok(part);
        }
        if SERVING.iter().any(|start| file.starts_with(start)) {
            serving = Some(ABOUT);
        }
    }
    let name = lines.find_symbol(address).map(|name| format!("{:#}", rustc_demangle::demangle(name)));
    Ok(name.and_then(|name| part_of_name(&name)).or(serving).unwrap_or(START))
}

fn part_of_name(name: &str) -> Option<&'static str> {
    let of_runtime = name
        .split_once("edgegen_runtime::")
        .and_then(|(_, path)| FILES.iter().find(|(_, start, _)| path.starts_with(start)).map(|(_, _, part)| *part));
    of_runtime.or_else(|| CRATES.iter().find(|(mark, _)| name.contains(mark)).map(|(_, part)| *part))
}
