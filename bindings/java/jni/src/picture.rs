//! Pictures of Java: `byte[]`s and direct `ByteBuffer`s, described by an `int[]`.
//!
//! The description is format, bits of deep grey, matrix (0 is BT.601, 1 is BT.709), range (0 is full, 1 is limited),
//! width, height, then offset, length and stride of every plane in bytes. One plane of stride 0 stands for rows and
//! planes without gaps. Each plane lies in the array or else in the buffer of the same index.

use jni::Env;
use jni::objects::{JByteArray, JByteBuffer, JIntArray, JObjectArray};
use pinhole::{EncodeError, FrameFormat, PictureRef, Plane, YuvMatrix, YuvRange, YuvSpace};

use crate::failure::{Code, Failure};

const HEAD: usize = 6;
const PER_PLANE: usize = 3;

/// `byte[][]` and `ByteBuffer[]` as Java declares them.
pub(crate) type Arrays<'e> = JObjectArray<'e, JByteArray<'e>>;
pub(crate) type Buffers<'e> = JObjectArray<'e, JByteBuffer<'e>>;

/// Where a plane lies in its array or buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) offset: usize,
    pub(crate) len: usize,
    pub(crate) stride: usize,
}

/// What a picture looks like.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) format: FrameFormat,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) planes: Vec<Span>,
}

impl Layout {
    pub(crate) fn read(env: &Env<'_>, array: &JIntArray<'_>) -> Result<Self, Failure> {
        let len = array.len(env)?;
        if !(HEAD..=HEAD + 3 * PER_PLANE).contains(&len) {
            return Err(Failure::invalid(format!("a picture described by {len} numbers")));
        }
        let mut numbers = vec![0; len];
        array.get_region(env, 0, &mut numbers)?;
        Self::parse(&numbers)
    }

    fn parse(numbers: &[i32]) -> Result<Self, Failure> {
        let (head, planes) = numbers
            .split_first_chunk::<HEAD>()
            .ok_or_else(|| Failure::invalid("a picture without description"))?;
        let [code, bits, matrix, range, width, height] = *head;
        let refused = || EncodeError::Dimensions { width: width as u32, height: height as u32 };
        let width = u32::try_from(width).map_err(|_| refused())?;
        let height = u32::try_from(height).map_err(|_| refused())?;
        let format = format(code, bits, matrix, range)?;
        let mut spans = Vec::new();
        for plane in planes.chunks(PER_PLANE) {
            let numbers: Vec<usize> = plane.iter().flat_map(|&n| usize::try_from(n)).collect();
            let [offset, len, stride] = numbers[..] else {
                return Err(Failure::invalid(format!("a plane described by {plane:?}")));
            };
            spans.push(Span { offset, len, stride });
        }
        let mut layout = Layout { format, width, height, planes: spans };
        layout.clamp();
        Ok(layout)
    }

    /// Whether rows and planes follow each other without gaps.
    pub(crate) fn is_contiguous(&self) -> bool {
        matches!(self.planes[..], [Span { stride: 0, .. }])
    }

    /// Forgets what lies behind the last sample of each plane: it need not be copied.
    fn clamp(&mut self) {
        let &mut Layout { format, width, height, .. } = self;
        if self.is_contiguous() {
            let needed = usize::try_from(format.buffer_len(width, height)).unwrap_or(usize::MAX);
            self.planes.iter_mut().for_each(|span| span.len = span.len.min(needed));
            return;
        }
        for (plane, span) in self.planes.iter_mut().enumerate() {
            let rows = format.plane_rows(plane, height);
            let needed = span.stride.saturating_mul(rows.saturating_sub(1));
            span.len = span.len.min(needed.saturating_add(format.row_bytes(plane, width)));
        }
    }
}

/// The format of a code of `pinhole.PixelFormat`; the codes are those of the C library.
fn format(code: i32, bits: i32, matrix: i32, range: i32) -> Result<FrameFormat, Failure> {
    let matrix = if matrix == 0 { YuvMatrix::Bt601 } else { YuvMatrix::Bt709 };
    let range = if range == 0 { YuvRange::Full } else { YuvRange::Limited };
    let space = YuvSpace { matrix, range };
    Ok(match code {
        1 => FrameFormat::Gray8,
        2 => FrameFormat::GrayA8,
        3 => FrameFormat::Gray16 { bits: u8::try_from(bits).unwrap_or(u8::MAX) },
        4 => FrameFormat::Rgb8,
        5 => FrameFormat::Rgba8,
        6 => FrameFormat::Bgra8,
        7 => FrameFormat::Nv12(space),
        8 => FrameFormat::Nv21(space),
        9 => FrameFormat::I420(space),
        _ => return Err(Failure::invalid(format!("no format has the number {code}"))),
    })
}

/// Memory of a direct buffer.
#[derive(Clone, Copy)]
pub(crate) struct Direct {
    pub(crate) start: *mut u8,
    pub(crate) len: usize,
}

