//! Whole files: round trips, truncation, damage, noise.

use super::*;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

#[derive(Debug, Clone)]
struct File {
    header: Header,
    records: Vec<(MetadataKind, Vec<u8>)>,
    payloads: Vec<Vec<u8>>,
}

impl File {
    fn metadata(&self) -> Metadata<'_> {
        let mut metadata = Metadata::new();
        for (kind, data) in &self.records {
            metadata.push(*kind, data).unwrap();
        }
        metadata
    }

    fn chunks(&self) -> impl Iterator<Item = Chunk<'_>> {
        self.header.chunk_ids().zip(&self.payloads).map(|(id, payload)| Chunk { id, payload })
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.header.write(&self.metadata()).unwrap();
        let mut writer = ChunkWriter::new(&self.header);
        for chunk in self.chunks() {
            assert_eq!(writer.next_id(), Some(chunk.id));
            writer.write(chunk, &mut out).unwrap();
        }
        assert_eq!(writer.next_id(), None);
        out
    }
}

/// Reads a whole file strictly.
fn read(bytes: &[u8]) -> Result<(Header, Metadata<'_>, Vec<Chunk<'_>>), FormatError> {
    let parsed = Header::parse(bytes)?;
    let metadata = parsed.metadata(bytes)?;
    let rest = &bytes[parsed.chunks_start()..];
    let chunks = ChunkReader::new(&parsed.header).chunks(rest).collect::<Result<_, _>>()?;
    Ok((parsed.header, metadata, chunks))
}

fn any_bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    // Every now and then what looks like a marker.
    let piece = prop_oneof![any::<u8>().prop_map(|b| vec![b]), Just(vec![0xc7, 0x1e])];
    proptest::collection::vec(piece, 0..most).prop_map(|v| v.concat())
}

prop_compose! {
    fn any_header()(
        sides in (1u32..=65535, 1u32..=700),
        gray in any::<bool>(),
        alpha in any::<bool>(),
        quality in 0u16..=10_000,
        chunk_units in 1u32..=1024,
        small_units in 1u32..4,
        small in any::<bool>(),
        latent_space in any::<[u8; 8]>(),
    ) -> Header {
        let (width, height) = sides;
        let colour = if gray { Colour::Gray8 } else { Colour::Rgb8 };
        let chunk_units = if small { small_units } else { chunk_units };
        Header { width, height, colour, alpha, quality, chunk_units, latent_space }
    }
}

fn any_file() -> impl Strategy<Value = File> {
    let kinds = [MetadataKind::Icc, MetadataKind::Exif, MetadataKind::Xmp, MetadataKind::Other(77)];
    let record = any_bytes(60);
    (any_header(), proptest::collection::vec(record, 0..=4)).prop_flat_map(
        move |(header, records)| {
            let records: Vec<_> = kinds.into_iter().zip(records).collect();
            let count = header.chunk_ids().len();
            proptest::collection::vec(any_bytes(200), count).prop_map(move |payloads| File {
                header,
                records: records.clone(),
                payloads,
            })
        },
    )
}

#[test]
fn container_costs_34_bytes() {
    let header = Header {
        width: 200,
        height: 100,
        colour: Colour::Rgb8,
        alpha: false,
        quality: 5000,
        chunk_units: 8,
        latent_space: [0; 8],
    };
    let file = File { header, records: vec![], payloads: vec![vec![1; 100]] };
    assert_eq!(file.to_bytes().len(), 100 + 34);
}

#[test]
fn order_is_kept() {
    let header = Header {
        width: 9,
        height: 100,
        colour: Colour::Gray8,
        alpha: true,
        quality: 0,
        chunk_units: 1,
        latent_space: [7; 8],
    };
    let ids: Vec<ChunkId> = header.chunk_ids().collect();
    assert_eq!(ids.len(), 4);
    assert!(ids.is_sorted());
    assert_eq!(ids[1], ChunkId { band: 0, kind: ChunkKind::Alpha });
    let chunk = |at: usize| Chunk { id: ids[at], payload: &[1, 2] };
    let mut writer = ChunkWriter::new(&header);
    let mut out = Vec::new();
    let order = FormatError::ChunkOrder { expected: Some(ids[0]), found: ids[1] };
    assert_eq!(writer.write(chunk(1), &mut out), Err(order));
    assert!(out.is_empty());
    // Written out of order, read strictly and not.
    for at in [1, 0, 3] {
        chunk(at).write(&mut out).unwrap();
    }
    let mut strict = ChunkReader::new(&header).chunks(&out);
    assert_eq!(strict.next(), Some(Err(order)));
    assert_eq!(strict.next(), None);
    let found = recover(&header, &out);
    assert_eq!(found.chunks, [chunk(0), chunk(1), chunk(3)]);
    assert_eq!(found.lost, [LostChunk { id: ids[2], damage: Damage::Missing }]);
    assert_eq!((found.skipped, found.gave_up), (0, false));
}

