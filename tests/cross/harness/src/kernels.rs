//! Kernels against each other, in few words: the codec's own property test is the thorough one, but needs more than a
//! bare WebAssembly host offers.

use pinhole::engine::op::Op;
use pinhole::engine::requant::Bounds;
use pinhole::engine::{
    ConvSpec, DType, DepthwiseSpec, Isa, Kernels, Program, ProgramBuilder, RowRef, Size, Tensor,
    TensorData,
};

/// Runs some random operations on all kernels; says which there are.
pub fn compare(rounds: u64) -> Result<String, String> {
    let kernels: Vec<Kernels> = Isa::ALL.iter().copied().filter_map(Kernels::with_isa).collect();
    for round in 0..rounds {
        one(&mut Random(round), &kernels).map_err(|e| format!("round {round}: {e}"))?;
    }
    let names: Vec<&str> = kernels.iter().map(|k| k.isa().name()).collect();
    Ok(format!("{rounds} operations on {}", names.join(", ")))
}

struct Random(u64);

impl Random {
    /// Something in `0..n`.
    fn below(&mut self, n: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn dtype(&mut self) -> DType {
        if self.below(2) == 0 { DType::U8 } else { DType::I16 }
    }

    /// Often the extremes.
    fn tensor(&mut self, dtype: DType, width: usize, channels: usize) -> Tensor {
        let extreme = self.below(3) == 0;
        let mut next = |low: i32, high: i32| match (extreme, self.below(2)) {
            (true, 0) => low,
            (true, _) => high,
            _ => low + self.below((high - low + 1) as usize) as i32,
        };
        let n = width * channels;
        let data = match dtype {
            DType::U8 => TensorData::U8((0..n).map(|_| next(0, 255) as u8).collect()),
            DType::I16 => TensorData::I16((0..n).map(|_| next(-32768, 32767) as i16).collect()),
        };
        Tensor { size: Size { height: 1, width }, channels, data }
    }
}

fn one(r: &mut Random, kernels: &[Kernels]) -> Result<(), Box<dyn std::error::Error>> {
    let depthwise = r.below(2) == 0;
    let (n, cin, k) = (r.below(20), 1 + r.below(100), 3 + 2 * r.below(2));
    let cin = if r.below(4) == 0 { cin } else { cin.next_multiple_of(4) };
    let cout = if depthwise { cin } else { 1 + r.below(100) };
    let (from, dtype) = (r.dtype(), r.dtype());
    let count = if depthwise { k * k * cin } else { cin * cout };
    let extreme = r.below(3) == 0;
    let weights: Vec<i8> =
        (0..count).map(|_| if extreme { -128 } else { r.below(256) as u8 as i8 }).collect();
    let bias: Vec<i32> = (0..cout).map(|_| r.below(200_000) as i32 - 100_000).collect();
    let scale: Vec<f32> = (0..cout).map(|_| [1e-3, 0.5, 0.0371, -1e9, 1e-45][r.below(5)]).collect();
    let (lo, hi) = dtype.range();
    let bounds = Bounds { offset: r.below(300) as i32 - 150, lo, hi };
    let (weights, bias, scale) = (&weights[..], &bias[..], &scale[..]);
    let mut b = ProgramBuilder::new();
    let x = b.input(from, cin, 0)?;
    let y = if depthwise {
        let spec =
            DepthwiseSpec { k, dtype, zero_point: 0, residual: None, weights, bias, scale, bounds };
        b.depthwise(x, spec)?
    } else {
        let spec = ConvSpec { dtype, zero_point: 0, residual: None, weights, bias, scale, bounds };
        b.conv1x1(x, spec)?
    };
    let bytes = b.finish(&[y])?;
    let program = Program::parse(&bytes)?;
    let rows: Vec<Tensor> = (0..k).map(|_| r.tensor(from, n + k - 1, cin)).collect();
    let rows: Vec<RowRef<'_>> = rows.iter().map(Tensor::as_ref).collect();
    let residual = r.tensor(DType::I16, n, cout);
    let residual = if r.below(2) == 0 { residual.as_ref().as_i16() } else { None };
    let mut expected = None;
    for kernels in kernels {
        let mut out = r.tensor(dtype, n, cout);
        match program.ops().first() {
            Some(Op::Conv1x1(op)) => {
                let x = rows[0].get(0, n * cin).ok_or("too short")?;
                kernels.conv1x1(op, n, x, residual, out.as_mut(), &mut Vec::new())?;
            }
            Some(Op::Depthwise(op)) => kernels.depthwise(op, n, &rows, residual, out.as_mut())?,
            _ => return Err("another operation".into()),
        }
        if expected.get_or_insert_with(|| out.clone()) != &out {
            return Err(format!("{} differs", kernels.isa().name()).into());
        }
    }
    Ok(())
}
