//! Windows of sensor samples through a learned transform and context model.
//!
//! A [`SensorModel`] is read from a bundle. A [`Network`] turns one window into [`Symbol`]s for the rANS coder and back;
//! both sides end up with the same decoded samples, bit for bit, as all of it is integer arithmetic and single IEEE-754
//! operations. The steps are in `docs/sensors.md`, "Windows through a network".

mod code;
mod features;
mod model;
mod reference;
#[cfg(test)]
pub(crate) mod tests;
mod trellis;

pub use code::{Memory, Network, NetworkError, Symbol};
pub use model::{SensorModel, SensorSettings, SensorTag};
pub use reference::Reference;
