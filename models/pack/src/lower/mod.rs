//! Lowering: from a QDQ graph to a program of the engine.
//!
//! The nodes are interpreted in order over symbolic `Value`s: each node turns the values it reads into the value it
//! makes, and a value becomes an operation of the program as soon as it is rounded to a grid. So
//! `Conv → Add → Relu → QuantizeLinear` is one operation, whatever stands between its first and last node, and every
//! tensor of the program is one that the graph rounds in the same place.

mod linear;
mod table;
#[cfg(test)]
mod tests;
mod value;

use std::collections::HashMap;
use std::rc::Rc;

use pinhole::engine::{ProgramBuilder, TensorId};

use crate::error::PackError;
use crate::graph::{Graph, Node, Values};
use crate::grids::{Grid, InputSteps, constant, input_grids, operand, scalar, stated_grid};
pub use linear::{Conv, Linear};
pub use table::{Chain, Step};
use value::{Value, Weights};

/// A tensor of a lowered program.
#[derive(Clone, Copy, Debug)]
pub struct TensorGrid {
    /// What its integers stand for.
    pub grid: Grid,
    /// Its channels.
    pub channels: usize,
}

/// What an operation that rounds has to compute, in the graph's terms.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A convolution with what follows it up to its rounding.
    Linear(Linear),
    /// An elementwise function of an int16 tensor.
    Chain(Chain),
}

/// A lowered graph.
#[derive(Clone, Debug)]
pub struct Lowered {
    /// The program's bytes.
    pub program: Vec<u8>,
    /// Every tensor of the program, by id: first the inputs.
    pub tensors: Vec<TensorGrid>,
    /// The program's outputs, in the graph's order.
    pub outputs: Vec<TensorId>,
    /// The operations that round: the node that ends each, the tensor it makes, and what it computes.
    pub layers: Vec<(String, TensorId, Layer)>,
    builder: ProgramBuilder,
}

impl Lowered {
    /// The same program with other tensors as its outputs (1 to 4 of them).
    ///
    /// # Errors
    /// Tensors that do not exist, or too many.
    pub fn with_outputs(
        &self,
        outputs: &[TensorId],
    ) -> Result<Vec<u8>, pinhole::engine::ProgramError> {
        self.builder.finish(outputs)
    }

    /// A tensor's grid.
    pub fn grid(&self, tensor: TensorId) -> Option<Grid> {
        self.tensors.get(usize::from(tensor)).map(|t| t.grid)
    }
}

/// Lowers a graph; `steps` states the steps of its float inputs.
///
/// # Errors
/// Nodes outside the QDQ patterns that the engine has operations for, grids that do not agree, accumulators that could
/// overflow; each names graph and node.
pub fn lower(graph: &Graph, steps: &InputSteps) -> Result<Lowered, PackError> {
    let mut lowering = Lowering {
        graph,
        builder: ProgramBuilder::new(),
        tensors: Vec::new(),
        values: HashMap::new(),
        layers: Vec::new(),
    };
    for (input, grid) in graph.inputs.iter().zip(input_grids(graph, steps)?) {
        let tensor = lowering.builder.input(grid.dtype(), input.channels, grid.zero());
        let tensor = tensor.map_err(PackError::program(&graph.name))?;
        lowering.tensors.push(TensorGrid { grid, channels: input.channels });
        let value = match grid {
            Grid::U8 { .. } => Value::Stored(tensor),
            Grid::I16 { .. } => Value::Real(tensor),
        };
        lowering.values.insert(input.name.clone(), value);
    }
    for node in &graph.nodes {
        let value = lowering.node(node)?;
        lowering.values.insert(node.output.clone(), value);
    }
    let outputs = graph.outputs.iter().map(|name| match lowering.values.get(name) {
        Some(Value::Real(tensor) | Value::Stored(tensor)) => Ok(*tensor),
        Some(_) => Err(PackError::BadOperand {
            place: graph.place(name),
            operand: name.clone(),
            problem: "is an output that is not rounded to a grid",
        }),
        None => Err(PackError::BadOperand {
            place: graph.place(name),
            operand: name.clone(),
            problem: "is an output that no node makes",
        }),
    });
    let outputs = outputs.collect::<Result<Vec<_>, _>>()?;
    let program = lowering.builder.finish(&outputs).map_err(PackError::program(&graph.name))?;
    let Lowering { builder, tensors, layers, .. } = lowering;
    Ok(Lowered { program, tensors, outputs, layers, builder })
}

