//! Many requests at once: bounded queues, latents decoded ahead, batches.
//!
//! ```text
//! submit → waiting (bounded) → entropy threads → ready (bounded, grouped by shape) → drawing threads → tickets
//! ```
//!
//! When drawing is the slower part, the entropy threads stop as soon as enough is ready, the queue fills, and `submit`
//! refuses: memory is bounded by what may wait, be ready and be drawn.

mod ready;
mod request;
mod waiting;

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use ready::{Batch, Bounds, Item, Key, Ready};
use request::Job;
pub use request::{Request, Ticket};
use waiting::Waiting;

use crate::backend::Style;
use crate::model::{decoded, metadata, no_picture};
use crate::{Error, LoadError, Timing};

/// Sizes of a pipeline.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Threads that decode latents. Default: one for each core.
    pub entropy_threads: usize,
    /// Threads that draw. Default: one for each core; an accelerator needs two, so that one prepares while one computes.
    pub drawing_threads: usize,
    /// Streams that may wait for an entropy thread; more are refused. Default: 64.
    pub queue: usize,
    /// Pictures whose latents may lie ready. Default: 16.
    pub ahead: usize,
    /// Bytes of latents (and alpha) that may lie ready. Default: 256 MiB.
    pub ahead_bytes: usize,
    /// Pictures drawn at once, where the backend gains from it. Default: 8.
    pub largest_batch: usize,
    /// How long a picture waits for others of its shape, where the backend gains from it. Default: 2 ms.
    pub batch_delay: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let cores = thread::available_parallelism().map_or(1, Into::into);
        Config {
            entropy_threads: cores,
            drawing_threads: cores,
            queue: 64,
            ahead: 16,
            ahead_bytes: 256 << 20,
            largest_batch: 8,
            batch_delay: Duration::from_millis(2),
        }
    }
}

/// How busy a pipeline is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Load {
    /// Streams that wait for an entropy thread.
    pub waiting: usize,
    /// Streams that may wait.
    pub capacity: usize,
    /// Pictures whose latents are ready.
    pub ready: usize,
    /// Streams whose latents are being decoded.
    pub decoding: usize,
    /// Pictures being drawn.
    pub drawing: usize,
    /// Batches drawn since the start.
    pub batches: u64,
    /// Pictures drawn since the start.
    pub pictures: u64,
}

/// Decodes streams on threads of its own. Dropping it finishes what was accepted.
#[derive(Debug)]
pub struct Pipeline {
    shared: Arc<Shared>,
    threads: Mutex<Threads>,
}

#[derive(Debug, Default)]
struct Threads {
    entropy: Vec<JoinHandle<()>>,
    drawing: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    waiting: Waiting,
    ready: Ready,
    capacity: usize,
    decoding: AtomicUsize,
    drawing: AtomicUsize,
    batches: AtomicU64,
    pictures: AtomicU64,
}

impl Pipeline {
    /// Starts the threads. Zeros in the configuration count as ones.
    ///
    /// # Errors
    /// The system gives no more threads.
    pub fn new(config: Config) -> Result<Self, LoadError> {
        let capacity = config.queue.max(1);
        let shared = Arc::new(Shared {
            waiting: Waiting::new(capacity),
            ready: Ready::new(Bounds {
                items: config.ahead.max(1),
                bytes: config.ahead_bytes.max(1),
                batch: config.largest_batch.max(1),
                delay: config.batch_delay,
            }),
            capacity,
            decoding: AtomicUsize::new(0),
            drawing: AtomicUsize::new(0),
            batches: AtomicU64::new(0),
            pictures: AtomicU64::new(0),
        });
        // Made first, so that an error on the way stops the threads there are.
        let pipeline = Pipeline { shared, threads: Mutex::default() };
        let start = |name: &str, count: usize, work: fn(&Shared)| -> Result<Vec<_>, LoadError> {
            let spawn = |_| {
                let shared = pipeline.shared.clone();
                let thread = thread::Builder::new().name(name.to_owned());
                thread.spawn(move || work(&shared)).map_err(|e| LoadError::Backend {
                    backend: "threads".to_owned(),
                    reason: e.to_string(),
                })
            };
            (0..count.max(1)).map(spawn).collect()
        };
        let entropy = start("pinhole-entropy", config.entropy_threads, decode_latents)?;
        let drawing = start("pinhole-draw", config.drawing_threads, draw_batches)?;
        if let Ok(mut threads) = pipeline.threads.lock() {
            *threads = Threads { entropy, drawing };
        }
        Ok(pipeline)
    }

