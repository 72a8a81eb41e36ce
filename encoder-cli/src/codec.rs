//! The one place where the command line touches the codec and the model packer.
//!
//! Everything above works on the types of this module, so that a change in the codec's interface
//! ends here.
use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use pinhole::format::{Colour, Header, MetadataKind};
use pinhole::{Decoder, Encoder, Target};
use serde::Serialize;
use serde_json::Value;

/// Samples of one pixel, in memory order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PixelFormat {
    Gray8,
    Rgb8,
    Rgba8,
}

impl PixelFormat {
    #[cfg(any(test, feature = "pack"))]
    pub(crate) fn channels(self) -> usize {
        match self {
            PixelFormat::Gray8 => 1,
            PixelFormat::Rgb8 => 3,
            PixelFormat::Rgba8 => 4,
        }
    }
}

/// A picture in memory: rows from the top, no padding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: PixelFormat,
    /// Invariant: `width · height · format.channels()` bytes.
    pub(crate) data: Vec<u8>,
}

impl Picture {
    pub(crate) fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// What travels beside the pixels, unread.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    pub(crate) icc: Option<Vec<u8>>,
    pub(crate) exif: Option<Vec<u8>>,
    pub(crate) xmp: Option<Vec<u8>>,
}

/// How large the file may become.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rate {
    /// 0 to 100.
    Quality(f32),
    /// The best picture within this many bytes, header and all.
    Bytes(u64),
}

pub(crate) struct EncodeOptions {
    pub(crate) rate: Rate,
    pub(crate) effort: pinhole::Effort,
    pub(crate) tune: pinhole::Tune,
    pub(crate) chunk_rows: u32,
    /// 0 means one for each core.
    pub(crate) threads: usize,
    pub(crate) metadata: Metadata,
}

pub(crate) struct DecodeOptions {
    pub(crate) decoder: pinhole::Synthesis,
    pub(crate) scale: pinhole::Scale,
    pub(crate) conceal: bool,
    pub(crate) max_pixels: u64,
    /// 0 means one for each core.
    pub(crate) threads: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        let scale = pinhole::Scale::Full;
        let decoder = pinhole::Synthesis::Standard;
        DecodeOptions { decoder, scale, conceal: false, max_pixels: 1 << 28, threads: 0 }
    }
}

pub(crate) struct Decoded {
    pub(crate) picture: Picture,
    pub(crate) metadata: Metadata,
    /// Chunks that were damaged or missing and are concealed in `picture`.
    pub(crate) damaged_chunks: usize,
}

/// What a stream's header tells.
#[derive(Debug, Serialize)]
pub(crate) struct StreamInfo {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) format: PixelFormat,
    pub(crate) quality: f32,
    pub(crate) chunk_rows: u32,
    pub(crate) chunks: u32,
    /// Hexadecimal hash of the latent space that a decoder needs.
    pub(crate) latent_space: String,
    pub(crate) icc_bytes: u64,
    pub(crate) exif_bytes: u64,
    pub(crate) xmp_bytes: u64,
}

/// What a bundle's manifest tells.
#[derive(Debug, Serialize)]
pub(crate) struct BundleInfo {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) latent_space: String,
    pub(crate) bytes: u64,
    /// Efforts that it encodes with.
    pub(crate) efforts: Vec<&'static str>,
    /// Decoders of the codec's own engine that it has.
    pub(crate) decoders: Vec<&'static str>,
    /// Programs and decoders in the bundle, in order.
    pub(crate) parts: Vec<String>,
    /// The manifest's remaining fields (lineage, metrics), as pairs.
    pub(crate) lineage: Vec<(String, String)>,
}

/// Bytes at a multiple of 64, where weights are read fastest.
#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);

/// The model inside this program.
static SHIPPED: &Aligned<[u8]> = &Aligned(*include_bytes!("../../models/zoo/photo/photo.pinm"));

/// A parsed model bundle. There are few in a run, so their bytes stay for its whole length.
#[derive(Clone)]
pub(crate) struct Bundle {
    bytes: &'static [u8],
    parsed: &'static pinhole::Bundle<'static>,
}

impl Bundle {
    /// The bundle inside this program.
    pub(crate) fn shipped() -> Result<Self> {
        static PARSED: OnceLock<Result<pinhole::Bundle<'static>, pinhole::BundleError>> =
            OnceLock::new();
        let parsed = PARSED.get_or_init(|| pinhole::Bundle::parse(&SHIPPED.0)).as_ref();
        Ok(Bundle { bytes: &SHIPPED.0, parsed: parsed.map_err(Clone::clone)? })
    }

