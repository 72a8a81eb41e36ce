//! Programs that look at positions one by one, run without rings: outputs go where the caller wants them.

use alloc::vec::Vec;
use core::ops::Range;

use super::rows;
use crate::engine::op::Op;
use crate::engine::{Aligned, DType, Kernels, Program, RowMut, RowRef, RunError, TensorId};

/// A tensor between inputs and outputs.
#[derive(Debug)]
enum Buffer {
    U8(Aligned<u8>),
    I16(Aligned<i16>),
}

impl Buffer {
    fn as_ref(&self) -> RowRef<'_> {
        match self {
            Buffer::U8(b) => RowRef::U8(b.as_slice()),
            Buffer::I16(b) => RowRef::I16(b.as_slice()),
        }
    }

    fn reset(&mut self, dtype: DType, len: usize) -> RowMut<'_> {
        match (&*self, dtype) {
            (Buffer::U8(_), DType::I16) => *self = Buffer::I16(Aligned::default()),
            (Buffer::I16(_), DType::U8) => *self = Buffer::U8(Aligned::default()),
            _ => {}
        }
        match self {
            Buffer::U8(b) => RowMut::U8(b.reset(len)),
            Buffer::I16(b) => RowMut::I16(b.reset(len)),
        }
    }
}

/// Runs pointwise programs; keeps its buffers.
#[derive(Debug, Default)]
pub(super) struct Points {
    /// Results of the operations, but for those that are outputs only.
    made: Vec<Buffer>,
    scratch: Vec<u8>,
}

impl Points {
    /// Runs `span` of the positions. All lengths and types have been checked, and that the program is pointwise.
    pub(super) fn run(
        &mut self,
        kernels: Kernels,
        program: &Program<'_>,
        span: Range<usize>,
        inputs: &[RowRef<'_>],
        outputs: &mut [RowMut<'_>],
    ) -> Result<(), RunError> {
        let given = program.inputs();
        if self.made.len() < program.ops().len() {
            self.made.resize_with(program.ops().len(), || Buffer::U8(Aligned::default()));
        }
        let part = |tensor: TensorId| {
            let channels = program.tensors()[usize::from(tensor)].channels;
            (span.start * channels, span.end * channels)
        };
        let lost = RunError::NotPointwise;
        for (index, op) in program.ops().iter().enumerate() {
            let id = (given + index) as TensorId;
            let info = program.tensors()[usize::from(id)];
            let (before, own) = self.made.split_at_mut(index);
            let Some(own) = own.first_mut() else { return Err(lost) };
            let view = |tensor: TensorId| {
                let (start, end) = part(tensor);
                match usize::from(tensor).checked_sub(given) {
                    None => {
                        inputs[usize::from(tensor)].get(start, end).ok_or(RunError::NotPointwise)
                    }
                    Some(at) => Ok(before[at].as_ref()),
                }
            };
            let mut out = match only_output(program, id) {
                Some(number) => {
                    let (start, end) = part(id);
                    outputs[number].get(start, end).ok_or(RunError::NotPointwise)?
                }
                None => own.reset(info.dtype, span.len() * info.channels),
            };
            match op {
                Op::Conv1x1(op) => {
                    let residual = match op.residual {
                        Some(tensor) => view(tensor)?.as_i16(),
                        None => None,
                    };
                    let x = view(op.input)?;
                    kernels.conv1x1(op, span.len(), x, residual, out, &mut self.scratch)?;
                }
                Op::Concat { inputs: parts } => {
                    let mut at = 0;
                    for &tensor in parts {
                        let channels = program.tensors()[usize::from(tensor)].channels;
                        rows::concat(view(tensor)?, channels, out.reborrow(), info.channels, at);
                        at += channels;
                    }
                }
                Op::Table(op) => kernels.table(op, view(op.input)?, out)?,
                _ => return Err(lost),
            }
        }
        for (number, &tensor) in program.outputs().iter().enumerate() {
            if only_output(program, tensor).is_none() {
                let (start, end) = part(tensor);
                let from = match usize::from(tensor).checked_sub(given) {
                    None => inputs[usize::from(tensor)].get(start, end),
                    Some(at) => Some(self.made[at].as_ref()),
                };
                if let (Some(mut to), Some(from)) = (outputs[number].get(start, end), from) {
                    to.copy_from(from);
                }
            }
        }
        Ok(())
    }
}

/// Which output a tensor is, if it is one once, is made by an operation and read by none.
fn only_output(program: &Program<'_>, tensor: TensorId) -> Option<usize> {
    let mut places = program.outputs().iter().enumerate().filter(|(_, t)| **t == tensor);
    let (number, _) = places.next()?;
    let read = program.ops().iter().any(|op| op.operands().any(|t| t == tensor));
    let made = usize::from(tensor) >= program.inputs();
    (made && !read && places.next().is_none()).then_some(number)
}
