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

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::op::{COUT_BLOCK, Conv1x1, Depthwise, Op, Table};
use super::requant::Bounds;
use super::{DType, ProgramError, TensorInfo};

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

/// One operation's record and the file its constants are in.
struct Record<'a> {
    op: usize,
    raw: [u8; RECORD],
    file: &'a [u8],
}

impl<'a> Record<'a> {
    fn out_of_range(&self, field: &'static str, value: i64, min: i64, max: i64) -> ProgramError {
        ProgramError::OutOfRange { op: Some(self.op), field, value, min, max }
    }

    fn expect(&self, what: &'static str, expected: i64, found: i64) -> Result<(), ProgramError> {
        if expected == found {
            Ok(())
        } else {
            Err(ProgramError::Mismatch { op: self.op, what, expected, found })
        }
    }

    fn expect_same_kind(&self, input: TensorInfo, out: TensorInfo) -> Result<(), ProgramError> {
        if input.dtype != out.dtype {
            return Err(ProgramError::WrongType {
                op: self.op,
                operand: "output",
                found: out.dtype,
            });
        }
        self.expect("zero point", input.zero_point.into(), out.zero_point.into())
    }

    fn no_constants(&self) -> Result<(), ProgramError> {
        if self.raw[24..48] == [0; 24] {
            Ok(())
        } else {
            Err(ProgramError::NonZeroPadding { op: Some(self.op) })
        }
    }

