//! Files of clients to pictures.

use std::io::Cursor;

use image::{ColorType, DynamicImage, ImageDecoder, ImageReader};
use pinhole::{Picture, PixelFormat};

use super::Carried;
use crate::error::{ApiError, Kind};

/// Largest pictures that are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputLimits {
    /// Width times height.
    pub max_pixels: u64,
    /// Width or height.
    pub max_side: u32,
}

/// Bytes per pixel that reading may take beside the picture: the reader's own buffers and 16-bit samples.
const BYTES_PER_PIXEL: u64 = 16;
/// Bytes that any picture may take: tables, palettes, profiles.
const BYTES: u64 = 4 << 20;

/// Reads a PNG, JPEG or WebP file. Samples become 8 bits; grey and alpha stay.
///
/// # Errors
/// [`Kind::UnsupportedType`] for other formats, [`Kind::TooManyPixels`] before anything of the picture's size is
/// allocated, [`Kind::Invalid`] for damaged files.
pub fn read(bytes: &[u8], limits: &InputLimits) -> Result<(Picture, Carried), ApiError> {
    let invalid = |e: &dyn std::fmt::Display| ApiError::new(Kind::Invalid, e.to_string());
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| invalid(&e))?;
    if reader.format().is_none() {
        let detail = "the body is no PNG, JPEG or WebP picture";
        return Err(ApiError::new(Kind::UnsupportedType, detail));
    }
    let mut own = image::Limits::default();
    own.max_alloc = Some(limits.max_pixels.saturating_mul(BYTES_PER_PIXEL).saturating_add(BYTES));
    reader.limits(own);
    let mut decoder = reader.into_decoder().map_err(|e| match e {
        image::ImageError::Unsupported(e) => ApiError::new(Kind::UnsupportedType, e.to_string()),
        e => invalid(&e),
    })?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels || width.max(height) > limits.max_side {
        let detail = format!(
            "{width}x{height} pixels; at most {} and {} a side",
            limits.max_pixels, limits.max_side
        );
        return Err(ApiError::new(Kind::TooManyPixels, detail));
    }
    // Broken metadata must not cost the picture.
    let carried = Carried {
        icc: decoder.icc_profile().unwrap_or_default(),
        exif: decoder.exif_metadata().unwrap_or_default(),
    };
    let image = DynamicImage::from_decoder(decoder).map_err(|e| invalid(&e))?;
    let (format, data) = match image.color() {
        ColorType::L8 | ColorType::L16 => (PixelFormat::Gray8, image.into_luma8().into_raw()),
        ColorType::La8 | ColorType::La16 => {
            (PixelFormat::GrayA8, image.into_luma_alpha8().into_raw())
        }
        color if color.has_alpha() => (PixelFormat::Rgba8, image.into_rgba8().into_raw()),
        _ => (PixelFormat::Rgb8, image.into_rgb8().into_raw()),
    };
    let picture = Picture::new(width, height, format, data).map_err(|e| invalid(&e))?;
    Ok((picture, carried))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{OutputFormat, write};

    fn png() -> Vec<u8> {
        let picture = Picture::new(8, 4, PixelFormat::Rgb8, vec![7; 96]).unwrap();
        write(&picture, &Carried::default(), OutputFormat::Png).unwrap()
    }

    #[test]
    fn limits_are_kept() {
        let ask = |max_pixels, max_side| {
            read(&png(), &InputLimits { max_pixels, max_side }).map_err(|error| error.kind())
        };
        assert!(ask(32, 8).is_ok());
        assert_eq!(ask(31, 8).unwrap_err(), Kind::TooManyPixels);
        assert_eq!(ask(32, 7).unwrap_err(), Kind::TooManyPixels);
    }

    #[test]
    fn hostile_bodies_are_told_apart() {
        let limits = InputLimits { max_pixels: 1 << 20, max_side: 1 << 12 };
        let ask = |bytes: &[u8]| read(bytes, &limits).unwrap_err().kind();
        assert_eq!(ask(b""), Kind::UnsupportedType);
        assert_eq!(ask(b"hello"), Kind::UnsupportedType);
        let whole = png();
        for length in 9..whole.len() - 12 {
            assert_eq!(ask(&whole[..length]), Kind::Invalid, "{length} bytes");
        }
        // A header that claims 4 gigapixels.
        let mut large = whole.clone();
        large[16..24].copy_from_slice(&[0, 1, 0, 0, 0, 1, 0, 0]);
        assert!(matches!(ask(&large), Kind::TooManyPixels | Kind::Invalid));
    }
}
