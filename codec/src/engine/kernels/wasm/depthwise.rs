//! Depthwise convolution: 16 channels at a time, pairs of rows interleaved for `i32x4.dot_i16x8`; the channels that are
//! left go to the scalar kernel.

use core::arch::wasm32::*;

use super::Post;
use crate::engine::kernels::scalar;
use crate::engine::op::Depthwise;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// Lengths are as `Kernels::depthwise` checks them.
pub(super) unsafe fn depthwise(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
) {
    let whole = op.channels / 16 * 16;
    for first in (0..whole).step_by(16) {
        // SAFETY: 16 channels from `first` on exist.
        unsafe {
            match op.k {
                3 => block::<3>(op, n, rows, residual, &mut out, first),
                _ => block::<5>(op, n, rows, residual, &mut out, first),
            }
        }
    }
    if whole < op.channels {
        scalar::depthwise(op, n, rows, residual, out, whole);
    }
}

/// # Safety
/// As [`depthwise`], for kernel side `K`, and 16 channels from `first` on exist.
unsafe fn block<const K: usize>(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
    first: usize,
) {
    let c = op.channels;
    let zero = i32x4_splat(0);
    let post = Post::new(op.bounds);
    let mut weights = [[[zero; 4]; 3]; K];
    // SAFETY: every access is to the 16 channels from `first` on, at a tap, a column `p + dx <= n + K − 2` of one of the
    // K rows, or a position below n, all of which exist.
    unsafe {
        let tap = |dy: usize, dx: usize| {
            if dy >= K {
                return [zero; 2];
            }
            let w = op.weights.as_ptr().add((dy * K + dx) * c + first);
            [i16x8_load_extend_i8x8(w), i16x8_load_extend_i8x8(w.add(8))]
        };
        for (dx, weights) in weights.iter_mut().enumerate() {
            for (pair, weights) in weights.iter_mut().enumerate() {
                *weights = interleave(tap(2 * pair, dx), tap(2 * pair + 1, dx));
            }
        }
        let load = |dy: usize, at: usize| match rows.get(dy) {
            None => [zero; 2],
            Some(RowRef::U8(r)) => {
                let r = r.as_ptr().add(at);
                [u16x8_load_extend_u8x8(r), u16x8_load_extend_u8x8(r.add(8))]
            }
            Some(RowRef::I16(r)) => {
                let r = r.as_ptr().add(at).cast::<v128>();
                [v128_load(r), v128_load(r.add(1))]
            }
        };
        let (bias, scale) = (op.bias.as_ptr().add(first), op.scale.as_ptr().add(first));
        for p in 0..n {
            let mut acc = [zero; 4];
            for (dx, weights) in weights.iter().enumerate() {
                let at = (p + dx) * c + first;
                for (pair, weights) in weights.iter().enumerate().take(K.div_ceil(2)) {
                    let x = interleave(load(2 * pair, at), load(2 * pair + 1, at));
                    for ((acc, x), &w) in acc.iter_mut().zip(x).zip(weights) {
                        *acc = i32x4_add(*acc, i32x4_dot_i16x8(x, w));
                    }
                }
            }
            post.store(acc, bias, scale, residual, out, p * c + first, 16);
        }
    }
}

/// Element by element: the first of `a`, the first of `b`, the second of `a`, and so on.
#[inline]
fn interleave(a: [v128; 2], b: [v128; 2]) -> [v128; 4] {
    [
        i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a[0], b[0]),
        i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a[0], b[0]),
        i16x8_shuffle::<0, 8, 1, 9, 2, 10, 3, 11>(a[1], b[1]),
        i16x8_shuffle::<4, 12, 5, 13, 6, 14, 7, 15>(a[1], b[1]),
    ]
}
