//! Decoding of Pinhole streams on servers.
//!
//! A [`Model`] is a loaded bundle with the [backends](backend) that draw its pictures: the integer engine for
//! `standard` and `lite`, tract or ONNX Runtime for the float decoders `hq` and `gan`. Latents are always decoded by the
//! integer engine on the CPU, so they are the same everywhere.
//!
//! [`Model::decode`] decodes one stream on the caller's thread. A [`Pipeline`] decodes many: streams wait in a bounded
//! queue, threads decode their latents ahead, pictures of one shape are drawn in batches; every request may have a
//! deadline, and dropping its [`Ticket`] cancels it. Models are shared, so a new version may come into use while the old
//! one finishes what it has.
//!
//! ```no_run
//! use pinhole_decoder::{Config, LoadOptions, Model, Pipeline, Request};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let model = Model::open("photo.pinm", &LoadOptions::default())?;
//! let pipeline = Pipeline::new(Config::default())?;
//! let stream = std::fs::read("photo.pin")?;
//! let ticket = pipeline.submit(Request::new(&model, stream))?;
//! let decoded = ticket.wait()?; // or `ticket.await`
//! assert_eq!(decoded.picture.width(), 640);
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod backend;
mod error;
mod kind;
mod model;
mod options;
#[cfg(feature = "tract")]
mod pack;
mod pipeline;
mod pool;

pub use error::{Error, LoadError};
pub use kind::{DecoderKind, UnknownDecoder};
pub use model::{LoadOptions, Model, Provider, Runtime};
pub use options::{Decoded, Options, Timing};
#[cfg(feature = "tract")]
pub use pack::{PackError, Packing, pack_decoder};
pub use pipeline::{Config, Load, Pipeline, Request, Ticket};
