//! Times one exported graph on the engine and on tract, one thread: JSON lines for `benches/peers/engines.py`.
//!
//! `cargo run --release -p pinhole-pack --example engines -- WIDTH HEIGHT GRAPH.onnx…`; graphs that are not in QDQ form
//! run on tract only.
#![allow(clippy::print_stdout)]

use std::time::Instant;

use pinhole::engine::{DType, Executor, Program, RowMut, RowRef, Size};
use pinhole_pack::graph::Graph;
use pinhole_pack::grids::InputSteps;
use pinhole_pack::lower::lower;
use tract_onnx::prelude::*;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const RUNS: usize = 15;

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [width, height, graphs @ ..] = &words[..] else {
        return Err("usage: WIDTH HEIGHT GRAPH.onnx…".into());
    };
    let size = Size { height: height.parse()?, width: width.parse()? };
    for path in graphs {
        let bytes = std::fs::read(path)?;
        let graph = Graph::read("graph", &bytes)?;
        if let Ok(lowered) = lower(&graph, &InputSteps::with(&Default::default())) {
            report(path, "pinhole", engine(&lowered.program, size)?);
        }
        report(path, "tract", tract(&graph, size)?);
    }
    Ok(())
}

fn report(graph: &str, runtime: &str, milliseconds: f64) {
    println!("{}", serde_json::json!({ "graph": graph, "runtime": runtime, "ms": milliseconds }));
}

/// Median of several runs, after one to warm up.
fn median(mut run: impl FnMut() -> Result<()>) -> Result<f64> {
    run()?;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let start = Instant::now();
        run()?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok(times[RUNS / 2])
}

fn engine(program: &[u8], size: Size) -> Result<f64> {
    let program = Program::parse(program)?;
    let mut executor = Executor::new();
    let mut total = 0_u64;
    median(|| {
        let mut source = |_: usize, y: usize, row: RowMut<'_>| {
            if let RowMut::U8(row) = row {
                row.iter_mut().enumerate().for_each(|(x, v)| *v = (x * 7 + y * 13) as u8);
            }
        };
        let mut sink = |_: usize, _: usize, row: RowRef<'_>| {
            total += (row.dtype() == DType::I16) as u64;
        };
        Ok(executor.run(&program, size, &mut source, &mut sink)?)
    })
}

fn tract(graph: &Graph, size: Size) -> Result<f64> {
    let onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
    let mut model = onnx.model_for_proto_model(&graph.proto)?;
    let channels = graph.inputs.first().map_or(3, |i| i.channels);
    let shape = [1, channels, size.height, size.width];
    model.set_input_fact(0, InferenceFact::dt_shape(u8::datum_type(), shape))?;
    let runnable = model.into_optimized()?.into_runnable()?;
    let values: Vec<u8> = (0..shape.iter().product()).map(|i: usize| (i * 7) as u8).collect();
    let picture: TValue = Tensor::from_shape(&shape, &values)?.into();
    median(|| {
        runnable.run(tvec!(picture.clone()))?;
        Ok(())
    })
}
