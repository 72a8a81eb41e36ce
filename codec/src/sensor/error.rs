//! What can go wrong with sensor streams.

use alloc::string::String;
use core::fmt;

use super::SampleType;
use super::network::NetworkError;
use crate::bundle::BundleError;
use crate::entropy::RansError;
use crate::format::FormatError;

/// Why samples cannot be encoded, or a stream not be decoded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SensorError {
    /// A stream has 1 to 256 channels.
    Channels(usize),
    /// Samples whose count is no multiple of the number of channels.
    Incomplete {
        /// Samples given.
        samples: usize,
        /// Channels of the stream.
        channels: usize,
    },
    /// Something is given for each channel, but not as often as there are channels.
    PerChannel {
        /// What.
        what: &'static str,
        /// How many are given.
        given: usize,
        /// Channels of the stream.
        channels: usize,
    },
    /// A setting is out of its range.
    Setting {
        /// Which.
        name: &'static str,
        /// Its value.
        value: f64,
    },
    /// The name of a channel is longer than 255 bytes.
    Name(String),
    /// A stream was started for samples of another type.
    OtherType {
        /// The stream's.
        stream: SampleType,
        /// That of the samples.
        given: SampleType,
    },
    /// Times are given for a stream without, or missing in a stream with, or not one for each sample.
    Times {
        /// Times needed.
        needed: usize,
        /// Times given.
        given: usize,
    },
    /// The model is for windows of another length.
    ModelWindow {
        /// Samples of the model's windows.
        model: usize,
        /// Of the stream's.
        stream: usize,
    },
    /// The model is for another number of channels.
    ModelChannels {
        /// Channels of the model.
        model: usize,
        /// Channels of the stream.
        stream: usize,
    },
    /// The container is damaged or not one.
    Format(FormatError),
    /// The file is not a sensor stream; its kind.
    NotSensor(u8),
    /// A frame's content contradicts its header.
    Frame {
        /// Its number.
        number: u32,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A frame cannot be decoded because one before it is missing: decoding goes on at the next key frame.
    MissingFrame {
        /// The number of the frame that should have come.
        expected: u32,
        /// The one that came.
        found: u32,
    },
    /// The stream needs a model, and none was given.
    NoModel([u8; 8]),
    /// The stream was made with another model.
    WrongModel {
        /// What the stream needs.
        stream: [u8; 8],
        /// What the model has.
        model: [u8; 8],
    },
    /// The stream ends before its last frame.
    Unfinished,
    /// The encoder or decoder failed before, or the stream is finished.
    Broken,
    /// The model cannot be used.
    Model(BundleError),
    /// Symbols of the network do not decode.
    Entropy(RansError),
    /// The network does not run.
    Network(NetworkError),
}

impl fmt::Display for SensorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channels(n) => write!(f, "{n} channels: a stream has 1 to 256"),
            Self::Incomplete { samples, channels } => {
                write!(f, "{samples} samples are no multiple of {channels} channels")
            }
            Self::PerChannel { what, given, channels } => {
                write!(f, "{given} {what} for {channels} channels")
            }
            Self::Setting { name, value } => write!(f, "{name} {value} is out of range"),
            Self::Name(name) => write!(f, "channel name of {} bytes: 255 at most", name.len()),
            Self::OtherType { stream, given } => {
                write!(f, "samples of type {given:?} in a stream of {stream:?}")
            }
            Self::Times { needed, given } => write!(f, "{given} times where {needed} are needed"),
            Self::ModelChannels { model, stream } => {
                write!(f, "the model is for {model} channels, the stream has {stream}")
            }
            Self::ModelWindow { model, stream } => {
                write!(f, "the model is for windows of {model} samples, not {stream}")
            }
            Self::Format(e) => e.fmt(f),
            Self::NotSensor(kind) => write!(f, "not a sensor stream (kind {kind})"),
            Self::Frame { number, reason } => write!(f, "frame {number}: {reason}"),
            Self::MissingFrame { expected, found } => {
                write!(f, "frame {found} where frame {expected} should be")
            }
            Self::NoModel(space) => {
                write!(f, "the stream needs the model of latent space {}", hex(space))
            }
            Self::WrongModel { stream, model } => {
                write!(f, "made for latent space {}, the model has {}", hex(stream), hex(model))
            }
            Self::Unfinished => write!(f, "the stream ends before its last frame"),
            Self::Broken => write!(f, "the stream is finished, or failed before"),
            Self::Model(e) => write!(f, "model: {e}"),
            Self::Entropy(e) => e.fmt(f),
            Self::Network(e) => e.fmt(f),
        }
    }
}

/// Bytes as hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| alloc::format!("{b:02x}")).collect()
}

impl core::error::Error for SensorError {}

impl From<FormatError> for SensorError {
    fn from(e: FormatError) -> Self {
        Self::Format(e)
    }
}

impl From<BundleError> for SensorError {
    fn from(e: BundleError) -> Self {
        Self::Model(e)
    }
}

impl From<NetworkError> for SensorError {
    fn from(e: NetworkError) -> Self {
        match e {
            NetworkError::Symbols(e) => Self::Entropy(e),
            e => Self::Network(e),
        }
    }
}

impl From<RansError> for SensorError {
    fn from(e: RansError) -> Self {
        Self::Entropy(e)
    }
}
