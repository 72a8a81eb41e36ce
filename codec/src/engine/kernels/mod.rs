//! The inner loops: one row of a convolution, for each instruction set.
//!
//! [`Kernels`] is chosen once; its methods check lengths and types, then enter the code for its instruction set.
//! Every instruction set returns the same bits (see `tests`).

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod scalar;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use super::op::{Conv1x1, Depthwise};
use super::{RowMut, RowRef, RunError};

/// An instruction set there is code for.
#[non_exhaustive]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// Plain Rust.
    Scalar,
    /// x86-64 with AVX2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, VL and VNNI.
    Avx512Vnni,
}

impl Isa {
    /// All of them, slowest first.
    pub const ALL: [Isa; 3] = [Isa::Scalar, Isa::Avx2, Isa::Avx512Vnni];

    /// The name that the environment variable `PINHOLE_ISA` takes.
    pub const fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::Avx512Vnni => "avx512vnni",
        }
    }

    /// Whether this processor has it (without the feature `std`: whether the compiler was told so).
    pub fn available(self) -> bool {
        match self {
            Isa::Scalar => true,
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Isa::Avx2 => std::is_x86_feature_detected!("avx2"),
            #[cfg(all(target_arch = "x86_64", feature = "std"))]
            Isa::Avx512Vnni => {
                std::is_x86_feature_detected!("avx512f")
                    && std::is_x86_feature_detected!("avx512bw")
                    && std::is_x86_feature_detected!("avx512vl")
                    && std::is_x86_feature_detected!("avx512vnni")
            }
            #[cfg(not(all(target_arch = "x86_64", feature = "std")))]
            Isa::Avx2 => cfg!(target_feature = "avx2"),
            #[cfg(not(all(target_arch = "x86_64", feature = "std")))]
            Isa::Avx512Vnni => cfg!(all(
                target_feature = "avx512f",
                target_feature = "avx512bw",
                target_feature = "avx512vl",
                target_feature = "avx512vnni"
            )),
        }
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
                Isa::ALL.into_iter().find(|i| i.name() == name).and_then(Self::with_isa)
        {
            return kernels;
        }
        Isa::ALL.into_iter().rev().find_map(Self::with_isa).unwrap_or(Kernels { isa: Isa::Scalar })
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
    #[cfg_attr(not(target_arch = "x86_64"), allow(unused_variables))]
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
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni if op.cin.is_multiple_of(4) => {
                // SAFETY: the processor has the features (invariant of `isa`); all lengths were checked above.
                unsafe { avx512::conv1x1(op, n, x, residual, out, scratch) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 if op.cin.is_multiple_of(4) => {
                // SAFETY: the processor has the features (invariant of `isa`); all lengths were checked above.
                unsafe { avx2::conv1x1(op, n, x, residual, out) }
            }
            _ => scalar::conv1x1(op, n, x, residual, out),
        }
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
        match self.isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512Vnni => {
                // SAFETY: the processor has the features (invariant of `isa`); all lengths were checked above.
                unsafe { avx512::depthwise(op, n, rows, residual, out) }
            }
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => {
                // SAFETY: the processor has the features (invariant of `isa`); all lengths were checked above.
                unsafe { avx2::depthwise(op, n, rows, residual, out) }
            }
            _ => scalar::depthwise(op, n, rows, residual, out, 0),
        }
        Ok(())
    }
}

fn same(what: &'static str, expected: usize, found: usize) -> Result<(), RunError> {
    if expected == found { Ok(()) } else { Err(RunError::Mismatch { what, expected, found }) }
}
