//! Depthwise convolution: 16 channels at a time, in 16-bit products; the channels that are left go to the scalar kernel.

use core::arch::aarch64::*;

use super::Post;
use crate::engine::kernels::scalar;
use crate::engine::op::Depthwise;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// The processor has NEON and lengths are as `Kernels::depthwise` checks them.
#[target_feature(enable = "neon")]
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
#[target_feature(enable = "neon")]
unsafe fn block<const K: usize>(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
    first: usize,
) {
    let c = op.channels;
    let post = Post::new(op.bounds);
    let mut weights = [[[vdupq_n_s16(0); 2]; K]; K];
    // SAFETY: every access is to the 16 channels from `first` on, at a tap, a column `p + dx <= n + K − 2` of one of the
    // K rows, or a position below n, all of which exist.
    unsafe {
        for (dy, weights) in weights.iter_mut().enumerate() {
            for (dx, weights) in weights.iter_mut().enumerate() {
                let w = vld1q_s8(op.weights.as_ptr().add((dy * K + dx) * c + first));
                *weights = [vmovl_s8(vget_low_s8(w)), vmovl_high_s8(w)];
            }
        }
        let bias = op.bias.as_ptr().add(first);
        let bias = [
            vld1q_s32(bias),
            vld1q_s32(bias.add(4)),
            vld1q_s32(bias.add(8)),
            vld1q_s32(bias.add(12)),
        ];
        for p in 0..n {
            let mut acc = bias;
            for (row, weights) in rows.iter().zip(&weights) {
                for (dx, w) in weights.iter().enumerate() {
                    let x = load(row, (p + dx) * c + first);
                    acc[0] = vmlal_s16(acc[0], vget_low_s16(x[0]), vget_low_s16(w[0]));
                    acc[1] = vmlal_high_s16(acc[1], x[0], w[0]);
                    acc[2] = vmlal_s16(acc[2], vget_low_s16(x[1]), vget_low_s16(w[1]));
                    acc[3] = vmlal_high_s16(acc[3], x[1], w[1]);
                }
            }
            post.store(acc, op.scale.as_ptr().add(first), residual, out, p * c + first, 16);
        }
    }
}

/// 16 inputs from `at` on.
///
/// # Safety
/// They exist.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn load(row: &RowRef<'_>, at: usize) -> [int16x8_t; 2] {
    // SAFETY: the caller's promise.
    unsafe {
        match row {
            RowRef::U8(r) => {
                let x = vld1q_u8(r.as_ptr().add(at));
                let (low, high) = (vmovl_u8(vget_low_u8(x)), vmovl_high_u8(x));
                [vreinterpretq_s16_u16(low), vreinterpretq_s16_u16(high)]
            }
            RowRef::I16(r) => {
                let r = r.as_ptr().add(at);
                [vld1q_s16(r), vld1q_s16(r.add(8))]
            }
        }
    }
}
