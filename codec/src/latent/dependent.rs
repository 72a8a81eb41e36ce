//! Dependent quantisation: two quantisers of one step, the second with its values other than 0 half a step nearer to 0.
//!
//! Which one a latent uses follows from the parities of the symbols before it at the same position, through eight states
//! (trellis-coded quantisation, Marcellin and Fischer 1990; in this form the one of H.266, Schwarz et al. 2019,
//! arXiv:1907.00177, with the eight states of JPEG 2000 part 2). Together they are a quantiser of half the step, of which
//! only half of the values can be had at a time: denser packed than any quantiser of one latent. The encoder looks for the
//! cheapest path ([`super::trellis`]); a decoder follows it.

use super::SYMBOL_LIMIT;
use crate::entropy::{Chain, TableSet};

/// States of a path; every position begins in state 0.
pub(super) const STATES: usize = 8;

/// The next state, by state and parity of the symbol. A pair of states 2 i, 2 i + 1 is reached from i and i + 4 alone.
pub(super) const NEXT: [[u8; 2]; STATES] =
    [[0, 1], [2, 3], [5, 4], [7, 6], [1, 0], [3, 2], [4, 5], [6, 7]];

/// The quantiser of a state: 0 or 1.
pub(super) const fn quantiser_of(state: u8) -> u8 {
    state & 1
}

/// Half symbols that a symbol of a quantiser stands for.
#[inline(always)]
pub(super) const fn halves(quantiser: u8, symbol: i32) -> i32 {
    2 * symbol - quantiser as i32 * symbol.signum()
}

/// Where each quantiser's tables are: those of the first, by scale index, then those of the second.
#[derive(Clone, Copy, Debug)]
pub(super) struct Dependent {
    scales: u8,
}

impl Dependent {
    /// For a set of twice as many tables as there are scale indices.
    pub(super) fn new(tables: &TableSet) -> Self {
        // At most 256 tables.
        Dependent { scales: (tables.len() / 2) as u8 }
    }

    /// The highest scale index with tables of its own; it serves for higher ones.
    pub(super) fn last_scale(self) -> u8 {
        self.scales - 1
    }

    /// The table of a quantiser and a scale index.
    #[inline(always)]
    pub(super) fn table(self, quantiser: u8, scale: u8) -> u8 {
        quantiser * self.scales + scale.min(self.scales - 1)
    }

    /// A path that follows symbols.
    pub(super) fn path(self) -> Path {
        Path { dependent: self, state: 0 }
    }
}

/// The path of a decoder. Takes scale indices (below 128), that of a position's first latent with
/// [`BEGINS`](Self::BEGINS); gives half symbols.
#[derive(Debug)]
pub(super) struct Path {
    dependent: Dependent,
    state: u8,
}

impl Path {
    /// Marks the first latent of a position.
    pub(super) const BEGINS: u8 = 0x80;
}

impl Chain<i32> for Path {
    #[inline(always)]
    fn table(&mut self, index: u8) -> u8 {
        if index & Self::BEGINS != 0 {
            self.state = 0;
        }
        quantiser_of(self.state) * self.dependent.scales + (index & !Self::BEGINS)
    }

    #[inline(always)]
    fn follow(&mut self, symbol: i32) -> i32 {
        let symbol = symbol.clamp(-SYMBOL_LIMIT, SYMBOL_LIMIT);
        let quantiser = quantiser_of(self.state);
        self.state = NEXT[usize::from(self.state) % STATES][(symbol & 1) as usize];
        halves(quantiser, symbol)
    }
}
