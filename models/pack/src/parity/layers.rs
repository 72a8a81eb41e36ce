//! Each layer on its own, in the graph's terms and double precision, on the engine's tensors.

use pinhole::engine::{Tensor, TensorId};

use crate::error::PackError;
use crate::graph::Graph;
use crate::grids::Grid;
use crate::lower::{Chain, Conv, Layer, Linear, Lowered};

use super::Agreement;

/// Compares every layer of a graph; `tensors` are the engine's, by id.
pub(crate) fn compare(
    graph: &Graph,
    lowered: &Lowered,
    tensors: &[Tensor],
    totals: &mut [(String, Agreement)],
) -> Result<(), PackError> {
    for ((name, made, layer), total) in lowered.layers.iter().zip(totals) {
        let get = |id: TensorId| (&tensors[usize::from(id)], lowered.tensors[usize::from(id)].grid);
        let (out, grid) = get(*made);
        let mut worst = (0, 0, 0);
        let mut take = |at: usize, real: f64| {
            let (expected, found) = (grid.nearest(real), integer(out, at).into());
            total.1.add(expected, found);
            worst = worst.max((expected.abs_diff(found), expected, found));
        };
        match layer {
            Layer::Linear(linear) => {
                linear_layer(linear, get(linear.source), linear.residual.map(get), out, &mut take);
            }
            Layer::Chain(chain) => chain_layer(chain, get(chain.source), out, &mut take),
        }
        let (difference, expected, found) = worst;
        if difference > 1 {
            return Err(PackError::LayerDiffers { place: graph.place(name), expected, found });
        }
    }
    Ok(())
}

fn integer(tensor: &Tensor, at: usize) -> i32 {
    match &tensor.data {
        pinhole::engine::TensorData::U8(v) => v[at].into(),
        pinhole::engine::TensorData::I16(v) => v[at].into(),
    }
}

fn chain_layer(
    chain: &Chain,
    (source, from): (&Tensor, Grid),
    out: &Tensor,
    take: &mut impl FnMut(usize, f64),
) {
    for at in 0..out.as_ref().len() {
        take(at, chain.apply(from.real(integer(source, at))));
    }
}

fn linear_layer(
    linear: &Linear,
    (source, from): (&Tensor, Grid),
    residual: Option<(&Tensor, Grid)>,
    out: &Tensor,
    take: &mut impl FnMut(usize, f64),
) {
    let conv = &*linear.conv;
    let zero = i32::from(from.zero());
    let centred: Vec<f64> =
        (0..source.as_ref().len()).map(|at| f64::from(integer(source, at) - zero)).collect();
    let weights = by_tap(conv);
    let units: Vec<f64> =
        conv.scales.iter().map(|&s| f64::from(from.step()) * f64::from(s)).collect();
    let mut sums = vec![0.0; conv.outputs()];
    let mut at = 0;
    for y in 0..out.size.height {
        for x in 0..out.size.width {
            sums.fill(0.0);
            accumulate(conv, &weights, &centred, source, (y, x), &mut sums);
            for (o, sum) in sums.iter().enumerate() {
                let added = residual.map_or(0.0, |(t, grid)| grid.real(integer(t, at)));
                let real = f64::from(conv.bias[o]) + sum * units[o] + added;
                take(at, real.clamp(linear.low, linear.high));
                at += 1;
            }
        }
    }
}

/// Weights as `[dy][dx][input][output]`.
fn by_tap(conv: &Conv) -> Vec<f64> {
    let mut weights = Vec::with_capacity(conv.weights.len());
    for (dy, dx) in (0..conv.side * conv.side).map(|tap| (tap / conv.side, tap % conv.side)) {
        for input in 0..conv.inputs {
            weights.extend((0..conv.outputs()).map(|o| f64::from(conv.weight(o, input, dy, dx))));
        }
    }
    weights
}

/// Adds up one position's products, straight from ONNX's definition of Conv.
fn accumulate(
    conv: &Conv,
    weights: &[f64],
    centred: &[f64],
    source: &Tensor,
    (y, x): (usize, usize),
    sums: &mut [f64],
) {
    let (stride, pad) = if conv.depthwise { (1, conv.side / 2) } else { (conv.side, 0) };
    let per_tap = conv.inputs * conv.outputs();
    for (tap, weights) in weights.chunks_exact(per_tap).enumerate() {
        let (row, column) = (y * stride + tap / conv.side, x * stride + tap % conv.side);
        let (Some(row), Some(column)) = (row.checked_sub(pad), column.checked_sub(pad)) else {
            continue;
        };
        if row >= source.size.height || column >= source.size.width {
            continue;
        }
        let at = (row * source.size.width + column) * source.channels;
        let values = &centred[at..at + source.channels];
        if conv.depthwise {
            for ((sum, w), v) in sums.iter_mut().zip(weights).zip(values) {
                *sum += w * v;
            }
        } else {
            for (v, weights) in values.iter().zip(weights.chunks_exact(conv.outputs())) {
                for (sum, w) in sums.iter_mut().zip(weights) {
                    *sum += w * v;
                }
            }
        }
    }
}
