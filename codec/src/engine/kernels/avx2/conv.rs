//! 1×1 convolution: 16 output channels × up to six positions a tile.
//!
//! A group of weights is 16 outputs × 4 inputs. As bytes it is two vectors whose products with four inputs are summed
//! by one instruction, where there is one. Widened to 16 bits it is four vectors of 4 × 4: a sum of pairs leaves two
//! partial sums an output, which are added at the end.

use core::arch::x86_64::*;

use super::{Dot, Post};
use crate::engine::op::Conv1x1;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// The processor has AVX2 and what `D` needs, lengths are as `Kernels::conv1x1` checks them, and `cin % 4 == 0`.
#[inline(always)]
pub(super) unsafe fn conv1x1<D: Dot>(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
) {
    // SAFETY: the processor is as promised; the block exists, and as many positions from p on as the constant says.
    unsafe {
        let post = Post::new(op.bounds);
        for block in 0..op.cout.div_ceil(16) {
            let mut p = 0;
            while p < n {
                p += match (x, n - p) {
                    (RowRef::U8(x), left) if D::BYTES => {
                        let x = x.as_ptr().add(p * op.cin);
                        if left >= 6 {
                            let sums = bytes::<D, 6>(op, x, block);
                            finish(op, &post, block, p, &sums, residual, &mut out)
                        } else if left >= 2 {
                            let sums = bytes::<D, 2>(op, x, block);
                            finish(op, &post, block, p, &sums, residual, &mut out)
                        } else {
                            let sums = bytes::<D, 1>(op, x, block);
                            finish(op, &post, block, p, &sums, residual, &mut out)
                        }
                    }
                    (RowRef::U8(x), 2..) => {
                        let sums = words::<D, 2, true>(op, x.as_ptr().add(p * op.cin), block);
                        finish(op, &post, block, p, &sums, residual, &mut out)
                    }
                    (RowRef::U8(x), _) => {
                        let sums = words::<D, 1, true>(op, x.as_ptr().add(p * op.cin), block);
                        finish(op, &post, block, p, &sums, residual, &mut out)
                    }
                    (RowRef::I16(x), 2..) => {
                        let x = x.as_ptr().add(p * op.cin).cast();
                        let sums = words::<D, 2, false>(op, x, block);
                        finish(op, &post, block, p, &sums, residual, &mut out)
                    }
                    (RowRef::I16(x), _) => {
                        let x = x.as_ptr().add(p * op.cin).cast();
                        let sums = words::<D, 1, false>(op, x, block);
                        finish(op, &post, block, p, &sums, residual, &mut out)
                    }
                };
            }
        }
    }
}

/// The sums, without bias, of 16 outputs at `P` positions, from bytes.
///
/// # Safety
/// As [`conv1x1`], `x` is good for `P · cin` bytes and the block of weights exists.
#[allow(clippy::needless_range_loop, reason = "two arrays are indexed")]
#[inline(always)]
unsafe fn bytes<D: Dot, const P: usize>(
    op: &Conv1x1<'_>,
    x: *const u8,
    block: usize,
) -> [[__m256i; 2]; P] {
    // SAFETY: the processor is as promised; all offsets are within the block and the positions.
    unsafe {
        let mut acc = [[_mm256_setzero_si256(); 2]; P];
        let w = op.weights.as_ptr().add(block * 16 * op.cin);
        for i in (0..op.cin).step_by(4) {
            let weights = w.add(i * 16).cast::<__m256i>();
            let weights = [_mm256_loadu_si256(weights), _mm256_loadu_si256(weights.add(1))];
            for p in 0..P {
                let four = x.add(p * op.cin + i).cast::<i32>().read_unaligned();
                let four = _mm256_set1_epi32(four);
                acc[p][0] = D::bytes(acc[p][0], four, weights[0]);
                acc[p][1] = D::bytes(acc[p][1], four, weights[1]);
            }
        }
        acc
    }
}

