//! New decoders for streams that exist: the synthesis transforms of one model in the bundle of another.

use std::path::Path;

use pinhole::bundle::{Bundle, BundleBuilder, Synthesis, Tag};
use serde_json::{Map, Value};

use crate::Packed;
use crate::error::PackError;
use crate::manifest::{self, program_entry};
use crate::model::Model;
use crate::parity::{self, Picture};

/// Packs the syntheses of the exported model in `folder` with everything else from the bundle `base`: streams and latent
/// space stay what they are. The model is one that was trained with the rest of `base` as it stands.
///
/// The manifest is that of `base` with the name and version of the folder; lineage and metrics of the new decoders are in
/// their programs' entries, with the version of `base`.
///
/// # Errors
/// As [`pack`](crate::pack); a base that is not a bundle or whose latents have other channels.
pub fn pack_decoders(
    folder: &Path,
    base: &[u8],
    pictures: &[Picture],
) -> Result<Packed, PackError> {
    let model = Model::read(folder)?;
    let parsed = Bundle::parse(base)?;
    let mut builder = BundleBuilder::new();
    for &(tag, bytes) in parsed.sections() {
        builder.section(tag, bytes.to_vec());
    }
    for (tag, bytes) in model.sections()? {
        if is_synthesis(tag) {
            builder.section(tag, bytes);
        }
    }
    // Shapes are checked before anything runs.
    Bundle::parse(&builder.to_bytes())?;
    let mut report = parity::check(&model, pictures)?;
    report.graphs.retain(|graph| graph.name.starts_with("synthesis"));
    let text = describe(&model, parsed.manifest(), &report)?;
    builder.section(Tag::MANIFEST, text.into_bytes());
    let bytes = builder.to_bytes();
    Bundle::parse(&bytes)?;
    Ok(Packed { bytes, report })
}

fn is_synthesis(tag: Tag) -> bool {
    Synthesis::ALL.into_iter().any(|synthesis| synthesis.tag() == tag)
}

fn describe(model: &Model, base: &str, report: &parity::Report) -> Result<String, PackError> {
    let description = &model.description;
    // A manifest is informative: one that is no object is begun anew.
    let mut fields: Map<String, Value> = serde_json::from_str(base).unwrap_or_default();
    let version = fields.insert("version".into(), description.version.clone().into());
    fields.insert("name".into(), description.name.clone().into());
    let mut programs = taken(&mut fields, "programs");
    for part in model.parts.iter().filter(|part| is_synthesis(part.role.tag)) {
        let mut entry = program_entry(part)?;
        entry.insert("lineage".into(), description.lineage.clone());
        entry.insert("metrics".into(), description.metrics.clone());
        entry.insert("base".into(), version.clone().unwrap_or_default());
        programs.insert(part.role.name.into(), entry.into());
    }
    fields.insert("programs".into(), programs.into());
    let mut parity = taken(&mut fields, "parity");
    let mut graphs = taken(&mut parity, "graphs");
    let mut found = manifest::parity(report);
    if let Some(Value::Object(new)) = found.get_mut("graphs").map(Value::take) {
        graphs.extend(new);
    }
    parity.insert("graphs".into(), graphs.into());
    fields.insert("parity".into(), parity.into());
    Ok(Value::Object(fields).to_string())
}

/// The object of a name, taken out; an empty one if there is none.
fn taken(fields: &mut Map<String, Value>, name: &str) -> Map<String, Value> {
    match fields.remove(name) {
        Some(Value::Object(object)) => object,
        _ => Map::new(),
    }
}
