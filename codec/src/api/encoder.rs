//! Pictures to streams.

use alloc::vec;
use alloc::vec::Vec;

use super::{EncodeError, Picture};
use crate::bundle::Bundle;
use crate::engine::{Executor, RowMut, Size, run_banded};
use crate::entropy::encode_plane;
use crate::format::{Chunk, ChunkKind, ChunkWriter, Header, Metadata, QUALITY_MAX};
use crate::latent::{ChunkEncoder, Gains, Geometry, scale_row};
use crate::parallel;

/// Picture pixels per latent position and axis.
pub(super) const PATCH: usize = 16;

/// A size to reach instead of a quality.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// The best quality whose whole file is at most this long.
    Bytes(u64),
}

/// How to encode.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EncodeOptions<'m> {
    /// 0 (smallest) to 100 (best), in steps of a hundredth. Default 50.
    pub quality: f32,
    /// A size to reach; overrides the quality.
    pub target: Option<Target>,
    /// Picture rows of a chunk, a multiple of 64. Default 512.
    pub chunk_rows: u32,
    /// ICC profile, Exif, XMP to carry.
    pub metadata: Metadata<'m>,
}

impl Default for EncodeOptions<'_> {
    fn default() -> Self {
        EncodeOptions { quality: 50.0, target: None, chunk_rows: 512, metadata: Metadata::new() }
    }
}

/// Encodes pictures with one bundle; keeps its buffers between pictures.
#[derive(Debug)]
pub struct Encoder<'a> {
    bundle: &'a Bundle<'a>,
    executors: Vec<Executor>,
}

impl<'a> Encoder<'a> {
    /// An encoder that uses up to `threads` threads of the current rayon pool (one without the feature `rayon`).
    /// The bytes do not depend on it.
    ///
    /// # Errors
    /// The bundle has no analysis programs.
    pub fn new(bundle: &'a Bundle<'a>, threads: usize) -> Result<Self, EncodeError> {
        bundle.analysis()?;
        bundle.hyper_analysis()?;
        Ok(Encoder { bundle, executors: parallel::executors(threads) })
    }

    /// Encodes a picture to a whole file.
    ///
    /// # Errors
    /// Options out of range, a target that cannot be reached, metadata too long.
    pub fn encode(
        &mut self,
        picture: &Picture,
        options: &EncodeOptions<'_>,
    ) -> Result<Vec<u8>, EncodeError> {
        let rows = options.chunk_rows;
        if rows == 0 || !rows.is_multiple_of(64) || rows > 65536 {
            return Err(EncodeError::ChunkRows(rows));
        }
        if !(0.0..=100.0).contains(&options.quality) {
            return Err(EncodeError::Quality(options.quality.to_bits()));
        }
        let mut header = Header {
            width: picture.width(),
            height: picture.height(),
            colour: picture.format().colour(),
            alpha: picture.format().has_alpha(),
            // Rounded by hand: `f32::round` needs std. The product is within 0..=10000.
            quality: (options.quality * 100.0 + 0.5) as u16,
            chunk_units: rows / 64,
            latent_space: self.bundle.latent_space(),
        };
        let latents = self.analyse(picture)?;
        let alpha = alpha_chunks(picture, &header)?;
        let Some(Target::Bytes(target)) = options.target else {
            let payloads = self.code(&header, &latents)?;
            return assemble(&header, &options.metadata, &payloads, &alpha);
        };
        // Prices leave out what the coder's states cost, some bytes a chunk: what a trial exceeds the target by is
        // taken off the budget of the next.
        let mut budget = target;
        loop {
            header.quality = self.search(&header, &latents, &alpha, options, budget)?;
            let payloads = self.code(&header, &latents)?;
            let file = assemble(&header, &options.metadata, &payloads, &alpha)?;
            let size = file.len() as u64;
            if size <= target {
                return Ok(file);
            }
            budget = budget
                .checked_sub(size - target)
                .ok_or(EncodeError::TargetTooSmall { target, smallest: size })?;
        }
    }

