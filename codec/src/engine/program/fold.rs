//! Folds a change of colours into the first layer of a program that reads RGB in patches of 8×8.
//!
//! Such a program starts with a space-to-depth of side 8 and a 1×1 convolution of 192 inputs. Both are linear, and so
//! is the step from luma and chroma, or from grey, to RGB: the two steps are one convolution of 96 or 64 inputs.
//! Its weights are rounded to int8 once more, all in integers:
//!
//! With `RGB[p][c] = (Σ_j A[p][c][j] · x_j + b[c]) / 2^16` for the pixels `p` of a cell, the exact weights in 2^-16 are
//! `f[j] = Σ_p,c w[p][c] · A[p][c][j]`. Per output, `q = ceil(max |f| / 127)` is the new unit, each sample's weights
//! are `f / q` rounded along the rows of its patch (to and fro), the remainder carried to the next: the error of a
//! weight is undone by its neighbours, which matters in smooth pictures. The bias makes mid grey (128) exact up to half
//! a unit, and the scale becomes `scale · (q / 2^16)`, one IEEE-754 multiplication.

use alloc::borrow::Cow;
use alloc::vec;
use alloc::vec::Vec;

use super::Program;
use crate::engine::op::{Conv1x1, Op};
use crate::engine::{DType, TensorInfo};

/// Side of the patches, and their RGB samples.
const PATCH: usize = 8;
const RGB: usize = PATCH * PATCH * 3;
/// No bias may be larger, so that sums stay within 32 bits.
const BIAS_LIMIT: i64 = 1 << 30;

/// Cells of `side × side` pixels given as samples of their own instead of RGB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Cells {
    /// 1 or 2.
    pub(crate) side: usize,
    /// `A[(pixel · 3 + colour) · samples + sample]`, in 2^-16.
    pub(crate) matrix: Vec<i32>,
    /// `b[colour]`, in 2^-16.
    pub(crate) offset: [i32; 3],
}

impl Cells {
    /// Samples of a cell.
    pub(crate) fn samples(&self) -> usize {
        self.matrix.len() / (3 * self.side * self.side)
    }

    /// One output's exact weights, `[cell][sample]`, and bias, in 2^-16 of the old unit.
    fn exact(&self, weight: impl Fn(usize) -> i8, bias: i32) -> (Vec<i64>, i64) {
        let (side, samples) = (self.side, self.samples());
        let cells = PATCH / side;
        let mut exact = vec![0; cells * cells * samples];
        let mut sum = i64::from(bias) << 16;
        for i in 0..RGB {
            let w = i64::from(weight(i));
            let (colour, x, y) = (i % 3, i / 3 % PATCH, i / 3 / PATCH);
            let pixel = y % side * side + x % side;
            let from = &self.matrix[(pixel * 3 + colour) * samples..][..samples];
            let to = &mut exact[(y / side * cells + x / side) * samples..][..samples];
            to.iter_mut().zip(from).for_each(|(to, &a)| *to += w * i64::from(a));
            sum += w * i64::from(self.offset[colour]);
        }
        (exact, sum)
    }

    /// The same in int8: weights, bias, and their unit.
    fn rounded(&self, exact: &[i64], sum: i64) -> (Vec<i8>, i32, i64) {
        let samples = self.samples();
        let cells = PATCH / self.side;
        let grey = sum + 128 * exact.iter().sum::<i64>();
        let most = exact.iter().map(|f| f.abs()).max().unwrap_or(0);
        let mut unit = if most == 0 { 1 << 16 } else { (most + 126) / 127 };
        loop {
            let mut weights = vec![0_i8; exact.len()];
            for sample in 0..samples {
                let mut carry = 0;
                for step in 0..cells * cells {
                    let (y, x) = (step / cells, step % cells);
                    let x = if y % 2 == 0 { x } else { cells - 1 - x };
                    let at = (y * cells + x) * samples + sample;
                    let wanted = exact[at] + carry;
                    let w = (2 * wanted + unit).div_euclid(2 * unit).clamp(-127, 127);
                    carry = wanted - w * unit;
                    weights[at] = w as i8;
                }
            }
            let whole: i64 = weights.iter().map(|&w| i64::from(w)).sum();
            let bias = (2 * grey + unit).div_euclid(2 * unit) - 128 * whole;
            if bias.abs() <= BIAS_LIMIT {
                return (weights, bias as i32, unit);
            }
            unit *= 2;
        }
    }
}

