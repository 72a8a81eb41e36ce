//! The encoder's side of dependent quantisation: the cheapest path through the states (Viterbi).
//!
//! All symbols of a position are chosen together so that the sum of error² + worth · bits is least, over all paths that
//! begin in state 0. What a bit is worth there, [`super::masking`] says.

use alloc::vec::Vec;

use super::dependent::{Dependent, NEXT, STATES, halves, quantiser_of};
use super::masking::Masking;
use super::write::Quantise;
use super::{FRACTION, GROUP, SYMBOL_LIMIT, coarse, none_coded, reconstruct};
use crate::entropy::{TableSet, entry};

/// Sizes of latents, in sixteenths of a symbol, whose costs are at hand.
const NEAR: usize = 128;
/// Sizes of one half of a symbol have the same symbols around them.
const HALF: usize = 1 << (FRACTION - 1);
/// Costs count squared sixteenths of a symbol in this many bits more: those of bits want finer units. 4,096 latents of at
/// most 24 sixteenths of error and 45 bits each stay below 2^28.
const COST_BITS: u32 = 5;
/// Fractional bits of a bit's worth.
const WORTH_BITS: u32 = 16;
/// Fractional bits of prices: 45 bits fit 16.
const PRICE_BITS: u32 = 10;
/// What the cost of one latent is kept below.
const COST_LIMIT: i32 = 0xFFFE;
/// The cost of a state that no path has reached.
const UNREACHED: i32 = 1 << 30;

/// Branches of a step: the cheapest symbol of either parity of either quantiser.
const BRANCHES: usize = 4;
const fn branch(quantiser: u8, parity: u8) -> usize {
    (2 * quantiser + parity) as usize
}
/// By state: the branch by which it is reached from the state that is half of it, and from that plus 4.
const REACHED_BY: [[usize; STATES]; 2] = {
    let mut by = [[0; STATES]; 2];
    let mut from = 0;
    while from < STATES {
        let mut parity = 0;
        while parity < 2 {
            let to = NEXT[from][parity] as usize;
            assert!(to / 2 == from % (STATES / 2));
            by[from / (STATES / 2)][to] = branch(quantiser_of(from as u8), parity as u8);
            parity += 1;
        }
        from += 1;
    }
    by
};

/// Costs of the branches of a latent. Their lowest bit is none of a cost: it says that the symbol is 0 in place of 2.
type Branches = [i32; BRANCHES];

/// What there is to choose from: for each branch the symbol next to the latent, then what else there may be in its place,
/// 0 for 2. That is so much cheaper that it is worth a look.
type Choices = [u16; 2 * BRANCHES];

/// Finds the symbols of a position; keeps its buffers.
#[derive(Debug)]
pub(super) struct Trellis {
    dependent: Dependent,
    skip: u8,
    fine: u32,
    tables: TableSet,
    /// Bits of the choices, `[scales][NEAR / HALF]`.
    prices: Vec<Choices>,
    /// Costs of the choices' errors, `[NEAR]`.
    errors: Vec<Choices>,
    /// The coded latents of a position, in order.
    steps: Vec<Step>,
    /// After each: the least cost of reaching each state. Costs are even but for one bit here: whether the path came from the
    /// upper half of the states.
    costs: Vec<[i32; STATES]>,
}

/// One coded latent.
#[derive(Clone, Copy, Debug, Default)]
struct Step {
    channel: u16,
    scale: u8,
    /// From the mean, in sixteenths.
    distance: i32,
}

impl Trellis {
    /// For the prices of `tables`, where latents with scale indices below `skip` are not coded and have `fine` bits more than
    /// the entropy model reads.
    pub(super) fn new(tables: &TableSet, skip: u8, fine: u32) -> Self {
        let dependent = Dependent::new(tables);
        let mut trellis = Trellis {
            dependent,
            skip,
            fine,
            tables: tables.clone(),
            prices: Vec::new(),
            errors: (0..NEAR as i32).map(errors).collect(),
            steps: Vec::new(),
            costs: Vec::new(),
        };
        trellis.prices = (0..=dependent.last_scale())
            .flat_map(|scale| (0..NEAR).step_by(HALF).map(move |size| (scale, size as i32)))
            .map(|(scale, size)| trellis.prices(scale, size))
            .collect();
        trellis
    }

