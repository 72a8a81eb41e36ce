//! Pictures in memory.

use alloc::vec::Vec;

use crate::format::{Colour, MAX_SIDE};

use super::EncodeError;

/// How the samples of a pixel lie in memory; 8 bits each, sRGB unless an ICC profile says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PixelFormat {
    /// One grey sample.
    Gray8,
    /// Grey and alpha.
    GrayA8,
    /// Red, green, blue.
    Rgb8,
    /// Red, green, blue, alpha (not premultiplied).
    Rgba8,
}

impl PixelFormat {
    /// Samples (bytes) per pixel, alpha included.
    pub fn channels(self) -> usize {
        match self {
            Self::Gray8 => 1,
            Self::GrayA8 => 2,
            Self::Rgb8 => 3,
            Self::Rgba8 => 4,
        }
    }

    /// Whether the last sample of a pixel is alpha.
    pub fn has_alpha(self) -> bool {
        matches!(self, Self::GrayA8 | Self::Rgba8)
    }

    /// Whether there is one colour sample only.
    pub fn is_gray(self) -> bool {
        matches!(self, Self::Gray8 | Self::GrayA8)
    }

    pub(crate) fn colour(self) -> Colour {
        if self.is_gray() { Colour::Gray8 } else { Colour::Rgb8 }
    }

    pub(crate) fn of(colour: Colour, alpha: bool) -> Self {
        match (colour, alpha) {
            (Colour::Gray8, false) => Self::Gray8,
            (Colour::Gray8, true) => Self::GrayA8,
            (Colour::Rgb8, false) => Self::Rgb8,
            (Colour::Rgb8, true) => Self::Rgba8,
        }
    }
}

/// A picture: rows from top to bottom without gaps, pixels from left to right, samples interleaved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    width: u32,
    height: u32,
    format: PixelFormat,
    data: Vec<u8>,
}

impl Picture {
    /// A picture of `width × height` pixels, each side 1..=65535.
    ///
    /// # Errors
    /// [`EncodeError::Dimensions`], or [`EncodeError::Buffer`] if `data` is not `width · height · channels` bytes.
    pub fn new(
        width: u32,
        height: u32,
        format: PixelFormat,
        data: Vec<u8>,
    ) -> Result<Self, EncodeError> {
        if !(1..=MAX_SIDE).contains(&width) || !(1..=MAX_SIDE).contains(&height) {
            return Err(EncodeError::Dimensions { width, height });
        }
        let needed = u64::from(width) * u64::from(height) * format.channels() as u64;
        if data.len() as u64 != needed {
            return Err(EncodeError::Buffer { needed, available: data.len() });
        }
        Ok(Picture { width, height, format, data })
    }

    /// Pixels per row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Order of the samples.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// The samples.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The samples, by value.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }

    /// Row `y`, or the last one below the picture.
    pub(crate) fn row(&self, y: usize) -> &[u8] {
        let len = self.width as usize * self.format.channels();
        let y = y.min(self.height as usize - 1);
        &self.data[y * len..][..len]
    }

    /// Row `y` as RGB into `out` (a whole number of pixels), rows and columns beyond the edges repeating the last.
    pub(crate) fn rgb_row(&self, y: usize, out: &mut [u8]) {
        let row = self.row(y);
        let channels = self.format.channels();
        if self.format == PixelFormat::Rgb8 {
            let len = row.len().min(out.len());
            out[..len].copy_from_slice(&row[..len]);
        } else {
            let gray = self.format.is_gray();
            for (from, to) in row.chunks_exact(channels).zip(out.chunks_exact_mut(3)) {
                to.copy_from_slice(&if gray { [from[0]; 3] } else { [from[0], from[1], from[2]] });
            }
        }
        let width = self.width as usize;
        if out.len() > width * 3 {
            let (inside, beyond) = out.split_at_mut(width * 3);
            let last = [inside[width * 3 - 3], inside[width * 3 - 2], inside[width * 3 - 1]];
            beyond.chunks_exact_mut(3).for_each(|p| p.copy_from_slice(&last));
        }
    }

    /// The alpha samples of some rows.
    pub(crate) fn alpha_rows(&self, rows: core::ops::Range<usize>) -> Vec<u8> {
        let channels = self.format.channels();
        rows.flat_map(|y| self.row(y).chunks_exact(channels).map(move |p| p[channels - 1]))
            .collect()
    }
}