/// A file of nothing but promising beginnings must not take quadratic time.
#[test]
fn imitations_are_given_up() {
    let header = Header {
        width: 1,
        height: 1,
        colour: Colour::Gray8,
        alpha: false,
        quality: 0,
        chunk_units: 1,
        latent_space: [0; 8],
    };
    let payload = vec![0; 1 << 20];
    let id = ChunkId { band: 0, kind: ChunkKind::Latents };
    let mut head = Vec::new();
    Chunk { id, payload: &payload }.write(&mut head).unwrap();
    let mut head = head[..12].to_vec();
    head[11] ^= 1;
    let bytes = head.repeat((2 << 20) / 12);
    let found = recover(&header, &bytes);
    assert!(found.gave_up);
    assert_eq!(found.skipped, bytes.len());
    assert_eq!(found.lost, [LostChunk { id, damage: Damage::Damaged { offset: 0 } }]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn files_round_trip(file in any_file()) {
        let bytes = file.to_bytes();
        let (header, metadata, chunks) = read(&bytes).unwrap();
        prop_assert_eq!(header, file.header);
        prop_assert_eq!(metadata, file.metadata());
        prop_assert_eq!(&chunks, &file.chunks().collect::<Vec<_>>());
        let start = Header::parse(&bytes).unwrap().chunks_start();
        let found = recover(&header, &bytes[start..]);
        prop_assert_eq!(&found.chunks, &chunks);
        prop_assert!(found.lost.is_empty() && found.skipped == 0 && !found.gave_up);
        let longer = [&bytes[..], &[0, 1]].concat();
        prop_assert_eq!(read(&longer), Err(FormatError::TrailingBytes { count: 2 }));
        prop_assert_eq!(recover(&header, &longer[start..]).skipped, 2);
    }

    /// And asks for more than there is, but never for more than the file has.
    #[test]
    fn every_truncation_says_so(file in any_file()) {
        let bytes = file.to_bytes();
        for len in 0..bytes.len() {
            let parsed = Header::parse(&bytes);
            match read(&bytes[..len]) {
                Err(FormatError::Truncated { needed, available }) => {
                    prop_assert!(needed > available);
                    // `available` is the length of the part at hand.
                    prop_assert!(len - available + needed <= bytes.len());
                }
                other => prop_assert!(false, "{len}: {other:?} {parsed:?}"),
            }
        }
    }

    /// Bytes that come in pieces give the same chunks.
    #[test]
    fn streams_read_alike(file in any_file(), piece in 1usize..50) {
        let bytes = file.to_bytes();
        let start = Header::parse(&bytes).unwrap().chunks_start();
        let mut reader = ChunkReader::new(&file.header);
        let (mut from, mut to) = (start, start);
        for expected in file.chunks() {
            let len = loop {
                match reader.next_chunk(&bytes[from..to]) {
                    Ok(read) => {
                        let (chunk, len) = read.unwrap();
                        prop_assert_eq!(chunk, expected);
                        break len;
                    }
                    Err(FormatError::Truncated { .. }) => to = (to + piece).min(bytes.len()),
                    Err(other) => prop_assert!(false, "{other:?}"),
                }
            };
            from += len;
        }
        prop_assert_eq!(from, bytes.len());
        prop_assert_eq!(reader.next_chunk(&[]), Ok(None));
    }

    #[test]
    fn every_flipped_bit_is_noticed(file in any_file()) {
        let mut bytes = file.to_bytes();
        let start = Header::parse(&bytes).unwrap().chunks_start();
        let mut ends = vec![start];
        let mut rest = &bytes[start..];
        while let Ok((_, len)) = Chunk::parse(rest) {
            ends.push(ends[ends.len() - 1] + len);
            rest = &rest[len..];
        }
        let chunks: Vec<_> = file.chunks().collect();
        // All bits of short files, some of long ones.
        let step = bytes.len() * 8 / 2000 + 1;
        for bit in (0..bytes.len() * 8).step_by(step) {
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(read(&bytes).is_err(), "bit {}", bit);
            if bit / 8 >= start {
                let hit = ends.iter().rposition(|&end| end <= bit / 8).unwrap();
                let found = recover(&file.header, &bytes[start..]);
                let lost: Vec<_> = found.lost.iter().map(|lost| lost.id).collect();
                prop_assert_eq!(lost, [chunks[hit].id]);
                let mut intact = chunks.clone();
                intact.remove(hit);
                prop_assert_eq!(found.chunks, intact);
            }
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }

    #[test]
    fn losses_leave_the_rest(file in any_file(), gone in any::<prop::sample::Index>(),
                             noise in any_bytes(40)) {
        let chunks: Vec<_> = file.chunks().collect();
        let gone = gone.index(chunks.len());
        let mut bytes = noise.clone();
        for (at, chunk) in chunks.iter().enumerate() {
            if at == gone {
                bytes.extend(&noise);
            } else {
                chunk.write(&mut bytes).unwrap();
            }
        }
        let found = recover(&file.header, &bytes);
        prop_assert_eq!(found.lost.len(), 1);
        prop_assert_eq!(found.lost[0].id, chunks[gone].id);
        prop_assert_eq!(found.skipped, 2 * noise.len());
    }

    #[test]
    fn noise_never_panics(bytes in any_bytes(200), header in any_header()) {
        let _ = read(&bytes);
        let _ = Chunk::parse(&bytes);
        let _ = recover(&header, &bytes);
        let started = [&SIGNATURE[..], &[1], &bytes].concat();
        let _ = read(&started);
        let _ = Chunk::parse(&[&[0xc7, 0x1e], &bytes[..]].concat());
        let mut reader = ChunkReader::new(&header);
        let _ = reader.next_chunk(&bytes);
    }
}
