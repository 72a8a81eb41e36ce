//! Packs a trained codec, exported as QDQ ONNX graphs, into a model bundle (`.pinm`).
//!
//! [`pack`] reads the exported folder, [lowers](lower) each graph to a program of the engine, [checks](parity) the
//! programs against the graphs on real pictures, and writes the bundle with what it found in its manifest.
//! [`verify`] does the checks again for a bundle that exists; [`encoder_only`] drops what devices do not need;
//! [`pack_decoders`] puts new decoders into an old bundle.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod decoders;
mod error;
pub mod graph;
pub mod grids;
pub mod lower;
mod manifest;
mod model;
pub mod parity;
mod sensor;
mod tables;
#[cfg(test)]
mod testing;

use std::path::Path;

use pinhole::bundle::{Bundle, BundleBuilder, Effort, Parts, Synthesis, Tag};

pub use decoders::pack_decoders;
pub use error::{PackError, Place};
pub use model::Model;
pub use parity::{Picture, Report};

/// What to pack.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Leave the syntheses out: the bundle encodes but does not decode.
    pub encoder_only: bool,
}

/// A packed model.
#[derive(Clone, Debug)]
pub struct Packed {
    /// The bundle.
    pub bytes: Vec<u8>,
    /// What the checks found.
    pub report: Report,
}

/// Packs the exported model in `folder`; the checks run on `pictures` (at least one, of 64×64 or more).
/// Sensor models (folders with a `sensor.json`) are checked on made-up windows and need no pictures.
///
/// # Errors
/// Files that are missing or malformed, graphs that cannot be lowered, layers that are more than one step from their
/// ONNX, parts that do not fit each other.
pub fn pack(folder: &Path, pictures: &[Picture], options: Options) -> Result<Packed, PackError> {
    if folder.join(sensor::DESCRIPTION).exists() {
        return sensor::pack(folder);
    }
    let model = Model::read(folder)?;
    let sections = model.sections()?;
    // Shapes are checked before anything runs; the latent space does not depend on the manifest.
    let latent_space = Bundle::parse(&assemble(None, &sections))?.latent_space();
    let report = parity::check(&model, pictures)?;
    let manifest = manifest::manifest(&model, latent_space, &report)?;
    let mut bytes = assemble(Some(manifest), &sections);
    if options.encoder_only {
        bytes = encoder_only(&bytes)?;
    }
    Bundle::parse(&bytes)?;
    Ok(Packed { bytes, report })
}

/// The same bundle without what decoding to pictures needs: it keeps its latent space, so whatever decodes the whole
/// one's streams decodes its streams. The manifest stays that of the whole bundle.
///
/// # Errors
/// Bytes that are not a bundle.
pub fn encoder_only(bundle: &[u8]) -> Result<Vec<u8>, PackError> {
    let parsed = Bundle::parse(bundle)?;
    let efforts = parsed.efforts().filter(|&effort| effort != Effort::Best);
    let parts = Parts { efforts: efforts.collect(), syntheses: Vec::new() };
    let mut builder = parsed.slim(&parts)?;
    builder.section(Tag::MANIFEST, parsed.manifest().as_bytes().to_vec());
    Ok(builder.to_bytes())
}

/// Checks a bundle against the exported model it was packed from: every section is what the folder lowers to
/// (a smaller bundle may lack some of the transforms), and the parity is measured anew.
///
/// # Errors
/// As [`pack`], or a section that differs.
pub fn verify(bundle: &[u8], folder: &Path, pictures: &[Picture]) -> Result<Report, PackError> {
    let parsed = Bundle::parse(bundle)?;
    let model = Model::read(folder)?;
    for (tag, expected) in model.sections()? {
        let found = parsed.section(tag);
        let transform = Effort::ALL.iter().any(|effort| effort.tags().contains(&tag))
            || Synthesis::ALL.iter().any(|synthesis| synthesis.tag() == tag);
        let hyper = tag == Tag::HYPER_ANALYSIS && !parsed.can_encode();
        let dropped = found.is_none() && (hyper || transform);
        if !dropped && found != Some(&expected) {
            return Err(PackError::SectionDiffers { tag: tag.to_string() });
        }
    }
    parity::check(&model, pictures)
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
