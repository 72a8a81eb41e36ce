//! Small ONNX graphs, built by hand for tests.

use tract_onnx::pb::tensor_shape_proto::{Dimension, dimension::Value as Extent};
use tract_onnx::pb::{self, tensor_proto::DataType};

use crate::graph::Graph;

/// A graph under construction; tensors are named by strings.
#[derive(Default)]
pub(crate) struct Onnx {
    graph: pb::GraphProto,
    count: usize,
}

impl Onnx {
    fn info(name: &str, channels: usize, kind: DataType) -> pb::ValueInfoProto {
        let fixed =
            |v: usize| Dimension { value: Some(Extent::DimValue(v as i64)), ..Default::default() };
        let free = |n: &str| Dimension {
            value: Some(Extent::DimParam(format!("{name}_{n}"))),
            ..Default::default()
        };
        let shape =
            pb::TensorShapeProto { dim: vec![fixed(1), fixed(channels), free("h"), free("w")] };
        let tensor = pb::type_proto::Tensor { elem_type: kind as i32, shape: Some(shape) };
        let value = Some(pb::type_proto::Value::TensorType(tensor));
        let r#type = Some(pb::TypeProto { value, ..Default::default() });
        pb::ValueInfoProto { name: name.into(), r#type, ..Default::default() }
    }

    pub(crate) fn input(&mut self, name: &str, channels: usize, kind: DataType) -> String {
        self.graph.input.push(Self::info(name, channels, kind));
        name.into()
    }

    fn constant(&mut self, dims: &[usize], kind: DataType, raw_data: Vec<u8>) -> String {
        self.count += 1;
        let name = format!("constant_{}", self.count);
        self.graph.initializer.push(pb::TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&d| d as i64).collect(),
            data_type: kind as i32,
            raw_data,
            ..Default::default()
        });
        name
    }

    pub(crate) fn floats(&mut self, dims: &[usize], values: &[f32]) -> String {
        let raw = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(dims, DataType::Float, raw)
    }

    pub(crate) fn scalar(&mut self, value: f32) -> String {
        self.floats(&[], &[value])
    }

    pub(crate) fn node(&mut self, kind: &str, inputs: &[&str], ints: &[(&str, &[i64])]) -> String {
        use pb::attribute_proto::AttributeType;
        self.count += 1;
        let name = format!("{}_{}", kind.to_lowercase(), self.count);
        let attribute = |&(name, values): &(&str, &[i64])| {
            let single = matches!(name, "axis" | "group" | "blocksize");
            let r#type = if single { AttributeType::Int } else { AttributeType::Ints } as i32;
            let (i, ints) = if single { (values[0], Vec::new()) } else { (0, values.to_vec()) };
            pb::AttributeProto { name: name.into(), r#type, i, ints, ..Default::default() }
        };
        self.graph.node.push(pb::NodeProto {
            name: name.clone(),
            op_type: kind.into(),
            input: inputs.iter().map(|&i| i.to_owned()).collect(),
            output: vec![name.clone()],
            attribute: ints.iter().map(attribute).collect(),
            ..Default::default()
        });
        name
    }

    fn on_grid(&mut self, kind: &str, x: &str, step: f32, zero: u8) -> String {
        let step = self.scalar(step);
        let zero = self.constant(&[], DataType::Uint8, vec![zero]);
        self.node(kind, &[x, &step, &zero], &[])
    }

    pub(crate) fn quantise(&mut self, x: &str, step: f32, zero: u8) -> String {
        self.on_grid("QuantizeLinear", x, step, zero)
    }

    pub(crate) fn dequantise(&mut self, x: &str, step: f32, zero: u8) -> String {
        self.on_grid("DequantizeLinear", x, step, zero)
    }

    /// Rounding to an int16 grid, as the exporter writes it.
    pub(crate) fn words(&mut self, x: &str, step: f32) -> String {
        let [inverse, low, high, step] =
            [1.0 / step, -32768.0, 32767.0, step].map(|v| self.scalar(v));
        let x = self.node("Mul", &[x, &inverse], &[]);
        let x = self.node("Round", &[&x], &[]);
        let x = self.node("Clip", &[&x, &low, &high], &[]);
        self.node("Mul", &[&x, &step], &[])
    }

    /// A convolution by weights of the given shape.
    pub(crate) fn conv(
        &mut self,
        x: &str,
        shape: [usize; 4],
        (weights, scales, bias): (&[i8], &[f32], &[f32]),
        attributes: &[(&str, &[i64])],
    ) -> String {
        let outputs = shape[0];
        let stored =
            self.constant(&shape, DataType::Int8, weights.iter().map(|&w| w as u8).collect());
        let scales = self.floats(&[outputs], scales);
        let zeros = self.constant(&[outputs], DataType::Int8, vec![0; outputs]);
        let weights = self.node("DequantizeLinear", &[&stored, &scales, &zeros], &[("axis", &[0])]);
        let bias = self.floats(&[outputs], bias);
        let kernel: &[i64] = &[shape[2] as i64, shape[3] as i64];
        let attributes: Vec<_> =
            [("kernel_shape", kernel)].into_iter().chain(attributes.iter().copied()).collect();
        self.node("Conv", &[x, &weights, &bias], &attributes)
    }

    /// The graph, with these outputs.
    pub(crate) fn finish(mut self, outputs: &[(&str, usize, DataType)]) -> Graph {
        self.graph.name = "tiny".into();
        self.graph.output = outputs.iter().map(|&(n, c, kind)| Self::info(n, c, kind)).collect();
        let opset = pb::OperatorSetIdProto { version: 13, ..Default::default() };
        let model = pb::ModelProto {
            ir_version: 8,
            opset_import: vec![opset],
            graph: Some(self.graph),
            ..Default::default()
        };
        Graph::from_proto("tiny", model).unwrap()
    }
}
