//! Writes programs.

use alloc::vec;
use alloc::vec::Vec;

use super::op::Conv1x1;
use super::program::{
    ALIGN, HEADER, MAGIC, MAX_CHANNELS, MAX_CONCAT, MAX_INPUTS, MAX_OPS, MAX_OUTPUTS,
};
use super::program::{MAX_TABLE, NONE, RECORD, VERSION};
use super::requant::Bounds;
use super::{DType, Program, ProgramError, TensorId};

/// A 1×1 convolution to be added; see [`Conv1x1`] for its meaning.
#[derive(Clone, Copy, Debug)]
pub struct ConvSpec<'a> {
    /// Output type.
    pub dtype: DType,
    /// Output zero point (0 for I16).
    pub zero_point: u8,
    /// I16 tensor to add.
    pub residual: Option<TensorId>,
    /// Weights, plain `[cout][cin]`.
    pub weights: &'a [i8],
    /// Biases with zero points folded in; their number is the number of output channels.
    pub bias: &'a [i32],
    /// Scales, one an output channel.
    pub scale: &'a [f32],
    /// Offset and clamp.
    pub bounds: Bounds,
}

/// A depthwise convolution to be added; see [`Depthwise`](super::op::Depthwise) for its meaning.
#[derive(Clone, Copy, Debug)]
pub struct DepthwiseSpec<'a> {
    /// 3 or 5.
    pub k: usize,
    /// Output type.
    pub dtype: DType,
    /// Output zero point (0 for I16).
    pub zero_point: u8,
    /// I16 tensor to add.
    pub residual: Option<TensorId>,
    /// Weights, `[k · k][channels]`.
    pub weights: &'a [i8],
    /// Biases with zero points folded in, one a channel.
    pub bias: &'a [i32],
    /// Scales, one a channel.
    pub scale: &'a [f32],
    /// Offset and clamp.
    pub bounds: Bounds,
}

/// Collects inputs, then operations, then writes the bytes of a program.
///
/// Methods check only what they need; [`ProgramBuilder::finish`] validates the whole by parsing it.
#[derive(Clone, Debug, Default)]
pub struct ProgramBuilder {
    inputs: usize,
    /// Type, zero point and channels of every tensor.
    tensors: Vec<(DType, u8, usize)>,
    records: Vec<Pending>,
}

#[derive(Clone, Debug)]
struct Pending {
    record: [u8; RECORD],
    /// Field of the record that takes the block's offset, and the block.
    blocks: Vec<(usize, Vec<u8>)>,
}

impl ProgramBuilder {
    /// An empty program.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an input.
    ///
    /// # Errors
    /// Too many inputs, or an operation was added before, or channels out of 1..=4096.
    pub fn input(
        &mut self,
        dtype: DType,
        channels: usize,
        zero_point: u8,
    ) -> Result<TensorId, ProgramError> {
        if !self.records.is_empty() || self.inputs == MAX_INPUTS {
            return Err(self.range("inputs", self.tensors.len() + 1, 1, MAX_INPUTS));
        }
        self.inputs += 1;
        self.tensor(dtype, zero_point, channels)
    }

    /// Adds a 1×1 convolution of `input`.
    ///
    /// # Errors
    /// Unknown tensors; weights, biases and scales whose lengths disagree; channels out of 1..=4096.
    pub fn conv1x1(
        &mut self,
        input: TensorId,
        spec: ConvSpec<'_>,
    ) -> Result<TensorId, ProgramError> {
        let (_, _, cin) = self.info(input)?;
        let cout = spec.bias.len();
        self.same("weights", cin * cout, spec.weights.len())?;
        self.same("scales", cout, spec.scale.len())?;
        let mut blocked = vec![0; Conv1x1::weight_bytes(cin, cout)];
        for o in 0..cout {
            for i in 0..cin {
                blocked[Conv1x1::weight_index(cin, o, i)] = spec.weights[o * cin + i] as u8;
            }
        }
        let blocks = constants(blocked, spec.bias, spec.scale);
        self.op(
            1,
            0,
            &[input],
            spec.residual,
            spec.bounds,
            (spec.dtype, spec.zero_point, cout),
            blocks,
        )
    }

