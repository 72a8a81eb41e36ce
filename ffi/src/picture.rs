//! Pictures in the caller's memory.

use pinhole::format::MAX_SIDE;
use pinhole::{
    FrameFormat, PictureMut, PictureRef, Plane, PlaneMut, YuvMatrix, YuvRange, YuvSpace,
};

use crate::border::{bytes, bytes_mut, call, put};
use crate::sized::{self, Growing};
use crate::status::{Failure, PinholeError, PinholeStatus};

/// How samples lie in memory: the lowest byte of a `format` argument or field. The 4:2:0 formats may be combined
/// (with |) with PINHOLE_BT709 and PINHOLE_LIMITED_RANGE, PINHOLE_FORMAT_GRAY16 with a number of bits shifted by
/// PINHOLE_BITS_SHIFT. Values never change their meaning; later versions may add some.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholeFormat {
    /// One byte a pixel.
    Gray8 = 1,
    /// Grey and alpha, two bytes a pixel.
    GrayA8 = 2,
    /// One little-endian sample of two bytes a pixel, of which the lowest bits count: 16 of them, or as many (8 to 16)
    /// as `PINHOLE_FORMAT_GRAY16 | 12 << PINHOLE_BITS_SHIFT` says.
    Gray16 = 3,
    /// Red, green, blue: three bytes a pixel.
    Rgb8 = 4,
    /// Red, green, blue, alpha (not premultiplied): four bytes a pixel. Android's RGBA_8888.
    Rgba8 = 5,
    /// Blue, green, red, alpha (not premultiplied): four bytes a pixel.
    Bgra8 = 6,
    /// Two planes: luma; Cb and Cr interleaved, at half width and height (rounded up).
    Nv12 = 7,
    /// Two planes: luma; Cr and Cb interleaved. Android's cameras.
    Nv21 = 8,
    /// Three planes: luma; Cb; Cr.
    I420 = 9,
}

/// 4:2:0 samples are those of BT.709; without it those of BT.601.
pub const PINHOLE_BT709: u32 = 0x100;
/// 4:2:0 samples have limited range: luma 16 to 235, chroma 16 to 240. Without it full range, as in JPEG.
pub const PINHOLE_LIMITED_RANGE: u32 = 0x200;
/// Where the number of bits of PINHOLE_FORMAT_GRAY16 is.
pub const PINHOLE_BITS_SHIFT: u32 = 16;

/// One plane of a picture to be read: row y starts at byte y * stride.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholePlane {
    /// The first row.
    pub data: *const u8,
    /// Bytes from the start of a row to that of the next; at least the bytes of a row.
    pub stride: usize,
    /// Bytes that may be read from `data` on. The last row may end where its samples end; more does no harm.
    pub len: usize,
}

/// One plane of a picture to be written. Bytes between rows are left alone.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholePlaneMut {
    /// The first row.
    pub data: *mut u8,
    /// Bytes from the start of a row to that of the next; at least the bytes of a row.
    pub stride: usize,
    /// Bytes that may be written from `data` on.
    pub len: usize,
}

/// A picture in the caller's memory, to be read. The library keeps no pointer to it after a call.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeImage {
    /// sizeof(PinholeImage).
    pub size: usize,
    /// A PinholeFormat and its additions.
    pub format: u32,
    /// Pixels of a row, 1 to 65535.
    pub width: u32,
    /// Rows, 1 to 65535.
    pub height: u32,
    /// Must be 0.
    pub reserved: u32,
    /// As many planes as the format has; the others do not matter.
    pub planes: [PinholePlane; 3],
}

/// A picture in the caller's memory, to be written. Its planes must not overlap.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PinholeImageMut {
    /// sizeof(PinholeImageMut).
    pub size: usize,
    /// A PinholeFormat and its additions.
    pub format: u32,
    /// Pixels of a row, 1 to 65535.
    pub width: u32,
    /// Rows, 1 to 65535.
    pub height: u32,
    /// Must be 0.
    pub reserved: u32,
    /// As many planes as the format has; the others do not matter.
    pub planes: [PinholePlaneMut; 3],
}

const NO_PLANE: PinholePlane = PinholePlane { data: std::ptr::null(), stride: 0, len: 0 };
const NO_PLANE_MUT: PinholePlaneMut =
    PinholePlaneMut { data: std::ptr::null_mut(), stride: 0, len: 0 };

