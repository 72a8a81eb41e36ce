//! Sensor models: `sensor.json` and their graphs, packed and checked.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pinhole::bundle::{BundleBuilder, Tag};
use pinhole::engine::{DType, Executor, Program, Size, Tensor, TensorData, TensorId, reference};
use pinhole::sensor::network::{Reference, SensorModel, SensorSettings, SensorTag};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::error::PackError;
use crate::graph::{Graph, hash};
use crate::grids::InputSteps;
use crate::lower::{Lowered, lower};
use crate::parity::{Agreement, GraphParity, OutputParity, Report, Runtime, compare_layers};
use crate::tables::{Distribution, table_set};

/// Name of the description in an exported folder; where it is, the folder is of a sensor model.
pub(crate) const DESCRIPTION: &str = "sensor.json";
/// Windows of made-up samples that the checks run on.
const CHECKED: usize = 8;

#[derive(Debug, Deserialize)]
struct Quantiles {
    quality: u16,
    error: Vec<f32>,
    bits: Vec<f32>,
}

#[derive(Debug, Deserialize)]
struct Description {
    name: String,
    version: String,
    channels: usize,
    window: usize,
    dense: bool,
    order: Vec<usize>,
    centre: Vec<f32>,
    spread: Vec<f32>,
    range: Vec<f32>,
    steps: Vec<f32>,
    step_features: Vec<i8>,
    places: Vec<u8>,
    magnitudes: Vec<u8>,
    tables: Vec<Distribution>,
    reference: Quantiles,
    #[serde(default)]
    input_steps: BTreeMap<String, f64>,
    #[serde(default)]
    lineage: Value,
    #[serde(default)]
    metrics: Value,
}

impl Description {
    fn settings(&self) -> SensorSettings {
        SensorSettings {
            channels: self.channels,
            window: self.window,
            dense: self.dense,
            order: self.order.clone(),
            centre: self.centre.clone(),
            spread: self.spread.clone(),
            range: self.range.clone(),
            steps: self.steps.clone(),
            step_features: self.step_features.clone(),
        }
    }
}

struct Part {
    tag: Tag,
    hash: String,
    graph: Graph,
    lowered: Lowered,
}

/// Packs the exported sensor model in `folder`.
///
/// # Errors
/// As [`pack`](crate::pack).
pub(crate) fn pack(folder: &Path) -> Result<crate::Packed, PackError> {
    let path = folder.join(DESCRIPTION);
    let description: Description = serde_json::from_slice(&read(&path)?)
        .map_err(|source| PackError::Description { path, source })?;
    let steps = InputSteps::with(&description.input_steps);
    let names =
        [(SensorTag::ANALYSIS, "analysis".into()), (SensorTag::SYNTHESIS, "synthesis".into())];
    let contexts =
        (0..description.channels).map(|c| (SensorTag::context(c), format!("context_{c:02}")));
    let mut parts = Vec::new();
    for (tag, name) in names.into_iter().chain(contexts) {
        let name: String = name;
        let bytes = read(&folder.join(format!("{name}.onnx")))?;
        let graph = Graph::read(&name, &bytes)?;
        let lowered = lower(&graph, &steps)?;
        parts.push(Part { tag, hash: hash(&bytes), graph, lowered });
    }
    let quantiles = &description.reference;
    let reference =
        Reference::new(quantiles.quality, quantiles.error.clone(), quantiles.bits.clone())?;
    let mut sections = vec![
        (SensorTag::SETTINGS, description.settings().to_bytes()),
        (SensorTag::TABLES, table_set("tables", &description.tables)?),
        (SensorTag::PLACES, description.places.clone()),
        (SensorTag::MAGNITUDES, description.magnitudes.clone()),
        (SensorTag::REFERENCE, reference.to_bytes()),
    ];
    sections.extend(parts.iter().map(|p| (p.tag, p.lowered.program.clone())));
    // Shapes are checked before anything runs; the latent space does not depend on the manifest.
    let latent_space = SensorModel::parse(&assemble(None, &sections))?.latent_space();
    let positions = if description.dense { 1 } else { description.channels };
    let report = check(&parts, positions)?;
    let manifest = manifest(&description, &parts, latent_space, &report)?;
    let bytes = assemble(Some(manifest), &sections);
    SensorModel::parse(&bytes)?;
    Ok(crate::Packed { bytes, report })
}

fn assemble(manifest: Option<String>, sections: &[(Tag, Vec<u8>)]) -> Vec<u8> {
    let mut builder = BundleBuilder::new();
    if let Some(text) = manifest {
        builder.section(Tag::MANIFEST, text.into_bytes());
    }
    for (tag, bytes) in sections {
        builder.section(*tag, bytes.clone());
    }
    builder.to_bytes()
}

