//! Streams to pictures.

use std::sync::Mutex;

use pinhole::format::ChunkId;
use pinhole::{Picture, PixelFormat};
use pinhole_owned::OwnedDecoder;

use crate::border::{bytes, call, enter, free, handle, place, put, quietly, shared_by_threads};
use crate::model::PinholeModel;
use crate::options::{PinholeDecodeOptions, decode_options};
use crate::picture::{PinholeFormat, PinholeImage, PinholeImageMut, PinholePlane, picture_mut};
use crate::sized::{self, Growing};
use crate::status::{Failure, PinholeError, PinholeStatus};

/// A decoder; keeps its buffers between streams. One call at a time: a second thread gets BUSY. Several decoders work
/// at once.
pub struct PinholeDecoder(Mutex<OwnedDecoder>);
const _: () = shared_by_threads::<PinholeDecoder>();

/// What came of decoding: a picture, unless it went into the caller's memory, and which chunks were lost. It never
/// changes: any number of threads may read it.
pub struct PinholeDecoded {
    picture: Option<Picture>,
    damaged: Vec<ChunkId>,
}
const _: () = shared_by_threads::<PinholeDecoded>();

/// The number of a format that decoded pictures have.
pub(crate) fn format_code(format: PixelFormat) -> Result<PinholeFormat, Failure> {
    Ok(match format {
        PixelFormat::Gray8 => PinholeFormat::Gray8,
        PixelFormat::GrayA8 => PinholeFormat::GrayA8,
        PixelFormat::Rgb8 => PinholeFormat::Rgb8,
        PixelFormat::Rgba8 => PinholeFormat::Rgba8,
        _ => return Err(Failure::new(PinholeStatus::Unsupported, "a format without a number")),
    })
}

