//! How to encode and decode.

use pinhole::format::{Metadata, MetadataKind};
use pinhole::{DecodeOptions, Effort, EncodeOptions, Scale, Synthesis, Target, Tune};

use crate::border::{bytes, call};
use crate::sized::{self, Growing};
use crate::status::{Failure, PinholeError, PinholeStatus};

/// What a metadata record holds. Other numbers up to 255 are records that this version does not know.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeMetadataKind {
    /// An ICC colour profile.
    Icc = 1,
    /// Exif, from its TIFF header on.
    Exif = 2,
    /// An XMP packet in UTF-8.
    Xmp = 3,
}

/// How much work encoding may be. A model need not have what each takes. Any decoder decodes the streams of all.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeEffort {
    /// What the model's figures are about.
    Default = 0,
    /// Least time, larger streams.
    Fast = 1,
    /// Most time, smaller streams: what was coded is drawn, looked at, and coded again with what it lacks.
    Best = 2,
}

/// What the bits of a stream are spent on. Any decoder decodes the streams of all.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeTune {
    /// What eyes see: fewer bits where more is going on. What the model's figures are about.
    Perceptual = 0,
    /// The least squared error.
    Psnr = 1,
}

/// Which of the model's synthesis transforms draws the picture.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeSynthesis {
    /// What the model's figures are about.
    Standard = 0,
    /// A smaller one, for less time.
    Lite = 1,
}

/// A record to carry in a stream. The library keeps no pointer to it after a call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeMetadata {
    /// A PinholeMetadataKind, or another number up to 255. Each PinholeMetadataKind may occur once.
    pub kind: u32,
    /// The record; all of a stream's together have at most 16 MiB.
    pub data: *const u8,
    /// Its bytes.
    pub len: usize,
}

/// How to encode. Fill it with pinhole_encode_options_init, then change what you want.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeEncodeOptions {
    /// sizeof(PinholeEncodeOptions).
    pub size: usize,
    /// 0 (smallest) to 100 (best), in steps of a hundredth. Default 50.
    pub quality: f32,
    /// Picture rows of a chunk, a multiple of 64 up to 65536. Default 256.
    pub chunk_rows: u32,
    /// If not 0, the best quality whose whole stream has at most as many bytes is chosen, whatever `quality` says.
    /// Not for pinhole_stream_new. Default 0.
    pub target_bytes: u64,
    /// Records to carry; null if there are none. Default null.
    pub metadata: *const PinholeMetadata,
    /// How many records. Default 0.
    pub metadata_count: usize,
    /// A PinholeEffort. A model need not have all of them. Default PINHOLE_EFFORT_DEFAULT.
    pub effort: u32,
    /// A PinholeTune. Default PINHOLE_TUNE_PERCEPTUAL.
    pub tune: u32,
}

/// How to decode. Fill it with pinhole_decode_options_init, then change what you want.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeDecodeOptions {
    /// sizeof(PinholeDecodeOptions).
    pub size: usize,
    /// If not 0, decode what is left of a damaged stream and fill in the rest instead of failing. Default 0.
    pub conceal: u32,
    /// How many pixels of the stream's picture a decoded one stands for along each axis: 1, 2, 4 or 8. The picture's
    /// sides are the stream's divided by it, rounded up. Default 1.
    pub scale: u32,
    /// Refuse pictures of more pixels; decoding takes up to about 12 bytes a pixel. Default 134217728.
    pub max_pixels: u64,
    /// A PinholeSynthesis. A model need not have both. Default PINHOLE_SYNTHESIS_STANDARD.
    pub decoder: u32,
    /// Must be 0.
    pub reserved: u32,
}

// SAFETY: numbers and a raw pointer, the first of them the size.
unsafe impl Growing for PinholeEncodeOptions {
    const FIRST: usize = std::mem::offset_of!(Self, effort);

    fn defaults() -> Self {
        let EncodeOptions { quality, chunk_rows, .. } = EncodeOptions::default();
        PinholeEncodeOptions {
            size: size_of::<Self>(),
            quality,
            chunk_rows,
            target_bytes: 0,
            metadata: std::ptr::null(),
            metadata_count: 0,
            effort: PinholeEffort::Default as u32,
            tune: PinholeTune::Perceptual as u32,
        }
    }
}

// SAFETY: integers, the first of them the size.
unsafe impl Growing for PinholeDecodeOptions {
    const FIRST: usize = std::mem::offset_of!(Self, decoder);

    fn defaults() -> Self {
        let DecodeOptions { scale, conceal, max_pixels, .. } = DecodeOptions::default();
        let (size, conceal) = (size_of::<Self>(), conceal.into());
        let (scale, decoder) = (scale.factor(), PinholeSynthesis::Standard as u32);
        PinholeDecodeOptions { size, conceal, scale, max_pixels, decoder, reserved: 0 }
    }
}