impl<'a> Program<'a> {
    /// The program that reads cells of `side × side` pixels in place of RGB pixels, or `None` if this one does not
    /// start as described. Its input has a row and a position for each cell.
    pub(crate) fn fold(&self, cells: &Cells) -> Option<Program<'a>> {
        let (&[Op::SpaceToDepth { input: 0, b: PATCH }, Op::Conv1x1(ref conv)], rest) =
            self.ops.split_first_chunk::<2>()?
        else {
            return None;
        };
        let reads_picture = |op: &Op<'_>| op.operands().any(|t| t < 2);
        if self.inputs != 1
            || (conv.input, conv.cin) != (1, RGB)
            || conv.residual.is_some()
            || self.tensors[0].dtype != DType::U8
            || rest.iter().any(reads_picture)
            || self.outputs.iter().any(|&t| t < 2)
        {
            return None;
        }
        let (side, samples) = (cells.side, cells.samples());
        let b = PATCH / side;
        let mut program = self.clone();
        let step = side.trailing_zeros() as i8;
        program.tensors.iter_mut().skip(1).for_each(|t| t.shift -= step);
        let cin = samples * b * b;
        program.tensors[0] = TensorInfo { channels: samples, ..self.tensors[0] };
        program.tensors[1] = TensorInfo { channels: cin, ..program.tensors[1] };
        program.ops[0] = Op::SpaceToDepth { input: 0, b };

        let mut folded = Conv1x1 { cin, ..conv.clone() };
        let mut blocked = vec![0; Conv1x1::weight_bytes(cin, conv.cout)];
        for o in 0..conv.cout {
            let old = |i: usize| conv.weights[Conv1x1::weight_index(RGB, o, i)];
            let (exact, sum) = cells.exact(old, conv.bias[o]);
            let (weights, bias, unit) = cells.rounded(&exact, sum);
            for (i, w) in weights.into_iter().enumerate() {
                blocked[Conv1x1::weight_index(cin, o, i)] = w;
            }
            folded.bias[o] = bias;
            folded.scale[o] = conv.scale[o] * (unit as f32 / 65536.0);
        }
        folded.weights = Cow::Owned(blocked);
        program.ops[1] = Op::Conv1x1(folded);
        Some(program)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::requant::Bounds;
    use crate::engine::testing::Rng;
    use crate::engine::{ConvSpec, ProgramBuilder, Size, Tensor, TensorData, reference};

    const OUTPUTS: usize = 24;

    fn program(rng: &mut Rng, scale: f32) -> Vec<u8> {
        let mut weights: Vec<i8> = (0..OUTPUTS * RGB).map(|_| (rng.next() >> 40) as i8).collect();
        // A dead channel, whose bias is out of all proportion, must survive.
        weights[..RGB].fill(0);
        let mut bias: Vec<i32> = (0..OUTPUTS).map(|_| (rng.next() >> 48) as i16 as i32).collect();
        bias[0] = 1 << 29;
        let mut b = ProgramBuilder::new();
        let x = b.input(DType::U8, 3, 0).unwrap();
        let x = b.space_to_depth(x, PATCH).unwrap();
        let spec = ConvSpec {
            dtype: DType::I16,
            zero_point: 0,
            residual: None,
            weights: &weights,
            bias: &bias,
            scale: &[scale; OUTPUTS],
            bounds: Bounds { offset: 0, lo: -32768, hi: 32767 },
        };
        let x = b.conv1x1(x, spec).unwrap();
        let x = b.space_to_depth(x, 2).unwrap();
        b.finish(&[x]).unwrap()
    }