/// Every program against the plain executor, its graph in tract, and layer by layer.
fn check(parts: &[Part], positions: usize) -> Result<Report, PackError> {
    let mut runtime = Runtime::default();
    let mut executor = Executor::new();
    let mut graphs = Vec::new();
    for part in parts {
        let name = &part.graph.name;
        let program = Program::parse(&part.lowered.program).map_err(PackError::program(name))?;
        let width = if part.tag.0.starts_with(b"SC") { 32 } else { positions };
        let mut outputs: Vec<OutputParity> = part
            .graph
            .outputs
            .iter()
            .map(|name| OutputParity { name: name.clone(), agreement: Agreement::default() })
            .collect();
        let mut layers: Vec<(String, Agreement)> = part
            .lowered
            .layers
            .iter()
            .map(|(name, _, _)| (name.clone(), Agreement::default()))
            .collect();
        for seed in 0..CHECKED {
            let inputs: Vec<Tensor> = (0..program.inputs())
                .filter_map(|n| program.input_info(n))
                .map(|info| made_up(info.dtype, info.channels, width, seed))
                .collect();
            let made = executor.run_tensors(&program, &inputs).map_err(PackError::run(name))?;
            if reference::run(&program, &inputs).map_err(PackError::run(name))? != made {
                return Err(PackError::ExecutorsDiffer { graph: name.clone() });
            }
            let grids: Vec<_> = part.lowered.tensors.iter().map(|t| t.grid).collect();
            let wanted: Vec<_> =
                part.lowered.outputs.iter().map(|&t| grids[usize::from(t)]).collect();
            let with_grids: Vec<_> = inputs.iter().cloned().zip(grids).collect();
            let expected = runtime.run(&part.graph, &with_grids, &wanted)?;
            for ((parity, out), expected) in outputs.iter_mut().zip(&made).zip(expected) {
                integers(out).zip(expected).for_each(|(a, b)| parity.agreement.merge_pair(a, b));
            }
            let tensors = all_tensors(&mut executor, part, inputs)?;
            compare_layers(&part.graph, &part.lowered, &tensors, &mut layers)?;
        }
        graphs.push(GraphParity { name: name.clone(), outputs, layers });
    }
    Ok(Report { pictures: CHECKED, graphs })
}

fn integers(tensor: &Tensor) -> Box<dyn Iterator<Item = i64> + '_> {
    match &tensor.data {
        TensorData::U8(v) => Box::new(v.iter().map(|&q| q.into())),
        TensorData::I16(v) => Box::new(v.iter().map(|&q| q.into())),
    }
}

fn all_tensors(
    executor: &mut Executor,
    part: &Part,
    inputs: Vec<Tensor>,
) -> Result<Vec<Tensor>, PackError> {
    let name = &part.graph.name;
    let ids: Vec<TensorId> =
        (inputs.len()..part.lowered.tensors.len()).map(|id| id as TensorId).collect();
    let mut tensors = inputs.clone();
    for some in ids.chunks(4) {
        let bytes = part.lowered.with_outputs(some).map_err(PackError::program(name))?;
        let program = Program::parse(&bytes).map_err(PackError::program(name))?;
        tensors.extend(executor.run_tensors(&program, &inputs).map_err(PackError::run(name))?);
    }
    Ok(tensors)
}

/// Values such as the programs see: a wandering signal within some spreads, or features about their zero.
fn made_up(dtype: DType, channels: usize, width: usize, seed: usize) -> Tensor {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (seed as u64 + 1);
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as i32 % 2001 - 1000
    };
    let count = channels * width;
    let data = match dtype {
        DType::U8 => TensorData::U8(
            (0..count).map(|_| (128 + next() * (seed as i32 + 1) / 125) as u8).collect(),
        ),
        DType::I16 => {
            let mut level = 0;
            TensorData::I16(
                (0..count)
                    .map(|_| {
                        level = level * 15 / 16 + next() / 8 * (seed as i32 + 1);
                        level.clamp(-32768, 32767) as i16
                    })
                    .collect(),
            )
        }
    };
    Tensor { size: Size { height: 1, width }, channels, data }
}

fn manifest(
    description: &Description,
    parts: &[Part],
    latent_space: [u8; 8],
    report: &Report,
) -> Result<String, PackError> {
    let mut programs = Map::new();
    for part in parts {
        let bytes = &part.lowered.program;
        let program = Program::parse(bytes).map_err(PackError::program(&part.graph.name))?;
        let entry = json!({
            "bytes": bytes.len(),
            "operations": program.ops().len(),
            "macs_per_position": program.macs_per_unit(),
            "onnx_sha256": part.hash,
        });
        programs.insert(part.graph.name.clone(), entry);
    }
    let text = json!({
        "kind": "sensor",
        "name": description.name,
        "version": description.version,
        "latent_space": crate::manifest::hexadecimal(&latent_space),
        "lineage": description.lineage,
        "metrics": description.metrics,
        "programs": programs,
        "parity": crate::manifest::parity(report),
        "packed_by": { "tool": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
    });
    Ok(text.to_string())
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    fs::read(path).map_err(|source| PackError::Read { path: path.into(), source })
}
