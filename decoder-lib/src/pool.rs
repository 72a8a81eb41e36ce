//! Objects that are expensive to make and used by one thread at a time.

use std::sync::{Mutex, PoisonError};

/// Idle objects of one kind.
#[derive(Debug)]
pub(crate) struct Pool<T> {
    idle: Mutex<Vec<T>>,
    /// Objects kept when idle.
    keep: usize,
}

impl<T> Pool<T> {
    pub(crate) fn new(keep: usize) -> Self {
        Pool { idle: Mutex::new(Vec::new()), keep }
    }

    /// Work with an idle object, or a new one if all are busy. One that was in use during a panic is not used again.
    pub(crate) fn with<R, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
        work: impl FnOnce(&mut T) -> Result<R, E>,
    ) -> Result<R, E> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut object = match idle {
            Some(object) => object,
            None => make()?,
        };
        let result = work(&mut object);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.keep {
            idle.push(object);
        }
        result
    }
}
