//! The quality that meets a target size.

use crate::format::QUALITY_MAX;

/// A file that leaves less than this part of the target unused is good enough.
const UNUSED: u64 = 512;

/// A quality whose size is at most `target`, and either more than `target − target / 512` or the largest possible.
/// `None` if quality 0 is too large already; then `smallest` has its size.
///
/// `size` grows with quality; where it does not quite, the result still fits. Interpolates between the logarithms of the
/// sizes, which are nearly linear in the quality, and halves the interval where that does not get on.
pub(super) fn quality_for<E>(
    target: u64,
    mut size: impl FnMut(u16) -> Result<u64, E>,
) -> Result<Found, E> {
    let smallest = size(0)?;
    if smallest > target {
        return Ok(Found::TooSmall { smallest });
    }
    let largest = size(QUALITY_MAX)?;
    if largest <= target {
        return Ok(Found::Quality(QUALITY_MAX));
    }
    let (mut low, mut high) = ((0, smallest), (QUALITY_MAX, largest));
    let mut turn = 0;
    while high.0 - low.0 > 1 && target - low.1 > target / UNUSED {
        let width = u64::from(high.0 - low.0);
        turn += 1;
        let ahead = if turn % 3 == 0 {
            width / 2
        } else {
            // A little below the target: what fits ends the search, what does not only narrows it.
            let wanted = log2(target - target / (2 * UNUSED)).saturating_sub(log2(low.1));
            let whole = log2(high.1).saturating_sub(log2(low.1)).max(1);
            (width * wanted / whole).clamp(1, width - 1)
        };
        // Less than the interval's width, which is a u16.
        let middle = low.0 + ahead as u16;
        let found = (middle, size(middle)?);
        if found.1 <= target { low = found } else { high = found }
    }
    Ok(Found::Quality(low.0))
}

/// What the search ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// Fits.
    Quality(u16),
    /// Nothing fits.
    TooSmall {
        /// Bytes at quality 0.
        smallest: u64,
    },
}

/// Logarithm to base 2 in units of 2⁻¹⁶, linear between powers of two.
fn log2(x: u64) -> u64 {
    let whole = x.max(1).ilog2();
    let rest = x.max(1) - (1 << whole);
    let fraction = if whole >= 16 { rest >> (whole - 16) } else { rest << (16 - whole) };
    (u64::from(whole) << 16) + fraction
}

#[cfg(test)]
mod tests {
    use core::convert::Infallible;

    use proptest::prelude::*;

    use super::*;

    fn search(target: u64, size: impl Fn(u16) -> u64) -> (Found, usize) {
        let mut calls = 0;
        let found = quality_for(target, |quality| {
            calls += 1;
            Ok::<_, Infallible>(size(quality))
        });
        (found.unwrap_or_else(|e| match e {}), calls)
    }

    /// Sizes as pictures have them: exponential, with a bend.
    fn curve(quality: u16, start: f64, growth: f64, bend: f64) -> u64 {
        let x = f64::from(quality) / f64::from(QUALITY_MAX);
        (start * (growth * (x + bend * x * (1.0 - x))).exp()) as u64
    }

    /// Growths and bends of curves, and where between their ends the target lies.
    fn settings() -> impl Iterator<Item = (f64, f64, f64)> {
        let growths = (0..9).map(|i| 1.5 + f64::from(i) / 2.0);
        let bends = || (-3..=3).map(|i| f64::from(i) / 5.0);
        let places = || (0..20).map(|i| (f64::from(i) + 0.5) / 20.0);
        growths.flat_map(move |g| bends().flat_map(move |b| places().map(move |at| (g, b, at))))
    }

    #[test]
    fn logarithms_grow() {
        assert_eq!([log2(0), log2(1), log2(2), log2(3)], [0, 0, 1 << 16, 3 << 15]);
        assert_eq!(log2(1 << 40), 40 << 16);
        assert!(log2((1 << 40) + (1 << 39)) > log2(1 << 40));
    }

    #[test]
    fn eight_steps_do_on_average() {
        let mut calls = 0;
        for (growth, bend, at) in settings() {
            let size = |quality: u16| curve(quality, 300_000.0, growth, bend);
            let target = size(0) + ((size(QUALITY_MAX) - size(0)) as f64 * at) as u64;
            calls += search(target, size).1;
        }
        assert!(calls <= 8 * settings().count(), "{calls} calls");
    }

    proptest! {
        #[test]
        fn is_found_in_a_few_steps(
            start in 200_f64..1e6, growth in 1.5_f64..5.5, bend in -0.6_f64..0.6, overhead in 0_u64..5000, at in 0.0_f64..1.0,
        ) {
            let size = |quality: u16| overhead + curve(quality, start, growth, bend);
            let target = size(0) + ((size(QUALITY_MAX) - size(0)) as f64 * at) as u64;
            let (found, calls) = search(target, size);
            let Found::Quality(quality) = found else { panic!("{found:?}") };
            prop_assert!(size(quality) <= target);
            let used = size(quality) + target / UNUSED >= target;
            prop_assert!(used || quality == QUALITY_MAX || size(quality + 1) > target);
            // Bisection would take fifteen, always.
            prop_assert!(calls <= 17, "{} calls", calls);
        }

        /// Whatever the sizes are, what is found fits.
        #[test]
        fn fits_where_sizes_are_not_monotone(sizes in prop::collection::vec(1_u64..1000, 64), target in 1_u64..1000) {
            let size = |quality: u16| sizes[usize::from(quality) % 64];
            match search(target, size).0 {
                Found::Quality(quality) => prop_assert!(size(quality) <= target),
                Found::TooSmall { smallest } => prop_assert!(smallest == size(0) && smallest > target),
            }
        }
    }
}
