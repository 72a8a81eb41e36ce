//! 1×1 convolution: 16 output channels × up to two positions a tile, with sums of pairs of 16-bit products.
//!
//! A group of weights is 16 outputs × 4 inputs; widened to 16 bits it is eight vectors of 2 × 4. One `i32x4.dot_i16x8`
//! with the four inputs leaves two partial sums an output, which are added at the end.

use core::arch::wasm32::*;

use alloc::vec::Vec;

use super::Post;
use crate::engine::op::Conv1x1;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// Lengths are as `Kernels::conv1x1` checks them, and `cin % 4 == 0`.
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
            // SAFETY: the block exists, and one or two positions from p on do.
            p += unsafe {
                match n - p {
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
        let (bias, scale) = (op.bias.as_ptr().add(first), op.scale.as_ptr().add(first));
        let lanes = (op.cout - first).min(16);
        for (i, sums) in sums.into_iter().enumerate() {
            post.store(sums, bias, scale, residual, out, (p + i) * op.cout + first, lanes);
        }
    }
    P
}

/// The sums, without bias, of 16 outputs at `P` positions.
///
/// # Safety
/// `x` is good for `P · cin` elements of its type and the block exists; `cin % 4 == 0`.
#[allow(clippy::needless_range_loop, reason = "two arrays are indexed")]
#[inline]
unsafe fn sums<const P: usize, const U8IN: bool>(
    op: &Conv1x1<'_>,
    x: *const u8,
    block: usize,
) -> [[v128; 4]; P] {
    let mut acc = [[i32x4_splat(0); 8]; P];
    // SAFETY: all offsets are within the block and the positions, see above.
    unsafe {
        let w = op.weights.as_ptr().add(block * 16 * op.cin);
        for i in (0..op.cin).step_by(4) {
            let mut four = [i32x4_splat(0); P];
            for (p, four) in four.iter_mut().enumerate() {
                *four = if U8IN {
                    u16x8_extend_low_u8x16(v128_load32_splat(x.add(p * op.cin + i).cast()))
                } else {
                    v128_load64_splat(x.add(2 * (p * op.cin + i)).cast())
                };
            }
            for j in 0..8 {
                let weights = i16x8_load_extend_i8x8(w.add(i * 16 + j * 8));
                for p in 0..P {
                    acc[p][j] = i32x4_add(acc[p][j], i32x4_dot_i16x8(four[p], weights));
                }
            }
        }
    }
    acc.map(|a| {
        [(a[0], a[1]), (a[2], a[3]), (a[4], a[5]), (a[6], a[7])].map(|(l, h)| {
            i32x4_add(i32x4_shuffle::<0, 2, 4, 6>(l, h), i32x4_shuffle::<1, 3, 5, 7>(l, h))
        })
    })
}
