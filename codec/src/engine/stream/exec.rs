//! The executor: rings for every tensor, filled step by step.

use core::ops::Range;

use alloc::vec::Vec;

use super::plan::{self, Schedule};
use super::points::Points;
use super::ring::{self, Ring};
use super::rows;
use crate::engine::op::Op;
use crate::engine::{Kernels, Program, RowMut, RowRef, RunError, Size};

/// Gives the rows of a program's inputs.
///
/// Within one run each row of each input is asked for at most once, in order for each input.
/// Closures `FnMut(input, y, row)` are sources.
pub trait RowSource {
    /// Fills row `y` (of the whole picture) of input number `input`: `width × channels` elements.
    fn fill(&mut self, input: usize, y: usize, row: RowMut<'_>);
}

impl<F: FnMut(usize, usize, RowMut<'_>)> RowSource for F {
    fn fill(&mut self, input: usize, y: usize, row: RowMut<'_>) {
        self(input, y, row);
    }
}

/// Takes the rows of a program's outputs.
///
/// Each row of each output comes exactly once, in order for each output. Closures `FnMut(output, y, row)` are sinks.
pub trait RowSink {
    /// Takes row `y` (of the whole picture) of output number `output`.
    fn take(&mut self, output: usize, y: usize, row: RowRef<'_>);
}

impl<F: FnMut(usize, usize, RowRef<'_>)> RowSink for F {
    fn take(&mut self, output: usize, y: usize, row: RowRef<'_>) {
        self(output, y, row);
    }
}

/// Runs programs row by row. Its buffers stay for the next run, whatever the program or size.
#[derive(Debug, Default)]
pub struct Executor {
    kernels: Kernels,
    rings: Vec<Ring>,
    plan: Vec<Schedule>,
    /// First row of each tensor in this run.
    starts: Vec<i64>,
    scratch: Vec<u8>,
    points: Points,
}

impl Executor {
    /// No run may need more bytes of row buffers.
    pub const MAX_BYTES: u64 = 1 << 30;
    /// Positions that [`Executor::points`] takes at a time, so that its rows stay in the cache.
    const POINTS: usize = 96;

    /// An executor with the fastest kernels this processor has.
    pub fn new() -> Self {
        Self::default()
    }

    /// An executor with the given kernels.
    pub fn with_kernels(kernels: Kernels) -> Self {
        Executor { kernels, ..Self::default() }
    }

    /// The kernels in use.
    pub fn kernels(&self) -> Kernels {
        self.kernels
    }

    /// Runs a whole picture.
    ///
    /// # Errors
    /// [`RunError`] if the size does not suit the program or would need too much memory.
    pub fn run(
        &mut self,
        program: &Program<'_>,
        size: Size,
        source: &mut impl RowSource,
        sink: &mut impl RowSink,
    ) -> Result<(), RunError> {
        self.run_units(program, size, 0..size.height / program.unit(), source, sink)
    }

    /// Runs the given units of a picture (see [`Program::unit`]): the sink gets the outputs' rows of these units
    /// only, the source is asked for these and the neighbouring rows they depend on.
    ///
    /// # Errors
    /// As [`Executor::run`], or units outside the picture.
    pub fn run_units(
        &mut self,
        program: &Program<'_>,
        size: Size,
        units: Range<usize>,
        source: &mut impl RowSource,
        sink: &mut impl RowSink,
    ) -> Result<(), RunError> {
        let mut run = self.start(program, size, units)?;
        while run.step(source, sink)? {}
        Ok(())
    }

