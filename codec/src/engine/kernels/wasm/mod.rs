//! Kernels for WebAssembly with `simd128`. There is no detection at run time: a module with an instruction that the
//! host lacks does not load at all, so this code is there only if the compiler was told to use it.

mod conv;
mod depthwise;

use core::arch::wasm32::*;

use super::Code;
use crate::engine::RowMut;
use crate::engine::requant::Bounds;

pub(super) static SIMD128: Code = Code {
    name: "simd128",
    available: || true,
    conv1x1: conv::conv1x1,
    depthwise: depthwise::depthwise,
    table: super::scalar::table,
};

/// `1.5 · 2^23`: adding it rounds to an integer, ties to even, as in `requant::round_ties_even`.
const MAGIC: f32 = 12_582_912.0;

/// The constants of a requantisation, in vectors.
#[derive(Clone, Copy)]
struct Post {
    min: v128,
    max: v128,
    magic: v128,
    /// The offset, less the bits of `magic`.
    offset: v128,
    /// Of words.
    lo: v128,
    hi: v128,
}

impl Post {
    fn new(b: Bounds) -> Self {
        Post {
            min: f32x4_splat(-32768.0),
            max: f32x4_splat(32767.0),
            magic: f32x4_splat(MAGIC),
            offset: i32x4_splat(b.offset.wrapping_sub(MAGIC.to_bits() as i32)),
            // The bounds are within the output's type. That may be U8, so they fit words in any case.
            lo: i16x8_splat(b.lo as i16),
            hi: i16x8_splat(b.hi as i16),
        }
    }

    /// The output before the last clamp.
    #[inline]
    fn apply(&self, acc: v128, scale: v128, residual: v128) -> v128 {
        let v = f32x4_mul(f32x4_convert_i32x4(acc), scale);
        // Never NaN, so these need not care, and are one instruction on x86 where min and max are many.
        let v = f32x4_pmin(f32x4_pmax(v, self.min), self.max);
        i32x4_add(i32x4_add(f32x4_add(v, self.magic), residual), self.offset)
    }

    /// The last clamp, of eight outputs. What does not fit words is beyond the bounds, too.
    #[inline]
    fn clamp(&self, low: v128, high: v128) -> v128 {
        i16x8_min(i16x8_max(i16x8_narrow_i32x4(low, high), self.lo), self.hi)
    }

    /// Adds the biases to 16 sums, requantises them and writes the first `lanes` from element `at` on.
    ///
    /// # Safety
    /// There are 16 biases and scales, `1 <= lanes <= 16`, and `lanes` elements from `at` on in the output and in the
    /// residual.
    #[allow(clippy::too_many_arguments, reason = "two kernels share the end of their work")]
    #[inline]
    unsafe fn store(
        &self,
        sums: [v128; 4],
        bias: *const i32,
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
        let mut t = [i32x4_splat(0); 4];
        for (i, (t, sum)) in t.iter_mut().zip(sums).enumerate() {
            // SAFETY: 16 biases and scales are there; so are 16 residuals, in the row or in `partial`.
            unsafe {
                let residual = i32x4_load_extend_i16x4(residual.add(4 * i));
                let sum = i32x4_add(sum, v128_load(bias.add(4 * i).cast()));
                *t = self.apply(sum, v128_load(scale.add(4 * i).cast()), residual);
            }
        }
        let words = [self.clamp(t[0], t[1]), self.clamp(t[2], t[3])];
        match out {
            RowMut::U8(o) if lanes == 16 => {
                let bytes = u8x16_narrow_i16x8(words[0], words[1]);
                // SAFETY: 16 elements from `at` on are there.
                unsafe { v128_store(o[at..at + 16].as_mut_ptr().cast(), bytes) };
            }
            RowMut::I16(o) if lanes == 16 => {
                let o = o[at..at + 16].as_mut_ptr().cast::<v128>();
                // SAFETY: as above.
                unsafe {
                    v128_store(o, words[0]);
                    v128_store(o.add(1), words[1]);
                }
            }
            out => {
                let o = partial.as_mut_ptr().cast::<v128>();
                // SAFETY: `partial` is 16 elements, whose residuals have been read.
                unsafe {
                    v128_store(o, words[0]);
                    v128_store(o.add(1), words[1]);
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
