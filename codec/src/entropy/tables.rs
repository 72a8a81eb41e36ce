//! Static symbol distributions, read from a model bundle and never computed at run time.
//!
//! A table covers the symbols `min..=max` (with `min <= 0 <= max`) and one escape slot for all
//! others. Slot frequencies `f` are at least 1 and sum to `2^`[`PRECISION`], so a symbol costs
//! `PRECISION - log2(f)` bits. Inside `[0, 2^PRECISION)` the slots lie centre-out,
//! `0, 1, -1, 2, -2, …`, escape last: the likeliest symbol starts at 0, which lets a short
//! stream's trailing zeros vanish from the final state.

use alloc::vec::Vec;
use core::fmt;

/// Frequencies of a table sum to `2^PRECISION`.
///
/// With 32-bit states and 16-bit words, 16 costs 0.17 % more bytes than the information coded,
/// 15 0.05 % and 14 0.03 %; but fewer bits price rare symbols worse.
pub const PRECISION: u32 = 15;
/// Symbols, escaped ones included, lie in `-MAX_MAGNITUDE..=MAX_MAGNITUDE`.
pub const MAX_MAGNITUDE: i32 = 1 << 20;
/// One bit in the unit of [`TableSet::cost`].
pub const COST_ONE_BIT: u32 = 1 << 16;

/// Sum of the frequencies of a table.
pub(super) const TOTAL: u32 = 1 << PRECISION;
/// First byte of a serialised set: the format of what follows.
pub(super) const SET_VERSION: u8 = 1;
/// Slots in all tables of a set together (a decode bucket names a slot with 16 bits).
pub(super) const MAX_SLOTS: usize = 1 << 16;
/// Smallest and largest symbol a table may list itself.
pub(super) const MAX_LISTED: i32 = i16::MAX as i32;

/// `2^BUCKET_BITS` decode buckets a table.
const BUCKET_BITS: u32 = 8;
const BUCKET_SHIFT: u32 = PRECISION - BUCKET_BITS;

/// What is wrong with a serialised table set, a table or a request for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TableError {
    /// The bytes end early.
    Truncated {
        /// Bytes the set takes at least.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// Bytes follow the last table.
    TrailingBytes {
        /// How many.
        count: usize,
    },
    /// The layout has a version this code does not know.
    UnsupportedVersion(u8),
    /// A set holds 1 to 256 tables.
    TableCount(usize),
    /// The range does not contain 0, is reversed, or leaves ±32767.
    Range {
        /// First symbol listed.
        min: i32,
        /// Last symbol listed.
        max: i32,
    },
    /// The tables of the set hold more than 65536 slots together.
    TooManySlots(usize),
    /// A slot has frequency 0 (or more than `2^PRECISION` slots were asked for).
    ZeroFrequency {
        /// Table in the set.
        table: usize,
        /// Slot, counted from `min`.
        slot: usize,
    },
    /// The frequencies do not sum to `2^PRECISION`.
    FrequencySum {
        /// Table in the set.
        table: usize,
        /// Their sum.
        sum: u32,
    },
    /// The number of frequencies does not match the range.
    SlotCount {
        /// `max - min + 2`.
        expected: usize,
        /// What was given.
        actual: usize,
    },
    /// A probability is negative, not finite, or all are zero.
    Probability {
        /// Where in the list (its length if the sum is at fault).
        position: usize,
    },
}

impl fmt::Display for TableError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Truncated { needed, available } => {
                write!(f, "table set needs {needed} bytes, {available} are there")
            }
            Self::TrailingBytes { count } => write!(f, "{count} bytes follow the table set"),
            Self::UnsupportedVersion(v) => write!(f, "table set version {v} is not supported"),
            Self::TableCount(n) => write!(f, "a table set holds 1 to 256 tables, not {n}"),
            Self::Range { min, max } => write!(f, "symbol range {min}..={max} is not valid"),
            Self::TooManySlots(n) => write!(f, "{n} slots exceed the {MAX_SLOTS} of a set"),
            Self::ZeroFrequency { table, slot } => {
                write!(f, "slot {slot} of table {table} has frequency 0")
            }
            Self::FrequencySum { table, sum } => {
                write!(f, "frequencies of table {table} sum to {sum}, not {TOTAL}")
            }
            Self::SlotCount { expected, actual } => {
                write!(f, "{actual} frequencies given where the range has {expected} slots")
            }
            Self::Probability { position } => write!(f, "probability {position} is not valid"),
        }
    }
}

