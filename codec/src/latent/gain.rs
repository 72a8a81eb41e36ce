//! Quality gains: latents to symbol units and back.

use alloc::vec::Vec;

use crate::bundle::Settings;
use crate::engine::kernels::{Work, wide};
use crate::engine::requant::round_ties_even;

/// Per-channel factors of one quality.
#[derive(Clone, Debug)]
pub(crate) struct Gains {
    /// Latents (1/512) to gained latents.
    pub(crate) forward: Vec<f32>,
    /// The reciprocals.
    pub(crate) inverse: Vec<f32>,
}

impl Gains {
    pub(crate) fn new(settings: &Settings, quality: u16) -> Self {
        let forward = settings.gains(quality);
        let inverse = forward.iter().map(|g| 1.0 / g).collect();
        Gains { forward, inverse }
    }
}

/// `clamp(round_ties_even(x · factor))` of every channel of every position.
pub(crate) fn scale_row(row: &mut [i16], factors: &[f32]) {
    wide(Scaling { row, factors });
}

struct Scaling<'a> {
    row: &'a mut [i16],
    factors: &'a [f32],
}

impl Work for Scaling<'_> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        for position in self.row.chunks_exact_mut(self.factors.len()) {
            for (x, factor) in position.iter_mut().zip(self.factors) {
                let scaled = (f32::from(*x) * factor).clamp(-32768.0, 32767.0);
                *x = round_ties_even(scaled) as i16;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_meet_the_knots_and_grow_between() {
        let settings = Settings {
            latent_channels: 2,
            hyper_channels: 1,
            skip_below: 0,
            passes: 2,
            dependent: false,
            fraction: 4,
            gain_knots: vec![1.0, 2.0, 3.0, 5.0, 9.0, 9.0],
        };
        assert_eq!(settings.gains(0), [1.0, 2.0]);
        assert_eq!(settings.gains(2500), [2.0, 3.5]);
        assert_eq!(settings.gains(5000), [3.0, 5.0]);
        assert_eq!(settings.gains(10_000), [9.0, 9.0]);
    }

    #[test]
    fn the_threshold_and_the_flags_share_a_word() {
        let mut settings = Settings {
            latent_channels: 1,
            hyper_channels: 1,
            skip_below: 200,
            passes: 2,
            dependent: false,
            fraction: 4,
            gain_knots: vec![1.0, 2.0],
        };
        let words = [
            (2, false, 4, [200, 0, 0, 0]),
            (4, false, 4, [200, 0, 1, 0]),
            (2, true, 4, [200, 0, 2, 0]),
            (4, true, 4, [200, 0, 3, 0]),
            (2, false, 5, [200, 0, 4, 0]),
            (4, true, 5, [200, 0, 7, 0]),
        ];
        for (passes, dependent, fraction, word) in words {
            (settings.passes, settings.dependent) = (passes, dependent);
            settings.fraction = fraction;
            let mut bytes = settings.to_bytes();
            assert_eq!(bytes[8..12], word);
            assert_eq!(Settings::parse(&bytes).unwrap(), settings);
            for other in [[0, 1, 0, 0], [200, 1, 1, 0], [200, 0, 8, 0], [200, 0, 0, 1]] {
                bytes[8..12].copy_from_slice(&other);
                assert!(Settings::parse(&bytes).is_err(), "{other:?}");
            }
        }
    }

    #[test]
    fn scaling_saturates_and_rounds_to_even() {
        let scaled = |mut row: [i16; 4], factors: &[f32]| {
            scale_row(&mut row, factors);
            row
        };
        assert_eq!(scaled([1, 3, 30000, -30000], &[0.5, 0.5]), [0, 2, 15000, -15000]);
        assert_eq!(scaled([30000, -30000, 1, 2], &[2.0, 2.0]), [32767, -32768, 2, 4]);
    }
}
