//! Threads for encoders and decoders that use more than one.

use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};

/// The pool and the process that made it.
static POOL: Mutex<Option<(u32, Arc<ThreadPool>)>> = Mutex::new(None);

/// How many threads `asked` stands for; 0 is one for each core.
pub(crate) fn threads(asked: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, Into::into);
    if asked == 0 { cores() } else { asked }
}

/// Does `work` where up to `threads` threads can help it. Python forks: the threads of a pool do not survive that, so a
/// child makes a pool of its own.
///
/// # Errors
/// `RuntimeError` if the system gives no threads.
pub(crate) fn run<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> PyResult<T> {
    if threads <= 1 {
        return Ok(work());
    }
    let pool = {
        let mut slot = POOL.lock().unwrap_or_else(PoisonError::into_inner);
        let process = std::process::id();
        match &*slot {
            Some((owner, pool)) if *owner == process => pool.clone(),
            _ => {
                let pool = ThreadPoolBuilder::new().build();
                let pool = pool.map_err(|e| PyRuntimeError::new_err(e.to_string()))?;
                let pool = Arc::new(pool);
                // Dropping the parent's would wait for threads that are not there.
                std::mem::forget(slot.replace((process, pool.clone())));
                pool
            }
        }
    };
    Ok(pool.install(work))
}
