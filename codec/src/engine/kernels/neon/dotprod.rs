//! 1×1 convolution: 16 output channels × up to six positions a tile, accumulated in registers with `sdot`.
//!
//! `sdot` wants signed bytes on both sides. Inputs U8 become `x − 128`. Inputs I16 become two planes of bytes with
//! `x = 256 · high + low + 128`. Either way `128 · Σ w` is added to the biases, and the weights serve in place. All sums
//! are modulo 2³².

use core::arch::aarch64::*;
use core::arch::asm;

use alloc::vec::Vec;

use super::Post;
use crate::engine::op::Conv1x1;
use crate::engine::{RowMut, RowRef};

/// One call. `low` and, for I16 inputs, `high` are `n · cin` bytes.
struct Call<'a> {
    op: &'a Conv1x1<'a>,
    high: Option<&'a [u8]>,
    low: &'a [u8],
    residual: Option<&'a [i16]>,
    post: Post,
}

/// # Safety
/// The processor has NEON with dot products, lengths are as `Kernels::conv1x1` checks them, and `cin % 4 == 0`.
#[target_feature(enable = "neon,dotprod")]
pub(super) unsafe fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
    scratch: &mut Vec<u8>,
) {
    let (high, low) = planes(x, scratch);
    let call = Call { op, high, low, residual, post: Post::new(op.bounds) };
    for block in 0..op.cout.div_ceil(16) {
        // SAFETY: the block exists, and as many positions from p on as the constant says.
        unsafe {
            let bias = bias(op, block);
            let mut p = 0;
            while p < n {
                p += match n - p {
                    6.. => tile::<6>(&call, block, &bias, p, &mut out),
                    2.. => tile::<2>(&call, block, &bias, p, &mut out),
                    _ => tile::<1>(&call, block, &bias, p, &mut out),
                };
            }
        }
    }
}

/// The inputs as signed bytes: for I16 the high ones, for both the low ones.
///
/// This has no `target_feature`: closures would inherit it, and could then not be inlined into `extend`.
fn planes<'s>(x: RowRef<'_>, scratch: &'s mut Vec<u8>) -> (Option<&'s [u8]>, &'s [u8]) {
    scratch.clear();
    match x {
        RowRef::U8(x) => {
            scratch.extend(x.iter().map(|&x| x ^ 0x80));
            (None, scratch)
        }
        RowRef::I16(x) => {
            scratch.extend(x.iter().map(|&x| (x >> 8) as u8));
            scratch.extend(x.iter().map(|&x| x as u8 ^ 0x80));
            let (high, low) = scratch.split_at(x.len());
            (Some(high), low)
        }
    }
}

/// `acc` plus the sums of four neighbouring products.
#[inline]
#[target_feature(enable = "neon,dotprod")]
fn dot(mut acc: int32x4_t, weights: int8x16_t, x: int8x16_t) -> int32x4_t {
    // SAFETY: the instruction touches nothing but these registers. (The intrinsic is not in stable Rust yet.)
    unsafe {
        asm!(
            "sdot {acc:v}.4s, {w:v}.16b, {x:v}.16b",
            acc = inout(vreg) acc, w = in(vreg) weights, x = in(vreg) x,
            options(pure, nomem, nostack, preserves_flags),
        );
    }
    acc
}

/// The biases of a block plus `128 · Σ w`.
///
/// # Safety
/// As [`conv1x1`]; the block exists.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn bias(op: &Conv1x1<'_>, block: usize) -> [int32x4_t; 4] {
    let mut bias = [vdupq_n_s32(0); 4];
    for (j, bias) in bias.iter_mut().enumerate() {
        // 128 is no signed byte: sum −128 · w and subtract.
        let mut sum = vdupq_n_s32(0);
        // SAFETY: vector j of each group of the block; biases are padded to whole blocks.
        unsafe {
            for i in (0..op.cin).step_by(4) {
                let w = op.weights.as_ptr().add((block * op.cin + i + j) * 16);
                sum = dot(sum, vld1q_s8(w), vdupq_n_s8(-128));
            }
            *bias = vsubq_s32(vld1q_s32(op.bias.as_ptr().add(block * 16 + 4 * j)), sum);
        }
    }
    bias
}

/// `acc + w · x` for 16 outputs at `P` positions.
///
/// # Safety
/// `x` is good for `P · cin` bytes, `w` for `16 · cin`; `cin % 4 == 0`.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn accumulate<const P: usize>(
    mut acc: [[int32x4_t; 4]; P],
    x: *const u8,
    w: *const i8,
    cin: usize,
) -> [[int32x4_t; 4]; P] {
    for i in (0..cin).step_by(4) {
        // SAFETY: group i / 4 of the block, and four bytes of each position.
        unsafe {
            let w = w.add(i * 16);
            let w = [vld1q_s8(w), vld1q_s8(w.add(16)), vld1q_s8(w.add(32)), vld1q_s8(w.add(48))];
            for (p, acc) in acc.iter_mut().enumerate() {
                let four = x.add(p * cin + i).cast::<i32>().read_unaligned();
                let four = vreinterpretq_s8_s32(vdupq_n_s32(four));
                for (acc, w) in acc.iter_mut().zip(w) {
                    *acc = dot(*acc, w, four);
                }
            }
        }
    }
    acc
}

/// Outputs of a block at `P` positions from `p` on; returns `P`.
///
/// # Safety
/// As [`conv1x1`]; block and positions exist, `bias` is the block's.
#[inline]
#[target_feature(enable = "neon,dotprod")]
unsafe fn tile<const P: usize>(
    call: &Call<'_>,
    block: usize,
    bias: &[int32x4_t; 4],
    p: usize,
    out: &mut RowMut<'_>,
) -> usize {
    let (op, first) = (call.op, block * 16);
    let mut acc = [*bias; P];
    // SAFETY: the caller's promise; scales are padded to whole blocks.
    unsafe {
        let w = op.weights.as_ptr().add(first * op.cin);
        if let Some(high) = call.high {
            let zero = [[vdupq_n_s32(0); 4]; P];
            let sums = accumulate(zero, high.as_ptr().add(p * op.cin), w, op.cin);
            for (acc, sums) in acc.iter_mut().zip(sums) {
                for (acc, sum) in acc.iter_mut().zip(sums) {
                    *acc = vaddq_s32(*acc, vshlq_n_s32::<8>(sum));
                }
            }
        }
        acc = accumulate(acc, call.low.as_ptr().add(p * op.cin), w, op.cin);
        let lanes = (op.cout - first).min(16);
        for (i, sums) in acc.into_iter().enumerate() {
            let at = (p + i) * op.cout + first;
            call.post.store(sums, op.scale.as_ptr().add(first), call.residual, out, at, lanes);
        }
    }
    P
}
