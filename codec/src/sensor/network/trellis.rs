//! Dependent quantisation: two quantisers of one step, the second with its values other than 0 half a step nearer to 0.
//!
//! Which one a latent uses follows from the parities of the symbols before it, through four states (trellis-coded
//! quantisation, Marcellin and Fischer 1990; with these states in H.266). The encoder looks for the cheapest path.

use alloc::vec::Vec;

use crate::entropy::{COST_ONE_BIT, TableSet};

/// The next state, by state and parity of the symbol; states 2 and 3 use the second quantiser.
const NEXT: [[u8; 2]; 4] = [[0, 2], [2, 0], [1, 3], [3, 1]];
/// Tables of each quantiser.
pub(super) const SCALES: usize = 64;
/// Magnitudes whose prices are at hand.
const PRICED: usize = 16;
/// Largest magnitude of a symbol.
pub(super) const LIMIT: i32 = 4095;
/// Squared error in squared sixteenths that one bit is worth: 0.065 squared steps.
const BIT_WORTH: f32 = 0.065 * 256.0;

/// The state after a symbol.
pub(super) fn next(state: u8, symbol: i32) -> u8 {
    NEXT[usize::from(state & 3)][(symbol & 1) as usize]
}

/// The table of a symbol.
pub(super) fn table(state: u8, index: u8) -> u8 {
    (state & 2) / 2 * SCALES as u8 + index.min(SCALES as u8 - 1)
}

/// What a symbol adds to the mean, in sixteenths.
pub(super) fn value(state: u8, symbol: i32) -> i32 {
    16 * symbol - 8 * i32::from(state >> 1) * symbol.signum()
}

/// One step of a path: a symbol, within ± [`LIMIT`], above the state that it came from.
#[derive(Clone, Copy, Debug, Default)]
struct Node(i16);

impl Node {
    fn new(from: u8, symbol: i32) -> Self {
        Self((symbol << 2) as i16 | i16::from(from & 3))
    }

    fn from(self) -> usize {
        (self.0 & 3) as usize
    }

    fn symbol(self) -> i32 {
        i32::from(self.0 >> 2)
    }
}

/// What symbols cost; all streams of a model share it.
#[derive(Clone, Debug)]
pub(super) struct Prices {
    tables: TableSet,
    /// Weighted bits of magnitudes below [`PRICED`] by table.
    small: Vec<[f32; PRICED]>,
}

impl Prices {
    pub(super) fn new(tables: TableSet) -> Self {
        let price = |index: usize, symbol: usize| weigh(tables.cost(index as u8, symbol as i32));
        let small = (0..2 * SCALES)
            .map(|index| core::array::from_fn(|symbol| price(index, symbol)))
            .collect();
        Prices { tables, small }
    }

    /// The tables that the prices are of.
    pub(super) fn tables(&self) -> &TableSet {
        &self.tables
    }

    fn of(&self, table: usize, magnitude: i32) -> f32 {
        match self.small[table].get(magnitude as usize) {
            Some(&price) => price,
            None => weigh(self.tables.cost(table as u8, magnitude)),
        }
    }
}

/// Finds symbols; keeps its buffers.
#[derive(Clone, Debug)]
pub(super) struct Trellis {
    nodes: Vec<[Node; 4]>,
}

impl Trellis {
    /// Room for paths through so many latents.
    pub(super) fn new(latents: usize) -> Self {
        Trellis { nodes: Vec::with_capacity(latents) }
    }

    /// Chooses symbols for `distances` from the means (in sixteenths) with scale indices `scales`, beginning in `state`.
    pub(super) fn choose(
        &mut self,
        prices: &Prices,
        distances: impl Iterator<Item = i32>,
        scales: &[u8],
        state: u8,
        symbols: &mut Vec<i32>,
    ) {
        let mut costs = [f32::INFINITY; 4];
        costs[usize::from(state & 3)] = 0.0;
        self.nodes.clear();
        for (distance, &scale) in distances.zip(scales) {
            let mut new = [f32::INFINITY; 4];
            let mut nodes = [Node::default(); 4];
            let size = distance.abs();
            for second in 0..2u8 {
                let table = usize::from(table(second * 2, scale));
                let top = ((size + 8 + 8 * i32::from(second)) >> 4).min(LIMIT);
                let mut last = -1;
                for magnitude in [top, (top - 1).max(0), 0] {
                    if magnitude == last {
                        continue;
                    }
                    last = magnitude;
                    let error = (size - value(second * 2, magnitude)) as f32;
                    let local = error * error + prices.of(table, magnitude);
                    for from in [second * 2, second * 2 + 1] {
                        let to = usize::from(next(from, magnitude));
                        let total = costs[usize::from(from)] + local;
                        if total < new[to] {
                            new[to] = total;
                            nodes[to] = Node::new(from, magnitude * distance.signum());
                        }
                    }
                }
            }
            costs = new;
            self.nodes.push(nodes);
        }
        let mut at = 0;
        for candidate in 1..4 {
            if costs[candidate] < costs[at] {
                at = candidate;
            }
        }
        symbols.clear();
        for nodes in self.nodes.iter().rev() {
            let node = nodes[at];
            symbols.push(node.symbol());
            at = node.from();
        }
        symbols.reverse();
    }
}

fn weigh(cost: Option<u32>) -> f32 {
    cost.unwrap_or(u32::MAX) as f32 / COST_ONE_BIT as f32 * BIT_WORTH
}
