//! Linear prediction of whole numbers from those before them.
//!
//! Every channel has a predictor that is fitted to its past as it goes: recursive covariances with exponential
//! forgetting, and every few samples a least-squares solution by LDLᵀ decomposition. Inputs are the last
//! differences of the channel itself, those of other channels, and how far the last value is from the channel's
//! slow mean. All of it is single IEEE-754 operations in one order (never fused), so that the decoder computes
//! the same bits on another processor.

use alloc::vec;
use alloc::vec::Vec;

/// Differences of the channel itself.
const OWN: usize = 8;
/// Channels before it in the frame that are looked at, and after it.
const OTHERS: usize = 5;
/// All inputs: own differences, two of each other channel, the distance from the mean.
const INPUTS: usize = OWN + 2 * OTHERS + 1;
/// Samples between solutions.
const PERIOD: u32 = 16;
/// What a covariance keeps from sample to sample.
const KEEP: f32 = 0.998;
/// Added to variances, in units of squared steps.
const RIDGE: f32 = 1.5;

/// What a channel has learnt.
#[derive(Debug, Clone)]
struct Channel {
    /// Lower triangle of the covariance of the inputs, row by row.
    covariance: Vec<f32>,
    /// Covariance of inputs and target.
    target: [f32; INPUTS],
    weights: [f32; INPUTS],
    /// Differences, latest first.
    past: [f32; OWN],
    last: i64,
    mean: f32,
    /// Samples since the last solution.
    age: u32,
}

impl Channel {
    /// Nothing learnt; the covariance is still to be allocated.
    const NEW: Self = Channel {
        covariance: Vec::new(),
        target: [0.0; INPUTS],
        weights: [0.0; INPUTS],
        past: [0.0; OWN],
        last: 0,
        mean: 0.0,
        age: 0,
    };
}

/// Predictors of all channels of a stream.
#[derive(Debug, Clone)]
pub(crate) struct Predictor {
    channels: Vec<Channel>,
    inputs: [f32; INPUTS],
    /// The decomposition, row by row, and its diagonal.
    scratch: Vec<f32>,
}

/// A prediction in units of 1/256.
pub(crate) type Fixed = i64;

impl Predictor {
    pub(crate) fn new(channels: usize) -> Self {
        let covariance = vec![0.0; INPUTS * (INPUTS + 1) / 2];
        let channel = Channel { covariance, ..Channel::NEW };
        Predictor {
            channels: vec![channel; channels],
            inputs: [0.0; INPUTS],
            scratch: vec![0.0; INPUTS * (INPUTS + 1) / 2],
        }
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        for channel in &mut self.channels {
            channel.covariance.fill(0.0);
            let covariance = core::mem::take(&mut channel.covariance);
            *channel = Channel { covariance, ..Channel::NEW };
        }
    }

    /// What the next value of `channel` should be, when those of lower channels at the same time are known.
    pub(crate) fn predict(&mut self, channel: usize) -> Fixed {
        self.gather(channel);
        let this = &self.channels[channel];
        let sum = dot(&self.inputs, &this.weights);
        let bounded = sum.clamp(-1e9, 1e9);
        (this.last << 8) + (bounded * 256.0) as i64
    }

    fn gather(&mut self, channel: usize) {
        let this = &self.channels[channel];
        self.inputs[..OWN].copy_from_slice(&this.past);
        self.inputs[OWN..].fill(0.0);
        let count = self.channels.len();
        for other in 0..OTHERS.min(count.saturating_sub(1)) {
            // Neighbours in turn, cyclically, those before first.
            let index = (channel + count - 1 - other) % count;
            let past = &self.channels[index].past;
            self.inputs[OWN + 2 * other] = past[0];
            self.inputs[OWN + 2 * other + 1] = past[1];
        }
        self.inputs[INPUTS - 1] = this.mean - this.last as f32;
    }

    /// Tells what the value was; call it right after [`predict`](Self::predict).
    pub(crate) fn learn(&mut self, channel: usize, value: i32) {
        let this = &mut self.channels[channel];
        let difference = (i64::from(value) - this.last) as f32;
        let gain = (1.0 - KEEP) * difference;
        let mut rest = &mut this.covariance[..];
        for i in 0..INPUTS {
            let (row, after) = core::mem::take(&mut rest).split_at_mut(i + 1);
            rest = after;
            let scaled = (1.0 - KEEP) * self.inputs[i];
            for (c, &x) in row.iter_mut().zip(&self.inputs) {
                *c = *c * KEEP + x * scaled;
            }
        }
        for (t, &x) in this.target.iter_mut().zip(&self.inputs) {
            *t = *t * KEEP + x * gain;
        }
        this.past.copy_within(..OWN - 1, 1);
        this.past[0] = difference;
        this.last = value.into();
        this.mean += (value as f32 - this.mean) * 0.01;
        this.age += 1;
        if this.age >= PERIOD {
            this.age = 0;
            solve(&this.covariance, &this.target, &mut this.weights, &mut self.scratch);
        }
    }
}

impl Predictor {
    /// Passes over a sample that has no level: as if it were equal to the last one, but nothing is learnt from it.
    pub(crate) fn hold(&mut self, channel: usize) {
        let this = &mut self.channels[channel];
        this.past.copy_within(..OWN - 1, 1);
        this.past[0] = 0.0;
    }
}

/// Eight sums side by side, then added in pairs: one order, whatever the processor.
fn dot(a: &[f32; INPUTS], b: &[f32; INPUTS]) -> f32 {
    let mut sums = [0.0; 8];
    for (a, b) in a.chunks(8).zip(b.chunks(8)) {
        for ((s, &a), &b) in sums.iter_mut().zip(a).zip(b) {
            *s += a * b;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

/// Solves (C + ridge) w = t by C = L D Lᵀ. Directions in which the inputs hardly vary get nothing.
fn solve(covariance: &[f32], target: &[f32; INPUTS], weights: &mut [f32; INPUTS], l: &mut [f32]) {
    let at = |i: usize| i * (i + 1) / 2;
    let mut diagonal = [0.0f32; INPUTS];
    let mut y = [0.0f32; INPUTS];
    let mut row_buffer = [0.0f32; INPUTS];
    for i in 0..INPUTS {
        let (done, row) = l.split_at_mut(at(i));
        let row = &mut row[..=i];
        // row_buffer[j] = L[i][j] D[j]
        for j in 0..i {
            let other = &done[at(j)..at(j) + j];
            let mut sum = covariance[at(i) + j];
            for (&a, &b) in row_buffer[..j].iter().zip(other) {
                sum -= a * b;
            }
            row_buffer[j] = sum;
            row[j] = sum * diagonal[j];
        }
        let variance = covariance[at(i) + i];
        let mut d = variance + (RIDGE + variance * 1e-5);
        for (&a, &b) in row_buffer[..i].iter().zip(row.iter()) {
            d -= a * b;
        }
        // The reciprocal, or nothing.
        diagonal[i] = if d > variance * 1e-5 && d > 1e-6 { 1.0 / d } else { 0.0 };
        row[i] = 1.0;
        let mut sum = target[i];
        for (&a, &b) in row[..i].iter().zip(&y) {
            sum -= a * b;
        }
        y[i] = sum;
    }
    for i in (0..INPUTS).rev() {
        y[i] *= diagonal[i];
        for j in i + 1..INPUTS {
            y[i] -= l[at(j) + i] * y[j];
        }
    }
    if y.iter().all(|w| w.is_finite()) {
        *weights = y;
    }
}
