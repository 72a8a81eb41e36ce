//! Whole tensors in bands of rows, in parallel if there are threads.

use core::ops::Range;

use alloc::vec::Vec;

use super::{Executor, Program, RowMut, RowRef, RunError, Size, Tensor};
use crate::parallel;

/// Checks whole inputs against a program.
pub(super) fn check_inputs(program: &Program<'_>, inputs: &[Tensor]) -> Result<Size, RunError> {
    let mismatch = |what, expected, found| Err(RunError::Mismatch { what, expected, found });
    if inputs.len() != program.inputs() {
        return mismatch("inputs", program.inputs(), inputs.len());
    }
    let Size { height, width } = inputs[0].size;
    let multiple = program.unit();
    if height == 0
        || width == 0
        || !height.is_multiple_of(multiple)
        || !width.is_multiple_of(multiple)
    {
        return Err(RunError::BadSize { height, width, multiple });
    }
    for (input, info) in inputs.iter().zip(program.tensors()) {
        let len = height.saturating_mul(width).saturating_mul(info.channels);
        if input.as_ref().len() != len
            || input.dtype() != info.dtype
            || input.size != inputs[0].size
        {
            return mismatch("input tensor", len, input.as_ref().len());
        }
    }
    Ok(inputs[0].size)
}

impl Executor {
    /// Runs whole inputs to whole outputs, in one band.
    ///
    /// # Errors
    /// As [`Executor::run`], or inputs that are not what the program needs.
    pub fn run_tensors(
        &mut self,
        program: &Program<'_>,
        inputs: &[Tensor],
    ) -> Result<Vec<Tensor>, RunError> {
        let size = check_inputs(program, inputs)?;
        let infos = program.outputs().iter().map(|&t| program.tensors()[usize::from(t)]);
        let mut outputs: Vec<Tensor> =
            infos.map(|i| Tensor::zeros(i.dtype, size.shifted(i.shift), i.channels)).collect();
        let mut views: Vec<RowMut<'_>> = outputs.iter_mut().map(Tensor::as_mut).collect();
        let source = |input: usize, y: usize, mut to: RowMut<'_>| {
            if let Some(row) = inputs.get(input).and_then(|t| t.row(y)) {
                to.copy_from(row);
            }
        };
        run_banded(core::slice::from_mut(self), program, size, &source, &mut views)?;
        Ok(outputs)
    }
}

/// Runs a picture in as many bands of rows as there are executors, and writes whole outputs: output `o` is
/// `[height][width][channels]` of that output. With the feature `rayon` the bands run in parallel (in the current
/// thread pool); the result is the same bits for any number of bands.
///
/// `source(input, y, row)` is called for rows near band borders more than once.
///
/// # Errors
/// As [`Executor::run`], or outputs whose lengths or types do not suit, or no executors.
pub fn run_banded<S>(
    executors: &mut [Executor],
    program: &Program<'_>,
    size: Size,
    source: &S,
    outputs: &mut [RowMut<'_>],
) -> Result<(), RunError>
where
    S: Fn(usize, usize, RowMut<'_>) + Sync,
{
    let mismatch = |what, expected, found| Err(RunError::Mismatch { what, expected, found });
    let units = size.height / program.unit();
    if executors.is_empty() {
        return mismatch("executors", 1, 0);
    }
    if outputs.len() != program.outputs().len() {
        return mismatch("outputs", program.outputs().len(), outputs.len());
    }
    let mut lengths = Vec::with_capacity(outputs.len());
    for (&tensor, out) in program.outputs().iter().zip(outputs.iter()) {
        let info = program.tensors()[usize::from(tensor)];
        let own = size.shifted(info.shift);
        let len = own.height.saturating_mul(own.width).saturating_mul(info.channels);
        if out.len() != len || out.dtype() != info.dtype {
            return mismatch("output tensor", len, out.len());
        }
        lengths.push((own.width * info.channels, own.height / units.max(1)));
    }
    let mut jobs = Vec::new();
    let mut rest: Vec<RowMut<'_>> = outputs.iter_mut().map(RowMut::reborrow).collect();
    let ranges = parallel::ranges(units, executors.len());
    for (executor, range) in executors.iter_mut().zip(ranges) {
        let mut own = Vec::with_capacity(rest.len());
        let mut later = Vec::with_capacity(rest.len());
        for (out, &(row, per_unit)) in rest.into_iter().zip(&lengths) {
            let (head, tail) = split(out, range.len() * per_unit * row);
            own.push(head);
            later.push(tail);
        }
        rest = later;
        jobs.push((executor, range, own));
    }
    let one = |(executor, range, own): (&mut Executor, Range<usize>, Vec<RowMut<'_>>)| {
        band(executor, program, size, range, source, own, &lengths)
    };
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        if jobs.len() > 1 {
            return jobs.into_par_iter().try_for_each(one);
        }
    }
    jobs.into_iter().try_for_each(one)
}

fn split(row: RowMut<'_>, at: usize) -> (RowMut<'_>, RowMut<'_>) {
    match row {
        RowMut::U8(s) => {
            let (head, tail) = s.split_at_mut(at.min(s.len()));
            (RowMut::U8(head), RowMut::U8(tail))
        }
        RowMut::I16(s) => {
            let (head, tail) = s.split_at_mut(at.min(s.len()));
            (RowMut::I16(head), RowMut::I16(tail))
        }
    }
}

fn band<S: Fn(usize, usize, RowMut<'_>)>(
    executor: &mut Executor,
    program: &Program<'_>,
    size: Size,
    units: Range<usize>,
    source: &S,
    mut outputs: Vec<RowMut<'_>>,
    lengths: &[(usize, usize)],
) -> Result<(), RunError> {
    let first = units.start;
    let mut source = |input: usize, y: usize, row: RowMut<'_>| source(input, y, row);
    let mut sink = |output: usize, y: usize, row: RowRef<'_>| {
        let (len, per_unit) = lengths[output];
        let at = (y - first * per_unit) * len;
        if let Some(mut to) = outputs[output].get(at, at + len) {
            to.copy_from(row);
        }
    };
    executor.run_units(program, size, units, &mut source, &mut sink)
}
