//! The header of a sensor stream.

use alloc::string::String;
use alloc::vec::Vec;

use super::{SampleType, SensorError};
use crate::format::input::{Input, put_varint};
use crate::format::{FORMAT_VERSION, FormatError, QUALITY_MAX, SIGNATURE, crc32c};

/// Where pictures have their colour, sensor streams have this.
pub const SENSOR_KIND: u8 = 8;
/// Most channels of a stream.
pub const MAX_CHANNELS: usize = 256;
/// Longest window in samples.
pub const MAX_WINDOW: usize = 4096;
/// Most values (samples times channels) of a frame.
pub const MAX_FRAME_VALUES: usize = 1 << 20;

const MAX_WINDOWS: u32 = 1024;
const MAX_KEY: u32 = 1 << 20;

/// What the decoded samples of a stream are promised to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PromiseKind {
    /// Close, by a quality.
    Quality,
    /// Within each channel's bound.
    MaxError,
    /// The same.
    Lossless,
}

/// What the times of a stream count. They are 64-bit whole numbers in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeUnit {
    /// Units of the source's own.
    Ticks,
    /// Nanoseconds since 1970-01-01 UTC.
    UnixNanoseconds,
    /// Nanoseconds from an unspecified start.
    Nanoseconds,
}

/// What the scores in a stream are relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScoreKind {
    /// There are no scores.
    None,
    /// The reference distribution of the model.
    Model,
    /// The windows before.
    Running,
    /// The stream's first windows, which were known to be normal.
    Calibrated,
}

/// One channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// For people; may be empty.
    pub name: String,
    /// Levels in a unit of the samples: decoded samples are whole numbers divided by this. 0: samples are stored as
    /// they are.
    pub levels_per_unit: f64,
    /// The greatest error promised; 0 if none is, or if the promise is losslessness.
    pub max_error: f64,
}

/// The fields of a sensor stream's header.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorHeader {
    /// What is promised.
    pub promise: PromiseKind,
    /// Type of the samples.
    pub sample_type: SampleType,
    /// What scores are relative to.
    pub scores: ScoreKind,
    /// Windows with a score byte of this or more are odd; 0 if there are no scores.
    pub threshold: u8,
    /// What times count, if there are times.
    pub time_unit: Option<TimeUnit>,
    /// The usual distance of samples in time; 0 if not known.
    pub interval: u64,
    /// Quality in hundredths, 0 to 10000; of the network.
    pub quality: u16,
    /// Names the model needed; zeros if none is.
    pub latent_space: [u8; 8],
    /// Samples of a window in each channel.
    pub window: usize,
    /// Windows of a frame, at most.
    pub windows_per_frame: u32,
    /// Frames from one key frame to the next.
    pub key_interval: u32,
    /// The channels.
    pub channels: Vec<Channel>,
}

impl SensorHeader {
    /// Reads a header from the start of `bytes`; returns it with its length.
    ///
    /// # Errors
    /// [`FormatError::Truncated`] if there are too few bytes; anything that is not an undamaged header in range.
    pub fn parse(bytes: &[u8]) -> Result<(Self, usize), SensorError> {
        let start = bytes.get(..SIGNATURE.len()).unwrap_or(bytes);
        if !SIGNATURE.starts_with(start) {
            let mut found = [0; 4];
            found.iter_mut().zip(start).for_each(|(to, from)| *to = *from);
            return Err(FormatError::Signature(found).into());
        }
        if let Some(&version) = bytes.get(4)
            && version != FORMAT_VERSION
        {
            return Err(FormatError::UnsupportedVersion(version).into());
        }
        if let Some(&kind) = bytes.get(5)
            && kind != SENSOR_KIND
        {
            return Err(SensorError::NotSensor(kind));
        }
        let mut input = Input::new(bytes);
        let [_, _, _, _, _, _, promise, sample_type, scores, threshold, time_unit] =
            input.array()?;
        let quality = u16::from_le_bytes(input.array()?);
        let interval = u64::from_le_bytes(input.array()?);
        let latent_space = input.array()?;
        let window = input.varint()? as usize;
        let windows_per_frame = input.varint()?;
        let key_interval = input.varint()?;
        let count = input.varint()? as usize;
        if !(1..=MAX_CHANNELS).contains(&count) {
            return Err(SensorError::Channels(count));
        }
        let mut channels = Vec::with_capacity(count);
        let mut named = true;
        for _ in 0..count {
            let levels_per_unit = f64::from_le_bytes(input.array()?);
            let max_error = f64::from_le_bytes(input.array()?);
            let [length] = input.array()?;
            let name = core::str::from_utf8(input.slice(length.into())?);
            named &= name.is_ok();
            let name = name.unwrap_or_default().into();
            channels.push(Channel { name, levels_per_unit, max_error });
        }
        let computed = crc32c(input.consumed());
        let stored = u32::from_le_bytes(input.array()?);
        if stored != computed {
            return Err(FormatError::HeaderChecksum { stored, computed }.into());
        }
        let bad = |name, value: u8| SensorError::Setting { name, value: value.into() };
        if !named {
            return Err(bad("channel name", 0));
        }
        let header = Self {
            promise: match promise {
                0 => PromiseKind::Quality,
                1 => PromiseKind::MaxError,
                2 => PromiseKind::Lossless,
                other => return Err(bad("promise", other)),
            },
            sample_type: SampleType::from_code(sample_type)
                .ok_or_else(|| bad("sample type", sample_type))?,
            scores: match scores {
                0 => ScoreKind::None,
                1 => ScoreKind::Model,
                2 => ScoreKind::Running,
                3 => ScoreKind::Calibrated,
                other => return Err(bad("score kind", other)),
            },
            threshold,
            time_unit: match time_unit {
                0 => None,
                1 => Some(TimeUnit::Ticks),
                2 => Some(TimeUnit::UnixNanoseconds),
                3 => Some(TimeUnit::Nanoseconds),
                other => return Err(bad("time unit", other)),
            },
            interval,
            quality,
            latent_space,
            window,
            windows_per_frame,
            key_interval,
            channels,
        };
        header.check()?;
        Ok((header, input.position()))
    }