impl core::error::Error for TableError {}

/// One slot as the decoder wants it, in slot order.
#[derive(Debug, Clone, Copy)]
pub(super) struct DecodeSlot {
    pub(super) start: u16,
    pub(super) freq: u16,
    /// The symbol, or [`ESCAPE`].
    pub(super) symbol: i32,
}

/// Marks the escape slot in [`DecodeSlot::symbol`]; outside the listed symbols.
pub(super) const ESCAPE: i32 = i32::MIN;

/// One slot as the encoder wants it, in symbol order, escape last.
#[derive(Debug, Clone, Copy)]
pub(super) struct EncodeSlot {
    /// `ceil(2^(32 + PRECISION) / freq)`.
    pub(super) reciprocal: u64,
    pub(super) start: u16,
    pub(super) freq: u16,
    /// In units of 2^-16 bit.
    pub(super) cost: u32,
}

#[derive(Debug, Clone, Copy)]
struct Table {
    min: i32,
    /// `max - min + 1`: listed symbols.
    count: u32,
    /// Index of its first slot in `TableSet::{encode, decode}`.
    first: u32,
}

/// Up to 256 static distributions over integers around 0.
#[derive(Debug, Clone)]
pub struct TableSet {
    tables: Vec<Table>,
    /// Invariant: the slots `t.first..=t.first + t.count` of table `t` in ascending `start`
    /// cover `[0, TOTAL)` without gaps.
    decode: Vec<DecodeSlot>,
    /// Invariant: `buckets[t << BUCKET_BITS | v >> BUCKET_SHIFT]` is the index in `decode` of a
    /// slot of `t` that starts at or before `v & !low_bits`.
    buckets: Vec<u16>,
    encode: Vec<EncodeSlot>,
}

