//! Samples to streams.

use std::ffi::c_void;
use std::sync::Mutex;

use pinhole::sensor::{SampleType, SensorEncoder};
use pinhole_owned::OwnedSensorEncoder;

use super::model::PinholeSensorModel;
use super::options::{PinholePromise, PinholeSensorOptions, sensor_options};
use crate::border::{bytes, call, enter, free, handle, place, shared_by_threads};
use crate::encoder::PinholeBytes;
use crate::sized;
use crate::status::{Failure, PinholeError, PinholeStatus};

/// Encodes the samples of one stream as they come. One call at a time: a second thread gets BUSY.
pub struct PinholeSensorEncoder(Mutex<OwnedSensorEncoder>);
const _: () = shared_by_threads::<PinholeSensorEncoder>();

/// Starts a stream. `model` may be null. With it, `channels` and `window` must be the model's; streams of a quality may
/// then need it to be decoded, and scores are relative to its reference. Free the encoder with pinhole_sensor_encoder_free.
///
/// Fails with INVALID_ARGUMENT for options out of range. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_encoder_new(
    model: *const PinholeSensorModel,
    options: *const PinholeSensorOptions,
    encoder: *mut *mut PinholeSensorEncoder,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(encoder, "encoder") }?;
        // SAFETY: the caller says that the options are readable.
        let given = unsafe { sized::read(options, "options") }?;
        let channels = given.channels as usize;
        if channels > pinhole::sensor::MAX_CHANNELS {
            return Err(Failure::invalid(format!("{channels} channels: 256 at most")));
        }
        // SAFETY: the caller says that it is null or a model.
        let model = unsafe { model.as_ref() };
        let spreads_of_model = model.is_some()
            && given.per_channel.is_null()
            && given.promise == PinholePromise::Quality as u32;
        let numbered = if spreads_of_model { 0 } else { channels };
        // SAFETY: the caller says that there is a number for each channel.
        let per_channel =
            unsafe { numbers::<f64>(given.per_channel.cast(), numbered, "per_channel") }?;
        let options = sensor_options(&given, per_channel)?;
        let encoder = match model {
            Some(PinholeSensorModel(model)) if model.model().channels() != channels => {
                let wanted = model.model().channels();
                let message = format!("{channels} channels for a model of {wanted}");
                return Err(Failure::invalid(message));
            }
            Some(PinholeSensorModel(model)) => {
                OwnedSensorEncoder::with_model(model, &options, given.false_alarm_rate)?
            }
            None => OwnedSensorEncoder::new(channels, &options)?,
        };
        *out = Box::into_raw(Box::new(PinholeSensorEncoder(Mutex::new(encoder))));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Takes the samples of `count` times, `channels` values for each, next to each other, of the stream's sample type;
/// missing ones are NaN. `times` has one for each, if the stream has times, and is null otherwise. `stream` gets the
/// bytes that are ready, often none; all of them one after the other are the stream. Free them with pinhole_bytes_free.
///
/// Fails with INVALID_ARGUMENT, and then has taken nothing; with BROKEN after the end; with BUSY. Any thread; one call
/// at a time for one encoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_encoder_push(
    encoder: *mut PinholeSensorEncoder,
    times: *const i64,
    samples: *const c_void,
    count: usize,
    stream: *mut *mut PinholeBytes,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = |encoder: &mut SensorEncoder<'_>, out: &mut Vec<u8>| {
        let channels = encoder.header().channels.len();
        let timed = if times.is_null() { 0 } else { count };
        // SAFETY: the caller says that there is a time for each sample.
        let times = unsafe { numbers::<i64>(times.cast(), timed, "times") }?;
        let values = count.checked_mul(channels);
        let values =
            values.ok_or_else(|| Failure::invalid(format!("{count} samples are too many")))?;
        // SAFETY: the caller says that there are so many samples of the stream's type.
        unsafe {
            match encoder.header().sample_type {
                SampleType::F64 => {
                    encoder.push(&times, &numbers::<f64>(samples, values, "samples")?, out)?
                }
                SampleType::I8 => {
                    encoder.push(&times, &numbers::<i8>(samples, values, "samples")?, out)?
                }
                SampleType::U8 => {
                    encoder.push(&times, &numbers::<u8>(samples, values, "samples")?, out)?
                }
                SampleType::I16 => {
                    encoder.push(&times, &numbers::<i16>(samples, values, "samples")?, out)?
                }
                SampleType::U16 => {
                    encoder.push(&times, &numbers::<u16>(samples, values, "samples")?, out)?
                }
                SampleType::I32 => {
                    encoder.push(&times, &numbers::<i32>(samples, values, "samples")?, out)?
                }
                _ => encoder.push(&times, &numbers::<f32>(samples, values, "samples")?, out)?,
            }
        }
        Ok(())
    };
    // SAFETY: the caller's promises about encoder, stream and error.
    unsafe { give_out(encoder, stream, error, work) }
}

