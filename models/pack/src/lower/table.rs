//! Elementwise functions of an int16 tensor become tables.

use pinhole::engine::TensorId;

use super::{Layer, Lowering, TensorGrid};
use crate::error::PackError;
use crate::graph::Node;
use crate::grids::Grid;

/// One elementwise function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Step {
    /// Limits.
    Clip(f32, f32),
    /// Multiplication.
    Multiply(f32),
    /// Inverse hyperbolic sine.
    Asinh,
}

/// Elementwise functions, one after the other, of an int16 tensor.
#[derive(Clone, Debug)]
pub struct Chain {
    /// The tensor read.
    pub source: TensorId,
    /// The functions.
    pub steps: Vec<Step>,
}

impl Chain {
    /// The real result for a real operand: each function rounds to float, as ONNX computes it.
    pub fn apply(&self, x: f64) -> f64 {
        let apply = |x: f32, step: &Step| match *step {
            Step::Clip(low, high) => x.clamp(low, high),
            Step::Multiply(factor) => x * factor,
            Step::Asinh => f64::from(x).asinh() as f32,
        };
        self.steps.iter().fold(x as f32, apply).into()
    }

    /// The first operand and the results from there on, without the constant ends.
    fn table(&self, from: Grid, to: Grid) -> (i16, Vec<u8>) {
        let entries: Vec<u8> = (i16::MIN..=i16::MAX)
            .map(|q| to.nearest(self.apply(from.real(q.into()))) as u8)
            .collect();
        let run = |first: u8, entries: &mut dyn Iterator<Item = &u8>| {
            entries.take_while(|&&e| e == first).count()
        };
        let (first, last) = (entries[0], entries[entries.len() - 1]);
        // One entry of each constant end stays: the engine clamps to the table.
        let start = run(first, &mut entries.iter()) - 1;
        let end = (entries.len() + 1 - run(last, &mut entries.iter().rev())).max(start + 1);
        ((start as i32 + i32::from(i16::MIN)) as i16, entries[start..end].to_vec())
    }
}

impl Lowering<'_> {
    pub(super) fn emit_chain(
        &mut self,
        node: &Node,
        chain: Chain,
        grid: Grid,
    ) -> Result<TensorId, PackError> {
        let TensorGrid { grid: from, channels } = self.tensors[usize::from(chain.source)];
        if from.dtype() != pinhole::engine::DType::I16 {
            return Err(self.unsupported(node, "requantises a tensor that is uint8 already"));
        }
        let (low, table) = chain.table(from, grid);
        let made = self.builder.table(chain.source, low, &table, grid.zero());
        let made = made.map_err(PackError::program(&self.graph.name))?;
        self.tensors.push(TensorGrid { grid, channels });
        self.layers.push((node.name.clone(), made, Layer::Chain(chain)));
        Ok(made)
    }
}
