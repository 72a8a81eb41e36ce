use super::super::tables::tests::{any_set, gaussians};
use super::super::{MAX_MAGNITUDE, RansEncoder};
use super::*;
use alloc::vec;
use alloc::vec::Vec;
use proptest::prelude::*;

/// Symbols of every kind: near 0, near the ends of ranges, far out.
fn any_symbol() -> impl Strategy<Value = i32> {
    prop_oneof![
        8 => -3i32..=3,
        4 => -45i32..=45,
        1 => -MAX_MAGNITUDE..=MAX_MAGNITUDE,
    ]
}

fn any_input() -> impl Strategy<Value = (TableSet, TableSet, Vec<u8>, Vec<i32>)> {
    let symbols = proptest::collection::vec((any_symbol(), any::<u8>()), 0..400);
    (any_set(4), any_set(4), symbols).prop_map(|(a, b, pairs)| {
        let count = a.len().min(b.len()) as u8;
        let indices = pairs.iter().map(|p| p.1 % count).collect();
        (a, b, indices, pairs.iter().map(|p| p.0).collect())
    })
}

#[test]
fn nothing_takes_no_bytes() {
    let payload = RansEncoder::new().finish();
    assert_eq!(payload, []);
    RansDecoder::new(&payload).unwrap().finish().unwrap();
}

#[test]
fn zeros_are_free_and_few_symbols_cheap() {
    let (set, _) = gaussians(&[0.3, 1.0, 3.0]);
    let mut encoder = RansEncoder::new();
    encoder.push_run(&set, &[0; 1000], &[0; 1000]).unwrap();
    assert_eq!(encoder.finish(), []);
    encoder.clear();
    encoder.push(&set, 1, -1).unwrap();
    assert!(encoder.finish().len() <= 3);
    for k in 0..8 {
        encoder.push(&set, 1, k % 3 - 1).unwrap();
    }
    // 9 symbols of about 2 bits.
    assert!(encoder.finish().len() <= 5, "{}", encoder.finish().len());
}

#[test]
fn errors_name_the_culprit() {
    let (set, _) = gaussians(&[1.0]);
    let mut encoder = RansEncoder::new();
    assert_eq!(encoder.push(&set, 3, 0), Err(RansError::NoTable { index: 3, count: 1 }));
    assert_eq!(encoder.push(&set, 0, 1 << 21), Err(RansError::SymbolTooLarge(1 << 21)));
    assert_eq!(
        encoder.push_run(&set, &[0], &[1, 2]),
        Err(RansError::RunLength { indices: 1, symbols: 2 })
    );
    encoder.push(&set, 0, 70_000).unwrap();
    let payload = encoder.finish();
    let decoder = RansDecoder::new(&payload).unwrap();
    let mut out = [0i16];
    assert_eq!(decoder.clone().decode_run(&set, &[0], &mut out), Err(RansError::Overflow(70_000)));
    assert!(matches!(decoder.clone().finish(), Err(RansError::FinalState { .. })));
    assert!(matches!(
        decoder.clone().decode(&set, 9),
        Err(RansError::NoTable { index: 9, count: 1 })
    ));
}

/// The example of `docs/entropy.md`: the bytes of a stream must never change.
#[test]
fn streams_are_pinned() {
    let tables = [1, 0, 255, 255, 2, 0, 0, 32, 0, 64, 0, 24, 0, 6, 0, 2];
    let set = TableSet::parse(&tables).unwrap();
    let symbols = [0, 1, -1, 2, 0, 0, -5, 1, 0, 0];
    let mut encoder = RansEncoder::new();
    encoder.push_run(&set, &[0; 10], &symbols).unwrap();
    let hex = |lanes| {
        let bytes = encoder.finish_with(lanes);
        bytes.iter().map(|b| std::format!("{b:02x}")).collect::<std::string::String>()
    };
    assert_eq!(hex(0), "0430fe073e");
    assert_eq!(hex(1), "01600a00c4920907be");
    assert_eq!(hex(2), "0200200050150007f60140007c7100");
}

