//! Operators: one file each. A file knows shapes and never the CPU; where there is much to multiply it cuts its work
//! into slices and hands them to a [`Kernel`].
//!
//! Each answers the same questions: `check`, the rules that `Model::parse` applies, which gives the least code that it
//! makes; [`work`], what its kernel does; and `run`, which makes one row. What it reads stands in the node.

#[cfg(feature = "all-operators")]
pub mod copy;
pub mod input;
#[cfg(feature = "all-operators")]
pub mod join;
pub mod product;
#[cfg(feature = "all-operators")]
pub mod reduce;

use crate::arena::Ring;
use crate::error::Fault;
use crate::graph::{Axis, Kind, Node, Read};
use crate::kernels::Kernel;
use crate::packing::Matrix;
use crate::walk::Progress;
use crate::weights::Weights;

/// The matrices that a node multiplies with: blocks of `[channels][depth]` weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// How they are met.
    pub matrix: Matrix,
    /// How many there are.
    pub blocks: usize,
    /// Output channels of each.
    pub channels: usize,
    /// Most values that a pixel reads.
    pub depth: usize,
}

/// What a node does with a kernel; `None` where it has no weights.
pub fn work(node: &Node, source: &Node) -> Option<Work> {
    (node.kind() == Some(Kind::Product)).then(|| product::work(node, source))
}

/// The rules of a node between those that it reads. Gives the least code that it makes.
pub(crate) fn check(node: &Node, sources: [&Node; 2], weights: &Weights<'_>) -> Result<i8, Fault> {
    match node.kind() {
        Some(Kind::Input) => input::check(node, weights),
        Some(Kind::Product) => product::check(node, sources[0], weights),
        #[cfg(feature = "all-operators")]
        Some(Kind::Join) => join::check(node, sources, weights),
        #[cfg(feature = "all-operators")]
        Some(Kind::Copy) => copy::check(node, sources, weights),
        #[cfg(feature = "all-operators")]
        Some(Kind::Reduce) => reduce::check(node, sources[0], weights),
        _ => Err(Fault::Kind),
    }
}

/// That an axis of `output` positions reads nothing beyond the padding of one of `input`, `[before, after]`.
#[inline(never)]
pub(crate) fn check_axis(axis: &Axis, input: u16, output: u16, [before, after]: [u8; 2]) -> Result<(), Fault> {
    if axis.phases.is_empty() || axis.dilation == 0 {
        return Err(Fault::Window);
    }
    let (least, greatest) = (-i32::from(before), i32::from(input) + i32::from(after) - 1);
    // Within a phase the reads move forward, so the first and the last position of each phase tell.
    let phases = axis.phases.len() as u16;
    for position in (0..output.min(phases)).chain(output.saturating_sub(phases)..output) {
        let taps = axis.phases.get(axis.split(position).0).map_or(0, |phase| phase.taps);
        match axis.reads(position) {
            Some((first, last)) if first < least || last > greatest => return Err(Fault::Padding),
            // Positions beyond 31 bits.
            None if taps > 0 => return Err(Fault::Padding),
            _ => {}
        }
    }
    Ok(())
}

/// That every row reads one row of each source.
#[cfg(feature = "all-operators")]
fn check_single_rows(node: &Node) -> Result<(), Fault> {
    let mut phases = node.reads().iter().flat_map(|read| read.rows.phases.iter());
    if phases.all(|phase| phase.taps == 1) { Ok(()) } else { Err(Fault::Window) }
}

/// One row to make.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) weights: &'a Weights<'a>,
    pub(crate) nodes: &'a [Node],
    pub(crate) node: &'a Node,
    /// How far all nodes are.
    pub(crate) progress: &'a [Progress],
    /// The rings of all nodes before.
    pub(crate) rings: &'a [i8],
    /// Which row.
    pub(crate) y: u16,
    /// Where it goes.
    pub(crate) row: &'a mut [i8],
    /// What the kernel works in, then [`LANE_BYTES`](crate::arena::LANE_BYTES).
    pub(crate) scratch: &'a mut [i32],
}

impl<'a> Job<'a> {
    /// What the node reads at a place of its reads.
    pub(crate) fn read(&self, place: usize) -> Option<(Ring<'a>, &'a Read)> {
        let read = self.node.reads().get(place)?;
        let source = usize::from(read.source);
        let (node, progress) = (self.nodes.get(source)?, self.progress.get(source)?);
        Some((Ring { node, values: self.rings.get(node.ring as usize..)?, progress }, read))
    }

    /// The pixels of the only row that is read at a place, and their node.
    #[cfg(feature = "all-operators")]
    pub(crate) fn pixels(&self, place: usize) -> Option<(&'a [i8], &'a Node)> {
        let (ring, read) = self.read(place)?;
        let (first, _) = read.rows.reads(self.y)?;
        Some((ring.pixels(first), ring.node))
    }
}

/// Makes a row of a node that reads others.
pub(crate) fn run<K: Kernel>(job: &mut Job<'_>, kernel: Option<K>) {
    match job.node.kind() {
        Some(Kind::Product) => product::run(job, kernel),
        #[cfg(feature = "all-operators")]
        Some(Kind::Join) => join::run(job, kernel),
        #[cfg(feature = "all-operators")]
        Some(Kind::Copy) => copy::run(job, kernel),
        #[cfg(feature = "all-operators")]
        Some(Kind::Reduce) => reduce::run(job, kernel),
        _ => {}
    }
}
