//! Kernels for x86-64 with AVX2, and with AVX-VNNI beside it.
//!
//! Both are one text, generic over [`Dot`], the step in which they differ. Functions that take a `Dot` carry no
//! features of their own: they are always inlined into the entry points below, which do.

mod conv;
mod depthwise;

use core::arch::x86_64::*;

use alloc::vec::Vec;

use super::{Code, detected};
use crate::engine::op::{Conv1x1, Depthwise};
use crate::engine::requant::Bounds;
use crate::engine::{RowMut, RowRef};

pub(super) static AVX2: Code = Code {
    name: "avx2",
    available: || detected!("avx2"),
    conv1x1: conv1x1_avx2,
    depthwise: depthwise_avx2,
    table: super::scalar::table,
};

pub(super) static AVX_VNNI: Code = Code {
    name: "avxvnni",
    available: || detected!("avx2") && detected!("avxvnni"),
    conv1x1: conv1x1_avxvnni,
    depthwise: depthwise_avxvnni,
    table: super::scalar::table,
};

/// The same as [`AVX_VNNI`] in the encoding of AVX-512, so that processors which have only that can test the rest.
#[cfg(test)]
pub(super) static AVX_VNNI_AS_AVX512: Code = Code {
    name: "avxvnni as avx512",
    available: || detected!("avx2") && detected!("avx512vl") && detected!("avx512vnni"),
    conv1x1: conv1x1_evex,
    depthwise: depthwise_evex,
    table: super::scalar::table,
};

/// Sums of products.
///
/// # Safety
/// All functions: the processor has the instruction set of the type.
trait Dot {
    /// Whether `bytes` may be called.
    const BYTES: bool;

    /// `acc` plus the sums of two neighbouring products of 16-bit numbers.
    unsafe fn words(acc: __m256i, a: __m256i, b: __m256i) -> __m256i;

    /// `acc` plus the sums of four neighbouring products of unsigned and signed bytes.
    unsafe fn bytes(acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i;
}

/// 16-bit pairs (`vpmaddwd`) only: `vpmaddubsw` saturates.
struct Avx2;

impl Dot for Avx2 {
    const BYTES: bool = false;

    #[inline(always)]
    unsafe fn words(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX2.
        unsafe { _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)) }
    }

    #[inline(always)]
    unsafe fn bytes(acc: __m256i, _: __m256i, _: __m256i) -> __m256i {
        acc
    }
}

/// `vpdpwssd` and `vpdpbusd`, which do not saturate.
struct AvxVnni;

impl Dot for AvxVnni {
    const BYTES: bool = true;

    #[inline(always)]
    unsafe fn words(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX-VNNI.
        unsafe { _mm256_dpwssd_avx_epi32(acc, a, b) }
    }

    #[inline(always)]
    unsafe fn bytes(acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_dpbusd_avx_epi32(acc, unsigned, signed) }
    }
}

/// See [`AVX_VNNI_AS_AVX512`].
#[cfg(test)]
struct Evex;

#[cfg(test)]
impl Dot for Evex {
    const BYTES: bool = true;

    #[inline(always)]
    unsafe fn words(acc: __m256i, a: __m256i, b: __m256i) -> __m256i {
        // SAFETY: the caller promises AVX-512 VL and VNNI.
        unsafe { _mm256_dpwssd_epi32(acc, a, b) }
    }

    #[inline(always)]
    unsafe fn bytes(acc: __m256i, unsigned: __m256i, signed: __m256i) -> __m256i {
        // SAFETY: as above.
        unsafe { _mm256_dpbusd_epi32(acc, unsigned, signed) }
    }
}

/// The entry points for one [`Dot`]: nothing but the features to compile it with.
macro_rules! entry_points {
    ($dot:ty, $features:literal, $conv1x1:ident, $depthwise:ident) => {
        /// # Safety
        /// As `Conv1x1Fn`.
        #[target_feature(enable = $features)]
        unsafe fn $conv1x1(
            op: &Conv1x1<'_>,
            n: usize,
            x: RowRef<'_>,
            residual: Option<&[i16]>,
            out: RowMut<'_>,
            _scratch: &mut Vec<u8>,
        ) {
            // SAFETY: the caller's promise.
            unsafe { conv::conv1x1::<$dot>(op, n, x, residual, out) }
        }

        /// # Safety
        /// As `DepthwiseFn`.
        #[target_feature(enable = $features)]
        unsafe fn $depthwise(
            op: &Depthwise<'_>,
            n: usize,
            rows: &[RowRef<'_>],
            residual: Option<&[i16]>,
            out: RowMut<'_>,
        ) {
            // SAFETY: the caller's promise.
            unsafe { depthwise::depthwise::<$dot>(op, n, rows, residual, out) }
        }
    };
}

entry_points!(Avx2, "avx2", conv1x1_avx2, depthwise_avx2);
entry_points!(AvxVnni, "avx2,avxvnni", conv1x1_avxvnni, depthwise_avxvnni);
#[cfg(test)]
entry_points!(Evex, "avx2,avx512f,avx512vl,avx512vnni", conv1x1_evex, depthwise_evex);

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
