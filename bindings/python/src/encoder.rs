//! Pictures to streams.

use std::sync::Mutex;

use pinhole::format::MetadataKind;
use pinhole::{Effort, EncodeOptions, Target, Tune};
use pinhole_owned::OwnedEncoder;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::PyBytes;

use crate::format::Format;
use crate::model::Model;
use crate::planes::Planes;
use crate::{error, pool};

/// How to encode, as a dictionary.
#[derive(FromPyObject)]
#[pyo3(from_item_all)]
pub(crate) struct Options {
    quality: f32,
    target_bytes: Option<u64>,
    effort: String,
    tune: String,
    chunk_rows: u32,
    icc: Option<PyBackedBytes>,
    exif: Option<PyBackedBytes>,
    xmp: Option<PyBackedBytes>,
}

impl Options {
    /// The codec's options.
    ///
    /// # Errors
    /// `EncodeError` for metadata that is too long, `ValueError` for an effort or a tune that there is not.
    pub(crate) fn get(&self) -> PyResult<EncodeOptions<'_>> {
        let mut to = EncodeOptions::default();
        to.quality = self.quality;
        to.target = self.target_bytes.map(Target::Bytes);
        to.effort = Effort::from_name(&self.effort).ok_or_else(|| {
            PyValueError::new_err(format!(
                "effort={:?} is none of fast, default, best",
                self.effort
            ))
        })?;
        to.tune = Tune::from_name(&self.tune).ok_or_else(|| {
            PyValueError::new_err(format!("tune={:?} is none of perceptual, psnr", self.tune))
        })?;
        to.chunk_rows = self.chunk_rows;
        let records = [
            (MetadataKind::Icc, &self.icc),
            (MetadataKind::Exif, &self.exif),
            (MetadataKind::Xmp, &self.xmp),
        ];
        for (kind, data) in records {
            if let Some(data) = data {
                to.metadata.push(kind, data).map_err(|e| error::encode(e.into()))?;
            }
        }
        Ok(to)
    }
}

/// Encodes with one model; keeps its buffers between pictures.
#[pyclass(module = "pinhole._native", frozen)]
pub(crate) struct Encoder {
    threads: usize,
    inner: Mutex<OwnedEncoder>,
}

#[pymethods]
impl Encoder {
    #[new]
    fn new(model: &Model, threads: usize) -> PyResult<Self> {
        let threads = pool::threads(threads);
        let inner = OwnedEncoder::new(model.get(), threads).map_err(error::encode)?;
        Ok(Encoder { threads, inner: Mutex::new(inner) })
    }

    /// Encodes the picture in `planes` to a whole file.
    fn encode<'py>(
        &self,
        py: Python<'py>,
        format: Format,
        planes: Vec<PyBuffer<u8>>,
        options: Options,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let planes = Planes::new(format.parse()?, planes)?;
        let picture = planes.picture()?;
        let options = options.get()?;
        let file = py.detach(|| {
            let mut handle = error::lock(&self.inner)?;
            let encoder = &mut *handle;
            let work = || encoder.with(|e| e.encode(picture, &options));
            pool::run(self.threads, work)?.map_err(error::encode)
        })?;
        Ok(PyBytes::new(py, &file))
    }
}
