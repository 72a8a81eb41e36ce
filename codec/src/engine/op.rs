//! The operations, and what each computes.
//!
//! `x[y, x, c]` below is an element of the input; positions outside the picture read as the tensor's zero point.
//! Zero points are otherwise the packer's business: it folds them into the biases.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use super::TensorId;
use super::requant::Bounds;

/// Output channels per block of 1×1 weights.
pub const COUT_BLOCK: usize = 16;
/// Input channels per group of 1×1 weights.
pub const CIN_GROUP: usize = 4;

/// Pointwise convolution.
///
/// `acc = bias[o] + Σ_i w[o][i] · x[i]` (wrapping 32-bit), then
/// [`requantise`](super::requant::requantise) with `scale[o]`, the residual's element at the same place, and the bounds.
#[derive(Clone, Debug)]
pub struct Conv1x1<'a> {
    /// Input tensor, U8 or I16.
    pub input: TensorId,
    /// I16 tensor of the output's shape that is added before the final clamp.
    pub residual: Option<TensorId>,
    /// Input channels.
    pub cin: usize,
    /// Output channels.
    pub cout: usize,
    /// Blocked weights, `[cout/16][cin/4][16][4]`, zero padded.
    pub(crate) weights: Cow<'a, [i8]>,
    /// Biases, zero padded to whole blocks.
    pub(crate) bias: Vec<i32>,
    /// For I16 inputs, `bias − 32768 · Σ w`: the bias for an input offset to unsigned. Else empty.
    pub(crate) bias_unsigned: Vec<i32>,
    /// Scales, zero padded to whole blocks.
    pub(crate) scale: Vec<f32>,
    /// Offset and clamp of the output.
    pub bounds: Bounds,
}

impl Conv1x1<'_> {
    /// Where the weight of output `o`, input `i` lies among the blocked weights.
    pub const fn weight_index(cin: usize, o: usize, i: usize) -> usize {
        let groups = cin.div_ceil(CIN_GROUP);
        ((o / COUT_BLOCK * groups + i / CIN_GROUP) * COUT_BLOCK + o % COUT_BLOCK) * CIN_GROUP
            + i % CIN_GROUP
    }

    /// Bytes of blocked weights.
    pub const fn weight_bytes(cin: usize, cout: usize) -> usize {
        cout.next_multiple_of(COUT_BLOCK) * cin.next_multiple_of(CIN_GROUP)
    }
}

/// Depthwise convolution, stride 1, output of the input's size.
///
/// `acc = bias[c] + Σ_{dy,dx} w[dy · k + dx][c] · x[y + dy − k/2, x + dx − k/2, c]`, then as [`Conv1x1`].
#[derive(Clone, Debug)]
pub struct Depthwise<'a> {
    /// Input tensor, U8 or I16.
    pub input: TensorId,
    /// I16 tensor of the output's shape that is added before the final clamp.
    pub residual: Option<TensorId>,
    /// 3 or 5.
    pub k: usize,
    /// Channels.
    pub channels: usize,
    /// Weights, `[k · k][channels]`.
    pub(crate) weights: Cow<'a, [i8]>,
    /// Biases, one a channel.
    pub(crate) bias: Vec<i32>,
    /// Scales, one a channel.
    pub(crate) scale: Vec<f32>,
    /// Offset and clamp of the output.
    pub bounds: Bounds,
}

/// Lookup: `out = table[clamp(x − lo, 0, table.len() − 1)]`, I16 to U8.
#[derive(Clone, Debug)]
pub struct Table<'a> {
    /// Input tensor, I16.
    pub input: TensorId,
    /// The input that reads the first entry.
    pub lo: i16,
    /// 1 to 65536 entries.
    pub(crate) table: Cow<'a, [u8]>,
}

/// One operation; it writes the tensor `inputs + its own index`.
#[non_exhaustive]
#[derive(Clone, Debug)]
pub enum Op<'a> {
    /// See [`Conv1x1`].
    Conv1x1(Conv1x1<'a>),
    /// See [`Depthwise`].
    Depthwise(Depthwise<'a>),
    /// `out[y, x, (dy · b + dx) · C + c] = in[y · b + dy, x · b + dx, c]`.
    SpaceToDepth {
        /// Input tensor.
        input: TensorId,
        /// Block side: 2, 4 or 8.
        b: usize,
    },
    /// `out[y · b + dy, x · b + dx, c] = in[y, x, (dy · b + dx) · C + c]` with C the output's channels.
    DepthToSpace {
        /// Input tensor.
        input: TensorId,
        /// Block side: 2, 4 or 8.
        b: usize,
    },
    /// Channels of all inputs, one after the other.
    Concat {
        /// 1 to 8 tensors of the same type, zero point and size.
        inputs: Vec<TensorId>,
    },
    /// See [`Table`].
    Table(Table<'a>),
}

impl Op<'_> {
    /// The tensors read, residual last.
    pub fn operands(&self) -> impl Iterator<Item = TensorId> + '_ {
        let (list, residual): (&[TensorId], Option<TensorId>) = match self {
            Op::Conv1x1(c) => (core::slice::from_ref(&c.input), c.residual),
            Op::Depthwise(d) => (core::slice::from_ref(&d.input), d.residual),
            Op::SpaceToDepth { input, .. } | Op::DepthToSpace { input, .. } => {
                (core::slice::from_ref(input), None)
            }
            Op::Concat { inputs } => (inputs, None),
            Op::Table(t) => (core::slice::from_ref(&t.input), None),
        };
        list.iter().copied().chain(residual)
    }

    /// Has all operands but a residual be one tensor.
    pub(super) fn read_only(&mut self, tensor: TensorId) {
        match self {
            Op::Conv1x1(c) => c.input = tensor,
            Op::Depthwise(d) => d.input = tensor,
            Op::SpaceToDepth { input, .. } | Op::DepthToSpace { input, .. } => *input = tensor,
            Op::Concat { inputs } => inputs.fill(tensor),
            Op::Table(t) => t.input = tensor,
        }
    }

    /// The same operation with its constants copied out of the bytes it was parsed from.
    pub fn into_owned(self) -> Op<'static> {
        fn own<T: Clone>(c: Cow<'_, [T]>) -> Cow<'static, [T]> {
            Cow::Owned(c.into_owned())
        }
        match self {
            Op::Conv1x1(c) => Op::Conv1x1(Conv1x1 {
                weights: own(c.weights),
                input: c.input,
                residual: c.residual,
                cin: c.cin,
                cout: c.cout,
                bias: c.bias,
                bias_unsigned: c.bias_unsigned,
                scale: c.scale,
                bounds: c.bounds,
            }),
            Op::Depthwise(d) => Op::Depthwise(Depthwise {
                weights: own(d.weights),
                input: d.input,
                residual: d.residual,
                k: d.k,
                channels: d.channels,
                bias: d.bias,
                scale: d.scale,
                bounds: d.bounds,
            }),
            Op::SpaceToDepth { input, b } => Op::SpaceToDepth { input, b },
            Op::DepthToSpace { input, b } => Op::DepthToSpace { input, b },
            Op::Concat { inputs } => Op::Concat { inputs },
            Op::Table(t) => Op::Table(Table { table: own(t.table), input: t.input, lo: t.lo }),
        }
    }
}
