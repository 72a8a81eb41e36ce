//! One window to symbols and back.

use alloc::vec;
use alloc::vec::Vec;
use core::fmt;

use super::features::{Levels, MARGIN, PASSES, Sources, count};
use super::model::SensorModel;
use super::trellis::{self, LIMIT, Trellis};
use crate::engine::requant::round_ties_even;
use crate::engine::{Executor, Program, RowMut, RowRef, RunError, Size};
use crate::entropy::{COST_ONE_BIT, RansDecoder, RansError, TableSet};

/// Normalised samples and latents are counted in these parts of a spread.
const UNITS: f32 = 256.0;

/// A symbol to be coded with a table of [`Network::tables`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Number of the table.
    pub table: u8,
    /// The symbol.
    pub value: i32,
}

/// Why a window was not coded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum NetworkError {
    /// Not a whole window.
    Samples {
        /// Samples given, over all channels.
        given: usize,
        /// Samples of a window.
        wanted: usize,
    },
    /// The symbols are damaged.
    Symbols(RansError),
    /// The engine refuses to run; with a parsed model this does not happen.
    Run(RunError),
}

impl fmt::Display for NetworkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Samples { given, wanted } => {
                write!(f, "{given} samples are not a window of {wanted}")
            }
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
    /// Rows of the transforms.
    row: Vec<i16>,
    latents: Vec<i16>,
    features: Vec<u8>,
    means: Vec<i16>,
    scales: Vec<u8>,
    distances: Vec<i32>,
    symbols: Vec<i32>,
}

impl<'a> Network<'a> {
    /// Room for one window at a time.
    #[must_use]
    pub fn new(model: &'a SensorModel<'a>) -> Self {
        let (channels, window) = (model.channels(), model.window());
        Network {
            model,
            executor: Executor::new(),
            trellis: Trellis::new(model.tables()),
            now: Levels::default(),
            row: vec![0; channels * window],
            latents: vec![0; channels * window],
            features: vec![0; count(channels) * window.div_ceil(2)],
            means: vec![0; window.div_ceil(2)],
            scales: vec![0; window.div_ceil(2)],
            distances: Vec::new(),
            symbols: Vec::new(),
        }
    }

