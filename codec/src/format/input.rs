//! A cursor over the bytes there are, and the variable-length integers of the format.

use super::FormatError;
use alloc::vec::Vec;

/// Reads from the front of a slice; running out is [`FormatError::Truncated`].
#[derive(Debug, Clone)]
pub(crate) struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Bytes read.
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// What has been read.
    pub(crate) fn consumed(&self) -> &'a [u8] {
        self.bytes.get(..self.at).unwrap_or(self.bytes)
    }

    /// The next `count` bytes.
    pub(crate) fn slice(&mut self, count: usize) -> Result<&'a [u8], FormatError> {
        let end = self.at.saturating_add(count);
        let available = self.bytes.len();
        let taken = self.bytes.get(self.at..end);
        let taken = taken.ok_or(FormatError::Truncated { needed: end, available })?;
        self.at = end;
        Ok(taken)
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FormatError> {
        let taken = self.slice(N)?;
        // The slice has just this length.
        Ok(taken.first_chunk::<N>().copied().unwrap_or([0; N]))
    }

    /// An integer in LEB128: seven bits a byte, lowest first, the top bit set in all but the last
    /// byte; at most 5 bytes, below 2^32, and as short as possible.
    pub(crate) fn varint(&mut self) -> Result<u32, FormatError> {
        let offset = self.at;
        let mut value = 0u64;
        for shift in (0..35).step_by(7) {
            let [byte] = self.array()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                let padded = byte == 0 && shift > 0;
                return match u32::try_from(value) {
                    Ok(value) if !padded => Ok(value),
                    _ => Err(FormatError::Varint { offset }),
                };
            }
        }
        Err(FormatError::Varint { offset })
    }
}

/// Appends an integer as [`Input::varint`] reads it.
pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u32) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_shortest_varints_count() {
        let read = |bytes: &[u8]| Input::new(bytes).varint();
        let bad = Err(FormatError::Varint { offset: 0 });
        assert_eq!(read(&[0]), Ok(0));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x1f]), bad);
        assert_eq!(read(&[0x80, 0x00]), bad);
        assert_eq!(read(&[0x80; 6]), bad);
        assert_eq!(read(&[0x80]), Err(FormatError::Truncated { needed: 2, available: 1 }));
    }

    proptest! {
        #[test]
        fn varints_round_trip(value in any::<u32>(), shift in 0u32..32) {
            let mut bytes = Vec::new();
            put_varint(&mut bytes, value >> shift);
            let mut input = Input::new(&bytes);
            prop_assert_eq!(input.varint(), Ok(value >> shift));
            prop_assert_eq!(input.position(), bytes.len());
        }
    }
}
