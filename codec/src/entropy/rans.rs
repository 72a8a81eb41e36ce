//! Interleaved rANS with static tables, the decoding side.
//!
//! Range asymmetric numeral systems (J. Duda, *Asymmetric numeral systems*, arXiv:1311.2540)
//! keep all information in one integer `x`. With slot frequency `f`, slot start `c` and
//! `M = 2^`[`PRECISION`],
//!
//! ```text
//! encode: x' = (x div f) · M + c + (x mod f)
//! decode: find the slot with c <= x' mod M < c + f;  x = f · (x' div M) + (x' mod M) − c
//! ```
//!
//! States are 32 bits wide and renormalised to `[2^16, 2^32)` by 16-bit words. Symbols go to 1,
//! 2 or 4 states in turn, which all draw on one stream of words (F. Giesen, *Interleaved
//! entropy coders*, arXiv:1402.3392), so that a processor can work on several at once.
//!
//! A payload says itself how many states it has; short ones use a single state, which starts at
//! zero and costs next to nothing. `docs/entropy.md` has the layout.

use super::tables::{DecodeSlot, ESCAPE, PRECISION, TableSet};
use core::fmt;

/// Lower bound of a renormalised state.
pub(super) const LOWER: u32 = 1 << 16;
/// The most states a payload interleaves. Measured on Zen 4, tables around σ = 1: 1, 2, 4 and 8
/// states decode 177, 272, 306 and 270 million symbols a second.
pub(super) const MAX_LANES: usize = 4;
/// Raw bits that carry log2 of the number of states.
pub(super) const LANE_BITS: u32 = 2;
/// Longest Exp-Golomb mantissa: magnitudes are at most 2^20.
pub(super) const MAX_EXPONENT: u32 = 20;

/// Why rANS coding failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RansError {
    /// The set has no table of this index.
    NoTable {
        /// The index asked for.
        index: u8,
        /// Tables in the set.
        count: usize,
    },
    /// A symbol to encode has a magnitude above [`MAX_MAGNITUDE`](super::MAX_MAGNITUDE).
    SymbolTooLarge(i32),
    /// Indices and symbols of a run differ in number.
    RunLength {
        /// Indices given.
        indices: usize,
        /// Symbols given, or room for them.
        symbols: usize,
    },
    /// The payload ends before its symbols do.
    Truncated {
        /// Bytes the payload has.
        available: usize,
    },
    /// The payload does not start with the state an encoder writes.
    State {
        /// The state read.
        value: u32,
    },
    /// An escaped magnitude is out of bounds.
    Escape {
        /// Bits of the magnitude.
        exponent: u32,
    },
    /// A decoded symbol does not fit the output type.
    Overflow(i32),
    /// After the last symbol a state is not at its initial value: the payload is damaged, or
    /// other tables made it.
    FinalState {
        /// The state left over.
        value: u32,
    },
    /// Bytes are left after the last symbol.
    Unread {
        /// How many.
        count: usize,
    },
}

impl fmt::Display for RansError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoTable { index, count } => write!(f, "no table {index} among {count}"),
            Self::SymbolTooLarge(s) => write!(f, "symbol {s} exceeds the largest magnitude"),
            Self::RunLength { indices, symbols } => {
                write!(f, "{indices} table indices for {symbols} symbols")
            }
            Self::Truncated { available } => {
                write!(f, "the {available} bytes of the payload end before its symbols")
            }
            Self::State { value } => write!(f, "no encoder writes the first state {value:#x}"),
            Self::Escape { exponent } => write!(f, "escaped symbol of {exponent} bits or more"),
            Self::Overflow(s) => write!(f, "symbol {s} does not fit the output"),
            Self::FinalState { value } => write!(f, "state {value:#x} left after the last symbol"),
            Self::Unread { count } => write!(f, "{count} bytes left after the last symbol"),
        }
    }
}

impl core::error::Error for RansError {}

/// Chooses the table of a symbol when those before it are known.
pub(crate) trait Chain<T> {
    /// The table of the next symbol, from what is given for it in place of the table.
    fn table(&mut self, index: u8) -> u8;
    /// Takes note of that symbol; gives what is wanted of it.
    fn follow(&mut self, symbol: T) -> T;
}

/// Symbols that do not depend on each other.
struct Free;

impl<T> Chain<T> for Free {
    #[inline(always)]
    fn table(&mut self, index: u8) -> u8 {
        index
    }

    #[inline(always)]
    fn follow(&mut self, symbol: T) -> T {
        symbol
    }
}

