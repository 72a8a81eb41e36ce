//! HTTP service around the Pinhole decoders.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod auth;
pub mod cache;
pub mod config;
pub mod drift;
pub mod error;
pub mod limits;
pub mod picture;
pub mod rollout;
pub mod server;
pub mod telemetry;
