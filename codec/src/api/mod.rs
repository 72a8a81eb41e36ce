//! The public types: pictures, options, encoder and decoder.

mod decoder;
mod encoder;
mod error;
mod picture;

pub use decoder::{DecodeOptions, Decoded, Decoder};
pub use encoder::{EncodeOptions, Encoder, Target};
pub use error::{DecodeError, EncodeError};
pub use picture::{Picture, PixelFormat};
