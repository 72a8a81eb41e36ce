//! Pictures on their way in and out.
mod compare;
mod format;
mod read;
mod write;

pub use compare::compare;
pub use format::OutputFormat;
pub use read::{InputLimits, read};
pub use write::{Carried, WriteError, write};
