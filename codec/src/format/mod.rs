//! The `.pin` container: a header, metadata records and self-describing chunks.
//!
//! ```text
//! header (≤ 32 bytes) | metadata records | chunk | chunk | …
//! ```
//!
//! Everything after the header's fixed part is found without a table of contents, so a file is
//! written and read as a stream; each part has its own CRC-32C, and chunks start with a marker, so
//! a reader finds the next one behind damage. `docs/format.md` is the specification.
//!
//! * [`Header::write`] and [`Header::parse`] for what comes first, [`Metadata`] for the records;
//! * [`ChunkWriter`] and [`ChunkReader`] for chunks in their order, strictly;
//! * [`recover`] for what is left of a damaged file.
//!
//! Parsers take the bytes there are. If these end early they answer
//! [`FormatError::Truncated`], which says how many bytes to come back with, and nothing changes.

#![forbid(unsafe_code)]

mod chunk;
mod crc32c;
mod error;
mod header;
pub(crate) mod input;
mod metadata;
mod recovery;

#[cfg(test)]
mod file_tests;

pub use chunk::{
    Chunk, ChunkId, ChunkIds, ChunkKind, ChunkReader, ChunkWriter, Chunks, MAX_PAYLOAD,
};
pub use crc32c::{Crc32c, crc32c};
pub use error::FormatError;
pub use header::{Colour, FORMAT_VERSION, Header, MAX_SIDE, ParsedHeader, QUALITY_MAX, SIGNATURE};
pub use metadata::{MAX_METADATA, Metadata, MetadataKind, MetadataRecord};
pub use recovery::{Damage, LostChunk, Recovered, recover};
