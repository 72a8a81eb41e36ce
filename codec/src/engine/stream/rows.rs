//! The operations that only move elements, on single rows.

use crate::engine::{RowMut, RowRef};

/// Elements of eight RGB pixels, the commonest run: copies of a length that is known need no call.
const PIXELS: usize = 24;

/// Row `dy` of blocks of side `b` into its share of a deeper row: `run` = b · channels elements at a time.
pub(super) fn space_to_depth(from: RowRef<'_>, to: RowMut<'_>, run: usize, b: usize, dy: usize) {
    fn go<T: Copy>(from: &[T], to: &mut [T], run: usize, b: usize, dy: usize) {
        if run == PIXELS {
            let (from, _) = from.as_chunks::<PIXELS>();
            for (from, to) in from.iter().zip(to.chunks_exact_mut(PIXELS * b)) {
                to[dy * PIXELS..(dy + 1) * PIXELS].copy_from_slice(from);
            }
            return;
        }
        for (from, to) in from.chunks_exact(run).zip(to.chunks_exact_mut(run * b)) {
            to[dy * run..(dy + 1) * run].copy_from_slice(from);
        }
    }
    match (from, to) {
        (RowRef::U8(f), RowMut::U8(t)) => go(f, t, run, b, dy),
        (RowRef::I16(f), RowMut::I16(t)) => go(f, t, run, b, dy),
        _ => {}
    }
}

/// The inverse: row `dy` of the blocks out of a deeper row.
pub(super) fn depth_to_space(from: RowRef<'_>, to: RowMut<'_>, run: usize, b: usize, dy: usize) {
    fn go<T: Copy>(from: &[T], to: &mut [T], run: usize, b: usize, dy: usize) {
        if run == PIXELS {
            let (to, _) = to.as_chunks_mut::<PIXELS>();
            for (from, to) in from.chunks_exact(PIXELS * b).zip(to) {
                to.copy_from_slice(&from[dy * PIXELS..(dy + 1) * PIXELS]);
            }
            return;
        }
        for (from, to) in from.chunks_exact(run * b).zip(to.chunks_exact_mut(run)) {
            to.copy_from_slice(&from[dy * run..(dy + 1) * run]);
        }
    }
    match (from, to) {
        (RowRef::U8(f), RowMut::U8(t)) => go(f, t, run, b, dy),
        (RowRef::I16(f), RowMut::I16(t)) => go(f, t, run, b, dy),
        _ => {}
    }
}

/// Copies the `c` channels of every position of `from` to channel `at` on of `to`, which has `channels` of them.
pub(super) fn concat(from: RowRef<'_>, c: usize, to: RowMut<'_>, channels: usize, at: usize) {
    fn go<T: Copy>(from: &[T], c: usize, to: &mut [T], channels: usize, at: usize) {
        for (from, to) in from.chunks_exact(c).zip(to.chunks_exact_mut(channels)) {
            to[at..at + c].copy_from_slice(from);
        }
    }
    match (from, to) {
        (RowRef::U8(f), RowMut::U8(t)) => go(f, c, t, channels, at),
        (RowRef::I16(f), RowMut::I16(t)) => go(f, c, t, channels, at),
        _ => {}
    }
}