    /// The price of a magnitude. Both signs together: distributions are symmetric but for their last count.
    fn price(&self, table: u8, magnitude: i32) -> u16 {
        let bits = |symbol| u64::from(self.tables.cost(table, symbol).unwrap_or(u32::MAX));
        let twice = bits(magnitude) + bits(-magnitude);
        // Costs are in 2^-16 bits.
        (twice >> (17 - PRICE_BITS)).min(u16::MAX.into()) as u16
    }

    /// The prices of the choices around a size.
    fn prices(&self, scale: u8, size: i32) -> Choices {
        choices(size).map(|(quantiser, k)| self.price(self.dependent.table(quantiser, scale), k))
    }

    /// Costs of a latent, where a bit is worth `worth` squared symbols in 2^-16.
    #[inline(always)]
    fn branches(&self, scale: u8, size: i32, worth: i32) -> Branches {
        let at = (size as usize).min(NEAR);
        let prices = self.prices.get(usize::from(scale) * (NEAR / HALF) + at / HALF);
        match (self.errors.get(at), prices) {
            (Some(errors), Some(prices)) => weigh(errors, prices, worth),
            _ => self.far(scale, size, worth),
        }
    }

    /// Costs of a latent far from its mean.
    #[cold]
    fn far(&self, scale: u8, size: i32, worth: i32) -> Branches {
        weigh(&errors(size), &self.prices(scale, size), worth)
    }

    /// The latents of a position that are coded, whose places then hold their means. Gives their number.
    #[inline(always)]
    fn collect(&mut self, v: &mut [i16], mean: &[i16], scale: &[u8]) -> usize {
        // Room for all, and one more to write to.
        self.steps.resize(v.len() + 1, Step::default());
        let last = self.dependent.last_scale();
        let mut coded = 0;
        let groups = v.chunks_mut(GROUP).zip(mean.chunks(GROUP)).zip(scale.chunks(GROUP));
        for (number, ((v, mean), scale)) in groups.enumerate() {
            if !none_coded(scale, self.skip) {
                for (i, ((&v, &mean), &scale)) in v.iter().zip(mean).zip(scale).enumerate() {
                    self.steps[coded] = Step {
                        // At most 4,096 channels.
                        channel: (number * GROUP + i) as u16,
                        scale: scale.min(last),
                        distance: coarse(i32::from(v) - i32::from(mean), self.fine),
                    };
                    coded += usize::from(scale >= self.skip);
                }
            }
            v.copy_from_slice(mean);
        }
        coded
    }

    /// Finds the cheapest way to every state after every step.
    #[inline(always)]
    fn search(&mut self, coded: usize, worth: i32) {
        let mut before = [UNREACHED; STATES];
        before[0] = 0;
        self.costs.resize(self.steps.len(), before);
        for at in 0..coded {
            let Step { scale, distance, .. } = self.steps[at];
            let branches = self.branches(scale, distance.abs(), worth).map(|cost| cost & !1);
            let mut costs = [0; STATES];
            for to in 0..STATES {
                let lower = before[to / 2] + branches[REACHED_BY[0][to]];
                let upper = before[to / 2 + STATES / 2] + (branches[REACHED_BY[1][to]] | 1);
                costs[to] = lower.min(upper);
            }
            self.costs[at] = costs;
            before = costs.map(|cost| cost & !1);
        }
    }
}

/// Quantisers and magnitudes of the choices for a latent's size.
fn choices(size: i32) -> [(u8, i32); 2 * BRANCHES] {
    core::array::from_fn(|choice| {
        let (quantiser, parity) = ((choice % BRANCHES / 2) as u8, (choice % 2) as u8);
        let next = neighbour(quantiser, parity, size);
        (quantiser, if choice >= BRANCHES && next == 2 { 0 } else { next })
    })
}

/// Costs of the choices' errors for a latent's size.
fn errors(size: i32) -> Choices {
    choices(size).map(|(quantiser, k)| {
        let error = size - (halves(quantiser, k) << (FRACTION - 1));
        ((error * error) << COST_BITS).min(COST_LIMIT) as u16
    })
}

/// The least cost of each branch.
#[inline(always)]
fn weigh(errors: &Choices, prices: &Choices, worth: i32) -> Branches {
    // Squared symbols are 2^(2 · 4 + COST_BITS) of a cost. At most 2^16 · 2^13: worths are below an eighth.
    let costs: [i32; 2 * BRANCHES] = core::array::from_fn(|i| {
        let bits = (i32::from(prices[i]) * (worth >> (WORTH_BITS - 2 * FRACTION - COST_BITS)))
            >> PRICE_BITS;
        (i32::from(errors[i]) + bits).min(COST_LIMIT) & !1
    });
    core::array::from_fn(|i| costs[i].min(costs[i + BRANCHES] | 1))
}

