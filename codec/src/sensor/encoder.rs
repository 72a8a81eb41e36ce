//! Samples to frames.

use alloc::vec::Vec;

use super::frame::FrameHead;
use super::header::{PromiseKind, ScoreKind, SensorHeader};
use super::learned::Learned;
use super::score::{CalibratedScore, RunningScore};
use super::window::{Mark, MarkCoder, Plain, Window};
use super::{Promise, Sample, SensorError, SensorModel, SensorOptions};
use crate::entropy::binary::BitEncoder;

/// Encodes the samples of one stream as they come.
///
/// All memory but that of the caller's output is taken when the encoder is made, and by the first windows.
#[derive(Debug)]
pub struct SensorEncoder<'m> {
    header: SensorHeader,
    learned: Option<Learned<'m>>,
    state: State,
    marks: MarkCoder,
    plain: Plain,
    score: RunningScore,
    calibrated: Option<CalibratedScore>,
    /// The window that is being filled, up to `filled` sample times.
    window: Window,
    filled: usize,
    coder: BitEncoder,
    /// The frame that is being filled.
    head: FrameHead,
    last_time: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The header is still to be written.
    Fresh,
    Open,
    Finished,
}

impl<'m> SensorEncoder<'m> {
    /// Starts a stream of `channels` channels.
    ///
    /// # Errors
    /// Settings out of range, or not one for each channel.
    pub fn new(channels: usize, options: &SensorOptions) -> Result<Self, SensorError> {
        Self::start_stream(options.header(channels)?, None, options.calibration, &[])
    }

    /// Starts a stream of the model's channels and windows. Windows of a stream of a quality may go through its network, and
    /// decoding then needs the model. Scores are relative to its reference in any case, unless the options have a
    /// calibration; windows are odd from the score on that normal ones reach at this rate of false alarms. An empty list of
    /// spreads stands for the model's.
    ///
    /// # Errors
    /// As [`new`](Self::new); windows of another length than the model's.
    pub fn with_model(
        model: &'m SensorModel<'m>,
        options: &SensorOptions,
        false_alarm_rate: f32,
    ) -> Result<Self, SensorError> {
        let mut options = options.clone();
        if let Promise::Quality { spread, .. } = &mut options.promise
            && spread.is_empty()
        {
            spread.extend(model.spread().iter().map(|&s| f64::from(s)));
        }
        let mut header = options.header(model.channels())?;
        if header.promise == PromiseKind::Quality {
            header.latent_space = model.latent_space();
        }
        if header.scores == ScoreKind::Running {
            header.scores = ScoreKind::Model;
            header.threshold = model.reference().threshold(false_alarm_rate);
        }
        Learned::check(model, &header)?;
        // The network's buffers are half of the memory of a stream.
        let used = header.needs_model() || header.scores == ScoreKind::Model;
        let learned = used.then(|| Learned::new(model, &header)).transpose()?;
        Self::start_stream(header, learned, options.calibration, model.spread())
    }

    fn start_stream(
        header: SensorHeader,
        learned: Option<Learned<'m>>,
        calibration: u32,
        spread: &[f32],
    ) -> Result<Self, SensorError> {
        // Checks the ranges.
        header.write()?;
        let mut window = Window::default();
        window.resize(header.window, &header);
        Ok(Self {
            state: State::Fresh,
            learned,
            marks: MarkCoder::new(&header),
            plain: Plain::new(&header),
            score: RunningScore::default(),
            calibrated: (header.scores == ScoreKind::Calibrated)
                .then(|| CalibratedScore::new(header.channels.len(), calibration, spread)),
            window,
            filled: 0,
            coder: BitEncoder::new(Vec::new()),
            head: FrameHead { key: true, ..FrameHead::default() },
            last_time: 0,
            header,
        })
    }

    /// The header of the stream.
    #[must_use]
    pub fn header(&self) -> &SensorHeader {
        &self.header
    }

    /// Takes samples, `[time][channel]`, and appends to `out` what is ready: the header first, then each frame once its
    /// windows are full. Missing samples are NaN. `times` has one for each sample time if the stream has times, and is
    /// empty otherwise.
    ///
    /// # Errors
    /// Samples of another type, or not the same number for each channel or time. Nothing is taken then.
    pub fn push<S: Sample>(
        &mut self,
        times: &[i64],
        samples: &[S],
        out: &mut Vec<u8>,
    ) -> Result<(), SensorError> {
        let channels = self.header.channels.len();
        if self.state == State::Finished {
            return Err(SensorError::Broken);
        }
        if S::TYPE != self.header.sample_type {
            return Err(SensorError::OtherType { stream: self.header.sample_type, given: S::TYPE });
        }
        if !samples.len().is_multiple_of(channels) {
            return Err(SensorError::Incomplete { samples: samples.len(), channels });
        }
        let needed = if self.header.time_unit.is_some() { samples.len() / channels } else { 0 };
        if times.len() != needed {
            return Err(SensorError::Times { needed, given: times.len() });
        }
        self.start(out)?;
        for (t, samples) in samples.chunks_exact(channels).enumerate() {
            let place = &mut self.window.values[self.filled * channels..][..channels];
            place.iter_mut().zip(samples).for_each(|(to, from)| *to = from.to_f64());
            if let Some(&time) = times.get(t) {
                self.window.times[self.filled] = time;
            }
            self.filled += 1;
            if self.filled == self.header.window {
                self.end_window()?;
                if self.head.samples >= self.header.window * self.header.windows_per_frame as usize
                {
                    self.end_frame(false, out);
                }
            }
        }
        Ok(())
    }

