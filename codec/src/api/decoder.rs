//! Streams to pictures.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::display::RowWriter;
use super::encoder::{PATCH, band_geometry};
use super::{DecodeError, Picture, PictureMut, PixelFormat};
use crate::bundle::{Bundle, BundleError, Synthesis};
use crate::engine::{Executor, Program, RowMut, RowRef, Size};
use crate::entropy::decode_plane;
use crate::format::{Chunk, ChunkId, ChunkKind, ChunkReader, Colour, Header, Metadata, recover};
use crate::latent::{ChunkDecoder, Gains, conceal, scale_row};
use crate::parallel;

/// Size of a decoded picture against the encoded one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scale {
    /// The same.
    #[default]
    Full,
    /// Half as wide and high, both rounded up.
    Half,
    /// A quarter.
    Quarter,
    /// An eighth.
    Eighth,
}

impl Scale {
    /// Pixels of the encoded picture that a pixel stands for, along each axis: 1, 2, 4 or 8.
    pub fn factor(self) -> u32 {
        match self {
            Scale::Full => 1,
            Scale::Half => 2,
            Scale::Quarter => 4,
            Scale::Eighth => 8,
        }
    }

    /// The scale of a factor.
    pub fn from_factor(factor: u32) -> Option<Self> {
        let all = [Scale::Full, Scale::Half, Scale::Quarter, Scale::Eighth];
        all.into_iter().find(|scale| scale.factor() == factor)
    }

    /// A side of the decoded picture.
    pub fn side(self, encoded: u32) -> u32 {
        encoded.div_ceil(self.factor())
    }
}

/// How to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// Which synthesis transform to use.
    pub decoder: Synthesis,
    /// Size of the picture. Smaller ones are drawn small, not drawn large and shrunk: each pixel is the mean of a
    /// square, before the clamp to 0..=255.
    pub scale: Scale,
    /// Decode what is left of a damaged file and fill in the rest, instead of failing.
    pub conceal: bool,
    /// Refuse pictures of more pixels. Decoding allocates at most about 12 bytes a pixel. Default 2²⁷.
    pub max_pixels: u64,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        let decoder = Synthesis::Standard;
        DecodeOptions { decoder, scale: Scale::Full, conceal: false, max_pixels: 1 << 27 }
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

/// What a stream held beside the picture that was decoded into a caller's buffer.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DecodedInto<'f> {
    /// ICC profile, Exif, XMP as carried; empty if damaged.
    pub metadata: Metadata<'f>,
    /// Chunks that were lost and concealed; empty unless [`DecodeOptions::conceal`] is set.
    pub damaged: Vec<ChunkId>,
}

/// A file whose header has been accepted and whose chunks have been found.
struct Opened<'f> {
    header: Header,
    metadata: Metadata<'f>,
    chunks: Vec<Chunk<'f>>,
    damaged: Vec<ChunkId>,
}

/// Decodes streams with one bundle; keeps its buffers between streams.
#[derive(Debug)]
pub struct Decoder<'a> {
    bundle: &'a Bundle<'a>,
    /// Of each thread: one for the latents, one for the synthesis transform.
    coders: Vec<ChunkDecoder<'a>>,
    executors: Vec<Executor>,
    /// Synthesis programs for other scales; made when first needed.
    shrunk: Vec<Shrunk<'a>>,
}

/// A synthesis program that draws smaller pictures.
#[derive(Debug)]
struct Shrunk<'a> {
    synthesis: Synthesis,
    scale: Scale,
    program: Program<'a>,
}

impl<'a> Decoder<'a> {
    /// A decoder that uses up to `threads` threads of the current rayon pool (one without the feature `rayon`).
    /// The pixels do not depend on it.
    ///
    /// # Errors
    /// The bundle has no synthesis transform of any kind.
    pub fn new(bundle: &'a Bundle<'a>, threads: usize) -> Result<Self, DecodeError> {
        if !bundle.can_decode() {
            return Err(BundleError::Missing(Synthesis::Standard.tag()).into());
        }
        let coders = parallel::workers(threads, || ChunkDecoder::new(bundle));
        let executors = parallel::workers(threads, Executor::new);
        Ok(Decoder { bundle, coders, executors, shrunk: Vec::new() })
    }

