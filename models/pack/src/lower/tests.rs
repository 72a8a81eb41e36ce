//! Hand-built graphs against results worked out by hand, and against tract.

use pinhole::engine::{Program, Size, Tensor, TensorData, reference};
use tract_onnx::pb::tensor_proto::DataType::{Float, Uint8};

use super::*;
use crate::parity::Runtime;
use crate::testing::Onnx;

fn bytes(height: usize, width: usize, channels: usize, values: &[u8]) -> Tensor {
    Tensor { size: Size { height, width }, channels, data: TensorData::U8(values.into()) }
}

fn words(height: usize, width: usize, channels: usize, values: &[i16]) -> Tensor {
    Tensor { size: Size { height, width }, channels, data: TensorData::I16(values.into()) }
}

/// Lowers, runs on the reference executor, and requires that tract says the same.
fn run(graph: &Graph, inputs: &[Tensor]) -> Vec<TensorData> {
    let lowered = lower(graph, &InputSteps::default()).unwrap();
    let program = Program::parse(&lowered.program).unwrap();
    let outputs = reference::run(&program, inputs).unwrap();
    let grids: Vec<_> = lowered.outputs.iter().map(|&t| lowered.grid(t).unwrap()).collect();
    let inputs: Vec<_> =
        inputs.iter().cloned().zip(lowered.tensors.iter().map(|t| t.grid)).collect();
    let expected = Runtime::default().run(graph, &inputs, &grids).unwrap();
    for (out, expected) in outputs.iter().zip(expected) {
        let integers: Vec<i64> = match &out.data {
            TensorData::U8(v) => v.iter().map(|&q| q.into()).collect(),
            TensorData::I16(v) => v.iter().map(|&q| q.into()).collect(),
        };
        assert_eq!(integers, expected, "engine, tract");
    }
    outputs.into_iter().map(|t| t.data).collect()
}

fn error(graph: &Graph) -> PackError {
    lower(graph, &InputSteps::default()).unwrap_err()
}

#[test]
fn strided_convolution_with_relu() {
    let mut g = Onnx::default();
    let x = g.input("picture", 1, Uint8);
    let x = g.dequantise(&x, 0.5, 128);
    let constants = (&[1, 2, 3, 4, 4, 3, 2, 1][..], &[0.5, 0.25][..], &[3.0, -1.0][..]);
    let x = g.conv(&x, [2, 1, 2, 2], constants, &[("strides", &[2, 2])]);
    let x = g.node("Relu", &[&x], &[]);
    let x = g.quantise(&x, 0.5, 0);
    let x = g.dequantise(&x, 0.5, 0);
    let graph = g.finish(&[(&x, 2, Float)]);
    // Real pixels 1, 0, −2, 0.5 and 8, 8, 8, 8.
    let input = bytes(2, 4, 1, &[130, 128, 144, 144, 124, 129, 144, 144]);
    // 0.5 · (1 − 6 + 2) + 3 = 1.5; 0.25 · (4 − 4 + 0.5) − 1 < 0; 0.5 · 80 + 3 = 43; 0.25 · 80 − 1 = 19.
    assert_eq!(run(&graph, &[input]), [TensorData::U8(vec![3, 0, 86, 38])]);
}

#[test]
fn space_to_depth_order_is_row_column_channel() {
    let mut g = Onnx::default();
    let x = g.input("picture", 2, Uint8);
    let x = g.dequantise(&x, 1.0, 0);
    // Output o picks element o of (c, dy, dx).
    let picks: Vec<i8> = (0..64).map(|i| i8::from(i / 8 == i % 8)).collect();
    let x = g.conv(&x, [8, 2, 2, 2], (&picks, &[1.0; 8], &[0.0; 8]), &[("strides", &[2, 2])]);
    let x = g.quantise(&x, 1.0, 0);
    let graph = g.finish(&[(&x, 8, Uint8)]);
    let input = bytes(2, 2, 2, &[10, 20, 11, 21, 12, 22, 13, 23]);
    assert_eq!(run(&graph, &[input]), [TensorData::U8(vec![10, 11, 12, 13, 20, 21, 22, 23])]);
}

