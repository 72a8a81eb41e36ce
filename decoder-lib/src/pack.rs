//! Float decoders into bundles.

use pinhole::bundle::{Bundle, BundleBuilder, Tag};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::backend::tract::Tract;
use crate::{DecoderKind, LoadError};

/// What the bundle of a float decoder says about itself.
#[derive(Clone, Debug)]
pub struct Packing {
    /// `hq` or `gan`.
    pub kind: DecoderKind,
    /// Name; empty is that of the base and the decoder's, with a dash between.
    pub name: String,
    /// Version, for people; empty is the base's.
    pub version: String,
    /// Fields to add to the manifest, as `lineage` (data hash, code commit, configuration) and `metrics`.
    pub manifest: Map<String, Value>,
}

/// Why a float decoder cannot be packed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// The base is no bundle.
    #[error("base: {0}")]
    Base(#[from] pinhole::BundleError),
    /// The base's manifest is not a JSON object.
    #[error("base: manifest: {0}")]
    Manifest(String),
    /// Only `hq` and `gan` are ONNX graphs.
    #[error("{0} is no float decoder")]
    NotFloat(DecoderKind),
    /// tract cannot run the graph, or it is not from latents to pictures.
    #[error(transparent)]
    Graph(#[from] LoadError),
}

/// A bundle with an ONNX graph and what is needed to decode the latents of `base`'s streams; nothing else, so it neither
/// encodes nor draws without a runtime for ONNX.
///
/// The graph has one input, float32 latents `[n][M][rows][columns]` (1/512 of the integer ones), and one output,
/// float32 grey levels 0 to 255, `[n][3][16 · rows][16 · columns]`. It is run once to see that it is.
///
/// # Errors
/// [`PackError`]
pub fn pack_decoder(onnx: &[u8], base: &[u8], packing: &Packing) -> Result<Vec<u8>, PackError> {
    if !packing.kind.is_float() {
        return Err(PackError::NotFloat(packing.kind));
    }
    let base = Bundle::parse(base)?;
    Tract::new(onnx, base.settings().latent_channels)?;
    let about: Value = match base.manifest() {
        "" => json!({}),
        text => serde_json::from_str(text).map_err(|e| PackError::Manifest(e.to_string()))?,
    };
    let (base_name, base_version) = (text(&about, "name"), text(&about, "version"));
    let or = |own: &str, other: String| if own.is_empty() { other } else { own.to_owned() };
    let mut manifest = packing.manifest.clone();
    let fields = [
        ("name", json!(or(&packing.name, format!("{base_name}-{}", packing.kind)))),
        ("version", json!(or(&packing.version, base_version.clone()))),
        ("decoder", json!(packing.kind.name())),
        ("latent_space", json!(hexadecimal(&base.latent_space()))),
        ("onnx_sha256", json!(hexadecimal(&Sha256::digest(onnx)))),
        ("base", json!({ "name": base_name, "version": base_version })),
    ];
    manifest.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    // Statistics of the latents are those of whatever encodes.
    if let Some(reference) = about.get("reference") {
        manifest.entry("reference").or_insert_with(|| reference.clone());
    }
    let mut builder = BundleBuilder::new();
    builder.section(Tag::MANIFEST, Value::Object(manifest).to_string().into_bytes());
    for tag in Tag::LATENT_SPACE {
        builder.section(tag, base.section(tag).unwrap_or_default().to_vec());
    }
    builder.section(Tag::ONNX, onnx.to_vec());
    let bytes = builder.to_bytes();
    Bundle::parse(&bytes)?;
    Ok(bytes)
}

fn text(manifest: &Value, key: &str) -> String {
    manifest[key].as_str().unwrap_or_default().to_owned()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
