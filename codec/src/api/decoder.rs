//! Streams to pictures.

use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

use super::display::RowWriter;
use super::latents::{LatentDecoder, Latents, Opened, check_space, each_alpha};
use super::positions::{PATCH, positions};
use super::{DecodeError, Picture, PictureMut, PixelFormat};
use crate::bundle::{Bundle, BundleError, Synthesis};
use crate::engine::{Executor, Program, RowMut, RowRef};
use crate::format::{ChunkId, Colour, Header, Metadata};
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
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct DecodedInto<'f> {
    /// ICC profile, Exif, XMP as carried; empty if damaged.
    pub metadata: Metadata<'f>,
    /// Chunks that were lost and concealed; empty unless [`DecodeOptions::conceal`] is set.
    pub damaged: Vec<ChunkId>,
}

/// Decodes streams with one bundle; keeps its buffers between streams.
#[derive(Debug)]
pub struct Decoder<'a> {
    bundle: &'a Bundle<'a>,
    latents: LatentDecoder<'a>,
    /// One for each thread.
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
        let latents = LatentDecoder::new(bundle, threads);
        let executors = parallel::workers(threads, Executor::new);
        Ok(Decoder { bundle, latents, executors, shrunk: Vec::new() })
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
        self.bundle.synthesis(options.decoder)?;
        let mut opened = Opened::open(self.bundle, file, options)?;
        let header = opened.header;
        let (latents, _) = self.latents.latents(&mut opened, options.conceal)?;
        let mut kept = None;
        let picture = draw(&header, options.scale, |view| {
            kept = Some(self.fill(opened, &latents, options, view)?);
            Ok(())
        })?;
        let DecodedInto { metadata, damaged } = kept.unwrap_or_default();
        Ok(Decoded { picture, metadata, damaged })
    }

    /// Decodes a whole file up to its latents, for [`picture`](Self::picture), for other decoders, or to look at.
    ///
    /// # Errors
    /// As [`LatentDecoder::decode`].
    pub fn latents(
        &mut self,
        file: &[u8],
        options: &DecodeOptions,
    ) -> Result<Latents, DecodeError> {
        self.latents.decode(file, options)
    }

    /// Draws latents: `decode` in two steps gives the same picture. Of the options, those about drawing count.
    ///
    /// # Errors
    /// Latents of another latent space; what the bundle cannot draw.
    pub fn picture(
        &mut self,
        latents: &Latents,
        options: &DecodeOptions,
    ) -> Result<Picture, DecodeError> {
        let header = latents.header();
        check_space(self.bundle, header)?;
        draw(header, options.scale, |mut view| {
            self.synthesise(header, options, view.reborrow(), latents.values())?;
            if let Some(alpha) = latents.alpha() {
                put_alpha(0, alpha, header.width as usize, options.scale, &mut view);
            }
            Ok(())
        })
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
        self.bundle.synthesis(options.decoder)?;
        let mut opened = Opened::open(self.bundle, file, options)?;
        let side = |encoded| options.scale.side(encoded);
        let stream = (side(opened.header.width), side(opened.header.height));
        let picture_size = (picture.width(), picture.height());
        if stream != picture_size {
            return Err(DecodeError::OtherSize { stream, picture: picture_size });
        }
        let (latents, _) = self.latents.latents(&mut opened, options.conceal)?;
        self.fill(opened, &latents, options, picture)
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
            // Chunks begin at multiples of 64 rows, so no square lies in two of them.
            let width = header.width as usize;
            each_alpha(&header, &chunks, options.conceal, &mut damaged, |rows, samples| {
                put_alpha(rows.start, samples, width, options.scale, &mut picture);
            })?;
        }
        damaged.sort_unstable();
        damaged.dedup();
        Ok(DecodedInto { metadata, damaged })
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
        let size = positions(header.width, header.height);
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
    let mut out = Vec::new();
    for range in parallel::ranges(units, bands) {
        let (own, rest) = picture.split(range.len() * patch);
        out.push((range, own));
        picture = rest;
    }
    out
}

/// A picture of the stream's kind and scaled size, drawn by `fill`.
fn draw(
    header: &Header,
    scale: Scale,
    fill: impl FnOnce(PictureMut<'_>) -> Result<(), DecodeError>,
) -> Result<Picture, DecodeError> {
    let too_many = || DecodeError::TooManyPixels { pixels: header.pixels(), limit: u64::MAX };
    let format = PixelFormat::of(header.colour, header.alpha);
    let (width, height) = (scale.side(header.width), scale.side(header.height));
    let pixels = u64::from(width) * u64::from(height);
    let len = pixels.saturating_mul(format.channels() as u64);
    let mut data = vec![0; usize::try_from(len).map_err(|_| too_many())?];
    let view = PictureMut::contiguous(width, height, format.into(), &mut data);
    fill(view.map_err(|_| too_many())?)?;
    Picture::new(width, height, format, data).map_err(|_| too_many())
}

/// Means of rows of alpha that start at row `first`, a multiple of 8, into the last sample of each pixel.
fn put_alpha(first: usize, rows: &[u8], width: usize, scale: Scale, picture: &mut PictureMut<'_>) {
    let factor = scale.factor() as usize;
    let mut line = Vec::new();
    for (y, square) in rows.chunks(width * factor).enumerate() {
        means(square, width, factor, &mut line);
        picture.set_alpha(first / factor + y, &line);
    }
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
