//! The network beside the plain way: which of them a window takes, and what the window scores.

use alloc::vec;
use alloc::vec::Vec;

use super::network::{Memory, Network, NetworkError, SensorModel, Symbol};
use super::window::{Mark, Window};
use super::{SensorError, SensorHeader};
use crate::entropy::{RansDecoder, RansEncoder};

/// What a bit costs when squared errors (in squared plain steps) are weighed against it: the slope of rate and
/// distortion where plain quantisation works.
const LAMBDA: f64 = 0.11;

/// A network with the memory of one stream.
#[derive(Debug)]
pub(crate) struct Learned<'m> {
    model: &'m SensorModel<'m>,
    network: Network<'m>,
    memory: Memory,
    /// The memory of windows coded for their score alone.
    score_memory: Memory,
    symbols: Vec<Symbol>,
    samples: Vec<f32>,
    decoded: Vec<f32>,
    queue: RansEncoder<'m>,
}

/// A window as the network has coded it.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    bits: f32,
    memory: Memory,
}

impl<'m> Learned<'m> {
    /// # Errors
    /// The model is for other windows than the stream's.
    pub(crate) fn new(
        model: &'m SensorModel<'m>,
        header: &SensorHeader,
    ) -> Result<Self, SensorError> {
        let (channels, window) = (header.channels.len(), header.window);
        if model.channels() != channels {
            return Err(SensorError::ModelChannels { model: model.channels(), stream: channels });
        }
        if model.window() != window {
            return Err(SensorError::ModelWindow { model: model.window(), stream: window });
        }
        Ok(Self {
            model,
            network: Network::new(model),
            memory: Memory::default(),
            score_memory: Memory::default(),
            symbols: Vec::new(),
            samples: vec![0.0; channels * window],
            decoded: vec![0.0; channels * window],
            queue: RansEncoder::new(),
        })
    }

    /// Begins anew, at key frames.
    pub(crate) fn reset(&mut self) {
        self.memory.reset();
    }

    /// Takes the samples of a whole window; where one is missing or infinite, or far beyond what the network was made for,
    /// the one before stands in.
    pub(crate) fn take(&mut self, window: &Window) {
        let channels = self.model.channels();
        for c in 0..channels {
            let centre = self.model.centre()[c];
            let mut last = centre;
            for i in (c..self.samples.len()).step_by(channels) {
                let value = window.values[i] as f32;
                if window.marks[i] != Mark::Missing && value.is_finite() {
                    last = value.clamp(-1e30, 1e30);
                }
                self.samples[i] = last;
            }
        }
    }

    /// Codes the window that was taken, but for its symbols to be kept: see [`keep`](Self::keep).
    pub(crate) fn attempt(&mut self, quality: u16) -> Result<Attempt, NetworkError> {
        let mut memory = self.memory.clone();
        self.symbols.clear();
        let bits = self.network.encode(
            &mut memory,
            quality,
            &self.samples,
            &mut self.symbols,
            &mut self.decoded,
        )?;
        Ok(Attempt { bits, memory })
    }

    /// Whether an attempt is worth more than the plain way, whose bits and decoded values are given.
    pub(crate) fn is_better(
        &self,
        attempt: &Attempt,
        header: &SensorHeader,
        original: &[f64],
        plain: (&Window, u64),
    ) -> bool {
        let channels = header.channels.len();
        let (window, bits) = plain;
        let mut gain = LAMBDA * (bits as f64 - f64::from(attempt.bits));
        for (i, &x) in original.iter().enumerate().filter(|(i, _)| window.marks[*i] == Mark::Level)
        {
            let levels = header.channels[i % channels].levels_per_unit;
            let error = |y: f64| ((y - x) * levels) * ((y - x) * levels);
            gain += error(window.values[i]) - error(self.decoded[i].into());
        }
        gain > 0.0
    }

    /// Queues the symbols of an attempt and puts its samples in the window.
    pub(crate) fn keep(
        &mut self,
        attempt: Attempt,
        header: &SensorHeader,
        window: &mut Window,
    ) -> Result<(), SensorError> {
        let tables = self.model.tables();
        for symbol in &self.symbols {
            self.queue.push(tables, symbol.table, symbol.value)?;
        }
        self.memory = attempt.memory;
        self.give(header, window);
        Ok(())
    }

    /// The symbols of the frame, which is over.
    pub(crate) fn finish_frame(&mut self) -> Vec<u8> {
        let bytes = if self.queue.is_empty() { Vec::new() } else { self.queue.finish() };
        self.queue.clear();
        bytes
    }

    /// Decodes a window.
    pub(crate) fn decode(
        &mut self,
        header: &SensorHeader,
        rans: &mut RansDecoder<'_>,
        window: &mut Window,
    ) -> Result<(), SensorError> {
        self.network.decode(&mut self.memory, header.quality, rans, &mut self.decoded)?;
        self.give(header, window);
        Ok(())
    }

    fn give(&self, header: &SensorHeader, window: &mut Window) {
        for ((value, &decoded), _) in window
            .values
            .iter_mut()
            .zip(&self.decoded)
            .zip(&window.marks)
            .filter(|(_, mark)| **mark == Mark::Level)
        {
            *value = header.sample_type.round(decoded.into());
        }
    }

    /// How odd the window that was taken is, relative to the model's reference.
    pub(crate) fn score(&mut self, window: &Window) -> Result<u8, SensorError> {
        let reference = self.model.reference();
        self.symbols.clear();
        let bits = self.network.encode(
            &mut self.score_memory,
            reference.quality(),
            &self.samples,
            &mut self.symbols,
            &mut self.decoded,
        )?;
        let channels = self.model.channels();
        let (mut sum, mut count) = (0.0f32, 0u32);
        for (i, (&x, &y)) in self.samples.iter().zip(&self.decoded).enumerate() {
            if window.marks[i] != Mark::Missing {
                let error = (x - y) / self.model.spread()[i % channels];
                sum += error * error;
                count += 1;
            }
        }
        Ok(reference.score(sum / count.max(1) as f32, bits))
    }
}
