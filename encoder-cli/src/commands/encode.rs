//! `pinhole encode`.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::{bpp, bundle, each};
use crate::args::EncodeArgs;
use crate::codec::{self, Bundle, EncodeOptions, Picture, Rate};
use crate::output::Plan;
use crate::picture::{self, Loaded};
use crate::progress::Progress;
use crate::report::{Outcome, shown};

const SUFFIX: &str = "pin";

pub(crate) fn run(args: &EncodeArgs) -> Outcome {
    let mut plan = Plan::new(&args.inputs, &args.output)?;
    let bundle = bundle(args.model.as_deref())?;
    each(&args.inputs, |input, progress| encode_one(args, &mut plan, &bundle, input, progress))
}

fn encode_one(
    args: &EncodeArgs,
    plan: &mut Plan,
    bundle: &Bundle,
    input: &Path,
    progress: &Progress,
) -> Result<()> {
    let destination = plan.destination(input, SUFFIX)?;
    let Loaded { picture, metadata, notes } = picture::parse(&picture::read_bytes(input)?)?;
    let options = EncodeOptions {
        rate: rate(args, &picture),
        effort: args.effort.into(),
        tune: args.tune.into(),
        chunk_rows: args.chunk_rows,
        threads: args.threads,
        metadata,
    };
    let start = Instant::now();
    let stream = codec::encode(bundle, &picture, &options)?;
    let time = start.elapsed();
    destination.write(&stream)?;
    if args.output.verbose {
        for note in notes {
            progress.line(&format!("{}: {note}", shown(input)));
        }
        let pixels = picture.pixels();
        progress.line(&format!(
            "{} -> {}: {}x{}, {} bytes, {:.3} bpp, {:.1} ms, {:.1} Mpixel/s",
            shown(input),
            destination.name(),
            picture.width,
            picture.height,
            stream.len(),
            bpp(stream.len(), pixels),
            time.as_secs_f64() * 1e3,
            pixels as f64 / 1e6 / time.as_secs_f64().max(1e-9),
        ));
    }
    Ok(())
}

fn rate(args: &EncodeArgs, picture: &Picture) -> Rate {
    match (args.target_bytes, args.target_bpp) {
        (Some(bytes), _) => Rate::Bytes(bytes),
        (None, Some(bpp)) => Rate::Bytes(bytes_for(bpp, picture.pixels())),
        (None, None) => Rate::Quality(args.quality),
    }
}

/// Whole bytes that so many bits per pixel allow.
pub(super) fn bytes_for(bpp: f64, pixels: u64) -> u64 {
    (bpp * pixels as f64 / 8.0).floor() as u64
}
