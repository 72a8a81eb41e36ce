//! Sensor streams as users make them: promises kept on ordinary and adversarial samples, streaming, damage.
#![allow(clippy::unwrap_used, clippy::panic)]

use pinhole::sensor::{
    FrameHead, Promise, RawFrame, Sample, SampleType, ScoreKind, SensorDecoder, SensorEncoder,
    SensorError, SensorHeader, SensorOptions, TimeUnit,
};
use proptest::prelude::*;

/// A made-up inertial unit: slow waves, bursts, some noise.
fn motion(samples: usize, channels: usize) -> Vec<f32> {
    let mut seed = 1u32;
    let mut noise = move || {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let value = |t: usize, c: usize| {
        let burst = if t / 300 % 2 == 1 { 1.0 } else { 0.05 };
        (t as f32 * (0.05 + 0.02 * c as f32)).sin() * burst + c as f32 + 0.02 * noise()
    };
    let mut value = value;
    (0..samples).flat_map(|t| (0..channels).map(|c| value(t, c)).collect::<Vec<_>>()).collect()
}

fn encode<S: Sample>(samples: &[S], channels: usize, options: &SensorOptions) -> Vec<u8> {
    let mut encoder = SensorEncoder::new(channels, options).unwrap();
    let mut out = Vec::new();
    encoder.push(&[], samples, &mut out).unwrap();
    encoder.finish(&mut out).unwrap();
    out
}

fn decode(stream: &[u8]) -> Result<Vec<f64>, SensorError> {
    let mut decoder = SensorDecoder::new();
    decoder.push(stream);
    let mut values = Vec::new();
    while let Some(frame) = decoder.next_frame()? {
        values.extend(frame.values);
    }
    decoder.finish()?;
    Ok(values)
}

/// Every sample within its channel's bound; missing and infinite ones the same.
fn kept<S: Sample>(samples: &[S], decoded: &[f64], bounds: &[f64]) -> Result<(), String> {
    if samples.len() != decoded.len() {
        return Err(format!("{} samples became {}", samples.len(), decoded.len()));
    }
    for (i, (x, &y)) in samples.iter().zip(decoded).enumerate() {
        let x = x.to_f64();
        let bound = bounds[i % bounds.len()];
        if !(x == y || (x.is_nan() && y.is_nan()) || (x - y).abs() <= bound) {
            return Err(format!("sample {i}: {x} became {y}, bound {bound}"));
        }
    }
    Ok(())
}

#[test]
fn bounds_hold_and_files_are_small() {
    let samples = motion(5000, 6);
    for (bound, limit) in [(0.1, 8_000), (0.01, 24_000), (0.001, 45_000)] {
        let options = SensorOptions::new(Promise::MaxError(vec![bound; 6]), SampleType::F32);
        let stream = encode(&samples, 6, &options);
        kept(&samples, &decode(&stream).unwrap(), &[bound]).unwrap();
        assert!(stream.len() < limit, "{bound}: {} bytes", stream.len());
    }
}

#[test]
fn quality_trades_bytes_for_closeness() {
    let samples = motion(5000, 6);
    let mut last = (f64::MAX, 0);
    for quality in [0.0, 25.0, 50.0, 75.0, 100.0] {
        let promise = Promise::Quality { quality, spread: vec![0.5; 6] };
        let stream = encode(&samples, 6, &SensorOptions::new(promise, SampleType::F32));
        let decoded = decode(&stream).unwrap();
        let squares = samples.iter().zip(&decoded).map(|(&x, y)| (f64::from(x) - y).powi(2));
        let error = (squares.sum::<f64>() / samples.len() as f64).sqrt() / 0.5;
        assert!(error < last.0 && stream.len() > last.1, "{quality}: {error} {}", stream.len());
        last = (error, stream.len());
        if quality == 50.0 {
            assert!((0.02..0.08).contains(&error), "{error}");
        }
    }
}

#[test]
fn whole_numbers_and_decimals_come_back_as_they_were() {
    let samples: Vec<i16> = motion(3000, 3).iter().map(|x| (x * 2000.0) as i16).collect();
    let options = SensorOptions::new(Promise::Lossless(vec![1.0; 3]), SampleType::I16);
    let stream = encode(&samples, 3, &options);
    kept(&samples, &decode(&stream).unwrap(), &[0.0]).unwrap();
    assert!(stream.len() < samples.len() * 2 * 2 / 3, "{}", stream.len());

    let decimals: Vec<f64> = samples.iter().map(|&x| f64::from(x) / 1000.0).collect();
    let options = SensorOptions::new(Promise::Lossless(vec![1000.0; 3]), SampleType::F64);
    let coded = encode(&decimals, 3, &options);
    assert_eq!(decode(&coded).unwrap(), decimals);
    assert!(coded.len() < stream.len() + 100);

    let extremes = [i32::MIN, i32::MAX, 0, -1, i32::MAX, i32::MIN, 1 << 30, -(1 << 30) - 1];
    let options = SensorOptions::new(Promise::Lossless(vec![1.0]), SampleType::I32);
    let decoded = decode(&encode(&extremes, 1, &options)).unwrap();
    kept(&extremes, &decoded, &[0.0]).unwrap();
}

/// Windows that are hard on predictors and arithmetic.
fn adversarial() -> Vec<(&'static str, Vec<f32>)> {
    let n = 700;
    let make = |f: &dyn Fn(usize) -> f32| (0..n).map(f).collect::<Vec<f32>>();
    vec![
        ("constant", make(&|_| 3.25)),
        ("zeros", make(&|_| 0.0)),
        ("spikes", make(&|i| if i % 97 == 50 { 1e6 } else { 0.01 })),
        ("steps", make(&|i| if i / 64 % 2 == 0 { -5.0 } else { 5.0 })),
        ("max", make(&|i| if i % 2 == 0 { f32::MAX } else { f32::MIN })),
        ("max once", make(&|i| if i == 333 { f32::MAX } else { (i as f32 * 0.1).sin() })),
        ("denormals", make(&|i| f32::from_bits(i as u32 * 7919))),
        ("tiny", make(&|i| 1e-38 * (i as f32).sin())),
        ("nan", make(&|i| if i % 3 == 0 { f32::NAN } else { i as f32 })),
        ("all nan", make(&|_| f32::NAN)),
        ("infinite", make(&|i| [f32::INFINITY, f32::NEG_INFINITY, 1.0][i % 3])),
        (
            "dropout",
            make(&|i| if (200..500).contains(&i) { f32::NAN } else { (i as f32 * 0.1).sin() }),
        ),
        ("ramp", make(&|i| i as f32 * 1e5)),
        ("ties", make(&|i| i as f32 * 0.01)),
        ("offset", make(&|i| 1e7 + (i as f32 * 0.3).sin())),
        ("noise", make(&|i| ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / 65536.0)),
        ("bits", make(&|i| f32::from_bits((i as u32).wrapping_mul(2_654_435_761)))),
    ]
}

#[test]
fn adversarial_windows_keep_every_promise() {
    for (name, samples) in adversarial() {
        for channels in [1, 2, 7] {
            let samples = &samples[..samples.len() / channels * channels];
            for bound in [0.0, 1e-30, 1e-3, 0.005, 1.0, 1e4, 1e37] {
                let options =
                    SensorOptions::new(Promise::MaxError(vec![bound; channels]), SampleType::F32);
                let decoded = decode(&encode(samples, channels, &options)).unwrap();
                if let Err(reason) = kept(samples, &decoded, &[bound]) {
                    panic!("{name}, {channels} channels, bound {bound}: {reason}");
                }
            }
            for levels in [0.0, 1.0, 100.0, 1e30] {
                let options =
                    SensorOptions::new(Promise::Lossless(vec![levels; channels]), SampleType::F32);
                let decoded = decode(&encode(samples, channels, &options)).unwrap();
                if let Err(reason) = kept(samples, &decoded, &[0.0]) {
                    panic!("{name}, {channels} channels, lossless: {reason}");
                }
            }
            for quality in [0.0, 50.0, 100.0] {
                let promise = Promise::Quality { quality, spread: vec![0.7; channels] };
                let options = SensorOptions::new(promise, SampleType::F32);
                let decoded = decode(&encode(samples, channels, &options)).unwrap();
                // No promise about each sample, but nothing missing or infinite is made up or lost, and what is far
                // outside is exact.
                for (&x, &y) in samples.iter().zip(&decoded) {
                    let x = f64::from(x);
                    assert_eq!((x.is_nan(), x.is_infinite()), (y.is_nan(), y.is_infinite()));
                    assert!(x.is_nan() || x.abs() < 1e8 || x == y, "{name}: {x} {y}");
                }
            }
        }
    }
}

#[test]
fn short_streams() {
    let options = SensorOptions::new(Promise::MaxError(vec![0.01; 2]), SampleType::F32);
    assert_eq!(decode(&encode::<f32>(&[], 2, &options)).unwrap(), []);
    kept(&[1.0f32, 2.0], &decode(&encode(&[1.0f32, 2.0], 2, &options)).unwrap(), &[0.01]).unwrap();
    let promise = Promise::Quality { quality: 50.0, spread: vec![1.0; 2] };
    let options = SensorOptions::new(promise, SampleType::F32);
    assert_eq!(decode(&encode(&[1.0f32, 2.0], 2, &options)).unwrap().len(), 2);
}

#[test]
fn wrong_input_is_told() {
    let options = SensorOptions::new(Promise::MaxError(vec![0.01; 3]), SampleType::F32);
    assert!(matches!(
        SensorEncoder::new(2, &options),
        Err(SensorError::PerChannel { given: 3, channels: 2, .. })
    ));
    assert_eq!(
        SensorEncoder::new(
            0,
            &SensorOptions { promise: Promise::MaxError(vec![]), ..options.clone() }
        )
        .unwrap_err(),
        SensorError::Channels(0)
    );
    let mut encoder = SensorEncoder::new(3, &options).unwrap();
    let mut out = Vec::new();
    assert_eq!(
        encoder.push(&[], &[1.0f32; 4], &mut out),
        Err(SensorError::Incomplete { samples: 4, channels: 3 })
    );
    assert!(matches!(encoder.push(&[], &[1i16; 3], &mut out), Err(SensorError::OtherType { .. })));
    assert_eq!(
        encoder.push(&[5], &[1.0f32; 3], &mut out),
        Err(SensorError::Times { needed: 0, given: 1 })
    );
    encoder.finish(&mut out).unwrap();
    assert_eq!(encoder.push(&[], &[1.0f32; 3], &mut out), Err(SensorError::Broken));
    for bound in [-1.0, f64::NAN, f64::INFINITY] {
        let options = SensorOptions::new(Promise::MaxError(vec![bound]), SampleType::F32);
        assert!(matches!(SensorEncoder::new(1, &options), Err(SensorError::Setting { .. })));
    }
    for quality in [-1.0, 101.0, f32::NAN] {
        let promise = Promise::Quality { quality, spread: vec![1.0] };
        let options = SensorOptions::new(promise, SampleType::F32);
        assert!(matches!(SensorEncoder::new(1, &options), Err(SensorError::Setting { .. })));
    }
    for calibration in [1, 7, 1025] {
        let options = SensorOptions { calibration, ..options.clone() };
        assert!(matches!(SensorEncoder::new(3, &options), Err(SensorError::Setting { .. })));
    }
    let wide = SensorOptions { window: 5000, ..options };
    assert!(matches!(SensorEncoder::new(3, &wide), Err(SensorError::Setting { .. })));
    // A picture is no sensor stream.
    let mut decoder = SensorDecoder::new();
    decoder.push(&[0xd0, b'P', b'\r', b'\n', 1, 1, 0, 0]);
    assert_eq!(decoder.next_frame(), Err(SensorError::NotSensor(1)));
}

#[test]
fn pieces_of_any_size_give_the_same_stream() {
    let samples = motion(3000, 4);
    let mut options = SensorOptions::new(Promise::MaxError(vec![0.01; 4]), SampleType::F32);
    options.windows_per_frame = 3;
    options.key_interval = 4;
    let whole = encode(&samples, 4, &options);
    let mut encoder = SensorEncoder::new(4, &options).unwrap();
    let mut stream = Vec::new();
    for piece in samples.chunks(4 * 37) {
        let before = stream.len();
        encoder.push(&[], piece, &mut stream).unwrap();
        assert!(stream.len() - before < 4000);
    }
    encoder.finish(&mut stream).unwrap();
    assert_eq!(stream, whole);

    let mut decoder = SensorDecoder::new();
    let mut values = Vec::new();
    for byte in &stream {
        decoder.push(&[*byte]);
        while let Some(frame) = decoder.next_frame().unwrap() {
            values.extend(frame.values);
        }
    }
    decoder.finish().unwrap();
    kept(&samples, &values, &[0.01]).unwrap();
}

#[test]
fn flushed_samples_are_there_at_once() {
    let samples = motion(500, 2);
    let options = SensorOptions::new(Promise::MaxError(vec![0.01; 2]), SampleType::F32);
    let mut encoder = SensorEncoder::new(2, &options).unwrap();
    let mut decoder = SensorDecoder::new();
    let mut values = Vec::new();
    for piece in samples.chunks(2 * 50) {
        let mut out = Vec::new();
        encoder.push(&[], piece, &mut out).unwrap();
        encoder.flush(&mut out).unwrap();
        decoder.push(&out);
        values.extend(decoder.next_frame().unwrap().unwrap().values);
    }
    kept(&samples, &values, &[0.01]).unwrap();
    assert_eq!(decoder.finish(), Err(SensorError::Unfinished));
}

#[test]
fn times_are_exact() {
    let samples = motion(1000, 1);
    let mut times: Vec<i64> =
        (0..1000).map(|i| 1_583_748_873_000_000_000 + i * 20_000_000).collect();
    let mut options = SensorOptions::new(Promise::MaxError(vec![0.01]), SampleType::F32);
    options.time = Some((TimeUnit::UnixNanoseconds, 20_000_000));
    let run = |times: &[i64]| {
        let mut encoder = SensorEncoder::new(1, &options).unwrap();
        let mut stream = Vec::new();
        encoder.push(times, &samples, &mut stream).unwrap();
        encoder.finish(&mut stream).unwrap();
        let mut decoder = SensorDecoder::new();
        decoder.push(&stream);
        let mut decoded = Vec::new();
        while let Some(frame) = decoder.next_frame().unwrap() {
            assert_eq!(frame.times.first(), Some(&frame.head.time));
            decoded.extend(frame.times);
        }
        assert_eq!(decoded, times);
        stream.len()
    };
    let regular = run(&times);
    // A gap, jitter, times that go back, the ends of the range.
    times[500..].iter_mut().for_each(|t| *t += 3_600_000_000_000);
    let gap = run(&times);
    assert!(gap < regular + 20, "{regular} {gap}");
    times[700] -= 1;
    times[800] = i64::MIN;
    times[801] = i64::MAX;
    times[802] = 0;
    run(&times);
    let plain = SensorOptions { time: None, ..options.clone() };
    assert!(regular < encode(&samples, 1, &plain).len() + 40);
}

#[test]
fn lost_frames_cost_no_more_than_the_way_to_the_next_key() {
    let samples = motion(6000, 2);
    let mut options = SensorOptions::new(Promise::MaxError(vec![0.01; 2]), SampleType::F32);
    (options.window, options.windows_per_frame, options.key_interval) = (100, 4, 3);
    let mut stream = encode(&samples, 2, &options);
    let (header, mut at) = SensorHeader::parse(&stream).unwrap();
    let mut heads = Vec::new();
    while at < stream.len() {
        let raw = RawFrame::parse(&stream[at..], &header).unwrap();
        heads.push((at, raw.head.clone()));
        at += raw.length;
    }
    assert_eq!(heads.len(), 16);
    assert!(heads.iter().all(|(_, h)| h.key == (h.number % 3 == 0 || h.last)));
    // Damage frame 4: frames 4 and 5 are lost.
    let (at, _) = heads[4];
    stream[at + 20] ^= 0x10;
    assert!(decode(&stream).is_err());
    let mut decoder = SensorDecoder::new();
    decoder.set_conceal(true);
    decoder.push(&stream);
    let mut frames: Vec<FrameHead> = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        let start = frame.head.first_sample as usize * 2;
        kept(&samples[start..start + frame.values.len()], &frame.values, &[0.01]).unwrap();
        frames.push(frame.head);
    }
    let lost: Vec<u32> = (0..16).filter(|n| frames.iter().all(|f| f.number != *n)).collect();
    assert_eq!(lost, [4, 5]);
}

