//! The reference runtime: tract in float.

use std::collections::HashMap;
use std::sync::Arc;

use pinhole::engine::{Size, Tensor, TensorData};
use tract_onnx::prelude::*;

use crate::error::PackError;
use crate::graph::{Element, Graph};
use crate::grids::Grid;

type Runnable = Arc<TypedRunnableModel>;

/// Runs graphs in tract; keeps what was optimised for each graph and size.
#[derive(Default)]
pub(crate) struct Runtime {
    ready: HashMap<(String, usize, usize), Runnable>,
}

impl Runtime {
    /// Runs a graph on the engine's tensors and returns its outputs rounded to their grids, in the engine's order.
    pub(crate) fn run(
        &mut self,
        graph: &Graph,
        inputs: &[(Tensor, Grid)],
        outputs: &[Grid],
    ) -> Result<Vec<Vec<i64>>, PackError> {
        let failed = |e: TractError| PackError::Reference {
            graph: graph.name.clone(),
            reason: format!("{e:#}"),
        };
        let Some(size) = inputs.first().map(|(t, _)| t.size) else { return Ok(Vec::new()) };
        let runnable = self.prepare(graph, size).map_err(failed)?;
        let elements = graph.inputs.iter().map(|i| i.element);
        let inputs =
            inputs.iter().zip(elements).map(|((t, grid), element)| planar(t, *grid, element));
        let inputs = inputs.collect::<TractResult<TVec<TValue>>>().map_err(failed)?;
        let results = runnable.run(inputs).map_err(failed)?;
        results.iter().zip(outputs).map(|(t, &grid)| rounded(t, grid).map_err(failed)).collect()
    }

    fn prepare(&mut self, graph: &Graph, size: Size) -> TractResult<Runnable> {
        let key = (graph.name.clone(), size.height, size.width);
        if let Some(ready) = self.ready.get(&key) {
            return Ok(ready.clone());
        }
        let onnx = tract_onnx::onnx().with_ignore_output_shapes(true);
        let mut model = onnx.model_for_proto_model(&graph.proto)?;
        for (index, input) in graph.inputs.iter().enumerate() {
            let element = match input.element {
                Element::U8 => u8::datum_type(),
                Element::F32 => f32::datum_type(),
            };
            let shape = tvec!(1, input.channels, size.height, size.width);
            model.set_input_fact(index, InferenceFact::dt_shape(element, shape))?;
        }
        let runnable = model.into_optimized()?.into_runnable()?;
        self.ready.insert(key, runnable.clone());
        Ok(runnable)
    }
}

/// An engine's tensor as the graph takes it: (1, c, h, w), real numbers for float inputs.
fn planar(tensor: &Tensor, grid: Grid, element: Element) -> TractResult<TValue> {
    let (c, n) = (tensor.channels, tensor.size.height * tensor.size.width);
    let shape = [1, c, tensor.size.height, tensor.size.width];
    let order = (0..c * n).map(|at| at % n * c + at / n);
    let made = match (&tensor.data, element) {
        (TensorData::U8(v), Element::U8) => {
            let values: Vec<u8> = order.map(|at| v[at]).collect();
            tract_onnx::prelude::Tensor::from_shape(&shape, &values)?
        }
        (TensorData::U8(v), Element::F32) => {
            let values: Vec<f32> = order.map(|at| grid.real(v[at].into()) as f32).collect();
            tract_onnx::prelude::Tensor::from_shape(&shape, &values)?
        }
        (TensorData::I16(v), _) => {
            let values: Vec<f32> = order.map(|at| grid.real(v[at].into()) as f32).collect();
            tract_onnx::prelude::Tensor::from_shape(&shape, &values)?
        }
    };
    Ok(made.into())
}

/// A result, rounded to its grid unless it is stored, channels last.
fn rounded(value: &TValue, grid: Grid) -> TractResult<Vec<i64>> {
    let shape = value.shape();
    let c = shape.get(1).copied().unwrap_or(1);
    let n = value.len() / c.max(1);
    let order = (0..c * n).map(|at| at % c * n + at / c);
    if value.datum_type() == u8::datum_type() {
        let plain = value.try_as_plain_ram()?;
        let values = plain.as_slice::<u8>()?;
        return Ok(order.map(|at| values[at].into()).collect());
    }
    let value = value.cast_to::<f32>()?;
    let plain = value.try_as_plain_ram()?;
    let values = plain.as_slice::<f32>()?;
    Ok(order.map(|at| grid.nearest(values[at].into())).collect())
}
