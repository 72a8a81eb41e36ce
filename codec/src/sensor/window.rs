//! One window, coded by plain means: marks of samples that have no level, times, then levels or coefficients.
//!
//! The code is written once for both directions: when encoding the window goes in with what is to be coded, and in
//! both cases it comes out with what the decoder has.

use alloc::vec;
use alloc::vec::Vec;

use super::coefficients::CoefficientCoder;
use super::frame::{unzigzag, zigzag};
use super::header::{PromiseKind, SensorHeader};
use super::predict::Predictor;
use super::residual::ResidualCoder;
use super::sample::{self, SampleType};
use super::transform::{self, MAX_BLOCK};
use crate::entropy::binary::{BitCoder, BitCounter};
use crate::entropy::mixing::{Counter, Mixer, Speed};

/// Levels are within ± this.
const MAX_LEVEL: f64 = (1 << 30) as f64;
/// In streams of a quality, samples are within ± this many steps.
const MAX_STEPS: f64 = (1 << 22) as f64;

const SPEED: Speed = Speed { memory: 60, rate: 4 };

/// What a sample is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    /// A level (or, by quality, near one).
    Level = 0,
    /// Missing: NaN.
    Missing = 1,
    /// Plus infinity.
    Above = 2,
    /// Minus infinity.
    Below = 3,
    /// Stored as it is.
    Literal = 4,
    /// The last literal of the channel once more.
    Repeat = 5,
}

impl Mark {
    fn from_code(code: u32) -> Option<Self> {
        [Self::Level, Self::Missing, Self::Above, Self::Below, Self::Literal, Self::Repeat]
            .get(code as usize)
            .copied()
    }
}

/// The samples of one window; `[time][channel]`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Window {
    /// One for each sample time, in streams with times.
    pub(crate) times: Vec<i64>,
    pub(crate) marks: Vec<Mark>,
    pub(crate) values: Vec<f64>,
}

impl Window {
    /// Makes room for `len` sample times.
    pub(crate) fn resize(&mut self, len: usize, header: &SensorHeader) {
        let values = len * header.channels.len();
        self.times.resize(if header.time_unit.is_some() { len } else { 0 }, 0);
        self.marks.resize(values, Mark::Level);
        self.values.resize(values, 0.0);
    }
}

/// What is known of marks and times.
#[derive(Debug, Clone)]
pub(crate) struct MarkCoder {
    sample_type: SampleType,
    interval: i64,
    clean: Vec<[Counter; 2]>,
    was_clean: Vec<bool>,
    same: [Counter; 6],
    code: [Counter; 8],
    literal: Vec<f64>,
    regular: [Counter; 2],
    exponent: [Counter; 64],
    was_regular: bool,
    network: [Counter; 2],
    was_network: bool,
}

/// Codes one bit with a single counter.
fn single<C: BitCoder>(coder: &mut C, counter: &mut Counter, bit: bool) -> bool {
    let mut mixer = Mixer::<1>::EVEN;
    let counters = core::slice::from_mut(counter);
    let mixed = mixer.predict(counters, [0]);
    mixer.code(coder, counters, [0], &mixed, bit, SPEED)
}

impl MarkCoder {
    pub(crate) fn new(header: &SensorHeader) -> Self {
        let channels = header.channels.len();
        Self {
            sample_type: header.sample_type,
            interval: header.interval as i64,
            clean: vec![[Counter::EVEN; 2]; channels],
            was_clean: vec![true; channels],
            same: [Counter::EVEN; 6],
            code: [Counter::EVEN; 8],
            literal: vec![0.0; channels],
            regular: [Counter::EVEN; 2],
            exponent: [Counter::EVEN; 64],
            was_regular: true,
            network: [Counter::EVEN; 2],
            was_network: false,
        }
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        self.clean.fill([Counter::EVEN; 2]);
        self.was_clean.fill(true);
        self.same = [Counter::EVEN; 6];
        self.code = [Counter::EVEN; 8];
        self.literal.fill(0.0);
        self.regular = [Counter::EVEN; 2];
        self.exponent = [Counter::EVEN; 64];
        self.was_regular = true;
        self.network = [Counter::EVEN; 2];
        self.was_network = false;
    }

    /// Codes whether a window went through the network.
    pub(crate) fn code_network<C: BitCoder>(&mut self, coder: &mut C, network: bool) -> bool {
        let context = usize::from(self.was_network);
        self.was_network = single(coder, &mut self.network[context], network);
        self.was_network
    }

    /// The last literal of a channel, which [`Mark::Repeat`] repeats.
    pub(crate) fn literal(&self, channel: usize) -> f64 {
        self.literal[channel]
    }