#[test]
fn depthwise_residual_on_words() {
    let mut g = Onnx::default();
    let x = g.input("latents", 1, Float);
    let cross = [0, 64, 0, 64, 0, 64, 0, 64, 0];
    let attributes: &[(&str, &[i64])] = &[("group", &[1]), ("pads", &[1, 1, 1, 1])];
    let y = g.conv(&x, [1, 1, 3, 3], (&cross, &[1.0 / 64.0], &[2.0 / 512.0]), attributes);
    let y = g.node("Add", &[&x, &y], &[]);
    let y = g.words(&y, 1.0 / 512.0);
    let graph = g.finish(&[(&y, 1, Float)]);
    let input = words(2, 2, 1, &[100, -7, 30_000, 5]);
    // Each plus its neighbours above, below and beside, plus 2; 30 000 + 105 + 2 stays below 32 767.
    let sums = [100 - 7 + 30_000 + 2, -7 + 100 + 5 + 2, 30_000 + 100 + 5 + 2, 5 - 7 + 30_000 + 2];
    assert_eq!(run(&graph, &[input]), [TensorData::I16(sums.map(|v: i32| v as i16).to_vec())]);
}

#[test]
fn clip_multiply_asinh_is_a_table() {
    let mut g = Onnx::default();
    let x = g.input("symbols", 1, Float);
    let (low, high, slope) = (g.scalar(-256.0), g.scalar(4095.0 / 16.0), g.scalar(2.0));
    let y = g.node("Clip", &[&x, &low, &high], &[]);
    let y = g.node("Mul", &[&y, &slope], &[]);
    let y = g.node("Asinh", &[&y], &[]);
    let y = g.quantise(&y, 0.0546, 128);
    let graph = g.finish(&[(&y, 1, Uint8)]);
    let values = [-32768, -4096, -100, -1, 0, 1, 16, 4095, 4096, 32767];
    let expected = values.map(|q: i16| {
        let v = (f64::from(q) / 16.0).clamp(-256.0, 4095.0 / 16.0);
        ((2.0 * v).asinh() / 0.0546 + 128.0).round() as u8
    });
    let results = run(&graph, &[words(1, values.len(), 1, &values)]);
    assert_eq!(results, [TensorData::U8(expected.to_vec())]);
}

#[test]
fn concatenation_and_depth_to_space_keep_order() {
    let mut g = Onnx::default();
    let (a, b) = (g.input("features", 2, Uint8), g.input("context", 2, Uint8));
    let (a, b) = (g.dequantise(&a, 0.5, 7), g.dequantise(&b, 0.5, 7));
    let x = g.node("Concat", &[&a, &b], &[("axis", &[1])]);
    let x = g.node("DepthToSpace", &[&x], &[("blocksize", &[2])]);
    let graph = g.finish(&[(&x, 1, Float)]);
    let results = run(&graph, &[bytes(1, 1, 2, &[1, 2]), bytes(1, 1, 2, &[3, 4])]);
    assert_eq!(results, [TensorData::U8(vec![1, 2, 3, 4])]);
}

#[test]
fn index_limits_bound_the_output() {
    let mut g = Onnx::default();
    let x = g.input("features", 1, Uint8);
    let x = g.dequantise(&x, 1.0, 128);
    let x = g.conv(&x, [1, 1, 1, 1], (&[1], &[1.0], &[0.0]), &[("strides", &[1, 1])]);
    let (low, high) = (g.scalar(0.0), g.scalar(63.0));
    let x = g.node("Clip", &[&x, &low, &high], &[]);
    let x = g.quantise(&x, 1.0, 0);
    let graph = g.finish(&[(&x, 1, Uint8)]);
    let results = run(&graph, &[bytes(1, 4, 1, &[0, 130, 190, 255])]);
    assert_eq!(results, [TensorData::U8(vec![0, 2, 62, 63])]);
}

