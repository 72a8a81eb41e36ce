//! The native methods of the Java package `pinhole`.
//!
//! Java names handles by numbers of a [`table`], never by addresses, so a closed or invented handle is an error and
//! nothing else. Pictures are described by arrays ([`picture`] says how). Every method catches panics and throws
//! `pinhole.PinholeException` for whatever goes wrong ([`failure`]). No codec logic is here.
#![warn(clippy::panic, clippy::indexing_slicing)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing))]

#[cfg(feature = "decoder")]
mod decoder;
mod encoder;
mod failure;
mod model;
mod picture;
mod stream;
mod table;
#[cfg(feature = "decoder")]
mod target;