    /// Ends the current window and frame early, so that all samples so far can be decoded.
    ///
    /// # Errors
    /// The stream is finished.
    pub fn flush(&mut self, out: &mut Vec<u8>) -> Result<(), SensorError> {
        if self.state == State::Finished {
            return Err(SensorError::Broken);
        }
        self.start(out)?;
        self.end_window()?;
        if self.head.samples > 0 {
            self.end_frame(false, out);
        }
        Ok(())
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// It is finished already.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), SensorError> {
        if self.state == State::Finished {
            return Err(SensorError::Broken);
        }
        self.start(out)?;
        self.end_window()?;
        self.end_frame(true, out);
        self.state = State::Finished;
        Ok(())
    }

    fn start(&mut self, out: &mut Vec<u8>) -> Result<(), SensorError> {
        if self.state == State::Fresh {
            out.extend(self.header.write()?);
            self.state = State::Open;
        }
        Ok(())
    }

    /// Codes the samples there are as a window.
    fn end_window(&mut self) -> Result<(), SensorError> {
        let len = core::mem::take(&mut self.filled);
        if len == 0 {
            return Ok(());
        }
        if self.head.samples == 0 {
            self.start_frame();
        }
        self.window.resize(len, &self.header);
        self.mark();
        // Means of short windows are too noisy to be judged, and a model knows only whole ones.
        let whole = len == self.header.window;
        let score = match self.header.scores {
            _ if !whole => 0,
            ScoreKind::Model => self.model_score()?,
            ScoreKind::Calibrated => {
                self.calibrated.as_mut().map_or(0, |c| c.next(&self.window.values))
            }
            ScoreKind::None | ScoreKind::Running => 0,
        };
        #[cfg(debug_assertions)]
        let original = self.window.values.clone();
        let before = self.coder.bits();
        self.marks.code_times(&mut self.coder, self.last_time, &mut self.window.times);
        self.marks.code_marks(&mut self.coder, &mut self.window);
        if !(whole && self.code_learned()?) {
            self.plain.code(&mut self.coder, &mut self.window);
        }
        #[cfg(debug_assertions)]
        self.verify(&original);
        if let Some(&time) = self.window.times.last() {
            self.last_time = time;
        }
        match self.header.scores {
            ScoreKind::None => {}
            ScoreKind::Model | ScoreKind::Calibrated => self.head.scores.push(score),
            ScoreKind::Running => {
                let bits = (self.coder.bits() - before) as f32;
                self.head.scores.push(self.score.next(bits / self.window.values.len() as f32));
            }
        }
        self.head.samples += len;
        self.window.resize(self.header.window, &self.header);
        Ok(())
    }

    /// Codes a whole window with the network if that is better; returns whether it was.
    fn code_learned(&mut self) -> Result<bool, SensorError> {
        let Some(learned) = self.learned.as_mut().filter(|_| self.header.needs_model()) else {
            return Ok(false);
        };
        let plain = self.plain.measure(&mut self.window);
        let better = learned.attempt(&self.header, &self.window, plain)?;
        self.marks.code_network(&mut self.coder, better);
        if better {
            learned.keep(&self.header, &mut self.window)?;
        } else {
            learned.discard();
        }
        Ok(better)
    }

    /// The score of a whole window.
    fn model_score(&mut self) -> Result<u8, SensorError> {
        self.learned.as_mut().map_or(Ok(0), |learned| learned.score(&self.window))
    }

    fn start_frame(&mut self) {
        if self.head.number.is_multiple_of(self.header.key_interval) {
            self.head.key = true;
            if let Some(learned) = &mut self.learned {
                learned.reset();
            }
            self.marks.reset();
            self.plain.reset();
        }
        self.head.time = self.window.times.first().copied().unwrap_or(0);
        self.last_time = self.head.time.wrapping_sub(self.header.interval as i64);
    }

    fn end_frame(&mut self, last: bool, out: &mut Vec<u8>) {
        if self.head.samples == 0 {
            // An empty last frame needs nothing of those before.
            self.head.key = true;
            self.head.time = 0;
        }
        self.head.last = last;
        let coder = core::mem::replace(&mut self.coder, BitEncoder::new(Vec::new()));
        let symbols = self.learned.as_mut().map_or_else(Vec::new, Learned::finish_frame);
        self.head.write(&self.header, &coder.finish(), &symbols, out);
        let first_sample = self.head.first_sample + self.head.samples as u64;
        let number = self.head.number.wrapping_add(1);
        self.head = FrameHead { number, first_sample, ..FrameHead::default() };
    }

    /// Decides what each sample of the window is: a level that keeps the promise in the decoder's arithmetic, or
    /// something that is stored as it is.
    fn mark(&mut self) {
        let channels = self.header.channels.len();
        let kind = self.header.sample_type;
        for c in 0..channels {
            let mut literal = kind.to_bits(self.marks.literal(c));
            for i in (c..self.window.values.len()).step_by(channels) {
                let x = self.window.values[i];
                self.window.marks[i] = if x.is_nan() {
                    Mark::Missing
                } else if x == f64::INFINITY {
                    Mark::Above
                } else if x == f64::NEG_INFINITY {
                    Mark::Below
                } else if self.plain.steps().level(c, x).is_some() {
                    Mark::Level
                } else if kind.to_bits(x) == literal {
                    Mark::Repeat
                } else {
                    literal = kind.to_bits(x);
                    Mark::Literal
                };
            }
        }
    }

    /// Checks that the decoder's samples keep the promise.
    #[cfg(debug_assertions)]
    fn verify(&self, original: &[f64]) {
        let channels = self.header.channels.len();
        let bounded = self.header.promise != PromiseKind::Quality;
        for (i, (&x, &y)) in original.iter().zip(&self.window.values).enumerate() {
            let bound = self.header.channels[i % channels].max_error;
            let kept = x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= bound;
            assert!(kept || !bounded, "a decoded sample breaks the promise: {x} became {y}");
        }
    }
}
