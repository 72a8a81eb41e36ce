//! What windows of normal operation look like.

use alloc::vec::Vec;

use super::model::SensorTag;
use crate::bundle::BundleError;

const COUNT: usize = 256;

/// Quantiles of error and bits over normal windows, and the quality at which they were taken.
///
/// In the section, little-endian: quality as `u32` (hundredths); then as `f32` 256 errors and 256 bits, ascending: the
/// quantiles (i + ½)/256 of windows that were kept out of training.
#[derive(Clone, Debug, PartialEq)]
pub struct Reference {
    quality: u16,
    error: Vec<f32>,
    bits: Vec<f32>,
}

impl Reference {
    /// A reference from its parts: quality in hundredths, 256 ascending quantiles each.
    ///
    /// # Errors
    /// Lists of another length, not ascending, negative or not finite.
    pub fn new(quality: u16, error: Vec<f32>, bits: Vec<f32>) -> Result<Self, BundleError> {
        let ascending = |list: &[f32]| {
            list.len() == COUNT
                && list.iter().all(|v| (0.0..=f32::MAX).contains(v))
                && list.is_sorted()
        };
        if quality > 10_000 || !ascending(&error) || !ascending(&bits) {
            return Err(BundleError::Shape(SensorTag::REFERENCE));
        }
        Ok(Reference { quality, error, bits })
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() != 4 + 8 * COUNT {
            return Err(BundleError::Shape(SensorTag::REFERENCE));
        }
        let mut words = bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]));
        let quality = u16::try_from(words.next().unwrap_or(u32::MAX)).unwrap_or(u16::MAX);
        let mut list = || words.by_ref().take(COUNT).map(f32::from_bits).collect();
        let error = list();
        Self::new(quality, error, list())
    }

    /// The section's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let lists = self.error.iter().chain(&self.bits);
        let mut out: Vec<u8> = u32::from(self.quality).to_le_bytes().into();
        out.extend(lists.flat_map(|v| v.to_bits().to_le_bytes()));
        out
    }

    /// The quality at which errors and bits are comparable with the reference, in hundredths.
    #[must_use]
    pub fn quality(&self) -> u16 {
        self.quality
    }

    /// How odd a window is: the greater of its error and its bits, each over its own median of normal windows in
    /// units of the distance from there to their 95 % quantile, in sixteenths. 16 is at the edge of what is normal.
    ///
    /// `error` is the mean over the window's samples of `((x - decoded) / spread)²`, `bits` what its symbols cost.
    #[must_use]
    pub fn score(&self, error: f32, bits: f32) -> u8 {
        let one = |list: &[f32], v: f32| {
            let (middle, edge) = (list[COUNT / 2], list[COUNT * 95 / 100]);
            (v - middle) / (edge - middle).max(1e-6 + 0.01 * middle)
        };
        let worse = one(&self.error, error).max(one(&self.bits, bits));
        // NaN becomes 0; a saturating cast.
        (worse * 16.0).clamp(0.0, 255.0) as u8
    }

    /// The least score that at most this share of normal windows reaches.
    #[must_use]
    pub fn threshold(&self, false_alarm_rate: f32) -> u8 {
        // The two lists are not paired: each gets half of the allowed alarms.
        let kept = (1.0 - 0.5 * false_alarm_rate.clamp(0.0, 1.0)) * COUNT as f32;
        let at = (kept as usize).min(COUNT - 1);
        self.score(self.error[at], self.bits[at]).saturating_add(1)
    }
}
