//! The file header: what a decoder must know before the first chunk.

use super::chunk::ChunkIds;
use super::input::{Input, put_varint};
use super::{FormatError, Metadata, crc32c};
use alloc::vec::Vec;
use core::ops::Range;

/// The first bytes of a file. Losing the eighth bit, translating line ends either way, or taking
/// the file for UTF-8 destroys them.
pub const SIGNATURE: [u8; 4] = [0xd0, b'P', b'\r', b'\n'];
/// The format written, and the latest read.
pub const FORMAT_VERSION: u8 = 1;
/// The longest side of a picture.
pub const MAX_SIDE: u32 = 65535;
/// The highest quality.
pub const QUALITY_MAX: u16 = 10_000;

/// Picture rows in a unit of [`Header::chunk_units`].
const UNIT_ROWS: u32 = 64;
const MAX_UNITS: u32 = 1024;
/// Fields of fixed width: signature, version, colour, quality, latent space.
const FIXED: usize = 16;
const CRC: usize = 4;
const ALPHA_BIT: u8 = 1 << 4;

/// What the samples of a pixel are (alpha apart).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Colour {
    /// One 8-bit sample.
    Gray8,
    /// Red, green and blue, 8 bits each.
    Rgb8,
}

impl Colour {
    fn code(self) -> u8 {
        match self {
            Self::Gray8 => 0,
            Self::Rgb8 => 1,
        }
    }
}

/// The fields of a file header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Pixels of a row, 1 to 65535.
    pub width: u32,
    /// Rows, 1 to 65535.
    pub height: u32,
    /// The samples of a pixel.
    pub colour: Colour,
    /// Whether alpha chunks accompany the latents.
    pub alpha: bool,
    /// Quality in hundredths, 0 to 10000.
    pub quality: u16,
    /// Height of a chunk in units of 64 picture rows, 1 to 1024; 8 unless there is a reason.
    pub chunk_units: u32,
    /// Names the entropy programs and tables that decode the latents.
    pub latent_space: [u8; 8],
}

/// A header together with where things are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParsedHeader {
    /// The fields.
    pub header: Header,
    /// Bytes of the header; metadata starts here.
    pub header_len: usize,
    /// Bytes of the metadata section; chunks follow it.
    pub metadata_len: usize,
}

impl ParsedHeader {
    /// Where the first chunk starts in the file.
    #[must_use]
    pub fn chunks_start(&self) -> usize {
        self.header_len + self.metadata_len
    }

    /// Reads the metadata from `file`, the bytes from the start of the file on.
    pub fn metadata<'a>(&self, file: &'a [u8]) -> Result<Metadata<'a>, FormatError> {
        let section = file.get(self.header_len..self.chunks_start());
        Metadata::parse(
            section.ok_or(FormatError::Truncated {
                needed: self.chunks_start(),
                available: file.len(),
            })?,
        )
    }
}

impl Header {
    /// Reads the header from the start of a file; more bytes may follow it.
    ///
    /// The number of pixels can reach 2³²: check [`pixels`](Self::pixels) against what you are
    /// ready to decode.
    pub fn parse(bytes: &[u8]) -> Result<ParsedHeader, FormatError> {
        let start = bytes.get(..SIGNATURE.len()).unwrap_or(bytes);
        if !SIGNATURE.starts_with(start) {
            let mut found = [0; 4];
            found.iter_mut().zip(start).for_each(|(to, from)| *to = *from);
            return Err(FormatError::Signature(found));
        }
        if let Some(&version) = bytes.get(SIGNATURE.len())
            && version != FORMAT_VERSION
        {
            return Err(FormatError::UnsupportedVersion(version));
        }
        let mut input = Input::new(bytes);
        // The shortest header: four integers of one byte.
        input.clone().slice(FIXED + 4 + CRC)?;
        let [_, _, _, _, _, colour, low, high] = input.array()?;
        let latent_space = input.array()?;
        let [width, height] = [input.varint()?, input.varint()?];
        let [chunk_units, metadata_len] = [input.varint()?, input.varint()?];
        let computed = crc32c(input.consumed());
        let stored = u32::from_le_bytes(input.array()?);
        if stored != computed {
            return Err(FormatError::HeaderChecksum { stored, computed });
        }
        let header = Self {
            width,
            height,
            colour: match colour & !ALPHA_BIT {
                0 => Colour::Gray8,
                1 => Colour::Rgb8,
                _ => return Err(FormatError::Colour(colour)),
            },
            alpha: colour & ALPHA_BIT != 0,
            quality: u16::from_le_bytes([low, high]),
            chunk_units,
            latent_space,
        };
        header.check()?;
        let metadata_len = metadata_len as usize;
        if metadata_len > super::MAX_METADATA {
            return Err(FormatError::MetadataLength(metadata_len));
        }
        Ok(ParsedHeader { header, header_len: input.position(), metadata_len })
    }

