//! Codes the latents of one chunk.

use alloc::vec;
use alloc::vec::Vec;

use super::Geometry;
use super::masking::Tune;
use super::predict::Predictor;
use super::read::SymbolReader;
use super::write::SymbolWriter;
use crate::api::{DecodeError, EncodeError};
use crate::bundle::Bundle;
use crate::entropy::RansDecoder;
use crate::passes::Pass;

/// Zero point of hyper-latents as the engine stores them.
const HYPER_ZERO: i32 = 128;

/// Codes chunks of latents; keeps buffers between calls.
#[derive(Debug)]
pub(crate) struct ChunkEncoder<'a> {
    bundle: &'a Bundle<'a>,
    predictor: Predictor<'a>,
    symbols: SymbolWriter<'a>,
}

impl<'a> ChunkEncoder<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        let symbols = SymbolWriter::new(bundle);
        ChunkEncoder { bundle, predictor: Predictor::new(bundle), symbols }
    }

    /// Queues the symbols of gained latents `v`, `[rows][columns][M]`, in place of an earlier chunk's. In `v` the
    /// decoder's view takes the place of the latents.
    pub(crate) fn quantise(
        &mut self,
        geometry: Geometry,
        tune: Tune,
        v: &mut [i16],
    ) -> Result<(), EncodeError> {
        let ChunkEncoder { bundle, predictor, symbols: writer } = self;
        writer.queue.clear();
        let z = predictor.hyper_latents(bundle.hyper_analysis()?, geometry, v)?;
        let symbols: Vec<i32> = z.iter().map(|&q| i32::from(q) - HYPER_ZERO).collect();
        let indices = channel_indices(bundle, z.len());
        writer.queue.push_run(&bundle.hyper_tables, &indices, &symbols)?;

        predictor.start(geometry, &z)?;
        for pass in Pass::all(bundle.settings().passes) {
            let mut positions = geometry.positions_of(pass);
            predictor.pass(geometry, pass, v, |p, v| {
                writer.write(tune, p, &mut positions, v);
                Ok::<_, EncodeError>(())
            })?;
        }
        Ok(())
    }

    /// The chunk's payload. Overwrites `v`.
    pub(crate) fn encode(
        &mut self,
        geometry: Geometry,
        tune: Tune,
        v: &mut [i16],
    ) -> Result<Vec<u8>, EncodeError> {
        self.quantise(geometry, tune, v)?;
        Ok(self.symbols.queue.finish())
    }

    /// What [`encode`](Self::encode) would give, in bytes, without the coding. Overwrites `v`.
    pub(crate) fn cost(
        &mut self,
        geometry: Geometry,
        tune: Tune,
        v: &mut [i16],
    ) -> Result<u64, EncodeError> {
        self.quantise(geometry, tune, v)?;
        Ok(self.symbols.queue.cost_bytes())
    }
}

/// Table of every hyper-latent: its channel.
fn channel_indices(bundle: &Bundle<'_>, len: usize) -> Vec<u8> {
    let channels = bundle.settings().hyper_channels.min(256);
    (0..channels).map(|c| c as u8).cycle().take(len).collect()
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

impl<'a> ChunkDecoder<'a> {
    pub(crate) fn new(bundle: &'a Bundle<'a>) -> Self {
        let symbols = SymbolReader::new(bundle);
        ChunkDecoder { bundle, predictor: Predictor::new(bundle), symbols }
    }

    /// Fills `decoded` with decoded latents `[rows][columns][M]`, in the unit of gained latents.
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
