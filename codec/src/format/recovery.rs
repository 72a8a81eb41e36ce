//! Reading what is left of a damaged file.

use super::chunk::{ChunkHead, MARKER};
use super::{Chunk, ChunkId, Header};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What happened to a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// Nothing recognisable of it is there.
    Missing,
    /// It seems to start here, but its checksum fails or its end is missing.
    Damaged {
        /// Where, counted from the start of the bytes given.
        offset: usize,
    },
}

/// A chunk that cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LostChunk {
    /// Which.
    pub id: ChunkId,
    /// Why.
    pub damage: Damage,
}

/// What [`recover`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered<'a> {
    /// The undamaged chunks in the order of their ids.
    pub chunks: Vec<Chunk<'a>>,
    /// The others, likewise.
    pub lost: Vec<LostChunk>,
    /// Bytes that belong to no undamaged chunk.
    pub skipped: usize,
    /// Whether the search gave up: the bytes imitate chunks so often that checking them all would
    /// take time out of proportion.
    pub gave_up: bool,
}

/// Finds the undamaged chunks in `bytes`: the rest of a file after header and metadata, or all of
/// it if these cannot be parsed and `header` is known otherwise.
///
/// Searches for the next marker whose checksum holds after every damage. Order does not matter;
/// of two chunks with the same id the first counts; what does not belong to a chunk is skipped.
/// The time is proportional to the number of bytes.
#[must_use]
pub fn recover<'a>(header: &Header, bytes: &'a [u8]) -> Recovered<'a> {
    let ids = header.chunk_ids();
    let mut found = BTreeMap::new();
    let mut suspects = BTreeMap::new();
    // Bytes that may be checked in vain: an honest file with every chunk damaged takes one pass.
    let mut budget = bytes.len().saturating_mul(4).saturating_add(1 << 16);
    let (mut at, mut skipped, mut gave_up) = (0, 0, false);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        if found.len() == ids.len() {
            skipped += rest.len();
            break;
        }
        if let Ok(head) = ChunkHead::parse(rest)
            && ids.contains(head.id)
            && !found.contains_key(&head.id)
        {
            let (id, payload_len) = (head.id, head.payload_len);
            let fits = payload_len <= rest.len();
            if fits && budget < payload_len {
                gave_up = true;
                skipped += rest.len();
                break;
            }
            if let Ok((chunk, len)) = head.chunk() {
                found.insert(id, chunk);
                at += len;
                continue;
            }
            if fits {
                budget -= payload_len;
            }
            suspects.entry(id).or_insert(at);
        }
        let step = next_marker(rest.get(1..).unwrap_or(&[])) + 1;
        at += step;
        skipped += step;
    }
    let lost = ids.filter(|id| !found.contains_key(id)).map(|id| LostChunk {
        id,
        damage: suspects.get(&id).map_or(Damage::Missing, |&offset| Damage::Damaged { offset }),
    });
    Recovered { lost: lost.collect(), chunks: found.into_values().collect(), skipped, gave_up }
}

/// Bytes before the next marker, or all.
fn next_marker(bytes: &[u8]) -> usize {
    bytes.windows(MARKER.len()).position(|pair| *pair == MARKER).unwrap_or(bytes.len())
}
