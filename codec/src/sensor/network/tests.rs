//! A small made-up model, through everything.

use alloc::vec;
use alloc::vec::Vec;

use super::features::{self, PLACES};
use super::*;
use crate::bundle::{BundleBuilder, BundleError, Tag};
use crate::engine::requant::Bounds;
use crate::engine::{ConvSpec, DType, ProgramBuilder};
use crate::entropy::{RansDecoder, RansEncoder, TableSetBuilder};

const CHANNELS: usize = 2;
const WINDOW: usize = 16;

fn convolution<'s>(
    weights: &'s [i8],
    bias: &'s [i32],
    scale: &'s [f32],
    dtype: DType,
) -> ConvSpec<'s> {
    let (lo, hi) = dtype.range();
    let bounds = Bounds { offset: 0, lo, hi: if dtype == DType::U8 { 63 } else { hi } };
    ConvSpec { weights, bias, scale, residual: None, bounds, dtype, zero_point: 0 }
}

/// Latents are samples.
fn identity() -> Vec<u8> {
    let mut builder = ProgramBuilder::new();
    let input = builder.input(DType::I16, WINDOW, 0).unwrap();
    let mut weights = vec![0; WINDOW * WINDOW];
    (0..WINDOW).for_each(|i| weights[i * WINDOW + i] = 64);
    let (bias, scale) = (vec![0; WINDOW], vec![1.0 / 64.0; WINDOW]);
    let out = builder.conv1x1(input, convolution(&weights, &bias, &scale, DType::I16)).unwrap();
    builder.finish(&[out]).unwrap()
}

/// The mean is a part of the latent below, the scale follows all magnitudes.
fn context() -> Vec<u8> {
    let inputs = features::count(CHANNELS);
    let mut builder = ProgramBuilder::new();
    let input = builder.input(DType::U8, inputs, 128).unwrap();
    let mut weights = vec![0; inputs];
    weights[1] = 20;
    let mean =
        builder.conv1x1(input, convolution(&weights, &[-128 * 20], &[0.02], DType::I16)).unwrap();
    let signs = CHANNELS * 5 + 7;
    weights.fill(0);
    weights[signs..2 * signs + 5 * CHANNELS].fill(3);
    let bias = [-128 * 3 * (signs + 5 * CHANNELS) as i32 + 10_000];
    let scale = builder.conv1x1(input, convolution(&weights, &bias, &[0.002], DType::U8)).unwrap();
    builder.finish(&[mean, scale]).unwrap()
}

fn settings() -> SensorSettings {
    SensorSettings {
        channels: CHANNELS,
        window: WINDOW,
        dense: false,
        order: vec![1, 0],
        centre: vec![1.0, -2.0],
        spread: vec![0.5, 4.0],
        range: vec![3.0, 20.0],
        steps: (0..101).map(|q| 2.0f32.powf(1.0 - q as f32 * 0.06)).collect(),
        step_features: (0..101).map(|q| (8.0 - q as f32 * 0.48) as i8).collect(),
    }
}

fn sections() -> Vec<(Tag, Vec<u8>)> {
    let mut tables = TableSetBuilder::new();
    for index in 0..128 {
        let ratio = (-1.0 / 2f64.powf((index % 64) as f64 / 6.0 - 4.0)).exp();
        let mut pmf: Vec<f64> = (-20..=20i32).map(|k| ratio.powi(k.abs()) + 1e-6).collect();
        pmf.push(1e-4);
        tables.push_pmf(-20, &pmf).unwrap();
    }
    let magnitudes =
        (0..4096).map(|a| ((1.0 + f64::from(a) / 16.0).log2() * 8.0).round() as u8).collect();
    let ascending = |top: f32| (0..256).map(|i| i as f32 / 255.0 * top).collect();
    let mut sections = vec![
        (SensorTag::SETTINGS, settings().to_bytes()),
        (SensorTag::ANALYSIS, identity()),
        (SensorTag::SYNTHESIS, identity()),
        (SensorTag::TABLES, tables.to_bytes().unwrap()),
        (SensorTag::PLACES, vec![130; CHANNELS * WINDOW * PLACES]),
        (SensorTag::MAGNITUDES, magnitudes),
        (
            SensorTag::REFERENCE,
            Reference::new(5000, ascending(0.1), ascending(80.0)).unwrap().to_bytes(),
        ),
    ];
    sections.extend((0..CHANNELS).map(|c| (SensorTag::context(c), context())));
    sections
}

