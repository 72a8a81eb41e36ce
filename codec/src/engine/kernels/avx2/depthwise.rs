//! Depthwise convolution: 16 channels at a time, pairs of rows interleaved for `vpmaddwd`; the channels that are left
//! go to the scalar kernel.

use core::arch::x86_64::*;

use super::{Dot, Post};
use crate::engine::kernels::scalar;
use crate::engine::op::Depthwise;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// The processor has AVX2 and what `D` needs, and lengths are as `Kernels::depthwise` checks them.
#[inline(always)]
pub(super) unsafe fn depthwise<D: Dot>(
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
                3 => block::<D, 3>(op, n, rows, residual, &mut out, first),
                _ => block::<D, 5>(op, n, rows, residual, &mut out, first),
            }
        }
    }
    if whole < op.channels {
        scalar::depthwise(op, n, rows, residual, out, whole);
    }
}

/// # Safety
/// As [`depthwise`], for kernel side `K`, and 16 channels from `first` on exist.
#[inline(always)]
unsafe fn block<D: Dot, const K: usize>(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
    first: usize,
) {
    // SAFETY: the processor is as promised; every access is to the 16 channels from `first` on, at a tap, a column
    // `p + dx <= n + K − 2` of one of the K rows, or a position below n, all of which exist.
    unsafe {
        let zero = _mm256_setzero_si256();
        let post = Post::new(op.bounds);
        let mut weights = [[[zero; 2]; 3]; K];
        for (dx, weights) in weights.iter_mut().enumerate() {
            for (pair, weights) in weights.iter_mut().enumerate() {
                let a = tap::<K>(op, 2 * pair, dx, first);
                let b = tap::<K>(op, 2 * pair + 1, dx, first);
                *weights = [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)];
            }
        }
        for p in 0..n {
            let (mut low, mut high) = (zero, zero);
            for (dx, weights) in weights.iter().enumerate() {
                let at = (p + dx) * op.channels + first;
                for (pair, w) in weights.iter().enumerate().take(K.div_ceil(2)) {
                    let (a, b) = (load(rows, 2 * pair, at), load(rows, 2 * pair + 1, at));
                    low = D::words(low, _mm256_unpacklo_epi16(a, b), w[0]);
                    high = D::words(high, _mm256_unpackhi_epi16(a, b), w[1]);
                }
            }
            finish(op, &post, p, first, low, high, residual, out);
        }
    }
}

/// The weights of 16 channels at a tap, zero below the last row.
///
/// # Safety
/// `dx < K` and the channels exist.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn tap<const K: usize>(op: &Depthwise<'_>, dy: usize, dx: usize, first: usize) -> __m256i {
    if dy >= K {
        return _mm256_setzero_si256();
    }
    // SAFETY: the caller's promise.
    unsafe {
        let w = op.weights.as_ptr().add((dy * K + dx) * op.channels + first);
        _mm256_cvtepi8_epi16(_mm_loadu_si128(w.cast()))
    }
}

/// 16 inputs of row `dy`, zero below the last row.
///
/// # Safety
/// There are 16 elements from `at` on in each row.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn load(rows: &[RowRef<'_>], dy: usize, at: usize) -> __m256i {
    // SAFETY: the caller's promise.
    unsafe {
        match rows.get(dy) {
            None => _mm256_setzero_si256(),
            Some(RowRef::U8(r)) => _mm256_cvtepu8_epi16(_mm_loadu_si128(r.as_ptr().add(at).cast())),
            Some(RowRef::I16(r)) => _mm256_loadu_si256(r.as_ptr().add(at).cast()),
        }
    }
}

/// Writes 16 channels at position `p`. `low` is the sums of channels 0–3 and 8–11, `high` those of the others.
///
/// # Safety
/// Lengths are as `Kernels::depthwise` checks them; the position and the channels exist.
#[allow(clippy::too_many_arguments, reason = "all of them change or are needed at every position")]
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn finish(
    op: &Depthwise<'_>,
    post: &Post,
    p: usize,
    first: usize,
    low: __m256i,
    high: __m256i,
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
) {
    let zero = _mm256_setzero_si256();
    // Swap the middle quarters.
    let sums = [
        _mm256_permute2x128_si256::<0x20>(low, high),
        _mm256_permute2x128_si256::<0x31>(low, high),
    ];
    let at = p * op.channels + first;
    // SAFETY: every access is to 16 channels from `first` on, or 16 elements from `at` on.
    unsafe {
        let half = |h: usize| {
            let residual = match residual {
                Some(r) => {
                    _mm256_cvtepi16_epi32(_mm_loadu_si128(r.as_ptr().add(at + 8 * h).cast()))
                }
                None => zero,
            };
            let bias = _mm256_loadu_si256(op.bias.as_ptr().add(first + 8 * h).cast());
            let scale = _mm256_loadu_ps(op.scale.as_ptr().add(first + 8 * h));
            post.apply(_mm256_add_epi32(sums[h], bias), scale, residual)
        };
        let packed = _mm256_permute4x64_epi64::<0xD8>(_mm256_packs_epi32(half(0), half(1)));
        let (l, h) = (_mm256_castsi256_si128(packed), _mm256_extracti128_si256::<1>(packed));
        match out {
            RowMut::U8(o) => {
                _mm_storeu_si128(o.as_mut_ptr().add(at).cast(), _mm_packus_epi16(l, h))
            }
            RowMut::I16(o) => _mm256_storeu_si256(o.as_mut_ptr().add(at).cast(), packed),
        }
    }
}
