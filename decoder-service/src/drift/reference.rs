//! What the training pictures looked like, from a bundle's manifest.

use serde::Deserialize;

/// Standard deviations below this, in symbols, are taken for it: a channel that is nearly constant must not turn
/// quantisation noise into drift.
const DEVIATION_FLOOR: f64 = 1.0 / 16.0;

/// The `reference` object of a manifest.
///
/// All but `qualities`, `mean` and `variance` may be absent; `bpp` and `escape_rate` may be one number for all qualities.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Reference {
    /// Qualities, 0..=100, rising, that the lists below are for.
    qualities: Vec<f64>,
    /// Mean of each channel's latents at each quality, in symbols: `[quality][channel]`.
    mean: Vec<Vec<f64>>,
    /// Variance, likewise.
    variance: Vec<Vec<f64>>,
    /// Bits per pixel at each quality.
    #[serde(default)]
    bpp: Option<OneOrMany>,
    /// Standard deviation, over pictures, of the binary logarithm of bits per pixel.
    #[serde(default)]
    bpp_deviation: Option<OneOrMany>,
    /// Escaped symbols among coded ones.
    #[serde(default)]
    escape_rate: Option<OneOrMany>,
    /// Share of normalised values between the [`EDGES`](super::EDGES): `[channel][bin]`.
    #[serde(default)]
    shares: Option<Vec<Vec<f64>>>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(f64),
    Many(Vec<f64>),
}

/// What a frame of one quality is expected to look like.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// Mean of each channel, in symbols.
    pub mean: Vec<f64>,
    /// Standard deviation of each channel, in symbols; at least 1/16.
    pub deviation: Vec<f64>,
    /// Bits per pixel.
    pub bpp: Option<f64>,
    /// Standard deviation of log₂ of bits per pixel.
    pub bpp_deviation: Option<f64>,
    /// Escaped symbols among coded ones.
    pub escape_rate: Option<f64>,
}

impl Reference {
    /// Reads a manifest's `reference` for a latent space of this many channels; none if it has none, or if it does not
    /// fit: a wrong reference must not keep a model from serving.
    pub fn from_manifest(manifest: &str, channels: usize) -> Option<Self> {
        let manifest: serde_json::Value = serde_json::from_str(manifest).ok()?;
        let reference: Reference =
            serde_json::from_value(manifest.get("reference")?.clone()).ok()?;
        let n = reference.qualities.len();
        let table = |rows: &[Vec<f64>]| {
            rows.len() == n
                && rows.iter().all(|r| r.len() == channels && r.iter().all(|v| v.is_finite()))
        };
        let fits = n > 0
            && reference.qualities.is_sorted()
            && table(&reference.mean)
            && table(&reference.variance)
            && reference.shares.as_ref().is_none_or(|s| {
                s.len() == channels && s.iter().all(|bins| bins.len() == super::BINS)
            });
        fits.then_some(reference)
    }

    /// Shares of normalised values, `[channel][bin]`.
    pub fn shares(&self) -> Option<&[Vec<f64>]> {
        self.shares.as_deref()
    }

    /// Linear between the qualities that the reference has, constant beyond them.
    pub fn at(&self, quality: f64) -> Expected {
        let last = self.qualities.len() - 1;
        let high = self.qualities.iter().position(|&q| q >= quality).unwrap_or(last);
        let low = if self.qualities[high] >= quality { high.saturating_sub(1) } else { high };
        let span = self.qualities[high] - self.qualities[low];
        let t =
            if span > 0.0 { ((quality - self.qualities[low]) / span).clamp(0.0, 1.0) } else { 0.0 };
        let mix = |a: f64, b: f64| a + (b - a) * t;
        let row = |rows: &[Vec<f64>]| -> Vec<f64> {
            rows[low].iter().zip(&rows[high]).map(|(&a, &b)| mix(a, b)).collect()
        };
        let number = |list: &Option<OneOrMany>| match list {
            Some(OneOrMany::One(value)) => Some(*value),
            Some(OneOrMany::Many(values)) => Some(mix(*values.get(low)?, *values.get(high)?)),
            None => None,
        };
        let variance = row(&self.variance);
        let deviation = variance.into_iter().map(|v| v.max(0.0).sqrt().max(DEVIATION_FLOOR));
        Expected {
            mean: row(&self.mean),
            deviation: deviation.collect(),
            bpp: number(&self.bpp).filter(|&v| v > 0.0),
            bpp_deviation: number(&self.bpp_deviation).filter(|&v| v > 0.0),
            escape_rate: number(&self.escape_rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"name": "photo", "reference": {"qualities": [20, 60], "mean": [[0, 1], [2, 3]],
        "variance": [[1, 4], [9, 0]], "bpp": [0.2, 1.0], "escape_rate": 0.001}}"#;

    #[test]
    fn interpolates_between_qualities_and_stops_at_the_ends() {
        let reference = Reference::from_manifest(MANIFEST, 2).unwrap();
        let middle = reference.at(40.0);
        assert_eq!(middle.mean, [1.0, 2.0]);
        assert_eq!(middle.deviation, [5f64.sqrt(), 2f64.sqrt()]);
        assert!((middle.bpp.unwrap() - 0.6).abs() < 1e-12);
        assert_eq!(middle.escape_rate, Some(0.001));
        assert_eq!(reference.at(0.0), reference.at(20.0));
        assert_eq!(reference.at(100.0), reference.at(60.0));
        // The floor.
        assert_eq!(reference.at(60.0).deviation, [3.0, 1.0 / 16.0]);
    }

    #[test]
    fn references_that_do_not_fit_are_none() {
        assert!(Reference::from_manifest(MANIFEST, 3).is_none());
        assert!(Reference::from_manifest("{}", 2).is_none());
        assert!(Reference::from_manifest("no JSON", 2).is_none());
        let unsorted = MANIFEST.replace("[20, 60]", "[60, 20]");
        assert!(Reference::from_manifest(&unsorted, 2).is_none());
        let empty = r#"{"reference": {"qualities": [], "mean": [], "variance": []}}"#;
        assert!(Reference::from_manifest(empty, 2).is_none());
    }
}
