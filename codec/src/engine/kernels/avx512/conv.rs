//! 1×1 convolution: tiles of output channels × positions, accumulated in registers with `vpdpbusd`.
//!
//! I16 inputs are offset to unsigned and split into planes of high and low bytes: the high plane's sums times 256 plus
//! the low plane's are the sums wanted (modulo 2³², like everything here), and the weights serve both in place.

use core::arch::x86_64::*;
use core::ptr;

use alloc::vec::Vec;

use super::Post;
use crate::engine::op::Conv1x1;
use crate::engine::{RowMut, RowRef};

/// One call. All pointers are to the lengths that `Kernels::conv1x1` checks; `hi` is used for split inputs only,
/// `residual` may be null.
struct Call {
    n: usize,
    cin: usize,
    cout: usize,
    lo: *const u8,
    hi: *const u8,
    weights: *const i8,
    bias: *const i32,
    scale: *const f32,
    residual: *const i16,
    out: *mut u8,
    post: Post,
}

/// # Safety
/// The processor has this module's features, lengths are as `Kernels::conv1x1` checks them, and `cin % 4 == 0`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
    scratch: &mut Vec<u8>,
) {
    let mut call = Call {
        n,
        cin: op.cin,
        cout: op.cout,
        lo: ptr::null(),
        hi: ptr::null(),
        weights: op.weights.as_ptr(),
        bias: op.bias.as_ptr(),
        scale: op.scale.as_ptr(),
        residual: residual.map_or(ptr::null(), <[i16]>::as_ptr),
        out: match &mut out {
            RowMut::U8(o) => o.as_mut_ptr(),
            RowMut::I16(o) => o.as_mut_ptr().cast(),
        },
        post: Post::new(op.bounds, residual.is_some()),
    };
    match x {
        RowRef::U8(x) => call.lo = x.as_ptr(),
        RowRef::I16(x) => {
            if scratch.len() < 2 * x.len() {
                scratch.resize(2 * x.len(), 0);
            }
            let (hi, lo) = scratch.split_at_mut(x.len());
            split(x, hi, &mut lo[..x.len()]);
            call.hi = hi.as_ptr();
            call.lo = lo.as_ptr();
            call.bias = op.bias_unsigned.as_ptr();
        }
    }
    // SAFETY: the pointers are into slices of the lengths that `Kernels::conv1x1` checked, which outlive the call;
    // the constants are what the variants of `x` and `out` say.
    unsafe {
        match (x, out) {
            (RowRef::U8(_), RowMut::U8(_)) => all::<false, true>(&call),
            (RowRef::U8(_), RowMut::I16(_)) => all::<false, false>(&call),
            (RowRef::I16(_), RowMut::U8(_)) => all::<true, true>(&call),
            (RowRef::I16(_), RowMut::I16(_)) => all::<true, false>(&call),
        }
    }
}

/// High and low bytes of `x + 32768`. All three slices have the same length.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(in crate::engine::kernels) fn split(x: &[i16], hi: &mut [u8], lo: &mut [u8]) {
    let flip = _mm512_set1_epi16(i16::MIN);
    let chunks = x.chunks_exact(32).zip(hi.chunks_exact_mut(32).zip(lo.chunks_exact_mut(32)));
    for (x, (hi, lo)) in chunks {
        // SAFETY: each chunk is 32 elements.
        unsafe {
            let v = _mm512_xor_si512(_mm512_loadu_si512(x.as_ptr().cast()), flip);
            _mm256_storeu_si256(lo.as_mut_ptr().cast(), _mm512_cvtepi16_epi8(v));
            let high = _mm512_cvtepi16_epi8(_mm512_srli_epi16::<8>(v));
            _mm256_storeu_si256(hi.as_mut_ptr().cast(), high);
        }
    }
    let done = x.len() / 32 * 32;
    for ((&x, hi), lo) in x[done..].iter().zip(&mut hi[done..]).zip(&mut lo[done..]) {
        let v = (x as u16) ^ 0x8000;
        (*hi, *lo) = ((v >> 8) as u8, v as u8);
    }
}

/// # Safety
/// As [`conv1x1`], for input type (`SPLIT` = I16) and output type (`U8OUT`).
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn all<const SPLIT: bool, const U8OUT: bool>(c: &Call) {
    let blocks = c.cout.div_ceil(16);
    let mut block = 0;
    while block < blocks {
        // SAFETY: `block` plus the constant is at most `blocks`.
        block += unsafe {
            match blocks - block {
                1 => strip::<1, SPLIT, U8OUT>(c, block),
                2 | 3 => strip::<2, SPLIT, U8OUT>(c, block),
                _ => strip::<4, SPLIT, U8OUT>(c, block),
            }
        };
    }
}

