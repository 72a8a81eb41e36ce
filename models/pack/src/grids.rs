//! Grids: which real numbers a tensor of the engine stands for.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use pinhole::engine::DType;

use crate::error::PackError;
use crate::graph::{Constant, Element, Graph, Node, Values};

/// Step of the latents: the network's unit is 64 grey levels, latents are stored in 1/512 of it.
pub const LATENT_STEP: f64 = 1.0 / 512.0;
/// Step of gained latents as the entropy model reads them: four fractional bits.
pub const SYMBOL_STEP: f64 = 1.0 / 16.0;

/// The real numbers `step · (q − zero)` that the integers of a tensor stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Grid {
    /// Bytes with a zero point.
    U8 {
        /// Distance of neighbours.
        step: f32,
        /// The byte that stands for 0.
        zero: u8,
    },
    /// Words.
    I16 {
        /// Distance of neighbours.
        step: f32,
    },
}

impl Grid {
    /// Distance of neighbours.
    pub fn step(self) -> f32 {
        match self {
            Grid::U8 { step, .. } | Grid::I16 { step } => step,
        }
    }

    /// The integer that stands for 0.
    pub fn zero(self) -> u8 {
        match self {
            Grid::U8 { zero, .. } => zero,
            Grid::I16 { .. } => 0,
        }
    }

    /// Type of the tensor.
    pub fn dtype(self) -> DType {
        match self {
            Grid::U8 { .. } => DType::U8,
            Grid::I16 { .. } => DType::I16,
        }
    }

    /// Smallest and largest integer.
    pub fn range(self) -> (i32, i32) {
        self.dtype().range()
    }

    /// The number that `q` stands for.
    pub fn real(self, q: i32) -> f64 {
        f64::from(self.step()) * f64::from(q - i32::from(self.zero()))
    }

    /// The integer nearest to `real`, ties to even before the zero point is added, as QuantizeLinear does.
    pub fn nearest(self, real: f64) -> i64 {
        let (low, high) = self.range();
        let q = (real / f64::from(self.step())).round_ties_even() + f64::from(self.zero());
        q.clamp(low.into(), high.into()) as i64
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Grid::U8 { step, zero } => write!(f, "uint8 step {step} zero {zero}"),
            Grid::I16 { step } => write!(f, "int16 step {step}"),
        }
    }
}

/// Steps of the float inputs, which no node of a graph states.
#[derive(Clone, Debug)]
pub struct InputSteps(BTreeMap<String, f64>);

impl Default for InputSteps {
    /// The codec's units: latents in [`LATENT_STEP`], symbols and anchors in [`SYMBOL_STEP`].
    fn default() -> Self {
        let steps = [("latents", LATENT_STEP), ("symbols", SYMBOL_STEP), ("anchors", SYMBOL_STEP)];
        InputSteps(steps.into_iter().map(|(name, step)| (name.to_owned(), step)).collect())
    }
}

impl InputSteps {
    /// The defaults, replaced or completed by `stated` (the optional `input_steps` of codec.json).
    pub fn with(stated: &BTreeMap<String, f64>) -> Self {
        let mut steps = Self::default();
        steps.0.extend(stated.iter().map(|(name, &step)| (name.clone(), step)));
        steps
    }

    /// The step of an input.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }
}

/// Grids of a graph's inputs, in order: those of float inputs by name, those of uint8 inputs from the
/// DequantizeLinear that reads them.
pub(crate) fn input_grids(graph: &Graph, steps: &InputSteps) -> Result<Vec<Grid>, PackError> {
    let mut grids = Vec::with_capacity(graph.inputs.len());
    for input in &graph.inputs {
        let place = || graph.place(&input.name);
        if input.element == Element::F32 {
            let step = steps.get(&input.name).filter(|s| s.is_finite() && *s > 0.0);
            let step = step.ok_or_else(|| PackError::UnknownStep { place: place() })?;
            grids.push(Grid::I16 { step: step as f32 });
            continue;
        }
        let mut found: Option<Grid> = None;
        for node in graph.nodes.iter().filter(|n| n.inputs.contains(&input.name)) {
            if node.kind != "DequantizeLinear" {
                continue;
            }
            let grid = stated_grid(graph, node)?;
            match found {
                Some(first) if first != grid => {
                    return Err(PackError::GridMismatch {
                        place: place(),
                        what: "a second reader",
                        expected: first.to_string(),
                        found: grid.to_string(),
                    });
                }
                _ => found = Some(grid),
            }
        }
        grids.push(found.ok_or_else(|| PackError::BadOperand {
            place: place(),
            operand: input.name.clone(),
            problem: "is a uint8 input that no DequantizeLinear reads",
        })?);
    }
    Ok(grids)
}

/// The uint8 grid that a QuantizeLinear or DequantizeLinear states with its second and third operand.
pub(crate) fn stated_grid(graph: &Graph, node: &Node) -> Result<Grid, PackError> {
    let step = scalar(graph, node, 1)?;
    if !(step.is_finite() && step > 0.0) {
        return Err(operand(graph, node, 1, "is not a positive number"));
    }
    match &constant(graph, node, 2)?.values {
        Values::U8(v) if v.len() == 1 => Ok(Grid::U8 { step, zero: v[0] }),
        _ => Err(operand(graph, node, 2, "is not one uint8 zero point")),
    }
}

/// Operand number `index` as a constant.
pub(crate) fn constant<'g>(
    graph: &'g Graph,
    node: &Node,
    index: usize,
) -> Result<&'g Constant, PackError> {
    let constants: &HashMap<_, _> = &graph.constants;
    let name = node.inputs.get(index);
    name.and_then(|n| constants.get(n)).ok_or_else(|| operand(graph, node, index, "is no constant"))
}

/// Operand number `index` as one float.
pub(crate) fn scalar(graph: &Graph, node: &Node, index: usize) -> Result<f32, PackError> {
    match &constant(graph, node, index)?.values {
        Values::F32(v) if v.len() == 1 => Ok(v[0]),
        _ => Err(operand(graph, node, index, "is not one float")),
    }
}

/// The error about one operand of a node.
pub(crate) fn operand(
    graph: &Graph,
    node: &Node,
    index: usize,
    problem: &'static str,
) -> PackError {
    let operand = node.inputs.get(index).cloned().unwrap_or_else(|| format!("number {index}"));
    PackError::BadOperand { place: graph.place(&node.name), operand, problem }
}
