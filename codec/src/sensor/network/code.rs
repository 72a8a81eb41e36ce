//! One window to symbols and back.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::features::{BATCH, Levels, MARGIN, PASSES, Sources, count};
use super::model::SensorModel;
use super::trellis::{self, LIMIT, Trellis};
use crate::engine::requant::round_ties_even;
use crate::engine::{Executor, RowMut, RowRef, RunError};
use crate::entropy::{COST_ONE_BIT, RansDecoder, RansError, TableSet};

/// Normalised samples and latents are counted in these parts of a spread.
const UNITS: f32 = 256.0;

/// A symbol to be coded with a table of [`Network::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Number of the table.
    pub table: u8,
    /// The symbol.
    pub value: i16,
}

/// Why a window was not coded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NetworkError {
    /// The symbols are damaged.
    Symbols(RansError),
    /// The engine refuses to run; with a parsed model this does not happen.
    Run(RunError),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbols(e) => write!(f, "{e}"),
            Self::Run(e) => write!(f, "{e}"),
        }
    }
}

impl core::error::Error for NetworkError {}

impl From<RunError> for NetworkError {
    fn from(e: RunError) -> Self {
        Self::Run(e)
    }
}

/// What coding keeps of the window before. Windows that must decode alone begin with a new one. The quality must
/// stay the same as long as a memory lasts.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    before: Levels,
}

impl Memory {
    /// Forgets the window before.
    pub fn reset(&mut self) {
        self.before.values.clear();
    }
}

/// Codes windows with a model; its buffers stay as they are after the first window.
#[derive(Debug)]
pub struct Network<'a> {
    model: &'a SensorModel<'a>,
    executor: Executor,
    trellis: Trellis,
    now: Levels,
    latents: Vec<i16>,
    features: Vec<u8>,
    means: Vec<i16>,
    scales: Vec<u8>,
    symbols: Vec<i32>,
}

impl<'a> Network<'a> {
    /// Room for one window at a time.
    #[must_use]
    pub fn new(model: &'a SensorModel<'a>) -> Self {
        let (channels, window) = (model.channels(), model.window());
        let half = window.div_ceil(2);
        Network {
            model,
            executor: Executor::new(),
            trellis: Trellis::new(half),
            now: Levels::default(),
            latents: vec![0; channels * window],
            features: vec![0; count(channels) * half.min(BATCH)],
            means: vec![0; half],
            scales: vec![0; half],
            symbols: Vec::with_capacity(half),
        }
    }

