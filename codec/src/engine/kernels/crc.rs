//! CRC-32C with the instruction for it, which loading a model spends most of its time on.

use core::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u64};

use super::detected;

/// The register after some bytes (see `format::Crc32c`), or `None` if this processor lacks the instruction.
pub(crate) fn crc32c(state: u32, bytes: &[u8]) -> Option<u32> {
    // SAFETY: the processor has the feature.
    detected!("sse4.2").then(|| unsafe { update(state, bytes) })
}

#[target_feature(enable = "sse4.2")]
fn update(state: u32, bytes: &[u8]) -> u32 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mut wide = u64::from(state);
    for word in words {
        wide = _mm_crc32_u64(wide, u64::from_le_bytes(*word));
    }
    let mut state = wide as u32;
    for &byte in rest {
        state = _mm_crc32_u8(state, byte);
    }
    state
}
