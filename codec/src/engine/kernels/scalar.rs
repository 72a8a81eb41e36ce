//! Kernels in plain Rust, written so that compilers vectorise them where they can.

use crate::engine::op::{COUT_BLOCK, Conv1x1, Depthwise};
use crate::engine::requant::requantise;
use crate::engine::{RowMut, RowRef};

/// Reads as a 32-bit integer.
trait Element: Copy + Into<i32> {}
impl Element for u8 {}
impl Element for i16 {}

/// Stores a value that is known to be in range.
trait Output: Copy {
    fn narrow(v: i32) -> Self;
}
impl Output for u8 {
    fn narrow(v: i32) -> u8 {
        v as u8
    }
}
impl Output for i16 {
    fn narrow(v: i32) -> i16 {
        v as i16
    }
}

/// Lengths as [`super::Kernels::conv1x1`] checks them.
pub(super) fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    out: RowMut<'_>,
) {
    match (x, out) {
        (RowRef::U8(x), RowMut::U8(o)) => conv(op, n, x, residual, o),
        (RowRef::U8(x), RowMut::I16(o)) => conv(op, n, x, residual, o),
        (RowRef::I16(x), RowMut::U8(o)) => conv(op, n, x, residual, o),
        (RowRef::I16(x), RowMut::I16(o)) => conv(op, n, x, residual, o),
    }
}

fn conv<I: Element, O: Output>(
    op: &Conv1x1<'_>,
    n: usize,
    x: &[I],
    residual: Option<&[i16]>,
    out: &mut [O],
) {
    let (cin, cout) = (op.cin, op.cout);
    let block_bytes = cin.next_multiple_of(4) * COUT_BLOCK;
    for p in 0..n {
        let x = &x[p * cin..(p + 1) * cin];
        for (block, weights) in op.weights.chunks_exact(block_bytes).enumerate() {
            let first = block * COUT_BLOCK;
            let mut acc = [0_i32; COUT_BLOCK];
            acc.copy_from_slice(&op.bias[first..first + COUT_BLOCK]);
            for (x, w) in x.chunks(4).zip(weights.chunks_exact(64)) {
                for (i, &x) in x.iter().enumerate() {
                    let x: i32 = x.into();
                    for (lane, acc) in acc.iter_mut().enumerate() {
                        *acc = acc.wrapping_add(x * i32::from(w[lane * 4 + i]));
                    }
                }
            }
            for (lane, &acc) in acc.iter().enumerate().take(cout - first) {
                let o = first + lane;
                let r = residual.map_or(0, |r| i32::from(r[p * cout + o]));
                out[p * cout + o] = O::narrow(requantise(acc, op.scale[o], r, op.bounds));
            }
        }
    }
}

/// Lengths as [`super::Kernels::depthwise`] checks them; computes channels from `from` on.
pub(super) fn depthwise(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    out: RowMut<'_>,
    from: usize,
) {
    match rows[0] {
        RowRef::U8(first) => {
            let mut list = [first; 5];
            for (slot, row) in list.iter_mut().zip(rows) {
                *slot = row.as_u8().unwrap_or_default();
            }
            depthwise_from(op, n, &list, residual, out, from);
        }
        RowRef::I16(first) => {
            let mut list = [first; 5];
            for (slot, row) in list.iter_mut().zip(rows) {
                *slot = row.as_i16().unwrap_or_default();
            }
            depthwise_from(op, n, &list, residual, out, from);
        }
    }
}

fn depthwise_from<I: Element>(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[&[I]; 5],
    residual: Option<&[i16]>,
    out: RowMut<'_>,
    from: usize,
) {
    match out {
        RowMut::U8(o) => depthwise_to(op, n, rows, residual, o, from),
        RowMut::I16(o) => depthwise_to(op, n, rows, residual, o, from),
    }
}

fn depthwise_to<I: Element, O: Output>(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[&[I]; 5],
    residual: Option<&[i16]>,
    out: &mut [O],
    from: usize,
) {
    const LANES: usize = 16;
    let c = op.channels;
    let mut first = from;
    while first < c {
        let lanes = (c - first).min(LANES);
        for p in 0..n {
            let mut acc = [0_i32; LANES];
            acc[..lanes].copy_from_slice(&op.bias[first..first + lanes]);
            for (dy, row) in rows.iter().enumerate().take(op.k) {
                for dx in 0..op.k {
                    let x = &row[(p + dx) * c + first..][..lanes];
                    let w = &op.weights[(dy * op.k + dx) * c + first..][..lanes];
                    for ((acc, &x), &w) in acc.iter_mut().zip(x).zip(w) {
                        *acc = acc.wrapping_add(x.into() * i32::from(w));
                    }
                }
            }
            for (lane, &acc) in acc[..lanes].iter().enumerate() {
                let at = p * c + first + lane;
                let r = residual.map_or(0, |r| i32::from(r[at]));
                out[at] = O::narrow(requantise(acc, op.scale[first + lane], r, op.bounds));
            }
        }
        first += lanes;
    }
}
