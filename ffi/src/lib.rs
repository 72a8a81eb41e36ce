//! The Pinhole codec as a C library: thin shells around `pinhole` and `pinhole-owned`.
//!
//! The functions and types here become `include/pinhole.h`; their comments are written for its readers, and its head
//! (`cbindgen.toml`) says what holds for all. What Rust calls safety is the same for every function: pointers are null
//! or point to what the header says, handles came from this library and were not freed, and nobody frees them meanwhile.
//!
//! Behind that border: `border` checks pointers, catches panics and reports; `sized` reads structs that grow.
#![allow(clippy::missing_safety_doc)]
// C has no tuples: callers pass what there is.
#![allow(clippy::too_many_arguments)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod border;
mod decoder;
mod encoder;
mod info;
mod model;
mod options;
mod picture;
mod sensor;
mod sized;
mod status;
mod stream;
mod version;

pub use decoder::*;
pub use encoder::*;
pub use info::*;
pub use model::*;
pub use options::*;
pub use picture::*;
pub use sensor::*;
pub use status::*;
pub use stream::*;
pub use version::*;