// SAFETY: integers and raw pointers, the first of them the size.
unsafe impl Growing for PinholeImage {
    const FIRST: usize = size_of::<Self>();

    fn defaults() -> Self {
        let size = size_of::<Self>();
        PinholeImage { size, format: 0, width: 0, height: 0, reserved: 0, planes: [NO_PLANE; 3] }
    }
}

// SAFETY: integers and raw pointers, the first of them the size.
unsafe impl Growing for PinholeImageMut {
    const FIRST: usize = size_of::<Self>();

    fn defaults() -> Self {
        let (size, planes) = (size_of::<Self>(), [NO_PLANE_MUT; 3]);
        PinholeImageMut { size, format: 0, width: 0, height: 0, reserved: 0, planes }
    }
}

/// The codec's word for a caller's number.
pub(crate) fn format_of(code: u32) -> Result<FrameFormat, Failure> {
    let (kind, bits) = (code & 0xff, code >> PINHOLE_BITS_SHIFT);
    let yuv = YuvSpace {
        matrix: if code & PINHOLE_BT709 == 0 { YuvMatrix::Bt601 } else { YuvMatrix::Bt709 },
        range: if code & PINHOLE_LIMITED_RANGE == 0 { YuvRange::Full } else { YuvRange::Limited },
    };
    const GRAY8: u32 = PinholeFormat::Gray8 as u32;
    const GRAYA8: u32 = PinholeFormat::GrayA8 as u32;
    const GRAY16: u32 = PinholeFormat::Gray16 as u32;
    const RGB8: u32 = PinholeFormat::Rgb8 as u32;
    const RGBA8: u32 = PinholeFormat::Rgba8 as u32;
    const BGRA8: u32 = PinholeFormat::Bgra8 as u32;
    const NV12: u32 = PinholeFormat::Nv12 as u32;
    const NV21: u32 = PinholeFormat::Nv21 as u32;
    const I420: u32 = PinholeFormat::I420 as u32;
    let (format, additions) = match kind {
        GRAY8 => (FrameFormat::Gray8, 0),
        GRAYA8 => (FrameFormat::GrayA8, 0),
        // The codec checks the number of bits.
        GRAY16 if bits <= 255 => {
            let bits = if bits == 0 { 16 } else { bits as u8 };
            (FrameFormat::Gray16 { bits }, 0xff << PINHOLE_BITS_SHIFT)
        }
        RGB8 => (FrameFormat::Rgb8, 0),
        RGBA8 => (FrameFormat::Rgba8, 0),
        BGRA8 => (FrameFormat::Bgra8, 0),
        NV12 => (FrameFormat::Nv12(yuv), PINHOLE_BT709 | PINHOLE_LIMITED_RANGE),
        NV21 => (FrameFormat::Nv21(yuv), PINHOLE_BT709 | PINHOLE_LIMITED_RANGE),
        I420 => (FrameFormat::I420(yuv), PINHOLE_BT709 | PINHOLE_LIMITED_RANGE),
        _ => return Err(Failure::invalid(format!("no format has number {code:#x}"))),
    };
    if code & !0xff & !additions != 0 {
        return Err(Failure::invalid(format!("format {code:#x}: additions that it does not take")));
    }
    Ok(format)
}

fn check_sides(width: u32, height: u32) -> Result<(), Failure> {
    if (1..=MAX_SIDE).contains(&width) && (1..=MAX_SIDE).contains(&height) {
        return Ok(());
    }
    Err(Failure::invalid(format!("{width}x{height} pixels: each side must be 1 to {MAX_SIDE}")))
}

/// Bytes that a plane's rows span, if its length suffices for them; the codec reports those that do not.
fn span(
    format: FrameFormat,
    (width, height): (u32, u32),
    plane: usize,
    (stride, len): (usize, usize),
) -> usize {
    let rows = format.plane_rows(plane, height).saturating_sub(1);
    stride.saturating_mul(rows).saturating_add(format.row_bytes(plane, width)).min(len)
}

fn check_reserved(reserved: u32) -> Result<(), Failure> {
    if reserved == 0 { Ok(()) } else { Err(Failure::invalid("image: `reserved` must be 0")) }
}

