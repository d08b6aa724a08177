//! Inner loops, found in the disassembly of a program: the innermost loops of a kernel that multiply.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// What LLVM's tools are called in Debian.
pub const LLVM: &str = "19";

/// Products of one instruction: the start of its name, and what else is in its text.
const PRODUCTS: [(&str, &str, u32); 14] = [
    // Armv6-M and Armv7E-M
    ("muls", "", 1),
    ("mla ", "", 1),
    ("smlad", "", 2),
    ("smuad", "", 2),
    ("smlald", "", 2),
    // Vectors of Armv8.1-M
    ("vmladav", ".s8", 16),
    ("vmladav", ".s16", 8),
    ("vmlav", ".s8", 16),
    // AArch64: sums of 16 or 32 bits
    ("sdot", ".16b", 16),
    ("smmla", ".16b", 32),
    ("smlal", ".8h", 8),
    ("smlal", ".4s", 4),
    ("smull", ".8h", 8),
    ("smull", ".4s", 4),
];

/// A loop of a function.
#[derive(Clone, Debug)]
pub struct Loop {
    /// The function, without its crate's name and hash.
    pub function: String,
    /// Its instructions from the first to the branch back, as text; the branch goes to `again`.
    pub instructions: Vec<String>,
    /// Products of one round.
    pub products: u32,
}

impl std::fmt::Display for Loop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "@ {}: {} instructions, {} products", self.function, self.instructions.len(), self.products)?;
        writeln!(f, "again:")?;
        self.instructions.iter().try_for_each(|instruction| writeln!(f, "    {instruction}"))
    }
}

/// A disassembled instruction.
struct Line {
    address: u64,
    text: String,
    /// Where it may branch to.
    target: Option<u64>,
}

/// The innermost loops with products in functions whose name contains `kernel`. `cpu` is LLVM's name of the processor.
///
/// # Errors
///
/// When `llvm-objdump` is missing, saying what to install.
pub fn find(program: &Path, cpu: &str, kernel: &str) -> Result<Vec<Loop>> {
    let objdump = format!("llvm-objdump-{LLVM}");
    let output = Command::new(&objdump)
        .args(["--disassemble", "--no-show-raw-insn", "--demangle"])
        .arg(format!("--mcpu={cpu}"))
        .arg(program)
        .output()
        .with_context(|| format!("expected {objdump}: on Debian, apt-get install llvm-{LLVM}"))?;
    ensure!(output.status.success(), "{objdump}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.split("\n\n").filter_map(|function| loops(function, kernel)).flatten().collect())
}

/// The loops of a function of an object dump, if it belongs to the kernel.
fn loops(function: &str, kernel: &str) -> Option<Vec<Loop>> {
    let (head, body) = function.trim_start().split_once('\n')?;
    let name = head.split_once('<')?.1.strip_suffix(">:")?;
    // What finishes sums multiplies too: to requantize.
    if !name.contains(kernel) || name.contains("finish") {
        return None;
    }
    // Rust's older mangling ends names with a hash.
    let name = name.rsplit_once("::h").filter(|(_, hash)| hash.len() == 16).map_or(name, |(name, _)| name);
    let name = name.split_once("kernels::").map_or(name, |(_, name)| name);
    let lines: Vec<Line> = body.lines().filter_map(line).collect();
    let place = |address| lines.iter().position(|line| line.address == address);
    let ranges: Vec<_> = lines
        .iter()
        .enumerate()
        .filter_map(|(last, line)| Some((place(line.target?)?, last)).filter(|(first, last)| first <= last))
        .collect();
    let innermost = ranges
        .iter()
        .filter(|range| !ranges.iter().any(|other| other != *range && range.0 <= other.0 && other.1 <= range.1));
    // Kernels for Armv6-M multiply the values of two pixels at once; a vector is one pixel.
    let at_once = if name.contains("armv6m") && !name.contains("vector") { 2 } else { 1 };
    let found = innermost.map(|&(first, last)| {
        let lines = &lines[first..=last];
        let products = at_once * lines.iter().map(|line| products(&line.text)).sum::<u32>();
        let instructions = lines.iter().map(|line| line.text.clone()).collect();
        Loop { function: name.to_owned(), instructions, products }
    });
    // Others multiply too, but for a product here and there.
    Some(found.filter(|found| 4 * found.products as usize >= found.instructions.len()).collect())
}

/// A line such as `1250: bne 0x1234 <name+0x4> @ imm = #-30`.
fn line(text: &str) -> Option<Line> {
    let (address, text) = text.trim().split_once(':')?;
    let address = u64::from_str_radix(address, 16).ok()?;
    let text = text.split(['@', ';']).next()?.split("//").next()?.trim().replace('\t', " ");
    let Some((before, _)) = text.split_once('<') else { return Some(Line { address, text, target: None }) };
    let before = before.trim_end();
    let (start, target) = before.rsplit_once(' ').unwrap_or(("", before));
    let target = u64::from_str_radix(target.trim_start_matches("0x"), 16).ok();
    Some(Line { address, text: format!("{start} again"), target })
}

fn products(instruction: &str) -> u32 {
    let found = PRODUCTS.iter().find(|(start, rest, _)| instruction.starts_with(start) && instruction.contains(rest));
    found.map_or(0, |&(_, _, products)| products)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUMP: &str = "\
000001a0 <edgegen_runtime::kernels::dsp::multiply_windows::h0123456789abcdef>:
     1a0:      \tpush\t{r4, lr}
     1a4:      \tldm\tr3, {r10, r11}
     1a8:      \tldm\tr1!, {r3, r8}
     1aa:      \tsmlad\tr10, r9, r4, r10
     1ae:      \tsubs\tr2, r2, #1
     1b0:      \tbne\t0x1a8 <edgegen_runtime::kernels::dsp::multiply_windows::h0123456789abcdef+0x8>    @ imm = #-8
     1b2:      \tbne\t0x1a4 <edgegen_runtime::kernels::dsp::multiply_windows::h0123456789abcdef+0x4>    @ imm = #-18
     1b4:      \tpop\t{r4, pc}";

    #[test]
    fn the_inner_of_two_loops() {
        let found = loops(DUMP, "kernels::dsp").unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].function.as_str(), found[0].products), ("dsp::multiply_windows", 2));
        assert_eq!(
            found[0].instructions,
            ["ldm r1!, {r3, r8}", "smlad r10, r9, r4, r10", "subs r2, r2, #1", "bne again"]
        );
        assert!(loops(DUMP, "kernels::mve").is_none());
    }

    #[test]
    fn branches_with_two_operands() {
        let low_overhead = line("  206: \tle\tlr, 0x1f0 <f+0x10>        @ imm = #-0x1a").unwrap();
        assert_eq!((low_overhead.text.as_str(), low_overhead.target), ("le lr, again", Some(0x1F0)));
        let conditional = line("  214ac: \tb.ne\t0x2148c <f+0x1c>").unwrap();
        assert_eq!((conditional.text.as_str(), conditional.target), ("b.ne again", Some(0x2_148C)));
    }
}
