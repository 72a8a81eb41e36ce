//! What a request asks for, and what it gets.

use std::sync::Arc;
use std::time::Duration;

use pinhole::format::{ChunkId, MetadataKind};
use pinhole::{Latents, Picture, Scale};

use crate::DecoderKind;

/// How to decode a stream.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// Which of the model's decoders; `None` is the model's own choice.
    pub decoder: Option<DecoderKind>,
    /// Size of the picture against the encoded one. Float decoders draw it large and take means of squares.
    pub scale: Scale,
    /// Decode what is left of a damaged stream and fill in the rest, instead of failing.
    pub conceal: bool,
    /// Refuse pictures of more pixels. Default 2²⁷.
    pub max_pixels: u64,
    /// Share of `gan` in the picture, 0 to 1, where the model is a blend of `hq` and `gan`
    /// ([`Model::blend`](crate::Model::blend)); others refuse it. `None` is all of the decoder asked for.
    pub realism: Option<f32>,
    /// Return the latents with the picture, for statistics. They take 2.5 bytes a pixel.
    pub keep_latents: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            decoder: None,
            scale: Scale::Full,
            conceal: false,
            max_pixels: 1 << 27,
            realism: None,
            keep_latents: false,
        }
    }
}

impl Options {
    /// The part that the codec understands.
    pub(crate) fn codec(&self) -> pinhole::DecodeOptions {
        let mut options = pinhole::DecodeOptions::default();
        options.scale = self.scale;
        options.conceal = self.conceal;
        options.max_pixels = self.max_pixels;
        options
    }
}

/// A decoded stream.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Decoded {
    /// The picture, of the stream's own kind: grey or RGB, with alpha if it has one.
    pub picture: Picture,
    /// ICC profile, Exif, XMP as carried; empty if damaged.
    pub metadata: Vec<(MetadataKind, Vec<u8>)>,
    /// Chunks that were lost and concealed; empty unless [`Options::conceal`] is set.
    pub damaged: Vec<ChunkId>,
    /// The decoder that drew it.
    pub decoder: DecoderKind,
    /// The latents, if [`Options::keep_latents`] is set.
    pub latents: Option<Arc<Latents>>,
    /// Where the time went.
    pub timing: Timing,
}

/// Where a request's time went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Timing {
    /// Waiting for a thread to decode latents.
    pub queued: Duration,
    /// Decoding latents.
    pub entropy: Duration,
    /// Waiting for companions of the same shape, and for a thread to draw.
    pub batched: Duration,
    /// Drawing the whole batch.
    pub drawing: Duration,
    /// Pictures in the batch.
    pub batch: usize,
}
