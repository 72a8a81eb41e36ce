//! Models of sensors.

use pinhole_owned::OwnedSensorModel;

use crate::border::{bytes, call, free, place, shared_by_threads};
use crate::status::{PinholeError, PinholeStatus};

/// A model of one kind of sensor. It never changes: any number of threads may use it.
pub struct PinholeSensorModel(pub(super) OwnedSensorModel);
const _: () = shared_by_threads::<PinholeSensorModel>();

/// Loads a model (the bytes of a .pinm file), which is copied. Free it with pinhole_sensor_model_free; encoders and
/// decoders keep their own share.
///
/// Fails with BAD_MODEL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_model_load(
    data: *const u8,
    len: usize,
    model: *mut *mut PinholeSensorModel,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(model, "model") }?;
        // SAFETY: the caller says that the bytes are readable.
        let loaded = OwnedSensorModel::from_bytes(unsafe { bytes(data, len, "data") }?)?;
        *out = Box::into_raw(Box::new(PinholeSensorModel(loaded)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees a model; null is allowed. No other call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_model_free(model: *mut PinholeSensorModel) {
    // SAFETY: the caller says that it is a model that nobody uses.
    unsafe { free(model) }
}
