//! HTTP service around the Pinhole decoders.
//!
//! [`run`] is the whole service: it reads a model repository, answers requests, watches models while they serve, and ends
//! when it is told to, with everything answered that it accepted. The parts, from the outside to the inside:
//!
//! | module | what it does |
//! |---|---|
//! | [`config`] | settings |
//! | [`server`] | connections, TLS, time limits, graceful end |
//! | [`routes`] | the HTTP interface and its OpenAPI document |
//! | [`auth`], [`limits`], [`error`] | who may do what, how much, and how a refusal is told |
//! | [`fleet`] | champions and challengers, requests through them, changes |
//! | [`rollout`] | trials of a challenger: shares, objectives, verdicts, reports |
//! | [`drift`] | statistics of what arrives, against the bundle's reference |
//! | [`picture`], [`cache`] | picture files in and out; answers that were given before |
//! | [`telemetry`] | logs, traces, metrics |
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

pub mod auth;
pub mod cache;
pub mod config;
pub mod drift;
pub mod error;
pub mod fleet;
pub mod limits;
pub mod picture;
pub mod rollout;
pub mod routes;
mod run;
pub mod server;
pub mod telemetry;

pub use config::Config;
pub use run::{block_on, run};
