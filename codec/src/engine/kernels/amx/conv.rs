//! 1×1 convolution: 16 positions by up to 64 outputs at a time.
//!
//! The weights in the file are tiles already. While the tile unit works on one piece, the vector units requantise the
//! piece before it. I16 inputs are split into planes of high and low bytes, as for AVX-512.

use core::arch::x86_64::*;
use core::mem::MaybeUninit;
use core::ptr;

use alloc::vec::Vec;

use super::tiles::{Operands, ROW_BYTES, ROWS, SIDE, SUMS, Tiles, products};
use crate::engine::kernels::avx512::{AVX512_VNNI, saturates, scaled, split};
use crate::engine::op::Conv1x1;
use crate::engine::requant::Bounds;
use crate::engine::{RowMut, RowRef};

/// Inputs that are taken at a time and how many times, or `None` if the channels do not divide well.
fn steps(cin: usize) -> Option<(usize, usize)> {
    let least = cin.div_ceil(ROW_BYTES);
    let steps = (least..=2 * least).find(|steps| cin.is_multiple_of(4 * steps))?;
    Some((cin / steps, steps))
}

/// # Safety
/// The processor has AVX-512 VNNI and tiles, the process may use them, lengths are as `Kernels::conv1x1` checks them, and
/// `cin % 4 == 0`.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
pub(super) unsafe fn conv1x1(
    op: &Conv1x1<'_>,
    n: usize,
    x: RowRef<'_>,
    residual: Option<&[i16]>,
    mut out: RowMut<'_>,
    scratch: &mut Vec<u8>,
) {
    let bytes = matches!(out, RowMut::U8(_));
    let Some((step, steps)) = steps(op.cin).filter(|_| {
        n > 0
            && !(bytes && residual.is_some())
            && saturates(op.bounds, &op.scale, residual.is_some())
    }) else {
        // SAFETY: the same promises.
        return unsafe { (AVX512_VNNI.conv1x1)(op, n, x, residual, out, scratch) };
    };
    let mut call = Call {
        n,
        cout: op.cout,
        lo: ptr::null(),
        hi: ptr::null(),
        operands: Operands {
            x: ptr::null(),
            stride: op.cin,
            weights: op.weights.as_ptr(),
            step,
            steps,
            bias: op.bias.as_ptr(),
        },
        scale: op.scale.as_ptr(),
        residual: residual.map_or(ptr::null(), <[i16]>::as_ptr),
        out: match &mut out {
            RowMut::U8(o) => o.as_mut_ptr(),
            RowMut::I16(o) => o.as_mut_ptr().cast(),
        },
        limits: Limits::new(op.bounds),
    };
    match x {
        RowRef::U8(x) => call.lo = x.as_ptr(),
        RowRef::I16(x) => {
            if scratch.len() < 2 * x.len() {
                scratch.resize(2 * x.len(), 0);
            }
            let (hi, lo) = scratch.split_at_mut(x.len());
            split(x, hi, &mut lo[..x.len()]);
            (call.hi, call.lo) = (hi.as_ptr(), lo.as_ptr());
            call.operands.bias = op.bias_unsigned.as_ptr();
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

/// One call. All pointers are to the lengths that `Kernels::conv1x1` checks; `hi` is used for split inputs only,
/// `residual` may be null. `operands` are those of the first piece, but for `x`.
struct Call {
    n: usize,
    cout: usize,
    lo: *const u8,
    hi: *const u8,
    operands: Operands,
    scale: *const f32,
    residual: *const i16,
    out: *mut u8,
    limits: Limits,
}

/// Offset and clamp, in vectors.
#[derive(Clone, Copy)]
struct Limits {
    offset: __m512i,
    lo: __m512i,
    hi: __m512i,
    byte_lo: __m512i,
    byte_hi: __m512i,
}

impl Limits {
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
    fn new(bounds: Bounds) -> Self {
        let word = |v: i32| _mm512_set1_epi16(v as i16);
        let byte = |v: i32| _mm512_set1_epi8(v as i8);
        Limits {
            offset: word(bounds.offset),
            lo: word(bounds.lo),
            hi: word(bounds.hi),
            byte_lo: byte(bounds.lo),
            byte_hi: byte(bounds.hi),
        }
    }
}

/// Sums of one piece: `[plane][position][output]`, low bytes first.
#[repr(align(64))]
struct Sums([MaybeUninit<i32>; 2 * SUMS]);

/// A piece whose sums are made and whose outputs are not.
#[derive(Clone, Copy)]
struct Piece {
    block: usize,
    position: usize,
    /// Which of the two buffers holds its sums.
    turn: usize,
}

/// # Safety
/// As [`conv1x1`], for input type (`SPLIT` = I16) and output type (`U8OUT`); [`steps`] and `saturates` agree.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn all<const SPLIT: bool, const U8OUT: bool>(c: &Call) {
    let mut sums = [const { Sums([MaybeUninit::uninit(); 2 * SUMS]) }; 2];
    // SAFETY: there are tiles.
    let _tiles = unsafe { Tiles::new(c.n.min(ROWS), c.operands.step) };
    let blocks = c.cout.div_ceil(16);
    let mut block = 0;
    while block < blocks {
        // SAFETY: `block` plus the constant is at most `blocks`.
        block += unsafe {
            match blocks - block {
                1 => strip::<1, SPLIT, U8OUT>(c, block, &mut sums),
                2 | 3 => strip::<2, SPLIT, U8OUT>(c, block, &mut sums),
                _ => strip::<SIDE, SPLIT, U8OUT>(c, block, &mut sums),
            }
        };
    }
}

/// All positions for `B` blocks of outputs; returns `B`.
///
/// # Safety
/// As [`all`], and `block + B <= cout / 16` rounded up.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn strip<const B: usize, const SPLIT: bool, const U8OUT: bool>(
    c: &Call,
    block: usize,
    sums: &mut [Sums; 2],
) -> usize {
    let rows = c.n.min(ROWS);
    let mut waiting: Option<Piece> = None;
    let mut next = 0;
    for turn in 0..c.n.div_ceil(ROWS) {
        // The last piece may begin among positions that are done: it stores the same values there again, as no input
        // overlaps the output.
        let position = next.min(c.n - rows);
        next += ROWS;
        let piece = Piece { block, position, turn: turn % 2 };
        // SAFETY: blocks and positions exist; the tiles were shaped for them.
        unsafe {
            make::<B, SPLIT>(c, piece, sums[piece.turn].0.as_mut_ptr().cast());
            if let Some(piece) = waiting.replace(piece) {
                finish::<B, SPLIT, U8OUT>(c, piece, rows, sums[piece.turn].0.as_ptr().cast());
            }
        }
    }
    if let Some(piece) = waiting {
        // SAFETY: as above.
        unsafe { finish::<B, SPLIT, U8OUT>(c, piece, rows, sums[piece.turn].0.as_ptr().cast()) }
    }
    B
}

/// The sums of a piece.
///
/// # Safety
/// As [`strip`], and the piece is within the outputs; `sums` is good for a whole [`Sums`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn make<const B: usize, const SPLIT: bool>(c: &Call, piece: Piece, sums: *mut i32) {
    let Operands { stride, step, steps, .. } = c.operands;
    // SAFETY: the piece's blocks and positions exist.
    unsafe {
        let weights = c.operands.weights.add(piece.block * 16 * stride);
        let bias = c.operands.bias.add(piece.block * 16);
        let x = c.lo.add(piece.position * stride);
        products::<B>(&Operands { x, stride, weights, step, steps, bias }, sums);
        if SPLIT {
            let (x, bias) = (c.hi.add(piece.position * stride), ZEROS.0.as_ptr());
            let high = sums.add(SUMS);
            products::<B>(&Operands { x, stride, weights, step, steps, bias }, high);
        }
    }
}

