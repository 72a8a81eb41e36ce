//! One stream on its way through champion and challenger.

use std::time::{Duration, Instant};

use bytes::Bytes;
use pinhole::Scale;
use pinhole_decoder::{DecoderKind, Error, Options};

use crate::error::{ApiError, Kind};
use crate::picture::OutputFormat;

/// A stream, and what its sender wants.
#[derive(Clone, Debug)]
pub struct Job {
    /// The stream.
    pub stream: Bytes,
    /// Its SHA-256.
    pub digest: [u8; 32],
    /// Pixels of its picture as encoded.
    pub pixels: u64,
    /// Which decoder; none is the model's choice.
    pub decoder: Option<DecoderKind>,
    /// Size of the picture.
    pub scale: Scale,
    /// Fill in what is damaged.
    pub conceal: bool,
    /// Share of `gan` in a blend.
    pub realism: Option<f32>,
    /// Format of the answer.
    pub format: OutputFormat,
    /// What decides, for this request, between champion and challenger: its place among all.
    pub place: u64,
    /// A version that is asked for by number.
    pub version: Option<u64>,
    /// When the answer is of no more use.
    pub deadline: Instant,
}

impl Job {
    /// All that decides what the answer looks like, but stream and version.
    pub fn how(&self) -> String {
        let decoder = self.decoder.map_or("", DecoderKind::name);
        let realism = self.realism.map(f32::to_bits);
        format!("{decoder}/{}/{}/{realism:?}/{}", self.scale.factor(), self.conceal, self.format)
    }

    pub(super) fn options(&self, max_pixels: u64, keep_latents: bool) -> Options {
        let mut options = Options::default();
        options.decoder = self.decoder;
        options.scale = self.scale;
        options.conceal = self.conceal;
        options.realism = self.realism;
        options.max_pixels = max_pixels;
        options.keep_latents = keep_latents;
        options
    }
}

/// Whose fault a failure is.
#[derive(Clone, Debug)]
pub(super) enum Failure {
    /// The client's, as far as this version can tell; another version may think otherwise.
    Client(ApiError),
    /// The version's.
    Version(ApiError),
    /// Nobody's: no room, no time, going down.
    Load(ApiError),
}

impl Failure {
    pub(super) fn into_error(self) -> ApiError {
        match self {
            Failure::Client(error) | Failure::Version(error) | Failure::Load(error) => error,
        }
    }

    pub(super) fn error(&self) -> &ApiError {
        match self {
            Failure::Client(error) | Failure::Version(error) | Failure::Load(error) => error,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        use pinhole::DecodeError;
        let words = error.to_string();
        match error {
            Error::QueueFull { .. } => Failure::Load(ApiError::new(Kind::QueueFull, words)),
            Error::DeadlineExceeded(_) => Failure::Load(ApiError::new(Kind::Deadline, words)),
            Error::ShuttingDown => Failure::Load(ApiError::new(Kind::Unavailable, words)),
            Error::Stream(reason) => Failure::Client(match reason {
                DecodeError::TooManyPixels { .. } => ApiError::new(Kind::TooManyPixels, words),
                DecodeError::WrongModel { .. } => ApiError::new(Kind::WrongModel, words),
                _ => ApiError::new(Kind::Invalid, words),
            }),
            Error::NoDecoder { .. } | Error::Unsupported(_) => {
                Failure::Client(ApiError::new(Kind::BadRequest, words))
            }
            // Their words may name files and devices: they are for the log.
            Error::Backend { .. } | Error::Panicked(_) => {
                tracing::error!(error = words, "a decode failed");
                Failure::Version(ApiError::new(Kind::Internal, "the decoder failed"))
            }
            _ => Failure::Version(ApiError::new(Kind::Internal, words)),
        }
    }
}

/// A challenger that did not answer in time.
pub(super) fn too_slow(limit: Duration) -> Failure {
    let words = format!("no answer within {} ms", limit.as_millis());
    Failure::Version(ApiError::new(Kind::Deadline, words))
}
