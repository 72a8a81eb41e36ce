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
    pub(crate) fn check(model: &SensorModel<'_>, header: &SensorHeader) -> Result<(), SensorError> {
        let (channels, window) = (header.channels.len(), header.window);
        if model.channels() != channels {
            return Err(SensorError::ModelChannels { model: model.channels(), stream: channels });
        }
        if model.window() != window {
            return Err(SensorError::ModelWindow { model: model.window(), stream: window });
        }
        Ok(())
    }

    /// # Errors
    /// As [`check`](Self::check).
    pub(crate) fn new(
        model: &'m SensorModel<'m>,
        header: &SensorHeader,
    ) -> Result<Self, SensorError> {
        Self::check(model, header)?;
        let (channels, window) = (header.channels.len(), header.window);
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

#[cfg(test)]
mod tests {
    use super::super::network::tests::toy;
    use super::super::{
        Promise, RawFrame, SampleType, ScoreKind, SensorDecoder, SensorEncoder, SensorOptions,
    };
    use super::*;

    /// 40 windows: waves, which the plain transform likes, and from the 20th on single spikes, which the toy's network
    /// likes, as it does not transform.
    fn samples() -> Vec<f32> {
        let value = |t: usize, c: usize| {
            let wave = (t as f32 * (0.3 + 0.2 * c as f32)).sin() * 2.0;
            let spike = if (t * 7 + 3 * c) % 16 == 5 { 6.0 } else { 0.0 };
            let x = if t < 320 { wave } else { spike };
            [1.0 + 0.5 * x, -2.0 + 4.0 * x][c]
        };
        (0..640).flat_map(|t| [value(t, 0), value(t, 1)]).collect()
    }

    fn options() -> SensorOptions {
        let promise = Promise::Quality { quality: 60.0, spread: Vec::new() };
        let mut options = SensorOptions::new(promise, SampleType::F32);
        options.window = 16;
        options.windows_per_frame = 4;
        options.key_interval = 2;
        options
    }

    fn encode(model: &SensorModel<'_>, options: &SensorOptions, samples: &[f32]) -> Vec<u8> {
        let mut encoder = SensorEncoder::with_model(model, options, 0.05).unwrap();
        let mut out = Vec::new();
        encoder.push(&[], samples, &mut out).unwrap();
        encoder.finish(&mut out).unwrap();
        out
    }

    fn decode(mut decoder: SensorDecoder<'_>, stream: &[u8]) -> Result<Vec<f64>, SensorError> {
        decoder.push(stream);
        let mut values = Vec::new();
        while let Some(frame) = decoder.next_frame()? {
            values.extend(frame.values);
        }
        decoder.finish()?;
        Ok(values)
    }

    /// Bytes of symbols in each frame, and all scores.
    fn frames(stream: &[u8]) -> (Vec<usize>, Vec<u8>) {
        let (header, mut at) = SensorHeader::parse(stream).unwrap();
        let (mut symbols, mut scores) = (Vec::new(), Vec::new());
        while at < stream.len() {
            let raw = RawFrame::parse(&stream[at..], &header).unwrap();
            at += raw.length;
            symbols.push(raw.symbols.len());
            scores.extend(raw.head.scores);
        }
        (symbols, scores)
    }

    #[test]
    fn each_window_takes_the_better_way() {
        let file = toy();
        let model = SensorModel::parse(&file).unwrap();
        let samples = samples();
        let stream = encode(&model, &options(), &samples);
        let (symbols, scores) = frames(&stream);
        assert!(symbols[..5].contains(&0), "{symbols:?}");
        assert!(symbols[6..10].iter().all(|&bytes| bytes > 0), "{symbols:?}");
        assert_eq!(scores.len(), 40);

        let decoded = decode(SensorDecoder::with_model(&model), &stream).unwrap();
        let error = |decoded: &[f64]| {
            let errors = samples.iter().zip(decoded).enumerate().map(|(i, (&x, y))| {
                ((f64::from(x) - y) / f64::from(model.spread()[i % 2])).powi(2)
            });
            errors.sum::<f64>() / samples.len() as f64
        };
        // Squared error and bits together are not worse than the plain way's.
        let spread = model.spread().iter().map(|&s| f64::from(s)).collect();
        let promise = Promise::Quality { quality: 60.0, spread };
        let mut encoder = SensorEncoder::new(2, &SensorOptions { promise, ..options() }).unwrap();
        let mut plain = Vec::new();
        encoder.push(&[], &samples, &mut plain).unwrap();
        encoder.finish(&mut plain).unwrap();
        let plain_error = error(&decode(SensorDecoder::new(), &plain).unwrap());
        let step =
            1.0 / (encoder.header().channels[0].levels_per_unit * f64::from(model.spread()[0]));
        let cost = |error: f64, stream: &[u8]| {
            error * samples.len() as f64 / (step * step) + LAMBDA * 8.0 * stream.len() as f64
        };
        let (with, without) = (cost(error(&decoded), &stream), cost(plain_error, &plain));
        assert!(with < without * 1.01, "{with} {without}");
    }

    #[test]
    fn what_is_missing_or_wild_goes_through_the_network_untouched() {
        let file = toy();
        let model = SensorModel::parse(&file).unwrap();
        let mut samples = samples();
        (samples[800], samples[805], samples[900]) = (f32::NAN, f32::INFINITY, f32::MAX);
        samples.truncate(1270);
        let decoded =
            decode(SensorDecoder::with_model(&model), &encode(&model, &options(), &samples))
                .unwrap();
        assert_eq!(decoded.len(), samples.len());
        assert!(decoded[800].is_nan());
        assert_eq!((decoded[805], decoded[900]), (f64::INFINITY, f64::from(f32::MAX)));
        assert!(decoded.iter().zip(&samples).all(|(y, x)| y.is_finite() == x.is_finite()));
    }

    #[test]
    fn scores_need_no_model_to_be_read() {
        let file = toy();
        let model = SensorModel::parse(&file).unwrap();
        let promise = Promise::MaxError(vec![0.01, 0.1]);
        let options = SensorOptions { promise, ..options() };
        let mut samples = samples();
        samples.truncate(320);
        samples.iter_mut().enumerate().filter(|(i, _)| (160..192).contains(i)).for_each(
            |(i, x)| {
                *x += if i % 3 == 0 { 30.0 } else { -30.0 };
            },
        );
        let stream = encode(&model, &options, &samples);
        let (header, _) = SensorHeader::parse(&stream).unwrap();
        assert_eq!((header.scores, header.needs_model()), (ScoreKind::Model, false));
        let (_, scores) = frames(&stream);
        assert!(scores[5] >= header.threshold && scores[5] == *scores.iter().max().unwrap());
        let decoded = decode(SensorDecoder::new(), &stream).unwrap();
        let close =
            |(i, (&x, y)): (usize, (&f32, &f64))| (f64::from(x) - y).abs() <= [0.01, 0.1][i % 2];
        assert!(samples.iter().zip(&decoded).enumerate().all(close));
    }

    #[test]
    fn other_models_and_windows_are_refused() {
        let file = toy();
        let model = SensorModel::parse(&file).unwrap();
        let wide = SensorOptions { window: 32, ..options() };
        assert_eq!(
            SensorEncoder::with_model(&model, &wide, 0.05).unwrap_err(),
            SensorError::ModelWindow { model: 16, stream: 32 }
        );
        let promise = Promise::MaxError(vec![1.0; 3]);
        let three = SensorOptions { promise, ..options() };
        assert!(SensorEncoder::with_model(&model, &three, 0.05).is_err());
        let stream = encode(&model, &options(), &samples());
        assert_eq!(
            decode(SensorDecoder::new(), &stream),
            Err(SensorError::NoModel(model.latent_space()))
        );
        let mut other = stream.clone();
        // The latent space and the checksum of the header.
        let (_, length) = SensorHeader::parse(&stream).unwrap();
        other[21] ^= 1;
        let checksum = crate::format::crc32c(&other[..length - 4]).to_le_bytes();
        other[length - 4..length].copy_from_slice(&checksum);
        let found = decode(SensorDecoder::with_model(&model), &other);
        assert!(matches!(found, Err(SensorError::WrongModel { .. })), "{found:?}");
        for at in length..stream.len() {
            let mut damaged = stream.clone();
            damaged[at] ^= 0x11;
            assert!(decode(SensorDecoder::with_model(&model), &damaged).is_err(), "byte {at}");
        }
    }
}