    /// Latents of the whole picture, `[rows][columns][M]`.
    fn analyse(&mut self, picture: &Picture) -> Result<Vec<i16>, EncodeError> {
        let program = self.bundle.analysis()?;
        let cover = |side: u32| (side as usize).next_multiple_of(PATCH);
        let size = Size { height: cover(picture.height()), width: cover(picture.width()) };
        let positions = (size.height / PATCH) * (size.width / PATCH);
        let mut latents = vec![0; positions * self.bundle.settings().latent_channels];
        let source = |_input: usize, y: usize, row: RowMut<'_>| {
            if let RowMut::U8(row) = row {
                picture.rgb_row(y, row);
            }
        };
        let outputs = &mut [RowMut::I16(&mut latents)];
        run_banded(&mut self.executors, program, size, &source, outputs)?;
        Ok(latents)
    }

    /// Codes every band at the header's quality.
    fn code(&mut self, header: &Header, latents: &[i16]) -> Result<Vec<Vec<u8>>, EncodeError> {
        self.per_band(header, latents, |coder, executor, geometry, v| {
            coder.encode(executor, geometry, v)
        })
    }

    /// Bytes of all latent chunks' payloads at the header's quality.
    fn cost(&mut self, header: &Header, latents: &[i16]) -> Result<u64, EncodeError> {
        let costs = self.per_band(header, latents, |coder, executor, geometry, v| {
            coder.cost(executor, geometry, v)
        })?;
        Ok(costs.into_iter().sum())
    }

    fn per_band<T: Send>(
        &mut self,
        header: &Header,
        latents: &[i16],
        work: impl Fn(&mut ChunkEncoder<'a>, &mut Executor, Geometry, &[i16]) -> Result<T, EncodeError>
        + Sync,
    ) -> Result<Vec<T>, EncodeError> {
        let bundle = self.bundle;
        let gains = Gains::new(bundle.settings(), header.quality);
        let m = bundle.settings().latent_channels;
        let bands = usize::from(header.bands());
        parallel::map(&mut self.executors, bands, |executor, band| {
            let (rows, geometry) = band_geometry(header, band as u16);
            let own = &latents[rows.start * geometry.columns * m..][..geometry.positions() * m];
            let mut v = vec![0; own.len()];
            scale_row(own, &gains.forward, &mut v);
            work(&mut ChunkEncoder::new(bundle), executor, geometry, &v)
        })
    }

    /// The best quality whose file is at most `target` bytes.
    fn search(
        &mut self,
        header: &Header,
        latents: &[i16],
        alpha: &[Vec<u8>],
        options: &EncodeOptions<'_>,
        target: u64,
    ) -> Result<u16, EncodeError> {
        let empty = vec![Vec::new(); usize::from(header.bands())];
        let overhead = assemble(header, &options.metadata, &empty, alpha)?.len() as u64;
        // Room for the growth of the chunks' length fields.
        let overhead = overhead + 4 * u64::from(header.bands());
        let mut size = |quality| -> Result<u64, EncodeError> {
            Ok(overhead + self.cost(&Header { quality, ..*header }, latents)?)
        };
        let smallest = size(0)?;
        if smallest > target {
            return Err(EncodeError::TargetTooSmall { target, smallest });
        }
        // Size grows with quality; bisection keeps `low` within the target even where it does not quite.
        let (mut low, mut high) = (0, QUALITY_MAX + 1);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            if size(middle)? <= target { low = middle } else { high = middle }
        }
        Ok(low)
    }
}

/// Latent rows of a band and its size.
pub(super) fn band_geometry(header: &Header, band: u16) -> (core::ops::Range<usize>, Geometry) {
    let rows = header.band_rows(band);
    let rows = rows.start as usize / PATCH..(rows.end as usize).div_ceil(PATCH);
    let columns = (header.width as usize).div_ceil(PATCH);
    (rows.clone(), Geometry { rows: rows.len(), columns })
}

/// Payloads of the alpha chunks, one a band; none without alpha.
fn alpha_chunks(picture: &Picture, header: &Header) -> Result<Vec<Vec<u8>>, EncodeError> {
    if !header.alpha {
        return Ok(Vec::new());
    }
    let width = header.width as usize;
    (0..header.bands())
        .map(|band| {
            let rows = header.band_rows(band);
            let rows = rows.start as usize..rows.end as usize;
            let height = rows.len();
            Ok(encode_plane(&picture.alpha_rows(rows), width, height, width)?)
        })
        .collect()
}

/// Header, metadata and chunks in their order.
fn assemble(
    header: &Header,
    metadata: &Metadata<'_>,
    latents: &[Vec<u8>],
    alpha: &[Vec<u8>],
) -> Result<Vec<u8>, EncodeError> {
    let mut out = header.write(metadata)?;
    let mut writer = ChunkWriter::new(header);
    while let Some(id) = writer.next_id() {
        let payloads = match id.kind {
            ChunkKind::Alpha => alpha,
            _ => latents,
        };
        let payload = payloads.get(usize::from(id.band)).map_or(&[][..], Vec::as_slice);
        writer.write(Chunk { id, payload }, &mut out)?;
    }
    Ok(out)
}