#[test]
fn an_odd_window_is_scored_without_decoding() {
    let mut samples = motion(128 * 80, 3);
    // Samples of noise as strong as the signal in window 60.
    for (i, x) in samples[60 * 384..61 * 384].iter_mut().enumerate() {
        *x += ((i as u32).wrapping_mul(2_654_435_761) >> 24) as f32 / 40.0;
    }
    let options = SensorOptions::new(Promise::MaxError(vec![0.01; 3]), SampleType::F32);
    let stream = encode(&samples, 3, &options);
    let (header, mut at) = SensorHeader::parse(&stream).unwrap();
    let mut scores = Vec::new();
    while at < stream.len() {
        let raw = RawFrame::parse(&stream[at..], &header).unwrap();
        scores.extend(raw.head.scores);
        at += raw.length;
    }
    assert_eq!(scores.len(), 80);
    let odd: Vec<usize> = (0..80).filter(|&w| scores[w] >= header.threshold).collect();
    assert_eq!(odd, [60], "{scores:?}");
}

#[test]
fn calibrated_scores_tell_a_lasting_change_from_drift() {
    // A slow drift all the time; a step in one channel in windows 60 to 69.
    let mut samples = motion(64 * 100, 3);
    for (i, x) in samples.iter_mut().enumerate() {
        *x += i as f32 * 1e-5 + if i % 3 == 1 && (60..70).contains(&(i / 192)) { 2.0 } else { 0.0 };
    }
    let mut options = SensorOptions::new(Promise::MaxError(vec![0.01; 3]), SampleType::F32);
    (options.window, options.windows_per_frame, options.calibration) = (64, 8, 30);
    let stream = encode(&samples, 3, &options);
    let (header, mut at) = SensorHeader::parse(&stream).unwrap();
    assert_eq!(header.scores, ScoreKind::Calibrated);
    let mut scores = Vec::new();
    while at < stream.len() {
        let raw = RawFrame::parse(&stream[at..], &header).unwrap();
        scores.extend(raw.head.scores);
        at += raw.length;
    }
    assert!(scores[..30].iter().all(|&s| s == 0), "{scores:?}");
    let odd: Vec<usize> = (0..100).filter(|&w| scores[w] >= header.threshold).collect();
    assert_eq!(odd, (60..70).collect::<Vec<_>>(), "{scores:?}");
    // Scores are the encoder's matter: samples are the same with any.
    let plain = SensorOptions { calibration: 0, ..options.clone() };
    assert_eq!(decode(&stream).unwrap(), decode(&encode(&samples, 3, &plain)).unwrap());
    // A short last window is not judged.
    let mut longer = samples.clone();
    longer.extend([1e6; 30]);
    let stream = encode(&longer, 3, &options);
    let (header, mut at) = SensorHeader::parse(&stream).unwrap();
    let mut last = 1;
    while at < stream.len() {
        let raw = RawFrame::parse(&stream[at..], &header).unwrap();
        last = raw.head.scores.last().copied().unwrap_or(last);
        at += raw.length;
    }
    assert_eq!(last, 0);
}

