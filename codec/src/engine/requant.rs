//! Requantisation: from a 32-bit accumulator to an element of the output.

/// Parameters shared by all channels of one requantisation.
///
/// Parsing guarantees `lo <= hi`, both within the output type's range, and |offset| <= 65536.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Added after scaling and the residual (usually the output's zero point).
    pub offset: i32,
    /// Smallest output.
    pub lo: i32,
    /// Largest output.
    pub hi: i32,
}

/// Rounds to the nearest integer, ties to even. Exact for |v| <= 2^22.
#[inline(always)]
pub fn round_ties_even(v: f32) -> i32 {
    // Adding 1.5 * 2^23 leaves no bits for a fraction, so the addition itself rounds, ties to even, and the lowest
    // mantissa bits are the integer (unlike a cast, this turns into vector code).
    const MAGIC: f32 = 12_582_912.0;
    (v + MAGIC).to_bits().wrapping_sub(MAGIC.to_bits()) as i32
}

/// `clamp(round_ties_even(clamp(acc as f32 * scale, -32768, 32767)) + residual + offset, lo, hi)`.
///
/// `scale` is finite, so the product is never NaN; an infinite one is clamped.
#[inline(always)]
pub fn requantise(acc: i32, scale: f32, residual: i32, bounds: Bounds) -> i32 {
    let scaled = (acc as f32 * scale).clamp(-32768.0, 32767.0);
    (round_ties_even(scaled) + residual + bounds.offset).clamp(bounds.lo, bounds.hi)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_agrees_with_std() {
        for i in -70000..70000 {
            let v = i as f32 * 0.25;
            assert_eq!(round_ties_even(v), v.round_ties_even() as i32, "{v}");
        }
        for v in
            [0.499_999_97_f32, -0.499_999_97, 32766.5, 32767.0, -32767.5, -32768.0, 1e-40, -0.0]
        {
            assert_eq!(round_ties_even(v), v.round_ties_even() as i32, "{v}");
        }
    }

    #[test]
    fn extremes_saturate() {
        let b = Bounds { offset: 0, lo: -32768, hi: 32767 };
        assert_eq!(requantise(i32::MAX, f32::MAX, 0, b), 32767);
        assert_eq!(requantise(i32::MIN, f32::MAX, 0, b), -32768);
        assert_eq!(requantise(0, f32::MAX, -5, b), -5);
        assert_eq!(requantise(i32::MAX, 1.0, -10, b), 32757);
    }
}
