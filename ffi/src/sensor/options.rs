//! What a stream of sensors is to be.

use pinhole::sensor::{Promise, SampleType, SensorOptions, TimeUnit};

use crate::border::call;
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

/// The options of Rust that these stand for.
pub(super) fn sensor_options(
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
