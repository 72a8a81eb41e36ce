//! The real server process on loopback, asked with real HTTP requests.
#![allow(clippy::unwrap_used, clippy::panic)]

mod access;
mod bundles;
mod changes;
mod codec;
mod deployment;
mod ending;
mod hostile;
mod overload;
mod repository;
#[cfg(feature = "s3")]
mod s3;
mod server;
#[cfg(feature = "otlp")]
mod traces;
