//! Sensor streams: time series of several channels.

use std::ffi::c_void;
use std::sync::Mutex;

use pinhole::sensor::{DecodedFrame, Promise, SampleType, SensorEncoder, SensorOptions, TimeUnit};

use pinhole_owned::{OwnedSensorDecoder, OwnedSensorEncoder, OwnedSensorModel};

use crate::border::{bytes, call, enter, free, handle, place, shared_by_threads};
use crate::encoder::PinholeBytes;
use crate::options::reserved;
use crate::sized::{self, Growing};
use crate::status::{Failure, PinholeError, PinholeStatus};

/// What decoded samples are to be.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholePromise {
    /// Close, by `quality`; `per_channel` is each channel's usual standard deviation.
    Quality = 0,
    /// No sample is farther off than its channel's bound: `per_channel`, in units of the samples. With a bound of 0
    /// samples are stored as they are.
    MaxError = 1,
    /// Every sample comes back as it was; `per_channel` is how many levels a unit has: 1 for whole numbers, 100 for
    /// numbers with two decimals, 0 for others, which are stored as they are.
    Lossless = 2,
}

/// The type of a stream's samples, in the processor's byte order.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeSampleType {
    /// float
    F32 = 0,
    /// double
    F64 = 1,
    /// int8_t
    I8 = 2,
    /// uint8_t
    U8 = 3,
    /// int16_t
    I16 = 4,
    /// uint16_t
    U16 = 5,
    /// int32_t
    I32 = 6,
}

/// What the times of a stream count.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeTimeUnit {
    /// There are no times.
    None = 0,
    /// Units of the source's own.
    Ticks = 1,
    /// Nanoseconds since 1970-01-01 UTC.
    UnixNanoseconds = 2,
    /// Nanoseconds from an unspecified start.
    Nanoseconds = 3,
}

/// How to encode samples. Fill it with pinhole_sensor_options_init, then set what you want.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeSensorOptions {
    /// sizeof(PinholeSensorOptions).
    pub size: usize,
    /// Channels, 1 to 256. No default.
    pub channels: u32,
    /// A PinholePromise. Default QUALITY.
    pub promise: u32,
    /// A number for each channel, whose meaning PinholePromise tells; only read during the call. With a model and the
    /// promise QUALITY it may be null: the model's spreads are used. No default.
    pub per_channel: *const f64,
    /// A PinholeSampleType. Default F32.
    pub sample_type: u32,
    /// 0 (smallest) to 100 (closest). Default 50.
    pub quality: f32,
    /// Samples of a window in each channel, 1 to 4096. Default 128.
    pub window: u32,
    /// Windows of a frame, 1 to 1024: so long the encoder waits at most. Default 32.
    pub windows_per_frame: u32,
    /// Frames from one key frame, at which decoding can begin, to the next. Default 64.
    pub key_interval: u32,
    /// A PinholeTimeUnit. Default NONE.
    pub time_unit: u32,
    /// The usual distance of samples in time; other distances cost some bits. Default 0.
    pub interval: u64,
    /// Whether each window gets a score. Default 1.
    pub scores: u32,
    /// With a model: the share of normal windows that may seem odd, 0 to 1. Default 0.01.
    pub false_alarm_rate: f32,
    /// Windows at the start of the stream that are known to be normal, 8 to 1024: scores are then relative to them. 0: none
    /// is known to be. Default 0.
    pub calibration: u32,
    /// 0.
    pub reserved: u32,
}

// SAFETY: numbers and a raw pointer, the first of them the size.
unsafe impl Growing for PinholeSensorOptions {
    const FIRST: usize = std::mem::offset_of!(Self, calibration);

    fn defaults() -> Self {
        PinholeSensorOptions {
            size: size_of::<Self>(),
            channels: 0,
            promise: PinholePromise::Quality as u32,
            per_channel: std::ptr::null(),
            sample_type: PinholeSampleType::F32 as u32,
            quality: 50.0,
            window: SensorOptions::DEFAULT_WINDOW as u32,
            windows_per_frame: SensorOptions::DEFAULT_WINDOWS_PER_FRAME,
            key_interval: SensorOptions::DEFAULT_KEY_INTERVAL,
            time_unit: PinholeTimeUnit::None as u32,
            interval: 0,
            scores: 1,
            false_alarm_rate: 0.01,
            calibration: 0,
            reserved: 0,
        }
    }
}

/// One frame of a stream, decoded. All pointers live until the frame is freed.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeSensorFrameInfo {
    /// sizeof(PinholeSensorFrameInfo).
    pub size: usize,
    /// Samples of each channel in the stream before this frame. If it is more than were decoded, the ones between were
    /// lost.
    pub first_sample: u64,
    /// Samples of each channel.
    pub samples: usize,
    /// Channels.
    pub channels: usize,
    /// `samples * channels` values, those of one time next to each other; NaN where a sample is missing.
    pub values: *const f64,
    /// A time for each sample; null if the stream has none.
    pub times: *const i64,
    /// Windows.
    pub windows: usize,
    /// A score for each window in sixteenths; null if the stream has none.
    pub scores: *const u8,
    /// Windows whose score is this or more are odd; 0 if the stream has no scores.
    pub threshold: u32,
    /// Whether this is the stream's last frame.
    pub last: u32,
}

