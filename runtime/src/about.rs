//! What a model says about itself: its name and facts for people, decoded when they are asked for.
//!
//! The encoding is postcard's (<https://postcard.jamesmunns.com/wire-format>): a length of seven bits in each byte
//! before a list or a text. The exporter has it from the crate, by serde; reading it by hand takes less stack and
//! flash. A test writes all that was read once more by the crate and compares.

use crate::graph::{About, List, MAX_METADATA};

/// The pairs of metadata that are not read yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    rest: Reader<'a>,
    left: u8,
}

/// Reads name and metadata once, as a check; `None` where the bytes are no encoding of [`About`] or have too many
/// facts.
#[inline(never)]
pub(crate) fn find(bytes: &[u8]) -> Option<(&str, Facts<'_>)> {
    let mut rest = Reader(bytes);
    let name = rest.text()?;
    let left = u8::try_from(rest.length()?).ok().filter(|&count| usize::from(count) <= MAX_METADATA)?;
    let facts = Facts { rest, left };
    for _ in 0..left {
        rest.text()?;
        rest.text()?;
    }
    rest.0.is_empty().then_some((name, facts))
}

/// All of it, by value.
pub(crate) fn about(bytes: &[u8]) -> About<'_> {
    let Some((name, facts)) = find(bytes) else { return About::default() };
    let mut metadata = List::new();
    // `find` counted them.
    for fact in facts {
        let _ = metadata.push(fact);
    }
    About { name, metadata }
}

impl<'a> Iterator for Facts<'a> {
    type Item = (&'a str, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        Some((self.rest.text()?, self.rest.text()?))
    }
}

/// What is not read yet.
#[derive(Clone, Copy, Debug)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Seven bits in each byte, the lowest first; the top bit says that more follow.
    #[inline(never)]
    fn length(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = self.0.split_first()?;
            self.0 = rest;
            let bits = (u32::from(byte) & 127) << shift;
            if bits >> shift != u32::from(byte) & 127 {
                return None;
            }
            value |= bits;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    #[inline(never)]
    fn text(&mut self) -> Option<&'a str> {
        let len = usize::try_from(self.length()?).ok()?;
        let (text, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        core::str::from_utf8(text).ok()
    }
}
