//! What can be wrong with a program, or with the request to run one.

use core::fmt;

use super::DType;

/// Why bytes (or a builder's calls) are not a valid program. `op` counts operations from 0.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq)]
pub enum ProgramError {
    /// The bytes end before a field that must be there.
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes there.
        len: usize,
    },
    /// The first four bytes are not `PHIP`.
    BadMagic([u8; 4]),
    /// A format version this library does not know.
    UnsupportedVersion(u16),
    /// A number outside what the format allows.
    OutOfRange {
        /// Operation, or `None` in the header.
        op: Option<usize>,
        /// Name of the field.
        field: &'static str,
        /// Its value.
        value: i64,
        /// Smallest allowed.
        min: i64,
        /// Largest allowed.
        max: i64,
    },
    /// An operation code that does not exist.
    UnknownOp {
        /// Operation.
        op: usize,
        /// The code.
        code: u8,
    },
    /// A tensor that does not exist, or not yet.
    UndefinedTensor {
        /// Operation, or `None` in the list of outputs.
        op: Option<usize>,
        /// The tensor named.
        tensor: u16,
        /// Tensors that exist at this point.
        defined: usize,
    },
    /// Two things that must agree do not.
    Mismatch {
        /// Operation.
        op: usize,
        /// What disagrees.
        what: &'static str,
        /// What is required.
        expected: i64,
        /// What is there.
        found: i64,
    },
    /// An operand of the wrong type.
    WrongType {
        /// Operation.
        op: usize,
        /// Which operand.
        operand: &'static str,
        /// Its type.
        found: DType,
    },
    /// A block of constants that is misaligned or not within the bytes.
    BadBlock {
        /// Operation.
        op: usize,
        /// Which block.
        block: &'static str,
        /// Its offset in bytes.
        offset: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// A scale that is infinite or not a number.
    BadScale {
        /// Operation.
        op: usize,
        /// Output channel.
        channel: usize,
        /// The scale.
        scale: f32,
    },
    /// Reserved or padding bytes that are not zero.
    NonZeroPadding {
        /// Operation, or `None` in the header.
        op: Option<usize>,
    },
}

impl fmt::Display for ProgramError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct At(Option<usize>);
        impl fmt::Display for At {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self.0 {
                    Some(op) => write!(f, "operation {op}"),
                    None => f.write_str("program header"),
                }
            }
        }
        match *self {
            Self::Truncated { needed, len } => {
                write!(f, "program needs {needed} bytes, there are {len}")
            }
            Self::BadMagic(m) => write!(f, "not an engine program (starts with {m:02x?})"),
            Self::UnsupportedVersion(v) => write!(f, "program format version {v} is not supported"),
            Self::OutOfRange { op, field, value, min, max } => {
                write!(f, "{}: {field} is {value}, outside {min}..={max}", At(op))
            }
            Self::UnknownOp { op, code } => write!(f, "operation {op}: unknown code {code}"),
            Self::UndefinedTensor { op, tensor, defined } => {
                write!(f, "{}: names tensor {tensor}, but only {defined} are defined", At(op))
            }
            Self::Mismatch { op, what, expected, found } => {
                write!(f, "operation {op}: {what} is {found}, must be {expected}")
            }
            Self::WrongType { op, operand, found } => {
                write!(f, "operation {op}: {operand} may not be {found:?}")
            }
            Self::BadBlock { op, block, offset, len } => {
                write!(
                    f,
                    "operation {op}: {block} ({len} bytes at {offset}) is misaligned or out of bounds"
                )
            }
            Self::BadScale { op, channel, scale } => {
                write!(f, "operation {op}: scale {scale} of channel {channel}")
            }
            Self::NonZeroPadding { op } => write!(f, "{}: reserved bytes are not zero", At(op)),
        }
    }
}

impl core::error::Error for ProgramError {}

/// Why a program cannot run on what it was given.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunError {
    /// Height or width is zero, too large, or not a multiple of `multiple`.
    BadSize {
        /// Rows asked for.
        height: usize,
        /// Positions per row asked for.
        width: usize,
        /// What both must be multiples of.
        multiple: usize,
    },
    /// Units that are not within the picture.
    BadUnits {
        /// First unit asked for.
        start: usize,
        /// End of the units asked for.
        end: usize,
        /// Units in the picture.
        units: usize,
    },
    /// The ring buffers would need more than [`Executor::MAX_BYTES`](super::Executor::MAX_BYTES).
    TooLarge {
        /// Bytes needed.
        bytes: u64,
    },
    /// A tensor, row or list whose length or type is not what the program or kernel needs.
    Mismatch {
        /// What was looked at.
        what: &'static str,
        /// The length needed.
        expected: usize,
        /// The length found (or the same number, when the type is wrong).
        found: usize,
    },
    /// The call needs a program without neighbourhoods or changes of scale.
    NotPointwise,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::BadSize { height, width, multiple } => {
                write!(
                    f,
                    "size {width}x{height} is zero, too large, or not a multiple of {multiple}"
                )
            }
            Self::BadUnits { start, end, units } => {
                write!(f, "units {start}..{end} of a picture of {units}")
            }
            Self::TooLarge { bytes } => {
                write!(f, "the program would need {bytes} bytes of row buffers")
            }
            Self::Mismatch { what, expected, found } => {
                write!(
                    f,
                    "{what}: {found} elements where {expected} are needed, or of the wrong type"
                )
            }
            Self::NotPointwise => f.write_str("the program looks at neighbours or changes scale"),
        }
    }
}

impl core::error::Error for RunError {}
