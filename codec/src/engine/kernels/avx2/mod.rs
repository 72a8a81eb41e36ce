//! Kernels for x86-64 with AVX2. Products are 16-bit pairs (`vpmaddwd`), which cannot saturate with 8-bit weights.

mod conv;
mod depthwise;

use core::arch::x86_64::*;

pub(super) use conv::conv1x1;
pub(super) use depthwise::depthwise;

use crate::engine::requant::Bounds;

/// The constants of a requantisation, in vectors.
#[derive(Clone, Copy)]
struct Post {
    min: __m256,
    max: __m256,
    offset: __m256i,
    lo: __m256i,
    hi: __m256i,
}

impl Post {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn new(b: Bounds) -> Self {
        Post {
            min: _mm256_set1_ps(-32768.0),
            max: _mm256_set1_ps(32767.0),
            offset: _mm256_set1_epi32(b.offset),
            lo: _mm256_set1_epi32(b.lo),
            hi: _mm256_set1_epi32(b.hi),
        }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn apply(&self, acc: __m256i, scale: __m256, residual: __m256i) -> __m256i {
        let v = _mm256_mul_ps(_mm256_cvtepi32_ps(acc), scale);
        let v = _mm256_min_ps(_mm256_max_ps(v, self.min), self.max);
        let v = _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v);
        let t = _mm256_add_epi32(_mm256_add_epi32(_mm256_cvttps_epi32(v), residual), self.offset);
        _mm256_min_epi32(_mm256_max_epi32(t, self.lo), self.hi)
    }
}