/// More records than this are refused before they are looked at: they could not fit a stream.
const MAX_RECORDS: usize = 1 << 20;

/// The caller's options in the codec's words.
///
/// # Safety
/// Unless null, `options` is readable as [`sized::read`] says, and so are its records and their data as long as `'a`.
pub(crate) unsafe fn encode_options<'a>(
    options: *const PinholeEncodeOptions,
) -> Result<EncodeOptions<'a>, Failure> {
    // SAFETY: as the caller says.
    let given = unsafe { sized::read_or_defaults(options, "options") }?;
    let mut own = EncodeOptions::default();
    own.effort = match given.effort {
        0 => Effort::Default,
        1 => Effort::Fast,
        2 => Effort::Best,
        other => return Err(Failure::invalid(format!("options: no `effort` has number {other}"))),
    };
    own.tune = match given.tune {
        0 => Tune::Perceptual,
        1 => Tune::Psnr,
        other => return Err(Failure::invalid(format!("options: no `tune` has number {other}"))),
    };
    own.quality = given.quality;
    own.chunk_rows = given.chunk_rows;
    own.target = (given.target_bytes != 0).then_some(Target::Bytes(given.target_bytes));
    // SAFETY: as the caller says.
    own.metadata = unsafe { records(given.metadata, given.metadata_count) }?;
    Ok(own)
}

pub(crate) fn reserved(value: u32) -> Result<(), Failure> {
    match value {
        0 => Ok(()),
        other => Err(Failure::invalid(format!("options: `reserved` is {other}, not 0"))),
    }
}

/// # Safety
/// Unless null, `from` points to `count` records that are readable, and so is their data as long as `'a`.
unsafe fn records<'a>(from: *const PinholeMetadata, count: usize) -> Result<Metadata<'a>, Failure> {
    let mut metadata = Metadata::new();
    if count == 0 {
        return Ok(metadata);
    }
    if from.is_null() {
        return Err(Failure::null("options.metadata"));
    }
    if count > MAX_RECORDS {
        return Err(Failure::invalid(format!("{count} metadata records")));
    }
    for index in 0..count {
        // SAFETY: there are that many; they need not be aligned.
        let record = unsafe { from.add(index).read_unaligned() };
        let kind = match record.kind {
            1 => MetadataKind::Icc,
            2 => MetadataKind::Exif,
            3 => MetadataKind::Xmp,
            other => MetadataKind::Other(u8::try_from(other).map_err(|_| {
                Failure::invalid(format!("metadata of kind {other}: must be at most 255"))
            })?),
        };
        // SAFETY: the record's data is readable.
        let data = unsafe { bytes(record.data, record.len, "metadata.data") }?;
        metadata.push(kind, data).map_err(|e| Failure::invalid(e.to_string()))?;
    }
    Ok(metadata)
}

/// The caller's options in the codec's words.
///
/// # Safety
/// Unless null, `options` is readable as [`sized::read`] says.
pub(crate) unsafe fn decode_options(
    options: *const PinholeDecodeOptions,
) -> Result<DecodeOptions, Failure> {
    // SAFETY: as the caller says.
    let given = unsafe { sized::read_or_defaults(options, "options") }?;
    let mut own = DecodeOptions::default();
    reserved(given.reserved)?;
    own.decoder = match given.decoder {
        0 => Synthesis::Standard,
        1 => Synthesis::Lite,
        other => return Err(Failure::invalid(format!("options: no `decoder` has number {other}"))),
    };
    own.scale = Scale::from_factor(given.scale).ok_or_else(|| {
        Failure::invalid(format!("options: a `scale` of {} is none of 1, 2, 4, 8", given.scale))
    })?;
    own.conceal = given.conceal != 0;
    own.max_pixels = given.max_pixels;
    Ok(own)
}

/// Fills options with their defaults. `size` is sizeof(PinholeEncodeOptions).
///
/// Fails with NULL_ARGUMENT, or INVALID_ARGUMENT for an impossible size. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_encode_options_init(
    options: *mut PinholeEncodeOptions,
    size: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    // SAFETY: the caller says that the options have `size` bytes.
    let work = || unsafe { sized::write(options, size, Growing::defaults(), "options") };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Fills options with their defaults. `size` is sizeof(PinholeDecodeOptions).
///
/// Fails with NULL_ARGUMENT, or INVALID_ARGUMENT for an impossible size. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decode_options_init(
    options: *mut PinholeDecodeOptions,
    size: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    // SAFETY: the caller says that the options have `size` bytes.
    let work = || unsafe { sized::write(options, size, Growing::defaults(), "options") };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}
