//! Making table sets: used when a model bundle is packed, never when a picture is coded.

use super::tables::{SET_VERSION, TOTAL, TableError, TableSet, check, slot_count};
use alloc::vec;
use alloc::vec::Vec;

/// Collects tables and writes them in the form [`TableSet::parse`] reads.
#[derive(Debug, Clone, Default)]
pub struct TableSetBuilder {
    count: usize,
    body: Vec<u8>,
}

impl TableSetBuilder {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a table with the frequencies of `min..=max` followed by the escape's.
    pub fn push(&mut self, min: i16, max: i16, freqs: &[u16]) -> Result<&mut Self, TableError> {
        if self.count == 256 {
            return Err(TableError::TableCount(257));
        }
        check(self.count, i32::from(min), i32::from(max), freqs)?;
        self.count += 1;
        self.body.extend(min.to_le_bytes());
        self.body.extend(max.to_le_bytes());
        self.body.extend(freqs.iter().flat_map(|f| f.to_le_bytes()));
        Ok(self)
    }

    /// Adds a table from the probabilities of `min..` followed by the escape's (the mass outside
    /// the range), quantised by [`quantise_pmf`].
    pub fn push_pmf(&mut self, min: i16, pmf: &[f64]) -> Result<&mut Self, TableError> {
        let max = i32::from(min) + pmf.len() as i32 - 2;
        if pmf.len() > TOTAL as usize || slot_count(i32::from(min), max)? != pmf.len() {
            return Err(TableError::Range { min: i32::from(min), max });
        }
        self.push(min, max as i16, &quantise_pmf(pmf)?)
    }

    /// The serialised set.
    pub fn to_bytes(&self) -> Result<Vec<u8>, TableError> {
        let last = self.count.checked_sub(1).and_then(|n| u8::try_from(n).ok());
        let last = last.ok_or(TableError::TableCount(self.count))?;
        let mut bytes = vec![SET_VERSION, last];
        bytes.extend(&self.body);
        Ok(bytes)
    }

    /// The set itself.
    pub fn build(&self) -> Result<TableSet, TableError> {
        TableSet::parse(&self.to_bytes()?)
    }
}

/// Rounds a probability mass function (of any positive sum, at least two entries) to
/// frequencies ≥ 1 that sum to `2^PRECISION` and cost least:
/// they minimise `−Σ p log2(f)` exactly, ties going to the entry listed first.
///
/// The cost is convex in each `f`, so a greedy walk along `p ln((f+1)/f)` reaches the optimum.
pub fn quantise_pmf(pmf: &[f64]) -> Result<Vec<u16>, TableError> {
    if pmf.len() < 2 || pmf.len() > TOTAL as usize {
        return Err(TableError::SlotCount { expected: 2, actual: pmf.len() });
    }
    if let Some(position) = pmf.iter().position(|p| !p.is_finite() || *p < 0.0) {
        return Err(TableError::Probability { position });
    }
    let largest = pmf.iter().fold(0.0, |a: f64, &p| a.max(p));
    // Scaled by the largest first, so that the sum cannot overflow.
    let sum: f64 = pmf.iter().map(|p| p / largest).sum();
    if !sum.is_finite() {
        return Err(TableError::Probability { position: pmf.len() });
    }
    let p: Vec<f64> = pmf.iter().map(|p| p / largest / sum).collect();
    let most = TOTAL - (p.len() as u32 - 1);
    let mut freqs: Vec<u32> =
        p.iter().map(|p| ((p * f64::from(TOTAL)) as u32).clamp(1, most)).collect();
    let mut given: u32 = freqs.iter().sum();
    while given < TOTAL {
        let Some((best, _)) = dearest(&p, &freqs) else { break };
        freqs[best] += 1;
        given += 1;
    }
    while given > TOTAL {
        let Some((least, _)) = cheapest(&p, &freqs) else { break };
        freqs[least] -= 1;
        given -= 1;
    }
    // Exchanges, until none pays: each lowers the cost, so this ends.
    while let (Some((to, gain)), Some((from, loss))) = (dearest(&p, &freqs), cheapest(&p, &freqs)) {
        if to == from || gain <= loss * (1.0 + 1e-12) {
            break;
        }
        freqs[to] += 1;
        freqs[from] -= 1;
    }
    // Two entries or more, each at least 1: none reaches 2^PRECISION.
    Ok(freqs.iter().map(|&f| f as u16).collect())
}