/// The sums, without bias, of 16 outputs at `P` positions, from 16-bit numbers or bytes widened to them.
///
/// # Safety
/// As [`conv1x1`], `x` is good for `P · cin` elements of its type and the block of weights exists.
#[allow(clippy::needless_range_loop, reason = "two arrays are indexed")]
#[inline(always)]
unsafe fn words<D: Dot, const P: usize, const U8IN: bool>(
    op: &Conv1x1<'_>,
    x: *const u8,
    block: usize,
) -> [[__m256i; 2]; P] {
    // SAFETY: the processor is as promised; all offsets are within the block and the positions.
    unsafe {
        let mut acc = [[_mm256_setzero_si256(); 4]; P];
        let w = op.weights.as_ptr().add(block * 16 * op.cin);
        for i in (0..op.cin).step_by(4) {
            let mut four = [_mm256_setzero_si256(); P];
            for p in 0..P {
                four[p] = if U8IN {
                    let bytes = x.add(p * op.cin + i).cast::<i32>().read_unaligned();
                    _mm256_cvtepu8_epi16(_mm_set1_epi32(bytes))
                } else {
                    _mm256_set1_epi64x(x.add(2 * (p * op.cin + i)).cast::<i64>().read_unaligned())
                };
            }
            for j in 0..4 {
                let weights = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.add(i * 16 + j * 16).cast()));
                for p in 0..P {
                    acc[p][j] = D::words(acc[p][j], four[p], weights);
                }
            }
        }
        let mut sums = [[_mm256_setzero_si256(); 2]; P];
        for p in 0..P {
            for half in 0..2 {
                // Adding neighbours leaves 64-bit quarters in the order 0, 2, 1, 3.
                let pairs = _mm256_hadd_epi32(acc[p][2 * half], acc[p][2 * half + 1]);
                sums[p][half] = _mm256_permute4x64_epi64::<0xD8>(pairs);
            }
        }
        sums
    }
}

/// Writes 16 outputs (or as many as there are) at `P` positions from `p` on; returns `P`.
///
/// # Safety
/// As [`conv1x1`]; block and positions exist.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn finish<const P: usize>(
    op: &Conv1x1<'_>,
    post: &Post,
    block: usize,
    p: usize,
    sums: &[[__m256i; 2]; P],
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
) -> usize {
    for (i, &sums) in sums.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { finish_one(op, post, block, p + i, sums, residual, out) }
    }
    P
}

/// # Safety
/// As [`conv1x1`]; block and position exist.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn finish_one(
    op: &Conv1x1<'_>,
    post: &Post,
    block: usize,
    p: usize,
    sums: [__m256i; 2],
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
) {
    let first = block * 16;
    let lanes = (op.cout - first).min(16);
    let at = p * op.cout + first;
    let mut partial = [0_i16; 16];
    let residual = match residual {
        Some(r) if lanes == 16 => r[at..].as_ptr(),
        Some(r) => {
            partial[..lanes].copy_from_slice(&r[at..at + lanes]);
            partial.as_ptr()
        }
        None => partial.as_ptr(),
    };
    // SAFETY: 16 residuals are there, in the row or in `partial`; biases and scales are padded to whole blocks.
    let packed = unsafe {
        let half = |h: usize| {
            let residual = _mm256_cvtepi16_epi32(_mm_loadu_si128(residual.add(8 * h).cast()));
            let bias = _mm256_loadu_si256(op.bias.as_ptr().add(first + 8 * h).cast());
            let scale = _mm256_loadu_ps(op.scale.as_ptr().add(first + 8 * h));
            post.apply(_mm256_add_epi32(sums[h], bias), scale, residual)
        };
        _mm256_permute4x64_epi64::<0xD8>(_mm256_packs_epi32(half(0), half(1)))
    };
    let bytes =
        _mm_packus_epi16(_mm256_castsi256_si128(packed), _mm256_extracti128_si256::<1>(packed));
    let mut words = [0_i16; 16];
    match out {
        // SAFETY: 16 elements from `at` on are there.
        RowMut::U8(o) if lanes == 16 => unsafe {
            _mm_storeu_si128(o[at..at + 16].as_mut_ptr().cast(), bytes)
        },
        // SAFETY: as above.
        RowMut::I16(o) if lanes == 16 => unsafe {
            _mm256_storeu_si256(o[at..at + 16].as_mut_ptr().cast(), packed)
        },
        out => {
            // SAFETY: `words` is 16 elements.
            unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), packed) };
            for (lane, &word) in words[..lanes].iter().enumerate() {
                match out {
                    RowMut::U8(o) => o[at + lane] = word as u8,
                    RowMut::I16(o) => o[at + lane] = word,
                }
            }
        }
    }
}
