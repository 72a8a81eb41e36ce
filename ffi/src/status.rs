//! Status codes and messages.

use std::ffi::{CStr, c_char};

use pinhole::format::FormatError;
use pinhole::sensor::SensorError;
use pinhole::{DecodeError, EncodeError};
use pinhole_owned::{Kind, ModelError};

/// What a call came to. Values never change their meaning; later versions may add some.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeStatus {
    /// Done.
    Ok = 0,
    /// A pointer is null that must not be.
    NullArgument = 1,
    /// A value is out of its range: size of a struct, format, dimensions, stride, quality, chunk rows, metadata.
    InvalidArgument = 2,
    /// A plane or buffer is shorter than the picture needs.
    BufferTooSmall = 3,
    /// The handle is in use by another call at this moment, of another thread or of a callback.
    Busy = 4,
    /// The handle failed before and can only be freed.
    Broken = 5,
    /// The system could not read a file.
    Io = 6,
    /// The model is damaged, incomplete for this use, or not in this library.
    BadModel = 7,
    /// The stream was made for another model.
    WrongModel = 8,
    /// The stream ends early: more bytes may be on their way.
    Truncated = 9,
    /// The stream is damaged.
    Damaged = 10,
    /// The bytes are no Pinhole stream.
    NotAStream = 11,
    /// The stream is of a later version or of a kind that this library does not know.
    Unsupported = 12,
    /// The picture has more pixels than the options allow.
    TooManyPixels = 13,
    /// No quality gives a stream as small as asked for.
    TargetTooSmall = 14,
    /// Rows of another width or format than the stream's, too many of them, or an odd number of 4:2:0 rows. Nothing
    /// has changed: other rows may follow.
    WrongRows = 15,
    /// The stream was finished before the picture's last row.
    MissingRows = 16,
    /// The callback asked to stop.
    Stopped = 17,
    /// A defect of the library; the handle can only be freed.
    Internal = 18,
}

impl PinholeStatus {
    fn text(self) -> &'static CStr {
        match self {
            Self::Ok => c"done",
            Self::NullArgument => c"a pointer is null",
            Self::InvalidArgument => c"an argument is out of its range",
            Self::BufferTooSmall => c"a buffer is too small",
            Self::Busy => c"the handle is in use by another call",
            Self::Broken => c"the handle failed before",
            Self::Io => c"a file could not be read",
            Self::BadModel => c"the model cannot be used",
            Self::WrongModel => c"the stream was made for another model",
            Self::Truncated => c"the stream ends early",
            Self::Damaged => c"the stream is damaged",
            Self::NotAStream => c"not a Pinhole stream",
            Self::Unsupported => c"not supported by this version",
            Self::TooManyPixels => c"too many pixels",
            Self::TargetTooSmall => c"the target size cannot be reached",
            Self::WrongRows => c"rows that do not fit the stream",
            Self::MissingRows => c"rows are missing",
            Self::Stopped => c"stopped by the callback",
            Self::Internal => c"a defect of the library",
        }
    }

    const ALL: [Self; 19] = [
        Self::Ok,
        Self::NullArgument,
        Self::InvalidArgument,
        Self::BufferTooSmall,
        Self::Busy,
        Self::Broken,
        Self::Io,
        Self::BadModel,
        Self::WrongModel,
        Self::Truncated,
        Self::Damaged,
        Self::NotAStream,
        Self::Unsupported,
        Self::TooManyPixels,
        Self::TargetTooSmall,
        Self::WrongRows,
        Self::MissingRows,
        Self::Stopped,
        Self::Internal,
    ];
}

/// Why a call failed, in words. Lives in the caller's memory, needs no preparation and no free: every function that
/// takes one fills it, with an empty message if all went well. Pass null if the status is enough.
#[repr(C)]
pub struct PinholeError {
    /// What the call returned.
    pub status: PinholeStatus,
    /// English text in UTF-8 that names the values at fault; ends with a zero byte, shortened if need be.
    pub message: [c_char; 252],
}

/// A status in general words, in English. The text is constant and must not be freed. Unknown numbers give
/// "unknown status". Any thread, at any time.
#[unsafe(no_mangle)]
pub extern "C" fn pinhole_status_text(status: i32) -> *const c_char {
    let known = usize::try_from(status).ok().and_then(|i| PinholeStatus::ALL.get(i));
    known.map_or(c"unknown status", |s| s.text()).as_ptr()
}

/// A status and what to say about it.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) status: PinholeStatus,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(status: PinholeStatus, message: impl Into<String>) -> Self {
        Failure { status, message: message.into() }
    }

    pub(crate) fn null(name: &str) -> Self {
        Self::new(PinholeStatus::NullArgument, format!("{name} is null"))
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(PinholeStatus::InvalidArgument, message)
    }
}

impl From<Kind> for PinholeStatus {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::InvalidArgument => PinholeStatus::InvalidArgument,
            Kind::BufferTooSmall => PinholeStatus::BufferTooSmall,
            Kind::NotAStream => PinholeStatus::NotAStream,
            Kind::Unsupported => PinholeStatus::Unsupported,
            Kind::Truncated => PinholeStatus::Truncated,
            Kind::Damaged => PinholeStatus::Damaged,
            Kind::WrongModel => PinholeStatus::WrongModel,
            Kind::BadModel => PinholeStatus::BadModel,
            Kind::TooManyPixels => PinholeStatus::TooManyPixels,
            Kind::TargetTooSmall => PinholeStatus::TargetTooSmall,
            Kind::WrongRows => PinholeStatus::WrongRows,
            Kind::MissingRows => PinholeStatus::MissingRows,
            Kind::Broken => PinholeStatus::Broken,
            Kind::Io => PinholeStatus::Io,
            Kind::Internal => PinholeStatus::Internal,
        }
    }
}

impl From<EncodeError> for Failure {
    fn from(error: EncodeError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

impl From<FormatError> for Failure {
    fn from(error: FormatError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

impl From<SensorError> for Failure {
    fn from(error: SensorError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

impl From<ModelError> for Failure {
    fn from(error: ModelError) -> Self {
        Failure::new(Kind::from(&error).into(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_statuses_is_in_order() {
        for (i, status) in PinholeStatus::ALL.into_iter().enumerate() {
            assert_eq!(status as usize, i);
        }
        assert_eq!(PinholeStatus::Internal as usize + 1, PinholeStatus::ALL.len());
    }
}
