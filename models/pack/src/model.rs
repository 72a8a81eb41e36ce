//! The exported folder: seven graphs, up to three more transforms, and `codec.json`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use pinhole::bundle::{Settings, Tag};
use serde::Deserialize;
use serde_json::Value;

use crate::error::PackError;
use crate::graph::{Graph, hash};
use crate::grids::{InputSteps, LATENT_STEP, SYMBOL_STEP};
use crate::lower::{Lowered, lower};
use crate::tables::{Distribution, table_set};

/// A graph's role: the section it becomes, its file's name, and how often per pixel its inputs' positions come.
#[derive(Clone, Copy, Debug)]
pub struct Role {
    /// Section of the bundle.
    pub tag: Tag,
    /// Name of the graph.
    pub name: &'static str,
    /// Input positions per pixel, of those that are run.
    pub density: f64,
    /// Whether a codec may lack it.
    pub optional: bool,
}

const fn role(tag: Tag, name: &'static str, density: f64) -> Role {
    Role { tag, name, density, optional: false }
}

const fn optional(tag: Tag, name: &'static str, density: f64) -> Role {
    Role { tag, name, density, optional: true }
}

/// The graphs of a codec, in the order in which coding needs them. Each predictor runs on half the latents. Those that
/// may be missing are last.
pub(crate) const ROLES: [Role; 9] = [
    role(Tag::ANALYSIS, "analysis", 1.0),
    role(Tag::HYPER_ANALYSIS, "hyper_analysis", 1.0 / 256.0),
    role(Tag::HYPER_SYNTHESIS, "hyper_synthesis", 1.0 / 4096.0),
    role(Tag::PARAMETERS_FIRST, "parameters_first", 1.0 / 512.0),
    role(Tag::CONTEXT, "context", 1.0 / 256.0),
    role(Tag::PARAMETERS_SECOND, "parameters_second", 1.0 / 512.0),
    role(Tag::SYNTHESIS, "synthesis", 1.0 / 256.0),
    optional(Tag::ANALYSIS_FAST, "analysis_fast", 1.0),
    optional(Tag::SYNTHESIS_LITE, "synthesis_lite", 1.0 / 256.0),
];

/// `codec.json`.
#[derive(Clone, Debug, Deserialize)]
pub struct Description {
    /// Name of the model.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Latent channels.
    pub latent_channels: usize,
    /// Hyper-latent channels.
    pub hyper_channels: usize,
    /// Latents whose scale index is below this are not coded.
    pub skip_below: u8,
    /// Passes in which latents are coded.
    #[serde(default = "two")]
    pub passes: u8,
    /// Whether there are tables of two quantisers, all of the first before all of the second.
    #[serde(default)]
    pub dependent: bool,
    /// Fractional bits of gained latents and means, 4 or 5.
    #[serde(default = "four")]
    pub fraction: u8,
    /// Gains of each knot and channel, from real latents to symbols.
    pub gain_knots: Vec<Vec<f64>>,
    /// Distributions by scale index, for each quantiser.
    pub latent_tables: Vec<Distribution>,
    /// Distributions by hyper-latent channel.
    pub hyper_tables: Vec<Distribution>,
    /// Where the model comes from.
    #[serde(default)]
    pub lineage: Value,
    /// What was measured in training.
    #[serde(default)]
    pub metrics: Value,
    /// Statistics of the latents on training pictures, for noticing drift.
    #[serde(default)]
    pub reference: Value,
    /// Lineage and metrics of each optional transform, by the name of its graph.
    #[serde(default)]
    pub transforms: BTreeMap<String, Transform>,
    /// Steps of float inputs that differ from the codec's.
    #[serde(default)]
    pub input_steps: BTreeMap<String, f64>,
}

/// What models had before there were more.
fn two() -> u8 {
    2
}

/// Likewise.
fn four() -> u8 {
    4
}

/// What `codec.json` says about an optional transform.
#[derive(Clone, Debug, Deserialize)]
pub struct Transform {
    /// Where it comes from.
    #[serde(default)]
    pub lineage: Value,
    /// What was measured in training.
    #[serde(default)]
    pub metrics: Value,
}