/// The magnitude of a parity around a latent's size: the one below or the one above.
#[inline(always)]
fn neighbour(quantiser: u8, parity: u8, size: i32) -> i32 {
    let half = i32::from(quantiser) << (FRACTION - 1);
    let lower = ((size + half) >> FRACTION).min(SYMBOL_LIMIT - 1);
    lower + ((lower & 1) ^ i32::from(parity))
}

impl Trellis {
    /// As [`Quantise::position`], where a bit is worth `worth` squared symbols in 2^-16.
    #[inline(always)]
    fn choose(
        &mut self,
        v: &mut [i16],
        mean: &[i16],
        scale: &[u8],
        worth: i32,
        entries: &mut [u16],
        large: &mut Vec<i32>,
    ) -> usize {
        let coded = self.collect(v, mean, scale);
        self.search(coded, worth);
        // The way back from the cheapest end.
        let mut state =
            match self.costs[..coded].last() {
                Some(last) => (1..STATES).fold(0, |best, state| {
                    if last[state] & !1 < last[best] & !1 { state } else { best }
                }),
                None => return 0,
            };
        let first_large = large.len();
        let way = self.steps[..coded].iter().zip(&self.costs).zip(&mut *entries).rev();
        for ((step, costs), entry) in way {
            let upper = (costs[state] & 1) as usize;
            let branch = REACHED_BY[upper][state];
            state = state / 2 + upper * (STATES / 2);
            let (quantiser, parity) = (quantiser_of(state as u8), (branch & 1) as u8);
            let size = step.distance.abs();
            let mut magnitude = neighbour(quantiser, parity, size);
            if magnitude == 2 && self.branches(step.scale, size, worth)[branch] & 1 == 1 {
                magnitude = 0;
            }
            let symbol = if step.distance < 0 { -magnitude } else { magnitude };
            let table = self.dependent.table(quantiser, step.scale);
            *entry = if entry::fits(symbol) {
                entry::pack(table, symbol)
            } else {
                large.push(symbol);
                entry::large(table)
            };
            let channel = usize::from(step.channel);
            let distance = halves(quantiser, symbol) << (FRACTION - 1 + self.fine);
            v[channel] = reconstruct(distance, mean[channel]);
        }
        large[first_large..].reverse();
        coded
    }
}

/// Chooses the symbols of positions that were predicted together.
#[derive(Debug)]
pub(super) struct Masked<'t> {
    pub(super) trellis: &'t mut Trellis,
    pub(super) masking: Masking,
}