/// Where a symbol is in its table.
pub(super) enum Located<'a> {
    Listed(&'a EncodeSlot),
    /// The escape slot, whether the symbol is below `min`, and its distance beyond the range
    /// (0 for the nearest symbol outside).
    Escaped(&'a EncodeSlot, bool, u32),
}

impl TableSet {
    /// Reads a set as [`TableSetBuilder`](super::TableSetBuilder) writes it, checking everything.
    ///
    /// Layout, little-endian: version `u8` = 1, table count − 1 `u8`, then for each table
    /// `min i16`, `max i16` and `max − min + 2` frequencies `u16`, those of `min..=max` followed
    /// by the escape's.
    pub fn parse(bytes: &[u8]) -> Result<Self, TableError> {
        let mut input = Input { bytes, at: 0 };
        let [version, last] = input.take()?;
        if version != SET_VERSION {
            return Err(TableError::UnsupportedVersion(version));
        }
        let count = usize::from(last) + 1;
        // Every table takes at least 8 bytes; so the vectors below cannot outgrow the input.
        input.require(count * 8)?;
        let mut set = Self {
            tables: Vec::with_capacity(count),
            decode: Vec::new(),
            buckets: Vec::with_capacity(count << BUCKET_BITS),
            encode: Vec::new(),
        };
        let mut freqs = Vec::new();
        for _ in 0..count {
            let min = i32::from(i16::from_le_bytes(input.take()?));
            let max = i32::from(i16::from_le_bytes(input.take()?));
            let slots = slot_count(min, max)?;
            input.require(slots * 2)?;
            freqs.clear();
            for _ in 0..slots {
                freqs.push(u16::from_le_bytes(input.take()?));
            }
            set.add(min, max, &freqs)?;
        }
        match bytes.len() - input.at {
            0 => Ok(set),
            count => Err(TableError::TrailingBytes { count }),
        }
    }

    /// Number of tables; valid indices are below it.
    #[allow(clippy::len_without_is_empty)] // never empty
    #[must_use]
    pub fn len(&self) -> usize {
        self.tables.len()
    }

    /// Symbols the table lists without escaping, as `(min, max)`.
    #[must_use]
    pub fn range(&self, index: u8) -> Option<(i32, i32)> {
        let t = self.tables.get(usize::from(index))?;
        Some((t.min, t.min + t.count as i32 - 1))
    }

    /// What coding `symbol` with table `index` costs, in units of 2⁻¹⁶ bit (see
    /// [`COST_ONE_BIT`]); escapes include their raw bits.
    ///
    /// `None` if there is no such table or the symbol's magnitude exceeds [`MAX_MAGNITUDE`].
    #[inline]
    #[must_use]
    pub fn cost(&self, index: u8, symbol: i32) -> Option<u32> {
        Some(match self.locate(index, symbol)? {
            Located::Listed(slot) => slot.cost,
            Located::Escaped(slot, _, beyond) => slot.cost + escape_bits(beyond) * COST_ONE_BIT,
        })
    }

    /// [`cost`](Self::cost) as bits in floating point.
    #[must_use]
    pub fn cost_bits(&self, index: u8, symbol: i32) -> Option<f32> {
        self.cost(index, symbol).map(|c| c as f32 / COST_ONE_BIT as f32)
    }

    /// Finds a symbol's slot; `None` if the table does not exist or the symbol is out of bounds.
    #[inline]
    pub(super) fn locate(&self, index: u8, symbol: i32) -> Option<Located<'_>> {
        let t = self.tables.get(usize::from(index))?;
        let offset = symbol.wrapping_sub(t.min) as u32;
        if offset < t.count {
            return self.encode.get((t.first + offset) as usize).map(Located::Listed);
        }
        if symbol.unsigned_abs() > MAX_MAGNITUDE.unsigned_abs() {
            return None;
        }
        let slot = self.encode.get((t.first + t.count) as usize)?;
        Some(if symbol < t.min {
            Located::Escaped(slot, true, (t.min - 1 - symbol) as u32)
        } else {
            Located::Escaped(slot, false, offset - t.count)
        })
    }

    /// Finds the slot that covers `value`; `None` only if the table does not exist.
    #[inline(always)]
    pub(super) fn lookup(&self, index: u8, value: u16) -> Option<DecodeSlot> {
        let bucket = usize::from(index) << BUCKET_BITS | usize::from(value >> BUCKET_SHIFT);
        let mut at = usize::from(*self.buckets.get(bucket)?);
        loop {
            let slot = *self.decode.get(at)?;
            if value.wrapping_sub(slot.start) < slot.freq {
                return Some(slot);
            }
            at += 1;
        }
    }

    /// The table's value for an escaped symbol `beyond` its range; see [`Located::Escaped`].
    pub(super) fn unescape(&self, index: u8, below: bool, beyond: u32) -> Option<i32> {
        let (min, max) = self.range(index)?;
        let beyond = i32::try_from(beyond).ok()?;
        let symbol = if below { min - 1 - beyond } else { max + 1 + beyond };
        (symbol.unsigned_abs() <= MAX_MAGNITUDE.unsigned_abs()).then_some(symbol)
    }

    /// Checks and appends one table; `freqs` are those of `min..=max` and the escape's.
    fn add(&mut self, min: i32, max: i32, freqs: &[u16]) -> Result<(), TableError> {
        let table = self.tables.len();
        check(table, min, max, freqs)?;
        let first = self.encode.len();
        if first + freqs.len() > MAX_SLOTS {
            return Err(TableError::TooManySlots(first + freqs.len()));
        }
        self.encode.extend(freqs.iter().map(|&freq| EncodeSlot {
            reciprocal: (1u64 << (32 + PRECISION)).div_ceil(u64::from(freq)),
            start: 0,
            freq,
            cost: (PRECISION << 16) - log2_q16(freq),
        }));
        let mut start = 0u32;
        for symbol in centre_out(min, max).chain([ESCAPE]) {
            let offset = if symbol == ESCAPE { freqs.len() - 1 } else { (symbol - min) as usize };
            let Some(slot) = self.encode.get_mut(first + offset) else { continue };
            slot.start = start as u16;
            let freq = slot.freq;
            let index = self.decode.len() as u16;
            // The buckets whose first value this slot covers.
            while (self.buckets.len() - (table << BUCKET_BITS)) << BUCKET_SHIFT
                < (start + u32::from(freq)) as usize
            {
                self.buckets.push(index);
            }
            self.decode.push(DecodeSlot { start: start as u16, freq, symbol });
            start += u32::from(freq);
        }
        self.tables.push(Table { min, count: freqs.len() as u32 - 1, first: first as u32 });
        Ok(())
    }
}

