//! Loaded models.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use pinhole::bundle::Tag;
use pinhole::format::{Header, MetadataKind};
use pinhole::{DecodeError, Latents};
use pinhole_owned::OwnedLatentDecoder;
use serde_json::Value;

use crate::backend::float::{Float, Graph};
use crate::backend::{Backend, Native, Style};
use crate::pool::Pool;
use crate::{Decoded, DecoderKind, Error, LoadError, Options, Timing};

/// What runs float decoders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Runtime {
    /// tract, on the CPU; part of this program.
    #[default]
    Tract,
    /// ONNX Runtime, with the feature `ort`. Its library is loaded from `ORT_DYLIB_PATH`.
    Ort(Provider),
}

/// Where ONNX Runtime computes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Provider {
    /// The CPU.
    #[default]
    Cpu,
    /// An NVIDIA GPU.
    Cuda {
        /// Its number.
        device: i32,
    },
    /// An NVIDIA GPU, compiled by TensorRT in float16 for each shape: slow to start.
    TensorRt {
        /// Its number.
        device: i32,
    },
}

/// How to load a model.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Threads that one picture may use: of the current rayon pool in the integer engine, of its own in ONNX Runtime.
    /// Servers, which decode many at once, leave it at 1.
    pub threads: usize,
    /// What runs the bundle's float decoder.
    pub runtime: Runtime,
    /// Pixels (in whole latents) that a float decoder draws at once; larger pictures are refused. Graphs take some
    /// hundred bytes a pixel. Default 2²⁴.
    pub max_float_pixels: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        LoadOptions { threads: 1, runtime: Runtime::default(), max_float_pixels: 1 << 24 }
    }
}

/// A loaded model: a bundle and the backends of its decoders. Clones share it; it may be used from any number of threads,
/// and lives as long as anything uses it.
#[derive(Clone)]
pub struct Model(Arc<Inner>);

struct Inner {
    bundle: pinhole_owned::Model,
    name: String,
    version: String,
    threads: usize,
    /// Never empty; the first is the default.
    backends: Vec<(DecoderKind, Arc<dyn Backend>)>,
    /// The bundle's float decoder, for blends.
    graph: Option<(DecoderKind, Arc<dyn Graph>)>,
    max_float_pixels: u64,
    latents: Pool<OwnedLatentDecoder>,
}

