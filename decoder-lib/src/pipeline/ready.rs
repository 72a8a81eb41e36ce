//! Latents that wait to be drawn, grouped by what can be drawn together.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pinhole::Latents;

use super::request::Job;
use crate::backend::{Backend, Style};
use crate::{DecoderKind, Model, Timing};

/// A job whose latents are decoded.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) job: Job,
    pub(super) latents: Arc<Latents>,
    pub(super) timing: Timing,
    pub(super) since: Instant,
}

/// What a batch has in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Key {
    pub(super) model: Model,
    pub(super) decoder: DecoderKind,
    pub(super) style: Style,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// Items that can be drawn together, the oldest first.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) key: Key,
    pub(super) backend: Arc<dyn Backend>,
    pub(super) items: Vec<Item>,
}

/// How much may lie here, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Items; one more may be taken by each thread that is pushing.
    pub(super) items: usize,
    /// Bytes of latents, likewise.
    pub(super) bytes: usize,
    /// Items of a batch.
    pub(super) batch: usize,
    /// How long an item waits for others.
    pub(super) delay: Duration,
}

/// Groups, in order of their first item's arrival.
#[derive(Debug)]
pub(super) struct Ready {
    bounds: Bounds,
    state: Mutex<State>,
    /// Something may be drawn.
    filled: Condvar,
    /// There is room.
    drained: Condvar,
}

#[derive(Debug, Default)]
struct State {
    groups: VecDeque<Batch>,
    items: usize,
    bytes: usize,
    closed: bool,
}

fn bytes(latents: &Latents) -> usize {
    size_of_val(latents.values()) + latents.alpha().map_or(0, <[u8]>::len)
}

impl Ready {
    pub(super) fn new(bounds: Bounds) -> Self {
        Ready { bounds, state: Mutex::default(), filled: Condvar::new(), drained: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is room: so threads that decode latents are never far ahead.
    pub(super) fn wait_for_room(&self) {
        let mut state = self.lock();
        while state.items >= self.bounds.items || state.bytes >= self.bounds.bytes {
            state = self.drained.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Adds an item to its group.
    pub(super) fn push(&self, key: Key, backend: &Arc<dyn Backend>, item: Item) {
        let most = self.largest(&**backend);
        let mut state = self.lock();
        state.items += 1;
        state.bytes += bytes(&item.latents);
        let open = state.groups.iter_mut().find(|g| g.key == key && g.items.len() < most);
        match open {
            Some(group) => group.items.push(item),
            None => {
                let backend = backend.clone();
                state.groups.push_back(Batch { key, backend, items: vec![item] });
            }
        }
        drop(state);
        self.filled.notify_one();
    }

    fn largest(&self, backend: &dyn Backend) -> usize {
        self.bounds.batch.min(backend.largest_batch()).max(1)
    }

    /// The next batch that is full or has waited long enough; waits for one. `None` when closed and empty.
    pub(super) fn pop(&self) -> Option<Batch> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            // Groups are in order of age: the first that is due is the oldest, and the first of all is the next due.
            let due =
                |g: &Batch| g.items.first().map_or(now, |item| item.since) + self.bounds.delay;
            let closed = state.closed;
            let can_go =
                |g: &Batch| closed || g.items.len() >= self.largest(&*g.backend) || due(g) <= now;
            if let Some(at) = state.groups.iter().position(can_go)
                && let Some(batch) = state.groups.remove(at)
            {
                state.items -= batch.items.len();
                state.bytes -= batch.items.iter().map(|i| bytes(&i.latents)).sum::<usize>();
                let more = !state.groups.is_empty();
                drop(state);
                self.drained.notify_all();
                if more {
                    self.filled.notify_one();
                }
                return Some(batch);
            }
            if closed {
                return None;
            }
            state = match state.groups.front().map(due) {
                Some(due) => {
                    let wait = due.saturating_duration_since(now);
                    let waited = self.filled.wait_timeout(state, wait);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.filled.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// No more will come: what is here goes out without waiting for others.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().items
    }
}
