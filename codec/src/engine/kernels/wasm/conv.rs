//! 1×1 convolution: 8 output channels × 4 positions a tile, with sums of pairs of 16-bit products.
//!
//! `i32x4.dot_i16x8` multiplies eight pairs and adds neighbours. Its operands here are two inputs of one position, four
//! times, and the weights of four outputs for these two inputs. Both are laid out for it once a row, in `scratch`, so that
//! the inner loop only loads, multiplies and adds.
//!
//! A turn of that loop has eight sums and loads six operands, because V8 loads all of them first: with one product that
//! makes fifteen values, as many as it has registers for on x86. Larger tiles, and two pairs a turn, are slower by a fourth.

use core::arch::wasm32::*;

use alloc::vec::Vec;

use super::Post;
use crate::engine::op::Conv1x1;
use crate::engine::{RowMut, RowRef};

/// Positions of a tile.
const TILE: usize = 4;

/// # Safety
/// Lengths are as `Kernels::conv1x1` checks them, and `cin % 4 == 0`.
pub(super) unsafe fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
    scratch: &mut Vec<u8>,
) {
    // Words of 16 bits: all inputs, then the weights of a block.
    let (inputs, weights) = (n * op.cin, 16 * op.cin);
    let needed = 2 * (inputs + weights);
    if scratch.len() < needed {
        scratch.resize(needed, 0);
    }
    let post = Post::new(op.bounds);
    // SAFETY: `scratch` has room for both parts; `pack_inputs` fills the first, `pack_weights` the second; the blocks exist
    // and so do the positions from p on.
    unsafe {
        let packed = scratch.as_mut_ptr();
        let weights = packed.add(2 * inputs);
        pack_inputs(op.cin, n, x, packed);
        for block in 0..op.cout.div_ceil(16) {
            pack_weights(op, block, weights);
            let mut p = 0;
            while p < n {
                let x = packed.add(2 * p * op.cin).cast_const();
                p += match n - p {
                    TILE.. => tile::<TILE>(op, &post, block, p, x, weights, residual, &mut out),
                    3 => tile::<3>(op, &post, block, p, x, weights, residual, &mut out),
                    2 => tile::<2>(op, &post, block, p, x, weights, residual, &mut out),
                    _ => tile::<1>(op, &post, block, p, x, weights, residual, &mut out),
                };
            }
        }
    }
}

/// Writes the inputs as words: for each tile, for each pair of inputs, the pair of each of its positions.
///
/// # Safety
/// `x` has `n · cin` elements, `cin % 4 == 0`, and `out` is good for writing as many words.
unsafe fn pack_inputs(cin: usize, n: usize, x: RowRef<'_>, out: *mut u8) {
    for first in (0..n).step_by(TILE) {
        let positions = (n - first).min(TILE);
        let eights = if positions == TILE { cin / 8 } else { 0 };
        // SAFETY: inputs i to i + 7 (or + 3) of the tile's positions exist; their place is within its `positions · cin` words.
        unsafe {
            let tile = out.add(2 * first * cin);
            for i in (0..8 * eights).step_by(8) {
                let row = |p: usize| match x {
                    RowRef::U8(x) => u16x8_load_extend_u8x8(x.as_ptr().add((first + p) * cin + i)),
                    RowRef::I16(x) => v128_load(x.as_ptr().add((first + p) * cin + i).cast()),
                };
                let pairs = transpose([row(0), row(1), row(2), row(3)]);
                for (pair, words) in pairs.into_iter().enumerate() {
                    v128_store(tile.add(8 * i + 16 * pair).cast(), words);
                }
            }
            for p in first..first + positions {
                for i in (8 * eights..cin).step_by(4) {
                    let four = match x {
                        RowRef::U8(x) => u16x8_extend_low_u8x16(v128_load32_zero(
                            x.as_ptr().add(p * cin + i).cast(),
                        )),
                        RowRef::I16(x) => v128_load64_zero(x.as_ptr().add(p * cin + i).cast()),
                    };
                    let to = tile.add(2 * positions * i + 4 * (p - first));
                    v128_store32_lane::<0>(four, to.cast());
                    v128_store32_lane::<1>(four, to.add(4 * positions).cast());
                }
            }
        }
    }
}

