//! Codes the latents of one chunk.

use alloc::vec;
use alloc::vec::Vec;

use super::geometry::Half;
use super::predict::{self, Prediction};
use super::quantise::{SYMBOL_LIMIT, Thresholds};
use super::{FRACTION, Geometry};
use crate::api::{DecodeError, EncodeError};
use crate::bundle::Bundle;
use crate::engine::Executor;
use crate::entropy::{RansDecoder, RansEncoder, TableSet};

/// Zero point of hyper-latents as the engine stores them.
const HYPER_ZERO: i32 = 128;

/// Codes chunks of latents; keeps buffers between calls.
#[derive(Debug)]
pub(crate) struct ChunkEncoder<'a> {
    bundle: &'a Bundle<'a>,
    queue: RansEncoder<'a>,
    thresholds: Thresholds,
    decoded: Vec<i16>,
    indices: Vec<u8>,
    symbols: Vec<i16>,
}

impl<'a> ChunkEncoder<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        let thresholds = Thresholds::new(&bundle.latent_tables);
        ChunkEncoder {
            bundle,
            queue: RansEncoder::new(),
            thresholds,
            decoded: Vec::new(),
            indices: Vec::new(),
            symbols: Vec::new(),
        }
    }

    /// Queues the symbols of gained latents `v`, `[rows][columns][M]`, in place of an earlier chunk's.
    fn model(
        &mut self,
        executor: &mut Executor,
        geometry: Geometry,
        v: &[i16],
    ) -> Result<(), EncodeError> {
        let bundle = self.bundle;
        let m = bundle.settings().latent_channels;
        let skip = bundle.settings().skip_below;
        self.queue.clear();

        let program = bundle.hyper_analysis()?;
        let z = predict::hyper_latents(executor, program, geometry, m, v)?;
        let symbols: Vec<i32> = z.iter().map(|&q| i32::from(q) - HYPER_ZERO).collect();
        self.queue.push_run(&bundle.hyper_tables, &channel_indices(bundle, z.len()), &symbols)?;

        let features = predict::features(executor, bundle, geometry, &z)?;
        self.decoded.clear();
        self.decoded.resize(geometry.positions() * m, 0);
        let anchors = predict::first(executor, bundle, geometry, &features)?;
        self.half(geometry, Half::Anchors, &anchors, v, skip)?;
        let others = predict::second(executor, bundle, geometry, &features, &self.decoded)?;
        self.half(geometry, Half::Others, &others, v, skip)
    }

    /// Quantises one half around its predicted means, queues the symbols, and (for anchors) notes what the decoder
    /// will see.
    fn half(
        &mut self,
        geometry: Geometry,
        half: Half,
        prediction: &Prediction,
        v: &[i16],
        skip: u8,
    ) -> Result<(), EncodeError> {
        let m = self.bundle.settings().latent_channels;
        // Room for all, shortened to what is coded: writing always and counting up where it counts needs no branch.
        self.indices.resize(prediction.scale.len(), 0);
        self.symbols.resize(prediction.scale.len(), 0);
        let last = last_table(&self.bundle.latent_tables);
        let mut coded = 0;
        let predicted = prediction.mean.chunks_exact(m).zip(prediction.scale.chunks_exact(m));
        for (position, (mean, scale)) in geometry.half(half).zip(predicted) {
            let v = &v[position * m..][..m];
            let decoded = &mut self.decoded[position * m..][..m];
            for (((&v, &mean), &scale), decoded) in v.iter().zip(mean).zip(scale).zip(decoded) {
                let kept = scale >= skip;
                let distance = i32::from(v) - i32::from(mean);
                let symbol = self.thresholds.quantise(scale, distance) * i32::from(kept);
                self.indices[coded] = scale.min(last);
                self.symbols[coded] = symbol as i16;
                coded += usize::from(kept);
                *decoded = reconstruct(symbol, mean);
            }
        }
        let (indices, symbols) = (&self.indices[..coded], &self.symbols[..coded]);
        Ok(self.queue.push_run(&self.bundle.latent_tables, indices, symbols)?)
    }

    /// The chunk's payload.
    pub(crate) fn encode(
        &mut self,
        executor: &mut Executor,
        geometry: Geometry,
        v: &[i16],
    ) -> Result<Vec<u8>, EncodeError> {
        self.model(executor, geometry, v)?;
        Ok(self.queue.finish())
    }

    /// What [`encode`](Self::encode) would give, in bytes, without the coding.
    pub(crate) fn cost(
        &mut self,
        executor: &mut Executor,
        geometry: Geometry,
        v: &[i16],
    ) -> Result<u64, EncodeError> {
        self.model(executor, geometry, v)?;
        Ok(self.queue.cost_bytes())
    }
}

