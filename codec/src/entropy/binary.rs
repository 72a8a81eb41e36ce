//! A binary arithmetic coder with adaptive probabilities.
//!
//! The coder keeps an inclusive interval `[low, high]` of 32-bit numbers, splits it in
//! proportion to the probability of a 1 and shifts out leading bytes once both ends share them
//! (carry-less, after Rissanen and Langdon, *Arithmetic coding*, IBM J. Res. Dev. 23(2), 1979).
//! Encoder and decoder implement one trait, so that a model is written once for both.

use alloc::vec::Vec;

/// An adaptive estimate of the probability that a bit is 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Probability {
    /// In units of 2^-32.
    value: u32,
    /// Bits seen, up to [`MEMORY`].
    seen: u16,
}

/// A probability forgets what is much longer ago than this many bits.
const MEMORY: u16 = 160;

impl Probability {
    /// One half, and quick to learn.
    pub(crate) const EVEN: Self = Self { value: 1 << 31, seen: 0 };

    /// In units of 2^-16, never 0 or 1.
    fn scaled(self) -> u32 {
        (self.value >> 16).max(1)
    }

    /// Moves towards `bit` by `1 / (seen + 1.5)`: nearly the mean of the bits seen so far.
    fn learn(&mut self, bit: bool) {
        let rate = u64::from((1 << 17) / (2 * u32::from(self.seen) + 3));
        let distance = if bit { u32::MAX - self.value } else { self.value };
        let step = ((u64::from(distance) * rate) >> 16) as u32;
        self.value = if bit { self.value + step } else { self.value - step };
        self.seen = (self.seen + 1).min(MEMORY);
    }
}

/// Codes bits in one direction or the other.
pub(crate) trait BitCoder {
    /// Whether this decodes: then the bits and values handed in are ignored.
    const DECODES: bool;
    /// Whether models learn from the bits; not if this only measures.
    const LEARNS: bool = true;

    /// Codes one bit; returns the bit coded.
    fn bit(&mut self, probability: &mut Probability, bit: bool) -> bool {
        let bit = self.bit_with(probability.scaled(), bit);
        probability.learn(bit);
        bit
    }

    /// Codes one bit that is 1 with probability `ones / 65536`, `ones` being 1 to 65535; returns the bit coded.
    fn bit_with(&mut self, ones: u32, bit: bool) -> bool;

    /// Codes the lowest `count <= 32` bits of `value`, highest first, each as likely 0 as 1.
    fn raw(&mut self, value: u32, count: u32) -> u32 {
        (0..count)
            .rev()
            .fold(0, |read, at| read << 1 | u32::from(self.bit_with(1 << 15, value >> at & 1 == 1)))
    }
}

/// The last value of the part of `[low, high]` that stands for a 1; below `high`.
fn split(low: u32, high: u32, ones: u32) -> u32 {
    low + ((u64::from(high - low) * u64::from(ones)) >> 16) as u32
}

/// Writes bits.
#[derive(Debug)]
pub(crate) struct BitEncoder {
    low: u32,
    /// Invariant: above `low`, as their first bytes differ.
    high: u32,
    out: Vec<u8>,
}

impl BitEncoder {
    /// Appends to `out`.
    pub(crate) fn new(out: Vec<u8>) -> Self {
        Self { low: 0, high: u32::MAX, out }
    }

    /// Bits written so far, within one.
    pub(crate) fn bits(&self) -> u64 {
        8 * self.out.len() as u64 + u64::from((self.high - self.low).leading_zeros())
    }

    /// Writes the shortest bytes whose continuation by zeros lies in the interval.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        if self.low > 0 {
            // The first bytes of the ends differ: the one above `low`'s, then zeros, is inside.
            self.out.push((self.low >> 24) as u8 + 1);
        }
        self.out
    }
}

impl BitCoder for BitEncoder {
    const DECODES: bool = false;

    #[inline]
    fn bit_with(&mut self, ones: u32, bit: bool) -> bool {
        let middle = split(self.low, self.high, ones);
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.out.push((self.high >> 24) as u8);
            self.low <<= 8;
            self.high = self.high << 8 | 255;
        }
        bit
    }
}

/// Measures what bits would cost.
#[derive(Debug)]
pub(crate) struct BitCounter {
    bits: u64,
    /// The probability of the bits not in `bits` yet, above 2^-512.
    product: f64,
}

impl BitCounter {
    pub(crate) fn new() -> Self {
        Self { bits: 0, product: 1.0 }
    }

    /// Bits so far, within one.
    pub(crate) fn bits(&self) -> u64 {
        self.bits + 1023 - (self.product.to_bits() >> 52)
    }
}

impl BitCoder for BitCounter {
    const DECODES: bool = false;
    const LEARNS: bool = false;

    #[inline]
    fn bit_with(&mut self, ones: u32, bit: bool) -> bool {
        let probability = if bit { ones } else { 65536 - ones };
        self.product *= f64::from(probability) / 65536.0;
        if self.product < 1e-100 {
            // 2^256 is exact.
            self.product *= f64::from_bits((1023 + 256) << 52);
            self.bits += 256;
        }
        bit
    }
}

/// Reads bits. Beyond their end the bytes continue with zeros.
#[derive(Debug)]
pub(crate) struct BitDecoder<'a> {
    low: u32,
    high: u32,
    value: u32,
    bytes: &'a [u8],
    /// Bytes shifted into `value`, those beyond the end included.
    read: usize,
}

impl<'a> BitDecoder<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        let mut decoder = Self { low: 0, high: u32::MAX, value: 0, bytes, read: 0 };
        for _ in 0..4 {
            decoder.shift();
        }
        decoder
    }

    fn shift(&mut self) {
        let byte = self.bytes.get(self.read).copied().unwrap_or(0);
        self.value = self.value << 8 | u32::from(byte);
        self.read += 1;
    }

    /// Bytes the encoder wrote for the bits decoded so far, to tell lost and extra ones.
    pub(crate) fn length(&self) -> usize {
        self.read - 4 + usize::from(self.low > 0)
    }
}

impl BitCoder for BitDecoder<'_> {
    const DECODES: bool = true;

    #[inline]
    fn bit_with(&mut self, ones: u32, _: bool) -> bool {
        let middle = split(self.low, self.high, ones);
        let bit = self.value <= middle;
        if bit {
            self.high = middle;
        } else {
            self.low = middle + 1;
        }
        while (self.low ^ self.high) >> 24 == 0 {
            self.low <<= 8;
            self.high = self.high << 8 | 255;
            self.shift();
        }
        bit
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn certainty_is_cheap() {
        let mut encoder = BitEncoder::new(Vec::new());
        let mut p = Probability::EVEN;
        for _ in 0..100_000 {
            encoder.bit(&mut p, true);
        }
        assert!(encoder.finish().len() < 8);
    }

    proptest! {
        #[test]
        fn round_trip(bits in proptest::collection::vec((any::<bool>(), 0u8..8), 0..2000),
                      bias in 0u8..8) {
            let mut contexts = [Probability::EVEN; 8];
            let mut encoder = BitEncoder::new(Vec::new());
            for &(bit, context) in &bits {
                encoder.bit(&mut contexts[usize::from(context)], bit && context > bias);
            }
            let bytes = encoder.finish();
            let mut contexts = [Probability::EVEN; 8];
            let mut decoder = BitDecoder::new(&bytes);
            for &(bit, context) in &bits {
                let decoded = decoder.bit(&mut contexts[usize::from(context)], false);
                prop_assert_eq!(decoded, bit && context > bias);
            }
            prop_assert_eq!(decoder.length(), bytes.len());
        }
    }
}
