//! Table lookup: the 256 entries around zero fit four registers, where `vpermi2b` finds them. Nearly all latents are so
//! small; the others are looked up one by one afterwards.

use core::arch::x86_64::*;

use crate::engine::kernels::{detected, scalar};
use crate::engine::op::Table;

/// Rows that are shorter are not worth the registers.
const LONG: usize = 1024;

/// # Safety
/// The processor has this module's features; both rows have one length.
pub(super) unsafe fn table(op: &Table<'_>, x: &[i16], out: &mut [u8]) {
    if x.len() >= LONG && detected!("avx512vbmi") {
        // SAFETY: the processor has the feature; the caller's promises.
        unsafe { near_zero(op, x, out) }
    } else {
        scalar::table(op, x, out);
    }
}

/// # Safety
/// As [`table`], and the processor has VBMI.
#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vnni,avx512vbmi")]
unsafe fn near_zero(op: &Table<'_>, x: &[i16], out: &mut [u8]) {
    // By the lowest byte of the element.
    let mut entries = [0_u8; 256];
    for value in i8::MIN..=i8::MAX {
        entries[usize::from(value as u8)] = scalar::look_up(op, value.into());
    }
    // SAFETY: four vectors of 64 bytes.
    let [t0, t1, t2, t3] =
        [0, 64, 128, 192].map(|at| unsafe { _mm512_loadu_si512(entries.as_ptr().add(at).cast()) });
    let (half, whole) = (_mm512_set1_epi16(128), _mm512_set1_epi16(256));
    let (groups, rest) = x.as_chunks::<64>();
    let (out_groups, out_rest) = out.as_chunks_mut::<64>();
    for (x, out) in groups.iter().zip(out_groups) {
        // SAFETY: both are 64 elements.
        let mut large = unsafe {
            let a = _mm512_loadu_si512(x.as_ptr().cast());
            let b = _mm512_loadu_si512(x.as_ptr().add(32).cast());
            let index = _mm512_inserti64x4::<1>(
                _mm512_castsi256_si512(_mm512_cvtepi16_epi8(a)),
                _mm512_cvtepi16_epi8(b),
            );
            let positive = _mm512_permutex2var_epi8(t0, index, t1);
            let negative = _mm512_permutex2var_epi8(t2, index, t3);
            let found = _mm512_mask_blend_epi8(_mm512_movepi8_mask(index), positive, negative);
            _mm512_storeu_si512(out.as_mut_ptr().cast(), found);
            let beyond = |v| _mm512_cmpge_epu16_mask(_mm512_add_epi16(v, half), whole);
            u64::from(beyond(a)) | u64::from(beyond(b)) << 32
        };
        while large != 0 {
            let at = large.trailing_zeros() as usize;
            out[at] = scalar::look_up(op, x[at]);
            large &= large - 1;
        }
    }
    scalar::table(op, rest, out_rest);
}
