//! The network beside the plain way: which of them a window takes, and what the window scores.

use alloc::vec::Vec;

use super::network::{Memory, Network, SensorModel, Symbol};
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
    queue: RansEncoder<'m>,
    /// Symbols of the windows before in the queue.
    queued: usize,
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
        let samples = header.channels.len() * header.window;
        // Symbols are kept only of windows that go through the network.
        let frame = if header.needs_model() { header.windows_per_frame as usize } else { 0 };
        Ok(Self {
            model,
            network: Network::new(model),
            memory: Memory::default(),
            score_memory: Memory::default(),
            queue: RansEncoder::with_capacity(frame * samples),
            queued: 0,
        })
    }

    /// Begins anew, at key frames.
    pub(crate) fn reset(&mut self) {
        self.memory.reset();
    }

    /// Codes a whole window and queues its symbols; whether that is worth more than the plain way, of which bits and squared
    /// error, in steps, are given. [`keep`](Self::keep) or [`discard`](Self::discard) follows.
    pub(crate) fn attempt(
        &mut self,
        header: &SensorHeader,
        window: &Window,
        plain: (u64, f64),
    ) -> Result<bool, SensorError> {
        self.queued = self.queue.len();
        let (queue, tables) = (&mut self.queue, self.model.tables());
        let mut queued = Ok(());
        let take = |symbol: Symbol| {
            queued = queued.and_then(|()| queue.push(tables, symbol.table, symbol.value.into()));
        };
        let source = stand_ins(self.model, window);
        let bits = self.network.encode(&mut self.memory, header.quality, source, take)?;
        queued?;
        let mut gain = LAMBDA * (plain.0 as f64 - f64::from(bits)) + plain.1;
        let channels = self.model.channels();
        self.network.decoded(header.quality, |c, t, decoded| {
            let i = t * channels + c;
            if window.marks[i] == Mark::Level {
                let error =
                    (f64::from(decoded) - window.values[i]) * header.channels[c].levels_per_unit;
                gain -= error * error;
            }
        })?;
        Ok(gain > 0.0)
    }

    /// Takes back what [`attempt`](Self::attempt) did.
    pub(crate) fn discard(&mut self) {
        self.queue.truncate(self.queued);
    }

    /// Goes on from the last attempt, whose samples the window gets.
    pub(crate) fn keep(
        &mut self,
        header: &SensorHeader,
        window: &mut Window,
    ) -> Result<(), SensorError> {
        let channels = self.model.channels();
        // Once more: keeping the samples of the attempt would take 4 bytes for each.
        self.network.decoded(header.quality, |c, t, decoded| {
            let i = t * channels + c;
            if window.marks[i] == Mark::Level {
                window.values[i] = header.sample_type.round(decoded.into());
            }
        })?;
        self.network.remember(&mut self.memory);
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
        self.network.decode(&mut self.memory, header.quality, rans)?;
        self.keep(header, window)
    }

    /// How odd a whole window is, relative to the model's reference.
    pub(crate) fn score(&mut self, window: &Window) -> Result<u8, SensorError> {
        let reference = self.model.reference();
        let (memory, quality) = (&mut self.score_memory, reference.quality());
        let bits = self.network.encode(memory, quality, stand_ins(self.model, window), |_| ())?;
        let (mut sum, mut count) = (0.0f32, 0u32);
        let mut sample = stand_ins(self.model, window);
        let (channels, spread) = (self.model.channels(), self.model.spread());
        self.network.decoded(quality, |c, t, decoded| {
            let sample = sample(c, t);
            if window.marks[t * channels + c] != Mark::Missing {
                let error = (sample - decoded) / spread[c];
                sum += error * error;
                count += 1;
            }
        })?;
        self.network.remember(&mut self.score_memory);
        Ok(reference.score(sum / count.max(1) as f32, bits))
    }
}

/// The samples of a whole window, asked for channel by channel, each in order of time; where one is missing or infinite, or
/// far beyond what the network was made for, the one before stands in.
fn stand_ins<'w>(
    model: &'w SensorModel<'_>,
    window: &'w Window,
) -> impl FnMut(usize, usize) -> f32 + 'w {
    let channels = model.channels();
    let mut last = 0.0;
    move |c, t| {
        if t == 0 {
            last = model.centre()[c];
        }
        let i = t * channels + c;
        let value = window.values[i] as f32;
        if window.marks[i] != Mark::Missing && value.is_finite() {
            last = value.clamp(-1e30, 1e30);
        }
        last
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
