//! The program format, and its parser.
//!
//! All numbers are little endian. Offsets count from the program's first byte.
//!
//! | bytes | field |
//! |---|---|
//! | 0..4 | `PHIP` |
//! | 4..6 | version, u16, 1 |
//! | 6 | inputs, u8, 1..=8 |
//! | 7 | outputs, u8, 1..=4 |
//! | 8..10 | operations, u16, 0..=256 |
//! | 10..12 | zero |
//! | 12..16 | length of the program in bytes, u32 |
//! | then 8 a input | dtype u8 (0 = U8, 1 = I16), zero point u8, channels u16, 4 zero bytes |
//! | then 8 | four u16: the output tensors, 0xFFFF where unused |
//! | then 64 an operation | the record below |
//! | then | blocks of constants, each at a multiple of 64 |
//!
//! Tensor numbers: the inputs come first, operation *i* writes tensor `inputs + i` and reads lower ones only.
//!
//! | record bytes | field |
//! |---|---|
//! | 0 | code: 1 conv 1×1, 2 depthwise, 3 space to depth, 4 depth to space, 5 concat, 6 table |
//! | 1, 2 | output's dtype and zero point |
//! | 3 | depthwise: k; space/depth: b; concat: number of inputs; else 0 |
//! | 4..6 | output's channels, u16 |
//! | 6..8 | residual tensor, or 0xFFFF |
//! | 8..24 | eight u16: input tensors, 0xFFFF where unused |
//! | 24..28, 28..32, 32..36 | offset, lo, hi, i32 (table: offset 0, lo = first input, hi = entries) |
//! | 36..40, 40..44, 44..48 | offsets of weights (or table), biases (i32), scales (f32), u32; 0 where unused |
//! | 48..64 | zero |

mod fold;
mod record;
mod shrink;
mod split;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

use super::op::Op;
use super::{DType, ProgramError, TensorInfo};
pub(crate) use fold::Cells;
use record::{Record, dtype_and_zero, in_range, take, u16_at, u32_at};

/// Number of a tensor in a program.
pub type TensorId = u16;

pub(super) const MAGIC: [u8; 4] = *b"PHIP";
pub(super) const VERSION: u16 = 1;
pub(super) const HEADER: usize = 16;
pub(super) const RECORD: usize = 64;
pub(super) const ALIGN: usize = 64;
pub(super) const NONE: u16 = 0xFFFF;
pub(super) const MAX_CHANNELS: usize = 4096;
pub(super) const MAX_OPS: usize = 256;
pub(super) const MAX_INPUTS: usize = 8;
pub(super) const MAX_OUTPUTS: usize = 4;
pub(super) const MAX_CONCAT: usize = 8;
pub(super) const MAX_TABLE: usize = 65536;
pub(super) const MAX_OFFSET: i32 = 65536;
const SHIFTS: (i8, i8) = (-9, 9);

/// A validated program. Weights are borrowed from the bytes it was parsed from; see [`Program::into_owned`].
#[derive(Clone, Debug)]
pub struct Program<'a> {
    inputs: usize,
    outputs: Vec<TensorId>,
    tensors: Vec<TensorInfo>,
    ops: Vec<Op<'a>>,
}

impl<'a> Program<'a> {
    /// Parses and validates a program that starts at `bytes[0]`; bytes after its declared length are ignored.
    ///
    /// Memory allocated is bounded by the length of `bytes`.
    ///
    /// # Errors
    /// [`ProgramError`] says which field of which operation is wrong.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ProgramError> {
        let header = take::<HEADER>(bytes, 0)?;
        if header[..4] != MAGIC {
            return Err(ProgramError::BadMagic([header[0], header[1], header[2], header[3]]));
        }
        let version = u16_at(&header, 4);
        if version != VERSION {
            return Err(ProgramError::UnsupportedVersion(version));
        }
        let inputs = in_range(None, "inputs", header[6], 1, MAX_INPUTS)?;
        let outputs = in_range(None, "outputs", header[7], 1, MAX_OUTPUTS)?;
        let ops = in_range(None, "operations", u16_at(&header, 8), 0, MAX_OPS)?;
        if u16_at(&header, 10) != 0 {
            return Err(ProgramError::NonZeroPadding { op: None });
        }
        let total = u32_at(&header, 12) as usize;
        let bytes = bytes
            .get(..total)
            .ok_or(ProgramError::Truncated { needed: total, len: bytes.len() })?;