/// All-ones raw bits must not make an escape run on.
#[test]
fn endless_escapes_are_errors() {
    let mut builder = super::super::TableSetBuilder::new();
    builder.push(0, 0, &[1, 32767]).unwrap();
    let set = builder.build().unwrap();
    for len in 5..200 {
        let mut payload = vec![255; len];
        payload[0] = 0xfc;
        let mut decoder = RansDecoder::new(&payload).unwrap();
        assert!(matches!(decoder.decode(&set, 0), Err(RansError::Escape { .. })));
    }
}

/// Bytes against the entropy, and against the promise of `cost_bytes`.
#[test]
fn redundancy_is_small() {
    let sigmas = [0.12, 0.3, 0.7, 1.0, 2.5, 10.0, 60.0];
    let (set, pmfs) = gaussians(&sigmas);
    for (index, pmf) in pmfs.iter().enumerate() {
        let (symbols, ideal) = sample(&[index as u8], &pmfs, 100_000);
        let mut encoder = RansEncoder::new();
        encoder.push_run(&set, &vec![index as u8; symbols.len()], &symbols).unwrap();
        for lanes in 0..3 {
            let size = encoder.finish_with(lanes).len() as f64;
            let most = ideal / 8.0 * 1.001 + 4.0 * f64::from(1 << lanes);
            assert!(size < most, "sigma {}: {size} of {most}", sigmas[index]);
        }
        let size = encoder.finish().len() as f64;
        let cost = encoder.cost_bytes() as f64;
        assert!((size - cost).abs() < cost * 1e-3 + 30.0, "{size} {cost}");
        assert!(pmf.len() == set.range(index as u8).unwrap().1 as usize * 2 + 2);
    }
}

/// Draws symbols from the distributions of `indices` in turn; also returns their information in
/// bits. The escape is never drawn.
fn sample(indices: &[u8], pmfs: &[Vec<f64>], count: usize) -> (Vec<i16>, f64) {
    let mut seed = 1u64;
    let mut bits = 0.0;
    let symbols = (0..count).map(|at| {
        let pmf = &pmfs[usize::from(indices[at % indices.len()])];
        seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        let mut u = (seed >> 11) as f64 / (1u64 << 53) as f64;
        let listed = pmf.len() - 1;
        let mut slot = 0;
        while slot + 1 < listed && u >= pmf[slot] {
            u -= pmf[slot];
            slot += 1;
        }
        bits -= pmf[slot].log2();
        slot as i16 - (listed / 2) as i16
    });
    (symbols.collect(), bits)
}

/// `cargo test --release -p pinhole rans_speed -- --ignored --nocapture`
#[test]
#[ignore = "measures speed"]
fn rans_speed() {
    use std::time::Instant;
    const COUNT: usize = 1 << 20;
    let sigmas: Vec<f64> =
        (0..64).map(|i| 0.11 * (256.0f64 / 0.11).powf(i as f64 / 63.0)).collect();
    let (set, pmfs) = gaussians(&sigmas);
    let near_one: Vec<u8> =
        (0..64u8).filter(|&i| (0.3..3.0).contains(&sigmas[i as usize])).collect();
    let cases: [(&str, Vec<u8>); 4] = [
        ("sigma 0.2", vec![(0..64).find(|&i| sigmas[i as usize] >= 0.2).unwrap()]),
        ("sigma 1", vec![(0..64).find(|&i| sigmas[i as usize] >= 1.0).unwrap()]),
        (
            "sigma 0.3..3",
            near_one.iter().map(|i| near_one[*i as usize * 7 % near_one.len()]).collect(),
        ),
        ("sigma 0.11..100", (0..56).map(|i| i * 37 % 56).collect()),
    ];
    for (name, cycle) in cases {
        let indices: Vec<u8> = (0..COUNT).map(|i| cycle[i % cycle.len()]).collect();
        let (symbols, ideal) = sample(&cycle, &pmfs, COUNT);
        for lanes in 0..3 {
            let best = |f: &mut dyn FnMut()| {
                (0..9)
                    .map(|_| {
                        let t = Instant::now();
                        f();
                        t.elapsed().as_secs_f64()
                    })
                    .fold(f64::MAX, f64::min)
            };
            let mut encoder = RansEncoder::new();
            let push = best(&mut || {
                encoder.clear();
                encoder.push_run(&set, &indices, &symbols).unwrap();
            });
            let mut payload = Vec::new();
            let encode = best(&mut || payload = encoder.finish_with(lanes));
            let cost = best(&mut || {
                std::hint::black_box(encoder.cost_bytes());
            });
            let mut out = vec![0i16; COUNT];
            let decode = best(&mut || {
                let mut decoder = RansDecoder::new(&payload).unwrap();
                decoder.decode_run(&set, &indices, &mut out).unwrap();
                decoder.finish().unwrap();
            });
            assert_eq!(out, symbols);
            let rate = |t: f64| COUNT as f64 / t / 1e6;
            std::println!(
                "{name:16} {} states: {:.2} bits, +{:.3} %; M/s: push {:.0} encode {:.0} (both {:.0}) cost {:.0} decode {:.0}",
                1 << lanes,
                ideal / COUNT as f64,
                100.0 * (payload.len() as f64 * 8.0 / ideal - 1.0),
                rate(push),
                rate(encode),
                rate(push + encode),
                rate(cost),
                rate(decode)
            );
        }
    }
}

