//! What can be wrong with a file.

use super::{ChunkId, FORMAT_VERSION, MAX_METADATA, MAX_PAYLOAD, MAX_SIDE, QUALITY_MAX};
use core::fmt;

/// Why a part of a file cannot be read or written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FormatError {
    /// The bytes given end early: come back with more, or the file is cut off.
    Truncated {
        /// Bytes to parse this part at least, counted from where the bytes given begin.
        needed: usize,
        /// Bytes given.
        available: usize,
    },
    /// The file does not begin like one of ours; a transfer in text mode also does this.
    Signature([u8; 4]),
    /// The file is of a later format.
    UnsupportedVersion(u8),
    /// An integer is longer than it may or need be.
    Varint {
        /// Where it starts in the part parsed.
        offset: usize,
    },
    /// The header is damaged.
    HeaderChecksum {
        /// The checksum in the file.
        stored: u32,
        /// That of the bytes read.
        computed: u32,
    },
    /// No kind of picture has this colour code.
    Colour(u8),
    /// The quality is above 10000.
    Quality(u16),
    /// A side is 0 or above 65535.
    Dimensions {
        /// Pixels of a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// A chunk has 1 to 1024 times 64 rows.
    ChunkRows(u32),
    /// The metadata records are longer together than may be.
    MetadataLength(usize),
    /// A metadata record reaches beyond the section.
    RecordLength {
        /// Where it starts in the section.
        offset: usize,
        /// Where it would end.
        end: usize,
        /// Length of the section.
        section: usize,
    },
    /// A metadata record is damaged.
    RecordChecksum {
        /// Its type.
        kind: u8,
        /// The checksum in the file.
        stored: u32,
        /// That of the bytes read.
        computed: u32,
    },
    /// There are two records of a type that may occur once.
    DuplicateRecord(u8),
    /// Where a chunk should begin, no marker is.
    ChunkMarker([u8; 2]),
    /// The first fields of a chunk are damaged.
    ChunkHeader {
        /// The check byte in the file.
        stored: u8,
        /// That of the bytes read.
        computed: u8,
    },
    /// No chunk has this number.
    ChunkNumber(u32),
    /// A payload is longer than may be.
    PayloadLength(usize),
    /// A chunk is damaged.
    ChunkChecksum {
        /// Which.
        id: ChunkId,
        /// The checksum in the file.
        stored: u32,
        /// That of the bytes read.
        computed: u32,
    },
    /// Chunks are not in their order, or one is too many.
    ChunkOrder {
        /// The one whose turn it is, if any is left.
        expected: Option<ChunkId>,
        /// The one that came.
        found: ChunkId,
    },
    /// Bytes follow the last chunk.
    TrailingBytes {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { needed, available } => {
                write!(f, "{needed} bytes are needed, {available} are there")
            }
            Self::Signature(bytes) => {
                write!(f, "not a .pin file, or mangled as text: it starts with {bytes:02x?}")
            }
            Self::UnsupportedVersion(v) => {
                write!(f, "format version {v} is not supported, only up to {FORMAT_VERSION}")
            }
            Self::Varint { offset } => write!(f, "malformed integer at byte {offset}"),
            Self::HeaderChecksum { stored, computed } => {
                write!(f, "header checksum is {computed:08x}, not {stored:08x} as stored")
            }
            Self::Colour(code) => write!(f, "colour code {code:#04x} is not supported"),
            Self::Quality(q) => write!(f, "quality {q} is above {QUALITY_MAX}"),
            Self::Dimensions { width, height } => {
                write!(f, "{width} by {height} pixels: sides are 1 to {MAX_SIDE}")
            }
            Self::ChunkRows(n) => write!(f, "chunks of {n} times 64 rows are not possible"),
            Self::MetadataLength(n) => {
                write!(f, "{n} bytes of metadata are more than {MAX_METADATA}")
            }
            Self::RecordLength { offset, end, section } => write!(
                f,
                "the metadata record at {offset} ends at {end}, beyond the {section} bytes of all"
            ),
            Self::RecordChecksum { kind, stored, computed } => write!(
                f,
                "checksum of metadata record type {kind} is {computed:08x}, not {stored:08x}"
            ),
            Self::DuplicateRecord(kind) => write!(f, "two metadata records of type {kind}"),
            Self::ChunkMarker(bytes) => write!(f, "no chunk starts with {bytes:02x?}"),
            Self::ChunkHeader { stored, computed } => {
                write!(f, "chunk header check is {computed:02x}, not {stored:02x} as stored")
            }
            Self::ChunkNumber(n) => write!(f, "no chunk has number {n}"),
            Self::PayloadLength(n) => {
                write!(f, "a payload of {n} bytes is longer than {MAX_PAYLOAD}")
            }
            Self::ChunkChecksum { id, stored, computed } => {
                write!(f, "checksum of {id} is {computed:08x}, not {stored:08x} as stored")
            }
            Self::ChunkOrder { expected: Some(expected), found } => {
                write!(f, "{found} where {expected} should be")
            }
            Self::ChunkOrder { expected: None, found } => write!(f, "{found} after the last"),
            Self::TrailingBytes { count } => write!(f, "{count} bytes follow the last chunk"),
        }
    }
}

impl core::error::Error for FormatError {}
