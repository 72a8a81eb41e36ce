//! Pictures in memory.

use alloc::vec::Vec;

use crate::format::Colour;

use super::EncodeError;
use super::frame::check_size;

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
        check_size(width, height)?;
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
}
