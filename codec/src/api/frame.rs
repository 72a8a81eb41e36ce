//! Borrowed pictures with strides: what cameras deliver and displays take.

use core::ops::Range;

use super::yuv::YuvSpace;
use super::{EncodeError, Picture, PixelFormat};
use crate::format::MAX_SIDE;

/// How the samples of a borrowed picture lie in memory.
///
/// Interleaved formats have one plane. The 4:2:0 formats have a plane of luma and half-size chroma: each chroma sample
/// stands for 2×2 pixels; an odd last column or row has chroma of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FrameFormat {
    /// One grey byte a pixel.
    Gray8,
    /// Grey and alpha.
    GrayA8,
    /// One grey sample of two bytes a pixel, little-endian, of which the lowest `bits` count (8..=16).
    ///
    /// Streams carry eight bits: a sample v becomes `round(255 · v / (2^bits − 1))`, higher ones become 255.
    Gray16 {
        /// Bits that count: 10, 12 and 14 are usual, 16 for the whole range.
        bits: u8,
    },
    /// Red, green, blue.
    Rgb8,
    /// Red, green, blue, alpha (not premultiplied).
    Rgba8,
    /// Blue, green, red, alpha (not premultiplied).
    Bgra8,
    /// Two planes: luma; Cb and Cr interleaved.
    Nv12(YuvSpace),
    /// Two planes: luma; Cr and Cb interleaved.
    Nv21(YuvSpace),
    /// Three planes: luma; Cb; Cr.
    I420(YuvSpace),
}

impl From<PixelFormat> for FrameFormat {
    fn from(format: PixelFormat) -> Self {
        match format {
            PixelFormat::Gray8 => Self::Gray8,
            PixelFormat::GrayA8 => Self::GrayA8,
            PixelFormat::Rgb8 => Self::Rgb8,
            PixelFormat::Rgba8 => Self::Rgba8,
        }
    }
}

impl FrameFormat {
    /// Number of planes, 1 to 3.
    pub fn planes(self) -> usize {
        match self {
            Self::Nv12(_) | Self::Nv21(_) => 2,
            Self::I420(_) => 3,
            _ => 1,
        }
    }

    /// Bytes of one row of plane number `plane` when a picture row has `width` pixels.
    pub fn row_bytes(self, plane: usize, width: u32) -> usize {
        let width = width as usize;
        let half = width.div_ceil(2);
        match (self, plane) {
            (Self::Nv12(_) | Self::Nv21(_), 1) => half.saturating_mul(2),
            (Self::I420(_), 1 | 2) => half,
            _ => width.saturating_mul(self.pixel_bytes()),
        }
    }

    /// Rows of plane number `plane` of a picture of `height` rows.
    pub fn plane_rows(self, plane: usize, height: u32) -> usize {
        let height = height as usize;
        if plane > 0 && self.is_subsampled() { height.div_ceil(2) } else { height }
    }

    /// Bytes of a whole picture without gaps between rows and planes.
    pub fn buffer_len(self, width: u32, height: u32) -> u64 {
        let plane =
            |p| (self.row_bytes(p, width) as u64).saturating_mul(self.plane_rows(p, height) as u64);
        (0..self.planes()).map(plane).fold(0, u64::saturating_add)
    }

