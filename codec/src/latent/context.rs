//! What latents that are decoded say about those around them.
//!
//! The context program looks at positions one by one and then at neighbours. Its first part is run once for each
//! position, when the latents there are decoded; only the second part is run anew for every pass.

use alloc::vec;
use alloc::vec::Vec;

use super::copy_coarse;
use super::geometry::Geometry;
use super::predict::{TOGETHER, channels, size};
use crate::bundle::Bundle;
use crate::engine::{Aligned, Executor, RowMut, RowRef, RunError};
use crate::passes::Pass;

/// Runs the context program over one chunk; keeps its buffers between chunks.
#[derive(Debug)]
pub(super) struct Context<'a> {
    bundle: &'a Bundle<'a>,
    points: Executor,
    rows: Executor,
    /// What the first part makes of latents that are not decoded yet: zeros.
    unknown: Vec<u8>,
    /// What it makes of the chunk's, `[rows][columns][N]`.
    seen: Vec<u8>,
    /// Decoded latents that are looked at together, where they lie, and what is made of them.
    latents: Aligned<i16>,
    places: Vec<usize>,
    made: Aligned<u8>,
}

impl<'a> Context<'a> {
    pub(super) fn new(bundle: &'a Bundle<'a>) -> Self {
        Context {
            bundle,
            points: Executor::new(),
            rows: Executor::new(),
            unknown: Vec::new(),
            seen: Vec::new(),
            latents: Aligned::default(),
            places: Vec::new(),
            made: Aligned::default(),
        }
    }

    /// Forgets the chunk before.
    pub(super) fn start(&mut self, geometry: Geometry) -> Result<(), RunError> {
        if self.unknown.is_empty() {
            let [look, _] = &self.bundle.context;
            let zeros = vec![0; self.bundle.settings().latent_channels];
            self.unknown = vec![0; channels(look)];
            let (inputs, outputs) = ([RowRef::I16(&zeros)], &mut [RowMut::U8(&mut self.unknown)]);
            self.points.points(look, 1, &inputs, outputs)?;
        }
        self.seen.clear();
        self.seen.reserve_exact(geometry.positions() * self.unknown.len());
        for _ in 0..geometry.positions() {
            self.seen.extend_from_slice(&self.unknown);
        }
        Ok(())
    }

    /// Looks at the latents that a pass has left in `decoded`, `[rows][columns][M]`.
    pub(super) fn see(
        &mut self,
        geometry: Geometry,
        pass: Pass,
        decoded: &[i16],
    ) -> Result<(), RunError> {
        let settings = self.bundle.settings();
        let (m, fine) = (settings.latent_channels, settings.fine_bits());
        let [look, _] = &self.bundle.context;
        let n = channels(look);
        let mut positions = geometry.positions_of(pass);
        loop {
            self.places.clear();
            self.places.extend(positions.by_ref().take(TOGETHER));
            let count = self.places.len();
            if count == 0 {
                return Ok(());
            }
            let latents = self.latents.reset(count * m);
            for (to, &at) in latents.chunks_exact_mut(m).zip(&self.places) {
                copy_coarse(to, &decoded[at * m..][..m], fine);
            }
            let made = self.made.reset(count * n);
            let outputs = &mut [RowMut::U8(made)];
            self.points.points(look, count, &[RowRef::I16(self.latents.as_slice())], outputs)?;
            for (from, &at) in self.made.as_slice().chunks_exact(n).zip(&self.places) {
                self.seen[at * n..][..n].copy_from_slice(from);
            }
        }
    }

    /// Has the context of every row visited, from the top: `[columns][channels]`.
    pub(super) fn rows<E: From<RunError>>(
        &mut self,
        geometry: Geometry,
        mut visit: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let [_, gather] = &self.bundle.context;
        let row_len = geometry.columns * self.unknown.len();
        let row_made = geometry.columns * channels(gather);
        let seen = &self.seen;
        let units = geometry.rows / gather.unit();
        let mut run = self.rows.start(gather, size(geometry), 0..units)?;
        let mut made = Vec::new();
        let (mut more, mut row) = (true, 0);
        while more {
            let mut source = |_input: usize, y: usize, out: RowMut<'_>| {
                if let RowMut::U8(out) = out {
                    out.copy_from_slice(&seen[y * row_len..][..row_len]);
                }
            };
            let mut sink = |_output: usize, _y: usize, from: RowRef<'_>| {
                if let RowRef::U8(from) = from {
                    made.extend_from_slice(from);
                }
            };
            more = run.step(&mut source, &mut sink)?;
            for context in made.chunks_exact(row_made) {
                visit(row, context)?;
                row += 1;
            }
            made.clear();
        }
        Ok(())
    }
}