    /// Decodes a whole file.
    ///
    /// # Errors
    /// A synthesis transform that the bundle does not have, and anything but a whole, undamaged file of the bundle's latent space; with
    /// [`DecodeOptions::conceal`] only for a damaged header, another latent space, or no intact chunk at all.
    pub fn decode<'f>(
        &mut self,
        file: &'f [u8],
        options: &DecodeOptions,
    ) -> Result<Decoded<'f>, DecodeError> {
        let mut opened = self.open(file, options)?;
        let header = opened.header;
        let latents = self.latents(&mut opened, options.conceal)?;
        let too_many = || DecodeError::TooManyPixels { pixels: header.pixels(), limit: u64::MAX };
        let format = PixelFormat::of(header.colour, header.alpha);
        let (width, height) = (options.scale.side(header.width), options.scale.side(header.height));
        let pixels = u64::from(width) * u64::from(height);
        let len = pixels.saturating_mul(format.channels() as u64);
        let mut data = vec![0; usize::try_from(len).map_err(|_| too_many())?];
        let view = PictureMut::contiguous(width, height, format.into(), &mut data);
        let view = view.map_err(|_| too_many())?;
        let DecodedInto { metadata, damaged } = self.fill(opened, &latents, options, view)?;
        let picture = Picture::new(width, height, format, data).map_err(|_| too_many())?;
        Ok(Decoded { picture, metadata, damaged })
    }

    /// Decodes a whole file into a caller's buffer: any format, any strides, of the stream's size (or its scaled one, by
    /// [`Scale::side`]), which [`Header::parse`] tells. Conversion happens row by row; `docs/api.md` has the formulas. Alpha is opaque where
    /// the stream has none, and dropped where the format has none; grey becomes RGB or luma with neutral chroma, and
    /// colour becomes grey by the luma weights of BT.601.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let model = std::fs::read("photo.pinm")?;
    /// # let bundle = pinhole::Bundle::parse(&model)?;
    /// use pinhole::format::Header;
    /// use pinhole::{Decoder, FrameFormat, PictureMut, YuvSpace};
    ///
    /// let file = std::fs::read("photo.pin")?;
    /// let header = Header::parse(&file)?.header;
    /// let format = FrameFormat::Nv12(YuvSpace::default());
    /// let mut buffer = vec![0; format.buffer_len(header.width, header.height) as usize];
    /// let picture = PictureMut::contiguous(header.width, header.height, format, &mut buffer)?;
    /// Decoder::new(&bundle, 1)?.decode_into(&file, &Default::default(), picture)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Decoder::decode`], or [`DecodeError::OtherSize`]. After an error about chunks the buffer holds anything.
    pub fn decode_into<'f>(
        &mut self,
        file: &'f [u8],
        options: &DecodeOptions,
        picture: PictureMut<'_>,
    ) -> Result<DecodedInto<'f>, DecodeError> {
        let mut opened = self.open(file, options)?;
        let side = |encoded| options.scale.side(encoded);
        let stream = (side(opened.header.width), side(opened.header.height));
        let picture_size = (picture.width(), picture.height());
        if stream != picture_size {
            return Err(DecodeError::OtherSize { stream, picture: picture_size });
        }
        let latents = self.latents(&mut opened, options.conceal)?;
        self.fill(opened, &latents, options, picture)
    }

    /// Checks the header against bundle and options and finds the chunks: before anything of the picture's size is
    /// allocated, all of them are there and whole.
    fn open<'f>(&self, file: &'f [u8], options: &DecodeOptions) -> Result<Opened<'f>, DecodeError> {
        let parsed = Header::parse(file)?;
        let header = parsed.header;
        if header.pixels() > options.max_pixels {
            return Err(DecodeError::TooManyPixels {
                pixels: header.pixels(),
                limit: options.max_pixels,
            });
        }
        self.bundle.synthesis(options.decoder)?;
        if header.latent_space != self.bundle.latent_space() {
            let (stream, bundle) = (header.latent_space, self.bundle.latent_space());
            return Err(DecodeError::WrongModel { stream, bundle });
        }
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

    /// Synthesis and alpha of an opened file.
    fn fill<'f>(
        &mut self,
        opened: Opened<'f>,
        latents: &[i16],
        options: &DecodeOptions,
        mut picture: PictureMut<'_>,
    ) -> Result<DecodedInto<'f>, DecodeError> {
        let Opened { header, metadata, chunks, mut damaged } = opened;
        self.synthesise(&header, options, picture.reborrow(), latents)?;
        if header.alpha && picture.format().has_alpha() {
            fill_alpha(&header, &chunks, options, &mut damaged, &mut picture)?;
        }
        damaged.sort_unstable();
        damaged.dedup();
        Ok(DecodedInto { metadata, damaged })
    }

    /// Latents of the whole picture in the transform's units, lost bands concealed.
    fn latents(&mut self, opened: &mut Opened<'_>, lenient: bool) -> Result<Vec<i16>, DecodeError> {
        let bundle = self.bundle;
        let Opened { header, chunks, damaged, .. } = opened;
        let header: &Header = header;
        let gains = Gains::new(bundle.settings(), header.quality);
        let m = bundle.settings().latent_channels;
        let columns = (header.width as usize).div_ceil(PATCH);
        let rows = (header.height as usize).div_ceil(PATCH);
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
        let mut whole = vec![false; usize::from(header.bands())];
        for (id, result) in results {
            match result {
                Ok(()) => whole[usize::from(id.band)] = true,
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
        Ok(latents)
    }

    /// Makes the program of a synthesis and a scale, unless that was done.
    fn prepare(&mut self, synthesis: Synthesis, scale: Scale) -> Result<(), DecodeError> {
        let full = self.bundle.synthesis(synthesis)?;
        let made = |own: &Shrunk<'_>| (own.synthesis, own.scale) == (synthesis, scale);
        if scale == Scale::Full || self.shrunk.iter().any(made) {
            return Ok(());
        }
        let program = full.shrink(scale.factor() as usize).ok_or(DecodeError::FullSizeOnly)?;
        self.shrunk.push(Shrunk { synthesis, scale, program });
        Ok(())
    }

    /// Runs the synthesis transform; alpha samples, if any, become opaque.
    fn synthesise(
        &mut self,
        header: &Header,
        options: &DecodeOptions,
        picture: PictureMut<'_>,
        latents: &[i16],
    ) -> Result<(), DecodeError> {
        let (synthesis, scale) = (options.decoder, options.scale);
        self.prepare(synthesis, scale)?;
        let made = |own: &&Shrunk<'_>| (own.synthesis, own.scale) == (synthesis, scale);
        let program = match self.shrunk.iter().find(made) {
            Some(shrunk) => &shrunk.program,
            None => self.bundle.synthesis(synthesis)?,
        };
        let patch = PATCH / scale.factor() as usize;
        let m = self.bundle.settings().latent_channels;
        let (width, height) = (header.width as usize, header.height as usize);
        let size = Size { height: height.div_ceil(PATCH), width: width.div_ceil(PATCH) };
        let row_len = size.width * m;
        let gray = header.colour == Colour::Gray8;
        let bands = split_rows(picture, size.height, patch, self.executors.len());
        let work = |executor: &mut Executor, (units, out): (Range<usize>, PictureMut<'_>)| {
            let first = units.start * patch;
            let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
                if let RowMut::I16(row) = row {
                    row.copy_from_slice(&latents[y * row_len..][..row_len]);
                }
            };
            let mut writer = RowWriter::new(out, gray);
            let mut sink = |_output: usize, y: usize, row: RowRef<'_>| {
                if let RowRef::U8(row) = row {
                    writer.write(y - first, row);
                }
            };
            executor.run_units(program, size, units, &mut source, &mut sink)
        };
        parallel::zip(&mut self.executors, bands, work)?;
        Ok(())
    }
}

