//! Convolutions, and the integer arithmetic they become.
//!
//! With x = s_x (q_x − z_x), w = s_w q_w and y = s_y (q_y − z_y), a convolution y = b + Σ w x is
//! `q_y = z_y + (s_x s_w / s_y) (b / (s_x s_w) − z_x Σ q_w + Σ q_w q_x)`: a scale, a bias, an accumulator.

use std::rc::Rc;

use pinhole::engine::requant::Bounds;
use pinhole::engine::{ConvSpec, DepthwiseSpec, TensorId};

use super::value::{Value, Weights};
use super::{Layer, Lowering, TensorGrid};
use crate::error::PackError;
use crate::graph::{Node, Values};
use crate::grids::{Grid, constant};

/// Largest magnitude of a bias in units of the accumulator. Beyond it the unit is made coarser.
const BIAS_LIMIT: f64 = (1u32 << 30) as f64;

/// Weights and shape of a convolution, in the graph's terms.
#[derive(Clone, Debug)]
pub struct Conv {
    /// Int8 weights, (outputs, inputs, side, side); depthwise ones have one input.
    pub weights: Vec<i8>,
    /// Scale of each output's weights.
    pub scales: Vec<f32>,
    /// Bias of each output.
    pub bias: Vec<f32>,
    /// Input channels that one output reads.
    pub inputs: usize,
    /// Height and width of the kernel.
    pub side: usize,
    /// Whether each channel is convolved on its own (stride 1, padded); else the stride is the kernel's side.
    pub depthwise: bool,
}

impl Conv {
    /// Number of outputs.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// The weight at an output, an input of it, and a tap.
    pub fn weight(&self, output: usize, input: usize, dy: usize, dx: usize) -> i8 {
        self.weights[((output * self.inputs + input) * self.side + dy) * self.side + dx]
    }
}

/// A convolution, what is added to it, and the limits of the sum.
#[derive(Clone, Debug)]
pub struct Linear {
    /// The tensor read.
    pub source: TensorId,
    /// The convolution.
    pub conv: Rc<Conv>,
    /// The int16 tensor added.
    pub residual: Option<TensorId>,
    /// Lower limit.
    pub low: f64,
    /// Upper limit.
    pub high: f64,
}

impl Linear {
    pub(super) fn is_clipped(&self) -> bool {
        self.low > f64::NEG_INFINITY || self.high < f64::INFINITY
    }

    pub(super) fn clip(&mut self, low: f64, high: f64) {
        self.low = self.low.clamp(low, high);
        self.high = self.high.clamp(low, high);
    }
}

/// The integers of one output channel.
struct Channel {
    weights: Vec<i8>,
    bias: i64,
    scale: f32,
}

impl Conv {
    /// One output's integers: weights in the graph's order, the bias with the input's zero point folded in.
    fn channel(&self, output: usize, from: Grid, to: Grid) -> Channel {
        let count = self.inputs * self.side * self.side;
        let weights = &self.weights[output * count..(output + 1) * count];
        let mut unit = f64::from(from.step()) * f64::from(self.scales[output]);
        let bias = f64::from(self.bias[output]);
        // Weights that are tiny beside their bias (of a dead channel) would make the bias overflow: round them to
        // a coarser unit. The parity of layers sees to it that this does no harm.
        let mut coarser = 1.0;
        while (bias / unit).abs() > BIAS_LIMIT {
            coarser *= 2.0;
            unit *= 2.0;
        }
        let weights: Vec<i8> =
            weights.iter().map(|&w| (f64::from(w) / coarser).round_ties_even() as i8).collect();
        let sum: i64 = weights.iter().map(|&w| i64::from(w)).sum();
        Channel {
            weights,
            bias: (bias / unit).round_ties_even() as i64 - i64::from(from.zero()) * sum,
            scale: (unit / f64::from(to.step())) as f32,
        }
    }
}

impl Channel {
    /// Smallest and largest accumulator for inputs on a grid.
    fn range(&self, from: Grid) -> (i64, i64) {
        let (min, max) = from.range();
        let extreme = |for_positive: i32, for_negative: i32| {
            let product =
                |&w: &i8| i64::from(w) * i64::from(if w > 0 { for_positive } else { for_negative });
            self.bias + self.weights.iter().map(product).sum::<i64>()
        };
        (extreme(min, max), extreme(max, min))
    }
}

