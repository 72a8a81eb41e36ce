//! What can go wrong, by whose fault it is.

use std::path::PathBuf;
use std::time::Duration;

use pinhole::{BundleError, DecodeError};

use crate::DecoderKind;

/// Why a request got no picture.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// As many streams wait as may: try again later.
    #[error("{waiting} streams are waiting already")]
    QueueFull {
        /// How many.
        waiting: usize,
    },
    /// The deadline passed before the picture was drawn.
    #[error("the deadline passed after {0:?} of waiting")]
    DeadlineExceeded(Duration),
    /// The pipeline accepts no more requests.
    #[error("shutting down")]
    ShuttingDown,
    /// The stream cannot be decoded: damaged, hostile, too large, of another latent space.
    #[error(transparent)]
    Stream(#[from] DecodeError),
    /// The model has no such decoder.
    #[error("model {model} has no decoder {asked}, only {}", list(.available))]
    NoDecoder {
        /// The model's name.
        model: String,
        /// The decoder asked for.
        asked: DecoderKind,
        /// The decoders it has.
        available: Vec<DecoderKind>,
    },
    /// An option that this decoder cannot follow.
    #[error("{0}")]
    Unsupported(String),
    /// The backend failed: out of memory, a device that is gone, a graph that does not do what it says.
    #[error("{backend}: {reason}")]
    Backend {
        /// The backend's name.
        backend: String,
        /// Its own words.
        reason: String,
    },
    /// A bug: the thread that worked on this request panicked. Others are not concerned.
    #[error("internal error: {0}")]
    Panicked(String),
}

/// Why a model cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are no bundle.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The manifest is not JSON, or says what cannot be.
    #[error("manifest: {0}")]
    Manifest(String),
    /// It has neither a synthesis program nor an ONNX graph.
    #[error("the bundle has no decoder")]
    NoDecoder,
    /// No runtime for float decoders was compiled in, or the one asked for was not.
    #[error("this program was built without {0}")]
    NoRuntime(&'static str),
    /// The runtime refuses the graph, or cannot be started.
    #[error("{backend}: {reason}")]
    Backend {
        /// The backend's name.
        backend: String,
        /// Its own words.
        reason: String,
    },
    /// Two models that are to be blended have different latent spaces or are not `hq` and `gan`.
    #[error("cannot blend: {0}")]
    Blend(String),
}

impl From<pinhole_owned::ModelError> for LoadError {
    fn from(error: pinhole_owned::ModelError) -> Self {
        match error {
            pinhole_owned::ModelError::Read { path, source } => Self::Read { path, source },
            pinhole_owned::ModelError::Bundle(e) => Self::Bundle(e),
            other => Self::Manifest(other.to_string()),
        }
    }
}

fn list(kinds: &[DecoderKind]) -> String {
    let names: Vec<_> = kinds.iter().map(|kind| kind.name()).collect();
    names.join(", ")
}