/// Cuts the picture's rows into bands of whole latent rows, `patch` each, one for each executor.
fn split_rows(
    mut picture: PictureMut<'_>,
    units: usize,
    patch: usize,
    bands: usize,
) -> Vec<(Range<usize>, PictureMut<'_>)> {
    let bands = bands.clamp(1, units.max(1));
    let mut out = Vec::with_capacity(bands);
    for band in 0..bands {
        let range = units * band / bands..units * (band + 1) / bands;
        let (own, rest) = picture.split(range.len() * patch);
        out.push((range, own));
        picture = rest;
    }
    out
}

/// Decodes the alpha chunks into the last sample of each pixel.
fn fill_alpha(
    header: &Header,
    chunks: &[Chunk<'_>],
    options: &DecodeOptions,
    damaged: &mut Vec<ChunkId>,
    picture: &mut PictureMut<'_>,
) -> Result<(), DecodeError> {
    let width = header.width as usize;
    let factor = options.scale.factor() as usize;
    let mut line = Vec::new();
    for chunk in chunks.iter().filter(|c| c.id.kind == ChunkKind::Alpha) {
        let rows = header.band_rows(chunk.id.band);
        let mut plane = vec![0; rows.len() * width];
        match decode_plane(chunk.payload, width, rows.len(), &mut plane) {
            // Chunks begin at multiples of 64 rows, so no square lies in two of them.
            Ok(()) => {
                for (y, square) in plane.chunks(width * factor).enumerate() {
                    means(square, width, factor, &mut line);
                    picture.set_alpha(rows.start as usize / factor + y, &line);
                }
            }
            Err(_) if options.conceal => damaged.push(chunk.id),
            Err(e) => {
                return Err(DecodeError::Chunk { id: chunk.id, reason: Box::new(e.into()) });
            }
        }
    }
    Ok(())
}

/// Means over squares of `factor × factor` samples of some rows; those at the right and lower edges may be smaller.
fn means(rows: &[u8], width: usize, factor: usize, out: &mut Vec<u8>) {
    out.clear();
    out.extend((0..width).step_by(factor).map(|x| {
        let columns = x..(x + factor).min(width);
        let square = rows.chunks_exact(width).flat_map(|row| &row[columns.clone()]);
        let (sum, count) = square.fold((0, 0), |(sum, n), &v| (sum + u32::from(v), n + 1));
        ((sum + count / 2) / count.max(1)) as u8
    }));
}
