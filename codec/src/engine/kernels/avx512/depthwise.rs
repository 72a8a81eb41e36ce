//! Depthwise convolution: 32 channels at a time, pairs of rows interleaved for `vpdpwssd`.
//!
//! Interleaving within 128-bit lanes leaves 32 channels as a "low" vector of 32-bit sums (channels 0–3, 8–11, 16–19,
//! 24–27) and a "high" one (the others); packing at the end restores the order.

use core::arch::x86_64::*;
use core::ptr;

use super::{Post, saturates, scaled};
use crate::engine::op::Depthwise;
use crate::engine::{RowMut, RowRef};

/// One call. All pointers are to the lengths that `Kernels::depthwise` checks; `residual` may be null.
struct Call {
    n: usize,
    channels: usize,
    rows: [*const u8; 5],
    weights: *const i8,
    bias: *const i32,
    scale: *const f32,
    residual: *const i16,
    out: *mut u8,
    post: Post,
    /// Whether 16-bit arithmetic does it, and its constants.
    saturates: bool,
    offset: __m512i,
    lo: __m512i,
    hi: __m512i,
}

/// Weights of 32 channels: `[dx][pair of rows][low or high]`, interleaved like the inputs.
type Weights<const K: usize> = [[[__m512i; 2]; 3]; K];

/// # Safety
/// The processor has this module's features and lengths are as `Kernels::depthwise` checks them.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn depthwise(
    op: &Depthwise<'_>,
    n: usize,
    rows: &[RowRef<'_>],
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
) {
    let mut pointers = [ptr::null(); 5];
    for (pointer, row) in pointers.iter_mut().zip(rows) {
        *pointer = match row {
            RowRef::U8(r) => r.as_ptr(),
            RowRef::I16(r) => r.as_ptr().cast(),
        };
    }
    let call = Call {
        n,
        channels: op.channels,
        rows: pointers,
        weights: op.weights.as_ptr(),
        bias: op.bias.as_ptr(),
        scale: op.scale.as_ptr(),
        residual: residual.map_or(ptr::null(), <[i16]>::as_ptr),
        out: match &mut out {
            RowMut::U8(o) => o.as_mut_ptr(),
            RowMut::I16(o) => o.as_mut_ptr().cast(),
        },
        post: Post::new(op.bounds, residual.is_some()),
        saturates: saturates(op.bounds, &op.scale, residual.is_some()),
        offset: _mm512_set1_epi16(op.bounds.offset as i16),
        lo: _mm512_set1_epi16(op.bounds.lo as i16),
        hi: _mm512_set1_epi16(op.bounds.hi as i16),
    };
    // SAFETY: the pointers are into slices of the lengths that `Kernels::depthwise` checked, which outlive the call;
    // all rows are of one type; the constants are k and what the variants of `rows` and `out` say.
    unsafe {
        match (op.k, rows[0], out) {
            (3, RowRef::U8(_), RowMut::U8(_)) => all::<3, true, true>(&call),
            (3, RowRef::U8(_), RowMut::I16(_)) => all::<3, true, false>(&call),
            (3, RowRef::I16(_), RowMut::U8(_)) => all::<3, false, true>(&call),
            (3, RowRef::I16(_), RowMut::I16(_)) => all::<3, false, false>(&call),
            (_, RowRef::U8(_), RowMut::U8(_)) => all::<5, true, true>(&call),
            (_, RowRef::U8(_), RowMut::I16(_)) => all::<5, true, false>(&call),
            (_, RowRef::I16(_), RowMut::U8(_)) => all::<5, false, true>(&call),
            (_, RowRef::I16(_), RowMut::I16(_)) => all::<5, false, false>(&call),
        }
    }
}

/// Some channels' constants.
struct Block<const K: usize> {
    first: usize,
    mask: __mmask32,
    weights: Weights<K>,
    bias: [__m512i; 2],
    scale: [__m512; 2],
}

/// # Safety
/// As [`depthwise`], for kernel side `K`, input type (`U8IN`) and output type (`U8OUT`).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn all<const K: usize, const U8IN: bool, const U8OUT: bool>(c: &Call) {
    for first in (0..c.channels).step_by(32) {
        // SAFETY: `first < channels`; positions are below `n`.
        unsafe {
            let block = block::<K>(c, first);
            let mut p = 0;
            while p + 4 <= c.n {
                tile::<K, 4, U8IN, U8OUT>(c, &block, p);
                p += 4;
            }
            while p < c.n {
                tile::<K, 1, U8IN, U8OUT>(c, &block, p);
                p += 1;
            }
        }
    }
}

