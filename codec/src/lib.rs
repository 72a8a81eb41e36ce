//! Pinhole: a learned picture codec that runs on integers alone.
//!
//! A model [`Bundle`] holds small int8 networks and symbol tables. An [`Encoder`] turns a [`Picture`] into a stream, a
//! [`Decoder`] turns it back. All of it is integer arithmetic (and single IEEE-754 multiplications) with one defined
//! result: the same bytes and the same pixels on every processor, with any number of threads.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use pinhole::{Bundle, Decoder, EncodeOptions, Encoder, Picture, PixelFormat};
//!
//! let file = std::fs::read("photo.pinm")?;
//! let bundle = Bundle::parse(&file)?;
//! let picture = Picture::new(640, 480, PixelFormat::Rgb8, vec![128; 640 * 480 * 3])?;
//! let stream = Encoder::new(&bundle, 1)?.encode(&picture, &EncodeOptions::default())?;
//! let decoded = Decoder::new(&bundle, 1)?.decode(&stream, &Default::default())?;
//! assert_eq!(decoded.picture.width(), 640);
//! # Ok(())
//! # }
//! ```
//!
//! Cameras and displays: [`PictureRef`] and [`PictureMut`] borrow planes with strides in RGB, grey and 4:2:0 formats,
//! [`Encoder::stream`] takes a picture in bands of rows, [`Decoder::decode_into`] fills a caller's buffer.
//!
//! Below the surface: [`format`](mod@format) is the container, [`entropy`] the rANS coder, [`engine`] runs the networks,
//! `latent` joins the two, [`bundle`] reads models. [`sensor`] is the codec of time series.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

extern crate alloc;

mod api;
pub mod bundle;
pub mod engine;
pub mod entropy;
pub mod format;
mod latent;
mod parallel;
mod passes;
pub mod sensor;

pub use api::{
    DecodeError, DecodeOptions, Decoded, DecodedInto, Decoder, EncodeError, EncodeOptions,
    EncodeStream, Encoder, FrameFormat, LatentDecoder, Latents, Picture, PictureMut, PictureRef,
    PixelFormat, Plane, PlaneMut, Scale, Target, YuvMatrix, YuvRange, YuvSpace,
};
pub use bundle::{Bundle, BundleError, Effort, Synthesis};
pub use latent::Tune;
