//! The streaming executor against the reference, on random programs.

use alloc::vec::Vec;

use proptest::prelude::*;

use crate::engine::testing::{Rng, random_program};
use crate::engine::{
    Executor, Isa, Kernels, Program, RowMut, RowRef, Size, Tensor, reference, run_banded,
};

fn source(inputs: &[Tensor]) -> impl Fn(usize, usize, RowMut<'_>) + Sync {
    move |input, y, mut row| assert!(row.copy_from(inputs[input].row(y).unwrap()))
}

fn blank_outputs(program: &Program<'_>, size: Size) -> Vec<Tensor> {
    let outputs = (0..program.outputs().len()).map(|o| program.output_info(o).unwrap());
    outputs.map(|i| Tensor::zeros(i.dtype, size.shifted(i.shift), i.channels)).collect()
}

fn stream(executor: &mut Executor, program: &Program<'_>, inputs: &[Tensor]) -> Vec<Tensor> {
    let size = inputs[0].size;
    let mut outputs = blank_outputs(program, size);
    let mut next = [0; 4];
    let mut sink = |o: usize, y: usize, row: RowRef<'_>| {
        assert_eq!(next[o], y, "rows in order");
        next[o] += 1;
        let n = row.len();
        assert!(outputs[o].as_mut().get(y * n, (y + 1) * n).unwrap().copy_from(row));
    };
    executor.run(program, size, &mut source(inputs), &mut sink).unwrap();
    for (output, &rows) in outputs.iter().zip(&next) {
        assert_eq!(output.size.height, rows, "all rows");
    }
    outputs
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn stream_equals_reference(seed: u64, ops in 1_usize..10, h in 1_usize..8, w in 1_usize..9) {
        let bytes = random_program(seed, ops, false);
        let program = Program::parse(&bytes).unwrap();
        let unit = program.unit();
        let mut rng = Rng(!seed);
        let big = Size { height: h * unit, width: w * unit };
        let inputs = rng.inputs(&program, big);
        let expected = reference::run(&program, &inputs).unwrap();
        for &isa in Isa::ALL {
            let Some(kernels) = Kernels::with_isa(isa) else { continue };
            let mut executor = Executor::with_kernels(kernels);
            // A dirty executor must not matter: run something else first.
            let other = rng.inputs(&program, Size { height: unit, width: unit * 2 });
            let _ = stream(&mut executor, &program, &other);
            prop_assert_eq!(&stream(&mut executor, &program, &inputs), &expected);

            let bands = 1 + (seed % 4) as usize;
            let mut executors: Vec<_> = (0..bands).map(|_| Executor::with_kernels(kernels)).collect();
            let mut outputs = blank_outputs(&program, big);
            let mut views: Vec<_> = outputs.iter_mut().map(Tensor::as_mut).collect();
            run_banded(&mut executors, &program, big, &source(&inputs), &mut views).unwrap();
            prop_assert_eq!(&outputs, &expected);
        }
    }

    #[test]
    fn points_equal_reference(seed: u64, ops in 1_usize..8, n in 0_usize..300) {
        let bytes = random_program(seed, ops, true);
        let program = Program::parse(&bytes).unwrap().into_owned();
        prop_assert!(program.is_pointwise());
        let mut rng = Rng(!seed);
        let inputs = rng.inputs(&program, Size { height: 1, width: n });
        let views: Vec<_> = inputs.iter().map(Tensor::as_ref).collect();
        let mut outputs = blank_outputs(&program, Size { height: 1, width: n });
        let mut out: Vec<_> = outputs.iter_mut().map(Tensor::as_mut).collect();
        Executor::new().points(&program, n, &views, &mut out).unwrap();
        if n > 0 {
            prop_assert_eq!(outputs, reference::run(&program, &inputs).unwrap());
        }
    }
}

#[test]
fn steps_announce_their_input_rows() {
    for seed in 0..40 {
        let bytes = random_program(seed, 8, false);
        let program = Program::parse(&bytes).unwrap();
        let unit = program.unit();
        let size = Size { height: unit * 5, width: unit };
        let inputs = Rng(seed).inputs(&program, size);
        let mut executor = Executor::new();
        let mut run = executor.start(&program, size, 1..4).unwrap();
        while !run.is_done() {
            let mut left: Vec<_> = (0..program.inputs()).map(|i| run.next_input_rows(i)).collect();
            let mut source = |input: usize, y: usize, mut row: RowMut<'_>| {
                assert_eq!(left[input].next(), Some(y));
                assert!(row.copy_from(inputs[input].row(y).unwrap()));
            };
            run.step(&mut source, &mut |_: usize, y: usize, _: RowRef<'_>| {
                assert!(y < 5 * unit * 4)
            })
            .unwrap();
            assert!(left.iter().all(|rows| rows.is_empty()));
        }
    }
}

#[test]
fn bad_requests_are_errors() {
    let bytes = random_program(7, 6, false);
    let program = Program::parse(&bytes).unwrap();
    let mut nothing = |_: usize, _: usize, _: RowMut<'_>| {};
    let mut ignore = |_: usize, _: usize, _: RowRef<'_>| {};
    let mut executor = Executor::new();
    let unit = program.unit();
    for (height, width) in [(0, unit), (unit, 0), (usize::MAX, unit), (unit, 1 << 40)] {
        let size = Size { height, width };
        assert!(executor.run(&program, size, &mut nothing, &mut ignore).is_err(), "{size:?}");
    }
    let size = Size { height: unit, width: unit };
    assert!(executor.run_units(&program, size, 0..2, &mut nothing, &mut ignore).is_err());
    #[allow(clippy::reversed_empty_ranges)]
    let reversed = 1..0;
    assert!(executor.run_units(&program, size, reversed, &mut nothing, &mut ignore).is_err());
    executor.run_units(&program, size, 1..1, &mut nothing, &mut ignore).unwrap();
}
