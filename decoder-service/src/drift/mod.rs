//! Whether the pictures that arrive are still those the model was trained for.
//!
//! Each decoded frame gives [`FrameStatistics`]; a [`Monitor`] keeps them in a sliding window and compares the window with
//! the [`Reference`] of the bundle: Kullback-Leibler divergence from moments, population stability index from shares of
//! values, channels that died, bits per pixel, escape rate. One frame alone has an anomaly score: how unusual its size is
//! for its quality.
mod divergence;
mod frame;
mod monitor;
mod reference;
mod window;

pub use divergence::{gaussian_kl, population_stability};
pub use frame::{BINS, EDGES, Frame, FrameStatistics};
pub use monitor::{Alarm, Channel, Drift, DriftSettings, Monitor};
pub use reference::{Expected, Reference};
pub use window::Window;