/// Ends the current window and frame early, so that all samples so far can be decoded; gives out their bytes as
/// pinhole_sensor_encoder_push does.
///
/// Fails with BROKEN after the end, or BUSY. Any thread; one call at a time for one encoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_encoder_flush(
    encoder: *mut PinholeSensorEncoder,
    stream: *mut *mut PinholeBytes,
    error: *mut PinholeError,
) -> PinholeStatus {
    // SAFETY: the caller's promises about encoder, stream and error.
    unsafe { give_out(encoder, stream, error, |encoder, out| Ok(encoder.flush(out)?)) }
}

/// Ends the stream and gives out its last bytes as pinhole_sensor_encoder_push does. The encoder can only be freed then.
///
/// Fails with BROKEN after the end, or BUSY. Any thread; one call at a time for one encoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_encoder_finish(
    encoder: *mut PinholeSensorEncoder,
    stream: *mut *mut PinholeBytes,
    error: *mut PinholeError,
) -> PinholeStatus {
    // SAFETY: the caller's promises about encoder, stream and error.
    unsafe { give_out(encoder, stream, error, |encoder, out| Ok(encoder.finish(out)?)) }
}

/// # Safety
/// `encoder` is null or an encoder, `stream` and `error` are null or may be written.
unsafe fn give_out(
    encoder: *mut PinholeSensorEncoder,
    stream: *mut *mut PinholeBytes,
    error: *mut PinholeError,
    work: impl FnOnce(&mut SensorEncoder<'_>, &mut Vec<u8>) -> Result<(), Failure>,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let place = unsafe { place(stream, "stream") }?;
        // SAFETY: the caller says that it is an encoder.
        let mut encoder = enter(&unsafe { handle(encoder, "encoder") }?.0)?;
        let mut out = Vec::new();
        encoder.with(|encoder| work(encoder, &mut out))?;
        *place = Box::into_raw(Box::new(PinholeBytes::new(out)));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees an encoder, finished or not; null is allowed. No other call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_encoder_free(encoder: *mut PinholeSensorEncoder) {
    // SAFETY: the caller says that it is an encoder that nobody uses.
    unsafe { free(encoder) }
}

/// The caller's numbers, aligned or not.
///
/// # Safety
/// Unless null, `count` numbers may be read at `data`.
unsafe fn numbers<T: Copy>(
    data: *const c_void,
    count: usize,
    name: &str,
) -> Result<Vec<T>, Failure> {
    let len = count.checked_mul(size_of::<T>());
    let len = len.ok_or_else(|| Failure::invalid(format!("{name}: {count} are too many")))?;
    // SAFETY: as the caller says; refused if null or impossible.
    unsafe { bytes(data.cast(), len, name) }?;
    // SAFETY: that many numbers may be read, which need not be aligned; T is a number.
    Ok((0..count).map(|i| unsafe { data.cast::<T>().add(i).read_unaligned() }).collect())
}