/// All positions for `B` blocks of output channels; returns `B`.
///
/// # Safety
/// As [`all`], and `block + B <= cout / 16` rounded up.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn strip<const B: usize, const SPLIT: bool, const U8OUT: bool>(
    c: &Call,
    block: usize,
) -> usize {
    let mut p = 0;
    while p < c.n {
        let left = c.n - p;
        // SAFETY: tiles end at or before position `n`. A last tile may begin among positions that are done: it
        // stores the same values there again, as no input overlaps the output.
        unsafe {
            if left >= 6 {
                tile::<B, 6, SPLIT, U8OUT>(c, block, p);
                p += 6;
            } else if left >= 3 && c.n >= 6 {
                tile::<B, 6, SPLIT, U8OUT>(c, block, c.n - 6);
                p = c.n;
            } else if left >= 2 {
                tile::<B, 2, SPLIT, U8OUT>(c, block, p);
                p += 2;
            } else {
                tile::<B, 1, SPLIT, U8OUT>(c, block, p);
                p += 1;
            }
        }
    }
    B
}

/// `acc + w · x` for `P` positions from `x` on and `B` blocks of weights from `w` on.
///
/// # Safety
/// `x` is good for `P · cin` bytes, `w` for `B · 16 · cin`.
#[allow(clippy::needless_range_loop, reason = "two arrays are indexed")]
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn accumulate<const B: usize, const P: usize>(
    mut acc: [[__m512i; P]; B],
    x: *const u8,
    w: *const i8,
    cin: usize,
) -> [[__m512i; P]; B] {
    for i in (0..cin).step_by(4) {
        let mut weights = [_mm512_setzero_si512(); B];
        for (b, weights) in weights.iter_mut().enumerate() {
            // SAFETY: group i / 4 of block b; `i < cin` and `b < B`.
            *weights = unsafe { _mm512_loadu_si512(w.add((b * cin + i) * 16).cast()) };
        }
        for p in 0..P {
            // SAFETY: four bytes of position p; `cin % 4 == 0`.
            let four = unsafe { x.add(p * cin + i).cast::<i32>().read_unaligned() };
            let four = _mm512_set1_epi32(four);
            for b in 0..B {
                acc[b][p] = _mm512_dpbusd_epi32(acc[b][p], four, weights[b]);
            }
        }
    }
    acc
}

/// The biases of `B` blocks of output channels.
///
/// # Safety
/// As [`strip`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn biases<const B: usize>(c: &Call, block: usize) -> [__m512i; B] {
    let mut out = [_mm512_setzero_si512(); B];
    for (b, out) in out.iter_mut().enumerate() {
        // SAFETY: biases are padded to whole blocks.
        *out = unsafe { _mm512_loadu_si512(c.bias.add((block + b) * 16).cast()) };
    }
    out
}

/// The same for every position. (An array that is filled in a loop starts with a call of `memset`.)
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
fn spread<const B: usize, const P: usize>(values: [__m512i; B]) -> [[__m512i; P]; B] {
    values.map(|value| [value; P])
}

/// # Safety
/// As [`strip`], and `p + P <= n`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn tile<const B: usize, const P: usize, const SPLIT: bool, const U8OUT: bool>(
    c: &Call,
    block: usize,
    p: usize,
) {
    // SAFETY: blocks `block..block + B` and positions `p..p + P` exist, so all of the weights, the inputs, and the
    // padded biases and scales read here do; residual and output are masked to `cout` channels.
    unsafe {
        let w = c.weights.add(block * 16 * c.cin);
        let mut acc = if SPLIT {
            let zero = spread::<B, P>([_mm512_setzero_si512(); B]);
            accumulate::<B, P>(zero, c.hi.add(p * c.cin), w, c.cin)
        } else {
            spread::<B, P>(biases(c, block))
        };
        if SPLIT {
            let bias: [__m512i; B] = biases(c, block);
            for (row, bias) in acc.iter_mut().zip(bias) {
                for acc in row.iter_mut() {
                    *acc = _mm512_add_epi32(_mm512_slli_epi32::<8>(*acc), bias);
                }
            }
        }
        acc = accumulate::<B, P>(acc, c.lo.add(p * c.cin), w, c.cin);
        for (b, row) in acc.iter().enumerate() {
            let first = (block + b) * 16;
            let mask = if c.cout - first >= 16 { 0xFFFF } else { (1_u16 << (c.cout - first)) - 1 };
            let scale = _mm512_loadu_ps(c.scale.add(first));
            for (i, &acc) in row.iter().enumerate() {
                let at = (p + i) * c.cout + first;
                let mut t = c.post.scale(acc, scale);
                if !c.post.fused {
                    let residual = if c.residual.is_null() {
                        _mm512_setzero_si512()
                    } else {
                        _mm512_cvtepi16_epi32(_mm256_maskz_loadu_epi16(mask, c.residual.add(at)))
                    };
                    t = c.post.finish(t, residual);
                }
                match (U8OUT, mask) {
                    (true, 0xFFFF) => {
                        _mm_storeu_si128(c.out.add(at).cast(), _mm512_cvtepi32_epi8(t))
                    }
                    (true, _) => {
                        _mm_mask_storeu_epi8(c.out.add(at).cast(), mask, _mm512_cvtepi32_epi8(t))
                    }
                    (false, 0xFFFF) => {
                        _mm256_storeu_si256(c.out.add(2 * at).cast(), _mm512_cvtepi32_epi16(t))
                    }
                    (false, _) => _mm256_mask_storeu_epi16(
                        c.out.add(2 * at).cast(),
                        mask,
                        _mm512_cvtepi32_epi16(t),
                    ),
                }
            }
        }
    }
}