/// Four vectors of four pairs, by pair.
#[inline]
fn transpose([a, b, c, d]: [v128; TILE]) -> [v128; TILE] {
    let low = [i32x4_shuffle::<0, 4, 1, 5>(a, b), i32x4_shuffle::<0, 4, 1, 5>(c, d)];
    let high = [i32x4_shuffle::<2, 6, 3, 7>(a, b), i32x4_shuffle::<2, 6, 3, 7>(c, d)];
    [
        i64x2_shuffle::<0, 2>(low[0], low[1]),
        i64x2_shuffle::<1, 3>(low[0], low[1]),
        i64x2_shuffle::<0, 2>(high[0], high[1]),
        i64x2_shuffle::<1, 3>(high[0], high[1]),
    ]
}

/// Writes a block's weights as words: for its first eight outputs and then the others, for each pair of inputs, the pair
/// of each output.
///
/// # Safety
/// The block exists, `cin % 4 == 0`, and `out` is good for writing `16 · cin` words.
unsafe fn pack_weights(op: &Conv1x1<'_>, block: usize, out: *mut u8) {
    // SAFETY: a block has `16 · cin` weights, in groups of 16 outputs × 4 inputs.
    unsafe {
        let from = op.weights.as_ptr().add(block * 16 * op.cin);
        for half in 0..2 {
            for i in (0..op.cin).step_by(4) {
                let w = from.add(16 * i + 32 * half);
                let to = out.add(16 * op.cin * half + 16 * i).cast::<v128>();
                let two = |at: usize| i16x8_load_extend_i8x8(w.add(at));
                let (a, b, c, d) = (two(0), two(8), two(16), two(24));
                v128_store(to, i32x4_shuffle::<0, 2, 4, 6>(a, b));
                v128_store(to.add(1), i32x4_shuffle::<0, 2, 4, 6>(c, d));
                v128_store(to.add(2), i32x4_shuffle::<1, 3, 5, 7>(a, b));
                v128_store(to.add(3), i32x4_shuffle::<1, 3, 5, 7>(c, d));
            }
        }
    }
}

/// Outputs of a block at `P` positions from `p` on; returns `P`.
///
/// # Safety
/// As [`conv1x1`]; block and positions exist; `x` and `weights` are the tile's and the block's, packed.
#[allow(clippy::too_many_arguments, reason = "a tile of a whole convolution")]
#[inline]
unsafe fn tile<const P: usize>(
    op: &Conv1x1<'_>,
    post: &Post,
    block: usize,
    p: usize,
    x: *const u8,
    weights: *const u8,
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
) -> usize {
    let first = block * 16;
    // SAFETY: the caller's promise; biases and scales are padded to whole blocks.
    unsafe {
        let low = sums::<P>(op.cin, x, weights);
        let high = sums::<P>(op.cin, x, weights.add(16 * op.cin));
        let (bias, scale) = (op.bias.as_ptr().add(first), op.scale.as_ptr().add(first));
        let lanes = (op.cout - first).min(16);
        for (i, (low, high)) in low.into_iter().zip(high).enumerate() {
            let sums = [low[0], low[1], high[0], high[1]];
            post.store(sums, bias, scale, residual, out, (p + i) * op.cout + first, lanes);
        }
    }
    P
}

/// The sums, without bias, of eight outputs at `P` positions.
///
/// # Safety
/// `x` is good for `2 · P · cin` bytes and `w` for `16 · cin`; `cin % 4 == 0`.
#[inline(never)]
unsafe fn sums<const P: usize>(cin: usize, mut x: *const u8, mut w: *const u8) -> [[v128; 2]; P] {
    let mut acc = [[i32x4_splat(0); 2]; P];
    for _ in 0..cin / 2 {
        // SAFETY: a pair of inputs is 4 bytes a position and 32 bytes of weights.
        unsafe {
            let (a, b) = (v128_load(w.cast()), v128_load(w.add(16).cast()));
            for (p, acc) in acc.iter_mut().enumerate() {
                let x = v128_load32_splat(x.add(4 * p).cast());
                acc[0] = i32x4_add(acc[0], i32x4_dot_i16x8(x, a));
                acc[1] = i32x4_add(acc[1], i32x4_dot_i16x8(x, b));
            }
            x = x.add(4 * P);
            w = w.add(32);
        }
    }
    acc
}
