//! Whole pictures in memory, one thread, the shipped model: encode, decode, and their parts' shares by difference.
//!
//! `cargo bench -p pinhole-benches --bench codec`; `PINHOLE_ISA=scalar|avx2|avx512vnni` forces the kernels.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pinhole::{Bundle, Decoder, EncodeOptions, Encoder, Picture, PixelFormat, Target};

/// Bytes at a multiple of 64, where weights are read fastest.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);
static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!("../models/zoo/photo/photo.pinm"));
static MODEL: &[u8] = &ALIGNED.0;

/// The middle 768×512 pixels' worth of a sample photograph (repeated where it is smaller).
fn photograph(width: u32, height: u32) -> Picture {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/coffee.png");
    let sample = image::open(path).unwrap().into_rgb8();
    let mirror = |at: u32, side: u32| {
        let turn = at % (2 * side);
        if turn < side { turn } else { 2 * side - 1 - turn }
    };
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let at = (mirror(x, sample.width()), mirror(y, sample.height()));
            data.extend(sample.get_pixel(at.0, at.1).0);
        }
    }
    Picture::new(width, height, PixelFormat::Rgb8, data).unwrap()
}

fn whole_pictures(c: &mut Criterion) {
    let bundle = Bundle::parse(MODEL).unwrap();
    let mut group = c.benchmark_group("codec");
    for (width, height) in [(768, 512), (3072, 2048)] {
        let picture = photograph(width, height);
        group.throughput(Throughput::Elements(u64::from(width) * u64::from(height)));
        if width > 1000 {
            group.sample_size(10);
        }
        for quality in [25.0, 50.0, 75.0] {
            let mut options = EncodeOptions::default();
            options.quality = quality;
            let mut encoder = Encoder::new(&bundle, 1).unwrap();
            let stream = encoder.encode(&picture, &options).unwrap();
            let name = |what| format!("{what}/{width}x{height}/q{quality}");
            group.bench_function(name("encode"), |b| {
                b.iter(|| encoder.encode(&picture, &options).unwrap())
            });
            let mut decoder = Decoder::new(&bundle, 1).unwrap();
            group.bench_function(name("decode"), |b| {
                b.iter(|| decoder.decode(&stream, &Default::default()).unwrap());
            });
        }
    }
    let picture = photograph(768, 512);
    let mut target = EncodeOptions::default();
    target.target = Some(Target::Bytes(768 * 512 / 16));
    let mut encoder = Encoder::new(&bundle, 1).unwrap();
    group.throughput(Throughput::Elements(768 * 512));
    group.bench_function("encode to half a bit per pixel/768x512", |b| {
        b.iter(|| encoder.encode(&picture, &target).unwrap());
    });
    group.bench_function("load the bundle", |b| b.iter(|| Bundle::parse(MODEL).unwrap()));
    group.bench_function("cold start: load the bundle, encode 64x64", |b| {
        let picture = photograph(64, 64);
        b.iter(|| {
            let bundle = Bundle::parse(MODEL).unwrap();
            Encoder::new(&bundle, 1).unwrap().encode(&picture, &Default::default()).unwrap()
        });
    });
    group.finish();
}

criterion_group!(benches, whole_pictures);
criterion_main!(benches);
