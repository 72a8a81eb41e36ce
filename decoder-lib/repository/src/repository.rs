//! What can be done with a repository.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};
use pinhole::Bundle;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::log::{FOLDER, Log, now};
use crate::{Error, Stage, State, Trust, Version, Watcher, location, signature};

const BUNDLE: &str = "model.pinm";
/// Bytes of a bundle that are read at most.
const LONGEST: u64 = 1 << 30;

/// Models on a folder or an object store. Clones share it.
///
/// What changes something returns when the change is durable. Reading and changing may go on from several machines at
/// once.
#[derive(Clone, Debug)]
pub struct Repository {
    store: Arc<dyn ObjectStore>,
    trust: Trust,
}

/// A bundle that may be used: it is what was pushed, and signed as [`Trust`] demands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Fetched {
    /// Name of the model in the repository.
    pub model: String,
    /// Number of the version.
    pub version: u64,
    /// What the repository knows about it.
    pub about: Version,
    /// The bundle.
    pub bytes: Bytes,
}

impl Repository {
    /// Opens the folder or `s3://BUCKET/PREFIX` (with the feature `s3`; credentials, `AWS_REGION`, `AWS_ENDPOINT` and
    /// `AWS_ALLOW_HTTP` from the environment).
    ///
    /// # Errors
    /// A folder that is not there, an address that is none.
    pub fn open(address: &str, trust: Trust) -> Result<Self, Error> {
        Ok(Repository { store: location::open(address)?, trust })
    }

    /// A repository on any store. It must be able to create files only if they do not exist.
    pub fn on(store: Arc<dyn ObjectStore>, trust: Trust) -> Self {
        Repository { store, trust }
    }

    /// Names of the models.
    ///
    /// # Errors
    /// [`Error::Store`]
    pub async fn models(&self) -> Result<Vec<String>, Error> {
        let found = self.store.list_with_delimiter(None).await?;
        let names = found.common_prefixes.iter().filter_map(Path::filename);
        Ok(names.filter(|name| check_name(name).is_ok()).map(str::to_owned).collect())
    }

    /// The present state of a model.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`], [`Error::Damaged`]
    pub async fn state(&self, model: &str) -> Result<State, Error> {
        let log = self.log(model)?;
        match log.generation().await? {
            0 => Err(Error::NotFound(format!("model {model}"))),
            generation => log.read(generation).await,
        }
    }

    /// The state of a model after an earlier change; its history, from 1 to [`State::generation`].
    ///
    /// # Errors
    /// As [`state`](Self::state).
    pub async fn state_at(&self, model: &str, generation: u64) -> Result<State, Error> {
        self.log(model)?.read(generation).await
    }

    /// Adds a bundle as a new version and candidate of `model`, or of the model its manifest names, with a tag if one
    /// is given. The model's name, the version's number, and the state.
    ///
    /// # Errors
    /// [`Error::Bundle`], [`Error::Untrusted`], [`Error::Invalid`] for a name that cannot be a folder's,
    /// [`Error::TagTaken`], [`Error::Store`].
    pub async fn push(
        &self,
        model: Option<&str>,
        bundle: Bytes,
        tag: Option<&str>,
    ) -> Result<(String, u64, State), Error> {
        let version = describe(&bundle, &self.trust, "bundle")?;
        let manifest_name = || manifest(&bundle)["name"].as_str().map(str::to_owned);
        let model = model.map(str::to_owned).or_else(manifest_name).unwrap_or_default();
        let log = self.log(&model)?;
        if let Some(tag) = tag {
            check_tag(tag)?;
            let state = log.read(log.generation().await?).await?;
            if let Some(&version) = state.tags.get(tag) {
                return Err(Error::TagTaken { tag: tag.to_owned(), version });
            }
        }
        let number = self.store_bundle(&model, bundle).await?;
        let added = log.change(|state| {
            state.add(number, version.clone());
            match tag {
                Some(tag) => state.tag(tag, number),
                None => Ok(()),
            }
        });
        let (state, ()) = added.await?;
        Ok((model, number, state))
    }

