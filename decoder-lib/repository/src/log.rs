//! The log of a model's changes: numbered files that can only be created.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions};

use crate::{Error, State};

/// Folder of the log, in the model's.
pub(crate) const FOLDER: &str = "stages";
/// Times that a change is tried again when others come first.
const TRIES: usize = 32;
/// Bytes of a file that are read at most.
const LONGEST: u64 = 16 << 20;

/// The log of one model.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    store: Arc<dyn ObjectStore>,
    model: String,
}

impl Log {
    pub(crate) fn new(store: &Arc<dyn ObjectStore>, model: &str) -> Self {
        Log { store: store.clone(), model: model.to_owned() }
    }

    fn folder(&self) -> Path {
        Path::from_iter([&*self.model, FOLDER])
    }

    fn file(&self, generation: u64) -> Path {
        Path::from_iter([&*self.model, FOLDER, &format!("{generation:010}.json")])
    }

    /// Number of the last change; 0 if there is none.
    pub(crate) async fn generation(&self) -> Result<u64, Error> {
        let mut files = self.store.list(Some(&self.folder()));
        let mut last = 0;
        while let Some(file) = files.try_next().await? {
            let name = file.location.filename().unwrap_or_default();
            let number = name.strip_suffix(".json").and_then(|number| number.parse().ok());
            last = last.max(number.unwrap_or(0));
        }
        Ok(last)
    }

    /// The state after a change; an empty one before the first.
    pub(crate) async fn read(&self, generation: u64) -> Result<State, Error> {
        if generation == 0 {
            return Ok(State::default());
        }
        let file = self.file(generation);
        let damaged = |reason: String| Error::Damaged { file: file.to_string(), reason };
        let found = self.store.get(&file).await?;
        if found.meta.size > LONGEST {
            return Err(damaged(format!("{} bytes", found.meta.size)));
        }
        let bytes = found.bytes().await?;
        let state: State = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        if state.generation != generation {
            return Err(damaged(format!("says it is number {}", state.generation)));
        }
        Ok(state)
    }

    /// Makes a change: from the present state, again from a newer one if someone else was faster.
    pub(crate) async fn change<T>(
        &self,
        change: impl Fn(&mut State) -> Result<T, Error>,
    ) -> Result<(State, T), Error> {
        for _ in 0..TRIES {
            let mut state = self.read(self.generation().await?).await?;
            let result = change(&mut state)?;
            state.generation += 1;
            state.time = now();
            let text = serde_json::to_vec_pretty(&state);
            let text = text.map_err(|e| Error::Invalid(e.to_string()))?;
            let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
            let file = self.file(state.generation);
            match self.store.put_opts(&file, text.into(), options).await {
                Ok(_) => return Ok((state, result)),
                Err(object_store::Error::AlreadyExists { .. }) => {}
                Err(other) => return Err(other.into()),
            }
        }
        Err(Error::Contended(self.model.clone()))
    }
}

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
