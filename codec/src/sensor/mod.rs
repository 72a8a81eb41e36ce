//! Sensor streams: multichannel time series, compressed with a promise about the error.
//!
//! A [`SensorEncoder`] takes samples as they come and gives out frames; a [`SensorDecoder`] takes their bytes back, in
//! pieces of any size. What is promised is chosen with [`Promise`]: a quality, a greatest error of each channel, or
//! losslessness. Missing samples (NaN), infinities, and the times of samples are part of the stream; nothing is
//! filled in. Every window may carry a score of how odd it is, readable without decoding: [`RawFrame::parse`].
//!
//! ```
//! use pinhole::sensor::{Promise, SampleType, SensorDecoder, SensorEncoder, SensorOptions};
//!
//! let samples: Vec<f32> = (0..2000).map(|i| (i as f32 * 0.01).sin()).collect();
//! let options = SensorOptions::new(Promise::MaxError(vec![0.01, 0.01]), SampleType::F32);
//! let mut encoder = SensorEncoder::new(2, &options)?;
//! let mut stream = Vec::new();
//! encoder.push(&[], &samples, &mut stream)?;
//! encoder.finish(&mut stream)?;
//! assert!(stream.len() < samples.len());
//!
//! let mut decoder = SensorDecoder::new();
//! decoder.push(&stream);
//! let mut decoded = Vec::new();
//! while let Some(frame) = decoder.next_frame()? {
//!     decoded.extend(frame.values);
//! }
//! decoder.finish()?;
//! assert!(samples.iter().zip(&decoded).all(|(&a, &b)| (f64::from(a) - b).abs() <= 0.01));
//! # Ok::<(), pinhole::sensor::SensorError>(())
//! ```
//!
//! `docs/sensors.md` describes the format and says what was measured.

#![forbid(unsafe_code)]

mod coefficients;
mod decoder;
mod encoder;
mod error;
mod frame;
mod header;
mod learned;
pub mod network;
mod options;
mod predict;
mod residual;
mod sample;
mod score;
mod transform;
mod window;

pub use decoder::{DecodedFrame, SensorDecoder};
pub use encoder::SensorEncoder;
pub use error::SensorError;
pub use frame::{FrameHead, RawFrame};
pub use header::{
    Channel, MAX_CHANNELS, MAX_FRAME_VALUES, MAX_WINDOW, PromiseKind, SENSOR_KIND, ScoreKind,
    SensorHeader, TimeUnit,
};
pub use network::{SensorModel, SensorSettings};
pub use options::{Promise, SensorOptions};
pub use sample::{Sample, SampleType};
