//! What draws the picture of a stream: the integer engine with a bundle, or float decoders.

use std::path::Path;

use anyhow::Result;

use crate::args::PictureDecoder;
use crate::codec::{self, Bundle, DecodeOptions, Decoded};
use crate::float::FloatDecoders;

pub(crate) enum Drawer {
    /// The integer engine.
    Engine(Box<Bundle>, DecodeOptions),
    /// `hq`, `gan` or both.
    Float(FloatDecoders),
}

impl Drawer {
    /// A drawer with `decoder`, or with a blend of the float ones if `realism` says how much of `gan` it has. `model` is the
    /// bundle that has the decoder; without one it is that in the program, or one from the models folder.
    pub(crate) fn new(
        decoder: PictureDecoder,
        realism: Option<f32>,
        model: Option<&Path>,
        mut options: DecodeOptions,
    ) -> Result<Self> {
        options.decoder = match decoder {
            PictureDecoder::Standard if realism.is_none() => pinhole::Synthesis::Standard,
            PictureDecoder::Lite if realism.is_none() => pinhole::Synthesis::Lite,
            _ => {
                return Ok(Drawer::Float(FloatDecoders::new(decoder, realism, model, &options)));
            }
        };
        Ok(Drawer::Engine(Box::new(codec::bundle(model)?), options))
    }

    pub(crate) fn decode(&mut self, stream: &[u8]) -> Result<Decoded> {
        match self {
            Drawer::Engine(bundle, options) => codec::decode(bundle, stream, options),
            Drawer::Float(decoders) => decoders.decode(stream),
        }
    }
}