const PLANES: [&str; 3] = ["planes[0].data", "planes[1].data", "planes[2].data"];

/// The caller's picture as the codec reads it.
///
/// # Safety
/// Unless null, `image` is readable as [`sized::read`] says; its planes are readable as long as `'a`.
pub(crate) unsafe fn picture<'a>(image: *const PinholeImage) -> Result<PictureRef<'a>, Failure> {
    // SAFETY: as the caller says.
    let image = unsafe { sized::read(image, "image") }?;
    check_reserved(image.reserved)?;
    let format = format_of(image.format)?;
    check_sides(image.width, image.height)?;
    let mut planes = [Plane::default(); 3];
    for (i, (to, from)) in planes.iter_mut().zip(image.planes).enumerate().take(format.planes()) {
        let size = (image.width, image.height);
        let len = span(format, size, i, (from.stride, from.len));
        // SAFETY: the plane is readable.
        *to = Plane::new(unsafe { bytes(from.data, len, PLANES[i]) }?, from.stride);
    }
    Ok(PictureRef::new(image.width, image.height, format, &planes[..format.planes()])?)
}

/// The caller's picture as the codec writes it. Fails if planes overlap each other or `source`.
///
/// # Safety
/// Unless null, `image` is readable as [`sized::read`] says; its planes may be written as long as `'a`, and nobody
/// else uses them meanwhile.
pub(crate) unsafe fn picture_mut<'a>(
    image: *const PinholeImageMut,
    source: &[u8],
) -> Result<PictureMut<'a>, Failure> {
    // SAFETY: as the caller says.
    let image = unsafe { sized::read(image, "image") }?;
    check_reserved(image.reserved)?;
    let format = format_of(image.format)?;
    let (width, height) = (image.width, image.height);
    check_sides(width, height)?;
    let count = format.planes();
    let mut taken = vec![source.as_ptr_range()];
    for (i, plane) in image.planes.iter().enumerate().take(count) {
        let len = span(format, (width, height), i, (plane.stride, plane.len));
        let start = plane.data.cast_const();
        let own = start..start.wrapping_add(len);
        if taken.iter().any(|other| own.start < other.end && other.start < own.end) {
            return Err(Failure::invalid(format!(
                "{} overlaps another plane or the stream",
                PLANES[i]
            )));
        }
        taken.push(own);
    }
    let plane = |i: usize| -> Result<PlaneMut<'a>, Failure> {
        let PinholePlaneMut { data, stride, len } = image.planes[i];
        let len = span(format, (width, height), i, (stride, len));
        // SAFETY: the plane may be written, and overlaps no other.
        Ok(PlaneMut::new(unsafe { bytes_mut(data, len, PLANES[i]) }?, stride))
    };
    Ok(match count {
        1 => PictureMut::new(width, height, format, [plane(0)?]),
        2 => PictureMut::new(width, height, format, [plane(0)?, plane(1)?]),
        _ => PictureMut::new(width, height, format, [plane(0)?, plane(1)?, plane(2)?]),
    }?)
}

/// Start, stride and length of the planes of a picture without gaps in `len` bytes at `data`.
fn contiguous(
    format: FrameFormat,
    width: u32,
    height: u32,
    len: usize,
) -> [(usize, usize, usize); 3] {
    let mut start = 0;
    std::array::from_fn(|plane| {
        if plane >= format.planes() {
            return (0, 0, 0);
        }
        let stride = format.row_bytes(plane, width);
        let own = stride.saturating_mul(format.plane_rows(plane, height)).min(len - start);
        let this = (start, stride, own);
        start += own;
        this
    })
}

