//! Pictures to streams.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

use super::closed_loop::ClosedLoop;
use super::frame::{PictureRef, check_size};
use super::lines::Lines;
use super::positions::{band_geometry, positions};
use super::search::{Found, quality_for};
use super::stream::{EncodeStream, Parts};
use super::{EncodeError, FrameFormat};
use crate::bundle::{Bundle, BundleError, Effort, Synthesis, Tag};
use crate::engine::{Executor, Program, RowMut, Size, run_banded};
use crate::entropy::encode_plane;
use crate::format::{Chunk, ChunkKind, ChunkWriter, Colour, Header, Metadata};
use crate::latent::{ChunkEncoder, Gains, Geometry, Tune, scale_row};
use crate::parallel;

/// A size to reach instead of a quality.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Target {
    /// A file of at most so many bytes, and of hardly fewer: a part in 512, where a quality comes that near.
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
    /// How the latents are made. The streams of all are decoded alike.
    pub effort: Effort,
    /// What symbols are chosen for. Default [`Tune::Perceptual`].
    pub tune: Tune,
    /// Picture rows of a chunk, a multiple of 64. Default [`DEFAULT_CHUNK_ROWS`](Self::DEFAULT_CHUNK_ROWS).
    pub chunk_rows: u32,
    /// ICC profile, Exif, XMP to carry.
    pub metadata: Metadata<'m>,
}

impl EncodeOptions<'_> {
    /// Larger chunks save 0.1 % of bytes for each doubling and take more memory.
    pub const DEFAULT_CHUNK_ROWS: u32 = 256;
}

impl Default for EncodeOptions<'_> {
    fn default() -> Self {
        let chunk_rows = Self::DEFAULT_CHUNK_ROWS;
        EncodeOptions {
            quality: 50.0,
            target: None,
            effort: Effort::Default,
            tune: Tune::Perceptual,
            chunk_rows,
            metadata: Metadata::new(),
        }
    }
}

/// Encodes pictures with one bundle; keeps its buffers between pictures.
#[derive(Debug)]
pub struct Encoder<'a> {
    bundle: &'a Bundle<'a>,
    /// Of each thread: one for the analysis transform, one for the latents.
    executors: Vec<Executor>,
    coders: Vec<ChunkEncoder<'a>>,
    /// For the synthesis of [`Effort::Best`]; made when first needed.
    drawers: Vec<Executor>,
    /// Analysis programs folded for other lines than RGB; made when first needed.
    folded: Vec<Folded<'a>>,
}

/// An analysis program that reads other lines than RGB.
#[derive(Debug)]
struct Folded<'a> {
    reads: Reads,
    program: Program<'a>,
}

/// Which analysis transform, and what lines it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Reads {
    pub(super) effort: Effort,
    pub(super) lines: Lines,
}

impl Reads {
    /// Whether nothing is coded before the whole picture was read.
    pub(super) fn waits(self) -> bool {
        self.effort == Effort::Best
    }
}

impl<'a> Encoder<'a> {
    /// An encoder that uses up to `threads` threads of the current rayon pool (one without the feature `rayon`).
    /// The bytes do not depend on it.
    ///
    /// # Errors
    /// The bundle has no analysis transform.
    pub fn new(bundle: &'a Bundle<'a>, threads: usize) -> Result<Self, EncodeError> {
        if bundle.efforts().next().is_none() {
            return Err(BundleError::Missing(Tag::ANALYSIS).into());
        }
        bundle.hyper_analysis()?;
        let executors = parallel::workers(threads, Executor::new);
        let coders = parallel::workers(threads, || ChunkEncoder::new(bundle));
        Ok(Encoder { bundle, executors, coders, drawers: Vec::new(), folded: Vec::new() })
    }

