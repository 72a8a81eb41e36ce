//! Names of sample formats.

use pinhole::{FrameFormat, YuvMatrix, YuvRange, YuvSpace};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// A format as Python names it: `(name, bits of deep grey, luma and chroma)`.
#[derive(FromPyObject)]
pub(crate) struct Format(String, u8, String);

impl Format {
    /// The codec's format.
    ///
    /// # Errors
    /// `ValueError` for names that are none.
    pub(crate) fn parse(&self) -> PyResult<FrameFormat> {
        let Format(name, bits, space) = self;
        let space = yuv_space(space)?;
        Ok(match name.as_str() {
            "gray" => FrameFormat::Gray8,
            "graya" => FrameFormat::GrayA8,
            "gray16" => FrameFormat::Gray16 { bits: *bits },
            "rgb" => FrameFormat::Rgb8,
            "rgba" => FrameFormat::Rgba8,
            "bgra" => FrameFormat::Bgra8,
            "nv12" => FrameFormat::Nv12(space),
            "nv21" => FrameFormat::Nv21(space),
            "i420" => FrameFormat::I420(space),
            other => return Err(PyValueError::new_err(format!("no sample format '{other}'"))),
        })
    }
}

fn yuv_space(name: &str) -> PyResult<YuvSpace> {
    let (matrix, range) = match name {
        "bt601-full" => (YuvMatrix::Bt601, YuvRange::Full),
        "bt601-limited" => (YuvMatrix::Bt601, YuvRange::Limited),
        "bt709-full" => (YuvMatrix::Bt709, YuvRange::Full),
        "bt709-limited" => (YuvMatrix::Bt709, YuvRange::Limited),
        other => return Err(PyValueError::new_err(format!("no luma and chroma '{other}'"))),
    };
    Ok(YuvSpace { matrix, range })
}