    /// Writes the header and the metadata: all that precedes the chunks.
    pub fn write(&self, metadata: &Metadata<'_>) -> Result<Vec<u8>, FormatError> {
        self.check()?;
        let section = metadata.to_bytes()?;
        let mut out = Vec::with_capacity(32 + section.len());
        out.extend(SIGNATURE);
        out.push(FORMAT_VERSION);
        out.push(self.colour.code() | if self.alpha { ALPHA_BIT } else { 0 });
        out.extend(self.quality.to_le_bytes());
        out.extend(self.latent_space);
        for value in [self.width, self.height, self.chunk_units, section.len() as u32] {
            put_varint(&mut out, value);
        }
        out.extend(crc32c(&out).to_le_bytes());
        out.extend(section);
        Ok(out)
    }

    /// Pixels of the picture.
    #[must_use]
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Picture rows of a chunk; the last one may have fewer.
    #[must_use]
    pub fn rows_per_chunk(&self) -> u32 {
        self.chunk_units.clamp(1, MAX_UNITS) * UNIT_ROWS
    }

    /// Bands of rows the picture is cut into: chunks of one kind.
    #[must_use]
    pub fn bands(&self) -> u16 {
        self.height.min(MAX_SIDE).div_ceil(self.rows_per_chunk()) as u16
    }

    /// The picture rows of band `index`; none if there is no such band.
    #[must_use]
    pub fn band_rows(&self, index: u16) -> Range<u32> {
        let start = u32::from(index).saturating_mul(self.rows_per_chunk()).min(self.height);
        start..start.saturating_add(self.rows_per_chunk()).min(self.height)
    }

    /// The chunks of the file in their order: for each band its latents, then its alpha.
    #[must_use]
    pub fn chunk_ids(&self) -> ChunkIds {
        ChunkIds::new(self)
    }

    fn check(&self) -> Result<(), FormatError> {
        let Self { width, height, quality, chunk_units, .. } = *self;
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(FormatError::Dimensions { width, height });
        }
        if quality > QUALITY_MAX {
            return Err(FormatError::Quality(quality));
        }
        if !(1..=MAX_UNITS).contains(&chunk_units) {
            return Err(FormatError::ChunkRows(chunk_units));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        width: 768,
        height: 513,
        colour: Colour::Rgb8,
        alpha: true,
        quality: 7500,
        chunk_units: 8,
        latent_space: *b"latents!",
    };

    #[test]
    fn typical_header_is_short() {
        let bytes = HEADER.write(&Metadata::new()).unwrap();
        assert_eq!(bytes.len(), 26);
        assert_eq!(bytes[..8], [0xd0, b'P', b'\r', b'\n', 1, 0x11, 0x4c, 0x1d]);
        assert_eq!(bytes[16..22], [0x80, 6, 0x81, 4, 8, 0]);
        let widest = Header { width: 65535, height: 65535, chunk_units: 1024, ..HEADER };
        assert_eq!(widest.write(&Metadata::new()).unwrap().len(), 29);
    }

    #[test]
    fn bands_cover_the_rows() {
        assert_eq!(HEADER.bands(), 2);
        assert_eq!(HEADER.band_rows(0), 0..512);
        assert_eq!(HEADER.band_rows(1), 512..513);
        assert!(HEADER.band_rows(2).is_empty());
        assert!(HEADER.band_rows(u16::MAX).is_empty());
        assert_eq!(Header { height: 65535, chunk_units: 1, ..HEADER }.bands(), 1024);
    }

    #[test]
    fn bad_fields_are_named() {
        let write = |header: Header| header.write(&Metadata::new()).unwrap_err();
        assert_eq!(
            write(Header { width: 0, ..HEADER }),
            FormatError::Dimensions { width: 0, height: 513 }
        );
        assert_eq!(write(Header { quality: 10_001, ..HEADER }), FormatError::Quality(10_001));
        assert_eq!(write(Header { chunk_units: 0, ..HEADER }), FormatError::ChunkRows(0));
        let good = HEADER.write(&Metadata::new()).unwrap();
        let parse = |at: usize, value: u8| {
            let mut bytes = good.clone();
            bytes[at] = value;
            let end = bytes.len() - 4;
            let crc = crc32c(&bytes[..end]).to_le_bytes();
            bytes[end..].copy_from_slice(&crc);
            Header::parse(&bytes).unwrap_err()
        };
        assert!(matches!(parse(2, b'\n'), FormatError::Signature(_)));
        assert_eq!(parse(4, 2), FormatError::UnsupportedVersion(2));
        assert_eq!(parse(5, 2), FormatError::Colour(2));
        assert_eq!(parse(5, 0x21), FormatError::Colour(0x21));
        assert_eq!(parse(7, 0x80), FormatError::Quality(0x804c));
        assert_eq!(parse(20, 0), FormatError::ChunkRows(0));
    }
}