    pub(crate) fn parse(bytes: Vec<u8>) -> Result<Self> {
        let len = bytes.len();
        let mut place = vec![0; len + 64];
        let start = place.as_ptr().align_offset(64).min(64);
        place[start..start + len].copy_from_slice(&bytes);
        let bytes: &'static [u8] = &place.leak()[start..start + len];
        let parsed = pinhole::Bundle::parse(bytes)?;
        Ok(Bundle { bytes, parsed: Box::leak(Box::new(parsed)) })
    }

    pub(crate) fn info(&self) -> BundleInfo {
        let manifest: Value = serde_json::from_str(self.parsed.manifest()).unwrap_or_default();
        let text = |key: &str| manifest[key].as_str().unwrap_or_default().to_owned();
        let mut lineage = Vec::new();
        for part in ["lineage", "metrics", "parity"] {
            flatten(part, &manifest[part], &mut lineage);
        }
        let integer = self.parsed.syntheses().map(pinhole::Synthesis::name);
        let has_graph = self.parsed.section(pinhole::bundle::Tag::ONNX).is_some();
        let named = |name: &&str| has_graph && manifest["decoder"].as_str() == Some(name);
        let float = ["hq", "gan"].into_iter().filter(named);
        let part =
            |(tag, bytes): &(pinhole::bundle::Tag, &[u8])| format!("{tag} {} bytes", bytes.len());
        BundleInfo {
            name: text("name"),
            version: text("version"),
            latent_space: hex(&self.parsed.latent_space()),
            bytes: self.bytes.len() as u64,
            efforts: self.parsed.efforts().map(pinhole::Effort::name).collect(),
            decoders: integer.chain(float).collect(),
            parts: self.parsed.sections().iter().map(part).collect(),
            lineage,
        }
    }

    /// Checks everything that can be checked without the model's sources; the lines tell what was.
    pub(crate) fn verify(&self) -> Result<Vec<String>> {
        // Parsing has verified the checksums, the programs and that they fit each other.
        let mut lines = vec![format!(
            "{} sections, checksums match, programs fit",
            self.parsed.sections().len()
        )];
        serde_json::from_str::<Value>(self.parsed.manifest())
            .context("the manifest is not JSON")?;
        let (width, height) = (96, 80);
        let data = (0..width * height * 3).map(|i| (i * 7 / 3 % 251) as u8).collect();
        let picture = Picture { width, height, format: PixelFormat::Rgb8, data };
        for effort in self.parsed.efforts() {
            let options = EncodeOptions {
                rate: Rate::Quality(50.0),
                effort,
                tune: pinhole::Tune::default(),
                chunk_rows: pinhole::EncodeOptions::DEFAULT_CHUNK_ROWS,
                threads: 1,
                metadata: Metadata::default(),
            };
            let stream = encode(self, &picture, &options).context("encoding a test picture")?;
            lines.push(format!("effort {effort} makes {} bytes of a test picture", stream.len()));
            for decoder in self.parsed.syntheses() {
                let options = DecodeOptions { decoder, ..DecodeOptions::default() };
                decode(self, &stream, &options).context("decoding it again")?;
                lines.push(format!("decoder {decoder} decodes it again"));
            }
        }
        Ok(lines)
    }
}

impl Bundle {
    /// A bundle with some of the parts. Its manifest keeps name, version, lineage and metrics.
    pub(crate) fn slim(&self, parts: &pinhole::bundle::Parts) -> Result<Vec<u8>> {
        let mut builder = self.parsed.slim(parts)?;
        let mut manifest: Value = serde_json::from_str(self.parsed.manifest()).unwrap_or_default();
        if let Value::Object(fields) = &mut manifest {
            // What describes all the parts, and what only servers compare with.
            fields.retain(|name, _| !matches!(name.as_str(), "parity" | "programs" | "reference"));
            builder.section(pinhole::bundle::Tag::MANIFEST, manifest.to_string().into_bytes());
        }
        let bytes = builder.to_bytes();
        pinhole::Bundle::parse(&bytes)?;
        Ok(bytes)
    }
}

/// Leaves of a JSON object as dotted names and values.
fn flatten(name: &str, value: &Value, out: &mut Vec<(String, String)>) {
    match value {
        Value::Null => {}
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| flatten(&format!("{name}.{key}"), value, out));
        }
        Value::String(text) => out.push((name.to_owned(), text.clone())),
        other => out.push((name.to_owned(), other.to_string())),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The bundle in `path`, or the shipped one.
