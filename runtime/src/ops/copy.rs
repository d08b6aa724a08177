//! One value of one of two nodes, through a table: concatenation, parts of maps, repeated pixels, depth to space,
//! vectors seen as maps, functions.

use super::Job;
use crate::error::Fault;
use crate::fixed::{LEAST_CODE, grey_level, interpolate};
use crate::graph::{Copy, Node, Rounding};
use crate::kernels::Kernel;
use crate::kernels::wide::Codes;
use crate::weights::{WIDE_TABLE_BYTES, Weights};

#[inline(never)]
pub(crate) fn check(node: &Node, sources: [&Node; 2], weights: &Weights<'_>) -> Result<i8, Fault> {
    let Some(copy) = node.parameters::<Copy>() else { return Err(Fault::Count) };
    let (first, out) = (sources[0].shape, node.shape);
    let [rows, columns] = copy.enlarge;
    if rows == 0 || columns == 0 || copy.split == 0 || copy.split > out.c || copy.channel_tables > 1 {
        return Err(Fault::Window);
    }
    // The furthest column and channel of the first source.
    let last_column = u64::from(copy.first_column) + u64::from((out.w - 1) / columns);
    let furthest = |count: u16, step: u16| u64::from(count - 1) * u64::from(step);
    let last_channel = u64::from(copy.first_channel)
        + furthest(copy.split, copy.steps[0])
        + furthest(rows.min(out.h), copy.steps[1])
        + furthest(columns.min(out.w), copy.steps[2]);
    if last_column >= first.w.into() || last_channel >= first.c.into() {
        return Err(Fault::Shape);
    }
    match node.reads().len() {
        1 if copy.split == out.c => {}
        2 if copy.split < out.c && (sources[1].shape.w, sources[1].shape.c) == (out.w, out.c - copy.split) => {}
        _ => return Err(Fault::Shape),
    }
    super::check_single_rows(node)?;
    let first_tables = if copy.channel_tables != 0 { usize::from(first.c) } else { 1 };
    let mut least = LEAST_CODE;
    for ((&table, count), source) in copy.tables.iter().zip([first_tables, 1]).zip(sources).take(node.reads().len()) {
        // Without a table codes stay what they were.
        if table == Rounding::NO_TABLE {
            if count > 1 {
                return Err(Fault::Data);
            }
            if source.is_wide() != node.is_wide() {
                return Err(Fault::Width);
            }
        } else if node.is_wide() || source.is_wide() {
            weights.check(table, count as u64 * table_bytes(source, node) as u64)?;
            if !node.is_wide() {
                // Any grey level: only the image may be.
                least = i8::MIN;
            }
        } else {
            least = weights.check_tables(table, count)?.min(least);
        }
    }
    Ok(least)
}

/// Bytes of a table from the codes of a source to those of a node.
pub fn table_bytes(source: &Node, node: &Node) -> usize {
    match (source.is_wide(), node.is_wide()) {
        (false, false) => 256,
        (false, true) => 512,
        (true, _) => WIDE_TABLE_BYTES,
    }
}

#[inline(never)]
pub(crate) fn run<K: Kernel>(job: &mut Job<'_>, kernel: Option<K>) {
    let (Some(copy), Some((first, source))) = (job.node.parameters::<Copy>(), job.pixels(0)) else { return };
    let second = job.pixels(1);
    if job.node.is_wide() || source.is_wide() || second.is_some_and(|(_, source)| source.is_wide()) {
        return run_wide(job, copy);
    }
    let count = usize::from(job.node.shape.c);
    let second = second.map_or(&[][..], |(values, _)| values);
    let [table, second_table] = copy.tables.map(|table| job.weights.table(table));
    let [step, row_step, column_step] = copy.steps.map(usize::from);
    let [rows, columns] = copy.enlarge.map(|size| size.max(1));
    let from_channel = usize::from(copy.first_channel) + usize::from(job.y.checked_rem(rows).unwrap_or(0)) * row_step;
    let (width, split) = (usize::from(source.shape.c), usize::from(copy.split));
    let (mut column, mut phase) = (usize::from(copy.first_column), 0);
    if (step, split, width, columns) == (1, count, count, 1) && copy.channel_tables == 0 {
        // Whole pixels: the row at once.
        let from = first.get(column * width + from_channel..).unwrap_or(&[]);
        return look_up(kernel, table, from, 1, job.row);
    }
    for (x, pixel) in job.row.chunks_exact_mut(count.max(1)).enumerate() {
        let (part, rest) = pixel.split_at_mut_checked(split).unwrap_or_default();
        let channel = from_channel + usize::from(phase) * column_step;
        let from = first.get(column * width + channel..).unwrap_or(&[]);
        if copy.channel_tables != 0 {
            for (k, value) in part.iter_mut().enumerate() {
                let table = job.weights.table(copy.tables[0].wrapping_add(256 * (channel + k * step) as u32));
                let from = from.get(k * step..).unwrap_or(&[]);
                look_up(kernel, table, from, 1, core::slice::from_mut(value));
            }
        } else {
            look_up(kernel, table, from, step, part);
        }
        look_up(kernel, second_table, second.get(x * rest.len()..).unwrap_or(&[]), 1, rest);
        phase += 1;
        if phase == columns {
            (column, phase) = (column + 1, 0);
        }
    }
}

