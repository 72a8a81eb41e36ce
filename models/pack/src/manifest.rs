//! The manifest: what a bundle says about itself, in JSON.

use pinhole::engine::Program;
use serde_json::{Map, Value, json};

use crate::error::PackError;
use crate::model::{Model, Part, Role};
use crate::parity::{Agreement, Report};

/// The manifest's text.
///
/// # Errors
/// A program that does not parse.
pub(crate) fn manifest(
    model: &Model,
    latent_space: [u8; 8],
    report: &Report,
) -> Result<String, PackError> {
    let description = &model.description;
    let mut programs = Map::new();
    for part in &model.parts {
        let mut entry = program_entry(part)?;
        if let Some(own) = description.transforms.get(part.role.name) {
            entry.insert("lineage".into(), own.lineage.clone());
            entry.insert("metrics".into(), own.metrics.clone());
        }
        programs.insert(part.role.name.into(), entry.into());
    }
    let mut text = json!({
        "name": description.name,
        "version": description.version,
        "latent_space": hexadecimal(&latent_space),
        "lineage": description.lineage,
        "metrics": description.metrics,
        "programs": programs,
        "parity": parity(report),
        "packed_by": { "tool": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
    });
    if let (Value::Object(fields), false) = (&mut text, description.reference.is_null()) {
        fields.insert("reference".into(), description.reference.clone());
    }
    Ok(text.to_string())
}

/// What a program is.
///
/// # Errors
/// A program that does not parse.
pub(crate) fn program_entry(part: &Part) -> Result<Map<String, Value>, PackError> {
    let bytes = &part.lowered.program;
    let program = Program::parse(bytes).map_err(PackError::program(&part.graph.name))?;
    let fields = [
        ("bytes", bytes.len().into()),
        ("operations", program.ops().len().into()),
        ("macs_per_pixel", round(macs_per_pixel(part.role, &program), 2).into()),
        ("onnx_sha256", part.hash.clone().into()),
    ];
    Ok(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Multiply-accumulate operations per pixel of the picture.
fn macs_per_pixel(role: Role, program: &Program<'_>) -> f64 {
    let unit = program.unit() as f64;
    program.macs_per_unit() as f64 / (unit * unit) * role.density
}

pub(crate) fn parity(report: &Report) -> Value {
    let graphs: Map<String, Value> = report
        .graphs
        .iter()
        .map(|graph| {
            let outputs: Map<String, Value> =
                graph.outputs.iter().map(|o| (o.name.clone(), agreement(&o.agreement))).collect();
            let value = json!({ "outputs": outputs, "layers": agreement(&graph.all_layers()) });
            (graph.name.clone(), value)
        })
        .collect();
    json!({ "reference": "tract, float32", "pictures": report.pictures, "graphs": graphs })
}

fn agreement(a: &Agreement) -> Value {
    json!({
        "values": a.values,
        "equal": round(a.equal_share(), 6),
        "within_one_step": round(a.within_one_share(), 6),
        "largest_steps": a.largest,
        "mean_steps": round(a.mean(), 6),
    })
}

fn round(v: f64, digits: i32) -> f64 {
    let unit = 10f64.powi(digits);
    (v * unit).round() / unit
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