    /// Adds a depthwise convolution of `input`.
    ///
    /// # Errors
    /// Unknown tensors; weights, biases and scales whose lengths disagree.
    pub fn depthwise(
        &mut self,
        input: TensorId,
        spec: DepthwiseSpec<'_>,
    ) -> Result<TensorId, ProgramError> {
        let (_, _, channels) = self.info(input)?;
        if !matches!(spec.k, 3 | 5) {
            return Err(self.range("kernel side", spec.k, 3, 5));
        }
        self.same("weights", spec.k * spec.k * channels, spec.weights.len())?;
        self.same("biases", channels, spec.bias.len())?;
        self.same("scales", channels, spec.scale.len())?;
        let weights = spec.weights.iter().map(|&w| w as u8).collect();
        let blocks = constants(weights, spec.bias, spec.scale);
        let out = (spec.dtype, spec.zero_point, channels);
        self.op(2, spec.k as u8, &[input], spec.residual, spec.bounds, out, blocks)
    }

    /// Adds a space-to-depth of block side `b` (2, 4 or 8).
    ///
    /// # Errors
    /// Unknown tensor, or too many output channels.
    pub fn space_to_depth(&mut self, input: TensorId, b: usize) -> Result<TensorId, ProgramError> {
        let (dtype, zero_point, channels) = self.info(input)?;
        let b = self.side(b)?;
        let out = (dtype, zero_point, channels * usize::from(b) * usize::from(b));
        self.op(3, b, &[input], None, NO_BOUNDS, out, Vec::new())
    }

    /// Adds a depth-to-space of block side `b` (2, 4 or 8).
    ///
    /// # Errors
    /// Unknown tensor, or channels that b² does not divide.
    pub fn depth_to_space(&mut self, input: TensorId, b: usize) -> Result<TensorId, ProgramError> {
        let (dtype, zero_point, channels) = self.info(input)?;
        let b = self.side(b)?;
        let out = (dtype, zero_point, channels / (usize::from(b) * usize::from(b)));
        self.op(4, b, &[input], None, NO_BOUNDS, out, Vec::new())
    }

    /// Adds a concatenation of the channels of 1 to 8 tensors.
    ///
    /// # Errors
    /// Unknown tensors, too many of them, or too many channels.
    pub fn concat(&mut self, inputs: &[TensorId]) -> Result<TensorId, ProgramError> {
        let (Some(&first), true) = (inputs.first(), inputs.len() <= MAX_CONCAT) else {
            return Err(self.range("inputs", inputs.len(), 1, MAX_CONCAT));
        };
        let (dtype, zero_point, _) = self.info(first)?;
        let mut channels = 0;
        for &tensor in inputs {
            channels += self.info(tensor)?.2;
        }
        self.op(
            5,
            inputs.len() as u8,
            inputs,
            None,
            NO_BOUNDS,
            (dtype, zero_point, channels),
            Vec::new(),
        )
    }

    /// Adds a lookup table from I16 to U8; `lo` is the input that reads `table[0]`.
    ///
    /// # Errors
    /// Unknown tensor, or a table not of 1 to 65536 entries.
    pub fn table(
        &mut self,
        input: TensorId,
        lo: i16,
        table: &[u8],
        zero_point: u8,
    ) -> Result<TensorId, ProgramError> {
        let (_, _, channels) = self.info(input)?;
        if !(1..=MAX_TABLE).contains(&table.len()) {
            return Err(self.range("entries", table.len(), 1, MAX_TABLE));
        }
        let bounds = Bounds { offset: 0, lo: lo.into(), hi: table.len() as i32 };
        let blocks = vec![(36, table.to_vec())];
        self.op(6, 0, &[input], None, bounds, (DType::U8, zero_point, channels), blocks)
    }