/// # Safety
/// As [`all`], and `first < channels`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn block<const K: usize>(c: &Call, first: usize) -> Block<K> {
    let left = c.channels - first;
    let mask = if left >= 32 { u32::MAX } else { (1 << left) - 1 };
    let halves = [mask as u16, (mask >> 16) as u16];
    let zero = _mm512_setzero_si512();
    let mut weights = [[[zero; 2]; 3]; K];
    // SAFETY: every load is masked to channels below `channels` of a row of weights, biases or scales.
    unsafe {
        let tap = |dy: usize, dx: usize| {
            if dy >= K {
                return zero;
            }
            let w = c.weights.add((dy * K + dx) * c.channels + first);
            _mm512_cvtepi8_epi16(_mm256_maskz_loadu_epi8(mask, w))
        };
        for (dx, weights) in weights.iter_mut().enumerate() {
            for (pair, weights) in weights.iter_mut().enumerate() {
                let (a, b) = (tap(2 * pair, dx), tap(2 * pair + 1, dx));
                *weights = [_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b)];
            }
        }
        let low = _mm512_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        let high = _mm512_add_epi32(low, _mm512_set1_epi32(4));
        let bias = c.bias.add(first);
        let bias = [
            _mm512_maskz_loadu_epi32(halves[0], bias),
            _mm512_maskz_loadu_epi32(halves[1], bias.wrapping_add(16)),
        ];
        let scale = c.scale.add(first);
        let scale = [
            _mm512_maskz_loadu_ps(halves[0], scale),
            _mm512_maskz_loadu_ps(halves[1], scale.wrapping_add(16)),
        ];
        Block {
            first,
            mask,
            weights,
            bias: [low, high].map(|i| _mm512_permutex2var_epi32(bias[0], i, bias[1])),
            scale: [low, high].map(|i| _mm512_permutex2var_ps(scale[0], i, scale[1])),
        }
    }
}

/// # Safety
/// As [`all`], for a block that [`block`] made and `p + T <= n`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const K: usize, const T: usize, const U8IN: bool, const U8OUT: bool>(
    c: &Call,
    block: &Block<K>,
    p: usize,
) {
    let mut acc = [block.bias; T];
    // SAFETY: loads and stores are masked to the block's channels; columns `p..p + T + K − 1` of the K rows and
    // positions `p..p + T` of residual and output exist.
    unsafe {
        let load = |dy: usize, column: usize| {
            let at = (p + column) * c.channels + block.first;
            if dy >= K {
                _mm512_setzero_si512()
            } else if U8IN {
                _mm512_cvtepu8_epi16(_mm256_maskz_loadu_epi8(block.mask, c.rows[dy].add(at).cast()))
            } else {
                _mm512_maskz_loadu_epi16(block.mask, c.rows[dy].add(2 * at).cast())
            }
        };
        for column in 0..T + K - 1 {
            for pair in 0..K.div_ceil(2) {
                let (a, b) = (load(2 * pair, column), load(2 * pair + 1, column));
                let (low, high) = (_mm512_unpacklo_epi16(a, b), _mm512_unpackhi_epi16(a, b));
                for (t, acc) in acc.iter_mut().enumerate() {
                    if t <= column && column - t < K {
                        let w = &block.weights[column - t][pair];
                        acc[0] = _mm512_dpwssd_epi32(acc[0], low, w[0]);
                        acc[1] = _mm512_dpwssd_epi32(acc[1], high, w[1]);
                    }
                }
            }
        }
        for (t, acc) in acc.iter().enumerate() {
            let at = (p + t) * c.channels + block.first;
            if c.saturates {
                let add = if c.residual.is_null() {
                    c.offset
                } else {
                    _mm512_maskz_loadu_epi16(block.mask, c.residual.add(at))
                };
                let (low, high) = (scaled(acc[0], block.scale[0]), scaled(acc[1], block.scale[1]));
                let words = _mm512_adds_epi16(_mm512_packs_epi32(low, high), add);
                let words = _mm512_min_epi16(_mm512_max_epi16(words, c.lo), c.hi);
                if U8OUT {
                    let bytes = _mm512_cvtepi16_epi8(words);
                    _mm256_mask_storeu_epi8(c.out.add(at).cast(), block.mask, bytes);
                } else {
                    _mm512_mask_storeu_epi16(c.out.add(2 * at).cast(), block.mask, words);
                }
                continue;
            }
            let mut low = c.post.scale(acc[0], block.scale[0]);
            let mut high = c.post.scale(acc[1], block.scale[1]);
            if !c.post.fused {
                let r = if c.residual.is_null() {
                    _mm512_setzero_si512()
                } else {
                    _mm512_maskz_loadu_epi16(block.mask, c.residual.add(at))
                };
                low = c.post.finish(low, _mm512_srai_epi32::<16>(_mm512_unpacklo_epi16(r, r)));
                high = c.post.finish(high, _mm512_srai_epi32::<16>(_mm512_unpackhi_epi16(r, r)));
            }
            let packed = _mm512_packs_epi32(low, high);
            if U8OUT {
                _mm256_mask_storeu_epi8(
                    c.out.add(at).cast(),
                    block.mask,
                    _mm512_cvtepi16_epi8(packed),
                );
            } else {
                _mm512_mask_storeu_epi16(c.out.add(2 * at).cast(), block.mask, packed);
            }
        }
    }
}
