//! What an encoder of sensor streams takes from the allocator.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use std::sync::Mutex;

use pinhole::sensor::{Promise, RawFrame, SampleType, SensorEncoder, SensorModel, SensorOptions};

/// What an encoder may take.
const LIMIT: usize = 64_000;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: all is left to the system's allocator; only sizes are added up.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time, or they would count each other's bytes.
static TURN: Mutex<()> = Mutex::new(());

/// Six channels of somebody who walks, 20 minutes at 50 Hz: accelerations in g, rates in rad/s. The network is good at it.
fn walk() -> Vec<f32> {
    let value = |t: u32, c: u32| {
        let (at, c) = (t as f32 * 0.02, c as f32);
        let pace = 1.9 + 0.1 * (0.05 * at).sin();
        let step = |harmonic: f32| (std::f32::consts::TAU * pace * harmonic * at + c).sin();
        let noise = (t.wrapping_mul(2_654_435_761).wrapping_add(c as u32) >> 24) as f32 / 256.0;
        let swing = 0.25 * step(0.5) + 0.2 * step(1.0) + 0.1 * step(2.0) + 0.02 * noise;
        if c < 3.0 { swing + f32::from(c == 0.0) } else { 2.0 * swing }
    };
    (0..6 * 60_000).map(|i| value(i / 6, i % 6)).collect()
}

/// Six channels of noise that jumps.
fn noise() -> Vec<f32> {
    (0..6 * 60_000u32)
        .map(|i| {
            (i / 6 * (i % 6 + 1) % 1000) as f32 * 0.01
                + (i.wrapping_mul(2_654_435_761) >> 24) as f32 * 0.004
        })
        .collect()
}

/// The most bytes that an encoder takes beyond the caller's buffers while it encodes the samples, and how many frames
/// have symbols of a network.
fn peak<'m>(samples: &[f32], make: impl FnOnce() -> SensorEncoder<'m>) -> (usize, usize) {
    let mut out = Vec::with_capacity(1 << 20);
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut encoder = make();
    let (mut learned, mut at) = (0, usize::MAX);
    for piece in samples.chunks(6 * 10) {
        encoder.push(&[], piece, &mut out).unwrap();
        if at == usize::MAX {
            at = out.len();
        }
        if out.len() > at {
            let frame = RawFrame::parse(&out[at..], encoder.header()).unwrap();
            learned += usize::from(frame.is_learned());
            out.clear();
            at = 0;
        }
    }
    encoder.finish(&mut out).unwrap();
    (PEAK.load(Ordering::Relaxed) - before, learned)
}

fn options(promise: Promise) -> SensorOptions {
    let mut options = SensorOptions::new(promise, SampleType::F32);
    options.windows_per_frame = 2;
    options
}

/// Windows of 128 and frames of 2 windows: the encoder's peak stays below 64 KB, calibrated scores included.
#[test]
fn an_encoder_stays_below_64_kb() {
    let _turn = TURN.lock().unwrap();
    let samples = noise();
    for promise in
        [Promise::MaxError(vec![0.01; 6]), Promise::Quality { quality: 60.0, spread: vec![2.0; 6] }]
    {
        for calibration in [0, 32] {
            let options = SensorOptions { calibration, ..options(promise.clone()) };
            let (peak, _) = peak(&samples, || SensorEncoder::new(6, &options).unwrap());
            println!("{promise:?}, calibration {calibration}: {peak} bytes");
            assert!(peak < LIMIT, "{promise:?}: {peak} bytes");
        }
    }
}

/// The same with the model `imu`: what the model takes once, and what each stream takes.
#[test]
#[cfg_attr(debug_assertions, ignore = "debug builds keep the samples, too, to check the promise")]
fn an_encoder_with_a_model_stays_below_64_kb() {
    let _turn = TURN.lock().unwrap();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/imu/imu.pinm");
    let file = std::fs::read(path).unwrap();
    let before = NOW.load(Ordering::Relaxed);
    let model = SensorModel::parse(&file).unwrap();
    println!("model: {} bytes beside the bundle", NOW.load(Ordering::Relaxed) - before);
    for (name, samples) in [("walk", walk()), ("noise", noise())] {
        for promise in [
            Promise::Quality { quality: 50.0, spread: Vec::new() },
            Promise::MaxError(vec![0.01; 6]),
        ] {
            for (scores, calibration) in [(false, 0), (true, 0), (true, 32)] {
                let options = SensorOptions { scores, calibration, ..options(promise.clone()) };
                let (peak, learned) =
                    peak(&samples, || SensorEncoder::with_model(&model, &options, 0.01).unwrap());
                println!(
                    "{name}, {promise:?}, scores {scores}, calibration {calibration}: {peak} bytes, {learned} frames"
                );
                let quality = matches!(promise, Promise::Quality { .. });
                assert_eq!(learned > 100, name == "walk" && quality, "{learned}");
                assert!(peak < LIMIT, "{promise:?}: {peak} bytes");
            }
        }
    }
}
