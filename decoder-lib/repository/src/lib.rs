//! A repository of models, on a folder or an S3-compatible store.
//!
//! ```text
//! REPOSITORY/MODEL/VERSION/model.pinm        a bundle; written once, never changed
//! REPOSITORY/MODEL/stages/0000000007.json    what stage each version is in, after the seventh change
//! ```
//!
//! Versions are numbers from 1 on, as in other model servers. Each change of a model (a new version, another stage, a
//! tag) is one more file of `stages`, which can only be created, so two writers never overwrite each other's change: the
//! one that comes second starts again from the first one's. The files are the model's history.
//!
//! Bundles are [signed](signature) with Ed25519 and verified before they are given out; see [`Trust`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod error;
pub mod keys;
mod location;
mod log;
mod repository;
pub mod signature;
mod state;
mod watch;

pub use error::Error;
pub use keys::{SigningKey, VerifyingKey};
pub use repository::{Fetched, Repository};
pub use signature::Trust;
pub use state::{Stage, State, Version};
pub use watch::{Snapshot, Watcher};
