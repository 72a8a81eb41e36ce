//! The one place where the service touches the model repository.
mod plain;

use std::path::{Path, PathBuf};

use pinhole_repository::{Error, Repository, Trust, VerifyingKey};
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
    Repository(Repository),
}

/// What the service shows of a model's state.
fn listed(state: pinhole_repository::State) -> ModelState {
    let versions = state.versions.into_iter();
    let versions = versions.map(|(version, about)| Listed {
        version,
        stage: about.stage.into(),
        label: about.label,
    });
    ModelState { versions: versions.collect() }
}

impl From<pinhole_repository::Stage> for Stage {
    fn from(stage: pinhole_repository::Stage) -> Self {
        match stage {
            pinhole_repository::Stage::Candidate => Stage::Candidate,
            pinhole_repository::Stage::Staging => Stage::Staging,
            pinhole_repository::Stage::Production => Stage::Production,
            pinhole_repository::Stage::Archived => Stage::Archived,
        }
    }
}

impl From<Stage> for pinhole_repository::Stage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Candidate => Self::Candidate,
            Stage::Staging => Self::Staging,
            Stage::Production => Self::Production,
            Stage::Archived => Self::Archived,
        }
    }
}

impl From<pinhole_repository::Error> for StoreError {
    fn from(error: pinhole_repository::Error) -> Self {
        use pinhole_repository::Error;
        let words = error.to_string();
        match error {
            Error::NotFound(_) => StoreError::NotFound(words),
            Error::Untrusted { .. } | Error::Bundle { .. } => StoreError::Untrusted(words),
            Error::Store(_) => StoreError::Unreachable(words),
            _ => StoreError::Refused(words),
        }
    }
}

impl Store {
    /// What a configuration names.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn open(config: &Config) -> Result<Self, StoreError> {
        let trust = match &config.trusted_keys {
            Some(path) => Trust::Keys(keys(path)?),
            None => Trust::Anyone,
        };
        let path = Path::new(&config.repository);
        if is_plain(path) {
            if config.trusted_keys.is_some() {
                let words = "signatures are checked in repositories only, not in plain folders";
                return Err(StoreError::Refused(words.to_owned()));
            }
            return Self::plain(path);
        }
        Ok(Store(Source::Repository(Repository::open(&config.repository, trust)?)))
    }

    /// A bundle, or a folder of `NAME.pinm` and `NAME/VERSION/*.pinm`. Promotions and the like last until the end of the
    /// process; at the start the oldest version of each model is in production.
    ///
    /// # Errors
    /// [`StoreError`]
    pub fn plain(path: &Path) -> Result<Self, StoreError> {
        Ok(Store(Source::Plain(Plain::open(path)?)))
    }

    /// Names of the models.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn models(&self) -> Result<Vec<String>, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.models(),
            Source::Repository(repository) => Ok(repository.models().await?),
        }
    }

    /// Versions of a model.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn state(&self, model: &str) -> Result<ModelState, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.state(model),
            Source::Repository(repository) => Ok(listed(repository.state(model).await?)),
        }
    }

    /// The verified bytes of a bundle.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn fetch(&self, model: &str, version: u64) -> Result<Vec<u8>, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.fetch(model, version),
            Source::Repository(repository) => {
                Ok(repository.fetch(model, version).await?.bytes.to_vec())
            }
        }
    }

    /// Makes a version the one in production; durable when it returns.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn promote(&self, model: &str, version: u64) -> Result<(), StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.promote(model, version),
            Source::Repository(repository) => done(repository.promote(model, version).await),
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
            Source::Repository(repository) => {
                done(repository.set_stage(model, version, stage.into()).await)
            }
        }
    }

    /// The version that production would go back to.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn predecessor(&self, model: &str) -> Result<u64, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.predecessor(model),
            Source::Repository(repository) => {
                let state = repository.state(model).await?;
                let before = state.productions.iter().rev().nth(1).copied();
                Ok(before.ok_or(pinhole_repository::Error::NoPredecessor)?)
            }
        }
    }

    /// Goes back to the version that was in production before; which one that is.
    ///
    /// # Errors
    /// [`StoreError`]
    pub async fn roll_back(&self, model: &str) -> Result<u64, StoreError> {
        match &self.0 {
            Source::Plain(plain) => plain.roll_back(model),
            Source::Repository(repository) => {
                let state = repository.roll_back(model).await?;
                Ok(state.production().ok_or(pinhole_repository::Error::NoPredecessor)?)
            }
        }
    }
}

/// A change that was made already is made.
fn done(result: Result<pinhole_repository::State, Error>) -> Result<(), StoreError> {
    match result {
        Ok(_) | Err(Error::SameStage { .. }) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// A file, or a folder whose bundles have no stages beside them.
fn is_plain(path: &Path) -> bool {
    let folders = |path: &Path| {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_bundle = |path: &Path| path.extension().is_some_and(|suffix| suffix == "pinm");
    let staged = |model: &PathBuf| model.join("stages").is_dir();
    let versioned = |model: &PathBuf| {
        folders(model).iter().any(|version| folders(version).iter().any(|file| is_bundle(file)))
    };
    let inside = folders(path);
    path.is_file()
        || !inside.iter().any(staged)
            && inside.iter().any(|entry| is_bundle(entry) || versioned(entry))
}

/// The public keys of a file, or of all `.pem` files in a folder.
fn keys(path: &Path) -> Result<Vec<VerifyingKey>, StoreError> {
    let words = |e: &dyn std::fmt::Display| {
        StoreError::Refused(format!("trusted_keys: {}: {e}", path.display()))
    };
    if path.is_file() {
        return Ok(vec![pinhole_repository::keys::read_public(path).map_err(|e| words(&e))?]);
    }
    let entries = std::fs::read_dir(path).map_err(|e| words(&e))?;
    let files: Result<Vec<PathBuf>, _> = entries.map(|e| e.map(|e| e.path())).collect();
    let files = files.map_err(|e| words(&e))?.into_iter();
    let files = files.filter(|file| file.extension().is_some_and(|suffix| suffix == "pem"));
    files.map(|f| pinhole_repository::keys::read_public(&f).map_err(|e| words(&e))).collect()
}
