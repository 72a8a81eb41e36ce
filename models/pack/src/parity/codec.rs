//! The codec's chain of programs on the engine, with a check at every link.

use pinhole::bundle::{Settings, Tag};
use pinhole::engine::{
    Executor, Program, RowMut, Size, Tensor, TensorData, TensorId, reference, run_banded,
};

use super::tract::Runtime;
use super::{Agreement, GraphParity, OutputParity, Picture, QUALITIES, Report, layers, mean_limit};
use crate::error::PackError;
use crate::model::{Model, Part};

/// What is compared at each link of the chain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Against {
    /// The engine's plain executor, for the same bits.
    Reference,
    /// The reference runtime, and each layer where `layers`.
    Onnx { layers: bool },
}

/// Runs the chain and gathers what the checks find.
pub(super) struct Checker<'m> {
    model: &'m Model,
    settings: Settings,
    executor: [Executor; 1],
    runtime: Runtime,
    found: Vec<GraphParity>,
}

/// Places of the graphs in [`crate::model::ROLES`] that every codec has.
mod place {
    pub(super) const ANALYSIS: usize = 0;
    pub(super) const HYPER_ANALYSIS: usize = 1;
    pub(super) const HYPER_SYNTHESIS: usize = 2;
    pub(super) const FIRST: usize = 3;
    pub(super) const CONTEXT: usize = 4;
    pub(super) const SECOND: usize = 5;
    pub(super) const SYNTHESIS: usize = 6;
}

impl<'m> Checker<'m> {
    pub(super) fn new(model: &'m Model) -> Result<Self, PackError> {
        let found = model.parts.iter().map(|part| GraphParity {
            name: part.graph.name.clone(),
            outputs: part
                .graph
                .outputs
                .iter()
                .map(|name| OutputParity { name: name.clone(), agreement: Agreement::default() })
                .collect(),
            layers: part
                .lowered
                .layers
                .iter()
                .map(|(n, _, _)| (n.clone(), Agreement::default()))
                .collect(),
        });
        // The settings as the codec reads them, with its checks.
        let settings = Settings::parse(&model.description.settings().to_bytes())?;
        Ok(Checker {
            model,
            settings,
            executor: [Executor::new()],
            runtime: Runtime::default(),
            found: found.collect(),
        })
    }

    /// What was found, unless a graph's output is further from the ONNX than flipped roundings explain.
    pub(super) fn report(self, pictures: usize) -> Result<Report, PackError> {
        for (part, found) in self.model.parts.iter().zip(&self.found) {
            for (output, &tensor) in found.outputs.iter().zip(&part.lowered.outputs) {
                let limit = mean_limit(part.lowered.tensors[usize::from(tensor)].grid.dtype());
                let mean = output.agreement.mean();
                if mean > limit {
                    let place = part.graph.place(&output.name);
                    return Err(PackError::GraphDiffers { place, mean, limit });
                }
            }
        }
        Ok(Report { pictures, graphs: self.found })
    }

    pub(super) fn against_reference(&mut self, picture: &Picture) -> Result<(), PackError> {
        let latents = self.analyse(picture, Against::Reference)?;
        self.code(&latents, QUALITIES[1], Against::Reference)
    }

    pub(super) fn against_onnx(&mut self, picture: &Picture) -> Result<(), PackError> {
        let latents = self.analyse(picture, Against::Onnx { layers: true })?;
        for quality in QUALITIES {
            // Layers take long in double precision, and quality changes only the range of their inputs.
            self.code(&latents, quality, Against::Onnx { layers: quality == QUALITIES[1] })?;
        }
        Ok(())
    }

    /// Runs every analysis; the default one's latents are what is coded.
    fn analyse(&mut self, picture: &Picture, against: Against) -> Result<Tensor, PackError> {
        let size = Size { height: picture.height, width: picture.width };
        let input = Tensor { size, channels: 3, data: TensorData::U8(picture.rgb.clone()) };
        if let Some(place) = self.optional(Tag::ANALYSIS_FAST) {
            self.one(place, vec![input.clone()], against)?;
        }
        self.one(place::ANALYSIS, vec![input], against)
    }

