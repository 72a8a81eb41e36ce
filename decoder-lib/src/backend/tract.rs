//! Float decoders in tract, on the CPU.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::TractErrorContext as _;

use super::float::{Graph, Shape};
use crate::{Error, LoadError};

/// Shapes whose plans are kept. Each has its own packed copy of the weights.
const PLANS: usize = 4;

type Plan = Arc<TypedRunnableModel>;

/// An ONNX graph; plans for the shapes that were drawn last.
pub(crate) struct Tract {
    graph: InferenceModel,
    /// The one used last at the end.
    plans: Mutex<Vec<(Shape, Plan)>>,
}

impl Tract {
    /// Reads a graph of `channels` latents.
    pub(crate) fn new(onnx: &[u8], channels: usize) -> Result<Self, LoadError> {
        let failed = |e: TractError| LoadError::Backend {
            backend: "tract".to_owned(),
            reason: format!("{e:#}"),
        };
        let reader =
            tract_onnx::onnx().with_ignore_output_shapes(true).with_ignore_value_info(true);
        let graph = reader.model_for_read(&mut &*onnx).map_err(failed)?;
        let tract = Tract { graph, plans: Mutex::default() };
        // The smallest picture there is: whatever the graph cannot do shows here and not with the first request.
        let shape = Shape { batch: 1, channels, rows: 1, columns: 1 };
        let latents = vec![0.0; channels];
        let picture = tract.run_on(shape, &latents).map_err(failed)?;
        let due = shape.output().iter().product::<usize>();
        if picture.len() != due {
            let reason = format!("gives {} values where {due} are due", picture.len());
            return Err(LoadError::Backend { backend: "tract".to_owned(), reason });
        }
        Ok(tract)
    }

    fn plan(&self, shape: Shape) -> TractResult<Plan> {
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = plans.iter().position(|(own, _)| *own == shape) {
            let found = plans.remove(at);
            let plan = found.1.clone();
            plans.push(found);
            return Ok(plan);
        }
        drop(plans);
        let mut graph = self.graph.clone();
        let fact = InferenceFact::dt_shape(f32::datum_type(), shape.input());
        graph.set_input_fact(0, fact)?;
        let plan = graph.into_optimized()?.into_runnable()?;
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= PLANS {
            plans.remove(0);
        }
        plans.push((shape, plan.clone()));
        Ok(plan)
    }

    fn run_on(&self, shape: Shape, latents: &[f32]) -> TractResult<Vec<f32>> {
        let plan = self.plan(shape)?;
        let latents = Tensor::from_shape(&shape.input(), latents)?;
        let outputs = plan.run(tvec!(latents.into()))?;
        let picture = outputs.first().context("the graph has no output")?;
        let picture = picture.cast_to::<f32>()?;
        Ok(picture.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}

impl Graph for Tract {
    fn name(&self) -> &str {
        "tract"
    }

    fn largest_batch(&self) -> usize {
        1
    }

    fn run(&self, shape: Shape, latents: Vec<f32>) -> Result<Vec<f32>, Error> {
        self.run_on(shape, &latents)
            .map_err(|e| Error::Backend { backend: "tract".to_owned(), reason: format!("{e:#}") })
    }

    fn warm_up(&self, shape: Shape) -> Result<(), Error> {
        self.plan(shape)
            .map(drop)
            .map_err(|e| Error::Backend { backend: "tract".to_owned(), reason: format!("{e:#}") })
    }
}

impl fmt::Debug for Tract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tract").finish_non_exhaustive()
    }
}
