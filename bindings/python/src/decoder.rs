//! Streams to pictures.

use std::sync::Mutex;

use pinhole::format::{ChunkId, ChunkKind, Colour, Header, Metadata, MetadataKind};
use pinhole::{DecodeOptions, Scale, Synthesis};
use pinhole_owned::OwnedDecoder;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::format::Format;
use crate::model::{Model, hex};
use crate::planes::{self, Planes};
use crate::{error, pool};

/// ICC profile, Exif, XMP.
type Records<'py> =
    (Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>, Option<Bound<'py, PyBytes>>);

/// Width, height, format, quality, rows of a chunk, chunks, latent space, metadata.
type Inspected<'py> = (u32, u32, &'static str, f64, u32, usize, String, Records<'py>);

/// How to decode, as Python passes it: `(decoder, scale, conceal, max_pixels)`.
#[derive(FromPyObject)]
pub(crate) struct Options(String, u32, bool, u64);

impl Options {
    /// The codec's options.
    ///
    /// # Errors
    /// `ValueError` for a decoder or a scale that there is not.
    fn parse(&self) -> PyResult<DecodeOptions> {
        let &Options(ref decoder, scale, conceal, max_pixels) = self;
        let mut options = DecodeOptions::default();
        options.decoder = Synthesis::from_name(decoder).ok_or_else(|| {
            PyValueError::new_err(format!("decoder={decoder:?} is none of standard, lite"))
        })?;
        options.scale = Scale::from_factor(scale)
            .ok_or_else(|| PyValueError::new_err(format!("scale={scale} is none of 1, 2, 4, 8")))?;
        options.conceal = conceal;
        options.max_pixels = max_pixels;
        Ok(options)
    }
}

/// Decodes with one model; keeps its buffers between streams.
#[pyclass(module = "pinhole._native", frozen)]
pub(crate) struct Decoder {
    threads: usize,
    inner: Mutex<OwnedDecoder>,
}

#[pymethods]
impl Decoder {
    #[new]
    fn new(model: &Model, threads: usize) -> PyResult<Self> {
        let threads = pool::threads(threads);
        let inner = OwnedDecoder::new(model.get(), threads).map_err(error::decode)?;
        Ok(Decoder { threads, inner: Mutex::new(inner) })
    }

    /// Decodes into `planes`; the metadata and the chunks that were concealed, as (band, kind).
    fn decode_into<'py>(
        &self,
        py: Python<'py>,
        data: PyBuffer<u8>,
        format: Format,
        planes: Vec<PyBuffer<u8>>,
        options: Options,
    ) -> PyResult<(Records<'py>, Vec<(u16, &'static str)>)> {
        let file = planes::bytes(&data)?;
        let mut planes = Planes::new(format.parse()?, planes)?;
        let picture = planes.picture_mut(file)?;
        let options = options.parse()?;
        let decoded = py.detach(|| {
            let mut handle = error::lock(&self.inner)?;
            let decoder = &mut *handle;
            let work = || decoder.with(|d| d.decode_into(file, &options, picture));
            pool::run(self.threads, work)?.map_err(error::decode)
        })?;
        let damaged = decoded.damaged.iter().map(|&ChunkId { band, kind }| (band, name(kind)));
        Ok((records(py, &decoded.metadata), damaged.collect()))
    }
}

fn name(kind: ChunkKind) -> &'static str {
    match kind {
        ChunkKind::Latents => "latents",
        ChunkKind::Alpha => "alpha",
        _ => "unknown",
    }
}

fn records<'py>(py: Python<'py>, metadata: &Metadata<'_>) -> Records<'py> {
    let get = |kind| metadata.get(kind).map(|data| PyBytes::new(py, data));
    (get(MetadataKind::Icc), get(MetadataKind::Exif), get(MetadataKind::Xmp))
}

/// Reads header and metadata from the beginning of a file; needs no model. Damaged metadata counts as none.
#[pyfunction]
pub(crate) fn inspect(py: Python<'_>, data: PyBuffer<u8>) -> PyResult<Inspected<'_>> {
    let file = planes::bytes(&data)?;
    let parsed = Header::parse(file).map_err(|e| error::decode(e.into()))?;
    let header = parsed.header;
    let format = match (header.colour, header.alpha) {
        (Colour::Gray8, false) => "gray",
        (Colour::Gray8, true) => "graya",
        (_, false) => "rgb",
        (_, true) => "rgba",
    };
    let metadata = parsed.metadata(file).unwrap_or_default();
    Ok((
        header.width,
        header.height,
        format,
        f64::from(header.quality) / 100.0,
        header.rows_per_chunk(),
        header.chunk_ids().len(),
        hex(&header.latent_space),
        records(py, &metadata),
    ))
}

/// How many bytes header and metadata have, from the first 32 bytes of a file (fewer if it is shorter).
#[pyfunction]
pub(crate) fn header_len(data: PyBuffer<u8>) -> PyResult<usize> {
    let parsed = Header::parse(planes::bytes(&data)?).map_err(|e| error::decode(e.into()))?;
    Ok(parsed.chunks_start())
}
