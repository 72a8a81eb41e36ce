//! The inner loops: one row of a convolution, for each instruction set.
//!
//! [`Kernels`] is chosen once; its methods check lengths and types, then enter the code for its instruction set.
//! Every instruction set returns the same bits (see `tests`).

#[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "std"))]
mod amx;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(all(target_arch = "x86_64", feature = "std"))]
mod crc;
#[cfg(all(target_arch = "aarch64", target_endian = "little", target_feature = "neon"))]
mod neon;
mod scalar;
#[cfg(test)]
mod tests;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod wasm;

use alloc::vec::Vec;
use core::fmt;

#[cfg(all(target_arch = "x86_64", feature = "std"))]
pub(crate) use crc::crc32c;

use super::op::{Conv1x1, Depthwise, Table};
use super::{RowMut, RowRef, RunError};

/// Whether this processor has a feature; without `std`, whether the compiler was told so.
#[cfg(not(feature = "std"))]
#[allow(unused_macros, reason = "some targets have scalar code only")]
macro_rules! detected {
    ($feature:tt) => {
        cfg!(target_feature = $feature)
    };
}
#[cfg(not(feature = "std"))]
#[allow(unused_imports, reason = "some targets have scalar code only")]
use detected;
#[cfg(all(target_arch = "aarch64", feature = "std"))]
#[allow(unused_imports, reason = "big-endian Arm has scalar code only")]
use std::arch::is_aarch64_feature_detected as detected;
#[cfg(all(target_arch = "x86_64", feature = "std"))]
use std::is_x86_feature_detected as detected;

