//! Encoders and decoders of sensor streams that keep their model alive, if they have one.

use std::sync::Arc;

use pinhole::sensor::{SensorDecoder, SensorEncoder, SensorError, SensorModel, SensorOptions};
use self_cell::self_cell;

use crate::ModelError;
use crate::bytes::Bytes;

self_cell! {
    struct SensorModelCell {
        owner: Bytes,
        #[covariant]
        dependent: SensorModel,
    }
}

/// A loaded model of sensors; clones share it. It may be used from any number of threads.
#[derive(Clone)]
pub struct OwnedSensorModel(Arc<SensorModelCell>);

impl OwnedSensorModel {
    /// Loads a bundle from memory, which is copied.
    ///
    /// # Errors
    /// [`ModelError::Bundle`]
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ModelError> {
        let cell = SensorModelCell::try_new(Bytes::copied(bytes), |bytes| {
            SensorModel::parse(bytes.as_slice())
        })?;
        Ok(OwnedSensorModel(Arc::new(cell)))
    }

    /// The model.
    pub fn model(&self) -> &SensorModel<'_> {
        self.0.borrow_dependent()
    }
}

self_cell! {
    struct EncoderCell {
        owner: OwnedSensorModel,
        #[not_covariant]
        dependent: SensorEncoder,
    }
}

self_cell! {
    struct DecoderCell {
        owner: OwnedSensorModel,
        #[not_covariant]
        dependent: SensorDecoder,
    }
}

enum Encoder {
    Plain(Box<SensorEncoder<'static>>),
    Learned(EncoderCell),
}

enum Decoder {
    Plain(Box<SensorDecoder<'static>>),
    Learned(DecoderCell),
}

/// An encoder of a sensor stream.
pub struct OwnedSensorEncoder(Encoder);

impl OwnedSensorEncoder {
    /// As [`SensorEncoder::new`].
    ///
    /// # Errors
    /// As [`SensorEncoder::new`].
    pub fn new(channels: usize, options: &SensorOptions) -> Result<Self, SensorError> {
        let encoder = SensorEncoder::new(channels, options)?;
        Ok(OwnedSensorEncoder(Encoder::Plain(Box::new(encoder))))
    }

    /// As [`SensorEncoder::with_model`].
    ///
    /// # Errors
    /// As [`SensorEncoder::with_model`].
    pub fn with_model(
        model: &OwnedSensorModel,
        options: &SensorOptions,
        false_alarm_rate: f32,
    ) -> Result<Self, SensorError> {
        EncoderCell::try_new(model.clone(), |model| {
            SensorEncoder::with_model(model.model(), options, false_alarm_rate)
        })
        .map(|cell| OwnedSensorEncoder(Encoder::Learned(cell)))
    }

    /// Does something with the encoder.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut SensorEncoder<'_>) -> T) -> T {
        match &mut self.0 {
            Encoder::Plain(encoder) => work(encoder),
            Encoder::Learned(cell) => cell.with_dependent_mut(|_, encoder| work(encoder)),
        }
    }
}

/// A decoder of a sensor stream.
pub struct OwnedSensorDecoder(Decoder);

impl OwnedSensorDecoder {
    /// A decoder; with a model it decodes the model's streams, too.
    #[must_use]
    pub fn new(model: Option<&OwnedSensorModel>) -> Self {
        OwnedSensorDecoder(match model {
            None => Decoder::Plain(Box::default()),
            Some(model) => Decoder::Learned(DecoderCell::new(model.clone(), |model| {
                SensorDecoder::with_model(model.model())
            })),
        })
    }

    /// Does something with the decoder.
    pub fn with<T>(&mut self, work: impl FnOnce(&mut SensorDecoder<'_>) -> T) -> T {
        match &mut self.0 {
            Decoder::Plain(decoder) => work(decoder),
            Decoder::Learned(cell) => cell.with_dependent_mut(|_, decoder| work(decoder)),
        }
    }
}