    /// Place of a transform that a codec may lack.
    fn optional(&self, tag: Tag) -> Option<usize> {
        self.model.parts.iter().position(|part| part.role.tag == tag)
    }

    /// Everything after the analysis, as encoder and decoder do it, entropy coding aside.
    fn code(&mut self, latents: &Tensor, quality: u16, against: Against) -> Result<(), PackError> {
        let gains = self.settings.gains(quality);
        let inverse: Vec<f32> = gains.iter().map(|g| 1.0 / g).collect();
        let symbols = scaled(latents, &gains);
        let hyper = self.one(place::HYPER_ANALYSIS, vec![self.as_read(&symbols)], against)?;
        let features = self.one(place::HYPER_SYNTHESIS, vec![hyper], against)?;
        let mut decoded = Tensor::zeros(symbols.dtype(), symbols.size, symbols.channels);
        for pass in 0..self.settings.passes {
            let predicted = if pass == 0 {
                self.link(place::FIRST, vec![features.clone()], against)?
            } else {
                let near = self.one(place::CONTEXT, vec![self.as_read(&decoded)], against)?;
                self.link(place::SECOND, vec![features.clone(), near], against)?
            };
            self.decode(&symbols, &predicted, pass, &mut decoded);
        }
        let latents = scaled(&decoded, &inverse);
        if let Some(place) = self.optional(Tag::SYNTHESIS_LITE) {
            self.one(place, vec![latents.clone()], against)?;
        }
        self.one(place::SYNTHESIS, vec![latents], against)?;
        Ok(())
    }

    /// Gained latents as the entropy model reads them: with four fractional bits, ties upwards.
    fn as_read(&self, symbols: &Tensor) -> Tensor {
        let fine = self.settings.fraction - 4;
        let mut read = symbols.clone();
        if let TensorData::I16(values) = &mut read.data {
            let coarse = |v: i16| ((i32::from(v) + (1 << fine >> 1)) >> fine) as i16;
            values.iter_mut().for_each(|v| *v = coarse(*v));
        }
        read
    }

    /// Writes the decoded values of the positions of one pass: the mean, plus a whole number of symbols.
    fn decode(&self, symbols: &Tensor, predicted: &[Tensor], pass: u8, decoded: &mut Tensor) {
        let [mean, scale] = predicted else { return };
        let (
            TensorData::I16(v),
            TensorData::I16(mean),
            TensorData::U8(scale),
            TensorData::I16(out),
        ) = (&symbols.data, &mean.data, &scale.data, &mut decoded.data)
        else {
            return;
        };
        let (channels, width) = (symbols.channels, symbols.size.width);
        let symbol = 1 << self.settings.fraction;
        for at in 0..v.len() {
            let position = at / channels;
            if self.settings.pass_of(position / width, position % width) != pass {
                continue;
            }
            let residual = f64::from(i32::from(v[at]) - i32::from(mean[at])) / f64::from(symbol);
            let coded = scale[at] >= self.settings.skip_below;
            let residual = if coded { residual.round_ties_even() as i32 } else { 0 };
            out[at] = (i32::from(mean[at]) + symbol * residual).clamp(-32768, 32767) as i16;
        }
    }

    /// A link of the chain that has one output.
    fn one(
        &mut self,
        place: usize,
        inputs: Vec<Tensor>,
        against: Against,
    ) -> Result<Tensor, PackError> {
        let graph = &self.model.parts[place].graph;
        let missing =
            || PackError::BadOnnx { graph: graph.name.clone(), reason: "no output".into() };
        self.link(place, inputs, against)?.into_iter().next().ok_or_else(missing)
    }

