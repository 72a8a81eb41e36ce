//! One loaded version of a model.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use pinhole::{EncodeOptions, Picture, PixelFormat};
use pinhole_decoder::{Decoded, LoadError, LoadOptions, Model, Options, Runtime};
use pinhole_owned::OwnedEncoder;

use crate::drift::{Drift, DriftSettings, Frame, FrameStatistics, Monitor, Reference};
use crate::telemetry::VersionLabels;

/// Idle encoders that are kept.
const ENCODERS: usize = 16;
/// Fractional bits of gained latents.
const SIXTEENTHS: f32 = 16.0;

/// A version that serves, with its statistics.
pub struct Running {
    name: String,
    version: u64,
    label: String,
    model: Model,
    monitor: Mutex<Monitor>,
    encoders: Mutex<Vec<OwnedEncoder>>,
    loaded: SystemTime,
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running")
            .field("name", &self.name)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}

impl Running {
    /// Loads a bundle.
    ///
    /// # Errors
    /// Bytes that are no bundle, or one without a decoder.
    pub fn load(
        name: &str,
        version: u64,
        bytes: &[u8],
        runtime: Runtime,
        drift: &DriftSettings,
    ) -> Result<Self, LoadError> {
        let mut options = LoadOptions::default();
        options.runtime = runtime;
        let model = Model::from_bytes(bytes, &options)?;
        let channels = model.bundle().bundle().settings().latent_channels;
        let reference = Reference::from_manifest(model.manifest(), channels);
        let monitor = Monitor::new(drift.clone(), reference, Instant::now());
        Ok(Running {
            name: name.to_owned(),
            version,
            label: model.version().to_owned(),
            model,
            monitor: Mutex::new(monitor),
            encoders: Mutex::default(),
            loaded: SystemTime::now(),
        })
    }

    /// Name in the repository.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Version in the repository.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Version in the manifest, for people.
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// When it was loaded.
    pub fn loaded(&self) -> SystemTime {
        self.loaded
    }

    /// Labels of its metrics.
    pub fn labels(&self) -> VersionLabels {
        VersionLabels { model: self.name.clone(), version: self.version }
    }

    /// Takes a stream's size; its anomaly score.
    pub fn size(&self, quality: f64, bytes: usize, pixels: u64) -> Option<f64> {
        let mut monitor = self.monitor.lock().unwrap_or_else(PoisonError::into_inner);
        monitor.size(quality, bytes, pixels, Instant::now())
    }

    /// Takes the latents of a stream of so many bytes.
    pub fn latents(&self, latents: &pinhole::Latents, bytes: usize) {
        let header = latents.header();
        let settings = self.model.bundle().bundle().settings();
        let gains = settings.gains(header.quality);
        let to_symbols: Vec<f32> = gains.into_iter().map(|gain| gain / SIXTEENTHS).collect();
        let frame = Frame {
            latents: latents.values(),
            to_symbols: &to_symbols,
            bytes,
            pixels: header.pixels(),
            symbols: Some((latents.symbols(), latents.escapes())),
        };
        let quality = f64::from(header.quality) / 100.0;
        let lock = || self.monitor.lock().unwrap_or_else(PoisonError::into_inner);
        // The long part outside of the lock.
        let expected = lock().expected(quality);
        let statistics = FrameStatistics::of(&frame, expected.as_ref());
        lock().frame(&statistics, Instant::now());
    }

    /// Its window of latents and sizes.
    pub fn drift(&self) -> Drift {
        self.monitor.lock().unwrap_or_else(PoisonError::into_inner).drift(Instant::now())
    }

    /// Decodes a test picture with each decoder, if the bundle can make one: one that cannot decode its own streams must
    /// not serve. The pixels, and what became of them.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn try_out(&self) -> Result<(u64, Vec<Decoded>), String> {
        let (side, words) = (80, |e: &dyn std::fmt::Display| format!("test picture: {e}"));
        let pixels = u64::from(side) * u64::from(side);
        let ramp: Vec<u8> = (0..side * side * 3).map(|i| (i / 97 % 256) as u8).collect();
        let picture = Picture::new(side, side, PixelFormat::Rgb8, ramp).map_err(|e| words(&e))?;
        let stream = match self.encode(|e| e.encode(&picture, &EncodeOptions::default())) {
            Ok(stream) => stream,
            // For decoding only: the first request tries it.
            Err(pinhole::EncodeError::Bundle(_)) => return Ok((pixels, Vec::new())),
            Err(error) => return Err(words(&error)),
        };
        let decode = |decoder| {
            let mut options = Options::default();
            options.decoder = Some(decoder);
            self.model.decode(&stream, &options).map_err(|e| words(&e))
        };
        Ok((pixels, self.model.decoders().map(decode).collect::<Result<_, _>>()?))
    }

    /// Works with an encoder that is idle, or a new one.
    ///
    /// # Errors
    /// Those of the work, or that the bundle cannot encode.
    pub fn encode<T>(
        &self,
        work: impl FnOnce(&mut pinhole::Encoder<'_>) -> Result<T, pinhole::EncodeError>,
    ) -> Result<T, pinhole::EncodeError> {
        let idle = self.encoders.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut encoder = match idle {
            Some(encoder) => encoder,
            None => OwnedEncoder::new(self.model.bundle(), 1)?,
        };
        let result = encoder.with(work);
        let mut idle = self.encoders.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < ENCODERS {
            idle.push(encoder);
        }
        result
    }
}
