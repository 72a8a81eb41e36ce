//! Pinhole: a learned picture codec that runs on integers alone.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

extern crate alloc;

pub mod bundle;
pub mod engine;
pub mod entropy;
pub mod format;
