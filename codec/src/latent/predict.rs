//! Runs the entropy model's programs over one chunk.
//!
//! Predictions are made some rows at a time and handed to a visitor at once: those of a whole chunk would be several
//! times its latents.

use alloc::vec::Vec;

use super::{Geometry, Pass};
use crate::bundle::Bundle;
use crate::engine::{Aligned, Executor, Program, RowMut, RowRef, RunError, Size};

/// Positions that are predicted together: enough that the weights are not read for a handful.
const TOGETHER: usize = 96;

/// What the entropy model says about some latents of one half, in coding order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prediction {
    /// Means, `[positions][M]`, 1/16 of a symbol.
    pub(crate) mean: Aligned<i16>,
    /// Scale indices, `[positions][M]`.
    pub(crate) scale: Aligned<u8>,
}

/// Runs the entropy model; keeps its buffers between chunks.
#[derive(Debug)]
pub(crate) struct Predictor<'a> {
    bundle: &'a Bundle<'a>,
    /// For programs that look at neighbouring positions.
    rows: Executor,
    /// For the predictors, which look at positions one by one.
    points: Executor,
    /// Features of every latent position of the chunk, `[rows][columns][F]`.
    features: Vec<u8>,
    /// Features and context of the positions that are predicted together.
    packed: [Aligned<u8>; 2],
    /// How many positions these are.
    waiting: usize,
    prediction: Prediction,
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        Predictor {
            bundle,
            rows: Executor::new(),
            points: Executor::new(),
            features: Vec::new(),
            packed: Default::default(),
            waiting: 0,
            prediction: Prediction::default(),
        }
    }

    /// The hyper-analysis of gained latents `v`: hyper-latents with zero point 128, `[rows][columns][Z]`.
    pub(crate) fn hyper_latents(
        &mut self,
        program: &Program<'_>,
        geometry: Geometry,
        v: &[i16],
    ) -> Result<Vec<u8>, RunError> {
        let row_len = geometry.columns * self.bundle.settings().latent_channels;
        let mut out = Vec::new();
        let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
            let RowMut::I16(row) = row else { return };
            row.fill(0);
            if y < geometry.rows {
                row[..row_len].copy_from_slice(&v[y * row_len..][..row_len]);
            }
        };
        let mut sink = |_output: usize, _y: usize, row: RowRef<'_>| {
            if let RowRef::U8(row) = row {
                out.extend_from_slice(row);
            }
        };
        self.rows.run(program, size(geometry.padded()), &mut source, &mut sink)?;
        Ok(out)
    }

    /// Takes the hyper-latents of a chunk; predictions of its latents follow.
    pub(crate) fn start(&mut self, geometry: Geometry, z: &[u8]) -> Result<(), RunError> {
        let program = &self.bundle.hyper_synthesis;
        let hyper = geometry.hyper();
        let row_len = hyper.columns * self.bundle.settings().hyper_channels;
        let kept = geometry.columns * channels(program);
        let features = &mut self.features;
        // Rows are packed until there are enough: at most one row too many.
        let most = TOGETHER + geometry.columns;
        self.packed[0].reset(most * channels(program));
        self.packed[1].reset(most * channels(&self.bundle.context));
        self.waiting = 0;
        features.clear();
        features.reserve_exact(geometry.rows * kept);
        let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
            if let RowMut::U8(row) = row {
                row.copy_from_slice(&z[y * row_len..][..row_len]);
            }
        };
        let mut sink = |_output: usize, y: usize, row: RowRef<'_>| {
            if let (RowRef::U8(row), true) = (row, y < geometry.rows) {
                features.extend_from_slice(&row[..kept]);
            }
        };
        self.rows.run(program, size(hyper), &mut source, &mut sink)
    }

    /// Predicts the latents of one pass from what is `decoded` already, `[rows][columns][M]`, and has them visited, in
    /// coding order. Visitors may write them into `decoded`.
    pub(crate) fn pass<E: From<RunError>>(
        &mut self,
        geometry: Geometry,
        pass: Pass,
        decoded: &mut [i16],
        mut visit: impl FnMut(&Prediction, &mut [i16]) -> Result<(), E>,
    ) -> Result<(), E> {
        if pass.is_first() {
            for row in 0..geometry.rows {
                self.pack(geometry, row, pass, None);
                self.predict(geometry, row, pass, &mut |p| visit(p, decoded))?;
            }
            return Ok(());
        }
        let bundle = self.bundle;
        let m = bundle.settings().latent_channels;
        let row_len = geometry.columns * m;
        // The run borrows its executor for as long as it lasts.
        let mut executor = core::mem::take(&mut self.rows);
        let units = geometry.rows / bundle.context.unit();
        let mut run = executor.start(&bundle.context, size(geometry), 0..units)?;
        let row_made = geometry.columns * channels(&bundle.context);
        let mut context = Vec::new();
        let mut more = true;
        let mut row = 0;
        while more {
            let mut source = |_input: usize, y: usize, out: RowMut<'_>| {
                let RowMut::I16(out) = out else { return };
                out.fill(0);
                let from = &decoded[y * row_len..][..row_len];
                for column in geometry.columns_before(y, pass) {
                    out[column * m..][..m].copy_from_slice(&from[column * m..][..m]);
                }
            };
            let mut sink = |_output: usize, _y: usize, made: RowRef<'_>| {
                if let RowRef::U8(made) = made {
                    context.extend_from_slice(made);
                }
            };
            more = run.step(&mut source, &mut sink)?;
            for near in context.chunks_exact(row_made) {
                self.pack(geometry, row, pass, Some(near));
                self.predict(geometry, row, pass, &mut |p| visit(p, decoded))?;
                row += 1;
            }
            context.clear();
        }
        self.rows = executor;
        Ok(())
    }

    /// Adds the inputs of one row's predictions to those that wait.
    fn pack(&mut self, geometry: Geometry, row: usize, pass: Pass, context: Option<&[u8]>) {
        let [features, near] = &mut self.packed;
        let (features, near) = (features.as_mut_slice(), near.as_mut_slice());
        let f = channels(&self.bundle.hyper_synthesis);
        let own = &self.features[row * geometry.columns * f..][..geometry.columns * f];
        let n = channels(&self.bundle.context);
        for column in geometry.columns_of(row, pass) {
            let at = self.waiting;
            features[at * f..][..f].copy_from_slice(&own[column * f..][..f]);
            if let Some(context) = context {
                near[at * n..][..n].copy_from_slice(&context[column * n..][..n]);
            }
            self.waiting += 1;
        }
    }

    /// Predicts what waits, if it is enough or `row` is the last one.
    fn predict<E: From<RunError>>(
        &mut self,
        geometry: Geometry,
        row: usize,
        pass: Pass,
        visit: &mut impl FnMut(&Prediction) -> Result<(), E>,
    ) -> Result<(), E> {
        let n = self.waiting;
        if n < TOGETHER && row + 1 < geometry.rows || n == 0 {
            return Ok(());
        }
        let len = n * self.bundle.settings().latent_channels;
        let Prediction { mean, scale } = &mut self.prediction;
        let outputs = &mut [RowMut::I16(mean.reset(len)), RowMut::U8(scale.reset(len))];
        let [features, near] = &self.packed;
        let features = &features.as_slice()[..n * channels(&self.bundle.hyper_synthesis)];
        let near = &near.as_slice()[..n * channels(&self.bundle.context)];
        let inputs = [RowRef::U8(features), RowRef::U8(near)];
        let (program, inputs) = if pass.is_first() {
            (&self.bundle.parameters_first, &inputs[..1])
        } else {
            (&self.bundle.parameters_second, &inputs[..])
        };
        self.points.points(program, n, inputs, outputs)?;
        self.waiting = 0;
        visit(&self.prediction)
    }
}

/// Channels of a program's first output.
fn channels(program: &Program<'_>) -> usize {
    program.output_info(0).map_or(0, |i| i.channels)
}

fn size(geometry: Geometry) -> Size {
    Size { height: geometry.rows, width: geometry.columns }
}