impl Quantise for Masked<'_> {
    #[inline(always)]
    fn position(
        &mut self,
        v: &mut [i16],
        mean: &[i16],
        scale: &[u8],
        entries: &mut [u16],
        large: &mut Vec<i32>,
    ) -> usize {
        self.trellis.choose(v, mean, scale, self.masking.worth(scale), entries, large)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::{Chain, TableSetBuilder};
    use crate::latent::dependent::Path;
    use crate::latent::quantise::BIT_WORTH;
    use alloc::vec;
    use proptest::prelude::*;

    const SCALES: u8 = 3;

    /// Two-sided geometric distributions, from narrow to wide, for either quantiser.
    fn tables() -> TableSet {
        let mut builder = TableSetBuilder::new();
        for ratio in [0.08f64, 0.3, 0.8, 0.15, 0.4, 0.85] {
            let mut pmf: Vec<f64> = (-20..=20i32).map(|k| ratio.powi(k.abs())).collect();
            pmf.push(1e-6);
            builder.push_pmf(-20, &pmf).unwrap();
        }
        builder.build().unwrap()
    }

    /// The least and the most that a bit is worth anywhere, and some more.
    fn worths() -> impl Strategy<Value = i32> {
        BIT_WORTH / 2..=BIT_WORTH * 3 / 2
    }

    /// What coding `distances` as `symbols` costs, in squared symbols, and the decoder's distances.
    fn follow(
        tables: &TableSet,
        latents: &[(i16, u8)],
        symbols: &[i32],
        worth: i32,
    ) -> (f64, Vec<i32>) {
        let mut path = Dependent::new(tables).path();
        let (mut cost, mut decoded) = (0.0, Vec::new());
        for (at, (&(distance, scale), &symbol)) in latents.iter().zip(symbols).enumerate() {
            let table = path.table(scale | if at == 0 { Path::BEGINS } else { 0 });
            let halves = path.follow(symbol);
            let error = f64::from(distance) / 16.0 - f64::from(halves) / 2.0;
            let bits = tables.cost_bits(table, symbol).unwrap();
            cost += error * error + f64::from(worth) / 65536.0 * f64::from(bits);
            decoded.push(8 * halves);
        }
        (cost, decoded)
    }

    /// The least cost of any symbols, by trying them all.
    fn least(tables: &TableSet, latents: &[(i16, u8)], symbols: &mut Vec<i32>, worth: i32) -> f64 {
        let Some(&(distance, _)) = latents.get(symbols.len()) else {
            return follow(tables, latents, symbols, worth).0;
        };
        let mut best = f64::INFINITY;
        for magnitude in 0..=i32::from(distance.abs()) / 16 + 2 {
            symbols.push(if distance < 0 { -magnitude } else { magnitude });
            best = best.min(least(tables, latents, symbols, worth));
            symbols.pop();
        }
        best
    }

    /// Symbols and decoded distances, in sixteenths, of latents around means of 5.
    fn choose(
        tables: &TableSet,
        latents: &[(i16, u8)],
        fine: u32,
        worth: i32,
    ) -> (Vec<i32>, Vec<i32>) {
        let mean = 5i16;
        let mut v: Vec<i16> = latents.iter().map(|l| mean + (l.0 << fine)).collect();
        let scales: Vec<u8> = latents.iter().map(|l| l.1).collect();
        let mut entries = vec![0; v.len() + GROUP];
        let mut large = Vec::new();
        let means = vec![mean; v.len()];
        let coded = Trellis::new(tables, 0, fine).choose(
            &mut v,
            &means,
            &scales,
            worth,
            &mut entries,
            &mut large,
        );
        assert_eq!(coded, latents.len());
        let mut large = large.into_iter();
        let symbols = entries[..coded].iter().map(|&entry| match (entry >> 8) as i8 {
            i8::MIN => large.next().unwrap(),
            symbol => symbol.into(),
        });
        let symbols: Vec<i32> = symbols.collect();
        assert!(large.next().is_none());
        (symbols, v.iter().map(|&v| (i32::from(v) - i32::from(mean)) >> fine).collect())
    }

    proptest! {
        #[test]
        fn no_path_is_cheaper(
            latents in prop::collection::vec((-50i16..=50, 0..SCALES), 1..=5), fine in 0..2u32,
            worth in worths(),
        ) {
            let tables = tables();
            let (symbols, decoded) = choose(&tables, &latents, fine, worth);
            let (cost, followed) = follow(&tables, &latents, &symbols, worth);
            prop_assert_eq!(decoded, followed);
            // Integer costs are rounded down.
            prop_assert!(cost <= least(&tables, &latents, &mut Vec::new(), worth) + 2e-3);
        }

        #[test]
        fn a_decoder_that_follows_finds_the_latents(
            latents in prop::collection::vec((-3000i16..=3000, 0..=255u8), 1..=300), fine in 0..2u32,
            worth in worths(),
        ) {
            let tables = tables();
            let (symbols, decoded) = choose(&tables, &latents, fine, worth);
            let known: Vec<_> = latents.iter().map(|l| (l.0, l.1.min(SCALES - 1))).collect();
            prop_assert_eq!(&follow(&tables, &known, &symbols, worth).1, &decoded);
            // Values of a quantiser are a symbol apart, and zero may be preferred to 2.
            prop_assert!(decoded.iter().zip(&latents).all(|(d, l)| (d - i32::from(l.0)).abs() <= 32));
        }
    }

    #[test]
    fn what_is_skipped_is_its_mean() {
        let tables = tables();
        let mut v = [40, -40, 40];
        let (mut entries, mut large) = ([0; 3 + GROUP], Vec::new());
        let mut trellis = Trellis::new(&tables, 2, 0);
        assert_eq!(
            trellis.choose(&mut v, &[1, 2, 3], &[1, 2, 0], BIT_WORTH, &mut entries, &mut large),
            1
        );
        assert_eq!((v[0], v[2], large.len()), (1, 3, 0));
        assert_eq!(entries[0], entry::pack(2, -3));
    }
}
