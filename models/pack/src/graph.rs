//! Reading ONNX files into plain nodes and constants.

use std::collections::HashMap;
use std::io::Cursor;

use sha2::{Digest, Sha256};
use tract_onnx::pb::{self, tensor_proto::DataType};
use tract_onnx::prelude::Framework;

use crate::error::{PackError, Place};

/// Element type of a graph's input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element {
    /// Unsigned byte.
    U8,
    /// 32-bit float.
    F32,
}

/// An input of a graph, of shape (1, channels, height, width).
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its element type.
    pub element: Element,
    /// Its channels.
    pub channels: usize,
}

/// The values of a constant.
#[derive(Clone, Debug, PartialEq)]
pub enum Values {
    /// Floats.
    F32(Vec<f32>),
    /// Signed bytes.
    I8(Vec<i8>),
    /// Unsigned bytes.
    U8(Vec<u8>),
}

/// A constant tensor.
#[derive(Clone, Debug)]
pub struct Constant {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// Its values, last dimension fastest.
    pub values: Values,
}

/// One node, with one output.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its name, or that of its output where it has none.
    pub name: String,
    /// The ONNX operator.
    pub kind: String,
    /// The tensors it reads.
    pub inputs: Vec<String>,
    /// The tensor it makes.
    pub output: String,
    attributes: HashMap<String, pb::AttributeProto>,
}

impl Node {
    /// An integer attribute.
    pub fn int(&self, name: &str, default: i64) -> i64 {
        self.attributes.get(name).map_or(default, |a| a.i)
    }

    /// A list of integers; empty if it is absent.
    pub fn ints(&self, name: &str) -> &[i64] {
        self.attributes.get(name).map_or(&[], |a| &a.ints)
    }

    /// A text attribute.
    pub fn text<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.attributes.get(name).and_then(|a| str::from_utf8(&a.s).ok()).unwrap_or(default)
    }
}

/// One ONNX graph.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Its name: that of its file.
    pub name: String,
    /// Its inputs, in order.
    pub inputs: Vec<Input>,
    /// Names of its outputs, in order.
    pub outputs: Vec<String>,
    /// Its nodes in an order in which they can run.
    pub nodes: Vec<Node>,
    /// The constants by name.
    pub constants: HashMap<String, Constant>,
    /// The model as it was read, for the reference runtime.
    pub proto: pb::ModelProto,
}

impl Graph {
    /// Reads the bytes of an ONNX file.
    ///
    /// # Errors
    /// Not ONNX, or inputs and constants of types that the codec's graphs do not have.
    pub fn read(name: &str, bytes: &[u8]) -> Result<Self, PackError> {
        let proto = tract_onnx::onnx()
            .proto_model_for_read(&mut Cursor::new(bytes))
            .map_err(|e| bad(name, e.to_string()))?;
        Self::from_proto(name, proto)
    }

    /// Takes a parsed ONNX model.
    ///
    /// # Errors
    /// As [`Graph::read`].
    pub fn from_proto(name: &str, proto: pb::ModelProto) -> Result<Self, PackError> {
        let graph = proto.graph.as_ref().ok_or_else(|| bad(name, "it has no graph".into()))?;
        let constants = graph
            .initializer
            .iter()
            .map(|t| Ok((t.name.clone(), constant(name, t)?)))
            .collect::<Result<HashMap<_, _>, PackError>>()?;
        let inputs = graph
            .input
            .iter()
            .filter(|i| !constants.contains_key(&i.name))
            .map(|i| input(name, i))
            .collect::<Result<Vec<_>, _>>()?;
        let nodes = graph.node.iter().map(|n| node(name, n)).collect::<Result<Vec<_>, _>>()?;
        Ok(Graph {
            name: name.into(),
            inputs,
            outputs: graph.output.iter().map(|o| o.name.clone()).collect(),
            nodes,
            constants,
            proto,
        })
    }

