//! Streams to pictures.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::encoder::{PATCH, band_geometry};
use super::{DecodeError, Picture, PixelFormat};
use crate::bundle::Bundle;
use crate::engine::{Executor, RowMut, RowRef, Size};
use crate::entropy::decode_plane;
use crate::format::{Chunk, ChunkId, ChunkKind, ChunkReader, Header, Metadata, recover};
use crate::latent::{ChunkDecoder, Gains, conceal, scale_row};
use crate::parallel;

/// How to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// Decode what is left of a damaged file and fill in the rest, instead of failing.
    pub conceal: bool,
    /// Refuse pictures of more pixels. Decoding allocates at most about 12 bytes a pixel. Default 2²⁷.
    pub max_pixels: u64,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        DecodeOptions { conceal: false, max_pixels: 1 << 27 }
    }
}

/// A decoded stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decoded<'f> {
    /// The picture.
    pub picture: Picture,
    /// ICC profile, Exif, XMP as carried; empty if damaged.
    pub metadata: Metadata<'f>,
    /// Chunks that were lost and concealed; empty unless [`DecodeOptions::conceal`] is set.
    pub damaged: Vec<ChunkId>,
}

/// Decodes streams with one bundle; keeps its buffers between streams.
#[derive(Debug)]
pub struct Decoder<'a> {
    bundle: &'a Bundle<'a>,
    executors: Vec<Executor>,
}

impl<'a> Decoder<'a> {
    /// A decoder that uses up to `threads` threads of the current rayon pool (one without the feature `rayon`).
    /// The pixels do not depend on it.
    ///
    /// # Errors
    /// The bundle has no synthesis program.
    pub fn new(bundle: &'a Bundle<'a>, threads: usize) -> Result<Self, DecodeError> {
        bundle.synthesis()?;
        Ok(Decoder { bundle, executors: parallel::executors(threads) })
    }

    /// Decodes a whole file.
    ///
    /// # Errors
    /// [`DecodeError`] for anything but a whole, undamaged file of the bundle's latent space; with
    /// [`DecodeOptions::conceal`] only for a damaged header, another latent space, or no intact chunk at all.
    pub fn decode<'f>(
        &mut self,
        file: &'f [u8],
        options: &DecodeOptions,
    ) -> Result<Decoded<'f>, DecodeError> {
        let parsed = Header::parse(file)?;
        let header = parsed.header;
        if header.pixels() > options.max_pixels {
            return Err(DecodeError::TooManyPixels {
                pixels: header.pixels(),
                limit: options.max_pixels,
            });
        }
        if header.latent_space != self.bundle.latent_space() {
            let (stream, bundle) = (header.latent_space, self.bundle.latent_space());
            return Err(DecodeError::WrongModel { stream, bundle });
        }
        let metadata = match parsed.metadata(file) {
            Err(_) if options.conceal => Metadata::new(),
            other => other?,
        };
        let rest = file.get(parsed.chunks_start()..).unwrap_or_default();
        // All chunks are there and whole before anything of the picture's size is allocated.
        let (chunks, mut damaged) = if options.conceal {
            let found = recover(&header, rest);
            (found.chunks, found.lost.iter().map(|l| l.id).collect())
        } else {
            let chunks: Result<Vec<_>, _> = ChunkReader::new(&header).chunks(rest).collect();
            (chunks?, Vec::new())
        };
        let latents = self.latents(&header, &chunks, options.conceal, &mut damaged)?;
        let format = PixelFormat::of(header.colour, header.alpha);
        let mut data = self.synthesise(&header, format, &latents)?;
        if header.alpha {
            fill_alpha(&header, format, &chunks, options.conceal, &mut damaged, &mut data)?;
        }
        damaged.sort_unstable();
        damaged.dedup();
        let picture = Picture::new(header.width, header.height, format, data)
            .map_err(|_| DecodeError::TooManyPixels { pixels: header.pixels(), limit: u64::MAX })?;
        Ok(Decoded { picture, metadata, damaged })
    }

    /// Latents of the whole picture in the transform's units, lost bands concealed.
    fn latents(
        &mut self,
        header: &Header,
        chunks: &[Chunk<'_>],
        lenient: bool,
        damaged: &mut Vec<ChunkId>,
    ) -> Result<Vec<i16>, DecodeError> {
        let bundle = self.bundle;
        let gains = Gains::new(bundle.settings(), header.quality);
        let m = bundle.settings().latent_channels;
        let columns = (header.width as usize).div_ceil(PATCH);
        let rows = (header.height as usize).div_ceil(PATCH);
        let coded: Vec<&Chunk<'_>> =
            chunks.iter().filter(|c| c.id.kind == ChunkKind::Latents).collect();
        if coded.is_empty() {
            return Err(DecodeError::NothingLeft);
        }
        let decoded = parallel::map(&mut self.executors, coded.len(), |executor, index| {
            let chunk = coded[index];
            let (_, geometry) = band_geometry(header, chunk.id.band);
            let band = ChunkDecoder::new(bundle).decode(executor, geometry, chunk.payload);
            Ok::<_, DecodeError>(band.map(|v| {
                let mut y = vec![0; v.len()];
                scale_row(&v, &gains.inverse, &mut y);
                y
            }))
        })?;
        let mut latents = vec![0; rows * columns * m];
        let mut whole = vec![false; usize::from(header.bands())];
        for (chunk, band) in coded.iter().zip(decoded) {
            match band {
                Ok(band) => {
                    let (rows, _) = band_geometry(header, chunk.id.band);
                    latents[rows.start * columns * m..][..band.len()].copy_from_slice(&band);
                    whole[usize::from(chunk.id.band)] = true;
                }
                Err(_) if lenient => damaged.push(chunk.id),
                Err(reason) => {
                    return Err(DecodeError::Chunk { id: chunk.id, reason: Box::new(reason) });
                }
            }
        }
        let lost: Vec<Range<usize>> = (0..header.bands())
            .filter(|&band| !whole[usize::from(band)])
            .map(|band| band_geometry(header, band).0)
            .collect();
        conceal(&mut latents, columns, m, &lost);
        Ok(latents)
    }

    /// Runs the synthesis transform; alpha samples, if any, are opaque.
    fn synthesise(
        &mut self,
        header: &Header,
        format: PixelFormat,
        latents: &[i16],
    ) -> Result<Vec<u8>, DecodeError> {
        let program = self.bundle.synthesis()?;
        let m = self.bundle.settings().latent_channels;
        let (width, height) = (header.width as usize, header.height as usize);
        let size = Size { height: height.div_ceil(PATCH), width: width.div_ceil(PATCH) };
        let row_len = size.width * m;
        let source = |_input: usize, y: usize, row: RowMut<'_>| {
            if let RowMut::I16(row) = row {
                row.copy_from_slice(&latents[y * row_len..][..row_len]);
            }
        };
        let channels = format.channels();
        let mut data = vec![255; width * height * channels];
        let bands = split_rows(&mut data, width * channels, size.height, self.executors.len());
        let work = |executor: &mut Executor, (units, out): (Range<usize>, &mut [u8])| {
            let first = units.start * PATCH;
            let mut source = |input: usize, y: usize, row: RowMut<'_>| source(input, y, row);
            let mut sink = |_output: usize, y: usize, row: RowRef<'_>| {
                let start = (y - first) * width * channels;
                if let (RowRef::U8(row), Some(out)) =
                    (row, out.get_mut(start..start + width * channels))
                {
                    store_row(&row[..width * 3], format, out);
                }
            };
            executor.run_units(program, size, units, &mut source, &mut sink)
        };
        parallel::zip(&mut self.executors, bands, work)?;
        Ok(data)
    }
}

