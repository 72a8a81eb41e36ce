//! `pinhole model`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{about, bundle, pack_decoder, print, print_json, repository};
use crate::args::{Decoder, Effort, ModelArgs, ModelCommand};
use crate::codec::{self, Bundle, BundleInfo, Packing};
use crate::report::{Failure, Outcome, shown};
use crate::{output, picture};

pub(crate) fn run(args: &ModelArgs) -> Outcome {
    match &args.command {
        ModelCommand::List { json } => list(*json).map_err(Failure::from),
        ModelCommand::Info { bundle: path, json } => {
            let info = bundle(path.as_deref())?.info();
            let told = if *json { print_json(&info) } else { print(&in_words(&info)) };
            told.map_err(Failure::from)
        }
        ModelCommand::Pack { folder, output, encoder_only, base, check } => {
            let what = match (base, encoder_only) {
                (Some(base), _) => {
                    Packing::DecodersInto(picture::read_bytes(base).map_err(about(base))?)
                }
                (None, true) => Packing::EncoderOnly,
                (None, false) => Packing::Whole,
            };
            pack(folder, output, &what, check).map_err(about(folder))
        }
        ModelCommand::Slim { bundle: path, output, effort, decoder } => {
            slim(path, output, effort, decoder).map_err(about(path))
        }
        ModelCommand::PackDecoder(args) => pack_decoder::run(args),
        ModelCommand::Verify { bundle: path, trust } => {
            let mut lines = bundle(Some(path))?.verify().map_err(about(path))?;
            lines.extend(repository::check_signature(path, trust).map_err(about(path))?);
            print(&format!("{}\n", lines.join("\n"))).map_err(Failure::from)
        }
        ModelCommand::Keygen { file } => repository::keygen(file).map_err(about(file)),
        ModelCommand::Sign { bundle, key, output } => {
            let output = output.as_ref().unwrap_or(bundle);
            repository::sign(bundle, key, output).map_err(about(bundle))
        }
        ModelCommand::Push { bundle, repository, name, tag } => {
            let (name, tag) = (name.as_deref(), tag.as_deref());
            repository::push(bundle, repository, name, tag).map_err(about(bundle))
        }
        ModelCommand::Promote { model, version, repository, stage } => {
            repository::promote(model, version, repository, stage).map_err(Failure::from)
        }
        ModelCommand::Rollback { model, repository } => {
            repository::roll_back(model, repository).map_err(Failure::from)
        }
        ModelCommand::Versions { model, repository, json } => {
            repository::versions(model.as_deref(), repository, *json).map_err(Failure::from)
        }
    }
}

fn list(json: bool) -> Result<()> {
    let shipped = [Bundle::shipped()?.info()];
    if json {
        return print_json(&shipped);
    }
    let mut text = String::new();
    for info in &shipped {
        writeln!(text, "{} {} ({} bytes)", info.name, info.version, info.bytes)?;
    }
    print(&text)
}

fn in_words(info: &BundleInfo) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<13} {value}");
    };
    line("name", &info.name);
    line("version", &info.version);
    line("latent space", &info.latent_space);
    line("bytes", &info.bytes.to_string());
    line("efforts", &info.efforts.join(", "));
    line("decoders", &info.decoders.join(", "));
    for part in &info.parts {
        line("part", part);
    }
    for (name, value) in &info.lineage {
        line(name, value);
    }
    text
}

fn slim(from: &Path, to: &Path, efforts: &[Effort], decoders: &[Decoder]) -> Result<()> {
    let whole = codec::bundle(Some(from))?;
    let parts = pinhole::bundle::Parts {
        efforts: efforts.iter().map(|&effort| effort.into()).collect(),
        syntheses: decoders.iter().map(|&decoder| decoder.into()).collect(),
    };
    let bytes = whole.slim(&parts)?;
    output::write_file(to, &bytes)?;
    print(&format!("{}: {} bytes\n", shown(to), bytes.len()))
}

fn pack(folder: &Path, path: &Path, what: &Packing, check: &[PathBuf]) -> Result<()> {
    let read = |path: &PathBuf| -> Result<_> {
        let loaded = picture::read_bytes(path).and_then(|bytes| picture::parse(&bytes));
        Ok(loaded.with_context(|| shown(path).to_string())?.picture)
    };
    let pictures: Vec<_> = check.iter().map(read).collect::<Result<_>>()?;
    let packed = codec::pack(folder, what, &pictures)?;
    output::write_file(path, &packed.bytes)?;
    let mut text = packed.report.join("\n");
    if !text.is_empty() {
        text.push('\n');
    }
    writeln!(text, "{}: {} bytes", shown(path), packed.bytes.len())?;
    print(&text)
}