fn bundle(sections: &[(Tag, Vec<u8>)]) -> Vec<u8> {
    let mut builder = BundleBuilder::new();
    for (tag, bytes) in sections {
        builder.section(*tag, bytes.clone());
    }
    builder.to_bytes()
}

/// The model of these tests as a file: two channels, windows of 16 samples.
pub(crate) fn toy() -> Vec<u8> {
    bundle(&sections())
}

/// Windows of two channels that wander, in their own units.
fn windows(count: usize) -> Vec<Vec<f32>> {
    let one = |w: usize, t: usize, c: usize| {
        let x = (w * WINDOW + t) as f32;
        let wave = (x * (0.21 + 0.3 * c as f32)).sin() + 0.1 * (x * 2.3).cos();
        settings().centre[c] + settings().spread[c] * wave
    };
    (0..count)
        .map(|w| (0..WINDOW * CHANNELS).map(|i| one(w, i / CHANNELS, i % CHANNELS)).collect())
        .collect()
}

/// The last window's samples, `[time][channel]`.
fn decoded(network: &mut Network<'_>, quality: u16) -> Vec<f32> {
    let mut samples = vec![0.0; WINDOW * CHANNELS];
    network.decoded(quality, |c, t, sample| samples[t * CHANNELS + c] = sample).unwrap();
    samples
}

/// Encodes windows; returns the payload, what the encoder decoded, and the bits.
fn encode(model: &SensorModel<'_>, quality: u16, windows: &[Vec<f32>]) -> (Vec<u8>, Vec<f32>, f32) {
    let mut network = Network::new(model);
    let (mut memory, mut symbols) = (Memory::default(), Vec::new());
    let (mut all, mut bits) = (Vec::new(), 0.0);
    for window in windows {
        let sample = |c: usize, t: usize| window[t * CHANNELS + c];
        bits += network.encode(&mut memory, quality, sample, |s| symbols.push(s)).unwrap();
        all.extend(decoded(&mut network, quality));
        network.remember(&mut memory);
    }
    let mut rans = RansEncoder::new();
    for symbol in symbols {
        rans.push(network.tables(), symbol.table, symbol.value.into()).unwrap();
    }
    (rans.finish(), all, bits)
}

fn decode(
    model: &SensorModel<'_>,
    quality: u16,
    payload: &[u8],
    count: usize,
) -> Result<Vec<f32>, NetworkError> {
    let mut network = Network::new(model);
    let mut memory = Memory::default();
    let mut rans = RansDecoder::new(payload).map_err(NetworkError::Symbols)?;
    let mut all = Vec::new();
    for _ in 0..count {
        network.decode(&mut memory, quality, &mut rans)?;
        all.extend(decoded(&mut network, quality));
        network.remember(&mut memory);
    }
    rans.finish().map_err(NetworkError::Symbols)?;
    Ok(all)
}

#[test]
fn decoders_get_what_the_encoder_said() {
    let file = bundle(&sections());
    let model = SensorModel::parse(&file).unwrap();
    assert_eq!(model.settings(), &settings());
    let windows = windows(5);
    let mut last = f32::INFINITY;
    for quality in [0, 3000, 6000, 10_000] {
        let (payload, decoded, bits) = encode(&model, quality, &windows);
        assert!((payload.len() as f32 * 8.0 - bits).abs() < 0.02 * bits + 64.0, "{bits}");
        let again = decode(&model, quality, &payload, windows.len()).unwrap();
        let same = decoded.iter().zip(&again).all(|(a, b)| a.to_bits() == b.to_bits());
        assert!(same, "quality {quality}");
        let spread = |i: usize| settings().spread[i % CHANNELS];
        let error: f32 = windows
            .concat()
            .iter()
            .zip(&decoded)
            .enumerate()
            .map(|(i, (x, y))| ((x - y) / spread(i)).powi(2))
            .sum();
        assert!(error < last, "quality {quality}: {error} is not below {last}");
        last = error;
    }
    assert!(last / (5 * WINDOW * CHANNELS) as f32 <= 0.02f32.powi(2), "{last}");
}