    /// Writes a bundle under the next free number.
    async fn store_bundle(&self, model: &str, bundle: Bytes) -> Result<u64, Error> {
        let versions = self.store.list_with_delimiter(Some(&Path::from(model))).await?;
        let numbers = versions.common_prefixes.iter().filter_map(|p| p.filename()?.parse().ok());
        let mut number = numbers.max().unwrap_or(0_u64);
        loop {
            number += 1;
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let file = bundle_file(model, number);
            match self.store.put_opts(&file, bundle.clone().into(), options).await {
                Ok(_) => return Ok(number),
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
    }

    /// Names a version. A tag never moves to another one.
    ///
    /// # Errors
    /// [`Error::TagTaken`], [`Error::NotFound`], [`Error::Invalid`], [`Error::Store`]
    pub async fn tag(&self, model: &str, version: u64, tag: &str) -> Result<State, Error> {
        check_tag(tag)?;
        Ok(self.existing(model).await?.change(|state| state.tag(tag, version)).await?.0)
    }

    /// Moves a version to a stage; whatever was in staging or production before it is archived.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::SameStage`], [`Error::Store`]
    pub async fn set_stage(&self, model: &str, version: u64, stage: Stage) -> Result<State, Error> {
        Ok(self.existing(model).await?.change(|state| state.set_stage(version, stage)).await?.0)
    }

    /// Puts a version into production.
    ///
    /// # Errors
    /// As [`set_stage`](Self::set_stage).
    pub async fn promote(&self, model: &str, version: u64) -> Result<State, Error> {
        self.set_stage(model, version, Stage::Production).await
    }

    /// Puts the version that was in production before the present one back into its place.
    ///
    /// # Errors
    /// [`Error::NoPredecessor`], [`Error::NotFound`], [`Error::Store`]
    pub async fn roll_back(&self, model: &str) -> Result<State, Error> {
        Ok(self.existing(model).await?.change(State::roll_back).await?.0)
    }

    /// Reads a version and verifies it: hash, signature, and that it is a bundle.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Untrusted`], [`Error::Bundle`], [`Error::Store`]
    pub async fn fetch(&self, model: &str, version: u64) -> Result<Fetched, Error> {
        let state = self.state(model).await?;
        let what = format!("{model} version {version}");
        let about = state.versions.get(&version).ok_or_else(|| Error::NotFound(what.clone()))?;
        let found = match self.store.get(&bundle_file(model, version)).await {
            Err(object_store::Error::NotFound { .. }) => {
                return Err(Error::NotFound(format!("bundle of {what}")));
            }
            other => other?,
        };
        let changed =
            |reason: &str| Err(Error::Untrusted { what: what.clone(), reason: reason.to_owned() });
        if found.meta.size != about.bytes || found.meta.size > LONGEST {
            return changed("it is not as long as what was pushed");
        }
        let bytes = found.bytes().await?;
        if hexadecimal(&Sha256::digest(&bytes)) != about.sha256 {
            return changed("it is not what was pushed");
        }
        describe(&bytes, &self.trust, &what)?;
        Ok(Fetched { model: model.to_owned(), version, about: about.clone(), bytes })
    }

    /// Watches the repository for changes, by looking every `interval`.
    pub fn watch(&self, interval: Duration) -> Watcher {
        Watcher::new(self.clone(), interval)
    }

    /// The log of a model, whose name may be new.
    pub(crate) fn log(&self, model: &str) -> Result<Log, Error> {
        check_name(model)?;
        Ok(Log::new(&self.store, model))
    }

    /// The log of a model that exists.
    async fn existing(&self, model: &str) -> Result<Log, Error> {
        let log = self.log(model)?;
        match log.generation().await? {
            0 => Err(Error::NotFound(format!("model {model}"))),
            _ => Ok(log),
        }
    }
}

fn bundle_file(model: &str, version: u64) -> Path {
    Path::from_iter([model, &version.to_string(), BUNDLE])
}

/// Names are folders' names everywhere: letters, digits, `-`, `_` and `.`, a letter or digit first, at most 64.
fn check_name(name: &str) -> Result<(), Error> {
    let good = name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    let first = name.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if good && first && name.len() <= 64 && name != FOLDER {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "{name:?} cannot be a name: letters, digits, '-', '_' and '.', at most 64, a letter or digit first"
    )))
}

/// Tags are names, but none that a number or a stage could be meant by.
fn check_tag(tag: &str) -> Result<(), Error> {
    check_name(tag)?;
    if tag.parse::<u64>().is_ok() || tag.parse::<Stage>().is_ok() {
        return Err(Error::Invalid(format!("{tag:?} cannot be a tag: it is a number or a stage")));
    }
    Ok(())
}

/// What a bundle says about itself; an error if it is none or not to be trusted.
fn describe(bytes: &[u8], trust: &Trust, what: &str) -> Result<Version, Error> {
    let bundle =
        Bundle::parse(bytes).map_err(|reason| Error::Bundle { what: what.to_owned(), reason })?;
    let signer = trust.check(&bundle, what)?;
    let manifest = manifest(bytes);
    Ok(Version {
        stage: Stage::Candidate,
        sha256: hexadecimal(&Sha256::digest(bytes)),
        bytes: bytes.len() as u64,
        label: manifest["version"].as_str().unwrap_or_default().to_owned(),
        latent_space: hexadecimal(&bundle.latent_space()),
        signer: signer.as_ref().map(signature::name),
        lineage: manifest["lineage"].clone(),
        metrics: manifest["metrics"].clone(),
        pushed: now(),
    })
}

/// A bundle's manifest; null if there is none.
fn manifest(bytes: &[u8]) -> Value {
    let bundle = Bundle::parse(bytes).ok();
    bundle.and_then(|bundle| serde_json::from_str(bundle.manifest()).ok()).unwrap_or_default()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
