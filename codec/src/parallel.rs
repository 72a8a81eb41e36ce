//! Work on several executors: in parallel with the feature `rayon`, one after the other without.

use alloc::vec::Vec;

use crate::engine::Executor;

/// One executor for each thread to use.
pub(crate) fn executors(threads: usize) -> Vec<Executor> {
    let threads = if cfg!(feature = "rayon") { threads.clamp(1, 256) } else { 1 };
    (0..threads).map(|_| Executor::new()).collect()
}

/// `work` on each of `items`, each with an executor of its own (there are at least as many).
pub(crate) fn zip<I: Send, E: Send>(
    executors: &mut [Executor],
    items: Vec<I>,
    work: impl Fn(&mut Executor, I) -> Result<(), E> + Sync + Send,
) -> Result<(), E> {
    #[cfg(feature = "rayon")]
    if items.len() > 1 {
        use rayon::prelude::*;
        return executors.par_iter_mut().zip(items).try_for_each(|(e, item)| work(e, item));
    }
    executors.iter_mut().zip(items).try_for_each(|(e, item)| work(e, item))
}

/// The results of `work` for 0..count, in order; executor `e` does every `executors.len()`-th.
pub(crate) fn map<T: Send, E: Send>(
    executors: &mut [Executor],
    count: usize,
    work: impl Fn(&mut Executor, usize) -> Result<T, E> + Sync + Send,
) -> Result<Vec<T>, E> {
    let threads = executors.len().min(count).max(1);
    let mut results: Vec<Option<T>> = (0..count).map(|_| None).collect();
    // Slots of each executor: every `threads`-th, so that large and small bands mix.
    let mut slots: Vec<Vec<(usize, &mut Option<T>)>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, slot) in results.iter_mut().enumerate() {
        slots[index % threads].push((index, slot));
    }
    zip(executors, slots, |executor, slots| {
        slots.into_iter().try_for_each(|(index, slot)| {
            *slot = Some(work(executor, index)?);
            Ok(())
        })
    })?;
    Ok(results.into_iter().flatten().collect())
}