// SAFETY: numbers and raw pointers, the first of them the size.
unsafe impl Growing for PinholeSensorFrameInfo {
    const FIRST: usize = size_of::<Self>();

    fn defaults() -> Self {
        PinholeSensorFrameInfo {
            size: size_of::<Self>(),
            first_sample: 0,
            samples: 0,
            channels: 0,
            values: std::ptr::null(),
            times: std::ptr::null(),
            windows: 0,
            scores: std::ptr::null(),
            threshold: 0,
            last: 0,
        }
    }
}

/// A model of one kind of sensor. It never changes: any number of threads may use it.
pub struct PinholeSensorModel(OwnedSensorModel);
const _: () = shared_by_threads::<PinholeSensorModel>();

/// Encodes the samples of one stream as they come. One call at a time: a second thread gets BUSY.
pub struct PinholeSensorEncoder(Mutex<OwnedSensorEncoder>);
const _: () = shared_by_threads::<PinholeSensorEncoder>();

/// Decodes one stream, whose bytes may come in pieces. One call at a time: a second thread gets BUSY.
pub struct PinholeSensorDecoder(Mutex<OwnedSensorDecoder>);
const _: () = shared_by_threads::<PinholeSensorDecoder>();

/// A decoded frame. It never changes: any number of threads may read it.
pub struct PinholeSensorFrame {
    frame: DecodedFrame,
    channels: usize,
    threshold: u8,
}
const _: () = shared_by_threads::<PinholeSensorFrame>();

/// Sets all fields to their defaults. `size` is sizeof(PinholeSensorOptions).
///
/// Fails with INVALID_ARGUMENT for a size that no version has. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_options_init(
    options: *mut PinholeSensorOptions,
    size: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that as many bytes may be written.
        unsafe { sized::write(options, size, PinholeSensorOptions::defaults(), "options") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

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

fn sensor_options(
    given: &PinholeSensorOptions,
    per_channel: Vec<f64>,
) -> Result<SensorOptions, Failure> {
    let promise = match given.promise {
        0 => Promise::Quality { quality: given.quality, spread: per_channel },
        1 => Promise::MaxError(per_channel),
        2 => Promise::Lossless(per_channel),
        other => return Err(Failure::invalid(format!("promise {other} is not known"))),
    };
    let mut options = SensorOptions::new(promise, sample_type(given.sample_type)?);
    options.window = given.window as usize;
    options.windows_per_frame = given.windows_per_frame;
    options.key_interval = given.key_interval;
    options.time = match given.time_unit {
        0 => None,
        1 => Some((TimeUnit::Ticks, given.interval)),
        2 => Some((TimeUnit::UnixNanoseconds, given.interval)),
        3 => Some((TimeUnit::Nanoseconds, given.interval)),
        other => return Err(Failure::invalid(format!("time unit {other} is not known"))),
    };
    options.scores = given.scores != 0;
    options.calibration = given.calibration;
    reserved(given.reserved)?;
    Ok(options)
}

fn sample_type(number: u32) -> Result<SampleType, Failure> {
    Ok(match number {
        0 => SampleType::F32,
        1 => SampleType::F64,
        2 => SampleType::I8,
        3 => SampleType::U8,
        4 => SampleType::I16,
        5 => SampleType::U16,
        6 => SampleType::I32,
        other => return Err(Failure::invalid(format!("sample type {other} is not known"))),
    })
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

/// Makes a decoder for one stream. `model` is the one that the stream needs, or null. If `conceal` is not 0, damage is passed over: decoding goes on with the next
/// undamaged key frame. Free it with pinhole_sensor_decoder_free. Any thread.
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
/// Fails with NOT_A_STREAM, UNSUPPORTED or DAMAGED, with WRONG_MODEL if it needs another one, with BROKEN after that, with BUSY. Any thread; one call at a time
/// for one decoder.
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

/// Fills `info` with what a frame holds. `size` is sizeof(PinholeSensorFrameInfo).
///
/// Fails with INVALID_ARGUMENT for a size that no version has. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_frame_info(
    frame: *const PinholeSensorFrame,
    info: *mut PinholeSensorFrameInfo,
    size: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a frame.
        let PinholeSensorFrame { frame, channels, threshold } = unsafe { handle(frame, "frame") }?;
        let pointer = |some: bool, p: *const u8| if some { p } else { std::ptr::null() };
        let filled = PinholeSensorFrameInfo {
            size,
            first_sample: frame.head.first_sample,
            samples: frame.head.samples,
            channels: *channels,
            values: frame.values.as_ptr(),
            times: if frame.times.is_empty() { std::ptr::null() } else { frame.times.as_ptr() },
            windows: frame.head.scores.len(),
            scores: pointer(!frame.head.scores.is_empty(), frame.head.scores.as_ptr()),
            threshold: u32::from(*threshold),
            last: u32::from(frame.head.last),
        };
        // SAFETY: the caller says that as many bytes may be written.
        unsafe { sized::write(info, size, filled, "info") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees a frame; null is allowed. Nobody may be reading it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_sensor_frame_free(frame: *mut PinholeSensorFrame) {
    // SAFETY: the caller says that it is a frame that nobody uses.
    unsafe { free(frame) }
}
