//! Distances between distributions.

/// Smallest share that enters a logarithm: an empty bin is strange, not infinitely so.
const SHARE_FLOOR: f64 = 1e-4;
/// Smallest variance that enters a logarithm.
const VARIANCE_FLOOR: f64 = 1e-6;

/// Kullback-Leibler divergence, in nats, of a normal distribution of this mean and variance from the standard one:
/// `½ (v + m² − 1 − ln v)`. Zero where they are equal, never negative.
pub fn gaussian_kl(mean: f64, variance: f64) -> f64 {
    let variance = variance.max(VARIANCE_FLOOR);
    (0.5 * (variance + mean * mean - 1.0 - variance.ln())).max(0.0)
}

/// Population stability index of counts against expected shares: `Σ (p − q) ln (p / q)`, each share at least 10⁻⁴.
///
/// Below 0.1 populations are customarily called stable, above 0.25 shifted. None without counts.
pub fn population_stability(counts: &[u64], expected: &[f64]) -> Option<f64> {
    let total: u64 = counts.iter().sum();
    if total == 0 || counts.len() != expected.len() {
        return None;
    }
    let terms = counts.iter().zip(expected).map(|(&count, &expected)| {
        let p = (count as f64 / total as f64).max(SHARE_FLOOR);
        let q = expected.max(SHARE_FLOOR);
        (p - q) * (p / q).ln()
    });
    Some(terms.sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_distributions_have_no_distance() {
        assert_eq!(gaussian_kl(0.0, 1.0), 0.0);
        assert_eq!(population_stability(&[10, 20, 70], &[0.1, 0.2, 0.7]), Some(0.0));
    }

    #[test]
    fn known_distances() {
        // N(1, 1) from N(0, 1) is a half; N(0, 4): ½ (4 − 1 − ln 4).
        assert!((gaussian_kl(1.0, 1.0) - 0.5).abs() < 1e-12);
        assert!((gaussian_kl(0.0, 4.0) - 0.806_852_819).abs() < 1e-9);
        // (0.6 − 0.5) ln 1.2 + (0.4 − 0.5) ln 0.8
        let psi = population_stability(&[60, 40], &[0.5, 0.5]).unwrap();
        assert!((psi - 0.040_546_511).abs() < 1e-9, "{psi}");
    }

    #[test]
    fn degenerate_input_stays_finite() {
        assert!(gaussian_kl(0.0, 0.0).is_finite());
        assert!(population_stability(&[0, 5], &[1.0, 0.0]).unwrap().is_finite());
        assert_eq!(population_stability(&[0, 0], &[0.5, 0.5]), None);
        assert_eq!(population_stability(&[1], &[0.5, 0.5]), None);
    }
}
