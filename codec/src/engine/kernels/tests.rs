//! Every instruction set against the scalar kernels.

use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::{Isa, Kernels};
use crate::engine::op::Op;
use crate::engine::testing::Rng;
use crate::engine::{
    ConvSpec, DType, DepthwiseSpec, Program, ProgramBuilder, RowMut, RowRef, Size, Tensor,
    TensorData,
};

/// All that this processor can run, scalar first, and what only tests run.
fn all() -> impl Iterator<Item = Kernels> {
    #[cfg(target_arch = "x86_64")]
    let extra = [Isa(&super::avx2::AVX_VNNI_AS_AVX512)];
    #[cfg(not(target_arch = "x86_64"))]
    let extra: [Isa; 0] = [];
    Isa::ALL.iter().copied().chain(extra).filter_map(Kernels::with_isa)
}

/// The same call for all instruction sets must give the same output.
fn agree(dtype: DType, len: usize, mut call: impl FnMut(Kernels, RowMut<'_>)) {
    let mut expected = None;
    for kernels in all() {
        let mut out = match dtype {
            DType::U8 => TensorData::U8(vec![77; len]),
            DType::I16 => TensorData::I16(vec![77; len]),
        };
        call(
            kernels,
            match &mut out {
                TensorData::U8(v) => RowMut::U8(v),
                TensorData::I16(v) => RowMut::I16(v),
            },
        );
        let expected = expected.get_or_insert_with(|| out.clone());
        assert_eq!(&out, expected, "{:?}", kernels.isa());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn conv1x1_agrees(seed: u64, n in 0_usize..40, cin in 1_usize..300, cout in 1_usize..150, four: bool, residual: bool) {
        let mut rng = Rng(seed);
        let cin = if four { cin.next_multiple_of(4) } else { cin };
        let (from, to) = (rng.dtype(), rng.dtype());
        let mut b = ProgramBuilder::new();
        let x = b.input(from, cin, 0).unwrap();
        let (weights, bias, scale) = (rng.weights(cin * cout), rng.bias(cout), rng.scales(cout));
        let bounds = rng.bounds(to);
        let spec = ConvSpec { dtype: to, zero_point: 0, residual: None, weights: &weights, bias: &bias, scale: &scale, bounds };
        let y = b.conv1x1(x, spec).unwrap();
        let bytes = b.finish(&[y]).unwrap();
        let program = Program::parse(&bytes).unwrap();
        let Op::Conv1x1(op) = &program.ops()[0] else { unreachable!() };
        let x = rng.tensor(from, Size { height: 1, width: n }, cin);
        let r = rng.words(n * cout);
        let r = residual.then_some(&r[..]);
        agree(to, n * cout, |k, out| k.conv1x1(op, n, x.as_ref(), r, out, &mut Vec::new()).unwrap());
    }

    #[test]
    fn depthwise_agrees(seed: u64, n in 0_usize..30, c in 1_usize..100, five: bool, residual: bool) {
        let mut rng = Rng(seed);
        let k = if five { 5 } else { 3 };
        let (from, to) = (rng.dtype(), rng.dtype());
        let mut b = ProgramBuilder::new();
        let x = b.input(from, c, 0).unwrap();
        let (weights, bias, scale) = (rng.weights(k * k * c), rng.bias(c), rng.scales(c));
        let bounds = rng.bounds(to);
        let spec = DepthwiseSpec { k, dtype: to, zero_point: 0, residual: None, weights: &weights, bias: &bias, scale: &scale, bounds };
        let y = b.depthwise(x, spec).unwrap();
        let bytes = b.finish(&[y]).unwrap();
        let program = Program::parse(&bytes).unwrap();
        let Op::Depthwise(op) = &program.ops()[0] else { unreachable!() };
        let rows: Vec<Tensor> = (0..k).map(|_| rng.tensor(from, Size { height: 1, width: n + k - 1 }, c)).collect();
        let rows: Vec<RowRef<'_>> = rows.iter().map(Tensor::as_ref).collect();
        let r = rng.words(n * c);
        let r = residual.then_some(&r[..]);
        agree(to, n * c, |kernels, out| kernels.depthwise(op, n, &rows, r, out).unwrap());
    }

    #[test]
    fn table_agrees(seed: u64, n in 0_usize..2500, entries in 1_usize..9000, lo: i16) {
        let mut rng = Rng(seed);
        let mut b = ProgramBuilder::new();
        let x = b.input(DType::I16, 1, 0).unwrap();
        let lo = if rng.chance(2) { -(entries as i16 / 2) } else { lo };
        let y = b.table(x, lo, &rng.bytes(entries), 0).unwrap();
        let bytes = b.finish(&[y]).unwrap();
        let program = Program::parse(&bytes).unwrap();
        let Op::Table(op) = &program.ops()[0] else { unreachable!() };
        let x = rng.words(n);
        agree(DType::U8, n, |k, out| k.table(op, RowRef::I16(&x), out).unwrap());
    }
}
