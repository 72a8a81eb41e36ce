//! Entropy coding: static integer tables, interleaved rANS and the lossless plane coder.
//!
//! Everything here is integer arithmetic with one defined result, so the same symbols give the
//! same bytes (and the same bytes the same symbols) on every machine. The bit-exact description
//! of the streams is in `docs/entropy.md`.
//!
//! * [`TableSet`] holds the static distributions of a model bundle; [`TableSetBuilder`] and
//!   [`quantise_pmf`] make them when the bundle is packed.
//! * [`RansEncoder`] and [`RansDecoder`] code symbols with a table chosen for each of them.
//! * [`encode_plane`] and [`decode_plane`] carry one 8-bit plane (alpha) without loss.

#![forbid(unsafe_code)]

pub(crate) mod binary;
mod builder;
pub(crate) mod mixing;
mod plane;
mod plane_model;
mod queue;
mod rans;
mod rans_encode;
mod tables;

pub use builder::{TableSetBuilder, quantise_pmf};
pub use plane::{PlaneError, decode_plane, encode_plane};
pub(crate) use queue::entry;
pub(crate) use rans::Chain;
pub use rans::{RansDecoder, RansError};
pub use rans_encode::RansEncoder;
pub use tables::{COST_ONE_BIT, MAX_MAGNITUDE, PRECISION, TableError, TableSet};
