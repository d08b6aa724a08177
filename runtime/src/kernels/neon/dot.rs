//! The products: with SDOT, and without.

use core::arch::aarch64::*;
use core::arch::asm;
use core::array::from_fn;

use super::{Neon, QUAD, Sdot};

/// A loop of up to four rounds, unrolled here: the compiler would rather keep an array of sums in memory.
macro_rules! unrolled {
    ($index:ident < $count:expr, $body:block) => {
        unrolled!(@ $index, $count, $body, 0);
        unrolled!(@ $index, $count, $body, 1);
        unrolled!(@ $index, $count, $body, 2);
        unrolled!(@ $index, $count, $body, 3);
    };
    (@ $index:ident, $count:expr, $body:block, $value:literal) => {
        if $value < $count {
            let $index = $value;
            $body
        }
    };
}

/// The values of the pixels of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct Strip {
    /// Those of pixel `p` start at `p · room`.
    pub(super) values: *const i8,
    pub(super) room: usize,
    /// How many count.
    pub(super) depth: usize,
}

/// A way to multiply.
pub(super) trait Dot: Copy {
    /// Adds the products of `quads` quads of channels to their sums.
    ///
    /// # Safety
    ///
    /// `strip` has P pixels, `depth` is a multiple of four and not above `room`; at `weights + quad · next` there are 4 · `depth` bytes
    /// for each of `quads` quads of channels, and at `sums + quad · 4 · P` 4 · P words.
    unsafe fn multiply<const P: usize>(
        self,
        strip: Strip,
        weights: *const i8,
        next: usize,
        sums: *mut i32,
        quads: usize,
    );
}

impl Dot for Sdot {
    #[inline(always)]
    unsafe fn multiply<const P: usize>(
        self,
        strip: Strip,
        weights: *const i8,
        next: usize,
        sums: *mut i32,
        quads: usize,
    ) {
        let mut quad = 0;
        // SAFETY: the caller's promises, for the quads from `quad` on; that there is an `Sdot` tells that the CPU has it.
        unsafe {
            while quad + 4 <= quads {
                sdot_quads::<P, 4>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 4;
            }
            while quad < quads {
                sdot_quads::<P, 1>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 1;
            }
        }
    }
}

impl Dot for Neon {
    #[inline(always)]
    unsafe fn multiply<const P: usize>(
        self,
        strip: Strip,
        weights: *const i8,
        next: usize,
        sums: *mut i32,
        quads: usize,
    ) {
        let mut quad = 0;
        // SAFETY: the caller's promises, for the quads from `quad` on.
        unsafe {
            while P == 4 && quad + 2 <= quads {
                neon_windows(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 2;
            }
            while P == 1 && quad + 4 <= quads {
                neon_quads::<1, 4>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 4;
            }
            while quad < quads {
                neon_quads::<P, 1>(strip, weights.add(quad * next), next, sums.add(quad * QUAD * P));
                quad += 1;
            }
        }
    }
}

/// P pixels times Q quads of channels with SDOT.
///
/// ```text
/// for each 16 values of the depth:
///     x[p] = 16 values of pixel p
///     for each quad of channels, for i < 4:
///         w = 4 channels × 4 values
///         for each pixel:  sums[quad][p] += w · x[p].4b[i]              16 products an instruction
/// ```
///
/// # Safety
///
/// That of [`Dot::multiply`] for Q quads, and the CPU has FEAT_DotProd.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn sdot_quads<const P: usize, const Q: usize>(strip: Strip, weights: *const i8, next: usize, sums: *mut i32) {
    let Strip { values, room, depth } = strip;
    // SAFETY: values are read below `depth` ≤ `room` of P pixels, weights below 4 · `depth` of Q quads, as the caller promises.
    unsafe {
        let mut sum: [[int32x4_t; P]; Q] = from_fn(|q| from_fn(|p| vld1q_s32(sums.add((q * P + p) * QUAD))));
        let mut at = 0;
        while at + 16 <= depth {
            let x: [int8x16_t; P] = from_fn(|p| vld1q_s8(values.add(p * room + at)));
            unrolled!(q < Q, {
                let weights = weights.add(q * next + QUAD * at);
                sdot::<P, 0>(&mut sum[q], vld1q_s8(weights), &x);
                sdot::<P, 1>(&mut sum[q], vld1q_s8(weights.add(16)), &x);
                sdot::<P, 2>(&mut sum[q], vld1q_s8(weights.add(32)), &x);
                sdot::<P, 3>(&mut sum[q], vld1q_s8(weights.add(48)), &x);
            });
            at += 16;
        }
        while at < depth {
            let x: [int8x16_t; P] = from_fn(|p| quad(values.add(p * room + at)));
            for (q, sum) in sum.iter_mut().enumerate() {
                sdot::<P, 0>(sum, vld1q_s8(weights.add(q * next + QUAD * at)), &x);
            }
            at += QUAD;
        }
        for (q, sum) in sum.iter().enumerate() {
            for (p, &sum) in sum.iter().enumerate() {
                vst1q_s32(sums.add((q * P + p) * QUAD), sum);
            }
        }
    }
}

