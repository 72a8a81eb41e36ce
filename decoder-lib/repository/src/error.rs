//! What can go wrong with a repository.

use pinhole::BundleError;

use crate::Stage;

/// Why something cannot be had from, or done to, a repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No such model, version or tag.
    #[error("no {0}")]
    NotFound(String),
    /// A bundle that is not signed, or not by a trusted key, or not as it is now.
    #[error("{what} is not to be trusted: {reason}")]
    Untrusted {
        /// The bundle.
        what: String,
        /// Why.
        reason: String,
    },
    /// The bytes are no bundle.
    #[error("{what}: {reason}")]
    Bundle {
        /// Where they are.
        what: String,
        /// Why not.
        reason: BundleError,
    },
    /// The store cannot be reached, is full, or refuses.
    #[error("repository: {0}")]
    Store(#[from] object_store::Error),
    /// A file of the repository does not say what it should.
    #[error("{file}: {reason}")]
    Damaged {
        /// The file.
        file: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A tag that names another version already.
    #[error("tag {tag} is version {version} and stays it")]
    TagTaken {
        /// The tag.
        tag: String,
        /// Its version.
        version: u64,
    },
    /// No version was in production before the present one.
    #[error("nothing to roll back to")]
    NoPredecessor,
    /// A change of stage that makes no sense.
    #[error("version {version} is {stage} already")]
    SameStage {
        /// The version.
        version: u64,
        /// Its stage.
        stage: Stage,
    },
    /// Many others changed the model at the same time, again and again.
    #[error("model {0} is being changed by others: try again")]
    Contended(String),
    /// A name or address that cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A key that cannot be read or written.
    #[error("key: {0}")]
    Key(String),
}