    /// Writes the program with the given outputs (1 to 4).
    ///
    /// # Errors
    /// Whatever [`Program::parse`] says about the bytes.
    pub fn finish(&self, outputs: &[TensorId]) -> Result<Vec<u8>, ProgramError> {
        if !(1..=MAX_OUTPUTS).contains(&outputs.len()) {
            return Err(self.range("outputs", outputs.len(), 1, MAX_OUTPUTS));
        }
        let mut bytes = Vec::with_capacity(HEADER);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend([self.inputs as u8, outputs.len() as u8]);
        bytes.extend((self.records.len() as u32).to_le_bytes());
        bytes.extend([0; 4]);
        for &(dtype, zero_point, channels) in self.tensors.iter().take(self.inputs) {
            bytes.extend([dtype as u8, zero_point]);
            bytes.extend((channels as u16).to_le_bytes());
            bytes.extend([0; 4]);
        }
        for i in 0..MAX_OUTPUTS {
            bytes.extend(outputs.get(i).copied().unwrap_or(NONE).to_le_bytes());
        }
        let records_at = bytes.len();
        for pending in &self.records {
            bytes.extend(pending.record);
        }
        for (index, pending) in self.records.iter().enumerate() {
            for (field, block) in &pending.blocks {
                bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
                let at = records_at + index * RECORD + field;
                let offset = bytes.len() as u32;
                bytes[at..at + 4].copy_from_slice(&offset.to_le_bytes());
                bytes.extend(block);
            }
        }
        bytes.resize(bytes.len().next_multiple_of(ALIGN), 0);
        let Ok(total) = u32::try_from(bytes.len()) else {
            return Err(self.range("length", bytes.len(), HEADER, u32::MAX as usize));
        };
        bytes[12..16].copy_from_slice(&total.to_le_bytes());
        Program::parse(&bytes)?;
        Ok(bytes)
    }

    #[allow(clippy::too_many_arguments, reason = "one field of the record each")]
    fn op(
        &mut self,
        code: u8,
        param: u8,
        inputs: &[TensorId],
        residual: Option<TensorId>,
        bounds: Bounds,
        (dtype, zero_point, channels): (DType, u8, usize),
        blocks: Vec<(usize, Vec<u8>)>,
    ) -> Result<TensorId, ProgramError> {
        if self.records.len() == MAX_OPS {
            return Err(self.range("operations", MAX_OPS + 1, 0, MAX_OPS));
        }
        let tensor = self.tensor(dtype, zero_point, channels)?;
        let mut record = [0; RECORD];
        record[..4].copy_from_slice(&[code, dtype as u8, zero_point, param]);
        record[4..6].copy_from_slice(&(channels as u16).to_le_bytes());
        record[6..8].copy_from_slice(&residual.unwrap_or(NONE).to_le_bytes());
        for i in 0..MAX_CONCAT {
            let input = inputs.get(i).copied().unwrap_or(NONE);
            record[8 + 2 * i..10 + 2 * i].copy_from_slice(&input.to_le_bytes());
        }
        for (at, value) in [(24, bounds.offset), (28, bounds.lo), (32, bounds.hi)] {
            record[at..at + 4].copy_from_slice(&value.to_le_bytes());
        }
        self.records.push(Pending { record, blocks });
        Ok(tensor)
    }

    fn tensor(
        &mut self,
        dtype: DType,
        zero_point: u8,
        channels: usize,
    ) -> Result<TensorId, ProgramError> {
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(self.range("channels", channels, 1, MAX_CHANNELS));
        }
        self.tensors.push((dtype, zero_point, channels));
        Ok((self.tensors.len() - 1) as TensorId)
    }

    fn info(&self, tensor: TensorId) -> Result<(DType, u8, usize), ProgramError> {
        let op = Some(self.records.len());
        let undefined = ProgramError::UndefinedTensor { op, tensor, defined: self.tensors.len() };
        self.tensors.get(usize::from(tensor)).copied().ok_or(undefined)
    }

    fn side(&self, b: usize) -> Result<u8, ProgramError> {
        if matches!(b, 2 | 4 | 8) { Ok(b as u8) } else { Err(self.range("block side", b, 2, 8)) }
    }

    fn same(&self, what: &'static str, expected: usize, found: usize) -> Result<(), ProgramError> {
        let (op, found_i) = (self.records.len(), found as i64);
        if expected == found {
            return Ok(());
        }
        Err(ProgramError::Mismatch { op, what, expected: expected as i64, found: found_i })
    }

    fn range(&self, field: &'static str, value: usize, min: usize, max: usize) -> ProgramError {
        let op = Some(self.records.len());
        ProgramError::OutOfRange {
            op,
            field,
            value: value as i64,
            min: min as i64,
            max: max as i64,
        }
    }
}

const NO_BOUNDS: Bounds = Bounds { offset: 0, lo: 0, hi: 0 };

fn constants(weights: Vec<u8>, bias: &[i32], scale: &[f32]) -> Vec<(usize, Vec<u8>)> {
    let bias = bias.iter().flat_map(|b| b.to_le_bytes()).collect();
    let scale = scale.iter().flat_map(|s| s.to_bits().to_le_bytes()).collect();
    vec![(36, weights), (40, bias), (44, scale)]
}
