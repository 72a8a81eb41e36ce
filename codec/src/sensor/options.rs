//! What to promise, and how a stream is cut.

use alloc::string::String;
use alloc::vec::Vec;

use super::header::{Channel, PromiseKind, ScoreKind, SensorHeader, TimeUnit};
use super::score::{CALIBRATED_THRESHOLD, MAX_CALIBRATION, MIN_CALIBRATION, RUNNING_THRESHOLD};
use super::{SampleType, SensorError};

/// What decoded samples are to be.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Promise {
    /// Close to the original: the mean squared error is traded for bytes.
    Quality {
        /// 0 (smallest) to 100 (closest). At 50 errors are about 5 % of the spread (root mean square), and half as much
        /// with every 12.5 more.
        quality: f32,
        /// Each channel's usual standard deviation; 0: the channel is stored as it is.
        spread: Vec<f64>,
    },
    /// No sample of a channel is farther from its original than the channel's bound. A bound of 0 stores the samples as
    /// they are.
    MaxError(Vec<f64>),
    /// Every sample is as it was (but −0 becomes 0). For each channel, the levels in a unit: 1 for whole numbers, 100 for
    /// numbers with two decimals, 0 for anything else. Samples that are no such number are stored as they are.
    Lossless(Vec<f64>),
}

impl Promise {
    /// Bounds of `fraction` times the range of each channel, `(least, greatest)`; of a channel without a range the samples
    /// are stored as they are.
    #[must_use]
    pub fn relative(fraction: f64, ranges: &[(f64, f64)]) -> Self {
        let bound = |&(low, high): &(f64, f64)| {
            let bound = (high - low) * fraction;
            if bound.is_finite() && bound > 0.0 { bound } else { 0.0 }
        };
        Self::MaxError(ranges.iter().map(bound).collect())
    }
}

/// How samples are encoded.
#[derive(Debug, Clone, PartialEq)]
pub struct SensorOptions {
    /// What is promised.
    pub promise: Promise,
    /// Type of the samples.
    pub sample_type: SampleType,
    /// Names of the channels, or nothing.
    pub names: Vec<String>,
    /// Samples of a window in each channel, 1 to 4096.
    pub window: usize,
    /// Windows of a frame, 1 to 1024: so long the encoder waits at most. A frame has some 15 bytes beyond its windows.
    pub windows_per_frame: u32,
    /// Frames from one key frame to the next, 1 to 2^20. Decoding begins at key frames, and resumes there after a loss; in
    /// each one the models learn anew, which costs some hundred bytes.
    pub key_interval: u32,
    /// What times count and the usual distance of samples, if the samples have times.
    pub time: Option<(TimeUnit, u64)>,
    /// Whether every window gets a score.
    pub scores: bool,
    /// Windows at the start of the stream that are known to be normal, 8 to 1024; scores are then relative to them, in
    /// place of the model's reference or the windows before, and windows from three times the edge of what is normal on
    /// are odd. 0: none is known to be.
    pub calibration: u32,
}

impl SensorOptions {
    /// Samples of a window that are no multiple of a power of two are transformed less well.
    pub const DEFAULT_WINDOW: usize = 128;
    /// With windows of 128 samples at 50 Hz: 82 seconds.
    pub const DEFAULT_WINDOWS_PER_FRAME: u32 = 32;
    /// With windows of 128 samples at 50 Hz: an hour and a half.
    pub const DEFAULT_KEY_INTERVAL: u32 = 64;

    /// The usual settings.
    #[must_use]
    pub fn new(promise: Promise, sample_type: SampleType) -> Self {
        Self {
            promise,
            sample_type,
            names: Vec::new(),
            window: Self::DEFAULT_WINDOW,
            windows_per_frame: Self::DEFAULT_WINDOWS_PER_FRAME,
            key_interval: Self::DEFAULT_KEY_INTERVAL,
            time: None,
            scores: true,
            calibration: 0,
        }
    }

    /// The header of such a stream, without a model.
    pub(crate) fn header(&self, channels: usize) -> Result<SensorHeader, SensorError> {
        let each = |what, given: usize| match given == channels {
            true => Ok(()),
            false => Err(SensorError::PerChannel { what, given, channels }),
        };
        let (promise, quality, scales) = match &self.promise {
            Promise::Quality { quality, spread } => {
                each("spreads", spread.len())?;
                if !(0.0..=100.0).contains(quality) {
                    return Err(SensorError::Setting { name: "quality", value: (*quality).into() });
                }
                let hundredths = (quality * 100.0 + 0.5) as u16;
                let step = relative_step(hundredths);
                let scale = |&s: &f64| (levels(s * step), 0.0);
                (PromiseKind::Quality, hundredths, spread.iter().map(scale).collect::<Vec<_>>())
            }
            Promise::MaxError(bounds) => {
                each("bounds", bounds.len())?;
                if let Some(&value) = bounds.iter().find(|b| !(0.0..=f64::MAX).contains(*b)) {
                    return Err(SensorError::Setting { name: "greatest error", value });
                }
                // A little less than two bounds to a level, so that values half way between two are safe.
                let scale = |&e: &f64| (levels(e * (2.0 - 1.0 / 512.0)), e);
                (PromiseKind::MaxError, 0, bounds.iter().map(scale).collect())
            }
            Promise::Lossless(levels) => {
                each("levels", levels.len())?;
                (PromiseKind::Lossless, 0, levels.iter().map(|&l| (l, 0.0)).collect())
            }
        };
        if !self.names.is_empty() {
            each("names", self.names.len())?;
        }
        let calibrated = MIN_CALIBRATION..=MAX_CALIBRATION;
        if self.calibration != 0 && !calibrated.contains(&self.calibration) {
            let value = self.calibration.into();
            return Err(SensorError::Setting { name: "calibration", value });
        }
        let (scores, threshold) = match (self.scores, self.calibration) {
            (false, _) => (ScoreKind::None, 0),
            (true, 0) => (ScoreKind::Running, RUNNING_THRESHOLD),
            (true, _) => (ScoreKind::Calibrated, CALIBRATED_THRESHOLD),
        };
        let channels = scales.into_iter().enumerate().map(|(c, (levels_per_unit, max_error))| {
            let name = self.names.get(c).cloned().unwrap_or_default();
            Channel { name, levels_per_unit, max_error }
        });
        Ok(SensorHeader {
            promise,
            sample_type: self.sample_type,
            scores,
            threshold,
            time_unit: self.time.map(|(unit, _)| unit),
            interval: self.time.map_or(0, |(_, interval)| interval),
            quality,
            latent_space: [0; 8],
            window: self.window,
            windows_per_frame: self.windows_per_frame,
            key_interval: self.key_interval,
            channels: channels.collect(),
        })
    }
}

/// Levels in a unit for steps of this size; 0 if that is no number.
fn levels(step: f64) -> f64 {
    let levels = 1.0 / step;
    if step > 0.0 && levels.is_finite() { levels } else { 0.0 }
}

/// The step of a quality in hundredths, in spreads: 0.2 at 5000, a half of it 1250 further on, in between linear.
fn relative_step(quality: u16) -> f64 {
    let steps = f64::from(quality) / 1250.0;
    let whole = steps as u32;
    let rest = steps - f64::from(whole);
    3.2 / f64::from(1u32 << whole.min(16)) * (1.0 - rest / 2.0)
}
