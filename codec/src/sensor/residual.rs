//! Codes how far whole numbers are from their predictions.
//!
//! A residual's magnitude is cut into a quotient, coded in unary with mixed models, and `k` low bits; `k` follows the
//! mean magnitude of late. Contexts: the channel, the mean magnitude over short and long times, the last two
//! magnitudes, that of the channel before, and where between two whole numbers the prediction was.

use alloc::vec;
use alloc::vec::Vec;

use crate::entropy::binary::BitCoder;
use crate::entropy::mixing::{Counter, Mixer, Speed};

const MODELS: usize = 5;
/// Steps of the quotient with models of their own.
const UNARY: usize = 10;
/// Channels with models of their own; others share.
const CHANNELS: usize = 8;
/// Classes of a mean magnitude.
const CLASSES: usize = 20;
const SPEED: Speed = Speed { memory: 250, rate: 6 };

const BASE_B: usize = 0;
const BASE_C: usize = BASE_B + 5 * CLASSES * UNARY;
const BASE_D: usize = BASE_C + 4 * 4 * 4 * UNARY;
const BASE_E: usize = BASE_D + CLASSES / 2 * CLASSES * UNARY;
const BASE_SIGN: usize = BASE_E + CLASSES / 2 * 16 * UNARY;
const BASE_LOW: usize = BASE_SIGN + 17 * 4 + CHANNELS * 3 + 9;
/// Those of each channel come last.
const BASE_A: usize = BASE_LOW + 4 * 8;

#[derive(Debug, Clone, Copy, Default)]
struct Channel {
    /// Mean magnitudes times 256, of about 4, 16 and 128 residuals.
    quick: u64,
    middle: u64,
    slow: u64,
    /// The last two magnitudes.
    last: [u32; 2],
    sign: u32,
}

/// Models of residuals.
#[derive(Debug, Clone)]
pub(crate) struct ResidualCoder {
    counters: Vec<Counter>,
    unary: Vec<Mixer<MODELS>>,
    sign: [Mixer<3>; 4],
    channels: Vec<Channel>,
}

/// Two classes an octave from 1/16 up; beyond 2^5 the classes of an octave repeat, as `k` takes the rest.
fn class(mean: u64) -> usize {
    let value = (mean >> 2) + 4; // 64ths, at least 1/16
    let octave = value.ilog2() as usize; // 2 and up
    let half = (value >> (octave - 1) & 1) as usize;
    let class = (octave - 2) * 2 + half;
    if class < CLASSES { class } else { CLASSES - 2 + class % 2 }
}

impl ResidualCoder {
    pub(crate) fn new(channels: usize) -> Self {
        Self {
            counters: vec![Counter::EVEN; BASE_A + channels.min(CHANNELS) * CLASSES * UNARY],
            unary: vec![Mixer::EVEN; UNARY * 3],
            sign: [Mixer::EVEN; 4],
            channels: vec![Channel::default(); channels],
        }
    }

    /// Forgets all.
    pub(crate) fn reset(&mut self) {
        self.counters.fill(Counter::EVEN);
        self.unary.fill(Mixer::EVEN);
        self.sign = [Mixer::EVEN; 4];
        self.channels.fill(Channel::default());
    }