/// For each pixel: 16 products of `weights` with quad I of its values.
///
/// # Safety
///
/// The CPU has FEAT_DotProd.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sdot<const P: usize, const I: usize>(sums: &mut [int32x4_t; P], weights: int8x16_t, values: &[int8x16_t; P]) {
    for (sum, &values) in sums.iter_mut().zip(values) {
        // SAFETY: the caller has the instruction, which only changes a register. In stable Rust it has no other name.
        unsafe {
            asm!(
                ".arch_extension dotprod",
                "sdot {sum:v}.4s, {weights:v}.16b, {values:v}.4b[{i}]",
                sum = inout(vreg) *sum,
                weights = in(vreg) weights,
                values = in(vreg) values,
                i = const I,
                options(pure, nomem, nostack, preserves_flags),
            );
        }
    }
}

/// P pixels times Q quads of channels with SMULL, SMLAL and SADALP, where sums need few registers.
///
/// ```text
/// for each 8 values of the depth, unrolled to 16:
///     for each pixel:
///         a, b = 4 values of the pixel, repeated four times; the next 4
///         for each quad of channels:
///             wa, wb = 4 channels × 4 values, the same channels × the next 4
///             low[quad][p]  += pairs of (wa · a + wb · b), channels 0 and 1       16 products, three
///             high[quad][p] += pairs of (wa · a + wb · b), channels 2 and 3       instructions each
/// ```
///
/// # Safety
///
/// That of [`Dot::multiply`] for Q quads.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn neon_quads<const P: usize, const Q: usize>(strip: Strip, weights: *const i8, next: usize, sums: *mut i32) {
    let Strip { values, room, depth } = strip;
    let mut halves = [[[vdupq_n_s32(0); 2]; Q]; P];
    let mut at = 0;
    // SAFETY: values are read below `depth` ≤ `room` of P pixels, weights below 4 · `depth` of Q quads, as the caller promises.
    unsafe {
        while at + 16 <= depth {
            let x: [int32x4_t; P] = from_fn(|p| vreinterpretq_s32_s8(vld1q_s8(values.add(p * room + at))));
            let w = |from: usize| -> [[int8x16_t; 2]; Q] {
                from_fn(|q| from_fn(|i| vld1q_s8(weights.add(q * next + QUAD * at + from + 16 * i))))
            };
            let first = w(0);
            for (halves, &x) in halves.iter_mut().zip(&x) {
                two_quads(halves, &first, vdupq_laneq_s32::<0>(x), vdupq_laneq_s32::<1>(x));
            }
            let second = w(32);
            for (halves, &x) in halves.iter_mut().zip(&x) {
                two_quads(halves, &second, vdupq_laneq_s32::<2>(x), vdupq_laneq_s32::<3>(x));
            }
            at += 16;
        }
        last_quads(strip, weights, next, sums, halves, at);
    }
}

