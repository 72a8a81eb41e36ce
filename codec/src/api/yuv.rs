//! Luma and chroma to RGB and back, in integers.
//!
//! The coefficients follow from the two luma weights of a standard and from the range; all are rounded once to 2⁻¹⁶.
//! Every sum below fits 32 bits, so every processor computes the same bytes. `docs/api.md` has the formulas.

/// Luma weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum YuvMatrix {
    /// ITU-R BT.601: Kr = 0.299, Kb = 0.114. JPEG (JFIF), standard definition, most camera drivers.
    #[default]
    Bt601,
    /// ITU-R BT.709: Kr = 0.2126, Kb = 0.0722. High definition video.
    Bt709,
}

/// Range of 8-bit samples.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum YuvRange {
    /// Luma 0..=255, chroma 128 ± 127.5: JPEG (JFIF), "full swing", "PC range".
    #[default]
    Full,
    /// Luma 16..=235, chroma 16..=240: video, "studio swing", "TV range".
    Limited,
}

/// What luma and chroma samples mean. The default is that of JPEG files: BT.601, full range.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct YuvSpace {
    /// Luma weights.
    pub matrix: YuvMatrix,
    /// Range of the samples.
    pub range: YuvRange,
}

/// Fractional bits of coefficients.
pub(crate) const BITS: u32 = 16;
const ONE: i64 = 1 << BITS;
const HALF: i32 = 1 << (BITS - 1);
/// Denominator of the luma weights.
const UNIT: i64 = 10_000;

/// Coefficients to RGB in 2⁻¹⁶, of luma less `black` and chroma less 128.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ToRgb {
    pub(crate) black: i32,
    pub(crate) y: i32,
    /// Of Cb to red (none), green, blue.
    pub(crate) u: [i32; 3],
    /// Of Cr to red, green, blue (none).
    pub(crate) v: [i32; 3],
}

/// Coefficients from red, green, blue in 2⁻¹⁶. Those of a grey add up to those of luma, and to 0 for chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FromRgb {
    black: i32,
    y: [i32; 3],
    u: [i32; 3],
    v: [i32; 3],
}

/// `n / d` to the nearest, halves up; both positive.
const fn ratio(n: i64, d: i64) -> i64 {
    (2 * n + d) / (2 * d)
}

impl YuvSpace {
    /// Kr, Kg, Kb in 1/10000.
    const fn weights(self) -> [i64; 3] {
        match self.matrix {
            YuvMatrix::Bt601 => [2990, 5870, 1140],
            YuvMatrix::Bt709 => [2126, 7152, 722],
        }
    }

    /// Steps of luma, of chroma, and the luma of black.
    const fn swing(self) -> (i64, i64, i32) {
        match self.range {
            YuvRange::Full => (255, 255, 0),
            YuvRange::Limited => (219, 224, 16),
        }
    }

    pub(crate) const fn to_rgb(self) -> ToRgb {
        let [r, g, b] = self.weights();
        let (luma, chroma, black) = self.swing();
        let whole = chroma * UNIT;
        ToRgb {
            black,
            y: ratio(ONE * 255, luma) as i32,
            u: [
                0,
                -(ratio(ONE * 255 * 2 * b * (UNIT - b), whole * g) as i32),
                ratio(ONE * 255 * 2 * (UNIT - b), whole) as i32,
            ],
            v: [
                ratio(ONE * 255 * 2 * (UNIT - r), whole) as i32,
                -(ratio(ONE * 255 * 2 * r * (UNIT - r), whole * g) as i32),
                0,
            ],
        }
    }

    pub(crate) const fn of_rgb(self) -> FromRgb {
        let [r, _, b] = self.weights();
        let (luma, chroma, black) = self.swing();
        let whole = ratio(ONE * luma, 255) as i32;
        let (yr, yb) =
            (ratio(ONE * luma * r, 255 * UNIT) as i32, ratio(ONE * luma * b, 255 * UNIT) as i32);
        let half = ratio(ONE * chroma, 255 * 2) as i32;
        let ur = ratio(ONE * chroma * r, 255 * 2 * (UNIT - b)) as i32;
        let vb = ratio(ONE * chroma * b, 255 * 2 * (UNIT - r)) as i32;
        FromRgb {
            black,
            y: [yr, whole - yr - yb, yb],
            u: [-ur, ur - half, half],
            v: [half, vb - half, -vb],
        }
    }
}

impl ToRgb {
    /// What chroma adds to red, green and blue, with the half for rounding.
    #[inline(always)]
    pub(crate) fn chroma(&self, u: u8, v: u8) -> [i32; 3] {
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        [self.v[0] * v + HALF, self.u[1] * u + self.v[1] * v + HALF, self.u[2] * u + HALF]
    }