    /// Writes the header.
    ///
    /// # Errors
    /// A field out of its range.
    pub fn write(&self) -> Result<Vec<u8>, SensorError> {
        self.check()?;
        let mut out = Vec::with_capacity(48 + self.channels.len() * 32);
        out.extend(SIGNATURE);
        out.extend([FORMAT_VERSION, SENSOR_KIND, self.promise as u8, self.sample_type.code()]);
        let unit = match self.time_unit {
            None => 0,
            Some(TimeUnit::Ticks) => 1,
            Some(TimeUnit::UnixNanoseconds) => 2,
            Some(TimeUnit::Nanoseconds) => 3,
        };
        out.extend([self.scores as u8, self.threshold, unit]);
        out.extend(self.quality.to_le_bytes());
        out.extend(self.interval.to_le_bytes());
        out.extend(self.latent_space);
        put_varint(&mut out, self.window as u32);
        put_varint(&mut out, self.windows_per_frame);
        put_varint(&mut out, self.key_interval);
        put_varint(&mut out, self.channels.len() as u32);
        for channel in &self.channels {
            out.extend(channel.levels_per_unit.to_le_bytes());
            out.extend(channel.max_error.to_le_bytes());
            out.push(channel.name.len() as u8);
            out.extend(channel.name.bytes());
        }
        out.extend(crc32c(&out).to_le_bytes());
        Ok(out)
    }

    /// Most values that a frame can have.
    pub(crate) fn frame_values(&self) -> usize {
        self.window * self.windows_per_frame as usize * self.channels.len()
    }

    /// Whether decoding needs a model.
    #[must_use]
    pub fn needs_model(&self) -> bool {
        self.latent_space != [0; 8]
    }

    fn check(&self) -> Result<(), SensorError> {
        let range = |name, value: f64, low: f64, high: f64| match (low..=high).contains(&value) {
            true => Ok(()),
            false => Err(SensorError::Setting { name, value }),
        };
        if !(1..=MAX_CHANNELS).contains(&self.channels.len()) {
            return Err(SensorError::Channels(self.channels.len()));
        }
        range("quality", self.quality.into(), 0.0, QUALITY_MAX.into())?;
        range("window", self.window as f64, 1.0, MAX_WINDOW as f64)?;
        range("windows of a frame", self.windows_per_frame.into(), 1.0, MAX_WINDOWS.into())?;
        range("key interval", self.key_interval.into(), 1.0, MAX_KEY.into())?;
        let values =
            self.window as f64 * f64::from(self.windows_per_frame) * self.channels.len() as f64;
        range("values of a frame", values, 1.0, MAX_FRAME_VALUES as f64)?;
        for channel in &self.channels {
            range("levels of a unit", channel.levels_per_unit, 0.0, f64::MAX)?;
            range("greatest error", channel.max_error, 0.0, f64::MAX)?;
            if channel.name.len() > 255 {
                return Err(SensorError::Name(channel.name.clone()));
            }
        }
        Ok(())
    }
}
