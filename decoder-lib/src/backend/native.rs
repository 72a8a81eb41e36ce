//! The integer engine.

use std::fmt;
use std::sync::Arc;

use pinhole::{DecodeOptions, Latents, Picture, Synthesis};
use pinhole_owned::{Model, OwnedDecoder};

use super::{Backend, Style};
use crate::Error;
use crate::pool::Pool;

/// Draws with the integer engine, on the calling thread.
pub struct Native {
    model: Model,
    synthesis: Synthesis,
    threads: usize,
    decoders: Pool<OwnedDecoder>,
}

impl Native {
    /// A backend for one of the bundle's synthesis programs; each picture may use `threads` threads of the current rayon
    /// pool.
    pub fn new(model: &Model, synthesis: Synthesis, threads: usize) -> Self {
        Native { model: model.clone(), synthesis, threads, decoders: Pool::new(64) }
    }
}

impl Backend for Native {
    fn name(&self) -> &str {
        "native"
    }

    fn draw(&self, batch: &[Arc<Latents>], style: Style) -> Result<Vec<Picture>, Error> {
        if style.realism.is_some() {
            let synthesis = self.synthesis;
            return Err(Error::Unsupported(format!("realism: {synthesis} has no share of gan")));
        }
        let mut options = DecodeOptions::default();
        options.decoder = self.synthesis;
        options.scale = style.scale;
        let make = || Ok(OwnedDecoder::new(&self.model, self.threads)?);
        self.decoders.with(make, |decoder| {
            decoder.with(|decoder| {
                let draw = |latents: &Arc<Latents>| decoder.picture(latents, &options);
                Ok(batch.iter().map(draw).collect::<Result<_, _>>()?)
            })
        })
    }
}

impl fmt::Debug for Native {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Native")
            .field("model", &self.model)
            .field("synthesis", &self.synthesis)
            .finish()
    }
}