pub(crate) fn bundle(path: Option<&Path>) -> Result<Bundle> {
    match path {
        Some(path) => Bundle::parse(std::fs::read(path)?),
        None => Bundle::shipped(),
    }
}

/// The bytes of the bundle in `path`, or of the shipped one.
#[cfg(feature = "float")]
pub(crate) fn bundle_bytes(path: Option<&Path>) -> Result<std::borrow::Cow<'static, [u8]>> {
    Ok(match path {
        Some(path) => std::fs::read(path).with_context(|| path.display().to_string())?.into(),
        None => (&SHIPPED.0).into(),
    })
}

/// Whether `bytes` begin like a Pinhole stream.
pub(crate) fn is_stream(bytes: &[u8]) -> bool {
    bytes.starts_with(&pinhole::format::SIGNATURE)
}

/// The kernels that this processor runs.
pub(crate) fn instruction_set() -> &'static str {
    pinhole::engine::Kernels::detect().isa().name()
}

/// Threads that `asked` stands for: 0 is one for each core.
pub(crate) fn threads(asked: usize) -> usize {
    let cores = || std::thread::available_parallelism().map_or(1, Into::into);
    if asked == 0 { cores() } else { asked }
}

/// The picture and the options as the codec wants them.
fn prepare<'m>(
    picture: &Picture,
    options: &'m EncodeOptions,
) -> Result<(pinhole::Picture, pinhole::EncodeOptions<'m>)> {
    let format = match picture.format {
        PixelFormat::Gray8 => pinhole::PixelFormat::Gray8,
        PixelFormat::Rgb8 => pinhole::PixelFormat::Rgb8,
        PixelFormat::Rgba8 => pinhole::PixelFormat::Rgba8,
    };
    let picture =
        pinhole::Picture::new(picture.width, picture.height, format, picture.data.clone())?;
    let mut to = pinhole::EncodeOptions::default();
    match options.rate {
        Rate::Quality(quality) => to.quality = quality,
        Rate::Bytes(bytes) => to.target = Some(Target::Bytes(bytes)),
    }
    to.effort = options.effort;
    to.tune = options.tune;
    to.chunk_rows = options.chunk_rows;
    let Metadata { icc, exif, xmp } = &options.metadata;
    let records = [(MetadataKind::Icc, icc), (MetadataKind::Exif, exif), (MetadataKind::Xmp, xmp)];
    for (kind, data) in records {
        if let Some(data) = data {
            to.metadata.push(kind, data)?;
        }
    }
    Ok((picture, to))
}

pub(crate) fn encode(
    bundle: &Bundle,
    picture: &Picture,
    options: &EncodeOptions,
) -> Result<Vec<u8>> {
    let (picture, to) = prepare(picture, options)?;
    Ok(Encoder::new(bundle.parsed, threads(options.threads))?.encode(&picture, &to)?)
}

/// Durations of encoding and decoding one picture, and the stream's length.
pub(crate) struct Timings {
    pub(crate) encode: Vec<Duration>,
    pub(crate) decode: Vec<Duration>,
    pub(crate) bytes: usize,
}

/// Encodes and decodes `runs` times, after once for warming up.
pub(crate) fn time(
    bundle: &Bundle,
    picture: &Picture,
    options: &EncodeOptions,
    synthesis: pinhole::Synthesis,
    runs: usize,
) -> Result<Timings> {
    let (picture, to) = prepare(picture, options)?;
    let mut encoder = Encoder::new(bundle.parsed, threads(options.threads))?;
    let mut decoder = Decoder::new(bundle.parsed, threads(options.threads))?;
    let mut from = pinhole::DecodeOptions::default();
    from.decoder = synthesis;
    let stream = encoder.encode(&picture, &to)?;
    decoder.decode(&stream, &from)?;
    let mut timings = Timings { encode: Vec::new(), decode: Vec::new(), bytes: stream.len() };
    for _ in 0..runs {
        let start = Instant::now();
        let again = encoder.encode(&picture, &to)?;
        timings.encode.push(start.elapsed());
        let start = Instant::now();
        decoder.decode(&again, &from)?;
        timings.decode.push(start.elapsed());
    }
    Ok(timings)
}