/// Makes a decoder that uses up to `threads` threads (0 is 1, more than 256 are 256) of the pool that all encoders and
/// decoders share; the pixels do not depend on it. Free it with pinhole_decoder_free.
///
/// Fails with BAD_MODEL if the model cannot decode. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decoder_new(
    model: *const PinholeModel,
    threads: usize,
    decoder: *mut *mut PinholeDecoder,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(decoder, "decoder") }?;
        // SAFETY: the caller says that it is a model.
        let model = unsafe { handle(model, "model") }?;
        let decoder = Mutex::new(OwnedDecoder::new(&model.0, threads)?);
        *out = Box::into_raw(Box::new(PinholeDecoder(decoder)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees a decoder; null is allowed. No other call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decoder_free(decoder: *mut PinholeDecoder) {
    // SAFETY: the caller says that it is a decoder that nobody uses.
    unsafe { free(decoder) }
}

/// Decodes a whole stream of `len` bytes at `data` to a picture in the stream's own format: GRAY8, GRAY_A8, RGB8 or
/// RGBA8. `options` may be null for the defaults. Free `decoded` with pinhole_decoded_free.
///
/// Fails with NOT_A_STREAM, UNSUPPORTED, TRUNCATED, DAMAGED, WRONG_MODEL, TOO_MANY_PIXELS, or BUSY. With
/// `options->conceal`, damage is an error only if it is in the header or no chunk is intact. Any thread; one call at a
/// time for one decoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decode(
    decoder: *mut PinholeDecoder,
    data: *const u8,
    len: usize,
    options: *const PinholeDecodeOptions,
    decoded: *mut *mut PinholeDecoded,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(decoded, "decoded") }?;
        // SAFETY: the caller says that it is a decoder.
        let mut decoder = enter(&unsafe { handle(decoder, "decoder") }?.0)?;
        // SAFETY: the caller says that they may be read.
        let file = unsafe { bytes(data, len, "data") }?;
        // SAFETY: the caller says that the options are readable.
        let options = unsafe { decode_options(options) }?;
        let found = decoder.with(|decoder| decoder.decode(file, &options))?;
        let (picture, damaged) = (Some(found.picture), found.damaged);
        *out = Box::into_raw(Box::new(PinholeDecoded { picture, damaged }));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Decodes a whole stream into the caller's memory, in any format, with any strides; `image` must have the size that
/// pinhole_info tells, divided by `options->scale` and rounded up. Alpha is opaque where the stream has none, and dropped where the format has none; grey becomes
/// RGB, or luma with neutral chroma; colour becomes grey by the luma of BT.601.
///
/// `decoded` may be null; otherwise it gets the list of damaged chunks (and no picture): free it with
/// pinhole_decoded_free.
///
/// Fails as pinhole_decode, or with INVALID_ARGUMENT or BUFFER_TOO_SMALL for the image. After a failure for damage the
/// image holds anything. Any thread; one call at a time for one decoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decode_into(
    decoder: *mut PinholeDecoder,
    data: *const u8,
    len: usize,
    options: *const PinholeDecodeOptions,
    image: *const PinholeImageMut,
    decoded: *mut *mut PinholeDecoded,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        let out = if decoded.is_null() {
            None
        } else {
            // SAFETY: the caller says that it may be written.
            Some(unsafe { place(decoded, "decoded") }?)
        };
        // SAFETY: the caller says that it is a decoder.
        let mut decoder = enter(&unsafe { handle(decoder, "decoder") }?.0)?;
        // SAFETY: the caller says that they may be read.
        let file = unsafe { bytes(data, len, "data") }?;
        // SAFETY: the caller says that the options are readable.
        let options = unsafe { decode_options(options) }?;
        // SAFETY: the caller says that its planes may be written.
        let picture = unsafe { picture_mut(image, file) }?;
        let found = decoder.with(|decoder| decoder.decode_into(file, &options, picture))?;
        if let Some(out) = out {
            let damaged = found.damaged;
            *out = Box::into_raw(Box::new(PinholeDecoded { picture: None, damaged }));
        }
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Describes the decoded picture in `image`; `size` is sizeof(PinholeImage). Its one plane has no gaps between rows,
/// and lives until pinhole_decoded_free.
///
/// Fails with INVALID_ARGUMENT if the picture went into the caller's memory. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decoded_image(
    decoded: *const PinholeDecoded,
    image: *mut PinholeImage,
    size: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it came from this library.
        let decoded = unsafe { handle(decoded, "decoded") }?;
        let picture = decoded.picture.as_ref();
        let picture = picture
            .ok_or_else(|| Failure::invalid("the picture was decoded into the caller's memory"))?;
        let (width, height, format) = (picture.width(), picture.height(), picture.format());
        let mut value = PinholeImage { width, height, ..Growing::defaults() };
        value.format = format_code(format)? as u32;
        let (data, len) = (picture.data().as_ptr(), picture.data().len());
        value.planes[0] = PinholePlane { data, stride: width as usize * format.channels(), len };
        // SAFETY: the caller says that the image has `size` bytes.
        unsafe { sized::write(image, size, value, "image") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// How many chunks were lost and concealed; 0 if `decoded` is null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decoded_damaged_count(decoded: *const PinholeDecoded) -> usize {
    // SAFETY: the caller says that it came from this library.
    quietly(0, || unsafe { decoded.as_ref() }.map_or(0, |d| d.damaged.len()))
}

/// Which chunk was lost: its PinholePieceKind and band of `chunk_rows` rows (PinholeInfo), both from 0. `index` is
/// below pinhole_decoded_damaged_count.
///
/// Fails with NULL_ARGUMENT, or INVALID_ARGUMENT for an index too large. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decoded_damaged(
    decoded: *const PinholeDecoded,
    index: usize,
    kind: *mut u32,
    band: *mut u32,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it came from this library.
        let damaged = &unsafe { handle(decoded, "decoded") }?.damaged;
        let id = damaged.get(index);
        let id = id.ok_or_else(|| {
            Failure::invalid(format!("damaged chunk {index} of {}", damaged.len()))
        })?;
        // SAFETY: the caller says that both may be written.
        unsafe {
            put(kind, id.kind as u32, "kind")?;
            put(band, u32::from(id.band), "band")
        }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees what came of decoding, with its picture; null is allowed. Nobody may be reading it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decoded_free(decoded: *mut PinholeDecoded) {
    // SAFETY: the caller says that it came from this library and that nobody uses it.
    unsafe { free(decoded) }
}