/// Decodes the symbols of one payload in the order they were queued.
#[derive(Debug, Clone)]
pub struct RansDecoder<'a> {
    /// The first `1 << log2_lanes` are in use; they rotate, so that the next symbol's is first
    /// whenever no call is in progress.
    lanes: [u32; MAX_LANES],
    log2_lanes: u32,
    words: Words<'a>,
}

impl<'a> RansDecoder<'a> {
    /// Opens a payload and reads its states.
    pub fn new(payload: &'a [u8]) -> Result<Self, RansError> {
        // The first state has as many bytes as it needs: up to 4 if no words follow. If some do,
        // it is at least 2^16 and the parity of the length tells 3 from 4.
        let width = if payload.len() <= 4 { payload.len() } else { 4 - payload.len() % 2 };
        let (head, rest) = payload.split_at_checked(width).unwrap_or((payload, &[]));
        let first = head.iter().rfold(0, |x, &b| x << 8 | u32::from(b));
        if head.last() == Some(&0) || (payload.len() > 4 && first < LOWER) {
            return Err(RansError::State { value: first });
        }
        let mut lanes = [0; MAX_LANES];
        let mut words =
            Words { words: rest.as_chunks().0, at: 0, available: payload.len(), escapes: 0 };
        // The number of states decides where the words begin, hence before renormalisation.
        let log2_lanes = first & ((1 << LANE_BITS) - 1);
        if log2_lanes > MAX_LANES.ilog2() {
            return Err(RansError::State { value: first });
        }
        let (states, _) = rest.as_chunks::<4>();
        let extra = (1usize << log2_lanes) - 1;
        if extra > 0 {
            let truncated = RansError::Truncated { available: payload.len() };
            for (lane, state) in lanes[1..].iter_mut().zip(states.get(..extra).ok_or(truncated)?) {
                *lane = u32::from_le_bytes(*state);
                if *lane < LOWER {
                    return Err(RansError::State { value: *lane });
                }
            }
            words.at = 2 * extra;
        }
        lanes[0] = match log2_lanes {
            0 => words.renormalise::<1>(first >> LANE_BITS),
            _ => words.renormalise::<2>(first >> LANE_BITS),
        };
        words.check()?;
        Ok(Self { lanes, log2_lanes, words })
    }

    /// Decodes one symbol with table `index` of `set`.
    pub fn decode(&mut self, set: &TableSet, index: u8) -> Result<i32, RansError> {
        let mut symbol = [0i32];
        self.decode_run(set, &[index], &mut symbol)?;
        Ok(symbol[0])
    }

    /// Decodes one symbol for each of `indices`. After an error `out` holds anything and the
    /// decoder is of no more use.
    pub fn decode_run<T>(
        &mut self,
        set: &TableSet,
        indices: &[u8],
        out: &mut [T],
    ) -> Result<(), RansError>
    where
        T: From<i16> + TryFrom<i32>,
    {
        self.decode_chain(set, indices, &mut Free, out)
    }

    /// Decodes one symbol for each of `indices` with the table that `chain` makes of the index, and puts what it makes of the
    /// symbol into `out`. Otherwise as [`decode_run`](Self::decode_run).
    pub(crate) fn decode_chain<T>(
        &mut self,
        set: &TableSet,
        indices: &[u8],
        chain: &mut impl Chain<T>,
        out: &mut [T],
    ) -> Result<(), RansError>
    where
        T: From<i16> + TryFrom<i32>,
    {
        if indices.len() != out.len() {
            return Err(RansError::RunLength { indices: indices.len(), symbols: out.len() });
        }
        match self.log2_lanes {
            0 => self.run::<1, T>(set, indices, chain, out),
            1 => self.run::<2, T>(set, indices, chain, out),
            _ => self.run::<4, T>(set, indices, chain, out),
        }
    }

    /// Symbols so far that were outside of their table and spelled out.
    pub fn escapes(&self) -> u64 {
        self.words.escapes
    }

    /// Checks that the payload is used up: every word read and every state back at the value the
    /// encoder started from. Call it after the last symbol.
    pub fn finish(self) -> Result<(), RansError> {
        let initial = if self.log2_lanes == 0 { 0 } else { LOWER };
        let used = self.lanes.iter().take(1 << self.log2_lanes);
        if let Some(&value) = used.into_iter().find(|&&x| x != initial) {
            return Err(RansError::FinalState { value });
        }
        match self.words.words.len() - self.words.at {
            0 => Ok(()),
            words => Err(RansError::Unread { count: 2 * words }),
        }
    }

