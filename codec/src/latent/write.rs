//! Latents to symbols that wait to be coded.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::GROUP;
use super::masking::{Masking, Tune};
use super::predict::Prediction;
use super::quantise::Nearest;
use super::trellis::{Masked, Trellis};
use crate::bundle::Bundle;
use crate::engine::kernels::{Work, wide};
use crate::entropy::RansEncoder;

/// Quantises latents around their predictions and queues the symbols.
#[derive(Debug)]
pub(super) struct SymbolWriter<'a> {
    bundle: &'a Bundle<'a>,
    pub(super) queue: RansEncoder<'a>,
    quantiser: Quantiser,
    entries: Vec<u16>,
    large: Vec<i32>,
}

/// How symbols are found; the bundle says.
#[derive(Debug)]
enum Quantiser {
    Nearest(Box<Nearest>),
    Dependent(Box<Trellis>),
}

/// Finds the symbols of one position.
pub(super) trait Quantise {
    /// Quantises latents, writes entries for those that are coded to the front of `entries` (which has room for all and
    /// [`GROUP`] more) and appends symbols that do not fit an entry to `large`. Puts what the decoder will see in place of
    /// the latents. Returns how many are coded.
    fn position(
        &mut self,
        v: &mut [i16],
        mean: &[i16],
        scale: &[u8],
        entries: &mut [u16],
        large: &mut Vec<i32>,
    ) -> usize;
}

impl<'a> SymbolWriter<'a> {
    pub(super) fn new(bundle: &'a Bundle<'a>) -> Self {
        let (tables, settings) = (&bundle.latent_tables, bundle.settings());
        let (skip, fine) = (settings.skip_below, settings.fine_bits());
        let quantiser = if settings.dependent {
            Quantiser::Dependent(Box::new(Trellis::new(tables, skip, fine)))
        } else {
            Quantiser::Nearest(Box::new(Nearest::new(tables, skip, fine)))
        };
        let queue = RansEncoder::new();
        SymbolWriter { bundle, queue, quantiser, entries: Vec::new(), large: Vec::new() }
    }

    /// Queues the symbols of the predicted positions, and puts what the decoder will see in place of their latents.
    pub(super) fn write(
        &mut self,
        tune: Tune,
        prediction: &Prediction,
        positions: &mut impl Iterator<Item = usize>,
        v: &mut [i16],
    ) {
        // Room for all, shortened to what is coded: writing always and counting up where it counts needs no branch.
        self.entries.resize(prediction.scale.as_slice().len() + GROUP, 0);
        self.large.clear();
        let channels = self.bundle.settings().latent_channels;
        let (entries, large) = (&mut self.entries[..], &mut self.large);
        let coded = match &mut self.quantiser {
            Quantiser::Nearest(nearest) => wide(Quantising {
                quantiser: &mut **nearest,
                channels,
                prediction,
                positions,
                v,
                entries,
                large,
            }),
            Quantiser::Dependent(trellis) => wide(Quantising {
                quantiser: &mut Masked {
                    trellis,
                    masking: Masking::new(tune, prediction, channels),
                },
                channels,
                prediction,
                positions,
                v,
                entries,
                large,
            }),
        };
        self.queue.push_entries(&self.bundle.latent_tables, &self.entries[..coded], &self.large);
    }
}

/// The quantisation of some positions, in order. Gives how many latents are coded.
struct Quantising<'a, Q, P> {
    quantiser: &'a mut Q,
    channels: usize,
    prediction: &'a Prediction,
    positions: &'a mut P,
    v: &'a mut [i16],
    entries: &'a mut [u16],
    large: &'a mut Vec<i32>,
}

impl<Q: Quantise, P: Iterator<Item = usize>> Work for Quantising<'_, Q, P> {
    type Output = usize;

    #[inline(always)]
    fn run(self) -> usize {
        let Quantising { quantiser, channels: m, prediction, positions, v, entries, large } = self;
        let mut coded = 0;
        let mean = prediction.mean.as_slice().chunks_exact(m);
        for ((mean, scale), position) in
            mean.zip(prediction.scale.as_slice().chunks_exact(m)).zip(positions)
        {
            let v = &mut v[position * m..][..m];
            coded += quantiser.position(v, mean, scale, &mut entries[coded..], large);
        }
        coded
    }
}
