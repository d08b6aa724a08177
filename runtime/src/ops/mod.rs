//! Operators: one file each. A file knows shapes and never the CPU; it cuts its work into slices and hands them to a
//! [`Kernel`].
//!
//! Each has `check`, the rules that `Model::parse` applies, and `run`, which makes one row.

pub mod dense;
pub mod phase_conv;

use crate::error::Fault;
use crate::graph::{Edge, Op};
use crate::kernels::Kernel;
use crate::model::Model;
use crate::stream::Ring;

/// The rules of an operator between its two edges.
pub(crate) fn check(op: &Op, source: &Edge, output: &Edge, data_len: usize) -> Result<(), Fault> {
    match op {
        Op::Dense(dense) => dense::check(dense, source, output, data_len),
        Op::PhaseConv(conv) => phase_conv::check(conv, source, output, data_len),
    }
}

/// Makes row `y` of `output` into `row`.
pub(crate) fn run<K: Kernel>(
    op: &Op,
    model: &Model<'_>,
    source: Ring<'_>,
    output: &Edge,
    y: u16,
    row: &mut [i8],
    kernel: K,
) {
    match op {
        Op::Dense(op) => dense::run(op, model, source, output, y, row, kernel),
        Op::PhaseConv(op) => phase_conv::run(op, model, source, output, y, row, kernel),
    }
}
