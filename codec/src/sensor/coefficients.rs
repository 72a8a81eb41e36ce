//! Codes the quantised transform coefficients of windows.
//!
//! Magnitudes are coded in unary with mixed models. Contexts: channel and frequency; lower frequencies of the same
//! block; the same frequencies of the block before; those of channels before; how many coefficients near by are not 0.

use alloc::vec;
use alloc::vec::Vec;

use super::residual::exp_golomb;
use super::transform::MAX_BLOCK;
use crate::entropy::binary::BitCoder;
use crate::entropy::mixing::{Counter, Mixer, Speed, advantage_of_one};

const MODELS: usize = 6;
/// Steps of a magnitude with models of their own.
const UNARY: usize = 8;
const CHANNELS: usize = 8;
const PLACES: usize = 32;
const BANDS: usize = 9;
const SPEED: Speed = Speed { memory: 400, rate: 4 };

// Counters of all channels together, then those of each.
const BASE_B: usize = 0;
const BASE_C: usize = BASE_B + 10 * 10 * UNARY;
const BASE_D: usize = BASE_C + 10 * 10 * UNARY;
const BASE_E: usize = BASE_D + 16 * BANDS * UNARY;
const BASE_CHANNELS: usize = BASE_E + 12 * 12 * UNARY;
// Within a channel.
const BASE_A: usize = 0;
const BASE_F: usize = BASE_A + PLACES * UNARY;
const BASE_FIRST: usize = BASE_F + 12 * UNARY;
const CHANNEL: usize = BASE_FIRST + 40;

/// What bits cost when squared errors (in squared steps) are weighed against them.
const LAMBDA: f32 = 0.11;
/// What is taken from magnitudes 1, 2 and others when decoding, as smaller values are more frequent.
const SHRINK: [f32; 3] = [0.03, 0.02, 0.02];

/// Models of coefficients.
#[derive(Debug, Clone)]
pub(crate) struct CoefficientCoder {
    counters: Vec<Counter>,
    mixers: Vec<Mixer<MODELS>>,
    /// Magnitudes of the last block of each channel, spread over [`MAX_BLOCK`] frequencies.
    before: Vec<[u8; MAX_BLOCK]>,
    /// The last mean of each channel, in steps.
    mean: Vec<f64>,
}

/// Where a frequency is: fine classes of 32, coarse ones of 9.
fn place(k: usize) -> (usize, usize) {
    let fine = if k < 16 { k } else { (16 + (k - 16) / 7).min(PLACES - 1) };
    (fine, if k == 0 { 0 } else { 1 + k.ilog2() as usize })
}

/// Ten classes of a sum of magnitudes.
fn coarse(sum: u32) -> usize {
    match sum {
        0..=4 => sum as usize,
        5..=6 => 5,
        7..=9 => 6,
        10..=14 => 7,
        15..=24 => 8,
        _ => 9,
    }
}

/// Classes of a sum of magnitudes up to `most`: single numbers, then two an octave.
fn fine(sum: u32, most: usize) -> usize {
    let class = match sum {
        0..6 => sum,
        _ => sum.ilog2() * 2 + (sum >> (sum.ilog2() - 1) & 1) + 1,
    };
    (class as usize).min(most)
}

/// Magnitudes around a coefficient.
struct Around<'a> {
    /// Lower frequencies of the block.
    now: &'a [u8; MAX_BLOCK],
    /// The block before.
    before: &'a [u8; MAX_BLOCK],
    /// The channels before.
    others: &'a [u8; MAX_BLOCK],
}

impl Around<'_> {
    /// Where the counters of the coefficient at frequency `k` (of [`MAX_BLOCK`], `stretch` to a coefficient) begin.
    fn contexts(&self, channel: usize, k: usize, stretch: usize) -> [usize; MODELS] {
        let level = |list: &[u8; MAX_BLOCK], k: usize| u32::from(list.get(k).copied().unwrap_or(0));
        let lower = |distance: usize| level(self.now, k.wrapping_sub(distance * stretch));
        let near = 2 * lower(1) + lower(2);
        let nearby = near + lower(3) + lower(4);
        let same =
            level(self.before, k - 1) + 2 * level(self.before, k) + level(self.before, k + 1);
        let aside = level(self.before, k.wrapping_sub(2)) + level(self.before, k + 2);
        let others =
            level(self.others, k - 1) + 2 * level(self.others, k) + level(self.others, k + 1);
        let all = near + nearby + 2 * same + aside + others;
        let (place, band) = place(k);
        let own = BASE_CHANNELS + channel * CHANNEL;
        [
            own + BASE_A + place * UNARY,
            BASE_B + (coarse(near) * 10 + coarse(same)) * UNARY,
            BASE_C + (coarse(nearby) * 10 + coarse(others)) * UNARY,
            BASE_D + (fine(all, 15) * BANDS + band.min(BANDS - 1)) * UNARY,
            BASE_E + (fine(same + aside, 11) * 12 + fine(others, 11)) * UNARY,
            own + BASE_F + fine(near + nearby + same, 11) * UNARY,
        ]
    }
}

/// The value that a coefficient stands for, in steps.
fn value(level: i32) -> f32 {
    let shrink = SHRINK[(level.unsigned_abs() as usize).clamp(1, 3) - 1];
    match level {
        0 => 0.0,
        1.. => level as f32 - shrink,
        _ => level as f32 + shrink,
    }
}

