//! Interleaved rANS, the encoding side.
//!
//! rANS decodes last in, first out, so symbols are queued in decoding order and
//! [`finish`](RansEncoder::finish) codes them backwards. See [`RansDecoder`](super::RansDecoder)
//! for the arithmetic.

use super::queue::Queue;
use super::rans::{LANE_BITS, LOWER, MAX_LANES, RansError};
use super::tables::{EncodeSlot, Located, PRECISION, TableSet, escape_bits};
use alloc::vec::Vec;

/// Queues symbols with their tables and writes the payload.
#[derive(Debug, Clone, Default)]
pub struct RansEncoder<'a> {
    /// Checked against their tables.
    queue: Queue,
    /// Table sets, each with the length of the queue when its use began.
    sets: Vec<(usize, &'a TableSet)>,
}

impl<'a> RansEncoder<'a> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty queue with room for so many symbols: small devices have none for the blocks that pictures need.
    #[must_use]
    pub fn with_capacity(symbols: usize) -> Self {
        Self { queue: Queue::with_capacity(symbols), sets: Vec::new() }
    }

    /// Number of symbols queued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.len()
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.len() == 0
    }

    /// Forgets the queue, keeping its memory.
    pub fn clear(&mut self) {
        self.queue.clear();
        self.sets.clear();
    }

    /// Forgets all but the first `len` symbols.
    pub fn truncate(&mut self, len: usize) {
        self.queue.truncate(len);
        self.sets.retain(|&(start, _)| start < len);
    }

    /// Queues `symbol` under table `index` of `set`.
    pub fn push(&mut self, set: &'a TableSet, index: u8, symbol: i32) -> Result<(), RansError> {
        self.push_run(set, &[index], &[symbol])
    }

    /// Queues a run of symbols. On an error nothing is queued.
    pub fn push_run<T: Copy + Into<i32>>(
        &mut self,
        set: &'a TableSet,
        indices: &[u8],
        symbols: &[T],
    ) -> Result<(), RansError> {
        if indices.len() != symbols.len() {
            return Err(RansError::RunLength { indices: indices.len(), symbols: symbols.len() });
        }
        let mut pairs = indices.iter().zip(symbols).map(|(&index, &symbol)| (index, symbol.into()));
        if !pairs.clone().fold(true, |valid, (i, s)| valid & is_valid(set, i, s)) {
            return Err(match pairs.find(|&(i, s)| !is_valid(set, i, s)) {
                Some((index, _)) if usize::from(index) >= set.len() => {
                    RansError::NoTable { index, count: set.len() }
                }
                other => RansError::SymbolTooLarge(other.map_or(0, |(_, s)| s)),
            });
        }
        let before = self.queue.len();
        self.queue.extend(indices, symbols);
        if !self.sets.last().is_some_and(|(_, last)| core::ptr::eq(*last, set)) {
            self.sets.push((before, set));
        }
        Ok(())
    }

    /// Queues entries made with [`entry`](super::entry), and in `large` the symbols of those that do not fit one, in
    /// order. Their tables must be in the set and their magnitudes at most [`MAX_MAGNITUDE`](super::MAX_MAGNITUDE).
    pub(crate) fn push_entries(&mut self, set: &'a TableSet, entries: &[u16], large: &[i32]) {
        let before = self.queue.len();
        self.queue.extend_entries(entries, large);
        if !self.sets.last().is_some_and(|(_, last)| core::ptr::eq(*last, set)) {
            self.sets.push((before, set));
        }
    }

    /// Codes the queue with as many states as suit its size. An empty queue gives no bytes.
    #[must_use]
    pub fn finish(&self) -> Vec<u8> {
        // Each state beyond the first costs about 3 bytes: about 0.1 % here. Short payloads are quickly coded again.
        let fastest = self.finish_with(2);
        let log2_lanes = match fastest.len() {
            0..3_000 => 0,
            3_000..8_000 => 1,
            _ => return fastest,
        };
        // Small devices have no room for two payloads.
        drop(fastest);
        self.finish_with(log2_lanes)
    }

    /// Bytes the queue will take, within a few bytes.
    #[must_use]
    pub fn cost_bytes(&self) -> u64 {
        let mut cost = 0;
        self.backwards(|_, set, index, symbol| {
            cost += u64::from(set.cost(index, symbol).unwrap_or(0));
        });
        cost.div_ceil(8 << 16)
    }

    /// Codes the queue with `1 << log2_lanes` states.
    pub(super) fn finish_with(&self, log2_lanes: u32) -> Vec<u8> {
        match log2_lanes {
            0 => self.code::<1>(0),
            1 => self.code::<2>(1),
            _ => self.code::<4>(2),
        }
    }

    /// Hands the queue to `take`, last symbol first: position, set, index, symbol.
    #[inline(always)]
    fn backwards(&self, mut take: impl FnMut(usize, &'a TableSet, u8, i32)) {
        let mut earlier = self.sets.iter().rev();
        let Some(mut set) = earlier.next() else { return };
        self.queue.backwards(|position, index, symbol| {
            while position < set.0 {
                match earlier.next() {
                    Some(next) => set = next,
                    None => return,
                }
            }
            take(position, set.1, index, symbol);
        });
    }

    fn code<const N: usize>(&self, log2_lanes: u32) -> Vec<u8> {
        let mut states = [if N == 1 { 0 } else { LOWER }; N];
        // Words in the order they are pushed out: the reverse of the payload's.
        let mut words = Vec::with_capacity(self.queue.len() / 8 + 2 * MAX_LANES);
        self.backwards(|position, set, index, symbol| {
            let mut coder = Coder { state: &mut states[position % N], words: &mut words };
            match set.locate(index, symbol) {
                Some(Located::Listed(slot)) => coder.put(slot),
                Some(Located::Escaped(slot, below, beyond)) => {
                    coder.put_escape(below, beyond);
                    coder.put(slot);
                }
                None => {} // push checked it
            }
        });
        Coder { state: &mut states[0], words: &mut words }.put_raw(log2_lanes, LANE_BITS);
        write(&states, &words)
    }
}

