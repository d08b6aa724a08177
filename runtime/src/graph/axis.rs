//! What a node reads of another one: which positions along an axis.

use core::ops::{Deref, DerefMut};

use bytemuck::{Pod, Zeroable};

use super::MAX_PHASES;

/// What a node reads of another one: the node and, for each of its own rows, the rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Read {
    /// The node that is read, which stands before.
    pub source: u16,
    /// Which of its rows.
    pub rows: Axis,
}

impl Read {
    /// Of every row the one of the same number.
    pub fn same(source: u16) -> Self {
        Self { source, rows: Axis::SAME }
    }

    /// The first row for every row.
    pub fn first(source: u16) -> Self {
        Self { source, rows: Axis::FIRST }
    }
}

/// Which positions of a source an axis reads: output position `o` belongs to phase `p = o mod phases` and reads
/// `taps[p]` positions, `dilation` apart, from `step · ⌊o / phases⌋ + start[p]` on.
///
/// A plain convolution has one phase and `step` is its stride; a transposed convolution of stride s has s phases and
/// step 1. Upsampling followed by a convolution and pixel shuffle are the same with other weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Axis {
    /// Input positions from one output position of a phase to the next.
    pub step: u16,
    /// Input positions from one tap to the next.
    pub dilation: u16,
    /// Output position `o` belongs to phase `o mod phases.len()`.
    pub phases: Phases,
}

impl Axis {
    /// Reads position 0 for each position: a fully connected layer's rows, a vector that is spread over a map.
    pub const FIRST: Self = Self { step: 0, dilation: 1, phases: Phases::one(0, 1) };
    /// Reads of each position the one of the same number.
    pub const SAME: Self = Self { step: 1, ..Self::FIRST };
    /// Reads nothing: the columns of a fully connected layer.
    pub const NONE: Self =
        Self { step: 0, dilation: 1, phases: Phases { count: 0, list: [Phase { start: 0, taps: 0 }; MAX_PHASES] } };

    /// Phase and index within it of output position `position`.
    pub fn split(&self, position: u16) -> (usize, u16) {
        // Written out, as the smallest CPUs divide in a function of fifty instructions.
        let (phase, index) = match self.phases.count {
            2 => (position % 2, position / 2),
            3 => (position % 3, position / 3),
            4 => (position % 4, position / 4),
            _ => (0, position),
        };
        (phase.into(), index)
    }

    /// Whether positions read different ones.
    pub(crate) fn moves(&self) -> bool {
        self.step != 0 || self.phases.count > 1
    }

    /// First and last input position, padding counted negative, that output position `position` reads.
    /// `None` where its phase has no tap.
    pub fn reads(&self, position: u16) -> Option<(i32, i32)> {
        let (phase, index) = self.split(position);
        let phase = self.phases.get(phase)?;
        // Below 2³¹: the factors have 16 bits, and `start` takes no more than that away.
        let first = (u32::from(index) * u32::from(self.step)) as i32;
        let first = first.checked_add(i32::from(phase.start))?;
        let span = (u32::from(phase.taps.checked_sub(1)?) * u32::from(self.dilation)) as i32;
        Some((first, first.checked_add(span)?))
    }

    /// Taps of the phase that has most.
    #[inline(never)]
    pub fn most_taps(&self) -> usize {
        self.phases.iter().map(|phase| usize::from(phase.taps)).max().unwrap_or(0)
    }

    /// Taps of all phases.
    pub fn total_taps(&self) -> usize {
        self.phases.iter().map(|phase| usize::from(phase.taps)).sum()
    }
}

/// The phases of an [`Axis`], at most [`MAX_PHASES`]. Made from a slice by `try_from`.
#[derive(Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Phases {
    pub(crate) count: u16,
    list: [Phase; MAX_PHASES],
}

impl Phases {
    /// A single phase.
    pub const fn one(start: i16, taps: u16) -> Self {
        let mut list = [Phase { start: 0, taps: 0 }; MAX_PHASES];
        list[0] = Phase { start, taps };
        Self { count: 1, list }
    }
}

impl TryFrom<&[Phase]> for Phases {
    type Error = TooMany;

    fn try_from(phases: &[Phase]) -> Result<Self, TooMany> {
        let mut list = [Phase::default(); MAX_PHASES];
        list.get_mut(..phases.len()).ok_or(TooMany)?.copy_from_slice(phases);
        Ok(Self { count: phases.len() as u16, list })
    }
}

/// There are more than fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooMany;

impl Deref for Phases {
    type Target = [Phase];

    fn deref(&self) -> &[Phase] {
        self.list.get(..usize::from(self.count)).unwrap_or_default()
    }
}

impl DerefMut for Phases {
    fn deref_mut(&mut self) -> &mut [Phase] {
        self.list.get_mut(..usize::from(self.count)).unwrap_or_default()
    }
}

impl core::fmt::Debug for Phases {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        (**self).fmt(f)
    }
}

/// One phase of an [`Axis`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Pod, Zeroable)]
#[repr(C)]
pub struct Phase {
    /// Input position of the first tap of output position 0 of this phase; negative in the padding.
    pub start: i16,
    /// Number of taps, 0 where no input reaches this phase.
    pub taps: u16,
}
