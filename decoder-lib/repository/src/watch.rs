//! Changes of a repository as they come.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::{Error, Repository, State};

/// The states of all models.
pub type Snapshot = BTreeMap<String, State>;

/// Looks at a repository again and again.
#[derive(Debug)]
pub struct Watcher {
    repository: Repository,
    interval: Duration,
    last: Option<Snapshot>,
}

impl Watcher {
    pub(crate) fn new(repository: Repository, interval: Duration) -> Self {
        Watcher { repository, interval, last: None }
    }

    /// The states of all models: at once the first time, then whenever something has changed. To be called within a
    /// tokio runtime with a timer. Nothing is lost if it is dropped and called again.
    ///
    /// # Errors
    /// A store that cannot be read; what was known stays known, and the next call tries again after the interval.
    pub async fn changed(&mut self) -> Result<Snapshot, Error> {
        if self.last.is_none() {
            // An error here is told once and then waited for like any other.
            self.last = Some(Snapshot::new());
            let now = self.look().await?;
            self.last = Some(now.clone());
            return Ok(now);
        }
        loop {
            tokio::time::sleep(self.interval).await;
            let now = self.look().await?;
            if self.last.as_ref() != Some(&now) {
                self.last = Some(now.clone());
                return Ok(now);
            }
        }
    }

    /// The present states; those whose number has not changed are not read again.
    async fn look(&self) -> Result<Snapshot, Error> {
        let mut now = Snapshot::new();
        for model in self.repository.models().await? {
            let log = self.repository.log(&model)?;
            let generation = log.generation().await?;
            let known = self.last.as_ref().and_then(|last| last.get(&model));
            match known {
                _ if generation == 0 => {}
                Some(known) if known.generation == generation => {
                    now.insert(model, known.clone());
                }
                _ => {
                    now.insert(model, log.read(generation).await?);
                }
            }
        }
        Ok(now)
    }
}
