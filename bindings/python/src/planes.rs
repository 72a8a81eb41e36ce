//! Python's buffers as the codec's planes, without a copy.

use std::ops::Range;

use pinhole::format::MAX_SIDE;
use pinhole::{EncodeError, FrameFormat, PictureMut, PictureRef, Plane, PlaneMut};
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::error;

/// The bytes of a buffer that is one run of bytes.
///
/// # Errors
/// `ValueError` if there are gaps between its bytes.
pub(crate) fn bytes(buffer: &PyBuffer<u8>) -> PyResult<&[u8]> {
    if !buffer.is_c_contiguous() {
        return Err(PyValueError::new_err("the bytes must be contiguous"));
    }
    Ok(slice(buffer, buffer.len_bytes()))
}

/// The first `len` bytes of a buffer.
fn slice(buffer: &PyBuffer<u8>, len: usize) -> &[u8] {
    if len == 0 {
        return &[];
    }
    // SAFETY: callers pass a length within the memory that the buffer's shape and strides describe. Its exporter keeps
    // that memory where it is until the buffer is released, which the borrow prevents. That no other thread writes to
    // it meanwhile is up to the caller in Python, as with every extension that releases the GIL: the package's
    // documentation says so.
    unsafe { std::slice::from_raw_parts(buffer.buf_ptr().cast::<u8>().cast_const(), len) }
}

/// The planes of a picture in Python's memory: shapes and strides are checked, the samples stay where they are.
pub(crate) struct Planes {
    format: FrameFormat,
    width: u32,
    height: u32,
    planes: Vec<RawPlane>,
}

/// Rows of `row` bytes, `stride` apart. Invariant: `span` is within the buffer's memory.
struct RawPlane {
    buffer: PyBuffer<u8>,
    stride: usize,
    /// From the first byte of the first row to the last byte of the last.
    span: usize,
}

impl Planes {
    /// Takes one buffer of bytes for each plane of the format, of shape `(rows, columns)` or `(rows, columns, samples)`
    /// with samples and columns next to each other; rows may be any distance apart.
    ///
    /// # Errors
    /// `EncodeError` or `ValueError` for shapes and strides that do not fit the format.
    pub(crate) fn new(format: FrameFormat, buffers: Vec<PyBuffer<u8>>) -> PyResult<Self> {
        let planes = buffers.into_iter().map(RawPlane::new).collect::<PyResult<Vec<_>>>()?;
        let given = planes.len();
        let needed = format.planes();
        let Some(first) = planes.first().filter(|_| given == needed) else {
            return Err(error::encode(EncodeError::Planes { needed, given }));
        };
        let side = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
        let (height, columns, samples) = first.shape();
        let (width, height) = (side(columns), side(height));
        if width.max(height) > MAX_SIDE {
            return Err(error::encode(EncodeError::Dimensions { width, height }));
        }
        for (index, plane) in planes.iter().enumerate() {
            let (rows, columns, of_plane) = plane.shape();
            // Interleaved chroma may come as pairs or as a row of bytes.
            let fits = rows == format.plane_rows(index, height)
                && columns.saturating_mul(of_plane) == format.row_bytes(index, width)
                && (index > 0 || samples == format.row_bytes(0, 1));
            if !fits {
                let shape = plane.buffer.shape();
                let message = format!("plane {index}: {shape:?} is no shape for {format:?}");
                return Err(PyValueError::new_err(message));
            }
        }
        Ok(Planes { format, width, height, planes })
    }

