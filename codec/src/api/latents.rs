//! Streams to latents: everything before a synthesis transform, and all that decoders outside of the engine need.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::positions::{band_geometry, positions};
use super::{DecodeError, DecodeOptions};
use crate::bundle::Bundle;
use crate::engine::Size;
use crate::entropy::decode_plane;
use crate::format::{Chunk, ChunkId, ChunkKind, ChunkReader, Header, Metadata, recover};
use crate::latent::{ChunkDecoder, Coded, Gains, conceal, scale_row};
use crate::parallel;

/// The latents of a whole picture: what any decoder of the latent space draws from.
#[derive(Clone, Debug, PartialEq)]
pub struct Latents {
    header: Header,
    channels: usize,
    values: Vec<i16>,
    alpha: Option<Vec<u8>>,
    damaged: Vec<ChunkId>,
    coded: Coded,
}

impl Latents {
    /// The header of the stream.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Latent rows: a sixteenth of the picture's, rounded up.
    pub fn rows(&self) -> usize {
        positions(self.header.width, self.header.height).height
    }

    /// Latent columns: a sixteenth of the picture's, rounded up.
    pub fn columns(&self) -> usize {
        positions(self.header.width, self.header.height).width
    }

    /// Channels of a position.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// `[rows][columns][channels]` in units of 1/512, the transforms' own: gains are undone already, lost bands
    /// concealed. Times [`Settings::gains`](crate::bundle::Settings::gains) they are in sixteenths of a symbol.
    pub fn values(&self) -> &[i16] {
        &self.values
    }

    /// Alpha of every pixel, `[height][width]`, if the stream has any; opaque where it is lost.
    pub fn alpha(&self) -> Option<&[u8]> {
        self.alpha.as_deref()
    }

    /// Chunks that were lost and concealed; empty unless [`DecodeOptions::conceal`] is set.
    pub fn damaged(&self) -> &[ChunkId] {
        &self.damaged
    }

    /// Latent symbols that were coded. Those whose predicted scale is tiny are not.
    pub fn symbols(&self) -> u64 {
        self.coded.symbols
    }

    /// Those of the coded latent symbols that lay outside of their table.
    pub fn escapes(&self) -> u64 {
        self.coded.escapes
    }
}

/// Decodes streams to latents, with a bundle that need not have a synthesis transform; keeps its buffers between
/// streams.
#[derive(Debug)]
pub struct LatentDecoder<'a> {
    bundle: &'a Bundle<'a>,
    /// One for each thread.
    coders: Vec<ChunkDecoder<'a>>,
}

impl<'a> LatentDecoder<'a> {
    /// A decoder that uses up to `threads` threads of the current rayon pool (one without the feature `rayon`).
    /// The latents do not depend on it.
    pub fn new(bundle: &'a Bundle<'a>, threads: usize) -> Self {
        let coders = parallel::workers(threads, || ChunkDecoder::new(bundle));
        LatentDecoder { bundle, coders }
    }

    /// Decodes a whole file up to its latents, and its alpha. Of the options, those about concealment and limits count.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let model = std::fs::read("photo.pinm")?;
    /// # let bundle = pinhole::Bundle::parse(&model)?;
    /// let file = std::fs::read("photo.pin")?;
    /// let latents = pinhole::LatentDecoder::new(&bundle, 1).decode(&file, &Default::default())?;
    /// let real: Vec<f32> = latents.values().iter().map(|&v| f32::from(v) / 512.0).collect();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`DecodeError`] for anything but a whole, undamaged file of the bundle's latent space; with
    /// [`DecodeOptions::conceal`] only for a damaged header, another latent space, or no intact chunk at all.
    pub fn decode(&mut self, file: &[u8], options: &DecodeOptions) -> Result<Latents, DecodeError> {
        let mut opened = Opened::open(self.bundle, file, options)?;
        let (values, coded) = self.latents(&mut opened, options.conceal)?;
        let Opened { header, chunks, mut damaged, .. } = opened;
        let mut alpha = None;
        if header.alpha {
            let mut plane = vec![255; header.width as usize * header.height as usize];
            each_alpha(&header, &chunks, options.conceal, &mut damaged, |rows, samples| {
                let width = header.width as usize;
                plane[rows.start * width..][..samples.len()].copy_from_slice(samples);
            })?;
            alpha = Some(plane);
        }
        damaged.sort_unstable();
        damaged.dedup();
        let channels = self.bundle.settings().latent_channels;
        Ok(Latents { header, channels, values, alpha, damaged, coded })
    }

