//! What a bit is worth, by how busy a position is.
//!
//! An error is seen less where more is going on around it (contrast masking; encoders' adaptive quantisation and "spatial
//! noise shaping" go by it). How much that is the entropy model has just predicted, on either side of the position: the
//! mean of its scale indices, logarithms of deviations. Decoders need not know; they see other symbols.

use core::fmt;

use super::predict::Prediction;
use super::quantise::BIT_WORTH;

/// What an encoder chooses symbols for. Decoders need not know. Models whose symbols are chosen one by one have one way only.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tune {
    /// For eyes: fewer bits where more is going on than around it, more of them where less is. What the model's figures are about.
    #[default]
    Perceptual,
    /// For the least squared error: 0.7 % fewer bytes at equal PSNR.
    Psnr,
}

impl Tune {
    /// All of them.
    pub const ALL: [Tune; 2] = [Tune::Perceptual, Tune::Psnr];

    /// `perceptual` or `psnr`.
    pub const fn name(self) -> &'static str {
        match self {
            Tune::Perceptual => "perceptual",
            Tune::Psnr => "psnr",
        }
    }

    /// What has this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tune| tune.name() == name)
    }
}

impl fmt::Display for Tune {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How far, in scale indices, a position counts as busier than others.
const LIMIT: i64 = 6;

/// What a bit is worth in squared symbols, 2⁻¹⁶, by how many scale indices a position's mean is above that of the positions
/// predicted with it, from −[`LIMIT`] on: 0.08 · 2^(n / 15). Training chooses symbols in the same way (`worth_of` in
/// `trellis.py`).
const WORTHS: [i32; 2 * LIMIT as usize + 1] =
    [3973, 4161, 4358, 4564, 4780, 5006, 5243, 5491, 5751, 6023, 6307, 6606, 6918];

/// How positions that were predicted together are weighed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Masking {
    /// All alike.
    Alike,
    /// By the mean of all, of which this is the sum of the scale indices.
    Against { total: i64, positions: i64 },
}

impl Masking {
    #[inline(always)]
    pub(super) fn new(tune: Tune, prediction: &Prediction, channels: usize) -> Self {
        match tune {
            Tune::Psnr => Masking::Alike,
            Tune::Perceptual => {
                let scales = prediction.scale.as_slice().chunks_exact(channels);
                let positions = scales.len() as i64;
                Masking::Against { total: scales.map(sum).sum(), positions }
            }
        }
    }

    /// What a bit is worth at a position with these scale indices.
    #[inline(always)]
    pub(super) fn worth(self, scale: &[u8]) -> i32 {
        let Masking::Against { total, positions } = self else { return BIT_WORTH };
        // At most 256 · 4096 indices at each of fewer than 2^17 positions.
        let unit = positions * scale.len() as i64;
        let above = sum(scale) * positions - total;
        // Rounded; a prediction has positions, a bundle channels.
        let busier = (2 * above + unit).div_euclid(2 * unit.max(1)).clamp(-LIMIT, LIMIT);
        WORTHS[(busier + LIMIT) as usize]
    }
}

/// The sum of a position's scale indices.
#[inline(always)]
fn sum(scale: &[u8]) -> i64 {
    // At most 4,096 channels.
    scale.iter().map(|&s| u32::from(s)).sum::<u32>().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worths(tune: Tune, positions: &[[u8; 3]]) -> alloc::vec::Vec<i32> {
        let mut prediction = Prediction::default();
        prediction.scale.reset(3 * positions.len()).copy_from_slice(positions.as_flattened());
        let masking = Masking::new(tune, &prediction, 3);
        positions.iter().map(|scale| masking.worth(scale)).collect()
    }

    #[test]
    fn worths_are_those_of_the_formula() {
        for (n, &worth) in (-LIMIT..=LIMIT).zip(&WORTHS) {
            let exact = f64::from(BIT_WORTH) * (n as f64 / 15.0).exp2();
            assert!((f64::from(worth) - exact).abs() <= 0.5, "{n}");
        }
    }

    #[test]
    fn a_bit_is_worth_more_where_more_is_going_on() {
        let [calm, even, busy] = [WORTHS[2], WORTHS[6], WORTHS[10]];
        assert_eq!(worths(Tune::Perceptual, &[[1, 2, 3], [9, 10, 11]]), [calm, busy]);
        assert_eq!(worths(Tune::Perceptual, &[[5, 5, 5], [0, 0, 15], [4, 5, 5]]), [even; 3]);
        assert_eq!(worths(Tune::Perceptual, &[[0; 3], [255; 3]]), [WORTHS[0], WORTHS[12]]);
        assert_eq!(worths(Tune::Perceptual, &[[200, 7, 90]]), [even]);
        assert_eq!(worths(Tune::Psnr, &[[0; 3], [255; 3]]), [even; 2]);
    }
}
