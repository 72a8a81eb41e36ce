//! The codec's errors as Python exceptions.

use pyo3::PyErr;
use pyo3::create_exception;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use std::sync::{Mutex, MutexGuard};

create_exception!(pinhole, PinholeError, PyValueError, "What the codec refuses.");
create_exception!(pinhole, EncodeError, PinholeError, "A picture cannot be encoded.");
create_exception!(pinhole, DecodeError, PinholeError, "A stream cannot be decoded.");
create_exception!(
    pinhole,
    ModelError,
    PinholeError,
    "The bytes are no model, or not the right one."
);

/// Says why a picture cannot be encoded.
pub(crate) fn encode(error: pinhole::EncodeError) -> PyErr {
    EncodeError::new_err(error.to_string())
}

/// Says why a stream cannot be decoded; another model might help in one case.
pub(crate) fn decode(error: pinhole::DecodeError) -> PyErr {
    match error {
        pinhole::DecodeError::WrongModel { .. } => ModelError::new_err(error.to_string()),
        error => DecodeError::new_err(error.to_string()),
    }
}

/// Says why bytes are no model.
pub(crate) fn model(error: pinhole_owned::ModelError) -> PyErr {
    ModelError::new_err(error.to_string())
}

/// Waits for a handle. One whose last call panicked is in an unknown state and not used again.
pub(crate) fn lock<T>(handle: &Mutex<T>) -> Result<MutexGuard<'_, T>, PyErr> {
    handle.lock().map_err(|_| PyRuntimeError::new_err("an earlier call on this object failed"))
}
