//! Makes a program that draws pictures draw them at a half, a quarter or an eighth of their size.
//!
//! Such a program ends with a 1×1 convolution of 192 outputs and a depth-to-space of side 8. A smaller picture is the
//! mean over squares of the large one, and means are linear: averaging the rows of the convolution gives a convolution
//! of 48, 12 or 3 outputs that makes the smaller picture at once. (But for the clamp to 0..255, which now comes after
//! the mean.)
//!
//! With `w` the weights, `b` the biases and `s` the scales of the outputs `o` that one sample is the mean of,
//! `t[i] = Σ_o w[o][i] · s[o] / n` are its exact weights. Their unit is `u = max |t| / 127` as a binary32 number, its
//! weights are `t / u` rounded to the nearest (halves away from zero), its bias `Σ_o b[o] · s[o] / n / u` likewise, and
//! its scale is `u`. All in binary64, sums in the order of the outputs, so that the result is the same everywhere.

use alloc::borrow::Cow;
use alloc::vec;

use super::Program;
use crate::engine::op::{Conv1x1, Op};
use crate::engine::{DType, TensorInfo};

/// Side of the patches and samples of a pixel.
const PATCH: usize = 8;
const SAMPLES: usize = 3;

impl<'a> Program<'a> {
    /// The program that makes pictures of `1 / factor` of the size (2, 4 or 8), or `None` if this one does not end as
    /// described.
    pub(crate) fn shrink(&self, factor: usize) -> Option<Program<'a>> {
        let (rest, [Op::Conv1x1(conv), Op::DepthToSpace { input, b: PATCH }]) =
            self.ops.split_last_chunk::<2>()?
        else {
            return None;
        };
        let last = u16::try_from(self.tensors.len()).ok()? - 1;
        if !matches!(factor, 2 | 4 | 8)
            || self.outputs != [last]
            || *input != last - 1
            || conv.cout != PATCH * PATCH * SAMPLES
            || conv.residual.is_some()
            || self.tensors[usize::from(last)].dtype != DType::U8
        {
            return None;
        }
        let side = PATCH / factor;
        let cout = side * side * SAMPLES;
        let small = shrunk(conv, factor);
        let mut program = self.clone();
        program.ops.truncate(rest.len());
        program.tensors.truncate(self.tensors.len() - 2);
        let patches = self.tensors[usize::from(last) - 1];
        program.tensors.push(TensorInfo { channels: cout, ..patches });
        program.ops.push(Op::Conv1x1(small));
        if side > 1 {
            let picture = self.tensors[usize::from(last)];
            let shift = picture.shift + factor.trailing_zeros() as i8;
            program.tensors.push(TensorInfo { shift, ..picture });
            program.ops.push(Op::DepthToSpace { input: last - 1, b: side });
        } else {
            program.outputs = vec![last - 1];
        }
        Some(program)
    }
}

/// The mean over squares of `factor × factor` pixels of what `conv` makes.
fn shrunk<'a>(conv: &Conv1x1<'a>, factor: usize) -> Conv1x1<'a> {
    let side = PATCH / factor;
    let cout = side * side * SAMPLES;
    let mut small = Conv1x1 { cout, ..conv.clone() };
    let mut blocked = vec![0; Conv1x1::weight_bytes(conv.cin, cout)];
    let padded = cout.next_multiple_of(crate::engine::op::COUT_BLOCK);
    (small.bias, small.scale) = (vec![0; padded], vec![0.0; padded]);
    for sample in 0..cout {
        let (c, x, y) = (sample % SAMPLES, sample / SAMPLES % side, sample / SAMPLES / side);
        let mut exact = vec![0.0_f64; conv.cin];
        let mut bias = 0.0_f64;
        for pixel in 0..factor * factor {
            let (px, py) = (x * factor + pixel % factor, y * factor + pixel / factor);
            let o = (py * PATCH + px) * SAMPLES + c;
            let share = f64::from(conv.scale[o]) / (factor * factor) as f64;
            for (i, exact) in exact.iter_mut().enumerate() {
                let w = conv.weights[Conv1x1::weight_index(conv.cin, o, i)];
                *exact += f64::from(w) * share;
            }
            bias += f64::from(conv.bias[o]) * share;
        }
        let most =
            exact.iter().fold(0.0_f64, |most, t| if t.abs() > most { t.abs() } else { most });
        // Scales are positive and finite; a sample without weights keeps the scale that it had.
        let unit = if most > 0.0 { (most / 127.0) as f32 } else { conv.scale[sample] };
        let mut sum = 0_i32;
        for (i, t) in exact.iter().enumerate() {
            let w = nearest(t / f64::from(unit)).clamp(-127, 127) as i8;
            blocked[Conv1x1::weight_index(conv.cin, sample, i)] = w;
            sum = sum.wrapping_add(w.into());
        }
        // Casts saturate: a bias out of all proportion stays that.
        small.bias[sample] =
            nearest(bias / f64::from(unit)).clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32;
        small.scale[sample] = unit;
        if let Some(unsigned) = small.bias_unsigned.get_mut(sample) {
            *unsigned = small.bias[sample].wrapping_sub(sum << 15);
        }
    }
    small.weights = Cow::Owned(blocked);
    small.bias_unsigned.truncate(padded);
    small
}

