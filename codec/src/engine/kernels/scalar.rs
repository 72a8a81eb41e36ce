//! Kernels in plain Rust, written so that compilers vectorise them where they can.

use super::Code;
use crate::engine::op::{COUT_BLOCK, Conv1x1, Depthwise, Table};
use crate::engine::requant::requantise;
use crate::engine::{RowMut, RowRef};

/// Runs on every processor: its functions have no condition.
pub(super) static SCALAR: Code = Code {
    name: "scalar",
    available: || true,
    conv1x1: |op, n, x, residual, out, _scratch| conv1x1(op, n, x, residual, out),
    depthwise: |op, n, rows, residual, out| depthwise(op, n, rows, residual, out, 0),
    table,
};

/// Every element by itself.
pub(super) fn table(op: &Table<'_>, x: &[i16], out: &mut [u8]) {
    for (&x, out) in x.iter().zip(out) {
        *out = look_up(op, x);
    }
}

/// One element.
#[inline(always)]
pub(super) fn look_up(op: &Table<'_>, x: i16) -> u8 {
    let last = op.table.len() as i32 - 1;
    op.table[(i32::from(x) - i32::from(op.lo)).clamp(0, last) as usize]
}

/// Reads as a 16-bit integer.
trait Element: Copy {
    fn word(self) -> i16;
}
impl Element for u8 {
    fn word(self) -> i16 {
        self.into()
    }
}
impl Element for i16 {
    fn word(self) -> i16 {
        self
    }
}

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
fn conv1x1(op: &Conv1x1<'_>, n: usize, x: RowRef<'_>, residual: Option<&[i16]>, out: RowMut<'_>) {
    match (x, out) {
        (RowRef::U8(x), RowMut::U8(o)) => conv(op, n, x, residual, o),
        (RowRef::U8(x), RowMut::I16(o)) => conv(op, n, x, residual, o),
        (RowRef::I16(x), RowMut::U8(o)) => conv(op, n, x, residual, o),
        (RowRef::I16(x), RowMut::I16(o)) => conv(op, n, x, residual, o),
    }
}

/// Positions of a tile; compilers turn these into vectors.
const TILE: usize = 8;
/// Inputs that are transposed at a time.
const CHUNK: usize = 64;

fn conv<I: Element, O: Output>(
    op: &Conv1x1<'_>,
    n: usize,
    x: &[I],
    residual: Option<&[i16]>,
    out: &mut [O],
) {
    let (cin, cout) = (op.cin, op.cout);
    let block_bytes = cin.next_multiple_of(4) * COUT_BLOCK;
    let mut transposed = [[0_i16; TILE]; CHUNK];
    for p in (0..n).step_by(TILE) {
        let positions = (n - p).min(TILE);
        let x = &x[p * cin..(p + positions) * cin];
        for (block, weights) in op.weights.chunks_exact(block_bytes).enumerate() {
            let first = block * COUT_BLOCK;
            let mut acc = [[0_i32; TILE]; COUT_BLOCK];
            for (from, weights) in (0..cin).step_by(CHUNK).zip(weights.chunks(CHUNK * COUT_BLOCK)) {
                let inputs = (cin - from).min(CHUNK);
                for (t, x) in x.chunks_exact(cin).enumerate() {
                    for (column, &x) in transposed.iter_mut().zip(&x[from..from + inputs]) {
                        column[t] = x.word();
                    }
                }
                for (lane, acc) in acc.iter_mut().enumerate() {
                    // What earlier chunks left in the last group's place meets weights of zero.
                    for (x, w) in transposed.chunks_exact(4).zip(weights.chunks_exact(64)) {
                        for (x, &w) in x.iter().zip(&w[lane * 4..lane * 4 + 4]) {
                            for (acc, &x) in acc.iter_mut().zip(x) {
                                *acc = acc.wrapping_add(i32::from(x) * i32::from(w));
                            }
                        }
                    }
                }
            }
            for (lane, acc) in acc.iter().enumerate().take(cout - first) {
                let o = first + lane;
                for (t, &acc) in acc.iter().enumerate().take(positions) {
                    let at = (p + t) * cout + o;
                    let r = residual.map_or(0, |r| i32::from(r[at]));
                    let acc = acc.wrapping_add(op.bias[o]);
                    out[at] = O::narrow(requantise(acc, op.scale[o], r, op.bounds));
                }
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
    let mut first = from;
    while first < op.channels {
        first += if op.channels - first >= 16 {
            depthwise_lanes::<16, I, O>(op, n, rows, residual, out, first)
        } else {
            depthwise_lanes::<1, I, O>(op, n, rows, residual, out, first)
        };
    }
}

/// Channels `first..first + LANES`, which exist; returns `LANES`.
fn depthwise_lanes<const LANES: usize, I: Element, O: Output>(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[&[I]; 5],
    residual: Option<&[i16]>,
    out: &mut [O],
    first: usize,
) -> usize {
    let c = op.channels;
    let mut bias = [0_i32; LANES];
    bias.copy_from_slice(&op.bias[first..first + LANES]);
    for p in 0..n {
        let mut acc = bias;
        for (dy, row) in rows.iter().enumerate().take(op.k) {
            for dx in 0..op.k {
                let x = row[(p + dx) * c + first..].first_chunk::<LANES>();
                let w = op.weights[(dy * op.k + dx) * c + first..].first_chunk::<LANES>();
                let (Some(x), Some(w)) = (x, w) else { continue };
                for ((acc, &x), &w) in acc.iter_mut().zip(x).zip(w) {
                    *acc = acc.wrapping_add(i32::from(x.word()) * i32::from(w));
                }
            }
        }
        for (lane, &acc) in acc.iter().enumerate() {
            let at = p * c + first + lane;
            let r = residual.map_or(0, |r| i32::from(r[at]));
            out[at] = O::narrow(requantise(acc, op.scale[first + lane], r, op.bounds));
        }
    }
    LANES
}