/// Describes a picture to be read whose rows and planes follow each other without gaps in `len` bytes at `data`
/// (pinhole_buffer_len tells how many are needed). `size` is sizeof(PinholeImage). Strides may be changed afterwards.
///
/// Fails with INVALID_ARGUMENT or BUFFER_TOO_SMALL, and then changes nothing. Keeps no pointer. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_image_init(
    image: *mut PinholeImage,
    size: usize,
    format: u32,
    width: u32,
    height: u32,
    data: *const u8,
    len: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        let known = fits(format, width, height, len)?;
        // SAFETY: the caller says that they may be read.
        let data = unsafe { bytes(data, len, "data") }?;
        let planes = contiguous(known, width, height, len).map(|(start, stride, len)| {
            let data = data.get(start..).map_or(std::ptr::null(), <[u8]>::as_ptr);
            if stride == 0 { NO_PLANE } else { PinholePlane { data, stride, len } }
        });
        let value = PinholeImage { format, width, height, planes, ..Growing::defaults() };
        // SAFETY: the caller says that the image has `size` bytes.
        unsafe { sized::write(image, size, value, "image") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// As pinhole_image_init, for a picture to be written. `size` is sizeof(PinholeImageMut).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_image_mut_init(
    image: *mut PinholeImageMut,
    size: usize,
    format: u32,
    width: u32,
    height: u32,
    data: *mut u8,
    len: usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        let known = fits(format, width, height, len)?;
        if data.is_null() {
            return Err(Failure::null("data"));
        }
        let planes = contiguous(known, width, height, len).map(|(start, stride, len)| {
            let data = data.wrapping_add(start);
            if stride == 0 { NO_PLANE_MUT } else { PinholePlaneMut { data, stride, len } }
        });
        let value = PinholeImageMut { format, width, height, planes, ..Growing::defaults() };
        // SAFETY: the caller says that the image has `size` bytes.
        unsafe { sized::write(image, size, value, "image") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

fn fits(format: u32, width: u32, height: u32, len: usize) -> Result<FrameFormat, Failure> {
    let format = format_of(format)?;
    check_sides(width, height)?;
    let needed = format.buffer_len(width, height);
    if (len as u64) < needed {
        let message = format!("{len} bytes of samples where {needed} are needed");
        return Err(Failure::new(PinholeStatus::BufferTooSmall, message));
    }
    Ok(format)
}

/// Bytes of a picture of this format and size without gaps between rows and planes, into `len`.
///
/// Fails with INVALID_ARGUMENT for an unknown format or a side that is not 1 to 65535. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_buffer_len(
    format: u32,
    width: u32,
    height: u32,
    len: *mut usize,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        let format = format_of(format)?;
        check_sides(width, height)?;
        let needed = usize::try_from(format.buffer_len(width, height))
            .map_err(|_| Failure::invalid("the picture is larger than this system's memory"))?;
        // SAFETY: the caller says that it may be written.
        unsafe { put(len, needed, "len") }
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_and_their_additions() {
        let video = YuvSpace { matrix: YuvMatrix::Bt709, range: YuvRange::Limited };
        let nv21 = PinholeFormat::Nv21 as u32;
        let gray16 = PinholeFormat::Gray16 as u32;
        let of = |code| format_of(code).ok();
        assert_eq!(of(nv21), Some(FrameFormat::Nv21(YuvSpace::default())));
        let code = nv21 | PINHOLE_BT709 | PINHOLE_LIMITED_RANGE;
        assert_eq!(of(code), Some(FrameFormat::Nv21(video)));
        assert_eq!(of(gray16), Some(FrameFormat::Gray16 { bits: 16 }));
        assert_eq!(of(gray16 | 12 << PINHOLE_BITS_SHIFT), Some(FrameFormat::Gray16 { bits: 12 }));
        let rgb = PinholeFormat::Rgb8 as u32;
        for bad in [0, 10, 255, rgb | PINHOLE_BT709, nv21 | 1 << 16, gray16 | 1 << 24, u32::MAX] {
            assert_eq!(of(bad), None, "{bad:#x}");
        }
    }

    #[test]
    fn overlapping_planes_are_refused() {
        let mut buffer = [0_u8; 64];
        let data = buffer.as_mut_ptr();
        let plane = |start| PinholePlaneMut { data: data.wrapping_add(start), stride: 4, len: 16 };
        let with = |chroma, source: &[u8]| {
            let mut image = PinholeImageMut { width: 4, height: 4, ..Growing::defaults() };
            image.format = PinholeFormat::Nv12 as u32;
            image.planes = [plane(0), plane(chroma), NO_PLANE_MUT];
            // SAFETY: the planes are within the buffer, which nothing else uses.
            unsafe { picture_mut(&image, source) }.is_ok()
        };
        assert!(with(16, &[]));
        assert!(!with(15, &[]));
        // SAFETY: only its address is looked at.
        assert!(!with(16, unsafe { std::slice::from_raw_parts(data.wrapping_add(20), 1) }));
    }
}