#[test]
fn truncated_and_damaged_streams_are_errors_or_incomplete() {
    let samples = motion(600, 2);
    let mut options = SensorOptions::new(Promise::MaxError(vec![0.01; 2]), SampleType::F32);
    options.windows_per_frame = 2;
    let stream = encode(&samples, 2, &options);
    for len in 0..stream.len() {
        assert!(decode(&stream[..len]).is_err(), "{len} bytes");
    }
    for at in 0..stream.len() {
        let mut damaged = stream.clone();
        damaged[at] ^= 0x41;
        assert!(decode(&damaged).is_err(), "byte {at}");
        let mut decoder = SensorDecoder::new();
        decoder.set_conceal(true);
        decoder.push(&damaged);
        while let Ok(Some(_)) = decoder.next_frame() {}
    }
    let longer = [&stream[..], &[0]].concat();
    assert!(decode(&longer).is_err());
}

/// Rewrites the checksums of a stream's only frame, as an attacker would.
fn forge(header: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0xc7, 0x1e, 0];
    let mut length = payload.len();
    while length >= 128 {
        frame.push(length as u8 | 128);
        length >>= 7;
    }
    frame.push(length as u8);
    frame.push(pinhole::format::crc32c(&frame) as u8);
    let checksum = pinhole::format::Crc32c::new().update(&frame).update(payload).finish();
    frame.extend(checksum.to_le_bytes());
    [header, &frame, payload].concat()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_samples_keep_any_bound(bits in proptest::collection::vec(any::<u32>(), 0..600),
                                  smooth in any::<bool>(), exponent in -40i32..38, channels in 1usize..6,
                                  window in 1usize..200) {
        let mut samples: Vec<f32> = bits.iter().enumerate().map(|(i, &b)| {
            if smooth { (i as f32 * 0.1).sin() + (b >> 20) as f32 * 1e-4 } else { f32::from_bits(b) }
        }).collect();
        samples.truncate(samples.len() / channels * channels);
        let bound = 10f64.powi(exponent);
        let mut options = SensorOptions::new(Promise::MaxError(vec![bound; channels]), SampleType::F32);
        options.window = window;
        let decoded = decode(&encode(&samples, channels, &options)).unwrap();
        prop_assert_eq!(kept(&samples, &decoded, &[bound]), Ok(()));
    }

    #[test]
    fn hostile_frames_never_panic(payload in proptest::collection::vec(any::<u8>(), 0..200),
                                  samples in 0u8..128, lossless in any::<bool>()) {
        let promise = if lossless { Promise::Lossless(vec![0.5, 0.0, 1e300]) }
            else { Promise::Quality { quality: 30.0, spread: vec![1.0, 0.0, 1e-300] } };
        let mut options = SensorOptions::new(promise, SampleType::F32);
        options.time = Some((TimeUnit::Ticks, u64::MAX));
        let mut encoder = SensorEncoder::new(3, &options).unwrap();
        let mut header = Vec::new();
        encoder.push::<f32>(&[], &[], &mut header).unwrap();
        // Key and last, first sample 0, time 3, samples, no scores needed for the fields to fit.
        let mut body = vec![3, 0, 6, samples];
        body.extend(&payload);
        let _ = decode(&forge(&header, &body));
        let _ = decode(&forge(&header, &payload));
        let _ = decode(&payload);
    }
}