impl Lowering<'_> {
    pub(super) fn convolution(&mut self, node: &Node) -> Result<Value, PackError> {
        let (Value::Real(source), Value::Weights(weights)) =
            (self.operand(node, 0)?, self.operand(node, 1)?)
        else {
            return Err(self.unsupported(node, "not of a rounded tensor with int8 weights"));
        };
        let conv = Rc::new(self.understand(node, source, &weights)?);
        let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
        Ok(Value::Linear(Linear { source, conv, residual: None, low, high }))
    }

    /// Checks that a Conv node is one of the forms the engine has.
    fn understand(
        &self,
        node: &Node,
        source: TensorId,
        weights: &Weights,
    ) -> Result<Conv, PackError> {
        let &[outputs, inputs, side, width] = weights.shape.as_slice() else {
            return Err(self.unsupported(node, "weights that are not four-dimensional"));
        };
        let bias = match node.inputs.get(2) {
            None => vec![0.0; outputs],
            Some(_) => match &constant(self.graph, node, 2)?.values {
                Values::F32(bias) => bias.clone(),
                _ => return Err(self.unsupported(node, "a bias that is not float")),
            },
        };
        let good = |v: &f32| v.is_finite();
        if bias.len() != outputs
            || weights.scales.len() != outputs
            || !bias.iter().all(good)
            || !weights.scales.iter().all(|s| good(s) && *s > 0.0)
        {
            return Err(
                self.unsupported(node, "biases or scales that are not one number an output")
            );
        }
        let all = |name: &str, value: usize| {
            node.ints(name).iter().all(|&v| usize::try_from(v) == Ok(value))
        };
        if side != width || !all("kernel_shape", side) || !all("dilations", 1) {
            return Err(self.unsupported(node, "a kernel that is not square and dense"));
        }
        if node.text("auto_pad", "NOTSET") != "NOTSET" {
            return Err(self.unsupported(node, "automatic padding"));
        }
        // Absent strides are 1, absent pads 0.
        let strides = |n: usize| all("strides", n) && (n == 1 || !node.ints("strides").is_empty());
        let pads = |n: usize| all("pads", n) && (n == 0 || !node.ints("pads").is_empty());
        let channels = self.tensors[usize::from(source)].channels;
        let group = usize::try_from(node.int("group", 1)).unwrap_or(0);
        let depthwise = group == channels && inputs == 1 && side > 1 && strides(1);
        let supported = if depthwise {
            outputs == channels && matches!(side, 3 | 5) && pads(side / 2)
        } else {
            group == 1
                && inputs == channels
                && matches!(side, 1 | 2 | 4 | 8)
                && strides(side)
                && pads(0)
        };
        if !supported {
            let reason = format!(
                "{side}x{side} of {channels} channels in {group} groups with strides {:?} and pads {:?}",
                node.ints("strides"),
                node.ints("pads")
            );
            return Err(self.unsupported(node, reason));
        }
        Ok(Conv {
            weights: weights.values.clone(),
            scales: weights.scales.clone(),
            bias,
            inputs,
            side,
            depthwise,
        })
    }

    /// Ends a convolution on a grid: one operation, after a space-to-depth for strided ones.
    pub(super) fn emit_linear(
        &mut self,
        node: &Node,
        linear: Linear,
        grid: Grid,
    ) -> Result<TensorId, PackError> {
        let conv = &*linear.conv;
        let from = self.grid(linear.source);
        if let Some(residual) = linear.residual.map(|t| self.grid(t)) {
            let expected = Grid::I16 { step: grid.step() };
            if residual != expected {
                return Err(self.mismatch(node, "the residual", expected, residual));
            }
        }
        let mut channels = Vec::with_capacity(conv.outputs());
        let mut biases = Vec::with_capacity(conv.outputs());
        for index in 0..conv.outputs() {
            let channel = conv.channel(index, from, grid);
            let (low, high) = channel.range(from);
            let overflow = PackError::Overflow {
                place: self.graph.place(&node.name),
                channel: index,
                low,
                high,
            };
            if low < i32::MIN.into() || high > i32::MAX.into() {
                return Err(overflow);
            }
            biases.push(i32::try_from(channel.bias).map_err(|_| overflow)?);
            channels.push(channel);
        }
        let scales: Vec<f32> = channels.iter().map(|c| c.scale).collect();
        let bounds = Bounds {
            offset: grid.zero().into(),
            lo: grid.nearest(linear.low) as i32,
            hi: grid.nearest(linear.high) as i32,
        };
        let (dtype, zero_point, residual) = (grid.dtype(), grid.zero(), linear.residual);
        let source = if conv.depthwise || conv.side == 1 {
            linear.source
        } else {
            self.space_to_depth(linear.source, conv.side)?
        };
        let weights = engine_order(conv, &channels);
        let (weights, bias, scale) = (&weights[..], &biases[..], &scales[..]);
        let made = if conv.depthwise {
            let k = conv.side;
            let spec =
                DepthwiseSpec { k, dtype, zero_point, residual, weights, bias, scale, bounds };
            self.builder.depthwise(source, spec)
        } else {
            let spec = ConvSpec { dtype, zero_point, residual, weights, bias, scale, bounds };
            self.builder.conv1x1(source, spec)
        };
        let made = made.map_err(PackError::program(&self.graph.name))?;
        self.tensors.push(TensorGrid { grid, channels: conv.outputs() });
        self.layers.push((node.name.clone(), made, Layer::Linear(linear)));
        Ok(made)
    }
}

/// Weights as the engine's builder takes them: `[k · k][channels]` for depthwise ones, else `[outputs][(dy, dx, c)]`.
fn engine_order(conv: &Conv, channels: &[Channel]) -> Vec<i8> {
    let taps = conv.side * conv.side;
    if conv.depthwise {
        return (0..taps).flat_map(|tap| channels.iter().map(move |c| c.weights[tap])).collect();
    }
    let one = |c: &Channel| -> Vec<i8> {
        let order = (0..taps).flat_map(|tap| (0..conv.inputs).map(move |i| i * taps + tap));
        order.map(|at| c.weights[at]).collect()
    };
    channels.iter().flat_map(one).collect()
}
