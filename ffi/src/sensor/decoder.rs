//! Streams to frames of samples.

use std::sync::Mutex;

use pinhole_owned::OwnedSensorDecoder;

use super::frame::PinholeSensorFrame;
use super::model::PinholeSensorModel;
use crate::border::{bytes, call, enter, free, handle, place, shared_by_threads};
use crate::status::{Failure, PinholeError, PinholeStatus};

/// Decodes one stream, whose bytes may come in pieces. One call at a time: a second thread gets BUSY.
pub struct PinholeSensorDecoder(Mutex<OwnedSensorDecoder>);
const _: () = shared_by_threads::<PinholeSensorDecoder>();

/// Makes a decoder for one stream. `model` is the one that the stream needs, or null. If `conceal` is not 0, damage is
/// passed over: decoding goes on with the next undamaged key frame. Free it with pinhole_sensor_decoder_free. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_decoder_new(
    model: *const PinholeSensorModel,
    conceal: u32,
    decoder: *mut *mut PinholeSensorDecoder,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(decoder, "decoder") }?;
        // SAFETY: the caller says that it is null or a model.
        let model = unsafe { model.as_ref() };
        let mut decoder = OwnedSensorDecoder::new(model.map(|model| &model.0));
        decoder.with(|decoder| decoder.set_conceal(conceal != 0));
        *out = Box::into_raw(Box::new(PinholeSensorDecoder(Mutex::new(decoder))));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Appends bytes of the stream, which are copied.
///
/// Fails with BUSY. Any thread; one call at a time for one decoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_decoder_push(
    decoder: *mut PinholeSensorDecoder,
    data: *const u8,
    len: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a decoder.
        let mut decoder = enter(&unsafe { handle(decoder, "decoder") }?.0)?;
        // SAFETY: the caller says that the bytes are readable.
        let data = unsafe { bytes(data, len, "data") }?;
        decoder.with(|decoder| decoder.push(data));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Decodes the next frame. `frame` is set to null if more bytes are needed, or after the last frame. Free it with
/// pinhole_sensor_frame_free.
///
/// Fails with NOT_A_STREAM, UNSUPPORTED or DAMAGED, with WRONG_MODEL if it needs another one, with BROKEN after that,
/// with BUSY. Any thread; one call at a time for one decoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_decoder_next(
    decoder: *mut PinholeSensorDecoder,
    frame: *mut *mut PinholeSensorFrame,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(frame, "frame") }?;
        // SAFETY: the caller says that it is a decoder.
        let mut decoder = enter(&unsafe { handle(decoder, "decoder") }?.0)?;
        *out = decoder.with(|decoder| match decoder.next_frame()? {
            None => Ok::<_, Failure>(std::ptr::null_mut()),
            Some(frame) => {
                let header = decoder.header();
                let channels = header.map_or(0, |h| h.channels.len());
                let threshold = header.map_or(0, |h| h.threshold);
                Ok(Box::into_raw(Box::new(PinholeSensorFrame { frame, channels, threshold })))
            }
        })?;
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Checks that the stream's last frame has come.
///
/// Fails with TRUNCATED, or BUSY. Any thread; one call at a time for one decoder.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_decoder_finish(
    decoder: *mut PinholeSensorDecoder,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a decoder.
        let mut decoder = enter(&unsafe { handle(decoder, "decoder") }?.0)?;
        Ok(decoder.with(|decoder| decoder.finish())?)
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees a decoder; null is allowed. No other call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_decoder_free(decoder: *mut PinholeSensorDecoder) {
    // SAFETY: the caller says that it is a decoder that nobody uses.
    unsafe { free(decoder) }
}
