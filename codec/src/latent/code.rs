//! Codes the latents of one chunk.

use alloc::vec;
use alloc::vec::Vec;

use super::geometry::Half;
use super::predict::{Prediction, Predictor};
use super::quantise::{SYMBOL_LIMIT, Thresholds};
use super::{FRACTION, Geometry};
use crate::api::{DecodeError, EncodeError};
use crate::bundle::Bundle;
use crate::entropy::{RansDecoder, RansEncoder, TableSet};

/// Zero point of hyper-latents as the engine stores them.
const HYPER_ZERO: i32 = 128;

/// Latents that are looked at together to see whether any is coded: a vector of scale indices.
const GROUP: usize = 16;

/// Codes chunks of latents; keeps buffers between calls.
#[derive(Debug)]
pub(crate) struct ChunkEncoder<'a> {
    bundle: &'a Bundle<'a>,
    predictor: Predictor<'a>,
    quantiser: Quantiser<'a>,
}

/// Latents to queued symbols.
#[derive(Debug)]
struct Quantiser<'a> {
    bundle: &'a Bundle<'a>,
    queue: RansEncoder<'a>,
    thresholds: Thresholds,
    indices: Vec<u8>,
    symbols: Vec<i16>,
}

impl<'a> ChunkEncoder<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        let quantiser = Quantiser {
            bundle,
            queue: RansEncoder::new(),
            thresholds: Thresholds::new(&bundle.latent_tables),
            indices: Vec::new(),
            symbols: Vec::new(),
        };
        ChunkEncoder { bundle, predictor: Predictor::new(bundle), quantiser }
    }

    /// Queues the symbols of gained latents `v`, `[rows][columns][M]`, in place of an earlier chunk's. In `v` the
    /// decoder's view takes the place of the latents.
    fn model(&mut self, geometry: Geometry, v: &mut [i16]) -> Result<(), EncodeError> {
        let ChunkEncoder { bundle, predictor, quantiser } = self;
        quantiser.queue.clear();
        let z = predictor.hyper_latents(bundle.hyper_analysis()?, geometry, v)?;
        let symbols: Vec<i32> = z.iter().map(|&q| i32::from(q) - HYPER_ZERO).collect();
        let indices = channel_indices(bundle, z.len());
        quantiser.queue.push_run(&bundle.hyper_tables, &indices, &symbols)?;

        predictor.start(geometry, &z)?;
        let mut anchors = geometry.half(Half::Anchors);
        predictor.anchors(geometry, |p| quantiser.push(p, &mut anchors, v))?;
        let mut others = geometry.half(Half::Others);
        predictor.others(geometry, v, |p, v| quantiser.push(p, &mut others, v))
    }

    /// The chunk's payload. Overwrites `v`.
    pub(crate) fn encode(
        &mut self,
        geometry: Geometry,
        v: &mut [i16],
    ) -> Result<Vec<u8>, EncodeError> {
        self.model(geometry, v)?;
        Ok(self.quantiser.queue.finish())
    }

    /// What [`encode`](Self::encode) would give, in bytes, without the coding. Overwrites `v`.
    pub(crate) fn cost(&mut self, geometry: Geometry, v: &mut [i16]) -> Result<u64, EncodeError> {
        self.model(geometry, v)?;
        Ok(self.quantiser.queue.cost_bytes())
    }
}

impl Quantiser<'_> {
    /// Quantises latents around their predicted means, queues the symbols, and puts what the decoder will see in
    /// their place.
    fn push(
        &mut self,
        prediction: &Prediction,
        positions: &mut impl Iterator<Item = usize>,
        v: &mut [i16],
    ) -> Result<(), EncodeError> {
        let m = self.bundle.settings().latent_channels;
        let skip = self.bundle.settings().skip_below;
        // Room for all, shortened to what is coded: writing always and counting up where it counts needs no branch.
        self.indices.resize(prediction.scale.len(), 0);
        self.symbols.resize(prediction.scale.len(), 0);
        let last = last_table(&self.bundle.latent_tables);
        let mut coded = 0;
        let predicted = prediction.mean.chunks_exact(m).zip(prediction.scale.chunks_exact(m));
        for ((mean, scale), position) in predicted.zip(positions) {
            let v = &mut v[position * m..][..m];
            let groups = v.chunks_mut(GROUP).zip(mean.chunks(GROUP)).zip(scale.chunks(GROUP));
            for ((v, mean), scale) in groups {
                if none_coded(scale, skip) {
                    v.copy_from_slice(mean);
                    continue;
                }
                for ((v, &mean), &scale) in v.iter_mut().zip(mean).zip(scale) {
                    let kept = scale >= skip;
                    let distance = i32::from(*v) - i32::from(mean);
                    let symbol = self.thresholds.quantise(scale, distance) * i32::from(kept);
                    self.indices[coded] = scale.min(last);
                    self.symbols[coded] = symbol as i16;
                    coded += usize::from(kept);
                    *v = reconstruct(symbol, mean);
                }
            }
        }
        let (indices, symbols) = (&self.indices[..coded], &self.symbols[..coded]);
        Ok(self.queue.push_run(&self.bundle.latent_tables, indices, symbols)?)
    }
}

