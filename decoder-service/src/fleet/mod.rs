//! The models that serve, and how they change.
//!
//! [`Fleet`] holds one [`Pair`] of champion and challenger for each model. Requests take a snapshot of a pair and keep it
//! to their end, so a change never reaches into a request; what a change replaces lives until its last request is done.
//! Changes go one at a time: first the repository, durably, then the table.
mod change;
mod job;
mod pair;
mod recent;
mod running;
mod serve;
mod store;
mod watch;
mod work;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use pinhole_decoder::{Load, Pipeline};
use tokio::sync::Semaphore;

use crate::cache::ResultCache;
use crate::config::Config;
use crate::error::{ApiError, Kind};
use crate::limits::Admission;
use crate::rollout::Report;
use crate::telemetry::Metrics;

pub use change::ChangeError;
pub use job::Job;
pub use pair::{Challenger, Pair};
pub(crate) use recent::seconds;
pub use recent::{Recent, Sample};
pub use running::Running;
pub use serve::Served;
pub use store::{Listed, ModelState, Stage, Store, StoreError};

/// Reports of ended trials that are kept.
const REPORTS: usize = 50;

type Table = BTreeMap<String, Arc<Pair>>;

/// All models that serve.
pub struct Fleet {
    config: Config,
    store: Store,
    pipeline: Pipeline,
    cache: ResultCache,
    metrics: Arc<Metrics>,
    table: RwLock<Arc<Table>>,
    /// Held during a change.
    changing: tokio::sync::Mutex<()>,
    /// Reports of ended trials, newest first.
    reports: Mutex<Vec<Report>>,
    history: Mutex<recent::History>,
    /// Decodes that were accepted, and how fast they go.
    admission: Arc<Admission<work::Work, { work::STAGES }>>,
    /// One permit for each thread that writes picture files.
    writers: Semaphore,
    /// One permit for each comparison at a time.
    comparers: Arc<Semaphore>,
    counter: AtomicU64,
    loaded: AtomicBool,
}

impl Fleet {
    /// Starts the decoding threads and loads what the repository says is in production. A repository that does not
    /// answer is asked again later.
    ///
    /// # Errors
    /// The system gives no threads.
    pub async fn start(
        config: Config,
        store: Store,
        metrics: Arc<Metrics>,
    ) -> Result<Arc<Self>, String> {
        let threads = config.threads();
        let mut pipes = pinhole_decoder::Config::default();
        // Drawing is the longer part: as many threads as cores each keep all cores busy with either.
        (pipes.entropy_threads, pipes.drawing_threads) = (threads, threads);
        pipes.queue = config.limits.queue;
        let pipeline = Pipeline::new(pipes).map_err(|e| e.to_string())?;
        let fleet = Arc::new(Fleet {
            cache: ResultCache::new(config.cache_bytes),
            store,
            pipeline,
            metrics,
            table: RwLock::default(),
            changing: tokio::sync::Mutex::new(()),
            reports: Mutex::default(),
            history: Mutex::default(),
            admission: Admission::new([threads; work::STAGES]),
            writers: Semaphore::new(threads),
            comparers: Arc::new(Semaphore::new(1)),
            counter: AtomicU64::new(0),
            loaded: AtomicBool::new(false),
            config,
        });
        fleet.refresh().await;
        Ok(fleet)
    }

    /// The table as it is now.
    pub fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The pair of a model; of the default one, if none is named.
    ///
    /// # Errors
    /// [`Kind::NotFound`]; [`Kind::BadRequest`] if none is named and there are several; [`Kind::Unavailable`] as long as
    /// nothing has been loaded.
    pub fn pair(&self, model: Option<&str>) -> Result<Arc<Pair>, ApiError> {
        let table = self.table();
        if table.is_empty() && !self.loaded.load(Ordering::Relaxed) {
            return Err(ApiError::new(Kind::Unavailable, "no model has been loaded yet"));
        }
        let default =
            (!self.config.default_model.is_empty()).then_some(&*self.config.default_model);
        let found = match model.or(default) {
            Some(name) => table.get(name),
            None if table.len() == 1 => table.values().next(),
            None => {
                let names: Vec<&str> = table.keys().map(String::as_str).collect();
                let detail = format!("name one with ?model=: {}", names.join(", "));
                return Err(ApiError::new(Kind::BadRequest, detail));
            }
        };
        found.cloned().ok_or_else(|| {
            let name = model.or(default).unwrap_or_default();
            ApiError::new(Kind::NotFound, format!("no model named '{name}' serves"))
        })
    }

    /// Puts a pair into the table; the one that it replaces.
    fn replace(&self, model: &str, pair: Pair) -> Option<Arc<Pair>> {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        let mut next = Table::clone(&table);
        let before = next.insert(model.to_owned(), Arc::new(pair));
        *table = Arc::new(next);
        before
    }

    /// Takes the challenger out of a pair, if the table still has this pair. Whether it had.
    fn withdraw(&self, model: &str, pair: &Arc<Pair>) -> bool {
        let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
        if !table.get(model).is_some_and(|now| Arc::ptr_eq(now, pair)) {
            return false;
        }
        let mut next = Table::clone(&table);
        let alone = Pair { champion: Arc::clone(&pair.champion), challenger: None };
        next.insert(model.to_owned(), Arc::new(alone));
        *table = Arc::new(next);
        true
    }

    /// Whether there is something to serve with.
    pub fn ready(&self) -> bool {
        !self.table().is_empty()
    }

    /// How busy the decoders are.
    pub fn load(&self) -> Load {
        self.pipeline.load()
    }

    /// How long a decode that came now would wait for its turn.
    pub fn wait(&self) -> Duration {
        self.admission.wait()
    }

    /// The repository.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Reports of trials: those that run, then those that ended, newest first.
    pub fn reports(&self) -> Vec<Report> {
        let now = std::time::Instant::now();
        let table = self.table();
        let running = table.values().filter_map(|pair| pair.challenger.as_ref());
        let mut all: Vec<Report> = running.map(|c| c.rollout().report(now)).collect();
        all.extend_from_slice(&self.reports.lock().unwrap_or_else(PoisonError::into_inner));
        all
    }

    fn keep_report(&self, report: Report) {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        reports.insert(0, report);
        reports.truncate(REPORTS);
    }

    fn remember(&self, recent: Recent) {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).push(recent);
    }

    /// The latest decodes, newest first.
    pub fn recent(&self) -> Vec<Recent> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).recent()
    }

    /// Curves of the recent past, oldest first.
    pub fn samples(&self) -> Vec<Sample> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner).samples()
    }

    /// Finishes what was accepted and stops the decoding threads. Blocks.
    pub fn shut_down(&self) {
        self.pipeline.shut_down();
    }
}