/// The entry that gains most from one more count.
fn dearest(p: &[f64], freqs: &[u32]) -> Option<(usize, f64)> {
    let gains = p.iter().zip(freqs).map(|(p, &f)| p * ln_step(f));
    gains.enumerate().reduce(|a, b| if b.1 > a.1 { b } else { a })
}

/// The entry above 1 that loses least from one count fewer.
fn cheapest(p: &[f64], freqs: &[u32]) -> Option<(usize, f64)> {
    let losses = p.iter().zip(freqs).enumerate().filter(|(_, (_, f))| **f > 1);
    losses.map(|(i, (p, &f))| (i, p * ln_step(f - 1))).reduce(|a, b| if b.1 < a.1 { b } else { a })
}

/// `ln((f + 1) / f)` for `f >= 1` as `2 atanh(z)`, `z = 1 / (2f + 1)`, by its series: `core` has
/// no logarithm, and this is the same on every machine.
fn ln_step(f: u32) -> f64 {
    let z = 1.0 / (2.0 * f64::from(f) + 1.0);
    let square = z * z;
    let terms = if f < 8 { 16 } else { 6 };
    let tail = (0..terms).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    2.0 * z * tail
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cost(p: &[f64], freqs: &[u16]) -> f64 {
        p.iter().zip(freqs).map(|(p, &f)| -p * (f64::from(f) / f64::from(TOTAL)).log2()).sum()
    }

    #[test]
    fn ln_step_matches_the_logarithm() {
        for f in (1..40).chain([100, 1000, 65535]) {
            let exact = (1.0 / f64::from(f)).ln_1p();
            assert!((ln_step(f) / exact - 1.0).abs() < 1e-14, "{f}");
        }
    }

    #[test]
    fn bad_probabilities_are_refused() {
        assert!(quantise_pmf(&[0.0, 0.0]).is_err());
        assert!(quantise_pmf(&[1.0]).is_err());
        assert_eq!(quantise_pmf(&[1.0, f64::NAN]), Err(TableError::Probability { position: 1 }));
        assert_eq!(quantise_pmf(&[-1.0, 2.0]), Err(TableError::Probability { position: 0 }));
        assert!(quantise_pmf(&[f64::MAX, f64::MAX, 1e-300]).is_ok());
    }

    #[test]
    fn extremes_keep_every_slot() {
        assert_eq!(quantise_pmf(&[0.0, 1.0]).unwrap(), [1, 32767]);
        let mut skewed = vec![0.0; 1000];
        skewed[3] = 1.0;
        let f = quantise_pmf(&skewed).unwrap();
        assert_eq!(f[3], 32768 - 999);
        assert_eq!(quantise_pmf(&vec![1.0; 32768]).unwrap(), vec![1; 32768]);
    }

    #[test]
    fn builder_refuses_what_parse_would() {
        let mut b = TableSetBuilder::new();
        assert_eq!(b.to_bytes(), Err(TableError::TableCount(0)));
        assert!(b.push(1, 2, &[1, 2, 3]).is_err());
        assert!(b.push(0, 0, &[1, 2]).is_err());
        assert!(b.push_pmf(0, &[]).is_err());
        assert!(b.push_pmf(-1, &[1.0, 1.0]).is_err());
        b.push_pmf(-1, &[1.0, 2.0, 1.0, 0.1]).unwrap();
        assert_eq!(b.build().unwrap().range(0), Some((-1, 1)));
    }

    proptest! {
        #[test]
        fn sums_and_beats_any_exchange(p in proptest::collection::vec(0.0f64..1.0, 2..40),
                                       skew in 1i32..12) {
            let p: Vec<f64> = p.iter().map(|p| p.powi(skew)).collect();
            prop_assume!(p.iter().sum::<f64>() > 1e-200);
            let f = quantise_pmf(&p).unwrap();
            prop_assert_eq!(f.iter().map(|&f| u32::from(f)).sum::<u32>(), TOTAL);
            let best = cost(&p, &f);
            for a in 0..f.len() {
                for b in 0..f.len() {
                    if a != b && f[a] > 1 {
                        let mut g = f.clone();
                        g[a] -= 1;
                        g[b] += 1;
                        prop_assert!(cost(&p, &g) >= best - best.abs() * 1e-9);
                    }
                }
            }
        }
    }
}
