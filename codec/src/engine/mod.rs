//! The integer engine: runs small int8 networks with one defined result on every processor.
//!
//! * [`Program`] — a flat list of operations, parsed in place from bytes; [`ProgramBuilder`] writes them.
//! * [`Executor`] — runs a program row by row over ring buffers (memory grows with width, not area).
//! * [`run_banded`] — the same over several bands of rows, in parallel with the feature `rayon`.
//! * [`mod@reference`] — whole tensors, plain loops: the definition every other path is tested against.
//! * [`kernels`] — the inner loops for each instruction set, bit-identical to the scalar ones.
//!
//! Tensors are NHWC with N = 1, of type [`DType::U8`] or [`DType::I16`]; the arithmetic is described in [`op`]
//! and [`requant`].
//!
//! ```
//! use pinhole::engine::requant::Bounds;
//! use pinhole::engine::{ConvSpec, DType, Executor, Program, ProgramBuilder, RowMut, RowRef, Size};
//!
//! // Write a program: 2×2 patches of a grey picture, two sums of each.
//! let mut builder = ProgramBuilder::new();
//! let picture = builder.input(DType::U8, 1, 0)?;
//! let patches = builder.space_to_depth(picture, 2)?;
//! let sums = builder.conv1x1(patches, ConvSpec {
//!     dtype: DType::I16,
//!     zero_point: 0,
//!     residual: None,
//!     weights: &[1, 1, 1, 1, /* second output */ 1, -1, 1, -1],
//!     bias: &[0, 0],
//!     scale: &[1.0, 0.5],
//!     bounds: Bounds { offset: 0, lo: -32768, hi: 32767 },
//! })?;
//! let bytes = builder.finish(&[sums])?;
//!
//! // Run it: rows are asked for and handed over as the work goes on.
//! let program = Program::parse(&bytes)?;
//! let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
//!     if let RowMut::U8(row) = row {
//!         row.fill(y as u8);
//!     }
//! };
//! let mut rows = Vec::new();
//! let mut sink = |_output: usize, _y: usize, row: RowRef<'_>| rows.extend(row.as_i16().map(<[i16]>::to_vec));
//! Executor::new().run(&program, Size { height: 4, width: 4 }, &mut source, &mut sink)?;
//! assert_eq!(rows, [[2, 0, 2, 0], [10, 0, 10, 0]]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod aligned;
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
pub(crate) mod testing;

pub(crate) use aligned::Aligned;
pub use bands::run_banded;
pub use builder::{ConvSpec, DepthwiseSpec, ProgramBuilder};
pub use error::{ProgramError, RunError};
pub use kernels::{Isa, Kernels};
pub(crate) use program::Cells;
pub use program::{Program, TensorId};
pub(crate) use stream::Progress;
pub use stream::{Executor, RowSink, RowSource, Run};
pub use tensor::{DType, RowMut, RowRef, Size, Tensor, TensorData, TensorInfo};
