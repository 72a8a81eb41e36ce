//! Random programs and tensors for tests.

use alloc::vec::Vec;

use super::requant::Bounds;
use super::{
    ConvSpec, DType, DepthwiseSpec, Program, ProgramBuilder, Size, Tensor, TensorData, TensorId,
};

/// A small deterministic generator (splitmix64).
pub(crate) struct Rng(pub(crate) u64);

impl Rng {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `lo..=hi`.
    pub(crate) fn range(&mut self, lo: i64, hi: i64) -> i64 {
        lo + (self.next() % (hi - lo + 1) as u64) as i64
    }

    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.next().is_multiple_of(one_in)
    }

    pub(crate) fn dtype(&mut self) -> DType {
        if self.chance(2) { DType::U8 } else { DType::I16 }
    }

    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        let extreme = self.chance(4);
        (0..n)
            .map(|_| if extreme { [0, 255][self.range(0, 1) as usize] } else { self.next() as u8 })
            .collect()
    }

    pub(crate) fn words(&mut self, n: usize) -> Vec<i16> {
        let (extreme, small) = (self.chance(4), self.chance(2));
        let one = |r: &mut Self| match (extreme, small) {
            (true, _) => [i16::MIN, i16::MAX][r.range(0, 1) as usize],
            (_, true) => r.range(-600, 600) as i16,
            _ => r.next() as i16,
        };
        (0..n).map(|_| one(self)).collect()
    }

    pub(crate) fn weights(&mut self, n: usize) -> Vec<i8> {
        self.bytes(n).into_iter().map(|b| if b == 0 { -128 } else { b as i8 }).collect()
    }

    pub(crate) fn bias(&mut self, n: usize) -> Vec<i32> {
        let extreme = self.chance(4);
        (0..n)
            .map(
                |_| if extreme { self.next() as i32 } else { self.range(-100_000, 100_000) as i32 },
            )
            .collect()
    }

    pub(crate) fn scales(&mut self, n: usize) -> Vec<f32> {
        let extreme = self.chance(4);
        let one = |r: &mut Self| {
            if !extreme {
                return 1.0 / r.range(20, 5000) as f32;
            }
            let list = [
                0.0,
                -0.0,
                1.0,
                0.5,
                -0.5,
                1e-45,
                f32::MIN_POSITIVE,
                f32::MAX,
                f32::MIN,
                -1e-3,
                1e9,
            ];
            list[r.range(0, list.len() as i64 - 1) as usize]
        };
        (0..n).map(|_| one(self)).collect()
    }

    pub(crate) fn bounds(&mut self, dtype: DType) -> Bounds {
        let (min, max) = dtype.range();
        let (mut lo, mut hi) = (min, max);
        if self.chance(3) {
            lo = self.range(min.into(), max.into()) as i32;
            hi = self.range(lo.into(), max.into()) as i32;
        }
        let limit = if self.chance(4) { 65536 } else { 130 };
        Bounds { offset: self.range(-limit, limit) as i32, lo, hi }
    }

    pub(crate) fn tensor(&mut self, dtype: DType, size: Size, channels: usize) -> Tensor {
        let n = size.height * size.width * channels;
        let data = match dtype {
            DType::U8 => TensorData::U8(self.bytes(n)),
            DType::I16 => TensorData::I16(self.words(n)),
        };
        Tensor { size, channels, data }
    }

    pub(crate) fn zero_point(&mut self, dtype: DType) -> u8 {
        if dtype == DType::U8 { self.next() as u8 } else { 0 }
    }

    pub(crate) fn inputs(&mut self, program: &Program<'_>, size: Size) -> Vec<Tensor> {
        let infos = &program.tensors()[..program.inputs()];
        infos.iter().map(|i| self.tensor(i.dtype, size, i.channels)).collect()
    }
}

struct Generator {
    rng: Rng,
    builder: ProgramBuilder,
    /// Type, channels and shift of each tensor.
    tensors: Vec<(DType, usize, i8)>,
}