    /// The picture.
    ///
    /// # Errors
    /// `EncodeError` for sides or depths out of range.
    pub(crate) fn picture(&self) -> PyResult<PictureRef<'_>> {
        let mut own = [Plane::default(); 3];
        for (to, from) in own.iter_mut().zip(&self.planes) {
            *to = Plane::new(slice(&from.buffer, from.span), from.stride);
        }
        let own = own.get(..self.planes.len()).unwrap_or_default();
        PictureRef::new(self.width, self.height, self.format, own).map_err(error::encode)
    }

    /// The picture to write to.
    ///
    /// # Errors
    /// `ValueError` if a plane is read-only, or overlaps another one or `input`, which is read meanwhile.
    pub(crate) fn picture_mut(&mut self, input: &[u8]) -> PyResult<PictureMut<'_>> {
        let mut taken = vec![range(input.as_ptr() as usize, input.len())];
        for plane in &self.planes {
            if plane.buffer.readonly() {
                return Err(PyValueError::new_err("the array to decode into is read-only"));
            }
            let own = range(plane.buffer.buf_ptr() as usize, plane.span);
            if taken.iter().any(|other| own.start < other.end && other.start < own.end) {
                let message =
                    "the planes to decode into share memory with each other or the stream";
                return Err(PyValueError::new_err(message));
            }
            taken.push(own);
        }
        let mut planes = self.planes.iter_mut().map(|plane| {
            let start = plane.buffer.buf_ptr().cast::<u8>();
            // SAFETY: the memory is valid for the reasons given in `slice`, and for writing because the buffer is not
            // read-only; `self` is borrowed mutably, and the loop above has made sure that neither the input nor
            // another plane is in this range. Samples are not empty, so the pointer is not null.
            let data = unsafe { std::slice::from_raw_parts_mut(start, plane.span) };
            PlaneMut::new(data, plane.stride)
        });
        let mut next = || planes.next().unwrap_or_default();
        let (width, height, format) = (self.width, self.height, self.format);
        let picture = match format.planes() {
            1 => PictureMut::new(width, height, format, [next()]),
            2 => PictureMut::new(width, height, format, [next(), next()]),
            _ => PictureMut::new(width, height, format, [next(), next(), next()]),
        };
        picture.map_err(error::encode)
    }
}

/// The addresses of `len` bytes.
fn range(start: usize, len: usize) -> Range<usize> {
    start..start.saturating_add(len)
}

impl RawPlane {
    fn new(buffer: PyBuffer<u8>) -> PyResult<Self> {
        let refuse = |why: &str| {
            let (shape, strides) = (buffer.shape(), buffer.strides());
            let message = format!("{why}: shape {shape:?}, strides {strides:?}");
            Err(PyValueError::new_err(message))
        };
        let &[rows, ref inner @ ..] = buffer.shape() else { return refuse("no rows") };
        if inner.is_empty() || inner.len() > 2 || buffer.suboffsets().is_some() {
            return refuse("rows, columns and samples are needed");
        }
        if rows == 0 || inner.contains(&0) {
            return refuse("an empty array");
        }
        let &[row_stride, ref strides @ ..] = buffer.strides() else { return refuse("no rows") };
        // Inner dimensions must be dense; the stride of one that has a single entry says nothing.
        let mut row: usize = 1;
        for (&len, &stride) in inner.iter().zip(strides).rev() {
            if len != 1 && usize::try_from(stride) != Ok(row) {
                return refuse("samples of a row must be next to each other");
            }
            row = row.saturating_mul(len);
        }
        let stride = if rows == 1 { row } else { usize::try_from(row_stride).unwrap_or(0) };
        if stride < row {
            return refuse("rows must follow each other from the top");
        }
        // Within memory that exists, this cannot overflow; where it would, it is no buffer.
        let span = (rows - 1).checked_mul(stride).and_then(|start| start.checked_add(row));
        match span.filter(|&span| isize::try_from(span).is_ok()) {
            Some(span) => Ok(RawPlane { buffer, stride, span }),
            None => refuse("too large"),
        }
    }

    /// Rows, columns, samples of a position.
    fn shape(&self) -> (usize, usize, usize) {
        match *self.buffer.shape() {
            [rows, columns] => (rows, columns, 1),
            [rows, columns, samples] => (rows, columns, samples),
            _ => (0, 0, 0),
        }
    }
}
