//! Least processor times: kernels, transforms, whole pictures with the family's shapes (`family.rs`) and with the shipped
//! model, one thread. Time that other programs take does not count, and the least of many runs is what the code can do.
//!
//! `cargo bench -p pinhole-benches --bench least -- [kernels|transforms|family|photo] [runs] [only=fast|lite|…]`;
//! `PINHOLE_ISA=…` forces the kernels of whole pictures.
#![allow(missing_docs, clippy::unwrap_used)]

use pinhole::engine::op::Op;
use pinhole::engine::requant::Bounds;
use pinhole::engine::{
    ConvSpec, DType, DepthwiseSpec, Executor, Isa, Kernels, Program, ProgramBuilder, RowMut,
    RowRef, Size, TensorData,
};
use pinhole::{
    Bundle, DecodeOptions, Decoder, Effort, EncodeOptions, Encoder, Picture, PixelFormat,
};
use pinhole_benches::photo::{MODEL, photograph};
use pinhole_benches::{family, noise};

const WIDTH: u32 = 768;
const HEIGHT: u32 = 512;

/// Seconds that this thread has had.
fn clock() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

/// The least seconds of many runs.
fn least(runs: usize, mut work: impl FnMut()) -> f64 {
    let one = || {
        let start = clock();
        work();
        clock() - start
    };
    std::iter::repeat_with(one).take(runs).fold(f64::MAX, f64::min)
}

/// Bytes at a multiple of 64, as kernels like them.
struct Aligned {
    store: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    fn new(bytes: &[u8]) -> Self {
        let mut store = vec![0; bytes.len() + 64];
        let (start, len) = (store.as_ptr().align_offset(64), bytes.len());
        store[start..start + len].copy_from_slice(bytes);
        Aligned { store, start, len }
    }

    fn get(&self) -> &[u8] {
        &self.store[self.start..self.start + self.len]
    }
}

fn kernels() -> impl Iterator<Item = Kernels> {
    let fast = Isa::ALL.iter().copied().filter(|isa| *isa != Isa::SCALAR);
    fast.filter_map(Kernels::with_isa)
}

fn data(dtype: DType, len: usize) -> TensorData {
    let mut next = noise(99);
    match dtype {
        DType::U8 => TensorData::U8((0..len).map(|_| next()).collect()),
        DType::I16 => TensorData::I16((0..len).map(|_| i16::from(next()) * 8 - 1024).collect()),
    }
}

/// The first `len` elements from a cache line on.
fn row(data: &TensorData, len: usize) -> RowRef<'_> {
    match data {
        TensorData::U8(v) => RowRef::U8(&v[v.as_ptr().align_offset(64)..][..len]),
        TensorData::I16(v) => RowRef::I16(&v[v.as_ptr().align_offset(64)..][..len]),
    }
}

fn row_mut(data: &mut TensorData, len: usize) -> RowMut<'_> {
    match data {
        TensorData::U8(v) => {
            let start = v.as_ptr().align_offset(64);
            RowMut::U8(&mut v[start..][..len])
        }
        TensorData::I16(v) => {
            let start = v.as_ptr().align_offset(64);
            RowMut::I16(&mut v[start..][..len])
        }
    }
}

