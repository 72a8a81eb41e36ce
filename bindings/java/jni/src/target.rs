//! Pictures of Java to decode into.

use jni::Env;
use jni::objects::{JByteArray, JIntArray};
use pinhole::{PictureMut, PlaneMut};

use crate::failure::Failure;
use crate::picture::{Arrays, Buffers, Direct, Layout, direct, too_short, zeros};

enum Samples<'e> {
    /// Arrays can move while native code runs: they are filled afterwards.
    Array(JByteArray<'e>, Vec<u8>),
    /// Buffers stay where they are: they are filled in place.
    Direct(Direct),
}

impl Samples<'_> {
    fn bytes(&mut self) -> &mut [u8] {
        match self {
            Samples::Array(_, data) => data,
            // SAFETY: `direct` found the span within the buffer's capacity, `Target::find` that no other plane shares
            // it, and Java keeps the buffer until the native method returns, which is after the end of this borrow.
            // The Java side has refused read-only buffers; its documentation forbids to touch the memory meanwhile.
            Samples::Direct(d) => unsafe { std::slice::from_raw_parts_mut(d.start, d.len) },
        }
    }
}

/// A picture to decode into, as long as a native method runs.
pub(crate) struct Target<'e> {
    layout: Layout,
    planes: Vec<Samples<'e>>,
}

impl<'e> Target<'e> {
    /// Finds the planes; those in buffers must not overlap.
    pub(crate) fn find(
        env: &mut Env<'e>,
        layout: &JIntArray<'e>,
        arrays: &Arrays<'e>,
        buffers: &Buffers<'e>,
    ) -> Result<Self, Failure> {
        let layout = Layout::read(env, layout)?;
        let mut planes = Vec::with_capacity(layout.planes.len());
        let mut ranges: Vec<(usize, usize)> = Vec::new();
        for (index, &span) in layout.planes.iter().enumerate() {
            let array = arrays.get_element(env, index)?;
            if array.is_null() {
                let buffer = buffers.get_element(env, index)?;
                let found = direct(env, &buffer, span)?;
                let start = found.start.addr();
                let end = start.saturating_add(found.len);
                if ranges.iter().any(|&(s, e)| start < e && s < end) {
                    return Err(Failure::invalid("planes to decode into overlap"));
                }
                ranges.push((start, end));
                planes.push(Samples::Direct(found));
            } else {
                let (end, len) = (span.offset.saturating_add(span.len), array.len(env)?);
                if end > len {
                    return Err(too_short(end, len));
                }
                planes.push(Samples::Array(array, zeros(span.len)?));
            }
        }
        Ok(Target { layout, planes })
    }

    /// The picture to fill.
    pub(crate) fn picture(&mut self) -> Result<PictureMut<'_>, Failure> {
        let Layout { format, width, height, .. } = self.layout;
        let contiguous = self.layout.is_contiguous();
        let planes = match (&mut self.planes[..], contiguous) {
            ([samples], true) => {
                return Ok(PictureMut::contiguous(width, height, format, samples.bytes())?);
            }
            (planes, _) => planes,
        };
        let mut planes = planes.iter_mut().zip(&self.layout.planes);
        let mut next = || planes.next().map(|(s, span)| PlaneMut::new(s.bytes(), span.stride));
        Ok(match (next(), next(), next()) {
            (Some(a), None, None) => PictureMut::new(width, height, format, [a])?,
            (Some(a), Some(b), None) => PictureMut::new(width, height, format, [a, b])?,
            (Some(a), Some(b), Some(c)) => PictureMut::new(width, height, format, [a, b, c])?,
            _ => PictureMut::new(width, height, format, [])?,
        })
    }

    /// Copies what was decoded for arrays into these, but for the gaps between rows.
    pub(crate) fn write_back(&self, env: &Env<'e>) -> Result<(), Failure> {
        let contiguous = self.layout.is_contiguous();
        let Layout { format, width, .. } = self.layout;
        for (index, (samples, span)) in self.planes.iter().zip(&self.layout.planes).enumerate() {
            let Samples::Array(array, data) = samples else { continue };
            let row = format.row_bytes(index, width);
            // Without gaps the whole plane is one row.
            let stride = if contiguous || span.stride == row { data.len() } else { span.stride };
            for (y, bytes) in data.chunks(stride.max(1)).enumerate() {
                let own =
                    if stride == data.len() { bytes } else { bytes.get(..row).unwrap_or(bytes) };
                // The array's length fits an `int`, and `find` saw that the span is within it.
                let start = span.offset + y * stride;
                array.set_region(env, start as i32, bytemuck::cast_slice(own))?;
            }
        }
        Ok(())
    }
}
