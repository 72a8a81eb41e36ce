//! 1×1 convolution without dot products: 16 output channels × up to four positions a tile, `smlal` by element.
//!
//! A group of weights is 16 outputs × 4 inputs. Loading it with `ld4` leaves one vector of 16 outputs for each input;
//! widened to 16 bits it is multiplied by that input at each position.

use core::arch::aarch64::*;

use alloc::vec::Vec;

use super::Post;
use crate::engine::op::Conv1x1;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// The processor has NEON, lengths are as `Kernels::conv1x1` checks them, and `cin % 4 == 0`.
#[target_feature(enable = "neon")]
pub(super) unsafe fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
    _scratch: &mut Vec<u8>,
) {
    let post = Post::new(op.bounds);
    for block in 0..op.cout.div_ceil(16) {
        let mut p = 0;
        while p < n {
            // SAFETY: the block exists, and as many positions from p on as the constant says.
            p += unsafe {
                match n - p {
                    4.. => tile::<4>(op, &post, block, p, x, residual, &mut out),
                    2.. => tile::<2>(op, &post, block, p, x, residual, &mut out),
                    _ => tile::<1>(op, &post, block, p, x, residual, &mut out),
                }
            };
        }
    }
}

/// Outputs of a block at `P` positions from `p` on; returns `P`.
///
/// # Safety
/// As [`conv1x1`]; block and positions exist.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn tile<const P: usize>(
    op: &Conv1x1<'_>,
    post: &Post,
    block: usize,
    p: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
) -> usize {
    let first = block * 16;
    // SAFETY: the caller's promise; biases and scales are padded to whole blocks.
    unsafe {
        let sums = match x {
            RowRef::U8(x) => sums::<P, true>(op, x.as_ptr().add(p * op.cin), block),
            RowRef::I16(x) => sums::<P, false>(op, x.as_ptr().add(p * op.cin).cast(), block),
        };
        let lanes = (op.cout - first).min(16);
        for (i, sums) in sums.into_iter().enumerate() {
            let at = (p + i) * op.cout + first;
            post.store(sums, op.scale.as_ptr().add(first), residual, out, at, lanes);
        }
    }
    P
}

/// The sums, with bias, of 16 outputs at `P` positions.
///
/// # Safety
/// `x` is good for `P · cin` elements of its type and the block exists; `cin % 4 == 0`.
#[inline]
#[target_feature(enable = "neon")]
unsafe fn sums<const P: usize, const U8IN: bool>(
    op: &Conv1x1<'_>,
    x: *const u8,
    block: usize,
) -> [[int32x4_t; 4]; P] {
    // SAFETY: all offsets are within the block and the positions, see above.
    unsafe {
        let bias = op.bias.as_ptr().add(block * 16);
        let bias = [
            vld1q_s32(bias),
            vld1q_s32(bias.add(4)),
            vld1q_s32(bias.add(8)),
            vld1q_s32(bias.add(12)),
        ];
        let mut acc = [bias; P];
        let w = op.weights.as_ptr().add(block * 16 * op.cin);
        for i in (0..op.cin).step_by(4) {
            let mut four = [vdup_n_s16(0); P];
            for (p, four) in four.iter_mut().enumerate() {
                *four = if U8IN {
                    let bytes = x.add(p * op.cin + i).cast::<u32>().read_unaligned();
                    let words = vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(bytes)));
                    vreinterpret_s16_u16(vget_low_u16(words))
                } else {
                    vld1_s16(x.cast::<i16>().add(p * op.cin + i))
                };
            }
            let weights = vld4q_s8(w.add(i * 16));
            input::<0, P>(&mut acc, weights.0, &four);
            input::<1, P>(&mut acc, weights.1, &four);
            input::<2, P>(&mut acc, weights.2, &four);
            input::<3, P>(&mut acc, weights.3, &four);
        }
        acc
    }
}

/// Adds the products of one input, element `I` of `four`, at `P` positions.
#[inline]
#[target_feature(enable = "neon")]
fn input<const I: i32, const P: usize>(
    acc: &mut [[int32x4_t; 4]; P],
    weights: int8x16_t,
    four: &[int16x4_t; P],
) {
    let (low, high) = (vmovl_s8(vget_low_s8(weights)), vmovl_high_s8(weights));
    for (acc, &four) in acc.iter_mut().zip(four) {
        acc[0] = vmlal_lane_s16::<I>(acc[0], vget_low_s16(low), four);
        acc[1] = vmlal_high_lane_s16::<I>(acc[1], low, four);
        acc[2] = vmlal_lane_s16::<I>(acc[2], vget_low_s16(high), four);
        acc[3] = vmlal_high_lane_s16::<I>(acc[3], high, four);
    }
}
