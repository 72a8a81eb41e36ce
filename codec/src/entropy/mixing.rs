//! Adaptive bit models that are mixed.
//!
//! Several counters, each in a context of its own, estimate the probability of the next bit. Their
//! estimates are averaged in the logistic domain with weights that are learnt as bits go by (M. Mahoney,
//! *Adaptive weighing of context models for lossless data compression*, Florida Tech CS-2005-16). All of it
//! is integer arithmetic on tables that the compiler computes.

use super::binary::BitCoder;

/// One nat in the logistic domain.
const NAT: i32 = 256;
/// The logistic domain reaches to ±[`LIMIT`].
const LIMIT: i32 = 2047;
/// Weight 1.
const ONE: i32 = 1 << 16;

/// `65536 / (1 + e^(−d / 256))` for d = −2048 … 2047, at index d + 2048.
static SQUASH: [u16; 4096] = squash_table();
/// The inverse: the least d whose squash reaches the middle of p, at index p / 16.
static STRETCH: [i16; 4096] = stretch_table();

const fn squash_table() -> [u16; 4096] {
    // e^(−1/256) by its Taylor series, then powers of it.
    let (mut step, mut term, mut n) = (1.0, 1.0, 1);
    while n < 12 {
        term *= -1.0 / (NAT as f64) / n as f64;
        step += term;
        n += 1;
    }
    let mut table = [0; 4096];
    let (mut power, mut d) = (1.0, 0);
    while d < 2048 {
        let high = 65536.0 / (1.0 + power);
        table[2048 + d] = if high > 65535.0 { 65535 } else { (high + 0.5) as u16 };
        if d < 2048 {
            table[2048 - d] = (65536.0 - high + 0.5) as u16;
        }
        power *= step;
        d += 1;
    }
    table[0] = table[1];
    table
}

const fn stretch_table() -> [i16; 4096] {
    let squash = squash_table();
    let mut table = [0; 4096];
    let (mut d, mut p) = (0, 0);
    while p < 4096 {
        while d < 4095 && (squash[d] as usize) < p * 16 + 8 {
            d += 1;
        }
        let value = d as i32 - 2048;
        table[p] = if value < -LIMIT { -LIMIT as i16 } else { value as i16 };
        p += 1;
    }
    table
}

/// The probability, in units of 2^-16, that `d` stands for in the logistic domain.
pub(crate) fn squash(d: i32) -> u32 {
    SQUASH[(d.clamp(-LIMIT, LIMIT) + 2048) as usize].into()
}

/// How much the two outcomes of a bit differ in cost, in bits times 256: positive where a 1 is cheaper.
pub(crate) fn advantage_of_one(d: i32) -> i32 {
    // 1 / ln 2 = 369.3 / 256.
    d.clamp(-LIMIT, LIMIT) * 369 / NAT
}

/// An adaptive estimate of the probability of a 1: 22 bits of it above 10 bits of experience.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter(u32);

impl Counter {
    /// One half, and quick to learn.
    pub(crate) const EVEN: Self = Self(1 << 31);

    /// In units of 2^-12.
    fn quantised(self) -> usize {
        (self.0 >> 20) as usize
    }

    fn learn(&mut self, bit: bool, memory: u32) {
        let seen = self.0 & 1023;
        let value = (self.0 >> 10) as i32;
        let target = if bit { (1 << 22) - 1 } else { 0 };
        let rate = (1 << 17) / (2 * seen as i32 + 3);
        let value = value + (((target - value) as i64 * i64::from(rate)) >> 16) as i32;
        self.0 = (value as u32) << 10 | (seen + 1).min(memory);
    }
}

/// Weights of `N` counters, learnt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mixer<const N: usize> {
    weights: [i32; N],
}

/// What a mixer says about the next bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mixed<const N: usize> {
    inputs: [i32; N],
    /// The mixed estimate, in the logistic domain.
    pub(crate) logit: i32,
}

impl<const N: usize> Mixer<N> {
    /// All counters alike.
    pub(crate) const EVEN: Self = Self { weights: [ONE * 2 / (N as i32 + 1); N] };

    #[inline]
    pub(crate) fn predict(&self, counters: &[Counter], at: [usize; N]) -> Mixed<N> {
        let inputs = at.map(|at| i32::from(STRETCH[counters[at].quantised()]));
        let sum: i64 =
            inputs.iter().zip(&self.weights).map(|(&x, &w)| i64::from(x) * i64::from(w)).sum();
        let logit = (sum >> 16).clamp(-i64::from(LIMIT), i64::from(LIMIT)) as i32;
        Mixed { inputs, logit }
    }

    #[inline]
    fn learn(&mut self, mixed: &Mixed<N>, bit: bool, rate: i32) {
        let error = ((i32::from(bit) << 16) - squash(mixed.logit) as i32) * rate;
        for (weight, &input) in self.weights.iter_mut().zip(&mixed.inputs) {
            let step = (i64::from(input) * i64::from(error) + (1 << 17)) >> 18;
            *weight = (i64::from(*weight) + step).clamp(-(8 * ONE) as i64, (8 * ONE) as i64) as i32;
        }
    }

    /// Codes one bit with the estimate that [`predict`](Self::predict) gave for it; counters and weights learn.
    #[inline]
    pub(crate) fn code<C: BitCoder>(
        &mut self,
        coder: &mut C,
        counters: &mut [Counter],
        at: [usize; N],
        mixed: &Mixed<N>,
        bit: bool,
        speed: Speed,
    ) -> bool {
        let bit = coder.bit_with(squash(mixed.logit), bit);
        if !C::LEARNS {
            return bit;
        }
        self.learn(mixed, bit, speed.rate);
        for at in at {
            counters[at].learn(bit, speed.memory);
        }
        bit
    }
}

/// How fast models learn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Speed {
    /// Bits after which a counter forgets, at most 1023.
    pub(crate) memory: u32,
    /// Learning rate of the weights.
    pub(crate) rate: i32,
}