    /// Latents of the whole picture in the transform's units, lost bands concealed.
    pub(super) fn latents(
        &mut self,
        opened: &mut Opened<'_>,
        lenient: bool,
    ) -> Result<(Vec<i16>, Coded), DecodeError> {
        let bundle = self.bundle;
        let Opened { header, chunks, damaged, .. } = opened;
        let header: &Header = header;
        let gains = Gains::new(bundle.settings(), header.quality);
        let m = bundle.settings().latent_channels;
        let Size { height: rows, width: columns } = positions(header.width, header.height);
        let mut latents = vec![0; rows * columns * m];
        let mut rest = &mut latents[..];
        let mut bands: Vec<_> = (0..header.bands())
            .map(|band| {
                let (_, geometry) = band_geometry(header, band);
                let own = rest.split_off_mut(..geometry.positions() * m).unwrap_or_default();
                Some((geometry, own))
            })
            .collect();
        let coded: Vec<_> = chunks
            .iter()
            .filter(|chunk| chunk.id.kind == ChunkKind::Latents)
            .filter_map(|chunk| Some((chunk, bands.get_mut(usize::from(chunk.id.band))?.take()?)))
            .collect();
        if coded.is_empty() {
            return Err(DecodeError::NothingLeft);
        }
        let results = parallel::map(&mut self.coders, coded.into_iter(), |coder, job| {
            let (chunk, (geometry, out)) = job;
            let result = coder.decode(geometry, chunk.payload, out);
            scale_row(out, &gains.inverse);
            Ok::<_, DecodeError>((chunk.id, result))
        })?;
        let mut coded = Coded::default();
        let mut whole = vec![false; usize::from(header.bands())];
        for (id, result) in results {
            match result {
                Ok(part) => {
                    whole[usize::from(id.band)] = true;
                    coded += part;
                }
                Err(_) if lenient => damaged.push(id),
                Err(reason) => {
                    return Err(DecodeError::Chunk { id, reason: Box::new(reason) });
                }
            }
        }
        let lost: Vec<Range<usize>> = (0..header.bands())
            .filter(|&band| !whole[usize::from(band)])
            .map(|band| band_geometry(header, band).0)
            .collect();
        conceal(&mut latents, columns, m, &lost);
        Ok((latents, coded))
    }
}

/// A file whose header has been accepted and whose chunks have been found.
pub(super) struct Opened<'f> {
    pub(super) header: Header,
    pub(super) metadata: Metadata<'f>,
    pub(super) chunks: Vec<Chunk<'f>>,
    pub(super) damaged: Vec<ChunkId>,
}

impl<'f> Opened<'f> {
    /// Checks the header against bundle and options and finds the chunks: before anything of the picture's size is
    /// allocated, all of them are there and whole.
    pub(super) fn open(
        bundle: &Bundle<'_>,
        file: &'f [u8],
        options: &DecodeOptions,
    ) -> Result<Self, DecodeError> {
        let parsed = Header::parse(file)?;
        let header = parsed.header;
        if header.pixels() > options.max_pixels {
            return Err(DecodeError::TooManyPixels {
                pixels: header.pixels(),
                limit: options.max_pixels,
            });
        }
        check_space(bundle, &header)?;
        let metadata = match parsed.metadata(file) {
            Err(_) if options.conceal => Metadata::new(),
            other => other?,
        };
        let rest = file.get(parsed.chunks_start()..).unwrap_or_default();
        let (chunks, damaged) = if options.conceal {
            let found = recover(&header, rest);
            (found.chunks, found.lost.iter().map(|l| l.id).collect())
        } else {
            let chunks: Result<Vec<_>, _> = ChunkReader::new(&header).chunks(rest).collect();
            (chunks?, Vec::new())
        };
        Ok(Opened { header, metadata, chunks, damaged })
    }
}

/// The stream must be of the bundle's latent space.
pub(super) fn check_space(bundle: &Bundle<'_>, header: &Header) -> Result<(), DecodeError> {
    let (stream, bundle) = (header.latent_space, bundle.latent_space());
    if stream == bundle { Ok(()) } else { Err(DecodeError::WrongModel { stream, bundle }) }
}

/// Decodes the alpha chunks; `put` gets the rows of the picture and their samples.
pub(super) fn each_alpha(
    header: &Header,
    chunks: &[Chunk<'_>],
    lenient: bool,
    damaged: &mut Vec<ChunkId>,
    mut put: impl FnMut(Range<usize>, &[u8]),
) -> Result<(), DecodeError> {
    let width = header.width as usize;
    for chunk in chunks.iter().filter(|c| c.id.kind == ChunkKind::Alpha) {
        let rows = header.band_rows(chunk.id.band);
        let rows = rows.start as usize..rows.end as usize;
        let mut plane = vec![0; rows.len() * width];
        match decode_plane(chunk.payload, width, rows.len(), &mut plane) {
            Ok(()) => put(rows, &plane),
            Err(_) if lenient => damaged.push(chunk.id),
            Err(e) => {
                return Err(DecodeError::Chunk { id: chunk.id, reason: Box::new(e.into()) });
            }
        }
    }
    Ok(())
}
