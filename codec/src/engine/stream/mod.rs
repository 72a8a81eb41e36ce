//! Row-by-row execution over ring buffers.

mod exec;
mod plan;
mod points;
mod ring;
mod rows;
#[cfg(test)]
mod tests;

pub(crate) use exec::Progress;
pub use exec::{Executor, RowSink, RowSource, Run};