    /// The place of a node or tensor, for errors.
    pub fn place(&self, node: &str) -> Place {
        Place { graph: self.name.clone(), node: node.into() }
    }
}

/// SHA-256 of a file's bytes, in hexadecimal.
pub fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn bad(graph: &str, reason: String) -> PackError {
    PackError::BadOnnx { graph: graph.into(), reason }
}

fn node(graph: &str, node: &pb::NodeProto) -> Result<Node, PackError> {
    let [output] = node.output.as_slice() else {
        return Err(PackError::Unsupported {
            place: Place { graph: graph.into(), node: node.name.clone() },
            kind: node.op_type.clone(),
            reason: format!("{} outputs", node.output.len()),
        });
    };
    Ok(Node {
        name: if node.name.is_empty() { output.clone() } else { node.name.clone() },
        kind: node.op_type.clone(),
        inputs: node.input.clone(),
        output: output.clone(),
        attributes: node.attribute.iter().map(|a| (a.name.clone(), a.clone())).collect(),
    })
}

fn input(graph: &str, info: &pb::ValueInfoProto) -> Result<Input, PackError> {
    use pb::tensor_shape_proto::dimension::Value as Dimension;
    let malformed = |what: &str| bad(graph, format!("input {}: {what}", info.name));
    let Some(pb::type_proto::Value::TensorType(tensor)) =
        info.r#type.as_ref().and_then(|t| t.value.as_ref())
    else {
        return Err(malformed("not a tensor"));
    };
    let element = match DataType::try_from(tensor.elem_type) {
        Ok(DataType::Uint8) => Element::U8,
        Ok(DataType::Float) => Element::F32,
        _ => return Err(malformed("neither uint8 nor float")),
    };
    let dimensions = tensor.shape.as_ref().map_or(&[][..], |s| &s.dim);
    let channels = match dimensions.get(1).and_then(|d| d.value.as_ref()) {
        Some(Dimension::DimValue(n)) if dimensions.len() == 4 => usize::try_from(*n).ok(),
        _ => None,
    };
    let channels = channels.ok_or_else(|| malformed("its shape is not (1, channels, h, w)"))?;
    Ok(Input { name: info.name.clone(), element, channels })
}

fn constant(graph: &str, tensor: &pb::TensorProto) -> Result<Constant, PackError> {
    let malformed = |what: &str| bad(graph, format!("constant {}: {what}", tensor.name));
    let shape = tensor
        .dims
        .iter()
        .map(|&d| usize::try_from(d).map_err(|_| malformed("negative dimension")))
        .collect::<Result<Vec<_>, _>>()?;
    let raw = tensor.raw_data.as_slice();
    let values = match DataType::try_from(tensor.data_type) {
        Ok(DataType::Float) if raw.is_empty() => Values::F32(tensor.float_data.clone()),
        Ok(DataType::Float) => {
            let (words, _) = raw.as_chunks::<4>();
            Values::F32(words.iter().map(|w| f32::from_le_bytes(*w)).collect())
        }
        Ok(DataType::Int8) if raw.is_empty() => {
            Values::I8(tensor.int32_data.iter().map(|&v| v as i8).collect())
        }
        Ok(DataType::Int8) => Values::I8(raw.iter().map(|&v| v as i8).collect()),
        Ok(DataType::Uint8) if raw.is_empty() => {
            Values::U8(tensor.int32_data.iter().map(|&v| v as u8).collect())
        }
        Ok(DataType::Uint8) => Values::U8(raw.to_vec()),
        _ => return Err(malformed("not of float, int8 or uint8")),
    };
    let count = match &values {
        Values::F32(v) => v.len(),
        Values::I8(v) => v.len(),
        Values::U8(v) => v.len(),
    };
    if count != shape.iter().product::<usize>() {
        return Err(malformed("its values do not fill its shape"));
    }
    Ok(Constant { shape, values })
}
