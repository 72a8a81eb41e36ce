//! Metadata records: ICC profile, Exif, XMP, and what later versions may add.

use super::input::{Input, put_varint};
use super::{FormatError, crc32c};
use alloc::vec::Vec;

/// The most bytes the records of a file may take together.
pub const MAX_METADATA: usize = 1 << 24;

/// What a record holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MetadataKind {
    /// An ICC colour profile (ISO 15076-1).
    Icc,
    /// Exif, from its TIFF header on.
    Exif,
    /// XMP, a UTF-8 packet (ISO 16684-1).
    Xmp,
    /// A type this version does not know: to be passed on or ignored.
    Other(u8),
}

impl MetadataKind {
    fn from_code(code: u8) -> Self {
        match code {
            1 => Self::Icc,
            2 => Self::Exif,
            3 => Self::Xmp,
            other => Self::Other(other),
        }
    }

    /// The number that stands for it in a file.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Icc => 1,
            Self::Exif => 2,
            Self::Xmp => 3,
            Self::Other(code) => code,
        }
    }
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetadataRecord<'a> {
    /// What it holds.
    pub kind: MetadataKind,
    /// Its bytes.
    pub data: &'a [u8],
}

/// The records of a file in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata<'a> {
    records: Vec<MetadataRecord<'a>>,
}

impl<'a> Metadata<'a> {
    /// No records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a record. ICC, Exif and XMP may occur once.
    pub fn push(&mut self, kind: MetadataKind, data: &'a [u8]) -> Result<&mut Self, FormatError> {
        let kind = MetadataKind::from_code(kind.code());
        if !matches!(kind, MetadataKind::Other(_)) && self.get(kind).is_some() {
            return Err(FormatError::DuplicateRecord(kind.code()));
        }
        self.records.push(MetadataRecord { kind, data });
        Ok(self)
    }

    /// The data of the first record of a kind.
    #[must_use]
    pub fn get(&self, kind: MetadataKind) -> Option<&'a [u8]> {
        self.records.iter().find(|r| r.kind == kind).map(|r| r.data)
    }

    /// All records.
    #[must_use]
    pub fn records(&self) -> &[MetadataRecord<'a>] {
        &self.records
    }

    /// Reads the whole section of a file.
    pub fn parse(section: &'a [u8]) -> Result<Self, FormatError> {
        let mut metadata = Self::new();
        let mut rest = section;
        while !rest.is_empty() {
            let offset = section.len() - rest.len();
            let (record, len) = parse_record(rest).map_err(|error| match error {
                // The section is all there, so its lengths are wrong.
                FormatError::Truncated { needed, .. } => FormatError::RecordLength {
                    offset,
                    end: offset.saturating_add(needed),
                    section: section.len(),
                },
                other => other,
            })?;
            metadata.push(record.kind, record.data)?;
            rest = rest.get(len..).unwrap_or(&[]);
        }
        Ok(metadata)
    }

    /// The section as it stands in a file.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, FormatError> {
        // Type, length of at most 5 bytes, checksum.
        let most = self.records.iter().fold(0, |n: usize, r| n.saturating_add(r.data.len() + 10));
        if most > MAX_METADATA {
            return Err(FormatError::MetadataLength(most));
        }
        let mut out = Vec::with_capacity(most);
        for record in &self.records {
            let start = out.len();
            out.push(record.kind.code());
            put_varint(&mut out, record.data.len() as u32);
            out.extend_from_slice(record.data);
            let crc = crc32c(out.get(start..).unwrap_or(&[]));
            out.extend(crc.to_le_bytes());
        }
        Ok(out)
    }
}

fn parse_record(bytes: &[u8]) -> Result<(MetadataRecord<'_>, usize), FormatError> {
    let mut input = Input::new(bytes);
    let [kind] = input.array()?;
    let len = input.varint()? as usize;
    let data = input.slice(len)?;
    let computed = crc32c(input.consumed());
    let stored = u32::from_le_bytes(input.array()?);
    if stored != computed {
        return Err(FormatError::RecordChecksum { kind, stored, computed });
    }
    Ok((MetadataRecord { kind: MetadataKind::from_code(kind), data }, input.position()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    #[test]
    fn once_means_once() {
        let mut metadata = Metadata::new();
        metadata.push(MetadataKind::Exif, b"II").unwrap();
        metadata.push(MetadataKind::Other(9), b"a").unwrap();
        metadata.push(MetadataKind::Other(9), b"b").unwrap();
        let duplicate = Err(FormatError::DuplicateRecord(2));
        assert_eq!(metadata.push(MetadataKind::Other(2), b"MM").map(|_| ()), duplicate);
        assert_eq!(metadata.get(MetadataKind::Exif), Some(&b"II"[..]));
        assert_eq!(metadata.get(MetadataKind::Icc), None);
        let section = metadata.to_bytes().unwrap();
        assert_eq!(Metadata::parse(&section), Ok(metadata));
        let twice = [&section[..8], &section[..8]].concat();
        assert_eq!(Metadata::parse(&twice).map(|_| ()), duplicate);
    }

    #[test]
    fn too_much_is_refused() {
        let data = vec![0; MAX_METADATA];
        let mut metadata = Metadata::new();
        metadata.push(MetadataKind::Icc, &data).unwrap();
        assert!(matches!(metadata.to_bytes(), Err(FormatError::MetadataLength(_))));
    }

    proptest! {
        #[test]
        fn records_round_trip_and_show_damage(
            records in proptest::collection::vec(
                (4u8..9, proptest::collection::vec(any::<u8>(), 0..200)), 0..4),
            bit in any::<usize>(),
        ) {
            let mut metadata = Metadata::new();
            for (kind, data) in &records {
                metadata.push(MetadataKind::Other(*kind), data).unwrap();
            }
            let mut section = metadata.to_bytes().unwrap();
            prop_assert_eq!(&Metadata::parse(&section).unwrap(), &metadata);
            if !section.is_empty() {
                let bit = bit % (section.len() * 8);
                section[bit / 8] ^= 1 << (bit % 8);
                prop_assert!(Metadata::parse(&section).is_err());
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            let _ = Metadata::parse(&bytes);
        }
    }
}
