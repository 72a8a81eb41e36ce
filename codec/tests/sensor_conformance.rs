//! Sensor streams have the same bytes and samples on every processor and in every version: made-up samples give the
//! streams that `tests/conformance/sensor` keeps, and these give the samples that `sensor.txt` has the hashes of.
//!
//! `PINHOLE_BLESS=sensor cargo test -p pinhole --test sensor_conformance` writes them anew, which only a new format
//! version allows.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pinhole::sensor::{
    Promise, Sample, SampleType, SensorDecoder, SensorEncoder, SensorOptions, TimeUnit,
};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance")
}

/// Whole numbers like those of a sensor: triangles of several periods, bursts, noise. Only integer arithmetic.
fn wave(t: u32, c: u32) -> i32 {
    let triangle = |period: u32, height: i32| {
        let phase = (t + 37 * c) % period;
        (phase.min(period - phase) as i32 * 4 / 2 - period as i32 / 2) * height / period as i32
    };
    let noise = (t.wrapping_mul(2_654_435_761).wrapping_add(c * 40_503) >> 22) as i32 % 64 - 32;
    let burst = if t / 256 % 2 == 1 { triangle(23 + c, 9000) } else { triangle(190, 500) };
    burst + triangle(700, 4000) + noise + 3000 * c as i32
}

struct Case {
    name: &'static str,
    channels: usize,
    options: SensorOptions,
    stream: Vec<u8>,
}

fn case<S: Sample>(
    name: &'static str,
    channels: usize,
    change: impl FnOnce(&mut SensorOptions),
    promise: Promise,
    value: impl Fn(i32, u32) -> S,
) -> Case {
    let mut options = SensorOptions::new(promise, S::TYPE);
    options.windows_per_frame = 3;
    options.key_interval = 2;
    change(&mut options);
    let mut encoder = SensorEncoder::new(channels, &options).unwrap();
    let samples: Vec<S> = (0..1000 * channels as u32)
        .map(|i| value(wave(i / channels as u32, i % channels as u32), i))
        .collect();
    let timed = options.time.is_some();
    let times: Vec<i64> = (0..1000)
        .map(|t| 1_600_000_000_000_000_000 + t * 20_000_000 + if t > 700 { 12_345 * t } else { 0 })
        .take(if timed { 1000 } else { 0 })
        .collect();
    let mut stream = Vec::new();
    encoder.push(&times, &samples, &mut stream).unwrap();
    encoder.finish(&mut stream).unwrap();
    Case { name, channels, options, stream }
}

fn cases() -> Vec<Case> {
    let plain = |_: &mut SensorOptions| {};
    let odd = |x: i32, i: u32| match i % 997 {
        5..=9 => f32::NAN,
        100 => f32::INFINITY,
        200 => f32::MAX,
        _ => x as f32 * 0.001,
    };
    vec![
        case("lossless-i16", 3, plain, Promise::Lossless(vec![1.0; 3]), |x, _| x as i16),
        case(
            "lossless-f64-times",
            2,
            |o| o.time = Some((TimeUnit::UnixNanoseconds, 20_000_000)),
            Promise::Lossless(vec![1000.0, 0.0]),
            |x, _| f64::from(x) / 1000.0,
        ),
        case("error-f32", 6, plain, Promise::MaxError(vec![0.05; 6]), |x, _| x as f32 * 0.001),
        case("error-f32-odd", 4, |o| o.window = 100, Promise::MaxError(vec![0.002; 4]), odd),
        case(
            "quality-f32",
            6,
            plain,
            Promise::Quality { quality: 50.0, spread: vec![2.5; 6] },
            |x, _| x as f32 * 0.001,
        ),
        case(
            "quality-f32-odd",
            2,
            |o| o.window = 60,
            Promise::Quality { quality: 80.0, spread: vec![2.5; 2] },
            odd,
        ),
    ]
}

/// FNV-1a, 64 bits, over samples of the stream's type as doubles, NaN as one pattern, then the times.
fn hash(values: &[f64], times: &[i64]) -> u64 {
    let bits = values.iter().map(|x| if x.is_nan() { u64::MAX } else { x.to_bits() });
    bits.chain(times.iter().map(|&t| t as u64))
        .flat_map(u64::to_le_bytes)
        .fold(0xcbf2_9ce4_8422_2325, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[test]
fn streams_and_samples_are_those_kept() {
    let folder = folder();
    let file = |name: &str| folder.join(format!("sensor/v1-{name}.pin"));
    let cases = cases();
    let mut found = String::new();
    for case in &cases {
        if std::env::var_os("PINHOLE_BLESS").is_some_and(|part| part == "sensor") {
            fs::create_dir_all(folder.join("sensor")).unwrap();
            fs::write(file(case.name), &case.stream).unwrap();
        }
        let kept = fs::read(file(case.name)).unwrap();
        assert!(case.stream == kept, "{}: encoding gives other bytes", case.name);
        let mut decoder = SensorDecoder::new();
        decoder.push(&kept);
        let (mut values, mut times) = (Vec::new(), Vec::new());
        while let Some(frame) = decoder.next_frame().unwrap() {
            values.extend(frame.values);
            times.extend(frame.times);
        }
        decoder.finish().unwrap();
        assert_eq!(values.len(), 1000 * case.channels);
        assert_eq!(decoder.header().unwrap().sample_type, case.options.sample_type);
        assert_ne!(case.options.sample_type, SampleType::U8);
        writeln!(found, "{} {:016x}", case.name, hash(&values, &times)).unwrap();
    }
    let list = folder.join("sensor.txt");
    if std::env::var_os("PINHOLE_BLESS").is_some_and(|part| part == "sensor") {
        fs::write(&list, &found).unwrap();
    }
    assert_eq!(fs::read_to_string(&list).unwrap(), found);
}
