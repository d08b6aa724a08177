//! Operators: one file each. A file knows shapes and never the CPU; it cuts its work into slices and hands them to a
//! [`Kernel`].
//!
//! Each has `check`, the rules that `Model::parse` applies, and `run`, which makes one row.

pub mod dense;
pub mod phase_conv;

use crate::error::Fault;
use crate::graph::{Edge, Op};
use crate::kernels::scalar::Scalar;
use crate::kernels::{Kernel, Row};
use crate::model::Model;
use crate::packing::{Matrix, Packing};
use crate::stream::Ring;

/// The rules of an operator between its two edges.
pub(crate) fn check(op: &Op, source: &Edge, output: &Edge, packing: Packing, data: &[u8]) -> Result<(), Fault> {
    match op {
        Op::Dense(dense) => dense::check(dense, source, output, packing, data.len()),
        Op::PhaseConv(conv) => phase_conv::check(conv, source, output, packing, data.len()),
    }
}

/// Which matrix an operator multiplies with, and the most values that a pixel reads.
pub(crate) fn matrix(op: &Op, source: &Edge) -> (Matrix, usize) {
    let channels = usize::from(source.shape.c);
    match op {
        Op::Dense(_) => (Matrix::Vector, channels),
        Op::PhaseConv(conv) => (Matrix::Windows, conv.vertical.most_taps() * conv.horizontal.most_taps() * channels),
    }
}

/// Makes row `y` of `output` into `row`.
#[allow(clippy::too_many_arguments)] // one caller, which has all of them at hand
pub(crate) fn run<K: Kernel>(
    op: &Op,
    model: &Model<'_>,
    source: Ring<'_>,
    output: &Edge,
    y: u16,
    row: &mut [i8],
    scratch: &mut [i32],
    kernel: Option<K>,
) {
    match op {
        Op::Dense(op) => dense::run(op, model, source, output, y, row, scratch, kernel),
        Op::PhaseConv(op) => phase_conv::run(op, model, source, output, y, row, scratch, kernel),
    }
}

/// Makes pixels with the kernel that reads the model's packing.
fn pixels<K: Kernel>(model: &Model<'_>, kernel: Option<K>, matrix: Matrix, row: Row<'_>) {
    match (kernel, matrix) {
        (Some(kernel), Matrix::Windows) if model.packing() == K::PACKING => kernel.windows(row),
        (Some(kernel), Matrix::Vector) if model.packing() == K::PACKING => kernel.vector(row),
        _ => Scalar.windows(row),
    }
}
