//! The codec behind handles without lifetimes, for bindings to other languages.
//!
//! A [`Model`] is loaded once and shared; an [`OwnedEncoder`], [`OwnedDecoder`] or [`OwnedStream`] keeps its model
//! alive. No codec logic is here: what a handle gives out is the `pinhole` crate's own type.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use pinhole::{
    Bundle, BundleError, DecodeError, Decoder, EncodeError, EncodeOptions, EncodeStream, Encoder,
    FrameFormat, LatentDecoder,
};
use self_cell::self_cell;

mod bytes;
mod kind;
mod sensor;

use bytes::Bytes;
pub use kind::Kind;
pub use sensor::{OwnedSensorDecoder, OwnedSensorEncoder, OwnedSensorModel};

/// The shipped model.
#[cfg(feature = "embedded")]
static SHIPPED: &[u8] = include_bytes!("../../../models/zoo/photo/photo.pinm");

/// Why a model could not be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be read.
    #[error("{path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The bytes are no model.
    #[error(transparent)]
    Bundle(#[from] BundleError),
}

self_cell! {
    struct BundleCell {
        owner: Bytes,
        #[covariant]
        dependent: Bundle,
    }
}

/// A loaded model; clones share it. It may be used from any number of threads.
#[derive(Clone)]
pub struct Model(Arc<BundleCell>);

impl Model {
    /// Loads a bundle from memory, which is copied.
    ///
    /// # Errors
    /// [`ModelError::Bundle`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        Self::load(Bytes::copied(bytes))
    }

    /// Loads a bundle that lives as long as the program; it is not copied if it is aligned to 64 bytes.
    ///
    /// # Errors
    /// [`ModelError::Bundle`]
    pub fn from_static(bytes: &'static [u8]) -> Result<Self, ModelError> {
        Self::load(Bytes::lasting(bytes))
    }

    /// Loads a bundle from a file.
    ///
    /// # Errors
    /// [`ModelError`]
    pub fn open(path: impl AsRef<Path>) -> Result<Self, ModelError> {
        let path = path.as_ref();
        match std::fs::read(path) {
            Ok(bytes) => Self::from_bytes(&bytes),
            Err(source) => Err(ModelError::Read { path: path.to_owned(), source }),
        }
    }

    /// The model that this library was built with; loaded once.
    ///
    /// # Errors
    /// None in a library that passed its tests.
    #[cfg(feature = "embedded")]
    pub fn embedded() -> Result<Self, ModelError> {
        static LOADED: std::sync::OnceLock<Model> = std::sync::OnceLock::new();
        if let Some(model) = LOADED.get() {
            return Ok(model.clone());
        }
        let model = Self::from_static(SHIPPED)?;
        Ok(LOADED.get_or_init(|| model).clone())
    }

    fn load(bytes: Bytes) -> Result<Self, ModelError> {
        let cell = BundleCell::try_new(bytes, |bytes| Bundle::parse(bytes.as_slice()))?;
        Ok(Model(Arc::new(cell)))
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle<'_> {
        self.0.borrow_dependent()
    }
}

impl std::fmt::Debug for Model {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Model").field(&self.bundle().latent_space()).finish()
    }
}

self_cell! {
    struct EncoderCell {
        owner: Model,
        #[not_covariant]
        dependent: Encoder,
    }
}

self_cell! {
    struct DecoderCell {
        owner: Model,
        #[not_covariant]
        dependent: Decoder,
    }
}

self_cell! {
    struct LatentDecoderCell {
        owner: Model,
        #[not_covariant]
        dependent: LatentDecoder,
    }
}

self_cell! {
    struct StreamCell {
        owner: Model,
        #[not_covariant]
        dependent: EncodeStream,
    }
}

/// An encoder that owns its share of the model.
pub struct OwnedEncoder(EncoderCell);

impl OwnedEncoder {
    /// As [`Encoder::new`].
    ///
    /// # Errors
    /// As [`Encoder::new`].
    pub fn new(model: &Model, threads: usize) -> Result<Self, EncodeError> {
        EncoderCell::try_new(model.clone(), |model| Encoder::new(model.bundle(), threads))
            .map(OwnedEncoder)
    }

    /// Does something with the encoder.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut Encoder<'_>) -> T) -> T {
        self.0.with_dependent_mut(|_, encoder| work(encoder))
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.0.borrow_owner()
    }
}

/// A decoder that owns its share of the model.
pub struct OwnedDecoder(DecoderCell);

impl OwnedDecoder {
    /// As [`Decoder::new`].
    ///
    /// # Errors
    /// As [`Decoder::new`].
    pub fn new(model: &Model, threads: usize) -> Result<Self, DecodeError> {
        DecoderCell::try_new(model.clone(), |model| Decoder::new(model.bundle(), threads))
            .map(OwnedDecoder)
    }

    /// Does something with the decoder.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut Decoder<'_>) -> T) -> T {
        self.0.with_dependent_mut(|_, decoder| work(decoder))
    }

    /// The model.
    pub fn model(&self) -> &Model {
        self.0.borrow_owner()
    }
}

/// A decoder to latents that owns its share of the model.
pub struct OwnedLatentDecoder(LatentDecoderCell);

impl OwnedLatentDecoder {
    /// As [`LatentDecoder::new`].
    pub fn new(model: &Model, threads: usize) -> Self {
        OwnedLatentDecoder(LatentDecoderCell::new(model.clone(), |model| {
            LatentDecoder::new(model.bundle(), threads)
        }))
    }

    /// Does something with the decoder.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut LatentDecoder<'_>) -> T) -> T {
        self.0.with_dependent_mut(|_, decoder| work(decoder))
    }
}

/// A picture being encoded in bands of rows, with an encoder and a share of the model of its own.
pub struct OwnedStream(StreamCell);

impl OwnedStream {
    /// As [`Encoder::into_stream`].
    ///
    /// # Errors
    /// As [`Encoder::stream`].
    pub fn new(
        model: &Model,
        size: (u32, u32),
        format: FrameFormat,
        options: &EncodeOptions<'_>,
    ) -> Result<Self, EncodeError> {
        StreamCell::try_new(model.clone(), |model| {
            Encoder::new(model.bundle(), 1)?.into_stream(size.0, size.1, format, options)
        })
        .map(OwnedStream)
    }

    /// Does something with the stream.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut EncodeStream<'_>) -> T) -> T {
        self.0.with_dependent_mut(|_, stream| work(stream))
    }
}
