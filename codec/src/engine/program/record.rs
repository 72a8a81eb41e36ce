//! One operation's record: its fields, its constants, and what they must be.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::{ALIGN, MAX_OFFSET, MAX_TABLE, RECORD, TensorId};
use crate::engine::op::{CIN_GROUP, COUT_BLOCK, Conv1x1, Depthwise, Table};
use crate::engine::requant::Bounds;
use crate::engine::{DType, ProgramError, TensorInfo};

/// One operation's record and the file its constants are in.
pub(super) struct Record<'a> {
    pub(super) op: usize,
    pub(super) raw: [u8; RECORD],
    pub(super) file: &'a [u8],
}

impl<'a> Record<'a> {
    pub(super) fn out_of_range(
        &self,
        field: &'static str,
        value: i64,
        min: i64,
        max: i64,
    ) -> ProgramError {
        ProgramError::OutOfRange { op: Some(self.op), field, value, min, max }
    }

    pub(super) fn expect(
        &self,
        what: &'static str,
        expected: i64,
        found: i64,
    ) -> Result<(), ProgramError> {
        if expected == found {
            Ok(())
        } else {
            Err(ProgramError::Mismatch { op: self.op, what, expected, found })
        }
    }

    pub(super) fn expect_same_kind(
        &self,
        input: TensorInfo,
        out: TensorInfo,
    ) -> Result<(), ProgramError> {
        if input.dtype != out.dtype {
            return Err(ProgramError::WrongType {
                op: self.op,
                operand: "output",
                found: out.dtype,
            });
        }
        self.expect("zero point", input.zero_point.into(), out.zero_point.into())
    }

    pub(super) fn no_constants(&self) -> Result<(), ProgramError> {
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

    pub(super) fn conv(
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
        // Padding must be zero, so that kernels may read whole groups.
        let padded = |o: usize, i: usize| weights[Conv1x1::weight_index(cin, o, i)] != 0;
        let (outputs, inputs) =
            (cout.next_multiple_of(COUT_BLOCK), cin.next_multiple_of(CIN_GROUP));
        if (0..outputs).any(|o| (cin..inputs).any(|i| padded(o, i)))
            || (cout..outputs).any(|o| (0..cin).any(|i| padded(o, i)))
        {
            return Err(ProgramError::NonZeroPadding { op: Some(self.op) });
        }
        let mut bias_unsigned = Vec::new();
        if from.dtype == DType::I16 {
            // Sums of weights serve inputs that are read as unsigned.
            let blocks = weights.chunks_exact(inputs.max(1) * COUT_BLOCK);
            for (block, bias) in blocks.zip(bias.chunks_exact(COUT_BLOCK)) {
                let mut sums = [0_i32; COUT_BLOCK];
                for group in block.as_chunks::<{ COUT_BLOCK * CIN_GROUP }>().0 {
                    for (sum, w) in sums.iter_mut().zip(group.as_chunks::<CIN_GROUP>().0) {
                        *sum += w.iter().map(|&w| i32::from(w)).sum::<i32>();
                    }
                }
                let pairs = bias.iter().zip(sums);
                bias_unsigned.extend(pairs.map(|(bias, sum)| bias.wrapping_sub(sum << 15)));
            }
        }
        let weights = Cow::Borrowed(weights);
        Ok(Conv1x1 { input, residual, cin, cout, weights, bias, bias_unsigned, scale, bounds })
    }

    pub(super) fn depthwise(
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

    pub(super) fn table(
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

pub(super) fn take<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], ProgramError> {
    let truncated = ProgramError::Truncated { needed: at + N, len: bytes.len() };
    bytes.get(at..at + N).and_then(|s| s.try_into().ok()).ok_or(truncated)
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

pub(super) fn in_range(
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

pub(super) fn dtype_and_zero(
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
