//! The one place where the service touches the model repository.
mod plain;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Config;
use plain::Plain;

/// Where a version is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Pushed, not tried.
    Candidate,
    /// Being tried.
    Staging,
    /// Serving.
    Production,
    /// Taken back or replaced.
    Archived,
}

/// A version in the repository.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Listed {
    /// Its number.
    pub version: u64,
    /// Its stage.
    pub stage: Stage,
    /// Its bundle's own name for the version.
    pub label: String,
}

/// A model in the repository.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct ModelState {
    /// Its versions, rising.
    pub versions: Vec<Listed>,
}

impl ModelState {
    /// The version in production.
    pub fn production(&self) -> Option<u64> {
        self.versions.iter().find(|v| v.stage == Stage::Production).map(|v| v.version)
    }
}

/// Why the repository did not do as asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No such model or version.
    #[error("{0}")]
    NotFound(String),
    /// A signature that is missing, wrong, or of nobody who is trusted; or bytes that are not those that were pushed.
    #[error("{0}")]
    Untrusted(String),
    /// The repository's rules do not allow it, or someone else was faster.
    #[error("{0}")]
    Refused(String),
    /// The folder or the object store does not answer, or is full.
    #[error("the repository does not answer: {0}")]
    Unreachable(String),
}

/// A model repository, or a folder of plain bundles that is served as if it were one.
pub struct Store(Source);

enum Source {
    Plain(Plain),
}

impl Store {
    /// What a configuration names.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        Self::plain(std::path::Path::new(&config.repository))
    }

    /// A bundle, or a folder of `NAME.pinm` and `NAME/VERSION/*.pinm`. Promotions and the like last until the end of the
    /// process; at the start the oldest version of each model is in production.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn plain(path: &std::path::Path) -> Result<Self, StoreError> {
        Ok(Store(Source::Plain(Plain::open(path)?)))
    }

    /// Names of the models.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn models(&self) -> Result<Vec<String>, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.models(),
        }
    }

    /// Versions of a model.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn state(&self, model: &str) -> Result<ModelState, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.state(model),
        }
    }

    /// The verified bytes of a bundle.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn fetch(&self, model: &str, version: u64) -> Result<Vec<u8>, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.fetch(model, version),
        }
    }

    /// Makes a version the one in production; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn promote(&self, model: &str, version: u64) -> Result<(), StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.promote(model, version),
        }
    }

    /// Puts a version into a stage; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn set_stage(
        &self,
        model: &str,
        version: u64,
        stage: Stage,
    ) -> Result<(), StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.set_stage(model, version, stage),
        }
    }

    /// The version that production would go back to.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn predecessor(&self, model: &str) -> Result<u64, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.predecessor(model),
        }
    }

    /// Goes back to the version that was in production before; which one that is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn roll_back(&self, model: &str) -> Result<u64, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.roll_back(model),
        }
    }
}