    fn tensor(channels: usize, size: Size, data: Vec<u8>) -> Tensor {
        Tensor { size, channels, data: TensorData::U8(data) }
    }

    fn words(tensors: Vec<Tensor>) -> Vec<i16> {
        tensors[0].as_ref().as_i16().unwrap().to_vec()
    }

    /// JFIF in 2^-16.
    fn jfif() -> Cells {
        let (u, v) = ([0, -22_554, 116_130], [91_881, -46_802, 0]);
        let row = |p: usize, c: usize| {
            let luma = move |i| if i == p { 1 << 16 } else { 0 };
            (0..4).map(luma).chain([u[c], v[c]])
        };
        let matrix = (0..4).flat_map(|p| (0..3).flat_map(move |c| row(p, c))).collect();
        let offset = core::array::from_fn(|c| -128 * (u[c] + v[c]));
        Cells { side: 2, matrix, offset }
    }

    #[test]
    fn folded_programs_come_close() {
        let mut rng = Rng(5);
        // A grey level is some tens of steps of the output.
        let bytes = program(&mut rng, 1.0 / 256.0);
        let program = Program::parse(&bytes).unwrap();
        for cells in [jfif(), Cells { side: 1, matrix: vec![1 << 16; 3], offset: [0; 3] }] {
            let folded = program.fold(&cells).unwrap();
            let (side, samples) = (cells.side, cells.samples());
            let (h, w) = (32 / side, 48 / side);
            let input: Vec<u8> =
                (0..h * w * samples).map(|_| 96 + (rng.next() >> 58) as u8).collect();
            let mut rgb = vec![0; 32 * 48 * 3];
            for (i, cell) in input.chunks(samples).enumerate() {
                for p in 0..side * side {
                    let (y, x) = (i / w * side + p / side, i % w * side + p % side);
                    for c in 0..3 {
                        let row = &cells.matrix[(p * 3 + c) * samples..][..samples];
                        let dot: i32 = row.iter().zip(cell).map(|(a, &x)| a * i32::from(x)).sum();
                        let value = (dot + cells.offset[c] + 32768) >> 16;
                        rgb[(y * 48 + x) * 3 + c] = u8::try_from(value).unwrap();
                    }
                }
            }
            let size = Size { height: 32, width: 48 };
            let expected = words(reference::run(&program, &[tensor(3, size, rgb)]).unwrap());
            let size = Size { height: h, width: w };
            let got = words(reference::run(&folded, &[tensor(samples, size, input)]).unwrap());
            assert_eq!(expected.len(), got.len());
            let error: i64 = expected.iter().zip(&got).map(|(a, b)| i64::from(a - b).pow(2)).sum();
            let power: i64 = expected.iter().map(|&a| i64::from(a).pow(2)).sum();
            assert!(error * 10_000 < power, "side {side}: {error} of {power}");
        }
    }

    /// Streams of folded pictures must not change with the processor or by accident.
    #[test]
    fn folding_gives_the_same_bits_everywhere() {
        let bytes = program(&mut Rng(9), 0.01);
        let program = Program::parse(&bytes).unwrap();
        let folded = program.fold(&jfif()).unwrap();
        let [_, Op::Conv1x1(conv), ..] = folded.ops() else { panic!("a convolution") };
        let mut bits: Vec<u8> = conv.weights.iter().map(|&w| w as u8).collect();
        bits.extend(conv.bias.iter().flat_map(|b| b.to_le_bytes()));
        bits.extend(conv.scale.iter().flat_map(|s| s.to_bits().to_le_bytes()));
        assert_eq!(crate::format::crc32c(&bits), 0x579a_49f7);
    }

    #[test]
    fn other_programs_are_left_alone() {
        let mut b = ProgramBuilder::new();
        let x = b.input(DType::U8, 3, 0).unwrap();
        let x = b.space_to_depth(x, 8).unwrap();
        let x = b.space_to_depth(x, 2).unwrap();
        let bytes = b.finish(&[x]).unwrap();
        assert!(Program::parse(&bytes).unwrap().fold(&jfif()).is_none());
    }
}
