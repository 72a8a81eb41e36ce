//! Symbols that wait to be coded.

use alloc::vec::Vec;

/// Symbols of a block; growing by blocks never copies what is there.
const BLOCK: usize = 1 << 15;

/// In place of a symbol that does not fit a byte.
const LARGE: i8 = i8::MIN;

/// Entries of the queue, for those who make them in their own loops.
pub(crate) mod entry {
    use super::LARGE;

    /// Whether a symbol fits an entry.
    #[inline(always)]
    pub(crate) fn fits(symbol: i32) -> bool {
        symbol.unsigned_abs() <= 127
    }

    /// The entry of a symbol that fits.
    #[inline(always)]
    pub(crate) fn pack(index: u8, symbol: i32) -> u16 {
        ((symbol as u16) & 0xff) << 8 | index as u16
    }

    /// The entry of one that does not, and that is listed beside.
    #[inline(always)]
    pub(crate) fn large(index: u8) -> u16 {
        pack(index, LARGE as i32)
    }
}

/// A list of symbols, each with the index of its table, two bytes an entry: a chunk has millions.
#[derive(Debug, Clone, Default)]
pub(super) struct Queue {
    /// `symbol << 8 | index`. All blocks but the last used one are full.
    blocks: Vec<Vec<u16>>,
    /// The symbols that an entry says are [`LARGE`], in order.
    large: Vec<i32>,
    len: usize,
}

impl Queue {
    /// A queue with room for so many symbols, where not all that a chunk has will come.
    pub(super) fn with_capacity(symbols: usize) -> Self {
        Self { blocks: alloc::vec![Vec::with_capacity(symbols.min(BLOCK))], ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Forgets the entries, keeping their memory.
    pub(super) fn clear(&mut self) {
        self.blocks.iter_mut().for_each(Vec::clear);
        self.large.clear();
        self.len = 0;
    }

    /// Forgets all but the first `len` entries.
    pub(super) fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        for (number, block) in self.blocks.iter_mut().enumerate().rev() {
            let kept = len.saturating_sub(number * BLOCK).min(block.len());
            let large = block[kept..].iter().filter(|&&entry| (entry >> 8) as i8 == LARGE).count();
            self.large.truncate(self.large.len() - large);
            block.truncate(kept);
        }
        self.len = len;
    }

    /// Appends symbols and their indices, two slices of one length.
    pub(super) fn extend<T: Copy + Into<i32>>(&mut self, mut indices: &[u8], mut symbols: &[T]) {
        while !indices.is_empty() {
            let at = self.len / BLOCK;
            if at == self.blocks.len() {
                self.blocks.push(Vec::with_capacity(BLOCK));
            }
            let count = indices.len().min(BLOCK - self.len % BLOCK);
            let (now, later) = indices.split_at(count);
            let (symbols_now, symbols_later) = symbols.split_at(count);
            let large = &mut self.large;
            self.blocks[at].extend(now.iter().zip(symbols_now).map(|(&index, &symbol)| {
                let symbol = symbol.into();
                let small = if (-127..=127).contains(&symbol) {
                    symbol as i8
                } else {
                    large.push(symbol);
                    LARGE
                };
                u16::from(small as u8) << 8 | u16::from(index)
            }));
            self.len += count;
            (indices, symbols) = (later, symbols_later);
        }
    }

    /// Appends entries made with [`entry`], and the symbols of those that are [`entry::large`], in order.
    pub(super) fn extend_entries(&mut self, mut entries: &[u16], large: &[i32]) {
        self.large.extend_from_slice(large);
        while !entries.is_empty() {
            let at = self.len / BLOCK;
            if at == self.blocks.len() {
                self.blocks.push(Vec::with_capacity(BLOCK));
            }
            let (now, later) = entries.split_at(entries.len().min(BLOCK - self.len % BLOCK));
            self.blocks[at].extend_from_slice(now);
            self.len += now.len();
            entries = later;
        }
    }

    /// Hands the entries to `take`, last first: position, index, symbol.
    #[inline(always)]
    pub(super) fn backwards(&self, mut take: impl FnMut(usize, u8, i32)) {
        let mut large = self.large.iter().rev();
        for (number, block) in self.blocks.iter().enumerate().rev() {
            for (at, &entry) in block.iter().enumerate().rev() {
                let small = (entry >> 8) as i8;
                let symbol = match small {
                    LARGE => large.next().copied().unwrap_or_default(),
                    _ => small.into(),
                };
                take(number * BLOCK + at, entry as u8, symbol);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn entries_come_back_last_first(
            runs in prop::collection::vec(
                prop::collection::vec((any::<u8>(), -300i32..300), 0..50), 0..8),
            fill in prop_oneof![Just(0), Just(BLOCK - 10), Just(2 * BLOCK)],
            kept in prop_oneof![Just(1.0), 0.0..1.0f64],
        ) {
            let mut queue = Queue::default();
            queue.extend(&[1, 2], &[5, 1000]);
            queue.clear();
            let mut expected = vec![(7, -1); fill];
            queue.extend(&vec![7; fill], &vec![-1; fill]);
            for run in runs {
                let (indices, symbols): (Vec<u8>, Vec<i32>) = run.iter().copied().unzip();
                queue.extend(&indices, &symbols);
                expected.extend(run);
            }
            let kept = (expected.len() as f64 * kept) as usize;
            queue.truncate(kept);
            expected.truncate(kept);
            prop_assert_eq!(queue.len(), expected.len());
            let mut rest = &expected[..];
            queue.backwards(|position, index, symbol| {
                let (last, before) = rest.split_last().unwrap();
                assert_eq!((position, (index, symbol)), (before.len(), *last));
                rest = before;
            });
            prop_assert!(rest.is_empty());
        }
    }
}
