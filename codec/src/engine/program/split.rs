//! Cuts a program in two where it first looks at neighbouring positions.

use alloc::vec;

use super::{Program, TensorId};
use crate::engine::op::Op;

impl<'a> Program<'a> {
    /// The operations that treat positions one by one, and the rest, which reads what these make; `None` if there are none of
    /// either, or if the program is not a chain: one input, one output, each operation reading what the one before made.
    pub(crate) fn split(&self) -> Option<(Program<'a>, Program<'a>)> {
        let chain = self.ops.iter().enumerate().all(|(at, op)| op.operands().eq([at as TensorId]));
        if self.inputs != 1 || !chain || self.outputs != [self.ops.len() as TensorId] {
            return None;
        }
        let pointwise = |op: &Op<'_>| matches!(op, Op::Conv1x1(_) | Op::Table(_));
        let at = self.ops.iter().position(|op| !pointwise(op)).filter(|&at| at > 0)?;
        let (before, after) = self.ops.split_at(at);
        let head = Program {
            inputs: 1,
            outputs: vec![at as TensorId],
            tensors: self.tensors[..=at].to_vec(),
            ops: before.to_vec(),
        };
        let mut tail = Program {
            inputs: 1,
            outputs: vec![after.len() as TensorId],
            tensors: self.tensors[at..].to_vec(),
            ops: after.to_vec(),
        };
        for (at, op) in tail.ops.iter_mut().enumerate() {
            op.read_only(at as TensorId);
        }
        Some((head, tail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::requant::Bounds;
    use crate::engine::testing::Rng;
    use crate::engine::{ConvSpec, DType, DepthwiseSpec, ProgramBuilder, Size, reference};

    const CHANNELS: usize = 12;
    const BOUNDS: Bounds = Bounds { offset: 100, lo: 0, hi: 255 };

    fn program(pointwise: bool, residual: bool) -> Vec<u8> {
        let mut rng = Rng(3);
        let mut weights =
            |n: usize| -> Vec<i8> { (0..n).map(|_| (rng.next() >> 56) as i8).collect() };
        let mut b = ProgramBuilder::new();
        let given = b.input(DType::I16, CHANNELS, 0).unwrap();
        let residual = residual.then_some(given);
        let mut x = given;
        if pointwise {
            let spec = ConvSpec {
                dtype: DType::U8,
                zero_point: 7,
                residual: None,
                weights: &weights(CHANNELS * CHANNELS),
                bias: &[50; CHANNELS],
                scale: &[1e-5; CHANNELS],
                bounds: BOUNDS,
            };
            x = b.conv1x1(x, spec).unwrap();
        }
        let spec = DepthwiseSpec {
            dtype: DType::U8,
            zero_point: 0,
            residual,
            k: 5,
            weights: &weights(25 * CHANNELS),
            bias: &[0; CHANNELS],
            scale: &[1e-3; CHANNELS],
            bounds: BOUNDS,
        };
        let x = b.depthwise(x, spec).unwrap();
        b.finish(&[x]).unwrap()
    }

    #[test]
    fn both_parts_make_the_whole() {
        let bytes = program(true, false);
        let whole = Program::parse(&bytes).unwrap();
        let (head, tail) = whole.split().unwrap();
        assert!(head.is_pointwise() && !tail.is_pointwise());
        let inputs = Rng(8).inputs(&whole, Size { height: 9, width: 11 });
        let between = reference::run(&head, &inputs).unwrap();
        assert_eq!(
            reference::run(&tail, &between).unwrap(),
            reference::run(&whole, &inputs).unwrap()
        );
    }

    #[test]
    fn what_cannot_be_cut_is_left_whole() {
        for (pointwise, residual) in [(false, false), (true, true)] {
            let bytes = program(pointwise, residual);
            assert!(Program::parse(&bytes).unwrap().split().is_none());
        }
    }
}
