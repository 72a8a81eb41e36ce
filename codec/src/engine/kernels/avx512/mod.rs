//! Kernels for x86-64 with AVX-512 F, BW, VL and VNNI.

mod conv;
mod depthwise;
mod table;

#[cfg(all(target_os = "linux", feature = "std"))]
pub(super) use conv::split;

use core::arch::x86_64::*;

use super::{Code, detected};
use crate::engine::requant::Bounds;

pub(super) static AVX512_VNNI: Code = Code {
    name: "avx512vnni",
    available: || {
        detected!("avx512f")
            && detected!("avx512bw")
            && detected!("avx512vl")
            && detected!("avx512vnni")
    },
    conv1x1: conv::conv1x1,
    depthwise: depthwise::depthwise,
    table: table::table,
};

/// Whether sums become outputs by 16-bit saturating arithmetic alone: the product then fits 32 bits, and no two
/// saturations follow each other that could undo one another.
pub(super) fn saturates(bounds: Bounds, scale: &[f32], residual: bool) -> bool {
    let simple = if residual { bounds.offset == 0 } else { i16::try_from(bounds.offset).is_ok() };
    simple && scale.iter().fold(true, |small, s| small & (s.abs() < 1.0))
}

/// A sum scaled and rounded, if [`saturates`] says that it fits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) fn scaled(acc: __m512i, scale: __m512) -> __m512i {
    let product = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), scale);
    _mm512_cvt_roundps_epi32::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(product)
}

/// The constants of a requantisation, in vectors.
#[derive(Clone, Copy)]
struct Post {
    /// Whether clamping before the offset does all (there is no residual and the range allows it).
    fused: bool,
    min: __m512,
    max: __m512,
    offset: __m512i,
    lo: __m512i,
    hi: __m512i,
}

impl Post {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(b: Bounds, residual: bool) -> Self {
        let (from, to) = (b.lo - b.offset, b.hi - b.offset);
        let fused = !residual && from >= -32768 && to <= 32767;
        let (min, max) = if fused { (from, to) } else { (-32768, 32767) };
        Post {
            fused,
            min: _mm512_set1_ps(min as f32),
            max: _mm512_set1_ps(max as f32),
            offset: _mm512_set1_epi32(b.offset),
            lo: _mm512_set1_epi32(b.lo),
            hi: _mm512_set1_epi32(b.hi),
        }
    }

    /// Scaled, clamped, rounded, with offset; not yet what [`Post::finish`] adds.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn scale(&self, acc: __m512i, scale: __m512) -> __m512i {
        let v = _mm512_mul_ps(_mm512_cvtepi32_ps(acc), scale);
        let v = _mm512_min_ps(_mm512_max_ps(v, self.min), self.max);
        let t = _mm512_cvt_roundps_epi32::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(v);
        _mm512_add_epi32(t, self.offset)
    }

    /// Adds the residual and clamps.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn finish(&self, t: __m512i, residual: __m512i) -> __m512i {
        _mm512_min_epi32(_mm512_max_epi32(_mm512_add_epi32(t, residual), self.lo), self.hi)
    }
}