    /// The tables of the symbols.
    #[must_use]
    pub fn tables(&self) -> &'a TableSet {
        self.model.tables()
    }

    /// Codes one window at a quality in hundredths (used in whole steps of 100): hands its symbols to `take`, and returns
    /// their cost in bits. `sample` is asked for finite samples, channel by channel, each in order of time: number of the
    /// channel, then of the time. What decoders get is then [`decoded`](Self::decoded); the memory stays that of the
    /// window before until it is told to [`remember`](Self::remember).
    ///
    /// # Errors
    /// [`NetworkError::Run`].
    pub fn encode(
        &mut self,
        memory: &mut Memory,
        quality: u16,
        mut sample: impl FnMut(usize, usize) -> f32,
        mut take: impl FnMut(Symbol),
    ) -> Result<f32, NetworkError> {
        let settings = self.model.settings();
        let samples = settings.window;
        let mut source = |_: usize, _: usize, row: RowMut<'_>| {
            let RowMut::I16(row) = row else { return };
            for (c, row) in row.chunks_exact_mut(samples).enumerate() {
                let (centre, scale) = (settings.centre[c], UNITS / settings.spread[c]);
                for (t, out) in row.iter_mut().enumerate() {
                    *out = narrow((sample(c, t) - centre) * scale);
                }
            }
        };
        let latents = &mut self.latents;
        let mut sink = |_: usize, _: usize, row: RowRef<'_>| {
            if let RowRef::I16(row) = row {
                latents.copy_from_slice(row);
            }
        };
        self.executor.run(&self.model.analysis, settings.size(), &mut source, &mut sink)?;
        let gain = 1.0 / (UNITS / 16.0 * self.step(quality));
        for latent in &mut self.latents {
            *latent = narrow(f32::from(*latent) * gain);
        }
        let mut cost = 0u64;
        let latents = core::mem::take(&mut self.latents);
        let coded = self.passes(memory, quality, |network, channel, (first, stride), state, n| {
            let wanted = latents[channel * samples..][..samples].iter().skip(first).step_by(stride);
            let (means, scales) = (&network.means[..n], &network.scales[..n]);
            let distances = wanted.zip(means).map(|(&x, &mean)| i32::from(x) - i32::from(mean));
            let prices = &network.model.prices;
            network.trellis.choose(prices, distances, scales, state, &mut network.symbols);
            let mut state = state;
            for (&value, &scale) in network.symbols.iter().zip(scales) {
                let table = trellis::table(state, scale);
                cost += u64::from(prices.tables().cost(table, value).unwrap_or(0));
                // Within LIMIT.
                take(Symbol { table, value: value as i16 });
                state = trellis::next(state, value);
            }
            Ok(())
        });
        self.latents = latents;
        coded?;
        Ok(cost as f32 / COST_ONE_BIT as f32)
    }

    /// Decodes one window, which is then [`decoded`](Self::decoded).
    ///
    /// # Errors
    /// Symbols that end early.
    pub fn decode(
        &mut self,
        memory: &mut Memory,
        quality: u16,
        rans: &mut RansDecoder<'_>,
    ) -> Result<(), NetworkError> {
        self.passes(memory, quality, |network, _, _, state, n| {
            let mut state = state;
            network.symbols.clear();
            for &scale in &network.scales[..n] {
                let table = trellis::table(state, scale);
                let symbol = rans.decode(network.model.tables(), table);
                let symbol = symbol.map_err(NetworkError::Symbols)?.clamp(-LIMIT, LIMIT);
                network.symbols.push(symbol);
                state = trellis::next(state, symbol);
            }
            Ok(())
        })
    }

    /// Makes the window that was coded last the one before.
    pub fn remember(&mut self, memory: &mut Memory) {
        core::mem::swap(&mut memory.before, &mut self.now);
    }

    fn step(&self, quality: u16) -> f32 {
        self.model.settings().steps[usize::from(quality.min(10_000)) / 100]
    }

    /// Goes through the passes: `symbols` finds the symbols of one, whose means and scales are at hand.
    fn passes(
        &mut self,
        memory: &mut Memory,
        quality: u16,
        mut symbols: impl FnMut(&mut Self, usize, (usize, usize), u8, usize) -> Result<(), NetworkError>,
    ) -> Result<(), NetworkError> {
        let model = self.model;
        let settings = model.settings();
        let (channels, window) = (settings.channels, settings.window);
        self.now.reset(channels, window);
        if memory.before.values.len() != self.now.values.len() {
            memory.before.reset(channels, window);
        }
        let mut state = 0;
        for &channel in &settings.order {
            for (pass, &turn) in PASSES.iter().enumerate() {
                let sources = Sources {
                    now: &self.now,
                    before: &memory.before,
                    magnitudes: model.magnitudes,
                    places: &model.places[channel * window * super::features::PLACES..],
                    step: settings.step_features[usize::from(quality.min(10_000)) / 100],
                };
                let (first, stride) = turn;
                let latents = (window - first).div_ceil(stride);
                for start in (0..latents).step_by(BATCH) {
                    let features = &mut self.features;
                    let n = sources.write(channels, window, channel, pass, start, features);
                    let (means, scales) = (&mut self.means[start..], &mut self.scales[start..]);
                    let outputs = &mut [RowMut::I16(&mut means[..n]), RowMut::U8(&mut scales[..n])];
                    let inputs = [RowRef::U8(&features[..n * count(channels)])];
                    self.executor.points(&model.contexts[channel], n, &inputs, outputs)?;
                }
                symbols(self, channel, turn, state, latents)?;
                let values = self.now.channel_mut(channel)[MARGIN..MARGIN + window].iter_mut();
                let values = values.skip(first).step_by(stride);
                for ((out, &symbol), &mean) in values.zip(&self.symbols).zip(&self.means) {
                    let value = i32::from(mean) + trellis::value(state, symbol);
                    *out = value.clamp(-32768, 32767) as i16;
                    state = trellis::next(state, symbol);
                }
            }
        }
        Ok(())
    }

    /// Hands the samples that decoders get of the last window to `put`, channel by channel, each in order of time: number
    /// of the channel, of the time, sample.
    ///
    /// # Errors
    /// [`NetworkError::Run`].
    pub fn decoded(
        &mut self,
        quality: u16,
        mut put: impl FnMut(usize, usize, f32),
    ) -> Result<(), NetworkError> {
        let settings = self.model.settings();
        let gain = UNITS / 16.0 * self.step(quality);
        let now = &self.now;
        let mut source = |_: usize, _: usize, row: RowMut<'_>| {
            let RowMut::I16(row) = row else { return };
            for (c, row) in row.chunks_exact_mut(settings.window).enumerate() {
                for (out, &v) in row.iter_mut().zip(&now.channel(c)[MARGIN..]) {
                    *out = narrow(f32::from(v) * gain);
                }
            }
        };
        let mut sink = |_: usize, _: usize, row: RowRef<'_>| {
            let RowRef::I16(row) = row else { return };
            for (c, row) in row.chunks_exact(settings.window).enumerate() {
                let (centre, unit) = (settings.centre[c], settings.spread[c] / UNITS);
                for (t, &v) in row.iter().enumerate() {
                    put(c, t, centre + f32::from(v) * unit);
                }
            }
        };
        self.executor.run(&self.model.synthesis, settings.size(), &mut source, &mut sink)?;
        Ok(())
    }
}

/// Rounded to the nearest 16-bit integer, ties to even; NaN is 0.
fn narrow(v: f32) -> i16 {
    if v.is_nan() { 0 } else { round_ties_even(v.clamp(-32768.0, 32767.0)) as i16 }
}