    /// Prepares to run units of a picture, step by step.
    ///
    /// # Errors
    /// As [`Executor::run_units`].
    pub fn start<'e, 'p>(
        &'e mut self,
        program: &'e Program<'p>,
        size: Size,
        units: Range<usize>,
    ) -> Result<Run<'e, 'p>, RunError> {
        const MAX_SIDE: usize = 1 << 20;
        let Size { height, width } = size;
        let multiple = program.unit();
        let fits = |v: usize| v > 0 && v <= MAX_SIDE && v.is_multiple_of(multiple);
        if !fits(height) || !fits(width) {
            return Err(RunError::BadSize { height, width, multiple });
        }
        let count = height / multiple;
        if units.start > units.end || units.end > count {
            return Err(RunError::BadUnits { start: units.start, end: units.end, units: count });
        }
        plan::schedules(program, size, &mut self.plan);
        let tensors = || program.tensors().iter().zip(&self.plan);
        let bytes =
            tensors().fold(0_u64, |sum, (&info, s)| sum.saturating_add(ring::bytes(info, s)));
        if bytes > Self::MAX_BYTES {
            return Err(RunError::TooLarge { bytes });
        }
        if self.rings.len() < self.plan.len() {
            self.rings.resize_with(self.plan.len(), Ring::default);
        }
        for ((&info, s), ring) in tensors().zip(&mut self.rings) {
            ring.configure(info, s);
        }
        let first = units.start as i64;
        self.starts.clear();
        self.starts.extend(self.plan.iter().map(|s| s.start(first)));
        let next = if units.is_empty() { first } else { plan::first_step(&self.plan, first) };
        Ok(self.resume(program, Progress { first, next, end: units.end as i64 }))
    }

    /// Goes on with a run that [`start`](Self::start) began and that was put aside. The program must be the same and
    /// this executor must not have run anything else since.
    pub(crate) fn resume<'e, 'p>(
        &'e mut self,
        program: &'e Program<'p>,
        progress: Progress,
    ) -> Run<'e, 'p> {
        Run { executor: self, program, progress }
    }

    /// Runs a program that looks at positions one by one on `n` packed positions: input `i` is
    /// `[n][channels of input i]`, output `o` likewise.
    ///
    /// # Errors
    /// [`RunError::NotPointwise`], or lengths and types that do not suit.
    pub fn points(
        &mut self,
        program: &Program<'_>,
        n: usize,
        inputs: &[RowRef<'_>],
        outputs: &mut [RowMut<'_>],
    ) -> Result<(), RunError> {
        if !program.is_pointwise() {
            return Err(RunError::NotPointwise);
        }
        expect("inputs", program.inputs(), inputs.len())?;
        expect("outputs", program.outputs().len(), outputs.len())?;
        for (info, row) in program.tensors().iter().zip(inputs) {
            let wanted = if row.dtype() == info.dtype {
                n.saturating_mul(info.channels)
            } else {
                usize::MAX
            };
            expect("input points", wanted, row.len())?;
        }
        for (&tensor, row) in program.outputs().iter().zip(outputs.iter()) {
            let info = program.tensors()[usize::from(tensor)];
            let wanted = if row.dtype() == info.dtype {
                n.saturating_mul(info.channels)
            } else {
                usize::MAX
            };
            expect("output points", wanted, row.len())?;
        }
        let mut from = 0;
        while from < n {
            let end = n.min(from + Self::POINTS);
            self.points.run(self.kernels, program, from..end, inputs, outputs)?;
            from = end;
        }
        Ok(())
    }

    /// Makes row `y` of the tensor that operation `index` writes.
    fn make_row(&mut self, program: &Program<'_>, index: usize, y: i64) -> Result<(), RunError> {
        let id = program.inputs() + index;
        let (rings, rest) = self.rings.split_at_mut(id);
        let Some(own) = rest.first_mut() else { return Ok(()) };
        let ring = |tensor: u16| &rings[usize::from(tensor)];
        let info = program.tensors()[id];
        let width = self.plan[id].width;
        let mut out = own.row_mut(y);
        match &program.ops()[index] {
            Op::Conv1x1(op) => {
                let x = ring(op.input).row(y);
                let residual = op.residual.and_then(|r| ring(r).row(y).as_i16());
                self.kernels.conv1x1(op, width, x, residual, out, &mut self.scratch)?;
            }
            Op::Depthwise(op) => {
                let half = (op.k / 2) as i64;
                let pad = op.k / 2 * op.channels;
                let rows: [RowRef<'_>; 5] = core::array::from_fn(|i| {
                    ring(op.input).padded_row(y - half + (i as i64).min(2 * half), pad)
                });
                let residual = op.residual.and_then(|r| ring(r).row(y).as_i16());
                self.kernels.depthwise(op, width, &rows[..op.k], residual, out)?;
            }
            &Op::SpaceToDepth { input, b } => {
                let run = info.channels / b;
                for dy in 0..b {
                    rows::space_to_depth(
                        ring(input).row(y * b as i64 + dy as i64),
                        out.reborrow(),
                        run,
                        b,
                        dy,
                    );
                }
            }
            &Op::DepthToSpace { input, b } => {
                let (from, dy) = (y / b as i64, y % b as i64);
                rows::depth_to_space(ring(input).row(from), out, info.channels * b, b, dy as usize);
            }
            Op::Concat { inputs } => {
                let mut at = 0;
                for &input in inputs {
                    let c = program.tensors()[usize::from(input)].channels;
                    rows::concat(ring(input).row(y), c, out.reborrow(), info.channels, at);
                    at += c;
                }
            }
            Op::Table(op) => self.kernels.table(op, ring(op.input).row(y), out)?,
        }
        Ok(())
    }
}

fn expect(what: &'static str, expected: usize, found: usize) -> Result<(), RunError> {
    if expected == found { Ok(()) } else { Err(RunError::Mismatch { what, expected, found }) }
}

/// A run in progress; see [`Executor::start`].
#[derive(Debug)]
pub struct Run<'e, 'p> {
    executor: &'e mut Executor,
    program: &'e Program<'p>,
    progress: Progress,
}

/// How far a run has come, in units.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    first: i64,
    next: i64,
    end: i64,
}

impl Run<'_, '_> {
    /// How far the run has come; see [`Executor::resume`].
    pub(crate) fn progress(&self) -> Progress {
        self.progress
    }

