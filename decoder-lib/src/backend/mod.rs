//! Latents to pictures.

use std::fmt;
use std::sync::Arc;

use pinhole::{Latents, Picture, Scale};

use crate::Error;

pub(crate) mod float;
mod native;
#[cfg(feature = "ort")]
pub(crate) mod ort;
#[cfg(feature = "tract")]
pub(crate) mod tract;

pub use native::Native;

/// How a batch is to be drawn; the same for all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Style {
    /// Size of the pictures.
    pub scale: Scale,
    /// Share of `gan`, 0 to 1, in a blend; `None` everywhere else.
    pub realism: Option<f32>,
}

/// Draws pictures from latents. Shared between threads; several may draw at once.
pub trait Backend: fmt::Debug + Send + Sync {
    /// Its name, and that of the device if there is a choice: `native`, `tract`, `ort cuda:0`.
    fn name(&self) -> &str;

    /// The largest batch that pays. 1 means that nothing is gained by waiting for others.
    fn largest_batch(&self) -> usize {
        1
    }

    /// Draws a batch of latents of equal rows and columns, of the model's latent space, at most
    /// [`largest_batch`](Self::largest_batch) of them. The pictures come in the same order, each of its stream's kind.
    ///
    /// # Errors
    /// [`Error::Backend`], [`Error::Unsupported`], [`Error::Stream`].
    fn draw(&self, batch: &[Arc<Latents>], style: Style) -> Result<Vec<Picture>, Error>;

    /// Gets ready for pictures of a shape (in latents), so that the first request does not wait for it.
    ///
    /// # Errors
    /// As [`draw`](Self::draw).
    fn warm_up(&self, rows: usize, columns: usize) -> Result<(), Error> {
        let _ = (rows, columns);
        Ok(())
    }
}