    /// Whether a pixel has alpha.
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayA8 | Self::Rgba8 | Self::Bgra8)
    }

    /// Whether there is no colour. Streams of such pictures decode to grey ones.
    pub fn is_gray(self) -> bool {
        matches!(self, Self::Gray8 | Self::GrayA8 | Self::Gray16 { .. })
    }

    /// Whether chroma has half the width and height.
    pub fn is_subsampled(self) -> bool {
        matches!(self, Self::Nv12(_) | Self::Nv21(_) | Self::I420(_))
    }

    /// Bytes of a pixel in the first plane.
    pub(crate) fn pixel_bytes(self) -> usize {
        match self {
            Self::Rgb8 => 3,
            Self::Rgba8 | Self::Bgra8 => 4,
            Self::GrayA8 | Self::Gray16 { .. } => 2,
            _ => 1,
        }
    }

    /// Checks the depth of deep grey.
    pub(crate) fn check_bits(self) -> Result<(), EncodeError> {
        match self {
            Self::Gray16 { bits } if !(8..=16).contains(&bits) => Err(EncodeError::Bits(bits)),
            _ => Ok(()),
        }
    }

    /// Checks one plane's stride and length.
    fn check_plane(
        self,
        (width, height): (u32, u32),
        plane: usize,
        stride: usize,
        len: usize,
    ) -> Result<(), EncodeError> {
        let row = self.row_bytes(plane, width);
        if stride < row {
            return Err(EncodeError::Stride { plane, stride, needed: row });
        }
        // The last row may end where its samples end.
        let rows = self.plane_rows(plane, height) as u64;
        let needed = (stride as u64).saturating_mul(rows - 1).saturating_add(row as u64);
        if (len as u64) < needed {
            return Err(EncodeError::Buffer { needed, available: len });
        }
        Ok(())
    }

    /// Checks what all kinds of pictures must fulfil.
    pub(crate) fn check(
        self,
        width: u32,
        height: u32,
        planes: impl ExactSizeIterator<Item = (usize, usize)>,
    ) -> Result<(), EncodeError> {
        check_size(width, height)?;
        self.check_bits()?;
        if planes.len() != self.planes() {
            return Err(EncodeError::Planes { needed: self.planes(), given: planes.len() });
        }
        for (plane, (stride, len)) in planes.enumerate() {
            self.check_plane((width, height), plane, stride, len)?;
        }
        Ok(())
    }
}

/// Sides must be 1..=65535.
pub(crate) fn check_size(width: u32, height: u32) -> Result<(), EncodeError> {
    if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
        return Err(EncodeError::Dimensions { width, height });
    }
    Ok(())
}

/// One plane: row y starts at byte `y · stride`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plane<'a> {
    /// The rows; the last one need not be followed by its gap.
    pub data: &'a [u8],
    /// Bytes from the start of one row to that of the next; at least [`FrameFormat::row_bytes`].
    pub stride: usize,
}

impl<'a> Plane<'a> {
    /// A plane of rows that start `stride` bytes apart.
    pub fn new(data: &'a [u8], stride: usize) -> Self {
        Plane { data, stride }
    }
}

/// A borrowed picture.
///
/// ```
/// use pinhole::{FrameFormat, PictureRef, Plane, YuvSpace};
///
/// // An NV12 camera buffer, 6×4 pixels, rows 8 bytes apart, chroma right behind luma.
/// let buffer = [128; 8 * 4 + 8 * 2];
/// let (luma, chroma) = buffer.split_at(8 * 4);
/// let format = FrameFormat::Nv12(YuvSpace::default());
/// let planes = [Plane::new(luma, 8), Plane::new(chroma, 8)];
/// let picture = PictureRef::new(6, 4, format, &planes)?;
/// assert_eq!(picture.height(), 4);
/// # Ok::<(), pinhole::EncodeError>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct PictureRef<'a> {
    width: u32,
    height: u32,
    format: FrameFormat,
    planes: [Plane<'a>; 3],
}

impl<'a> PictureRef<'a> {
    /// A picture of `width × height` pixels, each side 1..=65535, in as many planes as the format has.
    ///
    /// # Errors
    /// [`EncodeError::Dimensions`], [`EncodeError::Bits`], [`EncodeError::Planes`], [`EncodeError::Stride`] for a
    /// stride shorter than a row, [`EncodeError::Buffer`] for a plane that ends before its last row does.
    pub fn new(
        width: u32,
        height: u32,
        format: FrameFormat,
        planes: &[Plane<'a>],
    ) -> Result<Self, EncodeError> {
        format.check(width, height, planes.iter().map(|p| (p.stride, p.data.len())))?;
        let mut own = [Plane::default(); 3];
        own.iter_mut().zip(planes).for_each(|(to, from)| *to = *from);
        Ok(PictureRef { width, height, format, planes: own })
    }

    /// A picture whose rows and planes follow each other in `data` without gaps.
    ///
    /// # Errors
    /// As [`PictureRef::new`]; `data` must have [`FrameFormat::buffer_len`] bytes at least.
    pub fn contiguous(
        width: u32,
        height: u32,
        format: FrameFormat,
        data: &'a [u8],
    ) -> Result<Self, EncodeError> {
        check_size(width, height)?;
        let mut planes = [Plane::default(); 3];
        let mut rest = data;
        for (index, plane) in planes.iter_mut().enumerate().take(format.planes()) {
            let stride = format.row_bytes(index, width);
            let len = stride.saturating_mul(format.plane_rows(index, height)).min(rest.len());
            (plane.data, rest) = rest.split_at(len);
            plane.stride = stride;
        }
        Self::new(width, height, format, &planes[..format.planes()])
    }

    /// Some of its rows; `None` if there are none of them, or they are not within the picture, or the first is odd
    /// and the format is subsampled.
    pub fn rows(&self, rows: Range<u32>) -> Option<PictureRef<'a>> {
        let subsampled = self.format.is_subsampled();
        if rows.is_empty() || rows.end > self.height || (subsampled && rows.start % 2 == 1) {
            return None;
        }
        let mut part = PictureRef { height: rows.end - rows.start, ..*self };
        for (index, plane) in part.planes.iter_mut().enumerate() {
            plane.data = &plane.data[self.format.plane_rows(index, rows.start) * plane.stride..];
        }
        Some(part)
    }