        let mut program =
            Program { inputs, outputs: Vec::new(), tensors: Vec::new(), ops: Vec::new() };
        let mut at = HEADER;
        for _ in 0..inputs {
            let record = take::<8>(bytes, at)?;
            if record[4..] != [0; 4] {
                return Err(ProgramError::NonZeroPadding { op: None });
            }
            let (dtype, zero_point) = dtype_and_zero(None, record[0], record[1])?;
            let channels = in_range(None, "channels", u16_at(&record, 2), 1, MAX_CHANNELS)?;
            program.tensors.push(TensorInfo { dtype, zero_point, channels, shift: 0 });
            at += 8;
        }
        let output_list = take::<8>(bytes, at)?;
        at += 8;
        for index in 0..ops {
            let record = Record { op: index, raw: take::<RECORD>(bytes, at)?, file: bytes };
            at += RECORD;
            let (info, op) = program.parse_op(&record)?;
            if !(SHIFTS.0..=SHIFTS.1).contains(&info.shift) {
                return Err(record.out_of_range(
                    "scale",
                    info.shift.into(),
                    SHIFTS.0.into(),
                    SHIFTS.1.into(),
                ));
            }
            program.tensors.push(info);
            program.ops.push(op);
        }
        for i in 0..MAX_OUTPUTS {
            let tensor = u16_at(&output_list, 2 * i);
            if i >= outputs {
                if tensor != NONE {
                    return Err(ProgramError::NonZeroPadding { op: None });
                }
            } else {
                program.info_or(None, tensor)?;
                program.outputs.push(tensor);
            }
        }
        Ok(program)
    }

    /// Number of input tensors; their ids are `0..inputs()`.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// The output tensors, 1 to 4.
    pub fn outputs(&self) -> &[TensorId] {
        &self.outputs
    }

    /// All tensors, by id.
    pub fn tensors(&self) -> &[TensorInfo] {
        &self.tensors
    }

    /// What input number `index` looks like.
    pub fn input_info(&self, index: usize) -> Option<TensorInfo> {
        self.tensors[..self.inputs].get(index).copied()
    }

    /// What output number `index` looks like.
    pub fn output_info(&self, index: usize) -> Option<TensorInfo> {
        self.outputs.get(index).map(|&t| self.tensors[usize::from(t)])
    }

    /// The operations; number *i* writes tensor `inputs() + i`.
    pub fn ops(&self) -> &[Op<'a>] {
        &self.ops
    }

    /// Height and width of the inputs must be multiples of this many positions, which are one *unit* of rows.
    pub fn unit(&self) -> usize {
        1 << self.tensors.iter().map(|t| t.shift).max().unwrap_or(0).max(0)
    }

    /// Whether every operation treats positions one by one (so that positions may be run in any packing).
    pub fn is_pointwise(&self) -> bool {
        self.ops.iter().all(|op| matches!(op, Op::Conv1x1(_) | Op::Concat { .. } | Op::Table(_)))
    }

    /// Multiply–accumulate operations for inputs of one position, times the square of [`Program::unit`].
    pub fn macs_per_unit(&self) -> u64 {
        let unit = self.unit();
        let positions = |t: TensorId| {
            let side = super::Size { height: unit, width: unit }
                .shifted(self.tensors[usize::from(t)].shift);
            (side.height * side.width) as u64
        };
        let macs = |op: &Op<'_>| match op {
            Op::Conv1x1(c) => (c.cin * c.cout) as u64 * positions(c.input),
            Op::Depthwise(d) => (d.k * d.k * d.channels) as u64 * positions(d.input),
            _ => 0,
        };
        self.ops.iter().map(macs).sum()
    }

    /// The same program with its constants copied, free of the bytes it was parsed from.
    pub fn into_owned(self) -> Program<'static> {
        Program {
            inputs: self.inputs,
            outputs: self.outputs,
            tensors: self.tensors,
            ops: self.ops.into_iter().map(Op::into_owned).collect(),
        }
    }

    fn info_or(&self, op: Option<usize>, tensor: u16) -> Result<TensorInfo, ProgramError> {
        let undefined = ProgramError::UndefinedTensor { op, tensor, defined: self.tensors.len() };
        self.tensors.get(usize::from(tensor)).copied().ok_or(undefined)
    }

    fn parse_op(&self, r: &Record<'a>) -> Result<(TensorInfo, Op<'a>), ProgramError> {
        let op = Some(r.op);
        let (dtype, zero_point) = dtype_and_zero(op, r.raw[1], r.raw[2])?;
        let channels = in_range(op, "channels", u16_at(&r.raw, 4), 1, MAX_CHANNELS)?;
        let param = r.raw[3];
        let code = r.raw[0];
        if !(1..=6).contains(&code) {
            return Err(ProgramError::UnknownOp { op: r.op, code });
        }
        let count = if code == 5 { in_range(op, "inputs", param, 1, MAX_CONCAT)? } else { 1 };
        let mut inputs = Vec::with_capacity(count);
        for i in 0..MAX_CONCAT {
            let tensor = u16_at(&r.raw, 8 + 2 * i);
            if i >= count {
                r.expect("unused input", NONE.into(), tensor.into())?;
            } else {
                self.info_or(op, tensor)?;
                inputs.push(tensor);
            }
        }
        let input = inputs[0];
        let first = self.info_or(op, input)?;
        let mut out = TensorInfo { dtype, zero_point, channels, shift: first.shift };
        let residual = match u16_at(&r.raw, 6) {
            NONE => None,
            tensor => Some((tensor, self.info_or(op, tensor)?)),
        };
        if code > 2 && residual.is_some() {
            return Err(r.out_of_range(
                "residual",
                i64::from(u16_at(&r.raw, 6)),
                NONE.into(),
                NONE.into(),
            ));
        }
        if let Some((_, info)) = residual {
            if info.dtype != DType::I16 {
                return Err(ProgramError::WrongType {
                    op: r.op,
                    operand: "residual",
                    found: info.dtype,
                });
            }
            r.expect("residual's channels", channels as i64, info.channels as i64)?;
            r.expect("residual's scale", first.shift.into(), info.shift.into())?;
        }
        let residual = residual.map(|(tensor, _)| tensor);
        if r.raw[48..] != [0; 16] {
            return Err(ProgramError::NonZeroPadding { op });
        }
        if matches!(code, 1 | 6) {
            r.expect("parameter", 0, param.into())?;
        }
        let parsed = match code {
            1 => Op::Conv1x1(r.conv(input, first, residual, out)?),
            2 => {
                r.expect("channels", first.channels as i64, channels as i64)?;
                Op::Depthwise(r.depthwise(input, residual, out)?)
            }
            3 | 4 => {
                r.no_constants()?;
                let b = usize::from(param);
                if !matches!(b, 2 | 4 | 8) {
                    return Err(r.out_of_range("block side", param.into(), 2, 8));
                }
                r.expect_same_kind(first, out)?;
                let step = b.trailing_zeros() as i8;
                let (large, small) =
                    if code == 3 { (channels, first.channels) } else { (first.channels, channels) };
                r.expect("channels of the deeper tensor", (small * b * b) as i64, large as i64)?;
                out.shift += if code == 3 { step } else { -step };
                if code == 3 {
                    Op::SpaceToDepth { input, b }
                } else {
                    Op::DepthToSpace { input, b }
                }
            }
            5 => {
                r.no_constants()?;
                let mut sum = 0;
                for &tensor in &inputs {
                    let info = self.info_or(op, tensor)?;
                    r.expect_same_kind(info, out)?;
                    r.expect("input's scale", first.shift.into(), info.shift.into())?;
                    sum += info.channels;
                }
                r.expect("channels", sum as i64, channels as i64)?;
                Op::Concat { inputs }
            }
            _ => {
                r.expect("channels", first.channels as i64, channels as i64)?;
                Op::Table(r.table(input, first, out)?)
            }
        };
        Ok((out, parsed))
    }
}
