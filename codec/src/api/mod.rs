//! The public types: pictures, options, encoder and decoder.

mod closed_loop;
mod decoder;
mod display;
mod encoder;
mod error;
mod frame;
mod latents;
mod lines;
mod picture;
mod positions;
mod search;
mod stream;
mod yuv;

pub use decoder::{DecodeOptions, Decoded, DecodedInto, Decoder, Scale};
pub use display::{PictureMut, PlaneMut};
pub use encoder::{EncodeOptions, Encoder, Target};
pub use error::{DecodeError, EncodeError};
pub use frame::{FrameFormat, PictureRef, Plane};
pub use latents::{LatentDecoder, Latents};
pub use picture::{Picture, PixelFormat};
pub use stream::EncodeStream;
pub use yuv::{YuvMatrix, YuvRange, YuvSpace};
