//! Kernels for little-endian 64-bit Arm: NEON, which all but a few bare-metal targets have, and NEON with the dot
//! product instructions.

mod conv;
mod depthwise;
mod dotprod;

use core::arch::aarch64::*;

use super::{Code, detected};
use crate::engine::RowMut;
use crate::engine::requant::Bounds;

pub(super) static NEON: Code = Code {
    name: "neon",
    available: || detected!("neon"),
    conv1x1: conv::conv1x1,
    depthwise: depthwise::depthwise,
    table: super::scalar::table,
};

pub(super) static DOTPROD: Code = Code {
    name: "dotprod",
    available: || detected!("neon") && detected!("dotprod"),
    conv1x1: dotprod::conv1x1,
    // Depthwise sums run over positions, not channels: nothing there for a dot product.
    depthwise: depthwise::depthwise,
    table: super::scalar::table,
};

/// The constants of a requantisation, in vectors.
#[derive(Clone, Copy)]
struct Post {
    min: float32x4_t,
    max: float32x4_t,
    offset: int32x4_t,
    lo: int32x4_t,
    hi: int32x4_t,
}

impl Post {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(b: Bounds) -> Self {
        Post {
            min: vdupq_n_f32(-32768.0),
            max: vdupq_n_f32(32767.0),
            offset: vdupq_n_s32(b.offset),
            lo: vdupq_n_s32(b.lo),
            hi: vdupq_n_s32(b.hi),
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn apply(&self, acc: int32x4_t, scale: float32x4_t, residual: int32x4_t) -> int32x4_t {
        let v = vmulq_f32(vcvtq_f32_s32(acc), scale);
        let v = vminq_f32(vmaxq_f32(v, self.min), self.max);
        // To nearest, ties to even.
        let t = vaddq_s32(vaddq_s32(vcvtnq_s32_f32(v), residual), self.offset);
        vminq_s32(vmaxq_s32(t, self.lo), self.hi)
    }

    /// Requantises 16 sums and writes the first `lanes` of them from element `at` on.
    ///
    /// # Safety
    /// There are 16 scales, `1 <= lanes <= 16`, and `lanes` elements from `at` on in the output and in the residual.
    #[inline]
    #[target_feature(enable = "neon")]
    unsafe fn store(
        &self,
        sums: [int32x4_t; 4],
        scale: *const f32,
        residual: Option<&[i16]>,
        out: &mut RowMut<'_>,
        at: usize,
        lanes: usize,
    ) {
        let mut partial = [0_i16; 16];
        let residual = match residual {
            Some(r) if lanes == 16 => r[at..at + 16].as_ptr(),
            Some(r) => {
                partial[..lanes].copy_from_slice(&r[at..at + lanes]);
                partial.as_ptr()
            }
            None => partial.as_ptr(),
        };
        let mut t = [vdupq_n_s32(0); 4];
        for (i, (t, sum)) in t.iter_mut().zip(sums).enumerate() {
            // SAFETY: 16 scales are there; so are 16 residuals, in the row or in `partial`.
            unsafe {
                let residual = vmovl_s16(vld1_s16(residual.add(4 * i)));
                *t = self.apply(sum, vld1q_f32(scale.add(4 * i)), residual);
            }
        }
        let words = [
            vcombine_s16(vqmovn_s32(t[0]), vqmovn_s32(t[1])),
            vcombine_s16(vqmovn_s32(t[2]), vqmovn_s32(t[3])),
        ];
        match out {
            RowMut::U8(o) if lanes == 16 => {
                let bytes = vcombine_u8(vqmovun_s16(words[0]), vqmovun_s16(words[1]));
                // SAFETY: 16 elements from `at` on are there.
                unsafe { vst1q_u8(o[at..at + 16].as_mut_ptr(), bytes) };
            }
            RowMut::I16(o) if lanes == 16 => {
                let o = o[at..at + 16].as_mut_ptr();
                // SAFETY: as above.
                unsafe {
                    vst1q_s16(o, words[0]);
                    vst1q_s16(o.add(8), words[1]);
                }
            }
            out => {
                // SAFETY: `partial` is 16 elements, whose residuals have been read.
                unsafe {
                    vst1q_s16(partial.as_mut_ptr(), words[0]);
                    vst1q_s16(partial.as_mut_ptr().add(8), words[1]);
                }
                for (lane, &word) in partial[..lanes].iter().enumerate() {
                    match out {
                        RowMut::U8(o) => o[at + lane] = word as u8,
                        RowMut::I16(o) => o[at + lane] = word,
                    }
                }
            }
        }
    }
}
