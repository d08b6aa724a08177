//! A file in memory as the reader of rten-onnx, which never believes a length that the file cannot hold.
//!
//! The library's own reader sets memory aside by the length that stands in the file, adds to it without looking, and does not come back from a number of
//! more than ten bytes: one damaged byte is enough to end the program (rten-onnx 0.27).

use rten_onnx::protobuf::{ErrorKind, OwnedValues, ProtobufError, ReadValue};

/// Protocol Buffers' wire type of a field that begins with its length.
const LENGTH: u64 = 2;

pub struct Bytes<'a> {
    /// What is not read yet.
    left: &'a [u8],
    position: u64,
    /// The number read last, if nothing else was read since: maybe the tag of what comes.
    tag: Option<u64>,
}

impl<'a> Bytes<'a> {
    pub fn new(file: &'a [u8]) -> Self {
        Self { left: file, position: 0, tag: None }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], ProtobufError> {
        let (taken, left) = self.left.split_at_checked(count).ok_or_else(|| ProtobufError::new(ErrorKind::Eof))?;
        self.left = left;
        self.position += count as u64;
        self.tag = None;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], ProtobufError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }
}

impl ReadValue for Bytes<'_> {
    type Types = OwnedValues;

    fn read_i32(&mut self) -> Result<i32, ProtobufError> {
        self.array().map(i32::from_le_bytes)
    }

    fn read_i64(&mut self) -> Result<i64, ProtobufError> {
        self.array().map(i64::from_le_bytes)
    }

    fn read_varint(&mut self) -> Result<u64, ProtobufError> {
        let tag = self.tag;
        let mut value = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.array::<1>()?[0];
            let bits = u64::from(byte & 0x7F);
            // The tenth byte has room for one bit.
            if bits << shift >> shift != bits {
                break;
            }
            value |= bits << shift;
            if byte < 0x80 {
                // The library adds a length to the position before anyone compares it with the end.
                if tag.is_some_and(|tag| tag % 8 == LENGTH) && value > i64::MAX as u64 {
                    return Err(ProtobufError::new(ErrorKind::Eof));
                }
                self.tag = Some(value);
                return Ok(value);
            }
        }
        Err(ProtobufError::new(ErrorKind::InvalidVarint))
    }

    fn read_bytes(&mut self, length: usize) -> Result<Vec<u8>, ProtobufError> {
        self.take(length).map(<[u8]>::to_vec)
    }

    fn read_string(&mut self, length: usize) -> Result<String, ProtobufError> {
        String::from_utf8(self.read_bytes(length)?).map_err(|_| ProtobufError::new(ErrorKind::InvalidUtf8))
    }

    fn skip(&mut self, length: usize) -> Result<(), ProtobufError> {
        self.take(length).map(drop)
    }

    fn position(&self) -> u64 {
        self.position
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rten_onnx::onnx::ModelProto;
    use rten_onnx::protobuf::{DecodeMessage, ValueReader};

    fn varint(bytes: &[u8]) -> Option<u64> {
        Bytes::new(bytes).read_varint().ok()
    }

    #[test]
    fn numbers_are_the_library_s() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX / 2, u64::MAX - 1, u64::MAX] {
            let mut left = value;
            let mut bytes = Vec::new();
            while left > 0x7F {
                bytes.push(left as u8 | 0x80);
                left >>= 7;
            }
            bytes.push(left as u8);
            assert_eq!(varint(&bytes), Some(value));
            assert_eq!(ValueReader::from_buf(&bytes).read_varint().unwrap(), value);
            assert_eq!(varint(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn what_stops_the_library_is_an_error() {
        assert_eq!(varint(&[0xFF; 20]), None, "a number without end");
        assert_eq!(varint(&[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 2]), None, "65 bits");
        // Field 7, the graph, of 32 GB, and of so many bytes that no position can be added.
        for length in
            [&[0x80, 0x80, 0x80, 0x80, 0x80, 1][..], &[0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1]]
        {
            for field in [7, 2, 20] {
                let mut file = vec![field << 3 | LENGTH as u8];
                if field > 15 {
                    file = vec![0xA2, 1];
                }
                file.extend(length);
                file.extend([1, 2, 3]);
                let error = ModelProto::decode(Bytes::new(&file)).err();
                assert!(error.is_some(), "field {field}");
            }
        }
    }

    #[test]
    fn bytes_are_there_or_refused() {
        let mut bytes = Bytes::new(b"\x01\x02\x03\x04abcd\xFF");
        assert_eq!(bytes.read_i32().unwrap(), 0x0403_0201);
        assert!(bytes.read_i64().is_err() && bytes.read_bytes(usize::MAX).is_err() && bytes.skip(6).is_err());
        assert_eq!(bytes.read_string(4).unwrap(), "abcd");
        assert_eq!(bytes.position(), 8);
        assert!(bytes.read_string(1).is_err(), "no UTF-8");
    }
}
