//! Runs the entropy model's programs over one chunk.

use alloc::vec;
use alloc::vec::Vec;

use super::Geometry;
use super::geometry::{Half, gather};
use crate::bundle::Bundle;
use crate::engine::{Executor, Program, RowMut, RowRef, RunError, Size};

/// What the entropy model says about the latents of one half, packed in coding order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prediction {
    /// Means, `[positions][M]`, 1/16 of a symbol.
    pub(crate) mean: Vec<i16>,
    /// Scale indices, `[positions][M]`.
    pub(crate) scale: Vec<u8>,
}

/// The hyper-analysis of gained latents: hyper-latents with zero point 128, `[rows][columns][Z]`.
pub(crate) fn hyper_latents(
    executor: &mut Executor,
    program: &Program<'_>,
    geometry: Geometry,
    channels: usize,
    v: &[i16],
) -> Result<Vec<u8>, RunError> {
    let (padded, hyper) = (geometry.padded(), geometry.hyper());
    let z = program.output_info(0).map_or(0, |i| i.channels);
    let mut out = vec![0; hyper.positions() * z];
    let row_len = geometry.columns * channels;
    let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
        let RowMut::I16(row) = row else { return };
        row.fill(0);
        if y < geometry.rows {
            row[..row_len].copy_from_slice(&v[y * row_len..][..row_len]);
        }
    };
    collect(executor, program, padded, &mut source, &mut out)?;
    Ok(out)
}

/// Features of every latent position, `[rows][columns][F]`, from hyper-latents with zero point 128.
pub(crate) fn features(
    executor: &mut Executor,
    bundle: &Bundle<'_>,
    geometry: Geometry,
    z: &[u8],
) -> Result<Vec<u8>, RunError> {
    let program = &bundle.hyper_synthesis;
    let hyper = geometry.hyper();
    let channels = program.output_info(0).map_or(0, |i| i.channels);
    let row_len = hyper.columns * bundle.settings().hyper_channels;
    let kept = geometry.columns * channels;
    let mut out = vec![0; geometry.rows * kept];
    let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
        if let RowMut::U8(row) = row {
            row.copy_from_slice(&z[y * row_len..][..row_len]);
        }
    };
    let mut sink = |_output: usize, y: usize, row: RowRef<'_>| {
        if let (RowRef::U8(row), Some(to)) = (row, out.get_mut(y * kept..(y + 1) * kept)) {
            to.copy_from_slice(&row[..kept]);
        }
    };
    executor.run(program, size(hyper), &mut source, &mut sink)?;
    Ok(out)
}

/// Predicts the anchors from the features.
pub(crate) fn first(
    executor: &mut Executor,
    bundle: &Bundle<'_>,
    geometry: Geometry,
    features: &[u8],
) -> Result<Prediction, RunError> {
    let channels = features.len() / geometry.positions().max(1);
    let mut packed = Vec::new();
    gather(geometry, Half::Anchors, channels, features, &mut packed);
    let n = geometry.half_len(Half::Anchors);
    points(executor, &bundle.parameters_first, bundle.settings().latent_channels, n, &[&packed])
}

/// Predicts the others from the features and the decoded anchors (zero at the others), `[rows][columns][M]`.
pub(crate) fn second(
    executor: &mut Executor,
    bundle: &Bundle<'_>,
    geometry: Geometry,
    features: &[u8],
    anchors: &[i16],
) -> Result<Prediction, RunError> {
    let m = bundle.settings().latent_channels;
    let near = bundle.context.output_info(0).map_or(0, |i| i.channels);
    let mut context = vec![0; geometry.positions() * near];
    let row_len = geometry.columns * m;
    let mut source = |_input: usize, y: usize, row: RowMut<'_>| {
        if let RowMut::I16(row) = row {
            row.copy_from_slice(&anchors[y * row_len..][..row_len]);
        }
    };
    collect(executor, &bundle.context, geometry, &mut source, &mut context)?;

    let (mut packed, mut packed_context) = (Vec::new(), Vec::new());
    let channels = features.len() / geometry.positions().max(1);
    gather(geometry, Half::Others, channels, features, &mut packed);
    gather(geometry, Half::Others, near, &context, &mut packed_context);
    let n = geometry.half_len(Half::Others);
    points(executor, &bundle.parameters_second, m, n, &[&packed, &packed_context])
}

fn points(
    executor: &mut Executor,
    program: &Program<'_>,
    m: usize,
    n: usize,
    inputs: &[&[u8]],
) -> Result<Prediction, RunError> {
    let mut out = Prediction { mean: vec![0; n * m], scale: vec![0; n * m] };
    if n > 0 {
        let inputs: Vec<RowRef<'_>> = inputs.iter().map(|i| RowRef::U8(i)).collect();
        let outputs = &mut [RowMut::I16(&mut out.mean), RowMut::U8(&mut out.scale)];
        executor.points(program, n, &inputs, outputs)?;
    }
    Ok(out)
}

/// Runs a program whose one output is U8 and fills `out` with its rows.
fn collect(
    executor: &mut Executor,
    program: &Program<'_>,
    input: Geometry,
    source: &mut impl FnMut(usize, usize, RowMut<'_>),
    out: &mut [u8],
) -> Result<(), RunError> {
    let mut sink = |_output: usize, y: usize, row: RowRef<'_>| {
        if let RowRef::U8(row) = row {
            out[y * row.len()..][..row.len()].copy_from_slice(row);
        }
    };
    executor.run(program, size(input), source, &mut sink)
}

fn size(geometry: Geometry) -> Size {
    Size { height: geometry.rows, width: geometry.columns }
}