/// The bytes of a valid program with up to `ops` operations; `pointwise` ones look at positions one by one.
pub(crate) fn random_program(seed: u64, ops: usize, pointwise: bool) -> Vec<u8> {
    let mut g = Generator { rng: Rng(seed), builder: ProgramBuilder::new(), tensors: Vec::new() };
    for _ in 0..g.rng.range(1, 2) {
        let (dtype, channels) = (g.rng.dtype(), g.channels());
        let zero = g.rng.zero_point(dtype);
        g.builder.input(dtype, channels, zero).unwrap();
        g.tensors.push((dtype, channels, 0));
    }
    for _ in 0..ops {
        g.add(pointwise);
    }
    let last = (g.tensors.len() - 1) as TensorId;
    let mut outputs = Vec::from([last]);
    if g.rng.chance(3) {
        outputs.push(g.rng.range(0, last.into()) as TensorId);
    }
    g.builder.finish(&outputs).unwrap()
}

impl Generator {
    fn channels(&mut self) -> usize {
        match self.rng.range(0, 3) {
            0 => self.rng.range(1, 20) as usize,
            1 => 16,
            _ => 4 * self.rng.range(1, 14) as usize,
        }
    }

    fn add(&mut self, pointwise: bool) {
        let count = self.tensors.len();
        let recent = self.rng.range(0, 2).min(count as i64 - 1) as usize;
        let from = count - 1 - recent;
        let (dtype, c, shift) = self.tensors[from];
        let (input, out) = (from as TensorId, self.rng.dtype());
        let zero = self.rng.zero_point(out);
        let choice = if pointwise {
            [0, 0, 4, 5][self.rng.range(0, 3) as usize]
        } else {
            self.rng.range(0, 6)
        };
        match choice {
            2 if shift < 3 && c <= 24 => {
                let b = if shift < 2 && c < 4 { 4 } else { 2 };
                self.builder.space_to_depth(input, b).unwrap();
                self.tensors.push((dtype, c * b * b, shift + b.trailing_zeros() as i8));
            }
            3 if shift > -2 && c.is_multiple_of(4) => {
                self.builder.depth_to_space(input, 2).unwrap();
                self.tensors.push((dtype, c / 4, shift - 1));
            }
            4 if c <= 40 => {
                self.builder.concat(&[input, input]).unwrap();
                self.tensors.push((dtype, 2 * c, shift));
            }
            5 if dtype == DType::I16 => {
                let n = self.rng.range(1, 700) as usize;
                let (table, lo) = (self.rng.bytes(n), self.rng.range(-400, 100) as i16);
                self.builder.table(input, lo, &table, zero).unwrap();
                self.tensors.push((DType::U8, c, shift));
            }
            1 | 6 if !pointwise => {
                let k = if self.rng.chance(3) { 5 } else { 3 };
                let residual = self.residual(c, shift);
                let (weights, bias) = (self.rng.weights(k * k * c), self.rng.bias(c));
                let (scale, bounds) = (self.rng.scales(c), self.rng.bounds(out));
                let (weights, bias, scale) = (&weights[..], &bias[..], &scale[..]);
                let spec = DepthwiseSpec {
                    k,
                    dtype: out,
                    zero_point: zero,
                    residual,
                    weights,
                    bias,
                    scale,
                    bounds,
                };
                self.builder.depthwise(input, spec).unwrap();
                self.tensors.push((out, c, shift));
            }
            _ => {
                let n = if self.rng.chance(2) { c } else { self.channels() };
                let residual = self.residual(n, shift);
                let (weights, bias) = (self.rng.weights(c * n), self.rng.bias(n));
                let (scale, bounds) = (self.rng.scales(n), self.rng.bounds(out));
                let (weights, bias, scale) = (&weights[..], &bias[..], &scale[..]);
                let spec = ConvSpec {
                    dtype: out,
                    zero_point: zero,
                    residual,
                    weights,
                    bias,
                    scale,
                    bounds,
                };
                self.builder.conv1x1(input, spec).unwrap();
                self.tensors.push((out, n, shift));
            }
        }
    }

    fn residual(&mut self, channels: usize, shift: i8) -> Option<TensorId> {
        let suits = |t: &(DType, usize, i8)| *t == (DType::I16, channels, shift);
        let found = self.tensors.iter().position(suits)?;
        self.rng.chance(2).then_some(found as TensorId)
    }
}
