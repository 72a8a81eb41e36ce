//! Chunks: independently decodable bands of the picture, each with a checksum of its own.

use super::input::{Input, put_varint};
use super::{Crc32c, FormatError, Header, crc32c};
use alloc::vec::Vec;
use core::fmt;

/// The longest payload.
pub const MAX_PAYLOAD: usize = 1 << 30;
/// What every chunk begins with.
pub(super) const MARKER: [u8; 2] = [0xc7, 0x1e];

/// What the payload of a chunk is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum ChunkKind {
    /// The entropy-coded latents of the colours.
    Latents = 0,
    /// The losslessly coded alpha plane.
    Alpha = 1,
}

/// Names a chunk: ids compare in the order chunks are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChunkId {
    /// The band of rows.
    pub band: u16,
    /// What it holds of the band.
    pub kind: ChunkKind,
}

impl ChunkId {
    fn number(self) -> u32 {
        u32::from(self.band) << 2 | self.kind as u32
    }

    fn from_number(number: u32) -> Result<Self, FormatError> {
        let kind = match number & 3 {
            0 => ChunkKind::Latents,
            1 => ChunkKind::Alpha,
            _ => return Err(FormatError::ChunkNumber(number)),
        };
        let band = u16::try_from(number >> 2).map_err(|_| FormatError::ChunkNumber(number))?;
        Ok(Self { band, kind })
    }
}

impl fmt::Display for ChunkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            ChunkKind::Latents => "latents",
            ChunkKind::Alpha => "alpha",
        };
        write!(f, "chunk {} ({kind})", self.band)
    }
}

/// The chunks of a file in their order; see [`Header::chunk_ids`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkIds {
    next: u32,
    count: u32,
    alpha: bool,
}

impl ChunkIds {
    pub(super) fn new(header: &Header) -> Self {
        let kinds = if header.alpha { 2 } else { 1 };
        Self { next: 0, count: u32::from(header.bands()) * kinds, alpha: header.alpha }
    }

    /// The id the next call will return.
    #[must_use]
    pub fn peek(&self) -> Option<ChunkId> {
        let kind = match self.alpha && self.next % 2 == 1 {
            true => ChunkKind::Alpha,
            false => ChunkKind::Latents,
        };
        let band = if self.alpha { self.next / 2 } else { self.next } as u16;
        (self.next < self.count).then_some(ChunkId { band, kind })
    }

    /// Whether the file has such a chunk, already passed or not.
    pub(super) fn contains(&self, id: ChunkId) -> bool {
        let kinds = if self.alpha { 2 } else { 1 };
        u32::from(id.band) < self.count / kinds && (self.alpha || id.kind == ChunkKind::Latents)
    }
}

impl Iterator for ChunkIds {
    type Item = ChunkId;

    fn next(&mut self) -> Option<ChunkId> {
        let id = self.peek()?;
        self.next += 1;
        Some(id)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.count - self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for ChunkIds {}

/// One chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Which it is.
    pub id: ChunkId,
    /// Its content, opaque to the container.
    pub payload: &'a [u8],
}

/// The fields before a payload, undamaged as far as their check byte tells.
pub(super) struct ChunkHead<'a> {
    pub(super) id: ChunkId,
    pub(super) payload_len: usize,
    stored: u32,
    input: Input<'a>,
    crc: Crc32c,
}

impl<'a> ChunkHead<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, FormatError> {
        let start = bytes.get(..MARKER.len()).unwrap_or(bytes);
        if !MARKER.starts_with(start) {
            let found = [bytes.first(), bytes.get(1)].map(|b| b.copied().unwrap_or(0));
            return Err(FormatError::ChunkMarker(found));
        }
        let mut input = Input::new(bytes);
        // The shortest chunk: marker, two integers of a byte, check byte, checksum.
        input.clone().slice(9)?;
        input.array::<2>()?;
        let number = input.varint()?;
        let payload_len = input.varint()? as usize;
        let computed = crc32c(input.consumed()) as u8;
        let [stored] = input.array()?;
        if stored != computed {
            return Err(FormatError::ChunkHeader { stored, computed });
        }
        let crc = Crc32c::new().update(input.consumed());
        let id = ChunkId::from_number(number)?;
        if payload_len > MAX_PAYLOAD {
            return Err(FormatError::PayloadLength(payload_len));
        }
        let stored = u32::from_le_bytes(input.array()?);
        Ok(Self { id, payload_len, stored, input, crc })
    }

    /// The chunk and its length in the file, if all of it is there and undamaged.
    pub(super) fn chunk(mut self) -> Result<(Chunk<'a>, usize), FormatError> {
        let payload = self.input.slice(self.payload_len)?;
        let computed = self.crc.update(payload).finish();
        let Self { id, stored, .. } = self;
        if stored != computed {
            return Err(FormatError::ChunkChecksum { id, stored, computed });
        }
        Ok((Chunk { id, payload }, self.input.position()))
    }
}

