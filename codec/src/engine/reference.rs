//! Whole-tensor execution in plain loops: the definition of what a program computes.

use alloc::vec::Vec;

use super::op::{Conv1x1, Op};
use super::requant::requantise;
use super::{Program, RunError, Tensor, TensorData};

/// Runs a program on whole inputs and returns its outputs, slowly.
///
/// # Errors
/// [`RunError`] if the inputs are not what the program needs.
pub fn run(program: &Program<'_>, inputs: &[Tensor]) -> Result<Vec<Tensor>, RunError> {
    super::bands::check_inputs(program, inputs)?;
    let mut tensors: Vec<Tensor> = inputs.to_vec();
    for op in program.ops() {
        let info = program.tensors()[tensors.len()];
        let size = inputs[0].size.shifted(info.shift);
        let mut out = Tensor::zeros(info.dtype, size, info.channels);
        let mut at = 0;
        for y in 0..size.height {
            for x in 0..size.width {
                for c in 0..info.channels {
                    let value = element(op, program, &tensors, y as isize, x as isize, c);
                    match &mut out.data {
                        TensorData::U8(v) => v[at] = value as u8,
                        TensorData::I16(v) => v[at] = value as i16,
                    }
                    at += 1;
                }
            }
        }
        tensors.push(out);
    }
    Ok(program.outputs().iter().map(|&t| tensors[usize::from(t)].clone()).collect())
}

fn element(
    op: &Op<'_>,
    program: &Program<'_>,
    tensors: &[Tensor],
    y: isize,
    x: isize,
    c: usize,
) -> i32 {
    let read = |tensor: u16, y: isize, x: isize, c: usize| -> i32 {
        let padding = i32::from(program.tensors()[usize::from(tensor)].zero_point);
        let (Ok(y), Ok(x)) = (usize::try_from(y), usize::try_from(x)) else { return padding };
        let tensor = &tensors[usize::from(tensor)];
        if y < tensor.size.height { tensor.at(y, x, c).unwrap_or(padding) } else { padding }
    };
    let residual = |tensor: Option<u16>| tensor.map_or(0, |t| read(t, y, x, c));
    match op {
        Op::Conv1x1(v) => {
            let mut acc = v.bias[c];
            for i in 0..v.cin {
                let w = i32::from(v.weights[Conv1x1::weight_index(v.cin, c, i)]);
                acc = acc.wrapping_add(w * read(v.input, y, x, i));
            }
            requantise(acc, v.scale[c], residual(v.residual), v.bounds)
        }
        Op::Depthwise(v) => {
            let mut acc = v.bias[c];
            let half = (v.k / 2) as isize;
            for tap in 0..v.k * v.k {
                let (dy, dx) = ((tap / v.k) as isize - half, (tap % v.k) as isize - half);
                let w = i32::from(v.weights[tap * v.channels + c]);
                acc = acc.wrapping_add(w * read(v.input, y + dy, x + dx, c));
            }
            requantise(acc, v.scale[c], residual(v.residual), v.bounds)
        }
        Op::SpaceToDepth { input, b } => {
            let (channels, side) = (tensors[usize::from(*input)].channels, *b as isize);
            let (dy, dx) = ((c / channels / b) as isize, (c / channels % b) as isize);
            read(*input, y * side + dy, x * side + dx, c % channels)
        }
        Op::DepthToSpace { input, b } => {
            let channels = tensors[usize::from(*input)].channels / (b * b);
            let side = *b as isize;
            let (dy, dx) = ((y % side) as usize, (x % side) as usize);
            read(*input, y / side, x / side, (dy * b + dx) * channels + c)
        }
        Op::Concat { inputs } => {
            let mut c = c;
            for &input in inputs {
                let channels = tensors[usize::from(input)].channels;
                if c < channels {
                    return read(input, y, x, c);
                }
                c -= channels;
            }
            0
        }
        Op::Table(v) => {
            let index =
                (read(v.input, y, x, c) - i32::from(v.lo)).clamp(0, v.table.len() as i32 - 1);
            v.table[index as usize].into()
        }
    }
}