proptest! {
    #[test]
    fn round_trip((a, b, indices, symbols) in any_input(), split in 0usize..400, lanes in 0u32..3) {
        let split = split.min(symbols.len());
        let mut encoder = RansEncoder::new();
        encoder.push_run(&a, &indices[..split], &symbols[..split]).unwrap();
        encoder.push_run(&b, &indices[split..], &symbols[split..]).unwrap();
        let payload = encoder.finish_with(lanes);
        // In one go, and piece by piece.
        let mut out = vec![0i32; symbols.len()];
        let mut decoder = RansDecoder::new(&payload).unwrap();
        decoder.decode_run(&a, &indices[..split], &mut out[..split]).unwrap();
        decoder.decode_run(&b, &indices[split..], &mut out[split..]).unwrap();
        decoder.finish().unwrap();
        prop_assert_eq!(&out, &symbols);
        let mut decoder = RansDecoder::new(&payload).unwrap();
        for (at, (&index, &symbol)) in indices.iter().zip(&symbols).enumerate() {
            let set = if at < split { &a } else { &b };
            prop_assert_eq!(decoder.decode(set, index).unwrap(), symbol);
        }
        decoder.finish().unwrap();
        let cost = encoder.cost_bytes() as usize;
        prop_assert!(payload.len() <= cost + cost / 64 + 4 * (1 << lanes));
    }

    /// Every truncation shows, at the latest in `finish`, unless what is left is a stream of its
    /// own for the same symbols (it cannot be: streams are unique for a number of states).
    #[test]
    fn truncation_is_an_error((a, _, indices, symbols) in any_input(), lanes in 0u32..3) {
        // A few symbols in more states than `finish` would take can begin with a stream of theirs in fewer states
        // (no symbols: no bytes).
        prop_assume!(lanes == 0 || symbols.len() >= 64);
        let mut encoder = RansEncoder::new();
        encoder.push_run(&a, &indices, &symbols).unwrap();
        let payload = encoder.finish_with(lanes);
        for len in 0..payload.len() {
            let decoded = RansDecoder::new(&payload[..len]).and_then(|mut decoder| {
                let mut out = vec![0i32; symbols.len()];
                decoder.decode_run(&a, &indices, &mut out)?;
                decoder.finish()?;
                Ok(out)
            });
            if let Ok(out) = decoded {
                prop_assert_ne!(&out, &symbols);
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100),
                                set in any_set(3)) {
        if let Ok(mut decoder) = RansDecoder::new(&bytes) {
            let indices: Vec<u8> = (0..300).map(|i| (i % set.len()) as u8).collect();
            let mut out = vec![0i16; 300];
            let _ = decoder.decode_run(&set, &indices, &mut out);
            let _ = decoder.decode(&set, 200);
            let _ = decoder.finish();
        }
    }
}
