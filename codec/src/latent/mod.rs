//! Latents to bytes and back: gains, hyperprior, context in passes, symbols.
//!
//! One chunk of latents is coded at a time and knows nothing of its neighbours. In the units of the engine:
//!
//! | quantity | type | unit |
//! |---|---|---|
//! | latents `y` | i16 | 1/512 |
//! | gained latents `v = y · gain`, predicted means, decoded latents | i16 | 1/16 of a symbol |
//! | symbols, hyper-latents | integer | 1 |
//!
//! The order of the symbols in a payload: hyper-latents (row by row, position by position, channel by channel), then the
//! latents, pass by pass ([`crate::passes`]); those whose predicted scale index is below the bundle's threshold are not
//! coded and decode to their mean (Minnen et al. 2018 for the hyperprior and the mean-scale model).

mod code;
mod conceal;
mod context;
mod gain;
mod geometry;
mod predict;
mod quantise;

pub(crate) use code::{ChunkDecoder, ChunkEncoder, Coded};
pub(crate) use conceal::conceal;
pub(crate) use gain::{Gains, scale_row};
pub(crate) use geometry::Geometry;

/// Fractional bits of gained latents and means.
const FRACTION: u32 = 4;