    /// Codes times as differences from the usual interval; `last` is the time before the window.
    pub(crate) fn code_times<C: BitCoder>(&mut self, coder: &mut C, last: i64, times: &mut [i64]) {
        let mut last = last;
        for time in times {
            let odd = zigzag(time.wrapping_sub(last).wrapping_sub(self.interval));
            let regular = single(coder, &mut self.regular[usize::from(self.was_regular)], odd == 0);
            let odd = if regular {
                0
            } else {
                self.code_long(coder, odd.saturating_sub(1)).saturating_add(1)
            };
            *time = last.wrapping_add(self.interval).wrapping_add(unzigzag(odd));
            last = *time;
            self.was_regular = regular;
        }
    }

    /// An Elias-gamma code whose exponent has models.
    fn code_long<C: BitCoder>(&mut self, coder: &mut C, value: u64) -> u64 {
        let shifted = value.saturating_add(1);
        let mut count = 0;
        while count < 63
            && single(coder, &mut self.exponent[count as usize], count < shifted.ilog2())
        {
            count += 1;
        }
        let high = coder
            .raw((shifted >> 32) as u32 & mask(count.saturating_sub(32)), count.saturating_sub(32));
        let low = coder.raw(shifted as u32 & mask(count.min(32)), count.min(32));
        ((1 << count) | u64::from(high) << 32 | u64::from(low)) - 1
    }

    /// Codes the marks, and the values of samples without level; false if a mark is none.
    pub(crate) fn code_marks<C: BitCoder>(&mut self, coder: &mut C, window: &mut Window) -> bool {
        let channels = self.clean.len();
        for c in 0..channels {
            let marks = window.marks.iter().skip(c).step_by(channels);
            let clean = !C::DECODES && marks.clone().all(|&m| m == Mark::Level);
            let clean = single(coder, &mut self.clean[c][usize::from(self.was_clean[c])], clean);
            self.was_clean[c] = clean;
            if clean {
                window.marks.iter_mut().skip(c).step_by(channels).for_each(|m| *m = Mark::Level);
                continue;
            }
            let mut before = Mark::Level;
            let positions = (c..window.marks.len()).step_by(channels);
            for i in positions {
                let Some(mark) = self.code_mark(coder, before, window.marks[i]) else {
                    return false;
                };
                window.marks[i] = mark;
                before = mark;
                match mark {
                    Mark::Level => {}
                    Mark::Missing => window.values[i] = f64::NAN,
                    Mark::Above => window.values[i] = f64::INFINITY,
                    Mark::Below => window.values[i] = f64::NEG_INFINITY,
                    Mark::Repeat => window.values[i] = self.literal[c],
                    Mark::Literal => {
                        let (bits, count) = self.sample_type.to_bits(window.values[i]);
                        let high = coder.raw((bits >> 32) as u32, count - 32);
                        let low = coder.raw(bits as u32, 32);
                        let value =
                            self.sample_type.value_of_bits(u64::from(high) << 32 | u64::from(low));
                        window.values[i] = value;
                        self.literal[c] = value;
                    }
                }
            }
        }
        true
    }

    fn code_mark<C: BitCoder>(&mut self, coder: &mut C, before: Mark, mark: Mark) -> Option<Mark> {
        if single(coder, &mut self.same[before as usize], mark == before) {
            return Some(before);
        }
        // Three bits, each in the context of those before.
        let mut node = 1;
        for bit in (0..3).rev() {
            let bit = single(coder, &mut self.code[node as usize], mark as u32 >> bit & 1 == 1);
            node = node << 1 | u32::from(bit);
        }
        Mark::from_code(node - 8)
    }
}

fn mask(bits: u32) -> u32 {
    ((1u64 << bits) - 1) as u32
}

/// What levels of each channel stand for.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    promise: PromiseKind,
    sample_type: SampleType,
    levels_per_unit: Vec<f64>,
    max_error: Vec<f64>,
}

impl Steps {
    pub(crate) fn new(header: &SensorHeader) -> Self {
        Self {
            promise: header.promise,
            sample_type: header.sample_type,
            levels_per_unit: header.channels.iter().map(|c| c.levels_per_unit).collect(),
            max_error: header.channels.iter().map(|c| c.max_error).collect(),
        }
    }

    /// The level for a sample of a channel, if there is one that keeps the promise in the decoder's arithmetic; by quality
    /// 0, for all samples that are near enough to have coefficients.
    pub(crate) fn level(&self, channel: usize, x: f64) -> Option<i32> {
        let steps = x * self.levels_per_unit[channel];
        if self.levels_per_unit[channel] == 0.0 || steps.is_nan() {
            return None;
        }
        if self.promise == PromiseKind::Quality {
            return (-MAX_STEPS..=MAX_STEPS).contains(&steps).then_some(0);
        }
        if !(-MAX_LEVEL..=MAX_LEVEL).contains(&steps) {
            return None;
        }
        let nearest = sample::round(steps) as i32;
        let kept = |level: &i32| (self.value(channel, *level) - x).abs() <= self.max_error[channel];
        [nearest, nearest - 1, nearest + 1].into_iter().find(kept)
    }

    /// The sample that a level of a channel stands for.
    fn value(&self, channel: usize, level: i32) -> f64 {
        self.sample_type.round(f64::from(level) / self.levels_per_unit[channel])
    }
}

