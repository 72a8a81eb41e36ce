//! `pinhole decode`.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{bpp, each, of_model};
use crate::args::{DecodeArgs, PictureFormat};
use crate::codec::{self, DecodeOptions, Decoded};
use crate::drawer::Drawer;
use crate::output::Plan;
use crate::picture;
use crate::progress::Progress;
use crate::report::{Failure, Outcome, shown};

pub(crate) fn run(args: &DecodeArgs) -> Outcome {
    let mut plan = Plan::new(&args.inputs, &args.output)?;
    let format = match (args.format, plan.named_file()) {
        (Some(format), _) => format,
        (None, Some(path)) => picture::format_of(path)
            .map_err(|error| Failure::Usage(format!("{}: {error}", shown(path))))?,
        (None, None) => PictureFormat::Png,
    };
    let options = DecodeOptions {
        scale: args.scale.into(),
        conceal: args.conceal,
        max_pixels: args.max_pixels,
        threads: args.threads,
        ..DecodeOptions::default()
    };
    let model = args.model.as_deref();
    let mut drawer =
        Drawer::new(args.decoder, args.realism, model, options).map_err(of_model(model))?;
    each(&args.inputs, |input, progress| {
        decode_one(args, format, &mut plan, &mut drawer, input, progress)
    })
}

fn decode_one(
    args: &DecodeArgs,
    format: PictureFormat,
    plan: &mut Plan,
    drawer: &mut Drawer,
    input: &Path,
    progress: &Progress,
) -> Result<()> {
    let stream = picture::read_bytes(input)?;
    let pixels = codec::inspect(&stream)?.format;
    let destination = plan.destination(input, picture::suffix(format, pixels))?;
    let start = Instant::now();
    let Decoded { picture, metadata, damaged_chunks } = drawer.decode(&stream)?;
    let time = start.elapsed();
    let file = picture::write(&picture, &metadata, format).context("cannot write the picture")?;
    destination.write(&file.bytes)?;
    if damaged_chunks > 0 {
        let chunks = if damaged_chunks == 1 { "chunk" } else { "chunks" };
        let line = format!("{}: concealed {damaged_chunks} damaged {chunks}", shown(input));
        progress.line(&line);
    }
    if args.output.verbose {
        for note in file.notes {
            progress.line(&format!("{}: {note}", destination.name()));
        }
        progress.line(&format!(
            "{} -> {}: {}x{}, {} bytes, {:.3} bpp, {:.1} ms, {:.1} Mpixel/s",
            shown(input),
            destination.name(),
            picture.width,
            picture.height,
            stream.len(),
            bpp(stream.len(), picture.pixels()),
            time.as_secs_f64() * 1e3,
            picture.pixels() as f64 / 1e6 / time.as_secs_f64().max(1e-9),
        ));
    }
    Ok(())
}
