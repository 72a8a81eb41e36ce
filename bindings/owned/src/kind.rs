//! What kind of failure an error is, for languages whose errors are numbers or classes.

use pinhole::format::FormatError;
use pinhole::sensor::SensorError;
use pinhole::{DecodeError, EncodeError};

use crate::ModelError;

/// The kinds that bindings tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum Kind {
    InvalidArgument,
    BufferTooSmall,
    NotAStream,
    Unsupported,
    Truncated,
    Damaged,
    WrongModel,
    BadModel,
    TooManyPixels,
    TargetTooSmall,
    WrongRows,
    MissingRows,
    Broken,
    Io,
    Internal,
}

impl From<&FormatError> for Kind {
    fn from(error: &FormatError) -> Self {
        match error {
            FormatError::Truncated { .. } => Kind::Truncated,
            FormatError::Signature(_) => Kind::NotAStream,
            FormatError::UnsupportedVersion(_) | FormatError::Colour(_) => Kind::Unsupported,
            _ => Kind::Damaged,
        }
    }
}

impl From<&DecodeError> for Kind {
    fn from(error: &DecodeError) -> Self {
        match error {
            DecodeError::Format(error) => error.into(),
            DecodeError::TooManyPixels { .. } => Kind::TooManyPixels,
            DecodeError::OtherSize { .. } => Kind::InvalidArgument,
            DecodeError::WrongModel { .. } => Kind::WrongModel,
            DecodeError::Bundle(_) | DecodeError::Engine(_) => Kind::BadModel,
            DecodeError::Entropy(_) | DecodeError::Alpha(_) | DecodeError::NothingLeft => {
                Kind::Damaged
            }
            DecodeError::FullSizeOnly => Kind::Unsupported,
            DecodeError::Chunk { reason, .. } => reason.as_ref().into(),
            _ => Kind::Internal,
        }
    }
}

impl From<&EncodeError> for Kind {
    fn from(error: &EncodeError) -> Self {
        match error {
            EncodeError::Buffer { .. } => Kind::BufferTooSmall,
            EncodeError::OtherRows | EncodeError::TooManyRows { .. } | EncodeError::OddRows(_) => {
                Kind::WrongRows
            }
            EncodeError::MissingRows { .. } => Kind::MissingRows,
            EncodeError::Broken => Kind::Broken,
            EncodeError::TargetTooSmall { .. } => Kind::TargetTooSmall,
            EncodeError::Bundle(_) | EncodeError::Engine(_) | EncodeError::Entropy(_) => {
                Kind::BadModel
            }
            EncodeError::Alpha(_) => Kind::Internal,
            // What the container refuses to write, the caller gave: metadata.
            _ => Kind::InvalidArgument,
        }
    }
}

impl From<&SensorError> for Kind {
    fn from(error: &SensorError) -> Self {
        match error {
            SensorError::Format(error) => error.into(),
            SensorError::NotSensor(_) => Kind::Unsupported,
            SensorError::Frame { .. }
            | SensorError::MissingFrame { .. }
            | SensorError::Entropy(_) => Kind::Damaged,
            SensorError::NoModel(_) | SensorError::WrongModel { .. } => Kind::WrongModel,
            SensorError::Model(_) | SensorError::Network(_) => Kind::BadModel,
            SensorError::Unfinished => Kind::Truncated,
            SensorError::Broken => Kind::Broken,
            // Channels, samples, times and settings that the caller gave.
            _ => Kind::InvalidArgument,
        }
    }
}

impl From<&ModelError> for Kind {
    fn from(error: &ModelError) -> Self {
        match error {
            ModelError::Read { .. } => Kind::Io,
            _ => Kind::BadModel,
        }
    }
}