impl Model {
    /// Loads a bundle from a file.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn open(path: impl AsRef<Path>, options: &LoadOptions) -> Result<Self, LoadError> {
        Self::new(&pinhole_owned::Model::open(path)?, options)
    }

    /// Loads a bundle from memory, which is copied.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn from_bytes(bytes: &[u8], options: &LoadOptions) -> Result<Self, LoadError> {
        Self::new(&pinhole_owned::Model::from_bytes(bytes)?, options)
    }

    /// A model of a bundle that is loaded already.
    ///
    /// # Errors
    /// [`LoadError`]
    pub fn new(bundle: &pinhole_owned::Model, options: &LoadOptions) -> Result<Self, LoadError> {
        let manifest = manifest(bundle)?;
        let mut backends: Vec<(DecoderKind, Arc<dyn Backend>)> = Vec::new();
        for synthesis in bundle.bundle().syntheses() {
            let native = Native::new(bundle, synthesis, options.threads);
            backends.push((synthesis.into(), Arc::new(native)));
        }
        let mut graph = None;
        if let Some(onnx) = bundle.bundle().section(Tag::ONNX) {
            let kind = float_kind(&manifest)?;
            let channels = bundle.bundle().settings().latent_channels;
            let loaded = load_graph(onnx, channels, options)?;
            let float = Float::new(kind, loaded.clone(), channels, options.max_float_pixels);
            backends.push((kind, Arc::new(float)));
            graph = Some((kind, loaded));
        }
        backends.sort_by_key(|(kind, _)| *kind);
        if backends.is_empty() {
            return Err(LoadError::NoDecoder);
        }
        let text = |key: &str| manifest[key].as_str().unwrap_or_default().to_owned();
        let identity = (text("name"), text("version"));
        Ok(Self::assemble(bundle, identity, options, backends, graph))
    }

    /// A model that draws with `hq`, with `gan`, or with shares of both ([`Options::realism`]). It is called
    /// `HQ+GAN` after the two.
    ///
    /// # Errors
    /// [`LoadError::Blend`]
    pub fn blend(hq: &Model, gan: &Model) -> Result<Self, LoadError> {
        let refused = |reason: &str| LoadError::Blend(reason.to_owned());
        if hq.latent_space() != gan.latent_space() {
            return Err(refused("the models have different latent spaces"));
        }
        let (Some((DecoderKind::Hq, first)), Some((DecoderKind::Gan, second))) =
            (&hq.0.graph, &gan.0.graph)
        else {
            return Err(refused("one model must have the decoder hq, the other gan"));
        };
        let channels = hq.bundle().bundle().settings().latent_channels;
        let max_pixels = hq.0.max_float_pixels.min(gan.0.max_float_pixels);
        let part = |kind| -> (DecoderKind, Arc<dyn Backend>) {
            let graphs = [first.clone(), second.clone()];
            (kind, Arc::new(Float::blended(kind, graphs, channels, max_pixels)))
        };
        let backends = vec![part(DecoderKind::Hq), part(DecoderKind::Gan)];
        let identity = (
            format!("{}+{}", hq.name(), gan.name()),
            format!("{}+{}", hq.version(), gan.version()),
        );
        let options = LoadOptions { threads: hq.0.threads, ..LoadOptions::default() };
        Ok(Self::assemble(hq.bundle(), identity, &options, backends, None))
    }

    /// A model with a backend of one's own, for a device or runtime that this crate does not know.
    ///
    /// # Errors
    /// A manifest that is not JSON.
    pub fn with_backend(
        bundle: &pinhole_owned::Model,
        kind: DecoderKind,
        backend: Arc<dyn Backend>,
    ) -> Result<Self, LoadError> {
        let manifest = manifest(bundle)?;
        let text = |key: &str| manifest[key].as_str().unwrap_or_default().to_owned();
        let identity = (text("name"), text("version"));
        let backends = vec![(kind, backend)];
        Ok(Self::assemble(bundle, identity, &LoadOptions::default(), backends, None))
    }

    fn assemble(
        bundle: &pinhole_owned::Model,
        (name, version): (String, String),
        options: &LoadOptions,
        backends: Vec<(DecoderKind, Arc<dyn Backend>)>,
        graph: Option<(DecoderKind, Arc<dyn Graph>)>,
    ) -> Self {
        Model(Arc::new(Inner {
            bundle: bundle.clone(),
            name,
            version,
            threads: options.threads,
            backends,
            graph,
            max_float_pixels: options.max_float_pixels,
            latents: Pool::new(64),
        }))
    }

    /// The name in its manifest.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The version in its manifest, for people; a repository counts versions of its own.
    pub fn version(&self) -> &str {
        &self.0.version
    }

    /// The manifest, JSON.
    pub fn manifest(&self) -> &str {
        self.0.bundle.bundle().manifest()
    }

    /// Which streams it decodes.
    pub fn latent_space(&self) -> [u8; 8] {
        self.0.bundle.bundle().latent_space()
    }

    /// The bundle, for encoding and for its constants.
    pub fn bundle(&self) -> &pinhole_owned::Model {
        &self.0.bundle
    }

    /// Its decoders; the first is the one that a request without a wish gets.
    pub fn decoders(&self) -> impl Iterator<Item = DecoderKind> {
        self.0.backends.iter().map(|(kind, _)| *kind)
    }

    /// The backend of a decoder, or of the default one.
    ///
    /// # Errors
    /// [`Error::NoDecoder`]
    pub fn backend(
        &self,
        asked: Option<DecoderKind>,
    ) -> Result<(DecoderKind, &Arc<dyn Backend>), Error> {
        let mut backends = self.0.backends.iter();
        let found = match asked {
            Some(asked) => backends.find(|(kind, _)| *kind == asked),
            None => backends.next(),
        };
        found.map(|(kind, backend)| (*kind, backend)).ok_or_else(|| Error::NoDecoder {
            model: self.0.name.clone(),
            asked: asked.unwrap_or(DecoderKind::Standard),
            available: self.decoders().collect(),
        })
    }

    /// Decodes a stream up to its latents, on the caller's thread.
    ///
    /// # Errors
    /// [`Error::Stream`]
    pub fn latents(&self, stream: &[u8], options: &Options) -> Result<Latents, Error> {
        let Inner { bundle, threads, latents, .. } = &*self.0;
        let make = || Ok(OwnedLatentDecoder::new(bundle, *threads));
        let decoded: Result<_, DecodeError> = latents
            .with(make, |decoder| decoder.with(|decoder| decoder.decode(stream, &options.codec())));
        Ok(decoded?)
    }

    /// Decodes one stream on the caller's thread.
    ///
    /// # Errors
    /// [`Error::Stream`], [`Error::NoDecoder`], [`Error::Unsupported`], [`Error::Backend`].
    pub fn decode(&self, stream: &[u8], options: &Options) -> Result<Decoded, Error> {
        let (decoder, backend) = self.backend(options.decoder)?;
        let start = Instant::now();
        let latents = Arc::new(self.latents(stream, options)?);
        let entropy = start.elapsed();
        let start = Instant::now();
        let style = Style { scale: options.scale, realism: options.realism };
        let mut pictures = backend.draw(std::slice::from_ref(&latents), style)?;
        let timing = Timing { entropy, drawing: start.elapsed(), batch: 1, ..Timing::default() };
        let picture = pictures.pop().ok_or_else(|| no_picture(&**backend))?;
        let metadata = metadata(stream);
        Ok(decoded(picture, metadata, latents, decoder, options, timing))
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { name, version, backends, .. } = &*self.0;
        f.debug_struct("Model")
            .field("name", name)
            .field("version", version)
            .field("backends", backends)
            .finish_non_exhaustive()
    }
}