/// One row of 96 positions, as in a picture of 768 pixels a row.
fn single_kernels(runs: usize) {
    const N: usize = 96;
    let (bytes, words) = (DType::U8, DType::I16);
    for (cin, cout, from, to, residual) in [
        (192, 192, bytes, bytes, false),
        (192, 192, bytes, words, true),
        (384, 192, bytes, words, true),
        (96, 96, bytes, bytes, false),
        (192, 192, words, words, false),
        (768, 288, words, words, false),
    ] {
        let mut next = noise((cin * cout) as u32);
        let weights: Vec<i8> = (0..cin * cout).map(|_| next() as i8).collect();
        let (bias, scale) = (vec![77; cout], vec![1e-3; cout]);
        let (weights, bias, scale) = (&weights[..], &bias[..], &scale[..]);
        let (lo, hi) = to.range();
        let bounds = Bounds { offset: if to == bytes { 128 } else { 0 }, lo, hi };
        let spec =
            ConvSpec { dtype: to, zero_point: 0, residual: None, weights, bias, scale, bounds };
        let mut builder = ProgramBuilder::new();
        let x = builder.input(from, cin, 0).unwrap();
        let y = builder.conv1x1(x, spec).unwrap();
        let file = Aligned::new(&builder.finish(&[y]).unwrap());
        let program = Program::parse(file.get()).unwrap();
        let Some(Op::Conv1x1(op)) = program.ops().first() else { continue };
        let (x, r) = (data(from, N * cin + 64), data(words, N * cout + 64));
        let r = if residual { row(&r, N * cout).as_i16() } else { None };
        let mut out = data(to, N * cout + 64);
        let mut scratch = Vec::new();
        for k in kernels() {
            // Several calls at a time: the clock is not that fine.
            let seconds = least(runs * 10, || {
                for _ in 0..8 {
                    let (x, out) = (row(&x, N * cin), row_mut(&mut out, N * cout));
                    k.conv1x1(op, N, x, r, out, &mut scratch).unwrap();
                }
            }) / 8.0;
            let rate = (N * cin * cout) as f64 / seconds / 1e9;
            let plus = if residual { " + residual" } else { "" };
            println!(
                "1x1 {cin} to {cout}, {from:?} to {to:?}{plus}, {:?}: {rate:.0} GMAC/s",
                k.isa()
            );
        }
    }
    for (k, from, c) in [(3, words, 192), (3, words, 288), (5, bytes, 128)] {
        let mut next = noise((k * c) as u32);
        let weights: Vec<i8> = (0..k * k * c).map(|_| next() as i8).collect();
        let (bias, scale) = (vec![77; c], vec![1.0 / 300.0; c]);
        let (weights, bias, scale) = (&weights[..], &bias[..], &scale[..]);
        let bounds = Bounds { offset: 128, lo: 0, hi: 255 };
        let (dtype, zero_point, residual) = (bytes, 128, None);
        let spec = DepthwiseSpec { k, dtype, zero_point, residual, weights, bias, scale, bounds };
        let mut builder = ProgramBuilder::new();
        let x = builder.input(from, c, 0).unwrap();
        let y = builder.depthwise(x, spec).unwrap();
        let file = builder.finish(&[y]).unwrap();
        let program = Program::parse(&file).unwrap();
        let Some(Op::Depthwise(op)) = program.ops().first() else { continue };
        let len = (N + k - 1) * c;
        let rows: Vec<TensorData> = (0..k).map(|_| data(from, len + 64)).collect();
        let rows: Vec<RowRef<'_>> = rows.iter().map(|r| row(r, len)).collect();
        let mut out = data(bytes, N * c + 64);
        for kernels in kernels() {
            let seconds = least(runs * 10, || {
                for _ in 0..8 {
                    kernels.depthwise(op, N, &rows, None, row_mut(&mut out, N * c)).unwrap();
                }
            }) / 8.0;
            let rate = (N * c * k * k) as f64 / seconds / 1e9;
            println!(
                "depthwise {k}x{k}, {c} channels, {from:?}, {:?}: {rate:.1} GMAC/s",
                kernels.isa()
            );
        }
    }
}

/// Analysis transforms alone, 768×512.
fn transforms(runs: usize) {
    let size = Size { height: HEIGHT as usize, width: WIDTH as usize };
    let picture = picture();
    let line = size.width * 3;
    for (name, shape) in [("fast", family::FAST), ("default", family::DEFAULT)] {
        let file = Aligned::new(&family::analysis(shape).unwrap());
        let program = Program::parse(file.get()).unwrap();
        let units = (size.height / program.unit() * size.width / program.unit()) as u64;
        let macs = program.macs_per_unit() * units;
        for k in kernels() {
            let mut executor = Executor::with_kernels(k);
            let seconds = least(runs, || {
                let mut source = |_: usize, y: usize, mut to: RowMut<'_>| {
                    to.copy_from(RowRef::U8(&picture.data()[y * line..][..line]));
                };
                let mut sum = 0_i64;
                let mut sink = |_: usize, _: usize, row: RowRef<'_>| {
                    sum += row.as_i16().map_or(0, |r| r[0].into());
                };
                executor.run(&program, size, &mut source, &mut sink).unwrap();
                std::hint::black_box(sum);
            });
            let (rate, kmac) = (macs as f64 / seconds / 1e9, macs as f64 / picture_pixels() / 1e3);
            println!(
                "analysis {name} ({kmac:.1} kMAC per pixel), {:?}: {:.2} ms, {rate:.0} GMAC/s",
                k.isa(),
                seconds * 1e3
            );
        }
    }
}

