//! Sensor streams: time series of several channels.

mod decoder;
mod encoder;
mod frame;
mod model;
mod options;

pub use decoder::*;
pub use encoder::*;
pub use frame::*;
pub use model::*;
pub use options::*;