/// The value that a symbol stands for: mean + symbol, saturated to i16.
fn reconstruct(symbol: i32, mean: i16) -> i16 {
    let value = i32::from(mean) + (symbol << FRACTION);
    value.clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

/// Table of every hyper-latent: its channel.
fn channel_indices(bundle: &Bundle<'_>, len: usize) -> Vec<u8> {
    let channels = bundle.settings().hyper_channels.min(256);
    (0..channels).map(|c| c as u8).cycle().take(len).collect()
}

/// A bundle may have fewer tables than its programs can name: the last serves for the rest.
fn last_table(tables: &TableSet) -> u8 {
    (tables.len() - 1).min(255) as u8
}

/// Decodes chunks of latents.
#[derive(Debug)]
pub(crate) struct ChunkDecoder<'a> {
    bundle: &'a Bundle<'a>,
}

impl<'a> ChunkDecoder<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        ChunkDecoder { bundle }
    }

    /// Decoded latents `[rows][columns][M]` in 1/16 of a symbol.
    pub(crate) fn decode(
        &self,
        executor: &mut Executor,
        geometry: Geometry,
        payload: &[u8],
    ) -> Result<Vec<i16>, DecodeError> {
        let bundle = self.bundle;
        let m = bundle.settings().latent_channels;
        let mut rans = RansDecoder::new(payload)?;

        let mut symbols =
            vec![0i32; geometry.hyper().positions() * bundle.settings().hyper_channels];
        let indices = channel_indices(bundle, symbols.len());
        rans.decode_run(&bundle.hyper_tables, &indices, &mut symbols)?;
        let z: Vec<u8> = symbols.iter().map(|s| (s + HYPER_ZERO).clamp(0, 255) as u8).collect();

        let features = predict::features(executor, bundle, geometry, &z)?;
        let mut decoded = vec![0; geometry.positions() * m];
        let anchors = predict::first(executor, bundle, geometry, &features)?;
        self.half(&mut rans, geometry, Half::Anchors, &anchors, &mut decoded)?;
        let others = predict::second(executor, bundle, geometry, &features, &decoded)?;
        self.half(&mut rans, geometry, Half::Others, &others, &mut decoded)?;
        rans.finish()?;
        Ok(decoded)
    }

    fn half(
        &self,
        rans: &mut RansDecoder<'_>,
        geometry: Geometry,
        half: Half,
        prediction: &Prediction,
        decoded: &mut [i16],
    ) -> Result<(), DecodeError> {
        let m = self.bundle.settings().latent_channels;
        let skip = self.bundle.settings().skip_below;
        let last = last_table(&self.bundle.latent_tables);
        let mut indices = vec![0; prediction.scale.len()];
        let mut coded = 0;
        for &scale in &prediction.scale {
            indices[coded] = scale.min(last);
            coded += usize::from(scale >= skip);
        }
        indices.truncate(coded);
        // One more, so that there is always a next symbol to look at.
        let mut symbols = vec![0i32; coded + 1];
        rans.decode_run(&self.bundle.latent_tables, &indices, &mut symbols[..coded])?;
        let mut next = 0;
        let predicted = prediction.mean.chunks_exact(m).zip(prediction.scale.chunks_exact(m));
        for (position, (mean, scale)) in geometry.half(half).zip(predicted) {
            let out = &mut decoded[position * m..][..m];
            for ((&mean, &scale), out) in mean.iter().zip(scale).zip(out) {
                let kept = scale >= skip;
                let symbol = symbols[next] * i32::from(kept);
                next += usize::from(kept);
                *out = reconstruct(symbol.clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT), mean);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconstruction_saturates() {
        assert_eq!(reconstruct(4000, 1000), i16::MAX);
        assert_eq!(reconstruct(-4000, -1000), i16::MIN);
        assert_eq!(reconstruct(3, -5), 43);
    }
}
