//! The messages of ONNX that a small graph needs; field numbers as in `onnx.proto3`.

use prost::Message;

const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;
/// Attribute types.
const INT: i32 = 2;
const STRING: i32 = 3;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Model {
    #[prost(int64, tag = "1")]
    ir_version: i64,
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
    #[prost(message, repeated, tag = "8")]
    opset_import: Vec<OperatorSet>,
}

#[derive(Clone, PartialEq, Message)]
struct OperatorSet {
    #[prost(string, tag = "1")]
    domain: String,
    #[prost(int64, tag = "2")]
    version: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Graph {
    #[prost(message, repeated, tag = "1")]
    pub(crate) node: Vec<Node>,
    #[prost(string, tag = "2")]
    pub(crate) name: String,
    #[prost(message, repeated, tag = "5")]
    pub(crate) initializer: Vec<Tensor>,
    #[prost(message, repeated, tag = "11")]
    pub(crate) input: Vec<ValueInfo>,
    #[prost(message, repeated, tag = "12")]
    pub(crate) output: Vec<ValueInfo>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Node {
    #[prost(string, repeated, tag = "1")]
    input: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    output: Vec<String>,
    #[prost(string, tag = "3")]
    name: String,
    #[prost(string, tag = "4")]
    op_type: String,
    #[prost(message, repeated, tag = "5")]
    attribute: Vec<Attribute>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(int64, tag = "3")]
    i: i64,
    #[prost(bytes = "vec", tag = "4")]
    s: Vec<u8>,
    #[prost(int32, tag = "20")]
    r#type: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct Tensor {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "vec", tag = "9")]
    raw_data: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ValueInfo {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(message, optional, tag = "2")]
    r#type: Option<Type>,
}

#[derive(Clone, PartialEq, Message)]
struct Type {
    #[prost(message, optional, tag = "1")]
    tensor_type: Option<TensorType>,
}

#[derive(Clone, PartialEq, Message)]
struct TensorType {
    #[prost(int32, tag = "1")]
    elem_type: i32,
    #[prost(message, optional, tag = "2")]
    shape: Option<Shape>,
}

#[derive(Clone, PartialEq, Message)]
struct Shape {
    #[prost(message, repeated, tag = "1")]
    dim: Vec<Dimension>,
}

#[derive(Clone, PartialEq, Message)]
struct Dimension {
    #[prost(int64, optional, tag = "1")]
    dim_value: Option<i64>,
    #[prost(string, optional, tag = "2")]
    dim_param: Option<String>,
}

impl Model {
    pub(crate) fn new(graph: Graph) -> Self {
        let opset_import = vec![OperatorSet { domain: String::new(), version: 17 }];
        Model { ir_version: 8, graph: Some(graph), opset_import }
    }
}

impl Node {
    pub(crate) fn new(kind: &str, input: &[&str], output: &str, attribute: Vec<Attribute>) -> Self {
        Node {
            input: input.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: format!("make_{output}"),
            op_type: kind.to_owned(),
            attribute,
        }
    }
}

impl Attribute {
    pub(crate) fn int(name: &str, value: i64) -> Self {
        Attribute { name: name.to_owned(), i: value, s: Vec::new(), r#type: INT }
    }

    pub(crate) fn text(name: &str, value: &str) -> Self {
        Attribute { name: name.to_owned(), i: 0, s: value.into(), r#type: STRING }
    }
}

impl Tensor {
    fn new(name: &str, dims: &[usize], data_type: i32, raw_data: Vec<u8>) -> Self {
        let dims = dims.iter().map(|&n| n as i64).collect();
        Tensor { dims, data_type, name: name.to_owned(), raw_data }
    }

    pub(crate) fn floats(name: &str, dims: &[usize], values: Vec<f32>) -> Self {
        let data = values.into_iter().flat_map(f32::to_le_bytes).collect();
        Self::new(name, dims, FLOAT, data)
    }

    /// Values that float16 holds exactly: zero, or normal with ten bits of fraction.
    pub(crate) fn halves(name: &str, dims: &[usize], values: impl Iterator<Item = f32>) -> Self {
        let data = values.flat_map(|value| half(value).to_le_bytes()).collect();
        Self::new(name, dims, FLOAT16, data)
    }
}

/// The bits of a float16.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    if value == 0.0 {
        return sign;
    }
    // The exponent's bias goes from 127 to 15, the fraction from 23 bits to 10.
    let exponent = (bits >> 23 & 0xff) as u16 - 112;
    sign | exponent << 10 | (bits >> 13 & 0x3ff) as u16
}

impl ValueInfo {
    /// A float tensor of named dimensions; the one without a name has `channels`.
    pub(crate) fn floats(name: &str, dims: &[&str], channels: usize) -> Self {
        let dim = dims
            .iter()
            .map(|&name| match name {
                "" => Dimension { dim_value: Some(channels as i64), dim_param: None },
                _ => Dimension { dim_value: None, dim_param: Some(name.to_owned()) },
            })
            .collect();
        let tensor_type = Some(TensorType { elem_type: FLOAT, shape: Some(Shape { dim }) });
        ValueInfo { name: name.to_owned(), r#type: Some(Type { tensor_type }) }
    }
}
