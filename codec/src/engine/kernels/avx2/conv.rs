//! 1×1 convolution: 16 output channels × up to two positions a tile.
//!
//! A group of weights is 16 outputs × 4 inputs; widened to 16 bits it is four vectors of 4 × 4. One `vpmaddwd` with the
//! four inputs leaves two partial sums an output, which are added at the end.

use core::arch::x86_64::*;

use super::Post;
use crate::engine::op::Conv1x1;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// The processor has AVX2, lengths are as `Kernels::conv1x1` checks them, and `cin % 4 == 0`.
#[target_feature(enable = "avx2")]
pub(in super::super) unsafe fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
) {
    let post = Post::new(op.bounds);
    for block in 0..op.cout.div_ceil(16) {
        let mut p = 0;
        while p < n {
            // SAFETY: the block exists, and one or two positions from p on do.
            unsafe {
                if n - p >= 2 {
                    let sums = match x {
                        RowRef::U8(x) => tile::<2, true>(op, x.as_ptr().add(p * op.cin), block),
                        RowRef::I16(x) => {
                            tile::<2, false>(op, x.as_ptr().add(p * op.cin).cast(), block)
                        }
                    };
                    finish(op, &post, block, p, sums[0], residual, &mut out);
                    finish(op, &post, block, p + 1, sums[1], residual, &mut out);
                    p += 2;
                } else {
                    let sums = match x {
                        RowRef::U8(x) => tile::<1, true>(op, x.as_ptr().add(p * op.cin), block),
                        RowRef::I16(x) => {
                            tile::<1, false>(op, x.as_ptr().add(p * op.cin).cast(), block)
                        }
                    };
                    finish(op, &post, block, p, sums[0], residual, &mut out);
                    p += 1;
                }
            }
        }
    }
}

/// The sums, without bias, of 16 outputs at `P` positions.
///
/// # Safety
/// `x` is good for `P · cin` elements of its type and the block of weights exists; `cin % 4 == 0`.
#[allow(clippy::needless_range_loop, reason = "two arrays are indexed")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tile<const P: usize, const U8IN: bool>(
    op: &Conv1x1<'_>,
    x: *const u8,
    block: usize,
) -> [[__m256i; 2]; P] {
    let mut acc = [[_mm256_setzero_si256(); 4]; P];
    // SAFETY: all offsets are within the block and the positions, see above.
    unsafe {
        let w = op.weights.as_ptr().add(block * 16 * op.cin);
        for i in (0..op.cin).step_by(4) {
            let mut four = [_mm256_setzero_si256(); P];
            for (p, four) in four.iter_mut().enumerate() {
                *four = if U8IN {
                    let bytes = x.add(p * op.cin + i).cast::<i32>().read_unaligned();
                    _mm256_cvtepu8_epi16(_mm_set1_epi32(bytes))
                } else {
                    _mm256_set1_epi64x(x.add(2 * (p * op.cin + i)).cast::<i64>().read_unaligned())
                };
            }
            for j in 0..4 {
                let weights = _mm256_cvtepi8_epi16(_mm_loadu_si128(w.add(i * 16 + j * 16).cast()));
                for p in 0..P {
                    acc[p][j] = _mm256_add_epi32(acc[p][j], _mm256_madd_epi16(four[p], weights));
                }
            }
        }
    }
    // Adding neighbours leaves 64-bit quarters in the order 0, 2, 1, 3.
    acc.map(|a| {
        [(a[0], a[1]), (a[2], a[3])]
            .map(|(l, h)| _mm256_permute4x64_epi64::<0xD8>(_mm256_hadd_epi32(l, h)))
    })
}

/// # Safety
/// As [`conv1x1`]; block and position exist.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn finish(
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
