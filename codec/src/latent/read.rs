//! Symbols to latents.

use alloc::vec::Vec;

use super::dependent::{Dependent, Path};
use super::predict::Prediction;
use super::{FRACTION, GROUP, SYMBOL_LIMIT, none_coded, reconstruct};
use crate::api::DecodeError;
use crate::bundle::Bundle;
use crate::engine::kernels::{Work, wide};
use crate::entropy::RansDecoder;

/// Reads the symbols of predicted latents.
#[derive(Debug)]
pub(super) struct SymbolReader<'a> {
    bundle: &'a Bundle<'a>,
    dependent: Option<Dependent>,
    indices: Vec<u8>,
    /// Symbols, or with two quantisers values in half symbols.
    symbols: Vec<i32>,
    /// Symbols read of the chunk.
    pub(super) coded: u64,
}

impl<'a> SymbolReader<'a> {
    pub(super) fn new(bundle: &'a Bundle<'a>) -> Self {
        let dependent = bundle.settings().dependent.then(|| Dependent::new(&bundle.latent_tables));
        SymbolReader { bundle, dependent, indices: Vec::new(), symbols: Vec::new(), coded: 0 }
    }

    /// Decodes the latents that were predicted.
    pub(super) fn read(
        &mut self,
        rans: &mut RansDecoder<'_>,
        prediction: &Prediction,
        positions: &mut impl Iterator<Item = usize>,
        decoded: &mut [i16],
    ) -> Result<(), DecodeError> {
        let settings = self.bundle.settings();
        let (m, skip) = (settings.latent_channels, settings.skip_below);
        let tables = &self.bundle.latent_tables;
        let scale = prediction.scale.as_slice();
        self.indices.resize(scale.len() + GROUP, 0);
        // One more, so that there is always a next symbol to look at.
        self.symbols.resize(scale.len() + 1, 0);
        let last = match &self.dependent {
            Some(dependent) => dependent.last_scale(),
            None => (tables.len() - 1).min(255) as u8,
        };
        let mut coded = 0;
        for scale in scale.chunks_exact(m) {
            let first = coded;
            for scale in scale.chunks(GROUP).filter(|group| !none_coded(group, skip)) {
                for &scale in scale {
                    self.indices[coded] = scale.min(last);
                    coded += usize::from(scale >= skip);
                }
            }
            if self.dependent.is_some() && coded > first {
                self.indices[first] |= Path::BEGINS;
            }
        }
        let (indices, symbols) = (&self.indices[..coded], &mut self.symbols[..coded]);
        let halvings = match &self.dependent {
            Some(dependent) => {
                rans.decode_chain(tables, indices, &mut dependent.path(), symbols)?;
                1
            }
            None => {
                rans.decode_run(tables, indices, symbols)?;
                0
            }
        };
        self.coded += coded as u64;
        wide(Reconstructing {
            symbols: &self.symbols,
            limit: SYMBOL_LIMIT << halvings,
            fraction: FRACTION + settings.fine_bits() - halvings,
            prediction,
            channels: m,
            skip,
            positions,
            decoded,
        });
        Ok(())
    }
}

/// Decoded latents of some positions from their symbols, in order.
struct Reconstructing<'a, P> {
    /// Those of the latents that are coded, and one more.
    symbols: &'a [i32],
    /// Their largest magnitude.
    limit: i32,
    /// Fractional bits of a latent below the unit of these.
    fraction: u32,
    prediction: &'a Prediction,
    channels: usize,
    skip: u8,
    positions: &'a mut P,
    decoded: &'a mut [i16],
}

impl<P: Iterator<Item = usize>> Work for Reconstructing<'_, P> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Reconstructing {
            symbols,
            limit,
            fraction,
            prediction,
            channels: m,
            skip,
            positions,
            decoded,
        } = self;
        let mut next = 0;
        let mean = prediction.mean.as_slice().chunks_exact(m);
        for ((mean, scale), position) in
            mean.zip(prediction.scale.as_slice().chunks_exact(m)).zip(positions)
        {
            let out = &mut decoded[position * m..][..m];
            let groups = out.chunks_mut(GROUP).zip(mean.chunks(GROUP)).zip(scale.chunks(GROUP));
            for ((out, mean), scale) in groups {
                if none_coded(scale, skip) {
                    out.copy_from_slice(mean);
                    continue;
                }
                // First spread, one by one; then the arithmetic, side by side.
                let mut spread = [0; GROUP];
                for (to, &scale) in spread.iter_mut().zip(scale) {
                    let kept = scale >= skip;
                    *to = if kept { symbols[next] } else { 0 };
                    next += usize::from(kept);
                }
                for ((out, &mean), symbol) in out.iter_mut().zip(mean).zip(spread) {
                    *out = reconstruct(symbol.clamp(-limit, limit) << fraction, mean);
                }
            }
        }
    }
}