pub(crate) fn decode(bundle: &Bundle, stream: &[u8], options: &DecodeOptions) -> Result<Decoded> {
    let mut to = pinhole::DecodeOptions::default();
    to.decoder = options.decoder;
    to.scale = options.scale;
    to.conceal = options.conceal;
    to.max_pixels = options.max_pixels;
    let decoded = Decoder::new(bundle.parsed, threads(options.threads))?.decode(stream, &to)?;
    let get = |kind| decoded.metadata.get(kind).map(<[u8]>::to_vec);
    let metadata = Metadata {
        icc: get(MetadataKind::Icc),
        exif: get(MetadataKind::Exif),
        xmp: get(MetadataKind::Xmp),
    };
    let damaged_chunks = decoded.damaged.len();
    Ok(Decoded { picture: drawn(decoded.picture)?, metadata, damaged_chunks })
}

/// A decoder's picture as the rest of the program knows pictures.
pub(crate) fn drawn(picture: pinhole::Picture) -> Result<Picture> {
    let (width, height) = (picture.width(), picture.height());
    let (format, data) = match picture.format() {
        pinhole::PixelFormat::Gray8 => (PixelFormat::Gray8, picture.into_data()),
        pinhole::PixelFormat::Rgb8 => (PixelFormat::Rgb8, picture.into_data()),
        pinhole::PixelFormat::Rgba8 => (PixelFormat::Rgba8, picture.into_data()),
        pinhole::PixelFormat::GrayA8 => {
            let pixels = picture.data().chunks_exact(2);
            (PixelFormat::Rgba8, pixels.flat_map(|p| [p[0], p[0], p[0], p[1]]).collect())
        }
        other => return Err(anyhow!("samples of type {other:?} cannot be written")),
    };
    Ok(Picture { width, height, format, data })
}

/// Reads a stream's header; needs no model.
pub(crate) fn inspect(stream: &[u8]) -> Result<StreamInfo> {
    let parsed = Header::parse(stream)?;
    let header = parsed.header;
    // A damaged metadata section is the decoder's to report; the header stands without it.
    let metadata = parsed.metadata(stream).unwrap_or_default();
    let length = |kind| metadata.get(kind).map_or(0, |data| data.len() as u64);
    Ok(StreamInfo {
        width: header.width,
        height: header.height,
        format: match (header.colour, header.alpha) {
            (Colour::Gray8, false) => PixelFormat::Gray8,
            (_, true) => PixelFormat::Rgba8,
            _ => PixelFormat::Rgb8,
        },
        quality: f32::from(header.quality) / 100.0,
        chunk_rows: header.rows_per_chunk(),
        chunks: header.chunk_ids().len() as u32,
        latent_space: hex(&header.latent_space),
        icc_bytes: length(MetadataKind::Icc),
        exif_bytes: length(MetadataKind::Exif),
        xmp_bytes: length(MetadataKind::Xmp),
    })
}

/// A packed bundle and what the packer found when it checked it against the ONNX graphs.
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) report: Vec<String>,
}

/// What to make of an exported model.
#[cfg_attr(not(feature = "pack"), expect(dead_code))]
pub(crate) enum Packing {
    /// All of it.
    Whole,
    /// What encodes.
    EncoderOnly,
    /// Its int8 decoders, in this bundle.
    DecodersInto(Vec<u8>),
}

/// Lowers the ONNX graphs in `folder` into a bundle, checked on the middles of `pictures`.
#[cfg(feature = "pack")]
pub(crate) fn pack(folder: &Path, what: &Packing, pictures: &[Picture]) -> Result<Packed> {
    let rgb = |picture: &Picture| {
        let channels = picture.format.channels();
        let pixels = picture.data.chunks_exact(channels);
        let rgb = pixels.flat_map(|p| if channels == 1 { [p[0]; 3] } else { [p[0], p[1], p[2]] });
        pinhole_pack::Picture {
            width: picture.width as usize,
            height: picture.height as usize,
            rgb: rgb.collect(),
        }
    };
    let pictures: Vec<_> = pictures.iter().map(rgb).collect();
    let whole = |encoder_only| {
        pinhole_pack::pack(folder, &pictures, pinhole_pack::Options { encoder_only })
    };
    let packed = match what {
        Packing::Whole => whole(false),
        Packing::EncoderOnly => whole(true),
        Packing::DecodersInto(base) => pinhole_pack::pack_decoders(folder, base, &pictures),
    }?;
    let report = packed.report.to_string().lines().map(str::to_owned).collect();
    Ok(Packed { bytes: packed.bytes, report })
}

#[cfg(not(feature = "pack"))]
pub(crate) fn pack(_folder: &Path, _what: &Packing, _pictures: &[Picture]) -> Result<Packed> {
    Err(anyhow!("this program was built without the packer: build it with `--features pack`"))
}