#[test]
fn a_dead_channel_keeps_its_bias() {
    let mut g = Onnx::default();
    let x = g.input("features", 1, Uint8);
    let x = g.dequantise(&x, 0.01, 128);
    let x = g.conv(&x, [1, 1, 1, 1], (&[127], &[1e-10], &[3.25]), &[("strides", &[1, 1])]);
    let x = g.quantise(&x, 0.25, 128);
    let graph = g.finish(&[(&x, 1, Uint8)]);
    let results = run(&graph, &[bytes(1, 2, 1, &[0, 255])]);
    assert_eq!(results, [TensorData::U8(vec![141, 141])]);
}

#[test]
fn unsupported_nodes_are_named() {
    let mut g = Onnx::default();
    let x = g.input("features", 1, Uint8);
    let x = g.dequantise(&x, 0.01, 128);
    let x = g.node("Sigmoid", &[&x], &[]);
    let name = x.clone();
    let error = error(&g.finish(&[(&x, 1, Float)]));
    assert!(matches!(&error, PackError::Unsupported { place, kind, .. }
        if place.node == name && place.graph == "tiny" && kind == "Sigmoid"));
    assert!(
        error.to_string().starts_with(&format!("unsupported node {name} in graph tiny: Sigmoid"))
    );
}

#[test]
fn unsupported_convolutions_are_named() {
    for (shape, attributes) in [
        ([1, 1, 3, 3], &[("pads", &[0_i64, 0, 0, 0][..])][..]),
        ([1, 1, 2, 2], &[("strides", &[1, 1][..])][..]),
        ([1, 1, 1, 1], &[("pads", &[1, 1, 1, 1][..])][..]),
        ([1, 1, 2, 1], &[][..]),
        ([1, 2, 1, 1], &[][..]),
    ] {
        let mut g = Onnx::default();
        let x = g.input("features", 1, Uint8);
        let x = g.dequantise(&x, 1.0, 0);
        let weights = vec![1; shape.iter().product()];
        let x = g.conv(&x, shape, (&weights, &[1.0], &[0.0]), attributes);
        let x = g.quantise(&x, 1.0, 0);
        let error = error(&g.finish(&[(&x, 1, Uint8)]));
        assert!(matches!(error, PackError::Unsupported { .. }), "{shape:?}: {error}");
    }
}

#[test]
fn grids_must_agree() {
    let mut g = Onnx::default();
    let (a, b) = (g.input("features", 1, Uint8), g.input("context", 1, Uint8));
    let (a, b) = (g.dequantise(&a, 0.5, 128), g.dequantise(&b, 0.25, 128));
    let x = g.node("Concat", &[&a, &b], &[("axis", &[1])]);
    let concat = error(&g.finish(&[(&x, 2, Float)]));
    assert!(matches!(concat, PackError::GridMismatch { .. }), "{concat}");

    let mut g = Onnx::default();
    let x = g.input("latents", 1, Float);
    let y = g.conv(&x, [1, 1, 1, 1], (&[1], &[1.0], &[0.0]), &[]);
    let y = g.node("Add", &[&x, &y], &[]);
    let y = g.words(&y, 1.0 / 1024.0);
    let residual = error(&g.finish(&[(&y, 1, Float)]));
    assert!(matches!(residual, PackError::GridMismatch { what: "the residual", .. }), "{residual}");
}

#[test]
fn float_inputs_need_a_stated_step() {
    let mut g = Onnx::default();
    let x = g.input("mystery", 1, Float);
    let y = g.quantise(&x, 1.0, 0);
    let graph = g.finish(&[(&y, 1, Uint8)]);
    assert!(matches!(error(&graph), PackError::UnknownStep { .. }));
    let stated = [("mystery".to_owned(), 0.25)].into();
    assert!(lower(&graph, &InputSteps::with(&stated)).is_ok());
}

#[test]
fn accumulators_may_not_overflow() {
    let mut g = Onnx::default();
    let x = g.input("latents", 600, Float);
    let y = g.conv(&x, [1, 600, 1, 1], (&[127; 600], &[1.0], &[0.0]), &[]);
    let y = g.words(&y, 1.0 / 512.0);
    let overflow = error(&g.finish(&[(&y, 1, Float)]));
    assert!(matches!(overflow, PackError::Overflow { channel: 0, .. }), "{overflow}");
}