/// What the sums of high bytes start with.
#[repr(align(64))]
struct Zeros([i32; 16 * SIDE]);
static ZEROS: Zeros = Zeros([0; 16 * SIDE]);

/// The outputs of a piece.
///
/// # Safety
/// As [`make`], which has filled `sums`.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni")]
unsafe fn finish<const B: usize, const SPLIT: bool, const U8OUT: bool>(
    c: &Call,
    piece: Piece,
    rows: usize,
    sums: *const i32,
) {
    let first = piece.block * 16;
    let count = (c.cout - first).min(16 * B);
    let mask = if count >= 64 { u64::MAX } else { (1 << count) - 1 };
    let limits = c.limits;
    let mut scale = [_mm512_setzero_ps(); B];
    for (b, scale) in scale.iter_mut().enumerate() {
        // SAFETY: scales are padded to whole blocks.
        *scale = unsafe { _mm512_loadu_ps(c.scale.add(first + 16 * b)) };
    }
    for row in 0..rows {
        let at = (piece.position + row) * c.cout + first;
        // SAFETY: sums of `rows` positions and `B` blocks are there; outputs and residual are masked to `cout` channels.
        unsafe {
            let mut v = [_mm512_setzero_si512(); SIDE];
            for b in 0..B {
                let from = sums.add(row * 16 * SIDE + 16 * b);
                let mut acc = _mm512_load_si512(from.cast());
                if SPLIT {
                    let high = _mm512_load_si512(from.add(SUMS).cast());
                    acc = _mm512_add_epi32(acc, _mm512_slli_epi32::<8>(high));
                }
                v[b] = scaled(acc, scale[b]);
            }
            // Lane by lane: four words of v[0], four of v[1]; four of v[2], four of v[3].
            let (a, b) = (_mm512_packs_epi32(v[0], v[1]), _mm512_packs_epi32(v[2], v[3]));
            if U8OUT {
                let (a, b) =
                    (_mm512_adds_epi16(a, limits.offset), _mm512_adds_epi16(b, limits.offset));
                let order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
                let bytes = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(a, b));
                let bytes = _mm512_max_epu8(bytes, limits.byte_lo);
                let bytes = _mm512_min_epu8(bytes, limits.byte_hi);
                let to = c.out.add(at).cast();
                if mask == u64::MAX {
                    _mm512_storeu_epi8(to, bytes);
                } else {
                    _mm512_mask_storeu_epi8(to, mask, bytes);
                }
            } else {
                let order = _mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7);
                for (half, words) in [a, b].into_iter().enumerate().take(B.div_ceil(2)) {
                    let words = _mm512_permutexvar_epi64(order, words);
                    let (at, mask) = (at + 32 * half, (mask >> (32 * half)) as u32);
                    let add = if c.residual.is_null() {
                        limits.offset
                    } else if mask == u32::MAX {
                        _mm512_loadu_epi16(c.residual.add(at))
                    } else {
                        _mm512_maskz_loadu_epi16(mask, c.residual.wrapping_add(at))
                    };
                    let words = _mm512_adds_epi16(words, add);
                    let words = _mm512_min_epi16(_mm512_max_epi16(words, limits.lo), limits.hi);
                    let to = c.out.wrapping_add(2 * at).cast();
                    if mask == u32::MAX {
                        _mm512_storeu_epi16(to, words);
                    } else {
                        _mm512_mask_storeu_epi16(to, mask, words);
                    }
                }
            }
        }
    }
}