impl Description {
    fn check(&self) -> Result<(), PackError> {
        let equal = |what: &str, expected, found| {
            let what = what.to_owned();
            if expected == found {
                Ok(())
            } else {
                Err(PackError::Inconsistent { what, expected, found })
            }
        };
        for (knot, gains) in self.gain_knots.iter().enumerate() {
            equal(&format!("gains of knot {knot}"), self.latent_channels, gains.len())?;
        }
        if let Some(name) = self
            .transforms
            .keys()
            .find(|&name| !ROLES.iter().any(|role| role.optional && role.name == name))
        {
            return Err(PackError::UnknownTransform { name: name.clone() });
        }
        if ![2, 4].contains(&self.passes) {
            return Err(PackError::Passes { found: self.passes });
        }
        if ![4, 5].contains(&self.fraction) {
            return Err(PackError::Fraction { found: self.fraction });
        }
        equal("hyper tables", self.hyper_channels, self.hyper_tables.len())
    }

    /// Steps of the float inputs.
    pub fn steps(&self) -> InputSteps {
        InputSteps::with(&self.input_steps)
    }

    /// Constants and gains as the codec uses them.
    ///
    /// Training's gain takes real latents to real symbols. At run time both are integers, of steps [`LATENT_STEP`] and
    /// `2^-fraction` ([`SYMBOL_STEP`] or half of it), so the stored gain takes integers to integers: `v = clamp(round(y · g))` one
    /// way and `y = clamp(round(v · (1 / g)))` the other, with `g = gain · LATENT_STEP · 2^fraction` (gain / 32 or gain / 16).
    pub fn settings(&self) -> Settings {
        let steps = self.steps();
        let latent = steps.get("latents").unwrap_or(LATENT_STEP);
        let read = steps.get("symbols").unwrap_or(SYMBOL_STEP);
        let symbol = read * 2f64.powi(4 - i32::from(self.fraction));
        let gains = self.gain_knots.iter().flatten();
        Settings {
            latent_channels: self.latent_channels,
            hyper_channels: self.hyper_channels,
            skip_below: self.skip_below,
            passes: self.passes,
            dependent: self.dependent,
            fraction: self.fraction,
            gain_knots: gains.map(|g| (g * latent / symbol) as f32).collect(),
        }
    }
}

/// One graph and what it was lowered to.
#[derive(Clone, Debug)]
pub struct Part {
    /// Its role.
    pub role: Role,
    /// SHA-256 of its file.
    pub hash: String,
    /// The graph.
    pub graph: Graph,
    /// Its program.
    pub lowered: Lowered,
}

/// An exported codec, read and lowered.
#[derive(Clone, Debug)]
pub struct Model {
    /// `codec.json`.
    pub description: Description,
    /// The graphs that there are, in the order of `ROLES`.
    pub parts: Vec<Part>,
}

impl Model {
    /// Reads a folder and lowers its graphs.
    ///
    /// # Errors
    /// Files that are missing or malformed, graphs that cannot be lowered.
    pub fn read(folder: &Path) -> Result<Self, PackError> {
        let path = folder.join("codec.json");
        let description: Description = serde_json::from_slice(&read(&path)?)
            .map_err(|source| PackError::Description { path, source })?;
        description.check()?;
        let steps = description.steps();
        let mut parts = Vec::with_capacity(ROLES.len());
        for role in ROLES {
            let path = folder.join(format!("{}.onnx", role.name));
            let described = description.transforms.contains_key(role.name);
            if role.optional && !described && !path.exists() {
                continue;
            }
            let bytes = read(&path)?;
            let graph = Graph::read(role.name, &bytes)?;
            let lowered = lower(&graph, &steps)?;
            parts.push(Part { role, hash: hash(&bytes), graph, lowered });
        }
        Ok(Model { description, parts })
    }

    /// The sections of the bundle, all but the manifest.
    ///
    /// # Errors
    /// Distributions that make no tables.
    pub fn sections(&self) -> Result<Vec<(Tag, Vec<u8>)>, PackError> {
        let description = &self.description;
        let mut sections = vec![
            (Tag::SETTINGS, description.settings().to_bytes()),
            (Tag::LATENT_TABLES, table_set("latent_tables", &description.latent_tables)?),
            (Tag::HYPER_TABLES, table_set("hyper_tables", &description.hyper_tables)?),
        ];
        sections.extend(self.parts.iter().map(|p| (p.role.tag, p.lowered.program.clone())));
        Ok(sections)
    }
}

fn read(path: &Path) -> Result<Vec<u8>, PackError> {
    fs::read(path).map_err(|source| PackError::Read { path: path.into(), source })
}