    fn block(
        &self,
        block: &'static str,
        field: usize,
        len: usize,
    ) -> Result<&'a [u8], ProgramError> {
        let offset = u32_at(&self.raw, field) as usize;
        let bad = ProgramError::BadBlock { op: self.op, block, offset, len };
        if !offset.is_multiple_of(ALIGN) || offset == 0 {
            return Err(bad);
        }
        let end = offset.checked_add(len).ok_or(bad.clone())?;
        self.file.get(offset..end).ok_or(bad)
    }

    fn bounds(&self, out: TensorInfo) -> Result<Bounds, ProgramError> {
        let [offset, lo, hi] = [24, 28, 32].map(|at| u32_at(&self.raw, at) as i32);
        let limit = MAX_OFFSET;
        if !(-limit..=limit).contains(&offset) {
            return Err(self.out_of_range("offset", offset.into(), (-limit).into(), limit.into()));
        }
        let (min, max) = out.dtype.range();
        if !(min..=max).contains(&lo) {
            return Err(self.out_of_range("lo", lo.into(), min.into(), max.into()));
        }
        if !(lo..=max).contains(&hi) {
            return Err(self.out_of_range("hi", hi.into(), lo.into(), max.into()));
        }
        Ok(Bounds { offset, lo, hi })
    }

    /// Biases and scales for `channels`, zero padded to a multiple of `pad`.
    fn bias_and_scale(
        &self,
        channels: usize,
        pad: usize,
    ) -> Result<(Vec<i32>, Vec<f32>), ProgramError> {
        let bias = self.block("biases", 40, channels * 4)?;
        let scale = self.block("scales", 44, channels * 4)?;
        let padded = channels.next_multiple_of(pad);
        let mut biases = Vec::with_capacity(padded);
        biases.extend((0..channels).map(|c| u32_at(bias, 4 * c) as i32));
        biases.resize(padded, 0);
        let mut scales = Vec::with_capacity(padded);
        for channel in 0..channels {
            let scale = f32::from_bits(u32_at(scale, 4 * channel));
            if !scale.is_finite() {
                return Err(ProgramError::BadScale { op: self.op, channel, scale });
            }
            scales.push(scale);
        }
        scales.resize(padded, 0.0);
        Ok((biases, scales))
    }

    fn conv(
        &self,
        input: TensorId,
        from: TensorInfo,
        residual: Option<TensorId>,
        out: TensorInfo,
    ) -> Result<Conv1x1<'a>, ProgramError> {
        let (cin, cout) = (from.channels, out.channels);
        let weights: &[i8] =
            bytemuck::cast_slice(self.block("weights", 36, Conv1x1::weight_bytes(cin, cout))?);
        let bounds = self.bounds(out)?;
        let (bias, scale) = self.bias_and_scale(cout, COUT_BLOCK)?;
        // Padding must be zero, so that kernels may read whole groups; sums serve inputs read as unsigned.
        let mut bias_unsigned = bias.clone();
        let mut at = 0;
        for block in 0..cout.div_ceil(COUT_BLOCK) {
            for group in 0..cin.div_ceil(4) {
                for lane in 0..COUT_BLOCK {
                    let o = block * COUT_BLOCK + lane;
                    for i in 0..4 {
                        let w = weights[at];
                        at += 1;
                        if (o >= cout || group * 4 + i >= cin) && w != 0 {
                            return Err(ProgramError::NonZeroPadding { op: Some(self.op) });
                        }
                        bias_unsigned[o] = bias_unsigned[o].wrapping_sub(i32::from(w) << 15);
                    }
                }
            }
        }
        if from.dtype == DType::U8 {
            bias_unsigned = Vec::new();
        }
        let weights = Cow::Borrowed(weights);
        Ok(Conv1x1 { input, residual, cin, cout, weights, bias, bias_unsigned, scale, bounds })
    }

    fn depthwise(
        &self,
        input: TensorId,
        residual: Option<TensorId>,
        out: TensorInfo,
    ) -> Result<Depthwise<'a>, ProgramError> {
        let k = usize::from(self.raw[3]);
        if !matches!(k, 3 | 5) {
            return Err(self.out_of_range("kernel side", k as i64, 3, 5));
        }
        let channels = out.channels;
        let weights =
            Cow::Borrowed(bytemuck::cast_slice(self.block("weights", 36, k * k * channels)?));
        let bounds = self.bounds(out)?;
        let (bias, scale) = self.bias_and_scale(channels, 1)?;
        Ok(Depthwise { input, residual, k, channels, weights, bias, scale, bounds })
    }

    fn table(
        &self,
        input: TensorId,
        from: TensorInfo,
        out: TensorInfo,
    ) -> Result<Table<'a>, ProgramError> {
        if from.dtype != DType::I16 {
            return Err(ProgramError::WrongType {
                op: self.op,
                operand: "input",
                found: from.dtype,
            });
        }
        if out.dtype != DType::U8 {
            return Err(ProgramError::WrongType {
                op: self.op,
                operand: "output",
                found: out.dtype,
            });
        }
        if u32_at(&self.raw, 24) != 0 || self.raw[40..48] != [0; 8] {
            return Err(ProgramError::NonZeroPadding { op: Some(self.op) });
        }
        let lo = u32_at(&self.raw, 28) as i32;
        let Ok(first) = i16::try_from(lo) else {
            return Err(self.out_of_range("lo", lo.into(), -32768, 32767));
        };
        let entries = in_range(Some(self.op), "entries", u32_at(&self.raw, 32), 1, MAX_TABLE)?;
        let table = Cow::Borrowed(self.block("table", 36, entries)?);
        Ok(Table { input, lo: first, table })
    }
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ProgramError> {
    let truncated = ProgramError::Truncated { needed: at + N, len: bytes.len() };
    bytes.get(at..at + N).and_then(|s| s.try_into().ok()).ok_or(truncated)
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn in_range(
    op: Option<usize>,
    field: &'static str,
    value: impl Into<u32>,
    min: usize,
    max: usize,
) -> Result<usize, ProgramError> {
    let value: u32 = value.into();
    if (min..=max).contains(&(value as usize)) {
        return Ok(value as usize);
    }
    Err(ProgramError::OutOfRange {
        op,
        field,
        value: value.into(),
        min: min as i64,
        max: max as i64,
    })
}

fn dtype_and_zero(
    op: Option<usize>,
    dtype: u8,
    zero_point: u8,
) -> Result<(DType, u8), ProgramError> {
    match dtype {
        0 => Ok((DType::U8, zero_point)),
        1 if zero_point == 0 => Ok((DType::I16, 0)),
        1 => Err(ProgramError::OutOfRange {
            op,
            field: "zero point",
            value: i64::from(zero_point),
            min: 0,
            max: 0,
        }),
        other => Err(ProgramError::OutOfRange {
            op,
            field: "dtype",
            value: i64::from(other),
            min: 0,
            max: 1,
        }),
    }
}

#[cfg(test)]
mod tests;
