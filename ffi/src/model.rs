//! Models.

use std::ffi::{CStr, c_char};

use pinhole_owned::Model;

use crate::border::{bytes, call, free, handle, place, put, shared_by_threads};
use crate::status::{Failure, PinholeError, PinholeStatus};

/// A loaded model. It never changes: any number of threads may use it at once. Encoders, decoders and streams keep what
/// they need of it: it may be freed before them.
pub struct PinholeModel(pub(crate) Model);
const _: () = shared_by_threads::<PinholeModel>();

/// Gives the model that the library was built with, loaded at the first call. Free it with pinhole_model_free.
///
/// Fails with BAD_MODEL if the library was built without one. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_model_embedded(
    model: *mut *mut PinholeModel,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(model, "model") }?;
        *out = Box::into_raw(Box::new(PinholeModel(embedded()?)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

#[cfg(feature = "embedded")]
fn embedded() -> Result<Model, Failure> {
    Ok(Model::embedded()?)
}

#[cfg(not(feature = "embedded"))]
fn embedded() -> Result<Model, Failure> {
    Err(Failure::new(PinholeStatus::BadModel, "this library was built without a model"))
}

/// Loads a model from `len` bytes of a bundle, which are copied. Free it with pinhole_model_free.
///
/// Fails with BAD_MODEL if the bytes are no bundle or damaged. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_model_from_memory(
    data: *const u8,
    len: usize,
    model: *mut *mut PinholeModel,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(model, "model") }?;
        if data.is_null() {
            return Err(Failure::null("data"));
        }
        // SAFETY: the caller says that they may be read.
        let bytes = unsafe { bytes(data, len, "data") }?;
        *out = Box::into_raw(Box::new(PinholeModel(Model::from_bytes(bytes)?)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Loads a model from a bundle file. `path` is a zero-terminated string in UTF-8. Free it with pinhole_model_free.
///
/// Fails with IO if the file cannot be read, with BAD_MODEL if it is no bundle or damaged. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_model_open(
    path: *const c_char,
    model: *mut *mut PinholeModel,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(model, "model") }?;
        if path.is_null() {
            return Err(Failure::null("path"));
        }
        // SAFETY: the caller says that it ends with a zero byte.
        let path = unsafe { CStr::from_ptr(path) };
        let path = path.to_str().map_err(|_| Failure::invalid("path: not UTF-8"))?;
        *out = Box::into_raw(Box::new(PinholeModel(Model::open(path)?)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Writes the 8 bytes that name the model's latent space to `name`: a stream with the same in PinholeInfo can be
/// decoded with this model.
///
/// Fails with NULL_ARGUMENT only. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_model_latent_space(
    model: *const PinholeModel,
    name: *mut u8,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a model.
        let model = unsafe { handle(model, "model") }?;
        // SAFETY: the caller says that 8 bytes may be written; an array of bytes needs no alignment.
        unsafe { put(name.cast::<[u8; 8]>(), model.0.bundle().latent_space(), "name") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// The model's description, JSON in UTF-8 of `len` bytes, without a zero byte at its end, at `data`. It lives as long
/// as the model and must not be freed.
///
/// Fails with NULL_ARGUMENT only. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_model_manifest(
    model: *const PinholeModel,
    data: *mut *const c_char,
    len: *mut usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a model.
        let text = unsafe { handle(model, "model") }?.0.bundle().manifest();
        // SAFETY: the caller says that both may be written.
        unsafe {
            put(data, text.as_ptr().cast(), "data")?;
            put(len, text.len(), "len")
        }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees a model; null is allowed. No other call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_model_free(model: *mut PinholeModel) {
    // SAFETY: the caller says that it is a model that nobody uses.
    unsafe { free(model) }
}