impl CoefficientCoder {
    pub(crate) fn new(channels: usize) -> Self {
        Self {
            counters: vec![Counter::EVEN; BASE_CHANNELS + channels.min(CHANNELS) * CHANNEL],
            mixers: vec![Mixer::EVEN; UNARY * BANDS],
            before: vec![[0; MAX_BLOCK]; channels],
            mean: vec![0.0; channels],
        }
    }

    /// What changes with every block, models apart.
    pub(crate) fn position(&self) -> (Vec<[u8; MAX_BLOCK]>, Vec<f64>) {
        (self.before.clone(), self.mean.clone())
    }

    /// Goes back to where [`position`](Self::position) was taken.
    pub(crate) fn go_back(&mut self, (before, mean): (Vec<[u8; MAX_BLOCK]>, Vec<f64>)) {
        self.before = before;
        self.mean = mean;
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        self.counters.fill(Counter::EVEN);
        self.mixers.fill(Mixer::EVEN);
        self.before.fill([0; MAX_BLOCK]);
        self.mean.fill(0.0);
    }

    /// The mean, in steps, that the next block of a channel is relative to.
    pub(crate) fn mean(&self, channel: usize) -> f64 {
        self.mean[channel]
    }

    /// Codes a block of `channel`. The block holds coefficients, in steps, of the samples less [`mean`](Self::mean); the
    /// decoded ones take their place. Channels of a block are coded in ascending order; `others` has the magnitudes of
    /// those before it, and gets this one's.
    pub(crate) fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        channel: usize,
        block: &mut [f32],
        others: &mut [u8; MAX_BLOCK],
    ) {
        let stretch = MAX_BLOCK / block.len().max(1);
        self.code_first(coder, channel, block);
        let mut now = [0u8; MAX_BLOCK];
        for (k, x) in block.iter_mut().enumerate().skip(1) {
            let wide = k * stretch;
            let around = Around { now: &now, before: &self.before[channel], others };
            let band = place(wide).1.min(BANDS - 1);
            let contexts = around.contexts(channel % CHANNELS, wide, stretch);
            let level = self.code_level(coder, contexts, band, *x);
            *x = value(level);
            now[wide..wide + stretch].fill(level.unsigned_abs().min(255) as u8);
        }
        for (o, &m) in others.iter_mut().zip(&now) {
            *o = (*o / 2).saturating_add(m);
        }
        self.before[channel] = now;
    }

    /// Codes one coefficient: decides its level by what it costs and gains, when encoding.
    fn code_level<C: BitCoder>(
        &mut self,
        coder: &mut C,
        contexts: [usize; MODELS],
        band: usize,
        x: f32,
    ) -> i32 {
        let size = if x < 0.0 { -x } else { x };
        // Half to 0.4: larger levels cost more.
        let mut level = (size.min(1e9) + 0.42) as u32;
        let mut coded = 0;
        loop {
            let step = (coded as usize).min(UNARY - 1);
            let at = contexts.map(|base| base + step);
            let mixer = &mut self.mixers[band * UNARY + step];
            let mixed = mixer.predict(&self.counters, at);
            if coded == 0 && !C::DECODES && size < 2.5 {
                // Is it worth not being 0?  One bit of sign, half a bit to end the magnitude.
                let best = if size < 1.5 { 1 } else { 2 };
                let error = size - value(best);
                let bits = 1.6 - advantage_of_one(mixed.logit) as f32 / 256.0 + (best - 1) as f32;
                let gain = size * size - error * error;
                level = if gain > LAMBDA * bits { level.clamp(1, 2) } else { 0 };
            }
            if !mixer.code(coder, &mut self.counters, at, &mixed, level > coded, SPEED) {
                break;
            }
            coded += 1;
            if coded as usize >= UNARY + 8 {
                coded = coded.saturating_add(exp_golomb(coder, level.saturating_sub(coded)));
                break;
            }
        }
        let magnitude = coded.min(1 << 30) as i32;
        if magnitude != 0 && coder.raw(u32::from(x < 0.0), 1) == 1 { -magnitude } else { magnitude }
    }

    /// The mean, as a difference from that of the block before.
    fn code_first<C: BitCoder>(&mut self, coder: &mut C, channel: usize, block: &mut [f32]) {
        let distance = block[0].clamp(-1e9, 1e9);
        let size = if distance < 0.0 { -distance } else { distance };
        let level = (size + 0.45) as u32;
        let base = BASE_CHANNELS + channel % CHANNELS * CHANNEL + BASE_FIRST;
        let mut one = Mixer::<1>::EVEN;
        let mut bit = |at: usize, bit: bool, coder: &mut C| {
            let at = [base + at];
            let mixed = one.predict(&self.counters, at);
            one.code(coder, &mut self.counters, at, &mixed, bit, SPEED)
        };
        // Exp-Golomb, its exponent with models.
        let shifted = level + 1;
        let mut count = 0;
        while count < 31 && bit(count as usize, count < shifted.ilog2(), coder) {
            count += 1;
        }
        let low = coder.raw(shifted & ((1u32 << count) - 1), count);
        let magnitude = ((1u32 << count) - 1 + low) as f32;
        let negative = magnitude > 0.0 && coder.raw(u32::from(distance < 0.0), 1) == 1;
        block[0] = if negative { -magnitude } else { magnitude };
        // √n: the weight of a mean in an orthonormal block.
        let n = block.len().ilog2();
        let root = if n.is_multiple_of(2) { 1.0 } else { core::f64::consts::SQRT_2 };
        self.mean[channel] += f64::from(block[0]) / (root * f64::from(1u32 << (n / 2)));
    }
}
