//! Whole pictures to streams.

use std::sync::Mutex;

use pinhole_owned::OwnedEncoder;

use crate::border::{call, enter, free, handle, place, quietly, shared_by_threads};
use crate::model::PinholeModel;
use crate::options::{PinholeEncodeOptions, encode_options};
use crate::picture::{PinholeImage, picture};
use crate::status::{PinholeError, PinholeStatus};

/// An encoder; keeps its buffers between pictures. One call at a time: a second thread gets BUSY. Several encoders
/// work at once.
pub struct PinholeEncoder(Mutex<OwnedEncoder>);
const _: () = shared_by_threads::<PinholeEncoder>();

/// Bytes that the library allocated. They never change: any number of threads may read them.
pub struct PinholeBytes(Vec<u8>);
const _: () = shared_by_threads::<PinholeBytes>();

impl PinholeBytes {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Makes an encoder that uses up to `threads` threads (0 is 1, more than 256 are 256) of the pool that all encoders
/// and decoders share; the bytes do not depend on it. Free it with pinhole_encoder_free.
///
/// Fails with BAD_MODEL if the model cannot encode. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_encoder_new(
    model: *const PinholeModel,
    threads: usize,
    encoder: *mut *mut PinholeEncoder,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(encoder, "encoder") }?;
        // SAFETY: the caller says that it is a model.
        let model = unsafe { handle(model, "model") }?;
        let encoder = Mutex::new(OwnedEncoder::new(&model.0, threads)?);
        *out = Box::into_raw(Box::new(PinholeEncoder(encoder)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees an encoder; null is allowed. No other call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_encoder_free(encoder: *mut PinholeEncoder) {
    // SAFETY: the caller says that it is an encoder that nobody uses.
    unsafe { free(encoder) }
}

/// Encodes a picture to a whole stream. `options` may be null for the defaults. Free `stream` with pinhole_bytes_free.
///
/// Fails with INVALID_ARGUMENT or BUFFER_TOO_SMALL for picture and options, with TARGET_TOO_SMALL, or with BUSY.
/// Any thread; one call at a time for one encoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_encode(
    encoder: *mut PinholeEncoder,
    image: *const PinholeImage,
    options: *const PinholeEncodeOptions,
    stream: *mut *mut PinholeBytes,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(stream, "stream") }?;
        // SAFETY: the caller says that it is an encoder.
        let mut encoder = enter(&unsafe { handle(encoder, "encoder") }?.0)?;
        // SAFETY: the caller says that the picture is readable.
        let picture = unsafe { picture(image) }?;
        // SAFETY: the caller says that the options are readable.
        let options = unsafe { encode_options(options) }?;
        let file = encoder.with(|encoder| encoder.encode(picture, &options))?;
        *out = Box::into_raw(Box::new(PinholeBytes(file)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// The bytes; null if `bytes` is. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_bytes_data(bytes: *const PinholeBytes) -> *const u8 {
    quietly(std::ptr::null(), || {
        // SAFETY: the caller says that it came from this library.
        unsafe { bytes.as_ref() }.map_or(std::ptr::null(), |b| b.0.as_ptr())
    })
}

/// How many bytes; 0 if `bytes` is null. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_bytes_len(bytes: *const PinholeBytes) -> usize {
    // SAFETY: the caller says that it came from this library.
    quietly(0, || unsafe { bytes.as_ref() }.map_or(0, |b| b.0.len()))
}

/// Frees bytes; null is allowed. Nobody may be reading them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_bytes_free(bytes: *mut PinholeBytes) {
    // SAFETY: the caller says that they came from this library and that nobody uses them.
    unsafe { free(bytes) }
}
