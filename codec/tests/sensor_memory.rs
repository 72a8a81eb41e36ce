//! What an encoder of sensor streams takes from the allocator.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use std::sync::Mutex;

use pinhole::sensor::{Promise, SampleType, SensorEncoder, SensorModel, SensorOptions};

/// Of an encoder whose windows go through a network.
const LIMIT: usize = 128 << 10;

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

/// Six channels, 20 minutes at 50 Hz.
fn samples() -> Vec<f32> {
    (0..6 * 60_000u32)
        .map(|i| {
            (i / 6 * (i % 6 + 1) % 1000) as f32 * 0.01
                + (i.wrapping_mul(2_654_435_761) >> 24) as f32 * 0.004
        })
        .collect()
}

/// The most bytes that an encoder takes beyond the caller's buffers while it encodes the samples.
fn peak<'m>(samples: &[f32], make: impl FnOnce() -> SensorEncoder<'m>) -> usize {
    let mut out = Vec::with_capacity(1 << 20);
    let before = NOW.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let mut encoder = make();
    for piece in samples.chunks(6 * 10) {
        encoder.push(&[], piece, &mut out).unwrap();
        if out.len() > 1 << 19 {
            out.clear();
        }
    }
    encoder.finish(&mut out).unwrap();
    PEAK.load(Ordering::Relaxed) - before
}

fn options(promise: Promise) -> SensorOptions {
    let mut options = SensorOptions::new(promise, SampleType::F32);
    options.windows_per_frame = 4;
    options
}

/// Windows of 128 and frames of 4 windows: the encoder's peak stays below 64 KiB, calibrated scores included.
#[test]
fn an_encoder_stays_below_64_kib() {
    let _turn = TURN.lock().unwrap();
    let samples = samples();
    for promise in
        [Promise::MaxError(vec![0.01; 6]), Promise::Quality { quality: 60.0, spread: vec![2.0; 6] }]
    {
        for calibration in [0, 32] {
            let options = SensorOptions { calibration, ..options(promise.clone()) };
            let peak = peak(&samples, || SensorEncoder::new(6, &options).unwrap());
            println!("{promise:?}, calibration {calibration}: {peak} bytes");
            assert!(peak < 64 << 10, "{promise:?}: {peak} bytes");
        }
    }
}

/// The same with the model `imu`: what the model takes once, and what each stream takes.
#[test]
fn an_encoder_with_a_model_stays_below_its_limit() {
    let _turn = TURN.lock().unwrap();
    let samples = samples();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/imu/imu.pinm");
    let file = std::fs::read(path).unwrap();
    let before = NOW.load(Ordering::Relaxed);
    let model = SensorModel::parse(&file).unwrap();
    println!("model: {} bytes beside the bundle", NOW.load(Ordering::Relaxed) - before);
    for promise in
        [Promise::Quality { quality: 50.0, spread: Vec::new() }, Promise::MaxError(vec![0.01; 6])]
    {
        for (scores, calibration) in [(false, 0), (true, 0), (true, 32)] {
            let options = SensorOptions { scores, calibration, ..options(promise.clone()) };
            let peak =
                peak(&samples, || SensorEncoder::with_model(&model, &options, 0.01).unwrap());
            println!("{promise:?}, scores {scores}, calibration {calibration}: {peak} bytes");
            // Where nothing goes through the network, its buffers are not there.
            let bounded = matches!(promise, Promise::MaxError(_));
            let idle = bounded && (!scores || calibration > 0);
            let limit = if idle { 64 << 10 } else { LIMIT };
            assert!(peak < limit, "{promise:?}: {peak} bytes");
        }
    }
}