#[test]
fn any_samples_are_coded() {
    let file = bundle(&sections());
    let model = SensorModel::parse(&file).unwrap();
    let odd = [f32::MAX, f32::MIN, f32::MIN_POSITIVE / 2.0, 0.0, -0.0, 1e30, -1e-30, 3.0];
    let window: Vec<f32> = (0..WINDOW * CHANNELS).map(|i| odd[i % odd.len()]).collect();
    let constant = vec![f32::MAX; WINDOW * CHANNELS];
    let windows = [window, constant];
    let (payload, decoded, _) = encode(&model, 5000, &windows);
    assert!(decoded.iter().all(|v| v.is_finite()));
    assert_eq!(decode(&model, 5000, &payload, 2).unwrap(), decoded);
}

#[test]
fn damage_is_an_error_or_other_samples() {
    let file = bundle(&sections());
    let model = SensorModel::parse(&file).unwrap();
    let (payload, decoded, _) = encode(&model, 5000, &windows(3));
    for at in 0..payload.len() {
        let mut damaged = payload.clone();
        damaged[at] ^= 0x55;
        if let Ok(samples) = decode(&model, 5000, &damaged, 3) {
            assert!(samples != decoded && samples.iter().all(|v| v.is_finite()));
        }
        // No bytes at all are a stream of zeros; frames have checksums.
        assert!(decode(&model, 5000, &payload[..at], 3) != Ok(decoded.clone()));
    }
}

#[test]
fn bundles_that_do_not_fit_are_refused() {
    let good = sections();
    let space = |sections: &[(Tag, Vec<u8>)]| {
        let file = bundle(sections);
        SensorModel::parse(&file).map(|m| m.latent_space())
    };
    let whole = space(&good).unwrap();
    let mut with_manifest = good.clone();
    with_manifest.push((Tag::MANIFEST, b"{}".to_vec()));
    assert_eq!(space(&with_manifest), Ok(whole));
    for at in 0..good.len() {
        let mut less = good.clone();
        let (tag, _) = less.remove(at);
        assert_eq!(space(&less), Err(BundleError::Missing(tag)));
        let mut shorter = good.clone();
        shorter[at].1.pop();
        assert!(space(&shorter).is_err(), "{tag}");
    }
    let mut other = settings();
    other.steps[50] *= 1.5;
    let mut changed = good.clone();
    changed[0].1 = other.to_bytes();
    assert_ne!(space(&changed).unwrap(), whole);
    for (name, bad) in [
        ("order", SensorSettings { order: vec![0, 0], ..settings() }),
        ("spread", SensorSettings { spread: vec![0.0, 1.0], ..settings() }),
        ("centre", SensorSettings { centre: vec![f32::NAN, 1.0], ..settings() }),
        ("window", SensorSettings { window: 17, ..settings() }),
    ] {
        changed[0].1 = bad.to_bytes();
        assert!(space(&changed).is_err(), "{name}");
    }
}

#[test]
fn scores_rise_from_the_middle_of_what_is_normal() {
    let file = bundle(&sections());
    let reference = SensorModel::parse(&file).unwrap().reference().clone();
    assert_eq!(reference.quality(), 5000);
    assert_eq!(reference.score(0.0, 0.0), 0);
    let (edge, beyond) = (reference.score(0.0951, 10.0), reference.score(0.01, 120.0));
    assert!((15..=17).contains(&edge) && beyond > 25, "{edge} {beyond}");
    assert!(reference.threshold(0.01) > reference.threshold(0.2));
    assert_eq!(reference.score(f32::NAN, f32::NAN), 0);
    assert_eq!(reference.score(f32::INFINITY, 0.0), 255);
}
