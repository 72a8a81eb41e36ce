//! Multi-scale structural similarity after Wang, Simoncelli and Bovik (2003).
//!
//! Each scale is windowed by an 11-tap Gaussian of sigma 1.5 where it fits whole; between scales
//! 2×2 blocks are averaged, an odd last row or column dropped. Scales in which the window does
//! not fit are left out and the weights of the others scaled to the same sum.

/// As published; they add up to 1.0001.
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
const TAPS: usize = 11;
const SIGMA: f64 = 1.5;
/// (0.01 · 255)² and (0.03 · 255)².
const C1: f64 = 6.5025;
const C2: f64 = 58.5225;

/// The mean of the three colours' MS-SSIM; both pictures are interleaved RGB.
pub(super) fn ms_ssim_rgb(a: &[u8], b: &[u8], width: usize, height: usize) -> f64 {
    let plane = |data: &[u8], channel: usize| {
        let samples = data.iter().skip(channel).step_by(3).map(|&v| f64::from(v));
        Plane { width, height, data: samples.collect() }
    };
    (0..3).map(|channel| ms_ssim(plane(a, channel), plane(b, channel))).sum::<f64>() / 3.0
}

struct Plane {
    width: usize,
    height: usize,
    data: Vec<f64>,
}

fn ms_ssim(mut a: Plane, mut b: Plane) -> f64 {
    let side = a.width.min(a.height);
    let scales = (1..=WEIGHTS.len()).rev().find(|n| side >> (n - 1) >= TAPS).unwrap_or(1);
    let rescale = WEIGHTS.iter().sum::<f64>() / WEIGHTS[..scales].iter().sum::<f64>();
    let window = window(side);
    let mut score = 1.0;
    for (scale, weight) in WEIGHTS[..scales].iter().enumerate() {
        let Similarity { structure, whole } = ssim(&a, &b, &window);
        let last = scale + 1 == scales;
        let term = if last { whole } else { structure };
        // Anticorrelated pictures have negative terms, of which no root exists.
        score *= term.max(0.0).powf(weight * rescale);
        if !last {
            a = a.halved();
            b = b.halved();
        }
    }
    score
}

/// The Gaussian, cut to the largest odd length that fits in a picture smaller than it.
fn window(side: usize) -> Vec<f64> {
    let taps = if side >= TAPS { TAPS } else { side - (side + 1) % 2 };
    let middle = (taps / 2) as f64;
    let raw: Vec<f64> =
        (0..taps).map(|i| (-(i as f64 - middle).powi(2) / (2.0 * SIGMA * SIGMA)).exp()).collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|v| v / sum).collect()
}

/// Means over one scale.
struct Similarity {
    /// Contrast and structure.
    structure: f64,
    /// Those times luminance: SSIM itself.
    whole: f64,
}

fn ssim(a: &Plane, b: &Plane, window: &[f64]) -> Similarity {
    let (width, height) = (a.width, a.height);
    let (out_width, out_height) = (width + 1 - window.len(), height + 1 - window.len());
    // Sums down the window's columns: a, b, a², b², ab.
    let mut columns = vec![0.0f64; 5 * width];
    let mut rows = vec![0.0f64; 5 * out_width];
    let (mut structure, mut whole) = (0.0, 0.0);
    for y in 0..out_height {
        columns.fill(0.0);
        let (sum_a, rest) = columns.split_at_mut(width);
        let (sum_b, rest) = rest.split_at_mut(width);
        let (sum_aa, rest) = rest.split_at_mut(width);
        let (sum_bb, sum_ab) = rest.split_at_mut(width);
        for (tap, &weight) in window.iter().enumerate() {
            let line = (y + tap) * width..(y + tap + 1) * width;
            let (line_a, line_b) = (&a.data[line.clone()], &b.data[line]);
            for x in 0..width {
                let (va, vb) = (line_a[x], line_b[x]);
                sum_a[x] += weight * va;
                sum_b[x] += weight * vb;
                sum_aa[x] += weight * va * va;
                sum_bb[x] += weight * vb * vb;
                sum_ab[x] += weight * va * vb;
            }
        }
        rows.fill(0.0);
        for (from, to) in columns.chunks_exact(width).zip(rows.chunks_exact_mut(out_width)) {
            for (tap, &weight) in window.iter().enumerate() {
                for (to, &from) in to.iter_mut().zip(&from[tap..]) {
                    *to += weight * from;
                }
            }
        }
        for x in 0..out_width {
            let at = |map: usize| rows[map * out_width + x];
            let (mean_a, mean_b) = (at(0), at(1));
            let (var_a, var_b) = (at(2) - mean_a * mean_a, at(3) - mean_b * mean_b);
            let covariance = at(4) - mean_a * mean_b;
            let cs = (2.0 * covariance + C2) / (var_a + var_b + C2);
            let l = (2.0 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1);
            structure += cs;
            whole += cs * l;
        }
    }
    let count = (out_width * out_height) as f64;
    Similarity { structure: structure / count, whole: whole / count }
}

impl Plane {
    fn halved(&self) -> Plane {
        let (width, height) = (self.width / 2, self.height / 2);
        let mut data = Vec::with_capacity(width * height);
        for y in 0..height {
            let upper = &self.data[2 * y * self.width..][..2 * width];
            let lower = &self.data[(2 * y + 1) * self.width..][..2 * width];
            let pairs = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            data.extend(pairs.map(|(u, l)| (u[0] + u[1] + l[0] + l[1]) / 4.0));
        }
        Plane { width, height, data }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: usize, height: usize) -> Vec<u8> {
        let mut state = 1u32;
        let next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        };
        std::iter::repeat_with(next).take(3 * width * height).collect()
    }

    #[test]
    fn identical_pictures_score_one_at_every_size() {
        for (width, height) in [(1, 1), (2, 9), (11, 11), (40, 30), (176, 200)] {
            let picture = noise(width, height);
            let score = ms_ssim_rgb(&picture, &picture, width, height);
            assert!((score - 1.0).abs() < 1e-6, "{width}x{height}: {score}");
        }
    }

    #[test]
    fn flat_pictures_differ_in_luminance_alone() {
        // One scale: (2·100·120 + C1) / (100² + 120² + C1), to the power of the weights' sum.
        let score = ms_ssim_rgb(&[100; 3 * 121], &[120; 3 * 121], 11, 11);
        let expected = (24_006.502_5_f64 / 24_406.502_5).powf(1.000_1);
        assert!((score - expected).abs() < 1e-12, "{score}");
    }

    #[test]
    fn an_inverted_picture_scores_zero() {
        let picture = noise(180, 180);
        let inverted: Vec<u8> = picture.iter().map(|v| 255 - v).collect();
        assert_eq!(ms_ssim_rgb(&picture, &inverted, 180, 180), 0.0);
    }

    #[test]
    fn more_error_scores_less() {
        let picture = noise(64, 64);
        let with = |amount: u8| {
            let worse: Vec<u8> = picture
                .iter()
                .enumerate()
                .map(|(i, &v)| if i % 2 == 0 { v.saturating_add(amount) } else { v })
                .collect();
            ms_ssim_rgb(&picture, &worse, 64, 64)
        };
        assert!(with(4) > with(16) && with(16) > with(64));
    }
}
