//! Operators: one file each. A file knows shapes and never the CPU; it cuts its work into slices and hands them to a
//! [`Kernel`].
//!
//! Each has `check`, the rules that `Model::parse` applies, and `run`, which makes one row.

pub mod dense;
pub mod phase_conv;

use crate::error::Fault;
use crate::graph::{Axis, Dense, Edge, Op};
use crate::kernels::scalar::Scalar;
use crate::kernels::{Kernel, Row};
use crate::model::Model;
use crate::packing::{Matrix, Packing};
use crate::stream::{Node, Ring};

/// The rules of an operator between its two edges.
pub(crate) fn check(op: &Op, source: &Edge, output: &Edge, packing: Packing, data: &[u8]) -> Result<(), Fault> {
    match op {
        Op::Dense(dense) => dense::check(dense, source, output, packing, data.len()),
        Op::PhaseConv(conv) => phase_conv::check(conv, source, output, packing, data.len()),
    }
}

/// Which matrix an operator multiplies with, its channels, and the most values that a pixel reads.
pub(crate) fn matrix(op: &Op, source: &Edge, output: &Edge) -> (Matrix, usize, usize) {
    let inputs = usize::from(source.shape.c);
    match op {
        Op::Dense(dense) => (Matrix::Vector, Dense::blocks(output.shape, dense.bank.shared).1, inputs),
        Op::PhaseConv(conv) => {
            let taps = conv.vertical.most_taps() * conv.horizontal.most_taps();
            (Matrix::Windows, usize::from(output.shape.c), taps * inputs)
        }
    }
}

/// One row to make.
#[derive(Debug)]
pub(crate) struct Job<'a, K> {
    pub(crate) model: &'a Model<'a>,
    pub(crate) kernel: Option<K>,
    /// The operator and the edge that it makes.
    pub(crate) node: &'a Node,
    /// The rows that the operator reads.
    pub(crate) vertical: &'a Axis,
    pub(crate) source: Ring<'a>,
    /// Which row.
    pub(crate) y: u16,
    /// Where it goes.
    pub(crate) row: &'a mut [i8],
    pub(crate) scratch: &'a mut [i32],
}

/// Makes a row.
pub(crate) fn run<K: Kernel>(job: Job<'_, K>) {
    if job.node.horizontal.phases.is_empty() { dense::run(job) } else { phase_conv::run(job) }
}

/// Makes pixels with the kernel that reads the model's packing.
fn pixels<K: Kernel>(model: &Model<'_>, kernel: Option<K>, matrix: Matrix, row: Row<'_>) {
    match (kernel, matrix) {
        (Some(kernel), Matrix::Windows) if model.packing() == K::PACKING => kernel.windows(row),
        (Some(kernel), Matrix::Vector) if model.packing() == K::PACKING => kernel.vector(row),
        _ => Scalar.windows(row),
    }
}
