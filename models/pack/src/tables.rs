//! Symbol tables of the entropy coder from the probabilities in codec.json.

use pinhole::entropy::{TableError, TableSetBuilder};
use serde::Deserialize;

use crate::error::PackError;

/// Least probability of a symbol that a table lists, as of the escape.
const FLOOR: f64 = 1e-9;

/// Probabilities of the symbols `min..`.
#[derive(Clone, Debug, Deserialize)]
pub struct Distribution {
    /// The first symbol.
    pub min: i32,
    /// Its probability and those of its successors.
    pub pmf: Vec<f64>,
}

impl Distribution {
    /// The same over a range that holds 0, as tables must, followed by the escape's probability.
    fn with_escape(&self) -> (i32, Vec<f64>) {
        let min = self.min.min(0);
        let missing = (-(self.min + self.pmf.len() as i32 - 1)).max(0) as usize;
        let mut pmf = vec![FLOOR; (self.min - min) as usize];
        pmf.extend(&self.pmf);
        pmf.resize(pmf.len() + missing, FLOOR);
        let escape = (1.0 - pmf.iter().sum::<f64>()).max(FLOOR);
        pmf.push(escape);
        (min, pmf)
    }
}

/// The serialised tables of a list of distributions.
///
/// # Errors
/// Distributions the entropy coder refuses: names set and table.
pub(crate) fn table_set(
    name: &'static str,
    distributions: &[Distribution],
) -> Result<Vec<u8>, PackError> {
    let mut builder = TableSetBuilder::new();
    for (table, distribution) in distributions.iter().enumerate() {
        let refused = |source| PackError::Tables { name, table, source };
        let last = i64::from(distribution.min) + distribution.pmf.len() as i64;
        let range =
            TableError::Range { min: distribution.min, max: last.min(i64::from(i32::MAX)) as i32 };
        if distribution.pmf.is_empty()
            || i16::try_from(distribution.min).is_err()
            || i16::try_from(last).is_err()
        {
            return Err(refused(range));
        }
        let (min, pmf) = distribution.with_escape();
        builder.push_pmf(min as i16, &pmf).map_err(refused)?;
    }
    builder.to_bytes().map_err(|source| PackError::Tables {
        name,
        table: distributions.len(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_widened_to_hold_zero() {
        let right = Distribution { min: 2, pmf: vec![0.5, 0.25] };
        let (min, pmf) = right.with_escape();
        assert_eq!((min, pmf.len()), (0, 5));
        assert!((pmf[4] - 0.25).abs() < 1e-6);
        let left = Distribution { min: -3, pmf: vec![0.5, 0.5] };
        let (min, pmf) = left.with_escape();
        assert_eq!((min, pmf.len()), (-3, 5));
        assert_eq!(pmf[4], FLOOR);
        assert!(table_set("test", &[right, left]).is_ok());
    }

    #[test]
    fn bad_distributions_are_named() {
        let good = Distribution { min: 0, pmf: vec![1.0] };
        for bad in [
            Distribution { min: 0, pmf: Vec::new() },
            Distribution { min: 40000, pmf: vec![1.0] },
            Distribution { min: 0, pmf: vec![f64::NAN] },
        ] {
            let error = table_set("test", &[good.clone(), bad]);
            assert!(matches!(error, Err(PackError::Tables { table: 1, .. })), "{error:?}");
        }
    }
}
