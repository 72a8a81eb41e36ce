//! Runs the entropy model's programs over one chunk.
//!
//! Predictions are made some rows at a time and handed to a visitor at once: those of a whole chunk would be several
//! times its latents.

use alloc::vec::Vec;

use super::context::Context;
use super::{Geometry, copy_coarse};
use crate::bundle::Bundle;
use crate::engine::{Aligned, Executor, Program, RowMut, RowRef, RunError, Size};
use crate::passes::Pass;

/// Positions that are predicted together: enough that the weights are not read for a handful.
pub(super) const TOGETHER: usize = 96;

/// What the entropy model says about some latents of one pass, in coding order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prediction {
    /// Means, `[positions][M]`, in the unit of gained latents.
    pub(crate) mean: Aligned<i16>,
    /// Scale indices, `[positions][M]`.
    pub(crate) scale: Aligned<u8>,
}

/// Runs the entropy model; keeps its buffers between chunks.
#[derive(Debug)]
pub(crate) struct Predictor<'a> {
    bundle: &'a Bundle<'a>,
    /// For the hyper-transforms, which look at neighbouring positions.
    rows: Executor,
    context: Context<'a>,
    batch: Batch<'a>,
}

/// Positions that are predicted together.
#[derive(Debug)]
struct Batch<'a> {
    bundle: &'a Bundle<'a>,
    executor: Executor,
    /// Features of every latent position of the chunk, `[rows][columns][F]`.
    features: Vec<u8>,
    /// Features and context of the positions that wait.
    packed: [Aligned<u8>; 2],
    /// How many positions these are.
    waiting: usize,
    prediction: Prediction,
}

impl<'a> Predictor<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        let batch = Batch {
            bundle,
            executor: Executor::new(),
            features: Vec::new(),
            packed: Default::default(),
            waiting: 0,
            prediction: Prediction::default(),
        };
        Predictor { bundle, rows: Executor::new(), context: Context::new(bundle), batch }
    }

    /// The hyper-analysis of gained latents `v`: hyper-latents with zero point 128, `[rows][columns][Z]`.
    pub(crate) fn hyper_latents(
        &mut self,
        program: &Program<'_>,
        geometry: Geometry,
        v: &[i16],
    ) -> Result<Vec<u8>, RunError> {
        let settings = self.bundle.settings();
        let (row_len, fine) = (geometry.columns * settings.latent_channels, settings.fine_bits());
        let mut out = Vec::new();
        let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
            let RowMut::I16(row) = row else { return };
            row.fill(0);
            if y < geometry.rows {
                copy_coarse(&mut row[..row_len], &v[y * row_len..][..row_len], fine);
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
        self.context.start(geometry)?;
        self.batch.start(geometry);
        let features = &mut self.batch.features;
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
        let Predictor { context, batch, .. } = self;
        let Some(before) = pass.before().last() else {
            for row in 0..geometry.rows {
                batch.add(geometry, row, pass, None);
                batch.predict(geometry, row, pass, &mut |p| visit(p, decoded))?;
            }
            return Ok(());
        };
        context.see(geometry, before, decoded)?;
        context.rows(geometry, |row, near| {
            batch.add(geometry, row, pass, Some(near));
            batch.predict(geometry, row, pass, &mut |p| visit(p, decoded))
        })
    }
}

impl Batch<'_> {
    /// Makes room; nothing waits.
    fn start(&mut self, geometry: Geometry) {
        let [_, gather] = &self.bundle.context;
        // Rows are added until there are enough: at most one row too many.
        let most = TOGETHER + geometry.columns;
        self.packed[0].reset(most * channels(&self.bundle.hyper_synthesis));
        self.packed[1].reset(most * channels(gather));
        self.waiting = 0;
        self.features.clear();
    }

    /// Adds the inputs of one row's predictions to those that wait.
    fn add(&mut self, geometry: Geometry, row: usize, pass: Pass, context: Option<&[u8]>) {
        let [features, near] = &mut self.packed;
        let (features, near) = (features.as_mut_slice(), near.as_mut_slice());
        let f = channels(&self.bundle.hyper_synthesis);
        let own = &self.features[row * geometry.columns * f..][..geometry.columns * f];
        let [_, gather] = &self.bundle.context;
        let n = channels(gather);
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
        let [_, gather] = &self.bundle.context;
        let near = &near.as_slice()[..n * channels(gather)];
        let inputs = [RowRef::U8(features), RowRef::U8(near)];
        let (program, inputs) = if pass.before().next().is_none() {
            (&self.bundle.parameters_first, &inputs[..1])
        } else {
            (&self.bundle.parameters_second, &inputs[..])
        };
        self.executor.points(program, n, inputs, outputs)?;
        self.waiting = 0;
        visit(&self.prediction)
    }
}

/// Channels of a program's first output.
pub(super) fn channels(program: &Program<'_>) -> usize {
    program.output_info(0).map_or(0, |i| i.channels)
}

pub(super) fn size(geometry: Geometry) -> Size {
    Size { height: geometry.rows, width: geometry.columns }
}
