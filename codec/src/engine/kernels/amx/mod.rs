//! Kernels for x86-64 with AMX (tiles of 8-bit integers), on Linux.
//!
//! A tile of 16 positions by 64 input bytes times one of 64 inputs by 16 outputs is a single instruction. What it
//! does not pay for, and depthwise convolutions, are left to the AVX-512 kernels.

mod conv;
mod tiles;

use core::sync::atomic::{AtomicU8, Ordering};

use super::Code;
use super::avx512::AVX512_VNNI;

pub(super) static AMX: Code = Code {
    name: "amx",
    available,
    conv1x1: conv::conv1x1,
    depthwise: AVX512_VNNI.depthwise,
    table: AVX512_VNNI.table,
};

/// Whether processor and system let this process use tiles; asked once.
fn available() -> bool {
    const UNKNOWN: u8 = 0;
    static ANSWER: AtomicU8 = AtomicU8::new(UNKNOWN);
    match ANSWER.load(Ordering::Relaxed) {
        UNKNOWN => {
            let found = (AVX512_VNNI.available)() && tiles::detected() && tiles::permitted();
            ANSWER.store(1 + u8::from(found), Ordering::Relaxed);
            found
        }
        answer => answer > 1,
    }
}