    /// Accepts a request, at once or not at all.
    ///
    /// # Errors
    /// [`Error::QueueFull`], [`Error::ShuttingDown`]; [`Error::NoDecoder`] for a decoder that the model does not have.
    pub fn submit(&self, request: Request) -> Result<Ticket, Error> {
        request.model.backend(request.options.decoder)?;
        let (job, ticket) = Job::new(request);
        self.shared.waiting.push(job)?;
        Ok(ticket)
    }

    /// How busy it is.
    pub fn load(&self) -> Load {
        let Shared { waiting, ready, capacity, decoding, drawing, batches, pictures } =
            &*self.shared;
        Load {
            waiting: waiting.len(),
            capacity: *capacity,
            ready: ready.len(),
            decoding: decoding.load(Ordering::Relaxed),
            drawing: drawing.load(Ordering::Relaxed),
            batches: batches.load(Ordering::Relaxed),
            pictures: pictures.load(Ordering::Relaxed),
        }
    }

    /// Accepts no more requests, and returns when all that were accepted have their answers.
    pub fn shut_down(&self) {
        self.shared.waiting.close();
        let threads =
            std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let join = |threads: Vec<JoinHandle<()>>| {
            // Their panics are caught; there is nothing to learn from joining but that they have ended.
            threads.into_iter().for_each(|thread| drop(thread.join()));
        };
        join(threads.entropy);
        self.shared.ready.close();
        join(threads.drawing);
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.shut_down();
    }
}

/// Work of an entropy thread.
fn decode_latents(shared: &Shared) {
    while let Some(job) = shared.waiting.pop() {
        shared.ready.wait_for_room();
        let Some(job) = job.still_wanted() else { continue };
        shared.decoding.fetch_add(1, Ordering::Relaxed);
        let queued = job.accepted.elapsed();
        let start = Instant::now();
        let request = &job.request;
        let result = guarded(|| {
            let (decoder, backend) = request.model.backend(request.options.decoder)?;
            let latents = request.model.latents(&request.stream, &request.options)?;
            Ok((decoder, backend.clone(), Arc::new(latents)))
        });
        shared.decoding.fetch_sub(1, Ordering::Relaxed);
        match result {
            Err(error) => job.answer(Err(error)),
            Ok((decoder, backend, latents)) => {
                let key = Key {
                    model: request.model.clone(),
                    decoder,
                    style: Style { scale: request.options.scale, realism: request.options.realism },
                    rows: latents.rows(),
                    columns: latents.columns(),
                };
                let timing = Timing { queued, entropy: start.elapsed(), ..Timing::default() };
                let item = Item { job, latents, timing, since: Instant::now() };
                shared.ready.push(key, &backend, item);
            }
        }
    }
}

/// Work of a drawing thread.
fn draw_batches(shared: &Shared) {
    while let Some(batch) = shared.ready.pop() {
        let Batch { key, backend, items } = batch;
        let items: Vec<Item> = items
            .into_iter()
            .filter_map(|item| Some(Item { job: item.job.still_wanted()?, ..item }))
            .collect();
        if items.is_empty() {
            continue;
        }
        shared.drawing.fetch_add(items.len(), Ordering::Relaxed);
        let start = Instant::now();
        let latents: Vec<_> = items.iter().map(|item| item.latents.clone()).collect();
        let result = guarded(|| backend.draw(&latents, key.style));
        let drawing = start.elapsed();
        shared.drawing.fetch_sub(items.len(), Ordering::Relaxed);
        shared.batches.fetch_add(1, Ordering::Relaxed);
        drop(latents);
        match result {
            Ok(pictures) => {
                shared.pictures.fetch_add(pictures.len() as u64, Ordering::Relaxed);
                let count = items.len();
                let mut pictures = pictures.into_iter();
                for Item { job, latents, timing, since } in items {
                    let batched = start.saturating_duration_since(since);
                    let timing = Timing { batched, drawing, batch: count, ..timing };
                    let picture = pictures.next().ok_or_else(|| no_picture(&*backend));
                    let metadata = metadata(&job.request.stream);
                    let options = job.request.options.clone();
                    job.answer(picture.map(|picture| {
                        decoded(picture, metadata, latents, key.decoder, &options, timing)
                    }));
                }
            }
            Err(error) => items.into_iter().for_each(|item| item.job.answer(Err(error.clone()))),
        }
    }
}

/// The result of `work`; a panic becomes an error, so that it costs one request and not a thread.
fn guarded<T>(work: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    // What `work` shares with others are pools and locks, which give up what was in use during a panic.
    catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(Error::Panicked(words(&*panic))))
}

/// What a panic said.
fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}