/// The part of a direct buffer that a plane lies in; within the buffer's capacity.
pub(crate) fn direct(
    env: &Env<'_>,
    buffer: &JByteBuffer<'_>,
    span: Span,
) -> Result<Direct, Failure> {
    let refused = || Failure::invalid("a ByteBuffer that is not direct");
    let start = env.get_direct_buffer_address(buffer).map_err(|_| refused())?;
    let capacity = env.get_direct_buffer_capacity(buffer).map_err(|_| refused())?;
    let end = span.offset.saturating_add(span.len);
    if start.is_null() || end > capacity {
        return Err(too_short(end, capacity));
    }
    // Within the buffer, as just checked, so the sum is an address.
    Ok(Direct { start: start.wrapping_add(span.offset), len: span.len })
}

pub(crate) fn too_short(end: usize, len: usize) -> Failure {
    Failure::new(Code::BufferTooSmall, format!("a plane ends at byte {end} of {len}"))
}

/// Zeros, or an error if there is no memory for them.
pub(crate) fn zeros(len: usize) -> Result<Vec<u8>, Failure> {
    let mut data = Vec::new();
    data.try_reserve_exact(len)
        .map_err(|_| Failure::new(Code::OutOfMemory, format!("no memory for {len} bytes")))?;
    data.resize(len, 0);
    Ok(data)
}

/// The samples of a plane to read.
enum Samples {
    /// Arrays can move while native code runs: they are copied.
    Copied(Vec<u8>),
    /// Buffers stay where they are: they are read in place.
    Direct(Direct),
}

impl Samples {
    fn bytes(&self) -> &[u8] {
        match self {
            Samples::Copied(data) => data,
            // SAFETY: `direct` found the span within the buffer's capacity, and Java keeps the buffer until the
            // native method returns, which is after the end of this borrow. `Plane`'s documentation forbids to write
            // to it meanwhile; who does so gets other pixels, as nothing decides about memory by them.
            Samples::Direct(d) => unsafe { std::slice::from_raw_parts(d.start, d.len) },
        }
    }
}

/// A picture to encode, as long as a native method runs.
pub(crate) struct Source {
    layout: Layout,
    planes: Vec<Samples>,
}

impl Source {
    /// Reads the description, copies what is in arrays and finds what is in buffers.
    pub(crate) fn read<'e>(
        env: &mut Env<'e>,
        layout: &JIntArray<'e>,
        arrays: &Arrays<'e>,
        buffers: &Buffers<'e>,
    ) -> Result<Self, Failure> {
        let layout = Layout::read(env, layout)?;
        let mut planes = Vec::with_capacity(layout.planes.len());
        for (index, &span) in layout.planes.iter().enumerate() {
            let array = arrays.get_element(env, index)?;
            planes.push(if array.is_null() {
                let buffer = buffers.get_element(env, index)?;
                Samples::Direct(direct(env, &buffer, span)?)
            } else {
                let (end, len) = (span.offset.saturating_add(span.len), array.len(env)?);
                if end > len {
                    return Err(too_short(end, len));
                }
                let mut data = zeros(span.len)?;
                // The offset fits: it came as an `int`.
                array.get_region(env, span.offset as i32, bytemuck::cast_slice_mut(&mut data))?;
                Samples::Copied(data)
            });
        }
        Ok(Source { layout, planes })
    }

    /// The picture.
    pub(crate) fn picture(&self) -> Result<PictureRef<'_>, Failure> {
        let Layout { format, width, height, .. } = self.layout;
        if let ([samples], true) = (&self.planes[..], self.layout.is_contiguous()) {
            return Ok(PictureRef::contiguous(width, height, format, samples.bytes())?);
        }
        let planes = self.planes.iter().zip(&self.layout.planes);
        let planes: Vec<_> = planes.map(|(s, span)| Plane::new(s.bytes(), span.stride)).collect();
        Ok(PictureRef::new(width, height, format, &planes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_checked_and_clamped() {
        let nv21 = Layout::parse(&[8, 0, 1, 1, 6, 3, 10, 1000, 8, 34, 1000, 8]).unwrap();
        let space = YuvSpace { matrix: YuvMatrix::Bt709, range: YuvRange::Limited };
        assert_eq!(nv21.format, FrameFormat::Nv21(space));
        let spans =
            [Span { offset: 10, len: 22, stride: 8 }, Span { offset: 34, len: 14, stride: 8 }];
        assert_eq!(nv21.planes, spans);
        assert!(!nv21.is_contiguous());
        let whole = Layout::parse(&[9, 0, 0, 0, 5, 5, 0, 99, 0]).unwrap();
        assert!(whole.is_contiguous());
        assert_eq!(whole.planes[0].len, 25 + 9 + 9);
        for bad in [
            &[4, 0, 0, 0, 5][..],
            &[0, 0, 0, 0, 5, 5],
            &[10, 0, 0, 0, 5, 5],
            &[4, 0, 0, 0, -5, 5],
            &[4, 0, 0, 0, 5, i32::MIN],
            &[4, 0, 0, 0, 5, 5, 0, 75],
            &[4, 0, 0, 0, 5, 5, -1, 75, 15],
            &[4, 0, 0, 0, 5, 5, 0, 75, i32::MIN],
        ] {
            assert_eq!(Layout::parse(bad).unwrap_err().code(), Code::InvalidArgument, "{bad:?}");
        }
    }

    #[test]
    fn too_much_memory_is_an_error() {
        assert_eq!(zeros(usize::MAX / 2).unwrap_err().code(), Code::OutOfMemory);
        assert_eq!(zeros(3).unwrap(), [0; 3]);
    }
}