/// Adds the products of two neighbouring quads of the depth of a pixel to the halves of its sums.
#[inline]
#[target_feature(enable = "neon")]
fn two_quads<const Q: usize>(halves: &mut [[int32x4_t; 2]; Q], w: &[[int8x16_t; 2]; Q], a: int32x4_t, b: int32x4_t) {
    let (a, b) = (vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
    for ([low, high], &[wa, wb]) in halves.iter_mut().zip(w) {
        let pair = vmull_s8(vget_low_s8(wa), vget_low_s8(a));
        *low = vpadalq_s16(*low, vmlal_s8(pair, vget_low_s8(wb), vget_low_s8(b)));
        let pair = vmull_high_s8(wa, a);
        *high = vpadalq_s16(*high, vmlal_high_s8(pair, wb, b));
    }
}

/// The instructions of [`neon_windows`]; the names are those of operands.
macro_rules! step {
    // The values of two quads of the depth, repeated.
    (dup $x:literal, $a:literal, $b:literal) => {
        concat!("dup {a:v}.4s, {", $x, ":v}.s[", $a, "]\n", "dup {b:v}.4s, {", $x, ":v}.s[", $b, "]\n")
    };
    // Products of eight channels with these: four chains, so that an in-order CPU waits little for results.
    (mul $wa:literal, $wb:literal, $ua:literal, $ub:literal) => {
        concat!(
            "smull {p0:v}.8h, {",
            $wa,
            ":v}.8b, {a:v}.8b\n",
            "smull2 {p1:v}.8h, {",
            $wa,
            ":v}.16b, {a:v}.16b\n",
            "smull {p2:v}.8h, {",
            $ua,
            ":v}.8b, {a:v}.8b\n",
            "smull2 {p3:v}.8h, {",
            $ua,
            ":v}.16b, {a:v}.16b\n",
            "smlal {p0:v}.8h, {",
            $wb,
            ":v}.8b, {b:v}.8b\n",
            "smlal2 {p1:v}.8h, {",
            $wb,
            ":v}.16b, {b:v}.16b\n",
            "smlal {p2:v}.8h, {",
            $ub,
            ":v}.8b, {b:v}.8b\n",
            "smlal2 {p3:v}.8h, {",
            $ub,
            ":v}.16b, {b:v}.16b\n",
        )
    };
    // Pairs of products to the halves of the sums of a pixel.
    (add $h0:literal, $h1:literal, $h2:literal, $h3:literal) => {
        concat!(
            "sadalp {",
            $h0,
            ":v}.4s, {p0:v}.8h\n",
            "sadalp {",
            $h1,
            ":v}.4s, {p1:v}.8h\n",
            "sadalp {",
            $h2,
            ":v}.4s, {p2:v}.8h\n",
            "sadalp {",
            $h3,
            ":v}.4s, {p3:v}.8h\n",
        )
    };
}

/// What [`neon_quads`] does for four pixels and two quads of channels. It needs all 32 registers, 16 of them for sums, and
/// compilers make of intrinsics a schedule that moves sums around; so the loop is written out: 122 instructions for 512 products.
///
/// # Safety
///
/// That of [`Dot::multiply`] for four pixels and two quads.
#[inline(never)]
#[target_feature(enable = "neon")]
unsafe fn neon_windows(strip: Strip, weights: *const i8, next: usize, sums: *mut i32) {
    let Strip { values, room, depth } = strip;
    let mut h = [[[vdupq_n_s32(0); 2]; 2]; 4];
    let rounds = depth / 16;
    if rounds > 0 {
        let [x0, x1, x2, x3] = [0, 1, 2, 3].map(|pixel| values.wrapping_add(pixel * room));
        // SAFETY: each round reads 16 values of four pixels and 64 weights of two quads, `depth` / 16 times.
        unsafe {
            asm!(
                "2:",
                "ldr {x:q}, [{x0}], #16",
                "ldp {w0:q}, {w1:q}, [{w}], #32",
                "ldp {u0:q}, {u1:q}, [{u}], #32",
                "ldp {w2:q}, {w3:q}, [{w}], #32",
                "ldp {u2:q}, {u3:q}, [{u}], #32",
                "ldr {y:q}, [{x1}], #16",
                step!(dup "x", "0", "1"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "x", "2", "3"),
                step!(add "h0", "h1", "h2", "h3"),
                step!(mul "w2", "w3", "u2", "u3"),
                step!(dup "y", "0", "1"),
                "ldr {x:q}, [{x2}], #16",
                step!(add "h0", "h1", "h2", "h3"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "y", "2", "3"),
                step!(add "h4", "h5", "h6", "h7"),
                step!(mul "w2", "w3", "u2", "u3"),
                step!(dup "x", "0", "1"),
                "ldr {y:q}, [{x3}], #16",
                step!(add "h4", "h5", "h6", "h7"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "x", "2", "3"),
                step!(add "h8", "h9", "h10", "h11"),
                step!(mul "w2", "w3", "u2", "u3"),
                step!(dup "y", "0", "1"),
                step!(add "h8", "h9", "h10", "h11"),
                step!(mul "w0", "w1", "u0", "u1"),
                step!(dup "y", "2", "3"),
                step!(add "h12", "h13", "h14", "h15"),
                step!(mul "w2", "w3", "u2", "u3"),
                "subs {rounds}, {rounds}, #1",
                step!(add "h12", "h13", "h14", "h15"),
                "b.ne 2b",
                x0 = inout(reg) x0 => _,
                x1 = inout(reg) x1 => _,
                x2 = inout(reg) x2 => _,
                x3 = inout(reg) x3 => _,
                w = inout(reg) weights => _,
                u = inout(reg) weights.wrapping_add(next) => _,
                rounds = inout(reg) rounds => _,
                h0 = inout(vreg) h[0][0][0],
                h1 = inout(vreg) h[0][0][1],
                h2 = inout(vreg) h[0][1][0],
                h3 = inout(vreg) h[0][1][1],
                h4 = inout(vreg) h[1][0][0],
                h5 = inout(vreg) h[1][0][1],
                h6 = inout(vreg) h[1][1][0],
                h7 = inout(vreg) h[1][1][1],
                h8 = inout(vreg) h[2][0][0],
                h9 = inout(vreg) h[2][0][1],
                h10 = inout(vreg) h[2][1][0],
                h11 = inout(vreg) h[2][1][1],
                h12 = inout(vreg) h[3][0][0],
                h13 = inout(vreg) h[3][0][1],
                h14 = inout(vreg) h[3][1][0],
                h15 = inout(vreg) h[3][1][1],
                x = out(vreg) _,
                y = out(vreg) _,
                w0 = out(vreg) _,
                w1 = out(vreg) _,
                w2 = out(vreg) _,
                w3 = out(vreg) _,
                u0 = out(vreg) _,
                u1 = out(vreg) _,
                u2 = out(vreg) _,
                u3 = out(vreg) _,
                a = out(vreg) _,
                b = out(vreg) _,
                p0 = out(vreg) _,
                p1 = out(vreg) _,
                p2 = out(vreg) _,
                p3 = out(vreg) _,
                options(pure, readonly, nostack),
            );
        }
    }
    // SAFETY: the caller's promise.
    unsafe { last_quads(strip, weights, next, sums, h, 16 * rounds) };
}

/// Does the depth from `at` on, one quad at a time, and adds the halves to the sums.
///
/// # Safety
///
/// That of [`Dot::multiply`] for Q quads.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn last_quads<const P: usize, const Q: usize>(
    strip: Strip,
    weights: *const i8,
    next: usize,
    sums: *mut i32,
    mut halves: [[[int32x4_t; 2]; Q]; P],
    mut at: usize,
) {
    let Strip { values, room, depth } = strip;
    // SAFETY: values are read below `depth` ≤ `room` of P pixels, weights below 4 · `depth` of Q quads, as the caller promises.
    unsafe {
        while at < depth {
            let w: [int8x16_t; Q] = from_fn(|q| vld1q_s8(weights.add(q * next + QUAD * at)));
            for (p, halves) in halves.iter_mut().enumerate() {
                let x = quad(values.add(p * room + at));
                for ([low, high], &w) in halves.iter_mut().zip(&w) {
                    *low = vpadalq_s16(*low, vmull_s8(vget_low_s8(w), vget_low_s8(x)));
                    *high = vpadalq_s16(*high, vmull_high_s8(w, x));
                }
            }
            at += QUAD;
        }
        for (p, halves) in halves.iter().enumerate() {
            for (q, &[low, high]) in halves.iter().enumerate() {
                let sums = sums.add((q * P + p) * QUAD);
                vst1q_s32(sums, vaddq_s32(vld1q_s32(sums), vpaddq_s32(low, high)));
            }
        }
    }
}

/// Four bytes, four times.
///
/// # Safety
///
/// There are four bytes at `from`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn quad(from: *const i8) -> int8x16_t {
    // SAFETY: the caller's promise.
    vreinterpretq_s8_s32(vdupq_n_s32(unsafe { from.cast::<i32>().read_unaligned() }))
}
