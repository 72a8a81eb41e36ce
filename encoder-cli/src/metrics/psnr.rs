//! Peak signal-to-noise ratio.

/// Decibels over all samples of two pictures alike in size; `None` (infinite) if they are equal.
pub(super) fn psnr(a: &[u8], b: &[u8]) -> Option<f64> {
    debug_assert_eq!(a.len(), b.len());
    let squared: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    let mean = squared as f64 / a.len() as f64;
    (squared > 0).then(|| 10.0 * (255.0 * 255.0 / mean).log10())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(psnr(&[1, 2, 3], &[1, 2, 3]), None);
        // An error of one everywhere: 20 log10 255.
        assert!((psnr(&[1, 2, 3], &[2, 1, 4]).unwrap() - 48.130_803).abs() < 1e-6);
        assert!(psnr(&[0; 4], &[255; 4]).unwrap().abs() < 1e-12);
    }
}
