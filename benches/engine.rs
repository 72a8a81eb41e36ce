//! The engine: single kernels on one row for each instruction set, and a whole transform. Elements are MACs.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use pinhole::engine::op::Op;
use pinhole::engine::{
    DType, Executor, Isa, Kernels, Program, ProgramBuilder, RowMut, RowRef, Size, Tensor,
    TensorData,
};
use pinhole_benches::{DEFAULT, FAST, analysis, conv, depthwise, noise};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn all_kernels() -> impl Iterator<Item = Kernels> {
    Isa::ALL.iter().copied().filter_map(Kernels::with_isa)
}

fn tensor(dtype: DType, width: usize, channels: usize) -> Tensor {
    let mut next = noise(99);
    let n = width * channels;
    let data = match dtype {
        DType::U8 => TensorData::U8((0..n).map(|_| next()).collect()),
        DType::I16 => TensorData::I16((0..n).map(|_| i16::from(next()) * 8 - 1024).collect()),
    };
    Tensor { size: Size { height: 1, width }, channels, data }
}

fn conv_kernels(c: &mut Criterion) -> Result<()> {
    let mut group = c.benchmark_group("conv1x1");
    let (u8_, i16_) = (DType::U8, DType::I16);
    let cases = [
        ("192to192 u8-u8", 192, 192, u8_, u8_, false),
        ("192to192 u8-i16+res", 192, 192, u8_, i16_, true),
        ("192to192 i16-i16", 192, 192, i16_, i16_, false),
        ("768to320 i16-i16", 768, 320, i16_, i16_, false),
        ("96to96 u8-u8", 96, 96, u8_, u8_, false),
    ];
    for (name, cin, cout, from, to, residual) in cases {
        let n = 96;
        let mut b = ProgramBuilder::new();
        let x = b.input(from, cin, 0)?;
        let y = conv(&mut b, x, (cin, cout), to, None)?;
        let bytes = b.finish(&[y])?;
        let program = Program::parse(&bytes)?;
        let Some(Op::Conv1x1(op)) = program.ops().first() else { continue };
        let (x, r) = (tensor(from, n, cin), tensor(DType::I16, n, cout));
        let r = if residual { r.as_ref().as_i16() } else { None };
        let mut out = tensor(to, n, cout);
        let mut scratch = Vec::new();
        group.throughput(Throughput::Elements((n * cin * cout) as u64));
        for kernels in all_kernels() {
            group.bench_function(BenchmarkId::new(name, kernels.isa().name()), |bench| {
                bench.iter(|| {
                    kernels.conv1x1(op, n, black_box(x.as_ref()), r, out.as_mut(), &mut scratch)
                });
            });
        }
    }
    Ok(())
}

fn depthwise_kernels(c: &mut Criterion) -> Result<()> {
    let mut group = c.benchmark_group("depthwise");
    let cases =
        [("3x3 i16-u8", 3, DType::I16), ("3x3 u8-u8", 3, DType::U8), ("5x5 i16-u8", 5, DType::I16)];
    for (name, k, from) in cases {
        let (n, channels) = (96, 192);
        let mut b = ProgramBuilder::new();
        let x = b.input(from, channels, 0)?;
        let y = depthwise(&mut b, x, (k, channels), DType::U8)?;
        let bytes = b.finish(&[y])?;
        let program = Program::parse(&bytes)?;
        let Some(Op::Depthwise(op)) = program.ops().first() else { continue };
        let rows: Vec<Tensor> = (0..k).map(|_| tensor(from, n + k - 1, channels)).collect();
        let rows: Vec<RowRef<'_>> = rows.iter().map(Tensor::as_ref).collect();
        let mut out = tensor(DType::U8, n, channels);
        group.throughput(Throughput::Elements((n * channels * k * k) as u64));
        for kernels in all_kernels() {
            group.bench_function(BenchmarkId::new(name, kernels.isa().name()), |bench| {
                bench.iter(|| kernels.depthwise(op, n, black_box(&rows), None, out.as_mut()));
            });
        }
    }
    Ok(())
}

fn whole_networks(c: &mut Criterion) -> Result<()> {
    whole_network(c, "analysis 768x512", analysis(DEFAULT)?)?;
    whole_network(c, "fast analysis 768x512", analysis(FAST)?)
}

fn whole_network(c: &mut Criterion, name: &str, bytes: Vec<u8>) -> Result<()> {
    let program = Program::parse(&bytes)?;
    let size = Size { height: 512, width: 768 };
    let picture = tensor(DType::U8, size.height * size.width, 3);
    let row = size.width * 3;
    let units = (size.height / program.unit() * size.width / program.unit()) as u64;
    let mut group = c.benchmark_group(name);
    group.throughput(Throughput::Elements(program.macs_per_unit() * units));
    for kernels in all_kernels() {
        let mut executor = Executor::with_kernels(kernels);
        group.bench_function(kernels.isa().name(), |bench| {
            bench.iter(|| {
                let mut source = |_: usize, y: usize, mut to: RowMut<'_>| {
                    if let Some(from) = picture.as_ref().get(y * row, (y + 1) * row) {
                        to.copy_from(from);
                    }
                };
                let mut sum = 0_i64;
                let mut sink = |_: usize, _: usize, row: RowRef<'_>| {
                    sum += row.as_i16().map_or(0, |r| r[0].into())
                };
                let result = executor.run(&program, size, &mut source, &mut sink);
                (result, sum)
            });
        });
    }
    Ok(())
}

fn all(c: &mut Criterion) {
    for bench in [conv_kernels, depthwise_kernels, whole_networks] {
        if let Err(error) = bench(c) {
            eprintln!("{error}");
        }
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20).measurement_time(std::time::Duration::from_secs(1))
        .warm_up_time(std::time::Duration::from_millis(300));
    targets = all
}
criterion_main!(benches);