    fn run<const N: usize, T: From<i16> + TryFrom<i32>>(
        &mut self,
        set: &TableSet,
        indices: &[u8],
        chain: &mut impl Chain<T>,
        out: &mut [T],
    ) -> Result<(), RansError> {
        let Some(lanes) = self.lanes.first_chunk_mut::<N>() else { return Ok(()) };
        let mut words = self.words;
        let mut states = *lanes;
        let (groups, indices_left) = indices.as_chunks::<N>();
        let (out_groups, out_left) = out.as_chunks_mut::<N>();
        for (group, out_group) in groups.iter().zip(out_groups) {
            for lane in 0..N {
                let table = chain.table(group[lane]);
                let symbol = decode_symbol::<N, T>(&mut states[lane], &mut words, set, table)?;
                out_group[lane] = chain.follow(symbol);
            }
        }
        for ((state, index), out) in states.iter_mut().zip(indices_left).zip(out_left) {
            let table = chain.table(*index);
            *out = chain.follow(decode_symbol::<N, T>(state, &mut words, set, table)?);
        }
        states.rotate_left(indices_left.len());
        *lanes = states;
        words.check()?;
        self.words = words;
        Ok(())
    }
}

#[inline(always)]
fn decode_symbol<const N: usize, T: From<i16> + TryFrom<i32>>(
    state: &mut u32,
    words: &mut Words<'_>,
    set: &TableSet,
    index: u8,
) -> Result<T, RansError> {
    let x = *state;
    let value = (x & ((1 << PRECISION) - 1)) as u16;
    let Some(DecodeSlot { start, freq, symbol }) = set.lookup(index, value) else {
        return Err(RansError::NoTable { index, count: set.len() });
    };
    let x = u32::from(freq) * (x >> PRECISION) + u32::from(value - start);
    *state = words.renormalise::<N>(x);
    if symbol == ESCAPE {
        let symbol = decode_escape::<N>(state, words, set, index)?;
        return T::try_from(symbol).map_err(|_| RansError::Overflow(symbol));
    }
    // Listed symbols fit i16.
    Ok(T::from(symbol as i16))
}

/// Sign, then the distance beyond the range plus one in Exp-Golomb code, all as raw bits.
#[cold]
#[inline(never)]
fn decode_escape<const N: usize>(
    state: &mut u32,
    words: &mut Words<'_>,
    set: &TableSet,
    index: u8,
) -> Result<i32, RansError> {
    words.escapes += 1;
    let mut raw = |count: u32| {
        let bits = *state & ((1 << count) - 1);
        *state = words.renormalise::<N>(*state >> count);
        bits
    };
    let below = raw(1) == 1;
    let mut exponent = 0;
    while raw(1) == 1 {
        exponent += 1;
        if exponent > MAX_EXPONENT {
            return Err(RansError::Escape { exponent });
        }
    }
    let low = exponent.min(16);
    let mantissa = raw(low) | raw(exponent - low) << low;
    let beyond = ((1 << exponent) | mantissa) - 1;
    set.unescape(index, below, beyond).ok_or(RansError::Escape { exponent })
}

/// The stream of words all states draw on.
#[derive(Debug, Clone, Copy)]
struct Words<'a> {
    words: &'a [[u8; 2]],
    /// Next word; beyond the end after a read that found none.
    at: usize,
    /// Bytes of the whole payload, for messages.
    available: usize,
    /// Symbols so far that were outside of their table.
    escapes: u64,
}

impl Words<'_> {
    /// Brings a state back to `[2^16, 2^32)`.
    ///
    /// A single state has not been there yet when the words end (the encoder started it at 0),
    /// so then it stays as it is. With several, a missing word is an error; it reads as 0 and
    /// [`check`](Self::check) tells later.
    #[inline(always)]
    fn renormalise<const N: usize>(&mut self, x: u32) -> u32 {
        if x >= LOWER {
            return x;
        }
        let word = self.words.get(self.at).copied();
        if N == 1 && word.is_none() {
            return x;
        }
        self.at += 1;
        x << 16 | u32::from(u16::from_le_bytes(word.unwrap_or_default()))
    }

    fn check(&self) -> Result<(), RansError> {
        if self.at <= self.words.len() {
            Ok(())
        } else {
            Err(RansError::Truncated { available: self.available })
        }
    }
}

#[cfg(test)]
mod tests;