    /// Pixels per row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// How the samples lie.
    pub fn format(&self) -> FrameFormat {
        self.format
    }

    /// The samples of a plane's row `y`, of its last row below that. The constructors have checked the lengths.
    pub(crate) fn row(&self, plane: usize, y: usize) -> &'a [u8] {
        let y = y.min(self.format.plane_rows(plane, self.height) - 1);
        let Plane { data, stride } = self.planes[plane];
        &data[y * stride..][..self.format.row_bytes(plane, self.width)]
    }
}

impl<'a> From<&'a Picture> for PictureRef<'a> {
    fn from(picture: &'a Picture) -> Self {
        let format = FrameFormat::from(picture.format());
        let stride = format.row_bytes(0, picture.width());
        let plane = Plane::new(picture.data(), stride);
        PictureRef {
            width: picture.width(),
            height: picture.height(),
            format,
            planes: [plane, Plane::default(), Plane::default()],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_views_are_named() {
        let data = [0; 100];
        let view = |w, h, format, planes: &[Plane<'_>]| {
            PictureRef::new(w, h, format, planes).map(|_| ()).unwrap_err()
        };
        let rgb = FrameFormat::Rgb8;
        let nv12 = FrameFormat::Nv12(YuvSpace::default());
        let plane = |len, stride| Plane::new(&data[..len], stride);
        assert_eq!(
            view(3, 2, rgb, &[plane(100, 8)]),
            EncodeError::Stride { plane: 0, stride: 8, needed: 9 }
        );
        assert_eq!(
            view(3, 2, rgb, &[plane(18, 10)]),
            EncodeError::Buffer { needed: 19, available: 18 }
        );
        assert_eq!(view(3, 2, nv12, &[plane(100, 8)]), EncodeError::Planes { needed: 2, given: 1 });
        assert_eq!(
            view(3, 3, nv12, &[plane(9, 3), plane(7, 4)]),
            EncodeError::Buffer { needed: 8, available: 7 }
        );
        let deep = FrameFormat::Gray16 { bits: 17 };
        assert_eq!(view(3, 3, deep, &[plane(18, 6)]), EncodeError::Bits(17));
        assert!(matches!(view(0, 3, rgb, &[]), EncodeError::Dimensions { .. }));
        let huge = Plane::new(&data, usize::MAX);
        assert!(matches!(view(3, 65535, rgb, &[huge]), EncodeError::Buffer { .. }));
        assert!(PictureRef::contiguous(3, 3, nv12, &data[..17]).is_ok());
        assert!(PictureRef::contiguous(3, 3, nv12, &data[..16]).is_err());
    }

    #[test]
    fn rows_of_a_view() {
        let data: [u8; 24] = core::array::from_fn(|i| i as u8);
        let i420 = FrameFormat::I420(YuvSpace::default());
        let whole = PictureRef::contiguous(4, 4, i420, &data).unwrap();
        let part = whole.rows(2..4).unwrap();
        assert_eq!(part.row(0, 0), [8, 9, 10, 11]);
        assert_eq!(part.row(1, 0), [18, 19]);
        assert_eq!(part.row(2, 9), [22, 23]);
        assert!(whole.rows(1..4).is_none() && whole.rows(2..5).is_none());
    }
}