/// `min..=max` in the order 0, 1, −1, 2, −2, …
fn centre_out(min: i32, max: i32) -> impl Iterator<Item = i32> {
    let reach = max.max(-min);
    (0..=reach)
        .flat_map(|m| [m, -m].into_iter().take(if m == 0 { 1 } else { 2 }))
        .filter(move |s| (min..=max).contains(s))
}

/// Slots of a table over `min..=max`, or why there is no such table.
pub(super) fn slot_count(min: i32, max: i32) -> Result<usize, TableError> {
    if min > 0 || max < 0 || min < -MAX_LISTED || max > MAX_LISTED {
        return Err(TableError::Range { min, max });
    }
    Ok((max - min) as usize + 2)
}

/// Checks the frequencies of one table.
pub(super) fn check(table: usize, min: i32, max: i32, freqs: &[u16]) -> Result<(), TableError> {
    let expected = slot_count(min, max)?;
    if freqs.len() != expected {
        return Err(TableError::SlotCount { expected, actual: freqs.len() });
    }
    if let Some(slot) = freqs.iter().position(|&f| f == 0) {
        return Err(TableError::ZeroFrequency { table, slot });
    }
    // At most 65536 frequencies below 65536: no overflow.
    let sum = freqs.iter().map(|&f| u32::from(f)).sum();
    if sum == TOTAL { Ok(()) } else { Err(TableError::FrequencySum { table, sum }) }
}

/// Raw bits an escape spends: sign and Exp-Golomb magnitude.
pub(super) fn escape_bits(beyond: u32) -> u32 {
    2 + 2 * (beyond + 1).ilog2()
}

/// `floor(2^16 log2(v))` for `v >= 1`, one fractional bit per squaring.
fn log2_q16(v: u16) -> u32 {
    let v = u32::from(v.max(1));
    let whole = v.ilog2();
    let mut mantissa = u64::from(v) << (31 - whole); // in [1, 2) with 31 fractional bits
    let mut fraction = 0;
    for _ in 0..16 {
        mantissa = (mantissa * mantissa) >> 31;
        let bit = mantissa >> 32;
        mantissa >>= bit;
        fraction = fraction << 1 | bit as u32;
    }
    whole << 16 | fraction
}

/// A cursor whose reads fail instead of panicking.
struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    fn require(&self, count: usize) -> Result<(), TableError> {
        let (needed, available) = (self.at + count, self.bytes.len());
        if needed <= available { Ok(()) } else { Err(TableError::Truncated { needed, available }) }
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], TableError> {
        self.require(N)?;
        let taken = self.bytes.get(self.at..).and_then(|rest| rest.first_chunk::<N>());
        self.at += N;
        taken.copied().ok_or(TableError::Truncated { needed: self.at, available: 0 })
    }
}

#[cfg(test)]
pub(super) mod tests;