    /// The pixel of a luma sample and [`chroma`](Self::chroma)'s answer.
    #[inline(always)]
    pub(crate) fn pixel(&self, y: u8, chroma: [i32; 3]) -> [u8; 3] {
        let y = (i32::from(y) - self.black) * self.y;
        chroma.map(|c| ((y + c) >> BITS).clamp(0, 255) as u8)
    }
}

impl FromRgb {
    #[inline(always)]
    pub(crate) fn luma(&self, rgb: [u8; 3]) -> u8 {
        let [r, g, b] = rgb.map(i32::from);
        let sum = self.y[0] * r + self.y[1] * g + self.y[2] * b + HALF;
        ((sum >> BITS) + self.black) as u8
    }

    /// Cb and Cr of the mean of four pixels, given their sum.
    #[inline(always)]
    pub(crate) fn chroma(&self, sum: [i32; 3]) -> (u8, u8) {
        let one = |k: [i32; 3]| {
            let dot = k[0] * sum[0] + k[1] * sum[1] + k[2] * sum[2];
            (((dot + 2 * HALF * 2) >> (BITS + 2)) + 128).clamp(0, 255) as u8
        };
        (one(self.u), one(self.v))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACES: [YuvSpace; 4] = [
        YuvSpace { matrix: YuvMatrix::Bt601, range: YuvRange::Full },
        YuvSpace { matrix: YuvMatrix::Bt601, range: YuvRange::Limited },
        YuvSpace { matrix: YuvMatrix::Bt709, range: YuvRange::Full },
        YuvSpace { matrix: YuvMatrix::Bt709, range: YuvRange::Limited },
    ];

    /// Kr, Kb, luma steps, chroma steps, black.
    fn real(space: YuvSpace) -> (f64, f64, f64, f64, f64) {
        let (r, b) = match space.matrix {
            YuvMatrix::Bt601 => (0.299, 0.114),
            YuvMatrix::Bt709 => (0.2126, 0.0722),
        };
        match space.range {
            YuvRange::Full => (r, b, 255.0, 255.0, 0.0),
            YuvRange::Limited => (r, b, 219.0, 224.0, 16.0),
        }
    }

    #[test]
    fn jfif_is_as_printed() {
        let k = YuvSpace::default().to_rgb();
        let near = |k: i32, v: f64| (f64::from(k) / 65536.0 - v).abs() < 1e-5;
        assert!(near(k.v[0], 1.402) && near(k.u[2], 1.772));
        assert!(near(k.u[1], -0.344_136) && near(k.v[1], -0.714_136));
    }

    #[test]
    fn within_half_a_step_of_the_real_formula() {
        for space in SPACES {
            let (kr, kb, luma, chroma, black) = real(space);
            let (to, from) = (space.to_rgb(), space.of_rgb());
            for i in 0..4096_u32 {
                let [a, b, c] = [i % 16 * 17, i / 16 % 16 * 17, i / 256 * 17].map(|v| v as u8);
                let (y, u, v) = (
                    (f64::from(a) - black) / luma,
                    (f64::from(b) - 128.0) / chroma,
                    (f64::from(c) - 128.0) / chroma,
                );
                let (r, b_) = (y + 2.0 * (1.0 - kr) * v, y + 2.0 * (1.0 - kb) * u);
                let g = (y - kr * r - kb * b_) / (1.0 - kr - kb);
                let got = to.pixel(a, to.chroma(b, c));
                for (got, want) in got.iter().zip([r, g, b_]) {
                    let error = (f64::from(*got) - (want * 255.0).clamp(0.0, 255.0)).abs();
                    assert!(error < 0.51, "{space:?} {a} {b} {c}");
                }
                let [r, g, b_] = [a, b, c].map(|v| f64::from(v) / 255.0);
                let y = kr * r + (1.0 - kr - kb) * g + kb * b_;
                assert!((f64::from(from.luma([a, b, c])) - black - y * luma).abs() < 0.51);
                let (u, v) = from.chroma([a, b, c].map(|v| i32::from(v) * 4));
                let want = |x: f64, k: f64| ((x - y) / (2.0 - 2.0 * k) * chroma + 128.0).min(255.0);
                assert!((f64::from(u) - want(b_, kb)).abs() < 0.51);
                assert!((f64::from(v) - want(r, kr)).abs() < 0.51);
            }
        }
    }

    #[test]
    fn greys_stay_grey() {
        for space in SPACES {
            let (to, from) = (space.to_rgb(), space.of_rgb());
            for v in 0..=255_u8 {
                assert_eq!(from.chroma([i32::from(v) * 4; 3]), (128, 128));
                let back = to.pixel(from.luma([v; 3]), to.chroma(128, 128));
                assert!(back[0].abs_diff(v) <= 1 && back == [back[0]; 3], "{space:?} {v}");
            }
        }
    }
}
