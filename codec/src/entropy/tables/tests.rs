use super::super::{TableSetBuilder, quantise_pmf};
use super::*;
use alloc::vec;
use proptest::prelude::*;

/// A set of any shape.
pub(in crate::entropy) fn any_set(most: usize) -> impl Strategy<Value = TableSet> {
    let table = (0i16..40, 0i16..40, 0u32..12, any::<u64>());
    proptest::collection::vec(table, 1..=most).prop_map(|tables| {
        let mut builder = TableSetBuilder::new();
        for (below, above, skew, seed) in tables {
            let mut seed = seed | 1;
            let weights = (0..below + above + 2).map(|_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((seed >> 40) as f64 / (1u64 << 24) as f64).powi(skew as i32) + 1e-9
            });
            builder.push_pmf(-below, &weights.collect::<Vec<_>>()).unwrap();
        }
        builder.build().unwrap()
    })
}

/// Discretised Gaussians, one table for each standard deviation.
pub(in crate::entropy) fn gaussians(sigmas: &[f64]) -> (TableSet, Vec<Vec<f64>>) {
    let mut builder = TableSetBuilder::new();
    let mut pmfs = Vec::new();
    for &sigma in sigmas {
        let reach = (sigma * 4.5).ceil().max(1.0) as i16;
        let density = |x: f64| {
            (0..16)
                .map(move |k| {
                    let x = x - 0.5 + (f64::from(k) + 0.5) / 16.0;
                    (-0.5 * (x / sigma).powi(2)).exp() / 16.0
                })
                .sum::<f64>()
        };
        let mut pmf: Vec<f64> = (-reach..=reach).map(|s| density(f64::from(s))).collect();
        let sum: f64 = pmf.iter().sum();
        pmf.iter_mut().for_each(|p| *p /= sum);
        pmf.push(1e-5);
        builder.push_pmf(-reach, &pmf).unwrap();
        pmfs.push(pmf);
    }
    (builder.build().unwrap(), pmfs)
}

#[test]
fn log2_is_exact_to_its_last_bit() {
    for v in 1..=u16::MAX {
        let exact = f64::from(v).log2() * 65536.0;
        let got = f64::from(log2_q16(v));
        assert!((exact - got) < 1.5 && exact - got > -1e-6, "{v}: {exact} {got}");
    }
}

#[test]
fn centre_out_lists_each_once() {
    assert_eq!(centre_out(-2, 4).collect::<Vec<_>>(), [0, 1, -1, 2, -2, 3, 4]);
    assert_eq!(centre_out(-2, 0).collect::<Vec<_>>(), [0, -1, -2]);
    assert_eq!(centre_out(0, 0).collect::<Vec<_>>(), [0]);
}

#[test]
fn parse_explains_what_is_wrong() {
    let parse = |b: &[u8]| TableSet::parse(b).unwrap_err();
    assert_eq!(parse(&[]), TableError::Truncated { needed: 2, available: 0 });
    assert_eq!(parse(&[2, 0]), TableError::UnsupportedVersion(2));
    assert_eq!(parse(&[1, 255]), TableError::Truncated { needed: 2 + 2048, available: 2 });
    let zero = [1, 0, 0, 0, 0, 0, 0, 0, 255, 127];
    assert_eq!(parse(&zero), TableError::ZeroFrequency { table: 0, slot: 0 });
    let short = [1, 0, 0, 0, 0, 0, 1, 0, 254, 127];
    assert_eq!(parse(&short), TableError::FrequencySum { table: 0, sum: 32767 });
    let range = [1, 0, 1, 0, 2, 0, 1, 0, 255, 127];
    assert_eq!(parse(&range), TableError::Range { min: 1, max: 2 });
    let good = [1, 0, 0, 0, 0, 0, 1, 0, 255, 127];
    assert_eq!(TableSet::parse(&good).unwrap().range(0), Some((0, 0)));
    let long = [&good[..], &[0]].concat();
    assert_eq!(parse(&long), TableError::TrailingBytes { count: 1 });
}

#[test]
fn widest_tables_fit_twice() {
    let freqs = quantise_pmf(&vec![1.0; 32768]).unwrap();
    let mut builder = TableSetBuilder::new();
    builder.push(-32767, -1, &freqs).unwrap_err();
    builder.push(-16384, 16382, &freqs).unwrap();
    builder.push(-32766, 0, &freqs).unwrap();
    let set = builder.build().unwrap();
    assert_eq!(set.lookup(1, 32767).unwrap().symbol, ESCAPE);
    builder.push(0, 0, &[32767, 1]).unwrap();
    assert_eq!(builder.build().unwrap_err(), TableError::TooManySlots(65538));
}

#[test]
fn escapes_are_priced_and_bounded() {
    let mut builder = TableSetBuilder::new();
    builder.push(-1, 1, &[1, 32764, 1, 2]).unwrap();
    let set = builder.build().unwrap();
    assert_eq!(set.cost(0, 1), Some(15 * COST_ONE_BIT));
    assert_eq!(set.cost(0, 2), Some((14 + 2) * COST_ONE_BIT));
    assert_eq!(set.cost(0, -4), Some((14 + 4) * COST_ONE_BIT));
    assert!(set.cost(0, 1 << 20).is_some());
    assert_eq!(set.cost(0, (1 << 20) + 1), None);
    assert_eq!(set.cost(0, i32::MIN), None);
    assert_eq!(set.cost(0, i32::MAX), None);
    assert_eq!(set.cost(1, 0), None);
    assert_eq!(set.cost_bits(0, 2), Some(16.0));
}

proptest! {
    #[test]
    fn every_value_belongs_to_the_slot_that_covers_it(set in any_set(5)) {
        for index in 0..set.len() as u8 {
            let (min, max) = set.range(index).unwrap();
            let mut seen = 0u32;
            for value in 0..TOTAL as u16 {
                let slot = set.lookup(index, value).unwrap();
                prop_assert!(value >= slot.start);
                prop_assert!(u32::from(value) < u32::from(slot.start) + u32::from(slot.freq));
                seen += u32::from(value == slot.start);
                if slot.symbol == ESCAPE { continue; }
                prop_assert!((min..=max).contains(&slot.symbol));
                match set.locate(index, slot.symbol) {
                    Some(Located::Listed(e)) => {
                        prop_assert_eq!((e.start, e.freq), (slot.start, slot.freq));
                    }
                    _ => prop_assert!(false),
                }
            }
            prop_assert_eq!(seen as i32, max - min + 2);
        }
        prop_assert!(set.lookup(set.len() as u8, 0).is_none());
    }

    #[test]
    fn escapes_invert(set in any_set(3), symbol in -MAX_MAGNITUDE..=MAX_MAGNITUDE) {
        if let Some(Located::Escaped(_, below, beyond)) = set.locate(0, symbol) {
            prop_assert_eq!(set.unescape(0, below, beyond), Some(symbol));
        }
        prop_assert_eq!(set.unescape(0, false, u32::MAX), None);
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = TableSet::parse(&bytes);
        let _ = TableSet::parse(&[&[1, 0][..], &bytes].concat());
    }
}
