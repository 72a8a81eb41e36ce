//! Decoded pictures to files.

use image::codecs::{png, webp};
use image::{ExtendedColorType, ImageEncoder};
use pinhole::{Picture, PixelFormat};

use super::OutputFormat;

/// Quality of JPEG answers.
const JPEG_QUALITY: u8 = 95;
/// Largest side of a WebP file.
const WEBP_SIDE: u32 = 16_383;
/// Quality of AVIF answers, and the encoder's effort from 1 (most) to 10.
#[cfg(feature = "avif")]
const AVIF_QUALITY: u8 = 90;
#[cfg(feature = "avif")]
const AVIF_SPEED: u8 = 9;

/// What a stream carries beside the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// ICC profile.
    pub icc: Option<Vec<u8>>,
    /// Exif, from the TIFF header on.
    pub exif: Option<Vec<u8>>,
}

/// Why a picture cannot be written in a format.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The format has no place for alpha.
    #[error("JPEG holds no alpha: accept another format, such as image/png")]
    Alpha,
    /// JPEG counts sides in 16 bits, WebP in 14.
    #[error("{width}x{height} pixels are too many for this format")]
    Side {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The encoder refuses.
    #[error("{0}")]
    Encoder(String),
}

/// The file of a picture. Metadata that a format cannot hold is left out.
///
/// # Errors
/// [`WriteError`]
pub fn write(
    picture: &Picture,
    carried: &Carried,
    format: OutputFormat,
) -> Result<Vec<u8>, WriteError> {
    let mut bytes = Vec::new();
    match format {
        OutputFormat::Raw => bytes = picture.data().to_vec(),
        OutputFormat::Jpeg => return write_jpeg(picture, carried),
        OutputFormat::Png => {
            // The default takes five times as long as decoding, for a tenth fewer bytes.
            let kind = png::CompressionType::Fast;
            let filter = png::FilterType::Adaptive;
            with(png::PngEncoder::new_with_quality(&mut bytes, kind, filter), picture, carried)?;
        }
        OutputFormat::Webp => {
            let (width, height) = (picture.width(), picture.height());
            if width.max(height) > WEBP_SIDE {
                return Err(WriteError::Side { width, height });
            }
            with(webp::WebPEncoder::new_lossless(&mut bytes), picture, carried)?;
        }
        #[cfg(feature = "avif")]
        OutputFormat::Avif => {
            let encoder = image::codecs::avif::AvifEncoder::new_with_speed_quality(
                &mut bytes,
                AVIF_SPEED,
                AVIF_QUALITY,
            );
            with(encoder, picture, carried)?;
        }
        #[cfg(not(feature = "avif"))]
        OutputFormat::Avif => {
            return Err(WriteError::Encoder("built without AVIF".to_owned()));
        }
    }
    Ok(bytes)
}

fn with<E: ImageEncoder>(
    mut encoder: E,
    picture: &Picture,
    carried: &Carried,
) -> Result<(), WriteError> {
    if let Some(icc) = &carried.icc {
        let _ = encoder.set_icc_profile(icc.clone());
    }
    if let Some(exif) = &carried.exif {
        let _ = encoder.set_exif_metadata(exif.clone());
    }
    let color = match picture.format() {
        PixelFormat::Gray8 => ExtendedColorType::L8,
        PixelFormat::GrayA8 => ExtendedColorType::La8,
        PixelFormat::Rgb8 => ExtendedColorType::Rgb8,
        PixelFormat::Rgba8 => ExtendedColorType::Rgba8,
        other => return Err(WriteError::Encoder(format!("samples of kind {other:?}"))),
    };
    let written = encoder.write_image(picture.data(), picture.width(), picture.height(), color);
    written.map_err(|e| WriteError::Encoder(e.to_string()))
}

fn write_jpeg(picture: &Picture, carried: &Carried) -> Result<Vec<u8>, WriteError> {
    let color = match picture.format() {
        PixelFormat::Gray8 => jpeg_encoder::ColorType::Luma,
        PixelFormat::Rgb8 => jpeg_encoder::ColorType::Rgb,
        _ => return Err(WriteError::Alpha),
    };
    let side = |side: u32| {
        let (width, height) = (picture.width(), picture.height());
        u16::try_from(side).map_err(|_| WriteError::Side { width, height })
    };
    let (width, height) = (side(picture.width())?, side(picture.height())?);
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, JPEG_QUALITY);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    // Metadata too long for JPEG's segments must not cost the picture.
    if let Some(icc) = &carried.icc {
        let _ = encoder.add_icc_profile(icc);
    }
    if let Some(exif) = &carried.exif {
        let _ = encoder.add_exif_metadata(exif);
    }
    let encoded = encoder.encode(picture.data(), width, height, color);
    encoded.map_err(|e| WriteError::Encoder(e.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::{InputLimits, read};

    #[test]
    fn lossless_formats_give_back_the_pixels() {
        for format in
            [PixelFormat::Gray8, PixelFormat::GrayA8, PixelFormat::Rgb8, PixelFormat::Rgba8]
        {
            let n = 5 * 3 * format.channels();
            let data: Vec<u8> = (0..n).map(|i| (i * 7 % 251) as u8).collect();
            let picture = Picture::new(5, 3, format, data.clone()).unwrap();
            assert_eq!(write(&picture, &Carried::default(), OutputFormat::Raw).unwrap(), data);
            let png = write(&picture, &Carried::default(), OutputFormat::Png).unwrap();
            let back = read(&png, &InputLimits { max_pixels: 15, max_side: 5 }).unwrap();
            assert_eq!(back.0, picture);
            if format.has_alpha() {
                let jpeg = write(&picture, &Carried::default(), OutputFormat::Jpeg);
                assert!(matches!(jpeg, Err(WriteError::Alpha)));
            }
        }
    }

    #[test]
    fn profiles_travel() {
        let carried = Carried { icc: Some(vec![1; 200]), exif: None };
        let picture = Picture::new(2, 2, PixelFormat::Rgb8, vec![9; 12]).unwrap();
        for format in [OutputFormat::Png, OutputFormat::Webp, OutputFormat::Jpeg] {
            let file = write(&picture, &carried, format).unwrap();
            let back = read(&file, &InputLimits { max_pixels: 4, max_side: 2 }).unwrap();
            assert_eq!(back.1.icc, carried.icc, "{format}");
        }
    }
}
