//! Row-by-row execution over ring buffers.

mod exec;
mod plan;
mod ring;
mod rows;
#[cfg(test)]
mod tests;

pub use exec::{Executor, RowSink, RowSource, Run};