    /// Whether all units are done.
    pub fn is_done(&self) -> bool {
        self.progress.next >= self.progress.end
    }

    /// The rows of an input that the next step will ask for (empty when done). Every earlier row has been taken.
    pub fn next_input_rows(&self, input: usize) -> Range<usize> {
        if self.is_done() || input >= self.program.inputs() {
            return 0..0;
        }
        let rows = self.rows(input);
        rows.start as usize..rows.end as usize
    }

    /// Does one step: takes the input rows it needs, gives the output rows of one unit once the pipeline is full.
    /// Returns whether there is more to do.
    ///
    /// # Errors
    /// Never for a program and size that [`Executor::start`] accepted.
    pub fn step(
        &mut self,
        source: &mut impl RowSource,
        sink: &mut impl RowSink,
    ) -> Result<bool, RunError> {
        if self.is_done() {
            return Ok(false);
        }
        let inputs = self.program.inputs();
        for input in 0..inputs {
            for y in self.rows(input) {
                source.fill(input, y as usize, self.executor.rings[input].row_mut(y));
            }
        }
        for index in 0..self.program.ops().len() {
            for y in self.rows(inputs + index) {
                self.executor.make_row(self.program, index, y)?;
            }
        }
        if self.progress.next >= self.progress.first {
            for (number, &tensor) in self.program.outputs().iter().enumerate() {
                let tensor = usize::from(tensor);
                let per_unit = self.executor.plan[tensor].per_unit;
                for y in self.progress.next * per_unit..(self.progress.next + 1) * per_unit {
                    sink.take(number, y as usize, self.executor.rings[tensor].row(y));
                }
            }
        }
        self.progress.next += 1;
        Ok(!self.is_done())
    }

    /// The rows of a tensor that the next step makes.
    fn rows(&self, tensor: usize) -> Range<i64> {
        let (s, start) = (&self.executor.plan[tensor], self.executor.starts[tensor]);
        if !s.used {
            return 0..0;
        }
        s.end(self.progress.next - 1, start)..s.end(self.progress.next, start)
    }
}
