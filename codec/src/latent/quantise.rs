//! Latents to symbols one at a time, weighing bits against error.

use alloc::vec::Vec;

use super::write::Quantise;
use super::{FRACTION, GROUP, SYMBOL_LIMIT, coarse, none_coded, reconstruct};
use crate::entropy::{TableSet, entry};

/// What one bit may cost in squared error, squared symbols in 2⁻¹⁶: 0.08.
///
/// High-rate theory has 2 ln 2 / 12 = 0.116 (the slope of D = Δ²/12 · 2^(−2R)). Where symbols are mostly zero a bit buys
/// less than that; 0.08 measured best, 4 % fewer bytes on Kodak than rounding to the nearest at equal SSIMULACRA2, at
/// equal PSNR and at equal MS-SSIM alike (0.05 and 0.10 come within 0.5 %). Training chooses symbols in the same way
/// (`BIT_WORTH` in `rate.py`): a change here wants the models trained anew.
pub(super) const BIT_WORTH: i32 = 5243;

/// Magnitudes with a threshold of their own, zero among them; larger ones share the last.
const MAGNITUDES: usize = 16;

/// Rate–distortion optimised rounding of one symbol at a time (Sullivan 1996, entropy-constrained scalar quantisation):
/// of the two symbols around a distance from the mean, the one that costs less in `error² + worth · bits`.
#[derive(Clone, Debug)]
struct Thresholds {
    /// By index and magnitude: how much further than half-way a distance must be to get that magnitude, in 1/16.
    /// One row for every index, so that rounding needs no branch.
    beyond_half: [[i32; MAGNITUDES]; 256],
}

impl Thresholds {
    /// Thresholds for the prices of `tables`.
    fn new(tables: &TableSet) -> Self {
        let mut beyond_half = [[0; MAGNITUDES]; 256];
        let last = tables.len().saturating_sub(1).min(255);
        for (index, row) in beyond_half.iter_mut().enumerate() {
            // Both signs together: distributions are symmetric but for their last count.
            let bits = |k: i32| {
                let table = index.min(last) as u8;
                let price = |symbol| i64::from(tables.cost(table, symbol).unwrap_or(u32::MAX));
                price(k) + price(-k)
            };
            for (k, beyond) in row.iter_mut().enumerate().skip(1) {
                // error(k − 1) − error(k) = 2 x − (2 k − 1): x must exceed k − 1/2 by worth · Δbits / 2.
                let twice_dearer = bits(k as i32) - bits(k as i32 - 1);
                let steps = (twice_dearer * i64::from(BIT_WORTH)) >> (32 + 2 - FRACTION);
                // Below a whole symbol, so that only the two neighbours compete.
                *beyond = steps.clamp(0, (1 << (FRACTION - 1)) - 1) as i32;
            }
        }
        Thresholds { beyond_half }
    }

    /// The symbol of a distance from the mean in 1/16, coded with table `index` (the last serves for higher ones).
    #[inline(always)]
    fn quantise(&self, index: u8, distance: i32) -> i32 {
        let rounded = distance.abs() + (1 << (FRACTION - 1));
        let nearest = (rounded >> FRACTION).min(MAGNITUDES as i32 - 1) as usize;
        let beyond = self.beyond_half.as_flattened()[usize::from(index) * MAGNITUDES + nearest];
        ((rounded - beyond) >> FRACTION).min(SYMBOL_LIMIT) * distance.signum()
    }
}

/// Quantises one latent at a time to one of the symbols around it.
#[derive(Debug)]
pub(super) struct Nearest {
    thresholds: Thresholds,
    skip: u8,
    last: u8,
    fine: u32,
}

impl Nearest {
    /// For the prices of `tables`, where latents with scale indices below `skip` are not coded and have `fine` bits more than
    /// the entropy model reads.
    pub(super) fn new(tables: &TableSet, skip: u8, fine: u32) -> Self {
        // A bundle may have fewer tables than its programs can name: the last serves for the rest.
        let last = (tables.len() - 1).min(255) as u8;
        Nearest { thresholds: Thresholds::new(tables), skip, last, fine }
    }