    /// The tables of the symbols.
    #[must_use]
    pub fn tables(&self) -> &'a TableSet {
        self.model.tables()
    }

    /// Codes one window of finite samples, `[time][channel]`, at a quality in hundredths (used in whole steps of 100):
    /// appends its symbols to `out`, writes what decoders get into `decoded`, and returns the symbols' cost in bits.
    ///
    /// # Errors
    /// Slices of another length.
    pub fn encode(
        &mut self,
        memory: &mut Memory,
        quality: u16,
        window: &[f32],
        out: &mut Vec<Symbol>,
        decoded: &mut [f32],
    ) -> Result<f32, NetworkError> {
        self.check(window.len())?;
        self.check(decoded.len())?;
        let settings = self.model.settings();
        let samples = settings.window;
        for (c, row) in self.row.chunks_exact_mut(samples).enumerate() {
            let (centre, scale) = (settings.centre[c], UNITS / settings.spread[c]);
            for (t, out) in row.iter_mut().enumerate() {
                *out = narrow((window[t * settings.channels + c] - centre) * scale);
            }
        }
        transform(
            &mut self.executor,
            &self.model.analysis,
            settings.shape(),
            &self.row,
            &mut self.latents,
        )?;
        let gain = 1.0 / (UNITS / 16.0 * self.step(quality));
        for latent in &mut self.latents {
            *latent = narrow(f32::from(*latent) * gain);
        }
        let mut cost = 0u64;
        let latents = core::mem::take(&mut self.latents);
        let coded = self.passes(memory, quality, |network, channel, (first, stride), state, n| {
            let wanted = latents[channel * samples..][..samples].iter().skip(first).step_by(stride);
            network.distances.clear();
            network.distances.extend(
                wanted.zip(&network.means[..n]).map(|(&x, &mean)| i32::from(x) - i32::from(mean)),
            );
            let tables = network.model.tables();
            let (distances, scales) = (&network.distances, &network.scales[..n]);
            network.trellis.choose(tables, distances, scales, state, &mut network.symbols);
            let mut state = state;
            for (&value, &scale) in network.symbols.iter().zip(scales) {
                let table = trellis::table(state, scale);
                cost += u64::from(tables.cost(table, value).unwrap_or(0));
                out.push(Symbol { table, value });
                state = trellis::next(state, value);
            }
            Ok(())
        });
        self.latents = latents;
        coded?;
        self.reconstruct(memory, quality, decoded)?;
        Ok(cost as f32 / COST_ONE_BIT as f32)
    }

    /// Decodes one window into `decoded`, `[time][channel]`.
    ///
    /// # Errors
    /// A slice of another length; symbols that end early.
    pub fn decode(
        &mut self,
        memory: &mut Memory,
        quality: u16,
        rans: &mut RansDecoder<'_>,
        decoded: &mut [f32],
    ) -> Result<(), NetworkError> {
        self.check(decoded.len())?;
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
        })?;
        self.reconstruct(memory, quality, decoded)
    }

    fn check(&self, given: usize) -> Result<(), NetworkError> {
        let wanted = self.row.len();
        if given == wanted { Ok(()) } else { Err(NetworkError::Samples { given, wanted }) }
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
                let n = sources.write(channels, window, channel, pass, &mut self.features);
                let width = count(channels);
                let outputs =
                    &mut [RowMut::I16(&mut self.means[..n]), RowMut::U8(&mut self.scales[..n])];
                let inputs = [RowRef::U8(&self.features[..n * width])];
                self.executor.points(&model.contexts[channel], n, &inputs, outputs)?;
                symbols(self, channel, turn, state, n)?;
                let (first, stride) = turn;
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

    /// The samples of the decoded latents, which become the memory.
    fn reconstruct(
        &mut self,
        memory: &mut Memory,
        quality: u16,
        decoded: &mut [f32],
    ) -> Result<(), NetworkError> {
        let settings = self.model.settings();
        let (channels, window) = (settings.channels, settings.window);
        let gain = UNITS / 16.0 * self.step(quality);
        for (c, row) in self.latents.chunks_exact_mut(window).enumerate() {
            for (out, &v) in row.iter_mut().zip(&self.now.channel(c)[MARGIN..]) {
                *out = narrow(f32::from(v) * gain);
            }
        }
        transform(
            &mut self.executor,
            &self.model.synthesis,
            settings.shape(),
            &self.latents,
            &mut self.row,
        )?;
        for (c, row) in self.row.chunks_exact(window).enumerate() {
            let (centre, unit) = (settings.centre[c], settings.spread[c] / UNITS);
            for (t, &v) in row.iter().enumerate() {
                decoded[t * channels + c] = centre + f32::from(v) * unit;
            }
        }
        core::mem::swap(&mut memory.before, &mut self.now);
        Ok(())
    }
}

/// Rounded to the nearest 16-bit integer, ties to even; NaN is 0.
fn narrow(v: f32) -> i16 {
    if v.is_nan() { 0 } else { round_ties_even(v.clamp(-32768.0, 32767.0)) as i16 }
}

fn transform(
    executor: &mut Executor,
    program: &Program<'_>,
    (positions, _): (usize, usize),
    input: &[i16],
    output: &mut [i16],
) -> Result<(), RunError> {
    let mut source = |_: usize, _: usize, row: RowMut<'_>| {
        if let RowMut::I16(row) = row {
            row.copy_from_slice(input);
        }
    };
    let mut sink = |_: usize, _: usize, row: RowRef<'_>| {
        if let RowRef::I16(row) = row {
            output.copy_from_slice(row);
        }
    };
    executor.run(program, Size { height: 1, width: positions }, &mut source, &mut sink)
}
