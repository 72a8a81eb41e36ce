//! Placeholder until the vector kernels are written: the scalar ones.

use super::scalar;
use crate::engine::op::{Conv1x1, Depthwise};
use crate::engine::{RowMut, RowRef};

pub(super) unsafe fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    out: RowMut<'_>,
) {
    scalar::conv1x1(op, n, x, residual, out);
}

pub(super) unsafe fn depthwise(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    out: RowMut<'_>,
) {
    scalar::depthwise(op, n, rows, residual, out, 0);
}