impl<'a> Chunk<'a> {
    /// Reads one chunk from the front of `bytes`, whichever it is; returns it with its length in
    /// the file.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, usize), FormatError> {
        ChunkHead::parse(bytes)?.chunk()
    }

    /// Appends the chunk to `out`.
    pub fn write(&self, out: &mut Vec<u8>) -> Result<(), FormatError> {
        if self.payload.len() > MAX_PAYLOAD {
            return Err(FormatError::PayloadLength(self.payload.len()));
        }
        let mut head = Vec::with_capacity(16);
        head.extend(MARKER);
        put_varint(&mut head, self.id.number());
        put_varint(&mut head, self.payload.len() as u32);
        head.push(crc32c(&head) as u8);
        let crc = Crc32c::new().update(&head).update(self.payload).finish();
        head.extend(crc.to_le_bytes());
        out.reserve(head.len() + self.payload.len());
        out.extend_from_slice(&head);
        out.extend_from_slice(self.payload);
        Ok(())
    }
}

/// Writes the chunks of a file in their order.
#[derive(Debug, Clone)]
pub struct ChunkWriter {
    ids: ChunkIds,
}

impl ChunkWriter {
    /// A writer for the chunks that `header` promises.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        Self { ids: header.chunk_ids() }
    }

    /// The chunk whose turn it is; `None` once all are written.
    #[must_use]
    pub fn next_id(&self) -> Option<ChunkId> {
        self.ids.peek()
    }

    /// Appends a chunk to `out` if it is its turn.
    pub fn write(&mut self, chunk: Chunk<'_>, out: &mut Vec<u8>) -> Result<(), FormatError> {
        let expected = self.ids.peek();
        if expected != Some(chunk.id) {
            return Err(FormatError::ChunkOrder { expected, found: chunk.id });
        }
        chunk.write(out)?;
        self.ids.next();
        Ok(())
    }
}

/// Reads the chunks of a file strictly: in order, all of them, and nothing else.
#[derive(Debug, Clone)]
pub struct ChunkReader {
    ids: ChunkIds,
}

impl ChunkReader {
    /// A reader for the chunks that `header` promises.
    #[must_use]
    pub fn new(header: &Header) -> Self {
        Self { ids: header.chunk_ids() }
    }

    /// The chunk that comes next; `None` after the last.
    #[must_use]
    pub fn next_id(&self) -> Option<ChunkId> {
        self.ids.peek()
    }

    /// Reads the next chunk from the front of `bytes` and returns it with the number of bytes to
    /// drop before the next call; `None` after the last chunk, when no bytes may be left.
    ///
    /// After [`FormatError::Truncated`] the call may be repeated with more bytes.
    pub fn next_chunk<'a>(
        &mut self,
        bytes: &'a [u8],
    ) -> Result<Option<(Chunk<'a>, usize)>, FormatError> {
        let Some(expected) = self.ids.peek() else {
            return match bytes.len() {
                0 => Ok(None),
                count => Err(FormatError::TrailingBytes { count }),
            };
        };
        let head = ChunkHead::parse(bytes)?;
        if head.id != expected {
            return Err(FormatError::ChunkOrder { expected: Some(expected), found: head.id });
        }
        let read = head.chunk()?;
        self.ids.next();
        Ok(Some(read))
    }

    /// Reads all chunks from `bytes`, which holds the rest of the file. Ends after an error.
    #[must_use]
    pub fn chunks(self, bytes: &[u8]) -> Chunks<'_> {
        Chunks { reader: self, bytes: Some(bytes) }
    }
}

/// See [`ChunkReader::chunks`].
#[derive(Debug, Clone)]
pub struct Chunks<'a> {
    reader: ChunkReader,
    /// `None` after the end or an error.
    bytes: Option<&'a [u8]>,
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Result<Chunk<'a>, FormatError>;

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.bytes.take()?;
        match self.reader.next_chunk(bytes).transpose()? {
            Ok((chunk, len)) => {
                self.bytes = bytes.get(len..);
                Some(Ok(chunk))
            }
            Err(error) => Some(Err(error)),
        }
    }
}