    /// One program, with the checks asked for.
    fn link(
        &mut self,
        place: usize,
        inputs: Vec<Tensor>,
        against: Against,
    ) -> Result<Vec<Tensor>, PackError> {
        let part = &self.model.parts[place];
        let name = &part.graph.name;
        let program = Program::parse(&part.lowered.program).map_err(PackError::program(name))?;
        let outputs = self.execute(part, &program, &inputs)?;
        match against {
            Against::Reference => {
                if reference::run(&program, &inputs).map_err(PackError::run(name))? != outputs {
                    return Err(PackError::ExecutorsDiffer { graph: name.clone() });
                }
            }
            Against::Onnx { layers } => {
                let grids: Vec<_> = part.lowered.tensors.iter().map(|t| t.grid).collect();
                let made: Vec<_> =
                    part.lowered.outputs.iter().map(|&t| grids[usize::from(t)]).collect();
                let with_grids: Vec<_> = inputs.iter().cloned().zip(grids).collect();
                let expected = self.runtime.run(&part.graph, &with_grids, &made)?;
                for ((parity, out), expected) in
                    self.found[place].outputs.iter_mut().zip(&outputs).zip(expected)
                {
                    let integers: Vec<i64> = match &out.data {
                        TensorData::U8(v) => v.iter().map(|&q| q.into()).collect(),
                        TensorData::I16(v) => v.iter().map(|&q| q.into()).collect(),
                    };
                    integers.iter().zip(expected).for_each(|(&a, b)| parity.agreement.add(a, b));
                }
                if layers {
                    let tensors = self.all_tensors(part, inputs)?;
                    let totals = &mut self.found[place].layers;
                    layers::compare(&part.graph, &part.lowered, &tensors, totals)?;
                }
            }
        }
        Ok(outputs)
    }

    /// Every tensor of a program, by id: run a few at a time as its outputs.
    fn all_tensors(&mut self, part: &Part, inputs: Vec<Tensor>) -> Result<Vec<Tensor>, PackError> {
        let name = &part.graph.name;
        let ids: Vec<TensorId> =
            (inputs.len()..part.lowered.tensors.len()).map(|id| id as TensorId).collect();
        let mut tensors = inputs.clone();
        for some in ids.chunks(4) {
            let bytes = part.lowered.with_outputs(some).map_err(PackError::program(name))?;
            let program = Program::parse(&bytes).map_err(PackError::program(name))?;
            tensors.extend(self.execute(part, &program, &inputs)?);
        }
        Ok(tensors)
    }

    fn execute(
        &mut self,
        part: &Part,
        program: &Program<'_>,
        inputs: &[Tensor],
    ) -> Result<Vec<Tensor>, PackError> {
        let size = inputs.first().map_or(Size { height: 0, width: 0 }, |t| t.size);
        let infos = (0..program.outputs().len()).filter_map(|n| program.output_info(n));
        let mut outputs: Vec<Tensor> =
            infos.map(|i| Tensor::zeros(i.dtype, size.shifted(i.shift), i.channels)).collect();
        let mut rows: Vec<RowMut<'_>> = outputs.iter_mut().map(Tensor::as_mut).collect();
        let source = |input: usize, y: usize, mut row: RowMut<'_>| {
            if let Some(from) = inputs.get(input).and_then(|t| t.row(y)) {
                row.copy_from(from);
            }
        };
        run_banded(&mut self.executor, program, size, &source, &mut rows)
            .map_err(PackError::run(&part.graph.name))?;
        Ok(outputs)
    }
}

/// Each channel times its factor, as the codec does it between latents and symbols.
fn scaled(tensor: &Tensor, factors: &[f32]) -> Tensor {
    let mut out = tensor.clone();
    if let TensorData::I16(values) = &mut out.data {
        for position in values.chunks_exact_mut(factors.len().max(1)) {
            for (v, factor) in position.iter_mut().zip(factors) {
                *v = (f32::from(*v) * factor).round_ties_even().clamp(-32768.0, 32767.0) as i16;
            }
        }
    }
    out
}