/// The same where the result or a source is of int16 codes, one value after the other.
#[inline(never)]
fn run_wide(job: &mut Job<'_>, copy: &Copy) {
    let Some((pixels, source)) = job.pixels(0) else { return };
    let (first, width) = (Codes { bytes: pixels, wide: source.is_wide() }, usize::from(source.shape.c));
    let second = job.pixels(1);
    let (node, weights) = (job.node, job.weights);
    let [step, row_step, column_step] = copy.steps.map(usize::from);
    let [rows, columns] = copy.enlarge.map(|size| size.max(1));
    let from_channel = usize::from(copy.first_channel) + usize::from(job.y.checked_rem(rows).unwrap_or(0)) * row_step;
    let (count, split) = (usize::from(node.shape.c), usize::from(copy.split));
    let size = if node.is_wide() { 2 } else { 1 };
    let (mut column, mut phase) = (usize::from(copy.first_column), 0);
    for (x, mut pixel) in job.row.chunks_exact_mut(node.pixel_bytes().max(1)).enumerate() {
        for k in 0..count {
            let code = match second.filter(|_| k >= split) {
                Some((pixels, source)) => {
                    let second = Codes { bytes: pixels, wide: source.is_wide() };
                    let code = second.code(x * count.saturating_sub(split) + (k - split));
                    look_up_wide(weights, copy.tables[1], code, source, node)
                }
                None => {
                    let channel = from_channel + k * step + usize::from(phase) * column_step;
                    let number = if copy.channel_tables != 0 { channel } else { 0 };
                    let table = match copy.tables[0] {
                        Rounding::NO_TABLE => Rounding::NO_TABLE,
                        tables => tables.wrapping_add((number * table_bytes(source, node)) as u32),
                    };
                    look_up_wide(weights, table, first.code(column * width + channel), source, node)
                }
            };
            let bytes = code.to_le_bytes().map(|byte| byte as i8);
            let (to, rest) = core::mem::take(&mut pixel).split_at_mut_checked(size).unwrap_or_default();
            to.iter_mut().zip(bytes).for_each(|(to, byte)| *to = byte);
            pixel = rest;
        }
        phase += 1;
        if phase == columns {
            (column, phase) = (column + 1, 0);
        }
    }
}

/// What a table of either width, or none, makes of a code of a source for a node.
fn look_up_wide(weights: &Weights<'_>, table: u32, code: i32, source: &Node, node: &Node) -> i16 {
    if table == Rounding::NO_TABLE {
        return code as i16;
    }
    if source.is_wide() {
        let value = weights.wide_table(table).map_or(0, |table| interpolate(table, code as i16));
        return if node.is_wide() { value } else { grey_level(value) };
    }
    let entries = Codes { bytes: weights.codes_from(table, 0), wide: node.is_wide() };
    entries.code(usize::from((code as i8 as u8) ^ 0x80)) as i16
}

/// Copies values that lie `step` apart, through a table if there is one.
#[inline(never)]
fn look_up<K: Kernel>(kernel: Option<K>, table: Option<&[i8; 256]>, from: &[i8], step: usize, to: &mut [i8]) {
    if let (Some(table), 1, Some(kernel)) = (table, step, kernel) {
        return kernel.look_up(table, from, to);
    }
    if let (None, 1, Some(from)) = (table, step, from.get(..to.len())) {
        // A copy of memory.
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
        return;
    }
    let mut rest = from;
    for to in to {
        let code = rest.first().copied().unwrap_or(0);
        *to = table.map_or(code, |table| table[usize::from((code as u8) ^ 0x80)]);
        rest = rest.get(step..).unwrap_or(&[]);
    }
}