impl PartialEq for Model {
    /// Whether they are the same loaded model, not two copies of it.
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// Which decoder the manifest says its ONNX graph is.
fn float_kind(manifest: &Value) -> Result<DecoderKind, LoadError> {
    let name = manifest["decoder"].as_str().unwrap_or_default();
    match name.parse() {
        Ok(kind @ (DecoderKind::Hq | DecoderKind::Gan)) => Ok(kind),
        _ => Err(LoadError::Manifest(format!("decoder {name:?}: must be hq or gan"))),
    }
}

/// The graph in its runtime.
fn load_graph(
    onnx: &[u8],
    channels: usize,
    options: &LoadOptions,
) -> Result<Arc<dyn Graph>, LoadError> {
    let _ = (onnx, channels);
    match options.runtime {
        #[cfg(feature = "ort")]
        Runtime::Ort(provider) => {
            let ort = crate::backend::ort::Ort::new(onnx, channels, provider, options.threads)?;
            Ok(Arc::new(ort))
        }
        #[cfg(not(feature = "ort"))]
        Runtime::Ort(_) => Err(LoadError::NoRuntime("ONNX Runtime")),
        #[cfg(feature = "tract")]
        Runtime::Tract => Ok(Arc::new(crate::backend::tract::Tract::new(onnx, channels)?)),
        #[cfg(not(feature = "tract"))]
        Runtime::Tract => Err(LoadError::NoRuntime("tract")),
    }
}

/// The manifest as JSON; an empty one is an empty object.
fn manifest(bundle: &pinhole_owned::Model) -> Result<Value, LoadError> {
    match bundle.bundle().manifest() {
        "" => Ok(Value::Object(serde_json::Map::new())),
        text => serde_json::from_str(text).map_err(|e| LoadError::Manifest(e.to_string())),
    }
}

/// A backend that returned fewer pictures than it was given latents.
pub(crate) fn no_picture(backend: &dyn Backend) -> Error {
    Error::Backend {
        backend: backend.name().to_owned(),
        reason: "drew too few pictures".to_owned(),
    }
}

/// What a stream carries beside the picture; nothing if that is damaged, which a strict decoder has found already.
pub(crate) fn metadata(stream: &[u8]) -> Vec<(MetadataKind, Vec<u8>)> {
    let Ok(parsed) = Header::parse(stream) else { return Vec::new() };
    let Ok(metadata) = parsed.metadata(stream) else { return Vec::new() };
    metadata.records().iter().map(|record| (record.kind, record.data.to_vec())).collect()
}

/// Puts the parts of an answer together.
pub(crate) fn decoded(
    picture: pinhole::Picture,
    metadata: Vec<(MetadataKind, Vec<u8>)>,
    latents: Arc<Latents>,
    decoder: DecoderKind,
    options: &Options,
    timing: Timing,
) -> Decoded {
    let damaged = latents.damaged().to_vec();
    let latents = options.keep_latents.then_some(latents);
    Decoded { picture, metadata, damaged, decoder, latents, timing }
}