/// The plain way to code values, with all that it has learnt.
#[derive(Debug, Clone)]
pub(crate) struct Plain {
    steps: Steps,
    method: Method,
}

#[derive(Debug, Clone)]
enum Method {
    Levels { predictor: Predictor, residuals: ResidualCoder },
    Coefficients { coder: CoefficientCoder, block: Vec<f32> },
}

impl Plain {
    pub(crate) fn new(header: &SensorHeader) -> Self {
        let channels = header.channels.len();
        let method = match header.promise {
            PromiseKind::Quality => Method::Coefficients {
                coder: CoefficientCoder::new(channels),
                block: Vec::with_capacity(MAX_BLOCK),
            },
            _ => Method::Levels {
                predictor: Predictor::new(channels),
                residuals: ResidualCoder::new(channels),
            },
        };
        Self { steps: Steps::new(header), method }
    }

    /// What levels stand for.
    pub(crate) fn steps(&self) -> &Steps {
        &self.steps
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        match &mut self.method {
            Method::Levels { predictor, residuals } => {
                predictor.reset();
                residuals.reset();
            }
            Method::Coefficients { coder, .. } => coder.reset(),
        }
    }

    /// Bits that coding the window would take, within a few, and the sum of squared errors, in steps. Nothing is learnt,
    /// and the window stays as it is. Only for streams of a quality.
    pub(crate) fn measure(&mut self, window: &mut Window) -> (u64, f64) {
        let mut counter = BitCounter::new();
        let Method::Coefficients { coder, .. } = &self.method else { return (0, 0.0) };
        let position = coder.position();
        let error = self.code(&mut counter, window);
        if let Method::Coefficients { coder, .. } = &mut self.method {
            coder.go_back(position);
        }
        (counter.bits(), error)
    }

    /// Codes the values of samples marked as levels, which the decoder's replace; a coder that only measures leaves them,
    /// and gets the sum of squared errors instead.
    pub(crate) fn code<C: BitCoder>(&mut self, coder: &mut C, window: &mut Window) -> f64 {
        let mut error = 0.0;
        match &mut self.method {
            Method::Levels { predictor, residuals } => {
                let channels = self.steps.max_error.len();
                for (i, (mark, x)) in window.marks.iter().zip(&mut window.values).enumerate() {
                    let c = i % channels;
                    if *mark == Mark::Level {
                        // A sample with this mark has a level. Finding it again is cheaper than keeping it.
                        let level =
                            if C::DECODES { 0 } else { self.steps.level(c, *x).unwrap_or(0) };
                        let level = code_level(coder, predictor, residuals, c, level);
                        *x = self.steps.value(c, level);
                    } else {
                        predictor.hold(c);
                    }
                }
            }
            Method::Coefficients { coder: coefficients, block } => {
                let channels = self.steps.levels_per_unit.len();
                let mut start = 0;
                for n in transform::blocks(window.marks.len() / channels) {
                    let mut others = [0; MAX_BLOCK];
                    for (c, &levels) in self.steps.levels_per_unit.iter().enumerate() {
                        let positions =
                            (start * channels + c..(start + n) * channels).step_by(channels);
                        if positions.clone().all(|i| window.marks[i] != Mark::Level) {
                            continue;
                        }
                        let mean = coefficients.mean(c);
                        block.clear();
                        block.resize(n, 0.0);
                        if !C::DECODES {
                            for (x, i) in block.iter_mut().zip(positions.clone()) {
                                let there = window.marks[i] == Mark::Level;
                                let steps = (window.values[i] * levels - mean) as f32;
                                *x = if there { steps } else { f32::NAN };
                            }
                            transform::bridge(block);
                            transform::forward(block);
                        }
                        coefficients.code(coder, c, block, &mut others);
                        transform::inverse(block);
                        for (i, &steps) in positions.zip(block.iter()) {
                            if window.marks[i] == Mark::Level {
                                let value = self
                                    .steps
                                    .sample_type
                                    .round((f64::from(steps) + mean) / levels);
                                if C::LEARNS {
                                    window.values[i] = value;
                                } else {
                                    let distance = (value - window.values[i]) * levels;
                                    error += distance * distance;
                                }
                            }
                        }
                    }
                    start += n;
                }
            }
        }
        error
    }
}

fn code_level<C: BitCoder>(
    coder: &mut C,
    predictor: &mut Predictor,
    residuals: &mut ResidualCoder,
    channel: usize,
    level: i32,
) -> i32 {
    let prediction = predictor.predict(channel);
    let whole = ((prediction + 128) >> 8).clamp(-(1 << 30), 1 << 30);
    let fraction = (prediction - (whole << 8)).clamp(-128, 127) as i32;
    let whole = whole as i32;
    // Two levels within ±2^30: their difference fits.
    let residual = residuals.code(coder, channel, fraction, level.wrapping_sub(whole));
    let level = whole.wrapping_add(residual).clamp(-(1 << 30), 1 << 30);
    predictor.learn(channel, level);
    level
}
