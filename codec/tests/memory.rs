//! Memory of encoding from bands of rows, with the shipped model and a counting allocator.
#![allow(clippy::unwrap_used, missing_docs)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use pinhole::{Bundle, EncodeOptions, Encoder, FrameFormat, PictureRef, YuvSpace};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes every call on to the system's allocator with unchanged arguments; counting touches no memory of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        PEAK.fetch_max(now, Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const MODEL: &[u8] = include_bytes!("../../models/zoo/photo/photo.pinm");
const BAND: u32 = 16;

/// Encodes `height` rows of 4000 pixels of NV12 from bands; returns the peak above what was there before the encoder
/// (bundle and band) and the file's length.
fn peak(height: u32, chunk_rows: u32) -> (usize, usize) {
    let bundle = Bundle::parse(MODEL).unwrap();
    let format = FrameFormat::Nv12(YuvSpace::default());
    let mut band = vec![0; format.buffer_len(4000, BAND) as usize];
    let mut out = Vec::with_capacity(1 << 20);
    let mut options = EncodeOptions::default();
    (options.quality, options.chunk_rows) = (75.0, chunk_rows);

    let before = NOW.load(Relaxed);
    PEAK.store(before, Relaxed);
    let mut encoder = Encoder::new(&bundle, 1).unwrap();
    let mut stream = encoder.stream(4000, height, format, &options).unwrap();
    let (mut length, mut noise) = (0, 1_u32);
    for y in (0..height).step_by(BAND as usize) {
        for (x, sample) in band.iter_mut().enumerate() {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Luma above, chroma below: waves and grain, and colours within the range.
            let wave = (x as u32 % 4000 / 7 + y / 5) % 256;
            let luma = wave.abs_diff(128) + 60 + (noise >> 28);
            let chroma = 118 + wave.abs_diff(128) / 8 + (noise >> 30);
            *sample = if x < (4000 * BAND) as usize { luma } else { chroma } as u8;
        }
        let rows = BAND.min(height - y);
        let view = PictureRef::contiguous(4000, rows, format, &band).unwrap();
        stream.push_rows(view, &mut out).unwrap();
        length += out.len();
        out.clear();
    }
    stream.finish().unwrap();
    (PEAK.load(Relaxed) - before, length)
}

fn report(height: u32, chunk_rows: u32) -> usize {
    let (peak, length) = peak(height, chunk_rows);
    let mib = peak as f64 / f64::from(1 << 20);
    println!("4000x{height}, chunks of {chunk_rows} rows: {mib:.1} MiB at most, {length} bytes");
    peak
}

/// Chunks of the default height stay within 16 MiB at 4000 columns, and the picture's height does not matter.
#[test]
fn bands_take_bounded_memory() {
    let low = report(512, EncodeOptions::DEFAULT_CHUNK_ROWS);
    let high = report(1024, EncodeOptions::DEFAULT_CHUNK_ROWS);
    assert!(low.max(high) <= 16 << 20);
    // The payload of a chunk, whose length varies a little, is held twice for a moment.
    assert!(high.abs_diff(low) < 256 << 10);
}

/// The whole size, and what larger chunks take. Run alone: counts are of the whole process.
#[test]
#[ignore = "slow, and a report rather than a check"]
fn twelve_megapixels() {
    for chunk_rows in [64, 128, 256, 512] {
        report(3000, chunk_rows);
    }
}