/// Whether a group of latents is skipped as a whole, as most groups of high frequencies are.
fn none_coded(scale: &[u8], skip: u8) -> bool {
    scale.iter().fold(0, |most: u8, &s| most.max(s)) < skip
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

/// Decodes chunks of latents; keeps buffers between calls.
#[derive(Debug)]
pub(crate) struct ChunkDecoder<'a> {
    bundle: &'a Bundle<'a>,
    predictor: Predictor<'a>,
    symbols: SymbolReader<'a>,
}

/// How many latent symbols were decoded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Coded {
    /// All that were coded.
    pub(crate) symbols: u64,
    /// Those outside of their table.
    pub(crate) escapes: u64,
}

impl core::ops::AddAssign for Coded {
    fn add_assign(&mut self, other: Self) {
        self.symbols += other.symbols;
        self.escapes += other.escapes;
    }
}

/// Symbols to latents.
#[derive(Debug)]
struct SymbolReader<'a> {
    bundle: &'a Bundle<'a>,
    indices: Vec<u8>,
    symbols: Vec<i32>,
    /// Symbols read of the chunk.
    coded: u64,
}

impl<'a> ChunkDecoder<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        let symbols = SymbolReader { bundle, indices: Vec::new(), symbols: Vec::new(), coded: 0 };
        ChunkDecoder { bundle, predictor: Predictor::new(bundle), symbols }
    }

    /// Fills `decoded` with decoded latents `[rows][columns][M]` in 1/16 of a symbol.
    pub(crate) fn decode(
        &mut self,
        geometry: Geometry,
        payload: &[u8],
        decoded: &mut [i16],
    ) -> Result<Coded, DecodeError> {
        let ChunkDecoder { bundle, predictor, symbols: reader } = self;
        reader.coded = 0;
        let mut rans = RansDecoder::new(payload)?;
        let mut symbols =
            vec![0i32; geometry.hyper().positions() * bundle.settings().hyper_channels];
        let indices = channel_indices(bundle, symbols.len());
        rans.decode_run(&bundle.hyper_tables, &indices, &mut symbols)?;
        let z: Vec<u8> = symbols.iter().map(|s| (s + HYPER_ZERO).clamp(0, 255) as u8).collect();
        let hyper_escapes = rans.escapes();

        predictor.start(geometry, &z)?;
        let mut anchors = geometry.half(Half::Anchors);
        predictor.anchors(geometry, |p| reader.read(&mut rans, p, &mut anchors, decoded))?;
        let mut others = geometry.half(Half::Others);
        predictor.others(geometry, decoded, |p, decoded| {
            reader.read(&mut rans, p, &mut others, decoded)
        })?;
        let coded = Coded { symbols: reader.coded, escapes: rans.escapes() - hyper_escapes };
        rans.finish()?;
        Ok(coded)
    }
}

impl SymbolReader<'_> {
    /// Decodes the latents that were predicted.
    fn read(
        &mut self,
        rans: &mut RansDecoder<'_>,
        prediction: &Prediction,
        positions: &mut impl Iterator<Item = usize>,
        decoded: &mut [i16],
    ) -> Result<(), DecodeError> {
        let m = self.bundle.settings().latent_channels;
        let skip = self.bundle.settings().skip_below;
        let last = last_table(&self.bundle.latent_tables);
        let len = prediction.scale.len();
        self.indices.resize(len, 0);
        // One more, so that there is always a next symbol to look at.
        self.symbols.resize(len + 1, 0);
        let mut coded = 0;
        for &scale in &prediction.scale {
            self.indices[coded] = scale.min(last);
            coded += usize::from(scale >= skip);
        }
        let tables = &self.bundle.latent_tables;
        rans.decode_run(tables, &self.indices[..coded], &mut self.symbols[..coded])?;
        self.coded += coded as u64;
        let mut next = 0;
        let predicted = prediction.mean.chunks_exact(m).zip(prediction.scale.chunks_exact(m));
        for ((mean, scale), position) in predicted.zip(positions) {
            let out = &mut decoded[position * m..][..m];
            let groups = out.chunks_mut(GROUP).zip(mean.chunks(GROUP)).zip(scale.chunks(GROUP));
            for ((out, mean), scale) in groups {
                if none_coded(scale, skip) {
                    out.copy_from_slice(mean);
                    continue;
                }
                for ((&mean, &scale), out) in mean.iter().zip(scale).zip(out) {
                    let kept = scale >= skip;
                    let symbol = self.symbols[next] * i32::from(kept);
                    next += usize::from(kept);
                    *out = reconstruct(symbol.clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT), mean);
                }
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