    /// Codes one residual of `channel`; `fraction` is how far the prediction was above its rounded value, −128 to
    /// 127 in units of 1/256.
    pub(crate) fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        channel: usize,
        fraction: i32,
        residual: i32,
    ) -> i32 {
        let before = self.channels[channel.checked_sub(1).unwrap_or(self.channels.len() - 1)];
        let this = &mut self.channels[channel];
        let mean = (this.quick + this.middle * 2 + this.slow) / 4;
        // Low bits: the quotient is mostly 0 to 3.
        let k = ((mean >> 8) + 1).ilog2().saturating_sub(1);
        let c = channel % CHANNELS;
        let (quick, middle, slow) = (class(this.quick), class(this.middle), class(this.slow));
        let mixed = class(mean);
        let coarse = |m: u32| ((m >> k) as usize).min(3);
        let near = match u64::from(before.last[0]) << 8 {
            m if 2 * m <= before.middle => 0,
            m if m <= before.middle => 1,
            m if m <= 2 * before.middle => 2,
            _ => 3,
        };
        let between = if k == 0 { (fraction.unsigned_abs() as usize / 26).min(4) } else { 0 };
        let a = BASE_A + (c * CLASSES + mixed) * UNARY;
        let b = BASE_B + (between * CLASSES + middle) * UNARY;
        let cc = BASE_C + ((coarse(this.last[0]) * 4 + coarse(this.last[1])) * 4 + near) * UNARY;
        let d = BASE_D + (slow / 2 * CLASSES + quick) * UNARY;
        let e =
            BASE_E + (class((before.quick + before.middle) / 2) / 2 * 16 + (mixed.min(15))) * UNARY;

        let magnitude = residual.unsigned_abs();
        let quotient = magnitude >> k;
        let mut q = 0;
        loop {
            let step = (q as usize).min(UNARY - 1);
            let at = [a + step, b + step, cc + step, d + step, e + step];
            let mixer = &mut self.unary[step * 3 + (k as usize).min(2)];
            let mixed = mixer.predict(&self.counters, at);
            if !mixer.code(coder, &mut self.counters, at, &mixed, quotient > q, SPEED) {
                break;
            }
            q += 1;
            if q as usize >= UNARY + 4 {
                q += exp_golomb(coder, quotient.wrapping_sub(q));
                break;
            }
        }
        let mut low = 0;
        for bit in (0..k).rev() {
            let value = magnitude >> bit & 1;
            let read = if bit + 1 == k && q < 4 {
                // Small quotients: the highest of the low bits is not quite even.
                let at = [BASE_LOW + q as usize * 8 + (k as usize).min(7)];
                let mut one = Mixer::<1>::EVEN;
                let mixed = one.predict(&self.counters, at);
                u32::from(one.code(coder, &mut self.counters, at, &mixed, value == 1, SPEED))
            } else {
                coder.raw(value, 1)
            };
            low = low << 1 | read;
        }
        let magnitude = (q << k) | low;
        let negative = magnitude != 0 && {
            let place = (((fraction + 128) >> 4) as usize).min(16);
            let size = if k > 0 { 3 } else { (magnitude as usize - 1).min(2) };
            let at = [
                BASE_SIGN + place * 4 + size,
                BASE_SIGN + 17 * 4 + c * 3 + this.sign as usize,
                BASE_SIGN + 17 * 4 + CHANNELS * 3 + before.sign as usize * 3 + this.sign as usize,
            ];
            let mixer = &mut self.sign[size];
            let mixed = mixer.predict(&self.counters, at);
            mixer.code(coder, &mut self.counters, at, &mixed, residual < 0, SPEED)
        };
        let this = &mut self.channels[channel];
        let scaled = u64::from(magnitude) << 8;
        this.quick = this.quick - (this.quick >> 2) + (scaled >> 2);
        this.middle = this.middle - (this.middle >> 4) + (scaled >> 4);
        this.slow = this.slow - (this.slow >> 7) + (scaled >> 7);
        this.last = [magnitude, this.last[0]];
        this.sign = if magnitude == 0 { 0 } else { 1 + u32::from(negative) };
        if negative { (magnitude as i32).wrapping_neg() } else { magnitude as i32 }
    }
}

/// An Exp-Golomb code of even bits, up to 2^32 − 2.
pub(crate) fn exp_golomb<C: BitCoder>(coder: &mut C, value: u32) -> u32 {
    let shifted = u64::from(value) + 1;
    let bits = shifted.ilog2();
    let mut count = 0;
    while count < 31 && coder.raw(u32::from(count < bits), 1) == 1 {
        count += 1;
    }
    let low = coder.raw(shifted as u32 & ((1u64 << count) - 1) as u32, count);
    ((1u64 << count) + u64::from(low) - 1) as u32
}
