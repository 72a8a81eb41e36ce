//! Samples to frames.

use alloc::vec::Vec;

use super::frame::FrameHead;
use super::header::{PromiseKind, ScoreKind, SensorHeader};
use super::learned::Learned;
use super::score::{CalibratedScore, RunningScore};
use super::window::{MAX_LEVEL, MAX_STEPS, Mark, MarkCoder, Plain, Window};
use super::{Promise, Sample, SensorError, SensorModel, SensorOptions, sample};
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
    original: Vec<f64>,
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
            original: Vec::with_capacity(window.values.len()),
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
        self.original.clear();
        self.original.extend_from_slice(&self.window.values);
        self.mark();
        let before = self.coder.bits();
        self.marks.code_times(&mut self.coder, self.last_time, &mut self.window.times);
        self.marks.code_marks(&mut self.coder, &mut self.window);
        if !self.code_learned()? {
            self.plain.code(&mut self.coder, &mut self.window);
        }
        if let Some(&time) = self.window.times.last() {
            self.last_time = time;
        }
        if self.header.scores == ScoreKind::Model {
            let score = self.model_score()?;
            self.head.scores.push(score);
        }
        if let Some(calibrated) = &mut self.calibrated {
            // Means of short windows are too noisy to be judged.
            let whole = len == self.header.window;
            self.head.scores.push(if whole { calibrated.next(&self.original) } else { 0 });
        }
        if self.header.scores == ScoreKind::Running {
            let bits = (self.coder.bits() - before) as f32;
            self.head.scores.push(self.score.next(bits / self.original.len() as f32));
        }
        debug_assert!(self.verify(), "a decoded sample breaks the promise");
        self.head.samples += len;
        self.window.resize(self.header.window, &self.header);
        Ok(())
    }

    /// Codes the window with the network if that is better; returns whether it was.
    fn code_learned(&mut self) -> Result<bool, SensorError> {
        let whole = self.original.len() == self.header.window * self.header.channels.len();
        let Some(learned) = self.learned.as_mut().filter(|_| self.header.needs_model() && whole)
        else {
            return Ok(false);
        };
        learned.take(&self.window);
        let attempt = learned.attempt(self.header.quality)?;
        let bits = self.plain.measure(&mut self.window);
        let better =
            learned.is_better(&attempt, &self.header, &self.original, (&self.window, bits));
        self.window.values.copy_from_slice(&self.original);
        self.marks.code_network(&mut self.coder, better);
        if better {
            learned.keep(attempt, &self.header, &mut self.window)?;
        }
        Ok(better)
    }

    /// The score of the window; of a short one 0.
    fn model_score(&mut self) -> Result<u8, SensorError> {
        let whole = self.original.len() == self.header.window * self.header.channels.len();
        let Some(learned) = self.learned.as_mut().filter(|_| whole) else { return Ok(0) };
        // The decoder's samples are still needed by nobody: the original ones are scored.
        let decoded =
            core::mem::replace(&mut self.window.values, core::mem::take(&mut self.original));
        learned.take(&self.window);
        let score = learned.score(&self.window);
        self.original = core::mem::replace(&mut self.window.values, decoded);
        score
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
        for (c, channel) in self.header.channels.iter().enumerate() {
            let mut literal = kind.to_bits(self.marks.literal(c));
            for i in (c..self.window.values.len()).step_by(channels) {
                let x = self.window.values[i];
                let mark = if x.is_nan() {
                    Mark::Missing
                } else if x == f64::INFINITY {
                    Mark::Above
                } else if x == f64::NEG_INFINITY {
                    Mark::Below
                } else if let Some(level) = level(
                    self.header.promise,
                    &self.plain,
                    c,
                    channel.levels_per_unit,
                    channel.max_error,
                    x,
                ) {
                    self.window.levels[i] = level;
                    Mark::Level
                } else if kind.to_bits(x) == literal {
                    Mark::Repeat
                } else {
                    literal = kind.to_bits(x);
                    Mark::Literal
                };
                self.window.marks[i] = mark;
            }
        }
    }

    /// Whether the decoder's samples keep the promise.
    fn verify(&self) -> bool {
        let channels = self.header.channels.len();
        self.header.promise == PromiseKind::Quality
            || self.original.iter().zip(&self.window.values).enumerate().all(|(i, (&x, &y))| {
                let bound = self.header.channels[i % channels].max_error;
                x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= bound
            })
    }
}

/// The level for a sample, if there is one that keeps the promise.
fn level(
    promise: PromiseKind,
    plain: &Plain,
    channel: usize,
    levels_per_unit: f64,
    max_error: f64,
    x: f64,
) -> Option<i32> {
    let steps = x * levels_per_unit;
    if levels_per_unit == 0.0 || steps.is_nan() {
        return None;
    }
    if promise == PromiseKind::Quality {
        return (-MAX_STEPS..=MAX_STEPS).contains(&steps).then_some(0);
    }
    if !(-MAX_LEVEL..=MAX_LEVEL).contains(&steps) {
        return None;
    }
    let nearest = sample::round(steps) as i32;
    let kept = |level: &i32| (plain.value(channel, *level) - x).abs() <= max_error;
    [nearest, nearest - 1, nearest + 1].into_iter().find(kept)
}