/// Halves away from zero.
fn nearest(x: f64) -> i64 {
    if x < 0.0 { -((0.5 - x) as i64) } else { (x + 0.5) as i64 }
}

#[cfg(test)]
mod tests {
    use core::slice;

    use super::*;
    use crate::engine::requant::Bounds;
    use crate::engine::testing::Rng;
    use crate::engine::{ConvSpec, ProgramBuilder, Size, Tensor, TensorData, reference};

    const INPUTS: usize = 20;
    const OUTPUTS: usize = PATCH * PATCH * SAMPLES;

    /// Draws pictures of middling greys from inputs of a few hundred steps.
    fn program(dtype: DType, rng: &mut Rng) -> Vec<u8> {
        let weights: Vec<i8> =
            (0..OUTPUTS * INPUTS).map(|_| (rng.next() >> 56) as i8 / 8).collect();
        let bias: Vec<i32> = (0..OUTPUTS).map(|_| (rng.next() >> 50) as i32 - 8192).collect();
        let scale: Vec<f32> = (0..OUTPUTS).map(|o| (1.0 + o as f32 / 100.0) / 4096.0).collect();
        let mut b = ProgramBuilder::new();
        let x = b.input(dtype, INPUTS, 0).unwrap();
        let spec = ConvSpec {
            dtype: DType::U8,
            zero_point: 0,
            residual: None,
            weights: &weights,
            bias: &bias,
            scale: &scale,
            bounds: Bounds { offset: 128, lo: 0, hi: 255 },
        };
        let x = b.conv1x1(x, spec).unwrap();
        let x = b.depth_to_space(x, PATCH).unwrap();
        b.finish(&[x]).unwrap()
    }

    fn input(dtype: DType, size: Size, rng: &mut Rng) -> Tensor {
        let n = size.height * size.width * INPUTS;
        let data = match dtype {
            DType::U8 => TensorData::U8((0..n).map(|_| (rng.next() >> 56) as u8).collect()),
            DType::I16 => {
                TensorData::I16((0..n).map(|_| ((rng.next() >> 48) as i16) / 64).collect())
            }
        };
        Tensor { size, channels: INPUTS, data }
    }

    fn bytes(tensors: Vec<Tensor>) -> (Size, Vec<u8>) {
        (tensors[0].size, tensors[0].as_ref().as_u8().unwrap().to_vec())
    }

    #[test]
    fn small_pictures_are_means_of_large_ones() {
        let mut rng = Rng(3);
        for dtype in [DType::U8, DType::I16] {
            let file = program(dtype, &mut rng);
            let program = Program::parse(&file).unwrap();
            let input = input(dtype, Size { height: 3, width: 5 }, &mut rng);
            let (large, pixels) = bytes(reference::run(&program, slice::from_ref(&input)).unwrap());
            for factor in [2, 4, 8] {
                let small = program.shrink(factor).unwrap();
                let (size, got) = bytes(reference::run(&small, slice::from_ref(&input)).unwrap());
                let Size { height, width } = size;
                assert_eq!((height, width), (large.height / factor, large.width / factor));
                let mut worst = 0.0_f64;
                for (i, &got) in got.iter().enumerate() {
                    let (c, x, y) = (i % 3, i / 3 % width, i / 3 / width);
                    let sum: u32 = (0..factor * factor)
                        .map(|p| {
                            let at =
                                (y * factor + p / factor) * large.width + x * factor + p % factor;
                            u32::from(pixels[at * 3 + c])
                        })
                        .sum();
                    let mean = f64::from(sum) / (factor * factor) as f64;
                    worst = worst.max((f64::from(got) - mean).abs());
                }
                assert!(worst < 2.5, "{dtype:?}, 1/{factor}: {worst}");
            }
        }
    }

    /// Pictures must not change with the processor or by accident.
    #[test]
    fn shrinking_gives_the_same_bits_everywhere() {
        let file = program(DType::I16, &mut Rng(11));
        let small = Program::parse(&file).unwrap().shrink(4).unwrap();
        let [Op::Conv1x1(conv), ..] = small.ops() else { panic!("a convolution") };
        let mut bits: Vec<u8> = conv.weights.iter().map(|&w| w as u8).collect();
        bits.extend(conv.bias.iter().chain(&conv.bias_unsigned).flat_map(|b| b.to_le_bytes()));
        bits.extend(conv.scale.iter().flat_map(|s| s.to_bits().to_le_bytes()));
        assert_eq!(crate::format::crc32c(&bits), 0x4500_ad29);
    }

    #[test]
    fn other_programs_are_left_alone() {
        let file = program(DType::U8, &mut Rng(1));
        let program = Program::parse(&file).unwrap();
        assert!(program.shrink(3).is_none() && program.shrink(1).is_none());
        let mut b = ProgramBuilder::new();
        let x = b.input(DType::U8, OUTPUTS, 0).unwrap();
        let x = b.depth_to_space(x, PATCH).unwrap();
        let file = b.finish(&[x]).unwrap();
        assert!(Program::parse(&file).unwrap().shrink(2).is_none());
    }
}
