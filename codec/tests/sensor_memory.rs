//! What an encoder of sensor streams takes from the allocator.
#![allow(clippy::unwrap_used)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use pinhole::sensor::{Promise, SampleType, SensorEncoder, SensorOptions};

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

/// Six channels in windows of 128 and frames of 4 windows, 20 minutes at 50 Hz: the encoder's peak beyond the caller's
/// buffers stays below 64 KiB.
#[test]
fn an_encoder_stays_below_64_kib() {
    let samples: Vec<f32> = (0..6 * 60_000u32)
        .map(|i| {
            (i / 6 * (i % 6 + 1) % 1000) as f32 * 0.01
                + (i.wrapping_mul(2_654_435_761) >> 24) as f32 * 0.004
        })
        .collect();
    for promise in
        [Promise::MaxError(vec![0.01; 6]), Promise::Quality { quality: 60.0, spread: vec![2.0; 6] }]
    {
        let mut options = SensorOptions::new(promise, SampleType::F32);
        options.windows_per_frame = 4;
        let mut out = Vec::with_capacity(1 << 20);
        let before = NOW.load(Ordering::Relaxed);
        PEAK.store(before, Ordering::Relaxed);
        let mut encoder = SensorEncoder::new(6, &options).unwrap();
        for piece in samples.chunks(6 * 10) {
            encoder.push(&[], piece, &mut out).unwrap();
            if out.len() > 1 << 19 {
                out.clear();
            }
        }
        encoder.finish(&mut out).unwrap();
        let peak = PEAK.load(Ordering::Relaxed) - before;
        println!("{:?}: {peak} bytes", encoder.header().promise);
        assert!(peak < 64 << 10, "{:?}: {peak} bytes", encoder.header().promise);
    }
}