/// The layout of a payload: first state without its leading zero bytes, other states, words.
fn write(states: &[u32], words: &[u16]) -> Vec<u8> {
    let mut out = Vec::with_capacity(4 * states.len() + 2 * words.len());
    if let Some((first, others)) = states.split_first() {
        let width = 4 - first.leading_zeros() as usize / 8;
        out.extend(first.to_le_bytes().into_iter().take(width));
        out.extend(others.iter().flat_map(|x| x.to_le_bytes()));
    }
    out.extend(words.iter().rev().flat_map(|w| w.to_le_bytes()));
    out
}

#[inline(always)]
fn is_valid(set: &TableSet, index: u8, symbol: i32) -> bool {
    usize::from(index) < set.len() && symbol.unsigned_abs() <= super::MAX_MAGNITUDE.unsigned_abs()
}

struct Coder<'a> {
    state: &'a mut u32,
    words: &'a mut Vec<u16>,
}

impl Coder<'_> {
    #[inline(always)]
    fn put(&mut self, slot: &EncodeSlot) {
        let freq = u32::from(slot.freq);
        let mut x = *self.state;
        // From freq << (32 - PRECISION) on, x' would not fit 32 bits.
        if x >> (32 - PRECISION) >= freq {
            self.words.push(x as u16);
            x >>= 16;
        }
        // Exact: with k = 32 + PRECISION the reciprocal r exceeds 2^k / freq by less than 1, so
        // x r exceeds 2^k x / freq by less than x < 2^32 < 2^k / freq, which cannot carry into
        // the quotient; and x < freq << (32 - PRECISION) keeps x r below 2^64.
        let quotient = ((u64::from(x) * slot.reciprocal) >> (32 + PRECISION)) as u32;
        *self.state = x + u32::from(slot.start) + quotient * ((1 << PRECISION) - freq);
    }

    /// `count <= 16` bits of probability 1/2 each; `bits < 2^count`.
    fn put_raw(&mut self, bits: u32, count: u32) {
        let mut x = *self.state;
        if u64::from(x) >> (32 - count) != 0 {
            self.words.push(x as u16);
            x >>= 16;
        }
        *self.state = x << count | bits;
    }

    /// The raw bits of an escape, in the reverse of the order they are read in.
    #[cold]
    #[inline(never)]
    fn put_escape(&mut self, below: bool, beyond: u32) {
        let exponent = escape_bits(beyond) / 2 - 1;
        let mantissa = (beyond + 1) & ((1 << exponent) - 1);
        let low = exponent.min(16);
        self.put_raw(mantissa >> low, exponent - low);
        self.put_raw(mantissa & ((1 << low) - 1), low);
        self.put_raw(0, 1);
        for _ in 0..exponent {
            self.put_raw(1, 1);
        }
        self.put_raw(u32::from(below), 1);
    }
}
