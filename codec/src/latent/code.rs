//! Codes the latents of one chunk.

use alloc::vec;
use alloc::vec::Vec;

use super::predict::{Prediction, Predictor};
use super::quantise::{SYMBOL_LIMIT, Thresholds};
use super::{FRACTION, Geometry};
use crate::api::{DecodeError, EncodeError};
use crate::bundle::Bundle;
use crate::engine::kernels::{Work, wide};
use crate::entropy::{RansDecoder, RansEncoder, TableSet, entry};
use crate::passes::Pass;

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
    entries: Vec<u16>,
    large: Vec<i32>,
}

impl<'a> ChunkEncoder<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        let quantiser = Quantiser {
            bundle,
            queue: RansEncoder::new(),
            thresholds: Thresholds::new(&bundle.latent_tables),
            entries: Vec::new(),
            large: Vec::new(),
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
        for pass in Pass::all(bundle.settings().passes) {
            let mut positions = geometry.positions_of(pass);
            predictor.pass(geometry, pass, v, |p, v| quantiser.push(p, &mut positions, v))?;
        }
        Ok(())
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
        // Room for all, shortened to what is coded: writing always and counting up where it counts needs no branch.
        self.entries.resize(prediction.scale.as_slice().len() + GROUP, 0);
        self.large.clear();
        let coded = wide(Quantising {
            groups: GroupCoder {
                thresholds: &self.thresholds,
                skip: self.bundle.settings().skip_below,
                last: last_table(&self.bundle.latent_tables),
            },
            channels: self.bundle.settings().latent_channels,
            prediction,
            positions,
            v,
            entries: &mut self.entries,
            large: &mut self.large,
        });
        self.queue.push_entries(&self.bundle.latent_tables, &self.entries[..coded], &self.large);
        Ok(())
    }
}

/// The quantisation of some positions, in order. Gives how many latents are coded.
struct Quantising<'a, P> {
    groups: GroupCoder<'a>,
    channels: usize,
    prediction: &'a Prediction,
    positions: &'a mut P,
    v: &'a mut [i16],
    entries: &'a mut [u16],
    large: &'a mut Vec<i32>,
}

impl<P: Iterator<Item = usize>> Work for Quantising<'_, P> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let Quantising { groups: coder, channels: m, prediction, positions, v, entries, large } =
            self;
        let mut coded = 0;
        let mean = prediction.mean.as_slice().chunks_exact(m);
        for ((mean, scale), position) in
            mean.zip(prediction.scale.as_slice().chunks_exact(m)).zip(positions)
        {
            let (groups, rest) = v[position * m..][..m].as_chunks_mut::<GROUP>();
            let (means, mean_rest) = mean.as_chunks::<GROUP>();
            let (scales, scale_rest) = scale.as_chunks::<GROUP>();
            for ((v, mean), scale) in groups.iter_mut().zip(means).zip(scales) {
                coded += coder.group(v, mean, scale, &mut entries[coded..], large);
            }
            for ((v, &mean), &scale) in rest.iter_mut().zip(mean_rest).zip(scale_rest) {
                let one = core::array::from_mut(v);
                coded += coder.group(one, &[mean], &[scale], &mut entries[coded..], large);
            }
        }
        coded
    }
}

/// What quantises some latents at a time.
struct GroupCoder<'a> {
    thresholds: &'a Thresholds,
    skip: u8,
    last: u8,
}

impl GroupCoder<'_> {
    /// Quantises latents, writes entries for those that are coded to the front of `entries` (which has room for all) and
    /// symbols that do not fit an entry to `large`, and puts what the decoder will see in place of the latents. Returns
    /// how many are coded.
    #[inline(always)]
    fn group<const N: usize>(
        &self,
        v: &mut [i16; N],
        mean: &[i16; N],
        scale: &[u8; N],
        entries: &mut [u16],
        large: &mut Vec<i32>,
    ) -> usize {
        if none_coded(scale, self.skip) {
            *v = *mean;
            return 0;
        }
        let mut symbols = [0_i32; N];
        let mut packed = [0_u16; N];
        let mut fits = true;
        for i in 0..N {
            let distance = i32::from(v[i]) - i32::from(mean[i]);
            let kept = i32::from(scale[i] >= self.skip);
            let symbol = self.thresholds.quantise(scale[i], distance) * kept;
            symbols[i] = symbol;
            fits &= entry::fits(symbol);
            packed[i] = entry::pack(scale[i].min(self.last), symbol);
            v[i] = reconstruct(symbol, mean[i]);
        }
        let Some(entries) = entries.first_chunk_mut::<N>() else { return 0 };
        let mut coded = 0;
        for i in 0..N {
            // Never beyond N, which the compiler cannot see.
            entries[coded.min(N - 1)] = packed[i];
            if !fits && scale[i] >= self.skip && !entry::fits(symbols[i]) {
                entries[coded.min(N - 1)] = entry::large(scale[i].min(self.last));
                large.push(symbols[i]);
            }
            coded += usize::from(scale[i] >= self.skip);
        }
        coded
    }
}

/// Whether a group of latents is skipped as a whole, as most groups of high frequencies are.
#[inline(always)]
fn none_coded(scale: &[u8], skip: u8) -> bool {
    scale.iter().fold(0, |most: u8, &s| most.max(s)) < skip
}

/// The value that a symbol stands for: mean + symbol, saturated to i16.
#[inline(always)]
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
        for pass in Pass::all(bundle.settings().passes) {
            let mut positions = geometry.positions_of(pass);
            predictor.pass(geometry, pass, decoded, |p, decoded| {
                reader.read(&mut rans, p, &mut positions, decoded)
            })?;
        }
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
        let scale = prediction.scale.as_slice();
        self.indices.resize(scale.len() + GROUP, 0);
        // One more, so that there is always a next symbol to look at.
        self.symbols.resize(scale.len() + 1, 0);
        let mut coded = 0;
        for scale in scale.chunks(GROUP).filter(|group| !none_coded(group, skip)) {
            for &scale in scale {
                self.indices[coded] = scale.min(last);
                coded += usize::from(scale >= skip);
            }
        }
        let tables = &self.bundle.latent_tables;
        rans.decode_run(tables, &self.indices[..coded], &mut self.symbols[..coded])?;
        self.coded += coded as u64;
        wide(Reconstructing {
            symbols: &self.symbols,
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
        let Reconstructing { symbols, prediction, channels: m, skip, positions, decoded } = self;
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
                    *out = reconstruct(symbol.clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT), mean);
                }
            }
        }
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
