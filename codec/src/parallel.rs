//! Work on several workers: in parallel with the feature `rayon`, one after the other without.

use alloc::vec::Vec;
use core::ops::Range;

/// One worker for each thread to use.
pub(crate) fn workers<W>(threads: usize, new: impl FnMut() -> W) -> Vec<W> {
    let threads = if cfg!(feature = "rayon") { threads.clamp(1, 256) } else { 1 };
    core::iter::repeat_with(new).take(threads).collect()
}

/// `units` in so many ranges of like length, in order; fewer if there are fewer units, one if there are none.
pub(crate) fn ranges(units: usize, workers: usize) -> impl Iterator<Item = Range<usize>> {
    let count = workers.min(units).max(1);
    (0..count).map(move |n| units * n / count..units * (n + 1) / count)
}

/// `work` on each of `items`, each with a worker of its own (there are at least as many).
pub(crate) fn zip<W: Send, I: Send, E: Send>(
    workers: &mut [W],
    items: Vec<I>,
    work: impl Fn(&mut W, I) -> Result<(), E> + Sync + Send,
) -> Result<(), E> {
    #[cfg(feature = "rayon")]
    if items.len() > 1 {
        use rayon::prelude::*;
        return workers.par_iter_mut().zip(items).try_for_each(|(w, item)| work(w, item));
    }
    workers.iter_mut().zip(items).try_for_each(|(w, item)| work(w, item))
}

/// The results of `work` on each of `items`, in order; worker `w` does every `workers.len()`-th.
pub(crate) fn map<W: Send, I: Send, T: Send, E: Send>(
    workers: &mut [W],
    items: impl ExactSizeIterator<Item = I>,
    work: impl Fn(&mut W, I) -> Result<T, E> + Sync + Send,
) -> Result<Vec<T>, E> {
    let threads = workers.len().min(items.len()).max(1);
    let mut results: Vec<Option<T>> = (0..items.len()).map(|_| None).collect();
    let mut shares: Vec<Vec<(I, &mut Option<T>)>> = (0..threads).map(|_| Vec::new()).collect();
    for (index, job) in items.zip(&mut results).enumerate() {
        shares[index % threads].push(job);
    }
    zip(workers, shares, |worker, share| {
        share.into_iter().try_for_each(|(item, slot)| {
            *slot = Some(work(worker, item)?);
            Ok(())
        })
    })?;
    Ok(results.into_iter().flatten().collect())
}
