//! `pinhole info`.

use std::fmt::Write as _;

use anyhow::Result;
use serde::Serialize;

use super::{about, bpp, print, print_json};
use crate::args::InfoArgs;
use crate::codec::{self, StreamInfo};
use crate::picture;
use crate::report::Outcome;

#[derive(Serialize)]
struct FileInfo {
    bytes: usize,
    bpp: f64,
    #[serde(flatten)]
    stream: StreamInfo,
}

pub(crate) fn run(args: &InfoArgs) -> Outcome {
    describe(args).map_err(about(&args.input))
}

fn describe(args: &InfoArgs) -> Result<()> {
    let bytes = picture::read_bytes(&args.input)?;
    let stream = codec::inspect(&bytes)?;
    let pixels = u64::from(stream.width) * u64::from(stream.height);
    let info = FileInfo { bytes: bytes.len(), bpp: bpp(bytes.len(), pixels), stream };
    if args.json { print_json(&info) } else { print(&in_words(&info)) }
}

fn in_words(info: &FileInfo) -> String {
    let stream = &info.stream;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{name:<13} {value}");
    };
    line("size", format!("{} x {} pixels", stream.width, stream.height));
    line("samples", format!("{:?}", stream.format).to_lowercase());
    line("quality", format!("{}", stream.quality));
    line("chunks", format!("{} of {} rows", stream.chunks, stream.chunk_rows));
    line("file", format!("{} bytes, {:.3} bits per pixel", info.bytes, info.bpp));
    line("latent space", stream.latent_space.clone());
    let carried =
        [("ICC profile", stream.icc_bytes), ("Exif", stream.exif_bytes), ("XMP", stream.xmp_bytes)];
    for (name, bytes) in carried.into_iter().filter(|(_, bytes)| *bytes > 0) {
        line(name, format!("{bytes} bytes"));
    }
    text
}
