//! Whole pictures in memory, one thread, the shipped model: encode, decode, and their parts' shares by difference.
//!
//! `cargo bench -p pinhole-benches --bench codec`; `PINHOLE_ISA=scalar|avx2|avx512vnni` forces the kernels.
#![allow(missing_docs, clippy::unwrap_used)]

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pinhole::{Bundle, Decoder, EncodeOptions, Encoder, Target};
use pinhole_benches::photo::{MODEL, photograph};

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
