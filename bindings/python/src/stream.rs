//! A picture that arrives in bands of rows.

use std::sync::Mutex;

use pinhole::{EncodeError, FrameFormat};
use pinhole_owned::OwnedStream;
use pyo3::buffer::PyBuffer;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::encoder::Options;
use crate::error;
use crate::format::Format;
use crate::model::Model;
use crate::planes::Planes;

/// Encodes one picture of known size in bands of rows.
#[pyclass(module = "pinhole._native", frozen)]
pub(crate) struct StreamEncoder {
    height: u32,
    format: FrameFormat,
    /// None after an error that it cannot go on from.
    inner: Mutex<Option<OwnedStream>>,
}

#[pymethods]
impl StreamEncoder {
    #[new]
    fn new(
        model: &Model,
        width: u32,
        height: u32,
        format: Format,
        options: Options,
    ) -> PyResult<Self> {
        let format = format.parse()?;
        let stream = OwnedStream::new(model.get(), (width, height), format, &options.get()?);
        Ok(StreamEncoder {
            height,
            format,
            inner: Mutex::new(Some(stream.map_err(error::encode)?)),
        })
    }

    /// Takes the next rows; what of the file is ready.
    fn push<'py>(
        &self,
        py: Python<'py>,
        planes: Vec<PyBuffer<u8>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let planes = Planes::new(self.format, planes)?;
        let rows = planes.picture()?;
        let ready = py.detach(|| {
            let mut slot = error::lock(&self.inner)?;
            let stream = slot.as_mut().ok_or_else(|| error::encode(EncodeError::Broken))?;
            let mut ready = Vec::new();
            let pushed = stream.with(|s| s.push_rows(rows, &mut ready));
            if let Err(e) = pushed {
                use EncodeError::{OddRows, OtherRows, TooManyRows};
                if !matches!(e, OtherRows | TooManyRows { .. } | OddRows(_)) {
                    *slot = None;
                }
                return Err(error::encode(e));
            }
            Ok(ready)
        })?;
        Ok(PyBytes::new(py, &ready))
    }

    /// Rows pushed so far.
    #[getter]
    fn rows_pushed(&self, py: Python<'_>) -> PyResult<u32> {
        py.detach(|| match &mut *error::lock(&self.inner)? {
            Some(stream) => Ok(stream.with(|s| s.rows_pushed())),
            None => Err(error::encode(EncodeError::Broken)),
        })
    }

    /// Checks that the whole picture was pushed.
    fn finish(&self, py: Python<'_>) -> PyResult<()> {
        let (height, pushed) = (self.height, self.rows_pushed(py)?);
        if pushed < height {
            return Err(error::encode(EncodeError::MissingRows { height, pushed }));
        }
        Ok(())
    }
}
