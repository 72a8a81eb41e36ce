//! Depthwise convolution: 16 channels at a time, pairs of rows interleaved for `vpmaddwd`; the channels that are left
//! go to the scalar kernel.

use core::arch::x86_64::*;

use super::Post;
use crate::engine::kernels::scalar;
use crate::engine::op::Depthwise;
use crate::engine::{RowMut, RowRef};

/// # Safety
/// The processor has AVX2 and lengths are as `Kernels::depthwise` checks them.
#[target_feature(enable = "avx2")]
pub(in super::super) unsafe fn depthwise(
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
#[target_feature(enable = "avx2")]
unsafe fn block<const K: usize>(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    out: &mut RowMut<'_>,
    first: usize,
) {
    let c = op.channels;
    let zero = _mm256_setzero_si256();
    let post = Post::new(op.bounds);
    let mut weights = [[[zero; 2]; 3]; K];
    // SAFETY: every access is to the 16 channels from `first` on, at a tap, a column `p + dx <= n + K − 2` of one of the
    // K rows, or a position below n, all of which exist.
    unsafe {
        let tap = |dy: usize, dx: usize| {
            if dy >= K {
                return zero;
            }
            _mm256_cvtepi8_epi16(_mm_loadu_si128(
                op.weights.as_ptr().add((dy * K + dx) * c + first).cast(),
            ))
        };
        for (dx, weights) in weights.iter_mut().enumerate() {
            for (pair, weights) in weights.iter_mut().enumerate() {
                let (a, b) = (tap(2 * pair, dx), tap(2 * pair + 1, dx));
                *weights = [_mm256_unpacklo_epi16(a, b), _mm256_unpackhi_epi16(a, b)];
            }
        }
        let load = |dy: usize, column: usize| match rows.get(dy) {
            None => zero,
            Some(RowRef::U8(r)) => {
                _mm256_cvtepu8_epi16(_mm_loadu_si128(r.as_ptr().add(column * c + first).cast()))
            }
            Some(RowRef::I16(r)) => _mm256_loadu_si256(r.as_ptr().add(column * c + first).cast()),
        };
        for p in 0..n {
            let (mut low, mut high) = (zero, zero);
            for (dx, weights) in weights.iter().enumerate() {
                for (pair, w) in weights.iter().enumerate().take(K.div_ceil(2)) {
                    let (a, b) = (load(2 * pair, p + dx), load(2 * pair + 1, p + dx));
                    low =
                        _mm256_add_epi32(low, _mm256_madd_epi16(_mm256_unpacklo_epi16(a, b), w[0]));
                    high = _mm256_add_epi32(
                        high,
                        _mm256_madd_epi16(_mm256_unpackhi_epi16(a, b), w[1]),
                    );
                }
            }
            // `low` is channels 0–3 and 8–11, `high` the others: swap the middle quarters.
            let sums = [
                _mm256_permute2x128_si256::<0x20>(low, high),
                _mm256_permute2x128_si256::<0x31>(low, high),
            ];
            let at = p * c + first;
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
}
