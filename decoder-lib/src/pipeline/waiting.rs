//! The bounded queue of streams that no thread has begun.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::request::Job;
use crate::Error;

/// Jobs in order of arrival, at most `capacity` of them.
#[derive(Debug)]
pub(super) struct Waiting {
    capacity: usize,
    state: Mutex<State>,
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct State {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Waiting {
    pub(super) fn new(capacity: usize) -> Self {
        Waiting { capacity, state: Mutex::default(), arrived: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a job, unless as many wait as may or the queue is closed. Jobs that nobody wants any more do not count.
    pub(super) fn push(&self, job: Job) -> Result<(), Error> {
        let mut state = self.lock();
        if state.closed {
            return Err(Error::ShuttingDown);
        }
        if state.jobs.len() >= self.capacity {
            let jobs = std::mem::take(&mut state.jobs);
            state.jobs = jobs.into_iter().filter_map(Job::still_wanted).collect();
            if state.jobs.len() >= self.capacity {
                return Err(Error::QueueFull { waiting: state.jobs.len() });
            }
        }
        state.jobs.push_back(job);
        drop(state);
        self.arrived.notify_one();
        Ok(())
    }

    /// The next job; waits for one. `None` when the queue is closed and empty.
    pub(super) fn pop(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Refuses new jobs; those that wait are still given out.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }

    pub(super) fn len(&self) -> usize {
        self.lock().jobs.len()
    }
}
