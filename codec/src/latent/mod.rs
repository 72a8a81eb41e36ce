//! Latents to bytes and back: gains, hyperprior, context in passes, symbols.
//!
//! One chunk of latents is coded at a time and knows nothing of its neighbours. In the units of the engine:
//!
//! | quantity | type | unit |
//! |---|---|---|
//! | latents `y` | i16 | 1/512 |
//! | gained latents `v = y · gain`, predicted means, decoded latents | i16 | 1/16 or 1/32 of a symbol, as the bundle says |
//! | the same as the entropy model reads them | i16 | 1/16 of a symbol |
//! | symbols, hyper-latents | integer | 1 |
//!
//! The order of the symbols in a payload: hyper-latents (row by row, position by position, channel by channel), then the
//! latents, pass by pass ([`crate::passes`]); those whose predicted scale index is below the bundle's threshold are not
//! coded and decode to their mean (Minnen et al. 2018 for the hyperprior and the mean-scale model).

mod code;
mod conceal;
mod context;
mod dependent;
mod gain;
mod geometry;
mod masking;
mod predict;
mod quantise;
mod read;
mod trellis;
mod write;

pub(crate) use code::{ChunkDecoder, ChunkEncoder, Coded};
pub(crate) use conceal::conceal;
pub(crate) use gain::{Gains, scale_row};
pub(crate) use geometry::Geometry;
pub use masking::Tune;

/// Fractional bits of gained latents as the entropy model reads them, and of distances from the mean in what coding costs.
/// Gained latents themselves may have some more, the bundle's fine bits.
const FRACTION: u32 = 4;

/// Symbols are kept inside what any table's escape can code and decoded latents can hold.
const SYMBOL_LIMIT: i32 = 4095;

/// Latents that are looked at together to see whether any is coded: a vector of scale indices.
const GROUP: usize = 16;

/// Whether a group of latents is skipped as a whole, as most groups of high frequencies are.
#[inline(always)]
fn none_coded(scale: &[u8], skip: u8) -> bool {
    scale.iter().fold(0, |most: u8, &s| most.max(s)) < skip
}

/// A gained latent, or a distance between two, without its fine bits: rounded, ties upwards.
#[inline(always)]
fn coarse(v: i32, fine: u32) -> i32 {
    (v + (1 << fine >> 1)) >> fine
}

/// Gained latents as the entropy model reads them.
fn copy_coarse(to: &mut [i16], from: &[i16], fine: u32) {
    // Never beyond i16: rounding moves no value away from zero by more than a halving brings it there.
    to.iter_mut().zip(from).for_each(|(to, &v)| *to = coarse(v.into(), fine) as i16);
}

/// The latent at a distance from the mean, saturated to i16.
#[inline(always)]
fn reconstruct(distance: i32, mean: i16) -> i16 {
    (i32::from(mean) + distance).clamp(i16::MIN.into(), i16::MAX.into()) as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fine_bits_are_rounded_away_with_ties_upwards() {
        assert_eq!([-3, -2, -1, 0, 1, 2, 3].map(|v| coarse(v, 1)), [-1, -1, 0, 0, 1, 1, 2]);
        assert_eq!([-3, 0, 7].map(|v| coarse(v, 0)), [-3, 0, 7]);
        let mut to = [0; 3];
        copy_coarse(&mut to, &[i16::MAX, i16::MIN, -5], 1);
        assert_eq!(to, [16384, -16384, -2]);
        copy_coarse(&mut to, &[i16::MAX, i16::MIN, -5], 0);
        assert_eq!(to, [i16::MAX, i16::MIN, -5]);
    }

    #[test]
    fn reconstruction_saturates() {
        assert_eq!(reconstruct(4000 << FRACTION, 1000), i16::MAX);
        assert_eq!(reconstruct(-4000 << FRACTION, -1000), i16::MIN);
        assert_eq!(reconstruct(3 << FRACTION, -5), 43);
    }
}