    /// Encodes a picture to a whole file: a [`&Picture`](super::Picture) or a [`PictureRef`].
    ///
    /// # Errors
    /// Options out of range, an effort that the bundle has no transform for, a target that cannot be reached, metadata
    /// too long.
    pub fn encode<'p>(
        &mut self,
        picture: impl Into<PictureRef<'p>>,
        options: &EncodeOptions<'_>,
    ) -> Result<Vec<u8>, EncodeError> {
        let picture = picture.into();
        let mut header =
            self.header((picture.width(), picture.height()), picture.format(), options)?;
        let Some(Target::Bytes(target)) = options.target else {
            return self.encode_at(&picture, &header, options);
        };
        let latents = self.analyse(&picture, options.effort)?;
        let alpha = alpha_chunks(&picture, &header)?;
        // Prices leave out what the coder's states cost, some bytes a chunk: what a trial exceeds the target by is
        // taken off the budget of the next.
        let mut budget = target;
        loop {
            header.quality = self.search(&header, &latents, &alpha, options, budget)?;
            let payloads = self.code(&header, &latents, options)?;
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

    /// Starts a picture that arrives in bands of rows. The work is done on the caller's thread, whatever the number
    /// of threads of the encoder; memory does not grow with the height. [`Effort::Best`] is different: it codes all chunks after
    /// the last row, on the threads of the encoder, and keeps the latents of the whole picture until then.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let model = std::fs::read("photo.pinm")?;
    /// # let bundle = pinhole::Bundle::parse(&model)?;
    /// use pinhole::{EncodeOptions, Encoder, FrameFormat, PictureRef, YuvSpace};
    ///
    /// let format = FrameFormat::Nv12(YuvSpace::default());
    /// let mut encoder = Encoder::new(&bundle, 1)?;
    /// let mut stream = encoder.stream(640, 480, format, &EncodeOptions::default())?;
    /// let mut file = Vec::new();
    /// for _ in 0..480 / 16 {
    ///     // Sixteen rows from the sensor: luma, then half as many rows of chroma.
    ///     let rows = vec![128; 640 * 16 + 640 * 8];
    ///     stream.push_rows(PictureRef::contiguous(640, 16, format, &rows)?, &mut file)?;
    ///     // `file` may be sent and cleared here.
    /// }
    /// stream.finish()?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Sides or options out of range, no transform of the effort, metadata too long, and [`EncodeError::TargetNeedsPicture`] for a target size.
    pub fn stream(
        &mut self,
        width: u32,
        height: u32,
        format: FrameFormat,
        options: &EncodeOptions<'_>,
    ) -> Result<EncodeStream<'a, &mut Self>, EncodeError> {
        let (header, reads, head) = self.begin((width, height), format, options)?;
        EncodeStream::new(self, header, format, reads, options.tune, head)
    }

    /// As [`stream`](Self::stream), for those who cannot keep a borrow: the stream owns the encoder until it is
    /// finished.
    ///
    /// # Errors
    /// As [`stream`](Self::stream). The encoder is lost with them.
    pub fn into_stream(
        mut self,
        width: u32,
        height: u32,
        format: FrameFormat,
        options: &EncodeOptions<'_>,
    ) -> Result<EncodeStream<'a>, EncodeError> {
        let (header, reads, head) = self.begin((width, height), format, options)?;
        EncodeStream::new(self, header, format, reads, options.tune, head)
    }

    /// The header of a stream, its transform with the lines it reads, and the beginning of its file.
    fn begin(
        &mut self,
        size: (u32, u32),
        format: FrameFormat,
        options: &EncodeOptions<'_>,
    ) -> Result<(Header, Reads, Vec<u8>), EncodeError> {
        if options.target.is_some() {
            return Err(EncodeError::TargetNeedsPicture);
        }
        let header = self.header(size, format, options)?;
        let head = header.write(&options.metadata)?;
        Ok((header, self.prepare(options.effort, format)?, head))
    }

    /// What a stream works with.
    pub(super) fn parts(&mut self, reads: Reads) -> Result<Parts<'_, 'a>, EncodeError> {
        let bundle = self.bundle;
        let analysis = program(&self.folded, bundle, reads)?;
        let (Some(executor), Some(coder)) = (self.executors.first_mut(), self.coders.first_mut())
        else {
            return Err(EncodeError::Broken);
        };
        Ok(Parts { bundle, analysis, executor, coder })
    }

    /// The lines to give for a format; folds the program for them if that was not done yet.
    fn prepare(&mut self, effort: Effort, format: FrameFormat) -> Result<Reads, EncodeError> {
        let reads = Reads { effort, lines: Lines::of(format) };
        let rgb = self.bundle.analysis(effort)?;
        if reads.lines == Lines::Rgb || self.folded.iter().any(|own| own.reads == reads) {
            return Ok(reads);
        }
        // A program that cannot be folded gets RGB rows.
        let Some(program) = reads.lines.program(rgb) else {
            return Ok(Reads { lines: Lines::Rgb, ..reads });
        };
        self.folded.push(Folded { reads, program });
        Ok(reads)
    }

    /// The header of a picture; checks the options.
    fn header(
        &self,
        (width, height): (u32, u32),
        format: FrameFormat,
        options: &EncodeOptions<'_>,
    ) -> Result<Header, EncodeError> {
        check_size(width, height)?;
        format.check_bits()?;
        let rows = options.chunk_rows;
        if rows == 0 || !rows.is_multiple_of(64) || rows > 65536 {
            return Err(EncodeError::ChunkRows(rows));
        }
        if !(0.0..=100.0).contains(&options.quality) {
            return Err(EncodeError::Quality(options.quality.to_bits()));
        }
        Ok(Header {
            width,
            height,
            colour: if format.is_gray() { Colour::Gray8 } else { Colour::Rgb8 },
            alpha: format.has_alpha(),
            // Rounded by hand: `f32::round` needs std. The product is within 0..=10000.
            quality: (options.quality * 100.0 + 0.5) as u16,
            chunk_units: rows / 64,
            latent_space: self.bundle.latent_space(),
        })
    }

    /// Encodes at the header's quality: with one thread as a stream of one band, else the bands of the transform and
    /// then the chunks in parallel. The bytes are the same.
    fn encode_at(
        &mut self,
        picture: &PictureRef<'_>,
        header: &Header,
        options: &EncodeOptions<'_>,
    ) -> Result<Vec<u8>, EncodeError> {
        if self.executors.len() > 1 {
            let latents = self.analyse(picture, options.effort)?;
            let payloads = self.code(header, &latents, options)?;
            return assemble(header, &options.metadata, &payloads, &alpha_chunks(picture, header)?);
        }
        let mut file = Vec::new();
        let mut stream =
            self.stream(picture.width(), picture.height(), picture.format(), options)?;
        stream.push_rows(*picture, &mut file)?;
        stream.finish()?;
        Ok(file)
    }

    /// Latents of the whole picture, `[rows][columns][M]`.
    fn analyse(
        &mut self,
        picture: &PictureRef<'_>,
        effort: Effort,
    ) -> Result<Vec<i16>, EncodeError> {
        let reads = self.prepare(effort, picture.format())?;
        let program = program(&self.folded, self.bundle, reads)?;
        let lines = reads.lines;
        let size = lines.size(picture.width(), picture.height());
        let Size { height, width } = positions(picture.width(), picture.height());
        let mut latents = vec![0; height * width * self.bundle.settings().latent_channels];
        let source = |_input: usize, y: usize, row: RowMut<'_>| {
            if let RowMut::U8(row) = row {
                lines.fill(picture, y, row);
            }
        };
        let outputs = &mut [RowMut::I16(&mut latents)];
        run_banded(&mut self.executors, program, size, &source, outputs)?;
        Ok(latents)
    }

    /// Codes every band at the header's quality.
    fn code(
        &mut self,
        header: &Header,
        latents: &[i16],
        options: &EncodeOptions<'_>,
    ) -> Result<Vec<Vec<u8>>, EncodeError> {
        let latents = self.corrected(header, latents, options)?;
        self.per_band(header, &latents, |coder, geometry, mut v| {
            coder.encode(geometry, options.tune, &mut v)
        })
    }

    /// Bytes of all latent chunks' payloads at the header's quality.
    fn cost(
        &mut self,
        header: &Header,
        latents: &[i16],
        options: &EncodeOptions<'_>,
    ) -> Result<u64, EncodeError> {
        let latents = self.corrected(header, latents, options)?;
        let costs = self.per_band(header, &latents, |coder, geometry, mut v| {
            coder.cost(geometry, options.tune, &mut v)
        })?;
        Ok(costs.into_iter().sum())
    }

    /// What is coded of a whole picture's latents at the header's quality.
    fn corrected<'l>(
        &mut self,
        header: &Header,
        latents: &'l [i16],
        options: &EncodeOptions<'_>,
    ) -> Result<Cow<'l, [i16]>, EncodeError> {
        if options.effort != Effort::Best {
            return Ok(Cow::Borrowed(latents));
        }
        let mut latents = latents.to_vec();
        self.correct(header, options.tune, &mut latents)?;
        Ok(Cow::Owned(latents))
    }

    /// Corrects a whole picture's latents by what their picture lacks once they are coded at the header's quality.
    pub(super) fn correct(
        &mut self,
        header: &Header,
        tune: Tune,
        latents: &mut [i16],
    ) -> Result<(), EncodeError> {
        let settings = self.bundle.settings();
        let gains = Gains::new(settings, header.quality);
        let decoded = self.per_band(header, latents, |coder, geometry, mut v| {
            coder.quantise(geometry, tune, &mut v)?;
            scale_row(&mut v, &gains.inverse);
            Ok(v)
        })?;
        let closed = ClosedLoop {
            analysis: self.bundle.analysis(Effort::Best)?,
            synthesis: self.bundle.synthesis(Synthesis::Standard)?,
            channels: settings.latent_channels,
        };
        let size = positions(header.width, header.height);
        // The picture was analysed: what did that is free.
        self.drawers.resize_with(self.executors.len(), Executor::new);
        let mut lookers: Vec<_> = self.executors.iter_mut().zip(&mut self.drawers).collect();
        closed.correct(&mut lookers, header.quality, size, &decoded.concat(), latents)
    }

    fn per_band<T: Send>(
        &mut self,
        header: &Header,
        latents: &[i16],
        work: impl Fn(&mut ChunkEncoder<'a>, Geometry, Vec<i16>) -> Result<T, EncodeError> + Sync,
    ) -> Result<Vec<T>, EncodeError> {
        let bundle = self.bundle;
        let gains = Gains::new(bundle.settings(), header.quality);
        let m = bundle.settings().latent_channels;
        parallel::map(&mut self.coders, 0..header.bands(), |coder, band| {
            let (rows, geometry) = band_geometry(header, band);
            let own = &latents[rows.start * geometry.columns * m..][..geometry.positions() * m];
            let mut v = own.to_vec();
            scale_row(&mut v, &gains.forward);
            work(coder, geometry, v)
        })
    }

    /// A quality whose file is at most `target` bytes, and few less.
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
        let found = quality_for(target, |quality| -> Result<u64, EncodeError> {
            Ok(overhead + self.cost(&Header { quality, ..*header }, latents, options)?)
        })?;
        match found {
            Found::Quality(quality) => Ok(quality),
            Found::TooSmall { smallest } => Err(EncodeError::TargetTooSmall { target, smallest }),
        }
    }
}

/// The analysis program of an effort that reads these lines.
fn program<'e, 'a>(
    folded: &'e [Folded<'a>],
    bundle: &'a Bundle<'a>,
    reads: Reads,
) -> Result<&'e Program<'a>, EncodeError> {
    match folded.iter().find(|own| own.reads == reads) {
        Some(folded) => Ok(&folded.program),
        None => Ok(bundle.analysis(reads.effort)?),
    }
}

/// Payloads of the alpha chunks, one a band; none without alpha.
fn alpha_chunks(picture: &PictureRef<'_>, header: &Header) -> Result<Vec<Vec<u8>>, EncodeError> {
    if !header.alpha {
        return Ok(Vec::new());
    }
    let width = header.width as usize;
    let mut plane = Vec::new();
    (0..header.bands())
        .map(|band| {
            let rows = header.band_rows(band);
            plane.clear();
            rows.clone().for_each(|y| picture.alpha_row(y as usize, &mut plane));
            Ok(encode_plane(&plane, width, rows.len(), width)?)
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