/// A 1×1 convolution; see [`Kernels::conv1x1`].
///
/// # Safety
/// The processor has the instruction set, lengths are as [`Kernels::conv1x1`] checks them, and `cin % 4 == 0`.
type Conv1x1Fn =
    unsafe fn(&Conv1x1<'_>, usize, RowRef<'_>, Option<&[i16]>, RowMut<'_>, &mut Vec<u8>);

/// A depthwise convolution; see [`Kernels::depthwise`].
///
/// # Safety
/// The processor has the instruction set and lengths are as [`Kernels::depthwise`] checks them.
type DepthwiseFn = unsafe fn(&Depthwise<'_>, usize, &[RowRef<'_>], Option<&[i16]>, RowMut<'_>);

/// Looks up every element of one row; see [`Kernels::table`].
///
/// # Safety
/// The processor has the instruction set and both rows have one length.
type TableFn = unsafe fn(&Table<'_>, &[i16], &mut [u8]);

/// The code for one instruction set. Every kernel module has one or more of these.
struct Code {
    /// What `PINHOLE_ISA` calls it.
    name: &'static str,
    /// Whether this processor can run it.
    available: fn() -> bool,
    conv1x1: Conv1x1Fn,
    depthwise: DepthwiseFn,
    table: TableFn,
}

/// An instruction set there is code for in this build.
#[derive(Clone, Copy)]
pub struct Isa(&'static Code);

impl Isa {
    /// All of them, slowest first. A new one is added to this list and nowhere else.
    pub const ALL: &'static [Isa] = &[
        Isa(&scalar::SCALAR),
        #[cfg(target_arch = "x86_64")]
        Isa(&avx2::AVX2),
        #[cfg(target_arch = "x86_64")]
        Isa(&avx2::AVX_VNNI),
        #[cfg(target_arch = "x86_64")]
        Isa(&avx512::AVX512_VNNI),
        #[cfg(all(target_arch = "x86_64", target_os = "linux", feature = "std"))]
        Isa(&amx::AMX),
        #[cfg(all(target_arch = "aarch64", target_endian = "little", target_feature = "neon"))]
        Isa(&neon::NEON),
        #[cfg(all(target_arch = "aarch64", target_endian = "little", target_feature = "neon"))]
        Isa(&neon::DOTPROD),
        #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
        Isa(&wasm::SIMD128),
    ];

    /// Plain Rust, which every processor runs.
    pub const SCALAR: Isa = Isa(&scalar::SCALAR);

    /// The name that the environment variable `PINHOLE_ISA` takes.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Whether this processor has it (without the feature `std`: whether the compiler was told so).
    pub fn available(self) -> bool {
        (self.0.available)()
    }
}

impl PartialEq for Isa {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Isa {}

impl fmt::Debug for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The kernels of one instruction set that this processor has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kernels {
    /// Invariant: `isa.available()`.
    isa: Isa,
}

impl Default for Kernels {
    fn default() -> Self {
        Self::detect()
    }
}

impl Kernels {
    /// The fastest available, or the one that the environment variable `PINHOLE_ISA` names if it is available.
    pub fn detect() -> Self {
        #[cfg(feature = "std")]
        if let Ok(name) = std::env::var("PINHOLE_ISA")
            && let Some(kernels) =
                Isa::ALL.iter().copied().find(|i| i.name() == name).and_then(Self::with_isa)
        {
            return kernels;
        }
        let mut fastest_first = Isa::ALL.iter().copied().rev();
        fastest_first.find_map(Self::with_isa).unwrap_or(Kernels { isa: Isa::SCALAR })
    }

    /// The kernels of an instruction set, or `None` if this processor lacks it.
    pub fn with_isa(isa: Isa) -> Option<Self> {
        isa.available().then_some(Kernels { isa })
    }

    /// The instruction set in use.
    pub fn isa(self) -> Isa {
        self.isa
    }

    /// A 1×1 convolution of `n` positions: `x` is `[n][cin]`, `residual` and `out` are `[n][cout]`.
    ///
    /// `scratch` is space to be reused between calls. The residual is passed exactly if the caller has one,
    /// whatever the operation names.
    ///
    /// # Errors
    /// [`RunError::Mismatch`] if a length or type is wrong.
    pub fn conv1x1(
        self,
        op: &Conv1x1<'_>,
        n: usize,
        x: RowRef<'_>,
        residual: Option<&[i16]>,
        out: RowMut<'_>,
        scratch: &mut Vec<u8>,
    ) -> Result<(), RunError> {
        same("input of 1x1 convolution", n * op.cin, x.len())?;
        same("output of 1x1 convolution", n * op.cout, out.len())?;
        if let Some(r) = residual {
            same("residual of 1x1 convolution", out.len(), r.len())?;
        }
        // Kernels index by these; the parser made them so.
        let padded = op.cout.next_multiple_of(16);
        same("weights", Conv1x1::weight_bytes(op.cin, op.cout), op.weights.len())?;
        same("biases", padded, op.bias.len())?;
        same("scales", padded, op.scale.len())?;
        if matches!(x, RowRef::I16(_)) {
            same("biases", padded, op.bias_unsigned.len())?;
        }
        // Whole groups of inputs only: other numbers are rare and small.
        let isa = if op.cin.is_multiple_of(4) { self.isa } else { Isa::SCALAR };
        // SAFETY: the processor has the features (invariant of `isa`); all lengths were checked above.
        unsafe { (isa.0.conv1x1)(op, n, x, residual, out, scratch) }
        Ok(())
    }

    /// One row of a depthwise convolution of `n` positions: `rows` are the k input rows around it, each
    /// `[n + k − 1][channels]` from k/2 positions left of the first; `residual` and `out` are `[n][channels]`.
    ///
    /// # Errors
    /// [`RunError::Mismatch`] if a length or type is wrong.
    pub fn depthwise(
        self,
        op: &Depthwise<'_>,
        n: usize,
        rows: &[RowRef<'_>],
        residual: Option<&[i16]>,
        out: RowMut<'_>,
    ) -> Result<(), RunError> {
        let (k, c) = (op.k, op.channels);
        if !matches!(k, 3 | 5) {
            return Err(RunError::Mismatch { what: "kernel side", expected: 3, found: k });
        }
        same("rows of depthwise convolution", k, rows.len())?;
        for row in rows {
            same("input of depthwise convolution", (n + k - 1) * c, row.len())?;
            if row.dtype() != rows[0].dtype() {
                return Err(RunError::Mismatch {
                    what: "type of rows",
                    expected: row.len(),
                    found: row.len(),
                });
            }
        }
        same("output of depthwise convolution", n * c, out.len())?;
        if let Some(r) = residual {
            same("residual of depthwise convolution", out.len(), r.len())?;
        }
        same("weights", k * k * c, op.weights.len())?;
        same("biases", c, op.bias.len())?;
        same("scales", c, op.scale.len())?;
        // SAFETY: the processor has the features (invariant of `isa`); all lengths were checked above.
        unsafe { (self.isa.0.depthwise)(op, n, rows, residual, out) }
        Ok(())
    }
}

impl Kernels {
    /// Looks up every element.
    ///
    /// # Errors
    /// [`RunError::Mismatch`] if a length or type is wrong.
    pub fn table(self, op: &Table<'_>, x: RowRef<'_>, out: RowMut<'_>) -> Result<(), RunError> {
        same("output of table", x.len(), out.len())?;
        let (RowRef::I16(x), RowMut::U8(out)) = (x, out) else {
            return Err(RunError::Mismatch { what: "types of table", expected: 0, found: 1 });
        };
        // SAFETY: the processor has the features (invariant of `isa`); the lengths were checked above.
        unsafe { (self.isa.0.table)(op, x, out) }
        Ok(())
    }
}

/// Some work to be compiled for several instruction sets.
pub(crate) trait Work {
    /// What it gives.
    type Output;

    /// Does it. Implementations are `#[inline(always)]`, and so is what they call: only what is inlined profits.
    fn run(self) -> Self::Output;
}

/// Does some work in code that the compiler has made for wide vectors, if this processor has them. The results are the
/// same: the compiler keeps Rust's arithmetic.
#[inline(always)]
pub(crate) fn wide<W: Work>(work: W) -> W::Output {
    #[cfg(target_arch = "x86_64")]
    {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
        fn avx512<W: Work>(work: W) -> W::Output {
            work.run()
        }
        if detected!("avx512f")
            && detected!("avx512bw")
            && detected!("avx512dq")
            && detected!("avx512vl")
        {
            // SAFETY: the processor has the features.
            return unsafe { avx512(work) };
        }
    }
    work.run()
}

fn same(what: &'static str, expected: usize, found: usize) -> Result<(), RunError> {
    if expected == found { Ok(()) } else { Err(RunError::Mismatch { what, expected, found }) }
}
