//! What a tensor of the graph is to the lowering.

use std::rc::Rc;

use pinhole::engine::TensorId;

use super::{Chain, Linear};

/// Int8 weights with a scale for each output channel.
#[derive(Debug)]
pub(super) struct Weights {
    /// (outputs, inputs of a group, height, width).
    pub(super) shape: Vec<usize>,
    pub(super) values: Vec<i8>,
    pub(super) scales: Vec<f32>,
}

/// A tensor of the graph, as far as it is understood.
#[derive(Clone, Debug)]
pub(super) enum Value {
    /// The real numbers of a tensor of the program.
    Real(TensorId),
    /// The integers of a tensor of the program.
    Stored(TensorId),
    /// Dequantised weights.
    Weights(Rc<Weights>),
    /// The result of a convolution, not rounded yet.
    Linear(Linear),
    /// The same, multiplied on its way to an int16 grid.
    Scaled(Linear, f32),
    /// The same, rounded, with limits in multiples of the coming step.
    Rounded {
        /// The convolution.
        linear: Linear,
        /// What it was multiplied by.
        factor: f32,
        /// Smallest integer.
        low: f64,
        /// Largest integer.
        high: f64,
    },
    /// A function of an int16 tensor, not rounded yet.
    Chain(Chain),
}

impl Value {
    /// A scaled convolution after its rounding.
    pub(super) fn rounded(linear: Linear, factor: f32) -> Value {
        Value::Rounded { linear, factor, low: f64::NEG_INFINITY, high: f64::INFINITY }
    }
}
