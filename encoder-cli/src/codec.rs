//! The one place where the command line touches the codec and the model packer.
//!
//! Everything above works on the types of this module, so that a change in the codec's interface
//! ends here.
#![expect(dead_code, reason = "the codec is not linked yet")]

use std::path::Path;

use anyhow::{Result, bail};
use serde::Serialize;

/// Samples of one pixel, in memory order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PixelFormat {
    Gray8,
    Rgb8,
    Rgba8,
}

impl PixelFormat {
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
    pub(crate) chunk_rows: u32,
    /// 0 means one for each core.
    pub(crate) threads: usize,
    pub(crate) metadata: Metadata,
}

pub(crate) struct DecodeOptions {
    pub(crate) conceal: bool,
    pub(crate) max_pixels: u64,
    /// 0 means one for each core.
    pub(crate) threads: usize,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        DecodeOptions { conceal: false, max_pixels: 1 << 28, threads: 0 }
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
    /// Programs and decoders in the bundle, in order.
    pub(crate) parts: Vec<String>,
    /// The manifest's remaining fields (lineage, metrics), as pairs.
    pub(crate) lineage: Vec<(String, String)>,
}

/// A parsed model bundle.
pub(crate) struct Bundle {
    _private: (),
}

impl Bundle {
    /// The bundle inside this program.
    pub(crate) fn shipped() -> Result<Self> {
        not_linked()
    }

    pub(crate) fn parse(_bytes: Vec<u8>) -> Result<Self> {
        not_linked()
    }

    pub(crate) fn info(&self) -> BundleInfo {
        BundleInfo {
            name: String::new(),
            version: String::new(),
            latent_space: String::new(),
            bytes: 0,
            parts: Vec::new(),
            lineage: Vec::new(),
        }
    }

    /// Checks hashes and signature; the returned lines tell what was checked.
    pub(crate) fn verify(&self) -> Result<Vec<String>> {
        not_linked()
    }
}

/// The bundle in `path`, or the shipped one.
pub(crate) fn bundle(path: Option<&Path>) -> Result<Bundle> {
    match path {
        Some(path) => Bundle::parse(std::fs::read(path)?),
        None => Bundle::shipped(),
    }
}

/// Whether `bytes` begin like a Pinhole stream.
pub(crate) fn is_stream(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PINH")
}

pub(crate) fn encode(
    _bundle: &Bundle,
    _picture: &Picture,
    _options: &EncodeOptions,
) -> Result<Vec<u8>> {
    not_linked()
}

pub(crate) fn decode(
    _bundle: &Bundle,
    _stream: &[u8],
    _options: &DecodeOptions,
) -> Result<Decoded> {
    not_linked()
}

/// Reads a stream's header; needs no model.
pub(crate) fn inspect(_stream: &[u8]) -> Result<StreamInfo> {
    not_linked()
}

/// A packed bundle and what the packer found when it checked it against the ONNX graphs.
pub(crate) struct Packed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) report: Vec<String>,
}

/// Lowers the ONNX graphs in `folder` into a bundle.
pub(crate) fn pack(_folder: &Path, _encoder_only: bool) -> Result<Packed> {
    not_linked()
}

fn not_linked<T>() -> Result<T> {
    bail!("the codec is not linked into this build yet")
}