    /// Some neighbouring latents of a position.
    #[inline(always)]
    fn group<const N: usize>(
        &self,
        v: &mut [i16; N],
        mean: &[i16; N],
        scale: &[u8; N],
        entries: &mut [u16],
        large: &mut Vec<i32>,
    ) -> usize {
        if none_coded(scale, self.skip) {
            *v = *mean;
            return 0;
        }
        let mut symbols = [0_i32; N];
        let mut packed = [0_u16; N];
        let mut fits = true;
        for i in 0..N {
            let distance = coarse(i32::from(v[i]) - i32::from(mean[i]), self.fine);
            let kept = i32::from(scale[i] >= self.skip);
            let symbol = self.thresholds.quantise(scale[i], distance) * kept;
            symbols[i] = symbol;
            fits &= entry::fits(symbol);
            packed[i] = entry::pack(scale[i].min(self.last), symbol);
            v[i] = reconstruct(symbol << (FRACTION + self.fine), mean[i]);
        }
        let Some(entries) = entries.first_chunk_mut::<N>() else { return 0 };
        let mut coded = 0;
        for i in 0..N {
            // Never beyond N, which the compiler cannot see.
            entries[coded.min(N - 1)] = packed[i];
            if !fits && scale[i] >= self.skip && !entry::fits(symbols[i]) {
                entries[coded.min(N - 1)] = entry::large(scale[i].min(self.last));
                large.push(symbols[i]);
            }
            coded += usize::from(scale[i] >= self.skip);
        }
        coded
    }
}

impl Quantise for Nearest {
    #[inline(always)]
    fn position(
        &mut self,
        v: &mut [i16],
        mean: &[i16],
        scale: &[u8],
        entries: &mut [u16],
        large: &mut Vec<i32>,
    ) -> usize {
        let mut coded = 0;
        let (groups, rest) = v.as_chunks_mut::<GROUP>();
        let (means, mean_rest) = mean.as_chunks::<GROUP>();
        let (scales, scale_rest) = scale.as_chunks::<GROUP>();
        for ((v, mean), scale) in groups.iter_mut().zip(means).zip(scales) {
            coded += self.group(v, mean, scale, &mut entries[coded..], large);
        }
        for ((v, &mean), &scale) in rest.iter_mut().zip(mean_rest).zip(scale_rest) {
            let one = core::array::from_mut(v);
            coded += self.group(one, &[mean], &[scale], &mut entries[coded..], large);
        }
        coded
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::TableSetBuilder;

    /// Two-sided geometric distributions, from narrow to wide.
    fn tables() -> TableSet {
        let mut builder = TableSetBuilder::new();
        for ratio in [0.01f64, 0.2, 0.6, 0.95] {
            let mut pmf: Vec<f64> = (-40..=40i32).map(|k| ratio.powi(k.abs())).collect();
            pmf.push(1e-6);
            builder.push_pmf(-40, &pmf).unwrap();
        }
        builder.build().unwrap()
    }

    #[test]
    fn the_cheaper_of_two_neighbours_wins() {
        let tables = tables();
        let thresholds = Thresholds::new(&tables);
        let worth = f64::from(BIT_WORTH) / 65536.0;
        for index in 0..4 {
            for distance in -7 * 16..=7 * 16 {
                let symbol = thresholds.quantise(index, distance);
                assert_eq!(thresholds.quantise(index, -distance), -symbol);
                let price = |symbol: i32| {
                    let error = f64::from(distance) / 16.0 - f64::from(symbol);
                    let bits = f64::from(tables.cost_bits(index, symbol).unwrap());
                    error * error + worth * bits
                };
                let below = (distance.abs() >> FRACTION) * distance.signum();
                let above = below + if distance < 0 { -1 } else { 1 };
                let least = price(below).min(price(above));
                // Thresholds are rounded to 1/16, the unit of distances: 2 · 1/16 of error at most.
                assert!(price(symbol) <= least + 0.13, "table {index}, {distance}: {symbol}");
            }
        }
        // 0.7 of a symbol: not worth a 1 where that is rare, worth it where it is common.
        assert_eq!((thresholds.quantise(0, 11), thresholds.quantise(3, 11)), (0, 1));
    }

    #[test]
    fn limits_hold() {
        let thresholds = Thresholds::new(&tables());
        assert_eq!(thresholds.quantise(255, i32::from(i16::MAX) * 4), SYMBOL_LIMIT);
        assert_eq!(thresholds.quantise(0, i32::from(i16::MIN) * 4), -SYMBOL_LIMIT);
    }
}
