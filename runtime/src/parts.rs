//! The graph as it lies in the file: its parts are decoded one at a time, when they are looked at, and no list is ever
//! held in RAM.
//!
//! The encoding is postcard's (<https://postcard.jamesmunns.com/wire-format>): fields in order, a number of 16 or 32 bits as a
//! varint, before a list or a text its length, before an operator its kind, before what may be missing a 0 or 1. The exporter has
//! it from the crate, by serde; reading it by hand takes less stack and flash. A test writes all that was read once more by
//! the crate and compares.

use core::marker::PhantomData;

use crate::graph::{
    Axis, Bank, Dense, Edge, Graph, Latent, List, MAX_EDGES, MAX_METADATA, MAX_OPS, MAX_PHASES, Op, Padding, Phase,
    PhaseConv, Phases, Prior, Shape,
};

/// The parts of an encoded [`Graph`].
#[derive(Clone, Debug)]
pub(crate) struct Parts<'a> {
    pub(crate) name: &'a str,
    pub(crate) latent: Latent,
    pub(crate) edges: Items<'a, Edge>,
    pub(crate) ops: Items<'a, Op>,
    pub(crate) metadata: Items<'a, (&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    /// No parts at all.
    pub(crate) const NONE: Self = Self {
        name: "",
        latent: Latent { prior: Prior::Gaussian, dims: 0 },
        edges: Items::NONE,
        ops: Items::NONE,
        metadata: Items::NONE,
    };

    /// Finds the parts and decodes each once; `None` where one is no encoding of what it should be, or a list is too long.
    #[inline(never)]
    pub(crate) fn find(graph: &'a [u8]) -> Option<Self> {
        let mut rest = Reader(graph);
        let parts = Self {
            name: <&str>::read(&mut rest)?,
            latent: Latent::read(&mut rest)?,
            edges: Items::find(&mut rest, MAX_EDGES)?,
            ops: Items::find(&mut rest, MAX_OPS)?,
            metadata: Items::find(&mut rest, MAX_METADATA)?,
        };
        rest.0.is_empty().then_some(parts)
    }

    /// All of them, by value.
    pub(crate) fn graph(&self) -> Graph<'a> {
        let Self { name, latent, .. } = *self;
        Graph {
            name,
            latent,
            edges: self.edges.clone().list(),
            ops: self.ops.clone().list(),
            metadata: self.metadata.clone().list(),
        }
    }
}

/// A list, decoded item by item.
#[derive(Debug)]
pub(crate) struct Items<'a, T> {
    rest: Reader<'a>,
    left: u8,
    of: PhantomData<fn() -> T>,
}

impl<T> Clone for Items<'_, T> {
    fn clone(&self) -> Self {
        Self { ..*self }
    }
}

impl<T> Items<'_, T> {
    const NONE: Self = Self { rest: Reader(&[]), left: 0, of: PhantomData };

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.left)
    }
}

impl<'a, T: Read<'a>> Items<'a, T> {
    /// The list that comes next.
    fn find(from: &mut Reader<'a>, most: usize) -> Option<Self> {
        let left = u8::try_from(from.u32()?).ok().filter(|&count| usize::from(count) <= most)?;
        let items = Self { rest: *from, left, of: PhantomData };
        for _ in 0..left {
            T::read(from)?;
        }
        Some(items)
    }

    fn list<const N: usize>(self) -> List<T, N> {
        let mut list = List::new();
        // `find` was given the list's capacity.
        self.for_each(|item| drop(list.push(item)));
        list
    }
}

impl<'a, T: Read<'a>> Iterator for Items<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        self.left = self.left.checked_sub(1)?;
        T::read(&mut self.rest)
    }
}

/// What is not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    #[inline(never)]
    fn u8(&mut self) -> Option<u8> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first)
    }

    fn i8(&mut self) -> Option<i8> {
        Some(self.u8()? as i8)
    }

    fn bool(&mut self) -> Option<bool> {
        match self.u8()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.u32()?).ok()
    }

    /// Seven bits in each byte, the lowest first; the top bit says that more follow.
    #[inline(never)]
    fn u32(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let byte = u32::from(self.u8()?);
            let bits = (byte & 127) << shift;
            if bits >> shift != byte & 127 {
                return None;
            }
            value |= bits;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }
}

/// What can be read.
pub(crate) trait Read<'a>: Sized {
    /// The next one; `None` where it is no encoding of one.
    fn read(from: &mut Reader<'a>) -> Option<Self>;
}

impl<'a> Read<'a> for &'a str {
    #[inline(never)]
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        let len = usize::try_from(from.u32()?).ok()?;
        let (text, rest) = from.0.split_at_checked(len)?;
        from.0 = rest;
        core::str::from_utf8(text).ok()
    }
}

impl<'a> Read<'a> for (&'a str, &'a str) {
    fn read(from: &mut Reader<'a>) -> Option<Self> {
        Some((Read::read(from)?, Read::read(from)?))
    }
}

impl Read<'_> for Latent {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let prior = match from.u32()? {
            0 => Prior::Gaussian,
            1 => Prior::Uniform,
            _ => return None,
        };
        Some(Self { prior, dims: from.u16()? })
    }
}

impl Read<'_> for Edge {
    #[inline(never)]
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            shape: Shape { h: from.u16()?, w: from.u16()?, c: from.u16()? },
            padding: Padding { top: from.u8()?, bottom: from.u8()?, left: from.u8()?, right: from.u8()? },
            zero_point: from.i8()?,
            ring_rows: from.u16()?,
        })
    }
}

impl Read<'_> for Op {
    #[inline(never)]
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let kind = from.u32()?;
        let (source, bank) = (from.u8()?, Bank::read(from)?);
        match kind {
            0 => Some(Self::Dense(Dense { source, bank })),
            1 => {
                let (vertical, horizontal) = (Axis::read(from)?, Axis::read(from)?);
                Some(Self::PhaseConv(PhaseConv { source, bank, vertical, horizontal }))
            }
            _ => None,
        }
    }
}

impl Read<'_> for Bank {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self {
            weights: from.u32()?,
            channels: from.u32()?,
            shared: from.bool()?,
            zero_point: from.i8()?,
            low: from.i8()?,
            high: from.i8()?,
            table: if from.bool()? { Some(from.u32()?) } else { None },
        })
    }
}

impl Read<'_> for Axis {
    #[inline(never)]
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        let (step, dilation, count) = (from.u8()?, from.u8()?, u8::try_from(from.u32()?).ok()?);
        let mut all = [Phase::default(); MAX_PHASES];
        for phase in all.get_mut(..usize::from(count))? {
            *phase = Phase { start: from.i8()?, taps: from.u8()? };
        }
        Some(Self { step, dilation, phases: Phases { count, all } })
    }
}