/// Cuts the picture's rows into bands of whole latent rows, one for each executor.
fn split_rows(
    mut data: &mut [u8],
    row_len: usize,
    units: usize,
    bands: usize,
) -> Vec<(Range<usize>, &mut [u8])> {
    let bands = bands.clamp(1, units.max(1));
    let mut out = Vec::with_capacity(bands);
    for band in 0..bands {
        let range = units * band / bands..units * (band + 1) / bands;
        let len = (range.len() * PATCH * row_len).min(data.len());
        let (own, rest) = core::mem::take(&mut data).split_at_mut(len);
        out.push((range, own));
        data = rest;
    }
    out
}

/// Writes one RGB row in the picture's format, leaving alpha alone.
fn store_row(rgb: &[u8], format: PixelFormat, out: &mut [u8]) {
    if format == PixelFormat::Rgb8 {
        out.copy_from_slice(rgb);
        return;
    }
    for (rgb, out) in rgb.chunks_exact(3).zip(out.chunks_exact_mut(format.channels())) {
        if format.is_gray() {
            let sum = u16::from(rgb[0]) + 2 * u16::from(rgb[1]) + u16::from(rgb[2]);
            out[0] = ((sum + 2) / 4) as u8;
        } else {
            out[..3].copy_from_slice(rgb);
        }
    }
}

/// Decodes the alpha chunks into the last sample of each pixel.
fn fill_alpha(
    header: &Header,
    format: PixelFormat,
    chunks: &[Chunk<'_>],
    lenient: bool,
    damaged: &mut Vec<ChunkId>,
    data: &mut [u8],
) -> Result<(), DecodeError> {
    let width = header.width as usize;
    let channels = format.channels();
    for chunk in chunks.iter().filter(|c| c.id.kind == ChunkKind::Alpha) {
        let rows = header.band_rows(chunk.id.band);
        let mut plane = vec![0; rows.len() * width];
        match decode_plane(chunk.payload, width, rows.len(), &mut plane) {
            Ok(()) => {
                let start = rows.start as usize * width * channels;
                let pixels = data[start..].chunks_exact_mut(channels);
                pixels.zip(plane).for_each(|(pixel, alpha)| pixel[channels - 1] = alpha);
            }
            Err(_) if lenient => damaged.push(chunk.id),
            Err(e) => {
                return Err(DecodeError::Chunk { id: chunk.id, reason: Box::new(e.into()) });
            }
        }
    }
    Ok(())
}
