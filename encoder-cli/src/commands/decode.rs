//! `pinhole decode`.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};

use super::{bpp, bundle, each};
use crate::args::{DecodeArgs, PictureDecoder, PictureFormat, Scale};
use crate::codec::{self, Bundle, DecodeOptions, Decoded};
use crate::float::FloatDecoders;
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
    let mut decoder = match args.decoder {
        _ if args.realism.is_some() => Drawer::Float(FloatDecoders::of(args)),
        PictureDecoder::Hq | PictureDecoder::Gan => Drawer::Float(FloatDecoders::of(args)),
        PictureDecoder::Standard => {
            Drawer::Engine(bundle(args.model.as_deref())?, pinhole::Synthesis::Standard)
        }
        PictureDecoder::Lite => {
            Drawer::Engine(bundle(args.model.as_deref())?, pinhole::Synthesis::Lite)
        }
    };
    each(&args.inputs, |input, progress| {
        decode_one(args, format, &mut plan, &mut decoder, input, progress)
    })
}

/// What draws the pictures.
enum Drawer {
    /// The integer engine.
    Engine(Bundle, pinhole::Synthesis),
    /// `hq`, `gan` or both.
    Float(FloatDecoders),
}

impl Drawer {
    fn decode(&mut self, stream: &[u8], args: &DecodeArgs) -> Result<Decoded> {
        let scale = match args.scale {
            Scale::Full => pinhole::Scale::Full,
            Scale::Half => pinhole::Scale::Half,
            Scale::Quarter => pinhole::Scale::Quarter,
            Scale::Eighth => pinhole::Scale::Eighth,
        };
        match self {
            Drawer::Engine(bundle, decoder) => {
                let options = DecodeOptions {
                    decoder: *decoder,
                    scale,
                    conceal: args.conceal,
                    max_pixels: args.max_pixels,
                    threads: args.threads,
                };
                codec::decode(bundle, stream, &options)
            }
            Drawer::Float(decoders) => decoders.decode(stream, scale),
        }
    }
}

fn decode_one(
    args: &DecodeArgs,
    format: PictureFormat,
    plan: &mut Plan,
    decoder: &mut Drawer,
    input: &Path,
    progress: &Progress,
) -> Result<()> {
    let stream = picture::read_bytes(input)?;
    let pixels = codec::inspect(&stream)?.format;
    let destination = plan.destination(input, picture::suffix(format, pixels))?;
    let start = Instant::now();
    let Decoded { picture, metadata, damaged_chunks } = decoder.decode(&stream, args)?;
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
