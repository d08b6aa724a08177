//! `--tensorboard`: the numbers of `metrics.jsonl` once more, as the event file that TensorBoard reads.
//!
//! The file is a list of records of TensorFlow's `TFRecord` format, each an `Event` in the encoding of protocol buffers:
//!
//! ```text
//! record   length u64 │ checksum of it u32 │ bytes │ checksum of these u32          little-endian
//! checksum ((crc >> 15) | (crc << 17)) + a282ead8₁₆, crc the CRC-32C
//! Event    1: seconds since 1970, double   2: step   3: "brain.Event:2", of the first   5: Summary
//! Summary  1: Value, as often as there are values          Value   1: name   2: float
//! ```
//!
//! A run that goes on writes the file anew from its metrics, so that nothing is in it twice.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use crc::{CRC_32_ISCSI, Crc};
use serde_json::{Map, Value};

use crate::files;

/// The file in the run folder; TensorBoard knows such files by `tfevents`.
pub(super) const EVENTS: &str = "events.out.tfevents.edgegen";

const CRC_32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The event file of a run.
#[derive(Debug)]
pub(super) struct Events(PathBuf);

impl Events {
    /// Begins the file of a run folder with all that its metrics have.
    ///
    /// # Errors
    ///
    /// When the metrics cannot be read or the file cannot be written.
    pub(super) fn begin(folder: &Path, metrics: &Path) -> Result<Self> {
        let lines = match fs::read(metrics) {
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            lines => lines.with_context(|| format!("cannot read {}", metrics.display()))?,
        };
        let mut bytes = record(&event(now(), 0, &field(3, b"brain.Event:2")));
        bytes.extend(records(now(), &lines));
        let path = folder.join(EVENTS);
        files::replace_bytes(&path, &bytes)?;
        Ok(Self(path))
    }

    /// Adds lines of metrics.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub(super) fn append(&self, lines: &[u8]) -> Result<()> {
        let file = fs::OpenOptions::new().append(true).open(&self.0);
        file.and_then(|mut file| file.write_all(&records(now(), lines)))
            .with_context(|| format!("cannot write {}", self.0.display()))
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}

/// A record for each line that has a step and numbers beside it.
fn records(time: f64, lines: &[u8]) -> Vec<u8> {
    let of_line = |line: &[u8]| {
        let line: Map<String, Value> = serde_json::from_slice(line).ok()?;
        let step = line.get("step")?.as_u64()?;
        let numbers = line.iter().filter(|(name, _)| *name != "step");
        let numbers = numbers.filter_map(|(name, value)| Some((name, value.as_f64()? as f32)));
        let values = numbers.flat_map(|(name, value)| {
            // Field 2, four bytes.
            let value = [&field(1, name.as_bytes())[..], &[2 << 3 | 5], &value.to_le_bytes()].concat();
            field(1, &value)
        });
        let summary: Vec<u8> = values.collect();
        (!summary.is_empty()).then(|| record(&event(time, step, &field(5, &summary))))
    };
    lines.split(|&byte| byte == b'\n').filter_map(of_line).flatten().collect()
}

/// An event with one more field.
fn event(time: f64, step: u64, more: &[u8]) -> Vec<u8> {
    // Field 1, eight bytes, and field 2, a number.
    [&[1 << 3 | 1][..], &time.to_le_bytes(), &[2 << 3], &varint(step), more].concat()
}

/// A field of bytes, of a text or of another message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2][..], &varint(bytes.len() as u64), bytes].concat()
}

/// Seven bits in each byte, the lowest first; the top bit says that more follow.
fn varint(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 128 {
        bytes.push(number as u8 | 128);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

fn record(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    [&length[..], &masked(&length), bytes, &masked(bytes)].concat()
}

/// The checksum of some bytes, turned and moved, as the format wants it.
fn masked(bytes: &[u8]) -> [u8; 4] {
    CRC_32C.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_record_of_its_numbers() {
        let lines = b"{\"step\":300,\"critic\":0.5,\"sign\":\"collapsed\"}\n{\"step\":301,\"sign\":\"x\"}\nnonsense\n";
        let bytes = records(1.0, lines);
        let value = [b"\x0a\x06critic\x15".as_slice(), &0.5f32.to_le_bytes()].concat();
        let event = [&[9][..], &1.0f64.to_le_bytes(), &[16, 0xAC, 2, 42, 15, 10, 13], &value].concat();
        assert_eq!(bytes[..8], (event.len() as u64).to_le_bytes());
        assert_eq!(bytes[12..12 + event.len()], event);
        assert_eq!(bytes.len(), 16 + event.len(), "lines without numbers have no record");
    }

    #[test]
    fn checksums_are_masked() {
        // CRC-32C of these digits is e3069283₁₆ in every list of checksums; turned by 15 bits, plus a282ead8₁₆.
        assert_eq!(u32::from_le_bytes(masked(b"123456789")), 0xc78ab0e5);
    }

    #[test]
    fn a_run_that_goes_on_has_everything_once() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = folder.path().join("metrics.jsonl");
        let events = Events::begin(folder.path(), &metrics).unwrap();
        events.append(b"{\"step\":1,\"critic\":0.5}\n").unwrap();
        events.append(b"{\"step\":2,\"critic\":0.5}\n").unwrap();
        let whole = fs::read(folder.path().join(EVENTS)).unwrap();
        fs::write(&metrics, "{\"step\":1,\"critic\":0.5}\n").unwrap();
        Events::begin(folder.path(), &metrics).unwrap().append(b"{\"step\":2,\"critic\":0.5}\n").unwrap();
        assert_eq!(fs::read(folder.path().join(EVENTS)).unwrap().len(), whole.len());
    }
}