fn picture_pixels() -> f64 {
    f64::from(WIDTH) * f64::from(HEIGHT)
}

/// Shades that wander, as the family's latents were fitted to.
fn picture() -> Picture {
    let mut next = noise(7);
    let mut shade = 128_i32;
    let samples = (0..WIDTH * HEIGHT * 3).map(|_| {
        shade = (shade + i32::from(next()) / 8 - 16).clamp(0, 255);
        shade as u8
    });
    Picture::new(WIDTH, HEIGHT, PixelFormat::Rgb8, samples.collect()).unwrap()
}

fn whole(name: &str, file: &[u8], picture: &Picture, runs: usize, only: Option<&str>) {
    let file = Aligned::new(file);
    let bundle = Bundle::parse(file.get()).unwrap();
    let told = |what: String, seconds: f64| {
        let rate = picture_pixels() / 1e6 / seconds;
        println!(
            "{name}, {:?}: {what}: {:.2} ms, {rate:.1} Mpixel/s",
            Kernels::detect().isa(),
            seconds * 1e3
        );
    };
    let at = |effort| {
        let mut options = EncodeOptions::default();
        options.effort = effort;
        options
    };
    let efforts: Vec<Effort> = bundle.efforts().collect();
    let wanted = |name| only.is_none_or(|only| only == name);
    for &effort in efforts.iter().filter(|effort| wanted(effort.name())) {
        let mut encoder = Encoder::new(&bundle, 1).unwrap();
        let bytes = encoder.encode(picture, &at(effort)).unwrap().len();
        let seconds = least(runs, || drop(encoder.encode(picture, &at(effort)).unwrap()));
        let bpp = bytes as f64 * 8.0 / picture_pixels();
        told(format!("encode {effort}, {bpp:.2} bits per pixel"), seconds);
    }
    let Some(&effort) = efforts.last() else { return };
    let stream = Encoder::new(&bundle, 1).unwrap().encode(picture, &at(effort)).unwrap();
    for decoder in bundle.syntheses().filter(|d| wanted(d.name())) {
        let mut options = DecodeOptions::default();
        options.decoder = decoder;
        let mut own = Decoder::new(&bundle, 1).unwrap();
        let seconds = least(runs, || drop(own.decode(&stream, &options).unwrap()));
        told(format!("decode {decoder}"), seconds);
    }
    if !wanted("load") {
        return;
    }
    let small = Picture::new(64, 64, PixelFormat::Rgb8, vec![90; 64 * 64 * 3]).unwrap();
    let seconds = least(runs, || {
        let bundle = Bundle::parse(file.get()).unwrap();
        drop(Encoder::new(&bundle, 1).unwrap().encode(&small, &at(effort)).unwrap());
    });
    println!("{name}: load {} bytes and encode 64x64: {:.2} ms", file.get().len(), seconds * 1e3);
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|w| !w.starts_with('-')).collect();
    let runs = words.iter().find_map(|w| w.parse().ok()).unwrap_or(60);
    let only = words.iter().find_map(|w| w.strip_prefix("only="));
    let named = |w: &&String| w.parse::<usize>().is_err() && !w.starts_with("only=");
    let names: Vec<&String> = words.iter().filter(named).collect();
    let wanted = |name: &str| names.is_empty() || names.iter().any(|w| *w == name);
    if wanted("kernels") {
        single_kernels(runs);
    }
    if wanted("transforms") {
        transforms(runs);
    }
    if wanted("family") {
        whole("family", &family::bundle().unwrap(), &picture(), runs, only);
    }
    if wanted("photo") {
        whole("photo", MODEL, &photograph(WIDTH, HEIGHT), runs, only);
    }
}
