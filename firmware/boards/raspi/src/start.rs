//! From the first instruction to `main`: one core, vectors and floating point on, a stack, zeroed variables, faults that speak; then
//! memory with caches.
//!
//! Arm Architecture Reference Manual (DDI 0487), D8 "The AArch64 Virtual Memory System Architecture", for the tables. The loader starts
//! the program in exception level 2, where it stays: every register here has its `_el2` name, and level 1 would do nothing better.

use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;

// `__bss_start`, `__bss_end` and `__stack_top` come from kernel8.x.
global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    "mrs x0, mpidr_el1",
    "and x0, x0, #3",
    "cbz x0, 2f",
    "1: wfe", // the other cores
    "b 1b",
    "2: mov x0, #0x33ff", // CPTR_EL2: no traps, least of all of floating point
    "msr cptr_el2, x0",
    "ldr x0, =vectors",
    "msr vbar_el2, x0",
    "isb",
    "ldr x0, =__stack_top",
    "mov sp, x0",
    "ldr x0, =__bss_start",
    "ldr x1, =__bss_end",
    "3: cmp x0, x1",
    "b.hs 4f",
    "stp xzr, xzr, [x0], #16",
    "b 3b",
    "4: b {main}",
    // Sixteen kinds of exception, 128 bytes each; none is expected.
    ".balign 2048",
    "vectors:",
    ".rept 16",
    "mrs x0, esr_el2",
    "mrs x1, elr_el2",
    "mrs x2, far_el2",
    "b {fault}",
    ".balign 128",
    ".endr",
    main = sym crate::main,
    fault = sym fault,
);

/// An exception: `syndrome` says which (DDI 0487, ESR_ELx), at which instruction, and for which address.
extern "C" fn fault(syndrome: u64, instruction: u64, address: u64) -> ! {
    panic!("exception {syndrome:#x} at {instruction:#x} for address {address:#x}");
}

/// One gibibyte an entry.
static LEVEL_1: Table = Table::new();
/// Two mebibytes an entry, for the first gibibyte.
static LEVEL_2: Table = Table::new();

/// A translation table.
#[repr(C, align(4096))]
struct Table(UnsafeCell<[u64; 512]>);

// SAFETY: written by `enable_caches` alone, on one core, before the processor reads it.
unsafe impl Sync for Table {}

impl Table {
    const fn new() -> Self {
        Self(UnsafeCell::new([0; 512]))
    }
}

/// Bits of a table's entry: a table of the next level, or a block that may be used (access flag).
const TO_TABLE: u64 = 0b11;
const BLOCK: u64 = 0b01 | 1 << 10;
/// Inner shareable.
const SHARED: u64 = 3 << 8;
/// No instructions.
const NO_CODE: u64 = 1 << 54;
/// What [`MEMORY_KINDS`] calls them.
const DEVICE: u64 = 0 << 2;
const UNCACHED: u64 = 1 << 2;
const CACHED: u64 = 2 << 2;
/// MAIR: device memory in order (0), memory without cache, memory with cache written back.
const MEMORY_KINDS: u64 = 0x44 << 8 | 0xFF << 16;
/// TCR_EL2: addresses of 32 bits in pages of 4 KiB, tables in cached memory.
const TRANSLATION: u64 = 1 << 31 | 1 << 23 | 32 | 1 << 8 | 1 << 10 | 3 << 12;
/// SCTLR_EL2: translation, data cache, instruction cache.
const ON: u64 = 1 << 0 | 1 << 2 | 1 << 12;

/// The graphics processor's part of memory, the framebuffer in it, begins above this, whatever config.txt gives it.
const GRAPHICS: u64 = 0x3000_0000;
/// The peripherals.
const PERIPHERALS: u64 = 0x3F00_0000;

/// Gives every address its own place, with caches for the program's memory and without for what the graphics processor reads.
/// Without this all memory is slow, and data must be aligned.
pub fn enable_caches() {
    // SAFETY: called once, on one core; nothing else touches the tables, and the processor does not read them yet.
    let (level_1, level_2) = unsafe { (&mut *LEVEL_1.0.get(), &mut *LEVEL_2.0.get()) };
    for (entry, address) in level_2.iter_mut().zip((0u64..).step_by(2 << 20)) {
        let kind = match address {
            0..GRAPHICS => CACHED | SHARED,
            GRAPHICS..PERIPHERALS => UNCACHED | SHARED | NO_CODE,
            _ => DEVICE | NO_CODE,
        };
        *entry = address | kind | BLOCK;
    }
    level_1[0] = &raw const *level_2 as u64 | TO_TABLE;
    // The cores' own peripherals.
    level_1[1] = 1 << 30 | DEVICE | NO_CODE | BLOCK;
    // SAFETY: the tables give every address that the program uses the place that it has now.
    unsafe {
        asm!(
            "msr mair_el2, {kinds}",
            "msr tcr_el2, {translation}",
            "msr ttbr0_el2, {table}",
            "dsb sy",
            "tlbi alle2",
            "ic iallu",
            "dsb sy",
            "isb",
            "mrs {control}, sctlr_el2",
            "orr {control}, {control}, {on}",
            "msr sctlr_el2, {control}",
            "isb",
            kinds = in(reg) MEMORY_KINDS,
            translation = in(reg) TRANSLATION,
            table = in(reg) LEVEL_1.0.get(),
            control = out(reg) _,
            on = in(reg) ON,
            options(nostack),
        );
    }
}
