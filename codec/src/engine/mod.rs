//! The integer engine: runs small int8 networks with one defined result on every processor.
//!
//! * [`Program`] — a flat list of operations, parsed in place from bytes; [`ProgramBuilder`] writes them.
//! * [`Executor`] — runs a program row by row over ring buffers (memory grows with width, not area).
//! * [`run_banded`] — the same over several bands of rows, in parallel with the feature `rayon`.
//! * [`reference`] — whole tensors, plain loops: the definition every other path is tested against.
//! * [`kernels`] — the inner loops for each instruction set, bit-identical to the scalar ones.
//!
//! Tensors are NHWC with N = 1, of type [`DType::U8`] or [`DType::I16`]; the arithmetic is described in [`op`]
//! and [`requant`].

mod bands;
mod builder;
mod error;
pub mod kernels;
pub mod op;
mod program;
pub mod reference;
pub mod requant;
mod stream;
mod tensor;
#[cfg(test)]
mod testing;

pub use bands::run_banded;
pub use builder::{ConvSpec, DepthwiseSpec, ProgramBuilder};
pub use error::{ProgramError, RunError};
pub use kernels::{Isa, Kernels};
pub use program::{Program, TensorId};
pub use stream::{Executor, RowSink, RowSource, Run};
pub use tensor::{DType, RowMut, RowRef, Size, Tensor, TensorData, TensorInfo};