/// The interpreter's state.
struct Lowering<'g> {
    graph: &'g Graph,
    builder: ProgramBuilder,
    tensors: Vec<TensorGrid>,
    values: HashMap<String, Value>,
    layers: Vec<(String, TensorId, Layer)>,
}

impl Lowering<'_> {
    fn node(&mut self, node: &Node) -> Result<Value, PackError> {
        match node.kind.as_str() {
            "DequantizeLinear" => self.dequantise(node),
            "QuantizeLinear" => self.quantise(node),
            "Conv" => self.convolution(node),
            "Add" => self.add(node),
            "Relu" => self.clip(node, 0.0, f32::INFINITY),
            "Clip" => {
                let low = self.limit(node, 1, f32::NEG_INFINITY)?;
                let high = self.limit(node, 2, f32::INFINITY)?;
                self.clip(node, low, high)
            }
            "Mul" => self.multiply(node),
            "Round" => match self.operand(node, 0)? {
                Value::Scaled(linear, factor) => Ok(Value::rounded(linear, factor)),
                _ => {
                    Err(self.unsupported(node, "rounds something that is not a scaled convolution"))
                }
            },
            "Asinh" => self.elementwise(node, Step::Asinh),
            "Concat" => self.concat(node),
            "DepthToSpace" | "SpaceToDepth" => self.shuffle(node),
            _ => Err(self.unsupported(node, "there is no operation for it")),
        }
    }

    /// A clip's limit, which may be absent.
    fn limit(&self, node: &Node, index: usize, default: f32) -> Result<f32, PackError> {
        match node.inputs.get(index) {
            Some(name) if !name.is_empty() => scalar(self.graph, node, index),
            _ => Ok(default),
        }
    }

    /// Operand number `index`, which an earlier node or an input made.
    fn operand(&self, node: &Node, index: usize) -> Result<Value, PackError> {
        let value = node.inputs.get(index).and_then(|name| self.values.get(name));
        let missing = "is not made by an input or an earlier node";
        value.cloned().ok_or_else(|| operand(self.graph, node, index, missing))
    }

    fn grid(&self, tensor: TensorId) -> Grid {
        self.tensors[usize::from(tensor)].grid
    }

    fn unsupported(&self, node: &Node, reason: impl Into<String>) -> PackError {
        let place = self.graph.place(&node.name);
        PackError::Unsupported { place, kind: node.kind.clone(), reason: reason.into() }
    }

    fn mismatch(&self, node: &Node, what: &'static str, expected: Grid, found: Grid) -> PackError {
        PackError::GridMismatch {
            place: self.graph.place(&node.name),
            what,
            expected: expected.to_string(),
            found: found.to_string(),
        }
    }

    /// Stored bytes become the numbers they stand for; stored int8 constants become weights.
    fn dequantise(&self, node: &Node) -> Result<Value, PackError> {
        if let Some(weights) = node.inputs.first().and_then(|n| self.graph.constants.get(n)) {
            let (Values::I8(values), Values::F32(scales)) =
                (&weights.values, &constant(self.graph, node, 1)?.values)
            else {
                return Err(self.unsupported(node, "a constant that is not int8 with float scales"));
            };
            let zeros_are_zero = match node.inputs.get(2) {
                None => true,
                Some(_) => match &constant(self.graph, node, 2)?.values {
                    Values::I8(zeros) => zeros.iter().all(|&z| z == 0),
                    _ => false,
                },
            };
            if !zeros_are_zero || node.int("axis", 1) != 0 {
                return Err(
                    self.unsupported(node, "weights must be symmetric, scaled along axis 0")
                );
            }
            let weights = Weights {
                shape: weights.shape.clone(),
                values: values.clone(),
                scales: scales.clone(),
            };
            return Ok(Value::Weights(Rc::new(weights)));
        }
        let Value::Stored(tensor) = self.operand(node, 0)? else {
            return Err(self.unsupported(node, "its operand is not quantised"));
        };
        let (have, stated) = (self.grid(tensor), stated_grid(self.graph, node)?);
        if have != stated {
            return Err(self.mismatch(node, "its step and zero point", have, stated));
        }
        Ok(Value::Real(tensor))
    }

    /// A value rounded to bytes: this is where an operation ends.
    fn quantise(&mut self, node: &Node) -> Result<Value, PackError> {
        let grid = stated_grid(self.graph, node)?;
        let tensor = match self.operand(node, 0)? {
            Value::Linear(linear) => self.emit_linear(node, linear, grid)?,
            Value::Real(tensor) => {
                let chain = Chain { source: tensor, steps: Vec::new() };
                self.emit_chain(node, chain, grid)?
            }
            Value::Chain(chain) => self.emit_chain(node, chain, grid)?,
            _ => return Err(self.unsupported(node, "its operand is not a real number")),
        };
        Ok(Value::Stored(tensor))
    }

    fn add(&self, node: &Node) -> Result<Value, PackError> {
        let (mut linear, tensor) = match (self.operand(node, 0)?, self.operand(node, 1)?) {
            (Value::Linear(l), Value::Real(t)) | (Value::Real(t), Value::Linear(l)) => (l, t),
            _ => return Err(self.unsupported(node, "not of a convolution and a rounded tensor")),
        };
        if linear.residual.is_some() || linear.is_clipped() {
            return Err(self.unsupported(node, "the convolution's result was added to or clipped"));
        }
        linear.residual = Some(tensor);
        Ok(Value::Linear(linear))
    }

    fn clip(&self, node: &Node, low: f32, high: f32) -> Result<Value, PackError> {
        if low.is_nan() || high.is_nan() || low > high {
            return Err(self.unsupported(node, format!("limits {low} and {high}")));
        }
        match self.operand(node, 0)? {
            Value::Linear(mut linear) => {
                linear.clip(low.into(), high.into());
                Ok(Value::Linear(linear))
            }
            Value::Rounded { linear, factor, low: a, high: b } => {
                let limit = |v: f64| v.clamp(low.into(), high.into());
                Ok(Value::Rounded { linear, factor, low: limit(a), high: limit(b) })
            }
            _ => self.elementwise(node, Step::Clip(low, high)),
        }
    }

    /// By a constant: the steps towards an int16 grid and back, or part of a table.
    fn multiply(&mut self, node: &Node) -> Result<Value, PackError> {
        let named =
            |i: usize| node.inputs.get(i).is_some_and(|n| self.graph.constants.contains_key(n));
        let (value, factor) = if named(1) { (0, 1) } else { (1, 0) };
        let factor = scalar(self.graph, node, factor)?;
        match self.operand(node, value)? {
            Value::Linear(linear) => Ok(Value::Scaled(linear, factor)),
            Value::Rounded { mut linear, factor: inverse, low, high } => {
                let step = factor;
                if step * inverse != 1.0 || step.to_bits() << 9 != 0 {
                    let reason = format!("{step} is not the power of two that undoes {inverse}");
                    return Err(self.unsupported(node, reason));
                }
                linear.clip(low * f64::from(step), high * f64::from(step));
                Ok(Value::Real(self.emit_linear(node, linear, Grid::I16 { step })?))
            }
            value => self.chained(node, value, Step::Multiply(factor)),
        }
    }

    fn elementwise(&self, node: &Node, step: Step) -> Result<Value, PackError> {
        self.chained(node, self.operand(node, 0)?, step)
    }

    fn chained(&self, node: &Node, value: Value, step: Step) -> Result<Value, PackError> {
        match value {
            Value::Real(source) if matches!(self.grid(source), Grid::I16 { .. }) => {
                Ok(Value::Chain(Chain { source, steps: vec![step] }))
            }
            Value::Chain(mut chain) => {
                chain.steps.push(step);
                Ok(Value::Chain(chain))
            }
            _ => {
                Err(self
                    .unsupported(node, "its operand is not an int16 tensor or a function of one"))
            }
        }
    }

    fn concat(&mut self, node: &Node) -> Result<Value, PackError> {
        if node.int("axis", 1) != 1 {
            return Err(self.unsupported(node, "not along the channels"));
        }
        let mut tensors = Vec::with_capacity(node.inputs.len());
        let mut stored = None;
        for index in 0..node.inputs.len() {
            let (tensor, is_stored) = match self.operand(node, index)? {
                Value::Real(tensor) => (tensor, false),
                Value::Stored(tensor) => (tensor, true),
                _ => return Err(self.unsupported(node, "of something that is not rounded")),
            };
            if *stored.get_or_insert(is_stored) != is_stored {
                return Err(self.unsupported(node, "of quantised and real operands"));
            }
            tensors.push(tensor);
        }
        let Some(&first) = tensors.first() else {
            return Err(self.unsupported(node, "of nothing"));
        };
        let grid = self.grid(first);
        if let Some(&other) = tensors.iter().find(|&&t| self.grid(t) != grid) {
            return Err(self.mismatch(node, "an operand", grid, self.grid(other)));
        }
        let channels = tensors.iter().map(|&t| self.tensors[usize::from(t)].channels).sum();
        let made = self.builder.concat(&tensors).map_err(PackError::program(&self.graph.name))?;
        self.tensors.push(TensorGrid { grid, channels });
        Ok(if stored == Some(true) { Value::Stored(made) } else { Value::Real(made) })
    }

    /// Depth to space and back: these move elements, so they commute with (de)quantisation.
    fn shuffle(&mut self, node: &Node) -> Result<Value, PackError> {
        let mode = node.text("mode", "DCR");
        if mode != "DCR" {
            return Err(self.unsupported(node, format!("mode {mode}")));
        }
        let block = usize::try_from(node.int("blocksize", 0)).unwrap_or(0);
        let (tensor, stored) = match self.operand(node, 0)? {
            Value::Real(tensor) => (tensor, false),
            Value::Stored(tensor) => (tensor, true),
            _ => return Err(self.unsupported(node, "its operand is not rounded")),
        };
        let made = if node.kind == "DepthToSpace" {
            self.depth_to_space(tensor, block)?
        } else {
            self.space_to_depth(tensor, block)?
        };
        Ok(if stored { Value::Stored(made) } else { Value::Real(made) })
    }

    fn depth_to_space(&mut self, tensor: TensorId, block: usize) -> Result<TensorId, PackError> {
        let made = self.builder.depth_to_space(tensor, block);
        let made = made.map_err(PackError::program(&self.graph.name))?;
        let TensorGrid { grid, channels } = self.tensors[usize::from(tensor)];
        self.tensors.push(TensorGrid { grid, channels: channels / (block * block) });
        Ok(made)
    }

    fn space_to_depth(&mut self, tensor: TensorId, block: usize) -> Result<TensorId, PackError> {
        let made = self.builder.space_to_depth(tensor, block);
        let made = made.map_err(PackError::program(&self.graph.name))?;
        let TensorGrid { grid, channels } = self.tensors[usize::from(tensor)];
        self.tensors.push(TensorGrid { grid, channels: channels * block * block });
        Ok(made)
    }
}
