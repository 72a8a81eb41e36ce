//! Reading and writing pictures in the common formats.

use std::fs;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use image::codecs::{bmp, png, pnm, tiff, webp};
use image::{ColorType, DynamicImage, ExtendedColorType, ImageDecoder, ImageEncoder, ImageReader};

use crate::args::PictureFormat;
use crate::codec::{Metadata, Picture, PixelFormat};

/// A decoder may allocate this much; a picture that needs more is refused, not attempted.
const MAX_ALLOCATION: u64 = 4 << 30;
/// Quality of JPEG files that `decode` writes.
const JPEG_QUALITY: u8 = 95;
/// What precedes XMP in a JPEG APP1 segment.
const JPEG_XMP_HEADER: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
/// Payload bytes that one JPEG segment can hold.
const JPEG_SEGMENT_MAX: usize = 65_533;

/// A picture file's contents.
pub(crate) struct Loaded {
    pub(crate) picture: Picture,
    pub(crate) metadata: Metadata,
    /// What was changed or left out on reading, for `-v`.
    pub(crate) notes: Vec<String>,
}

/// A picture file ready to be written.
pub(crate) struct Written {
    pub(crate) bytes: Vec<u8>,
    /// What the format could not hold, for `-v`.
    pub(crate) notes: Vec<String>,
}

/// All of a file, or of standard input for `-`.
pub(crate) fn read_bytes(path: &Path) -> Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    fs::read(path).map_err(|error| anyhow!(plain(&error)))
}

/// The operating system's words without the error number.
pub(crate) fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.find(" (os error") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

/// Reads a picture of any format that its first bytes give away.
///
/// Grey stays grey and alpha stays; grey with alpha becomes RGBA, deeper samples become 8 bits.
pub(crate) fn parse(bytes: &[u8]) -> Result<Loaded> {
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format()?;
    let format = reader.format().ok_or_else(|| anyhow!("not a picture of a known format"))?;
    let mut limits = image::Limits::default();
    limits.max_alloc = Some(MAX_ALLOCATION);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;

    let mut notes = Vec::new();
    // Broken metadata must not cost the picture.
    let icc = decoder.icc_profile().unwrap_or_default();
    let exif = decoder.exif_metadata().unwrap_or_default();
    let xmp = decoder.xmp_metadata().unwrap_or_default();
    let image = DynamicImage::from_decoder(decoder)?;

    let color = image.color();
    if color.bytes_per_pixel() > color.channel_count() {
        let bits = 8 * color.bytes_per_pixel() / color.channel_count();
        notes.push(format!("{bits}-bit samples converted to 8 bits"));
    }
    let (width, height) = (image.width(), image.height());
    let (format_out, data) = match color {
        ColorType::L8 | ColorType::L16 => (PixelFormat::Gray8, image.into_luma8().into_raw()),
        ColorType::La8 | ColorType::La16 => {
            notes.push("grey with alpha stored as RGBA".to_owned());
            (PixelFormat::Rgba8, image.into_rgba8().into_raw())
        }
        ColorType::Rgba8 | ColorType::Rgba16 | ColorType::Rgba32F => {
            let data = image.into_rgba8().into_raw();
            // Every GIF is read as RGBA; most have no transparent pixel.
            let opaque = data.as_chunks::<4>().0.iter().all(|pixel| pixel[3] == 255);
            if format == image::ImageFormat::Gif && opaque {
                let rgb = data.as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]);
                (PixelFormat::Rgb8, rgb.collect())
            } else {
                (PixelFormat::Rgba8, data)
            }
        }
        _ => (PixelFormat::Rgb8, image.into_rgb8().into_raw()),
    };
    let icc = icc.filter(|profile| {
        let fits = profile_fits(profile, format_out);
        if !fits {
            notes.push("colour profile of another colour model left out".to_owned());
        }
        fits
    });
    let picture = Picture { width, height, format: format_out, data };
    Ok(Loaded { picture, metadata: Metadata { icc, exif, xmp }, notes })
}

/// Whether an ICC profile describes pixels of this format: a CMYK JPEG's profile, say, does not
/// describe the RGB that it was converted to. Bytes 16..20 of a profile name its colour space.
fn profile_fits(profile: &[u8], format: PixelFormat) -> bool {
    match profile.get(16..20) {
        Some(b"RGB ") => format != PixelFormat::Gray8,
        Some(b"GRAY") => format == PixelFormat::Gray8,
        _ => false,
    }
}

/// The format that a file name's suffix asks for.
pub(crate) fn format_of(path: &Path) -> Result<PictureFormat> {
    let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
    Ok(match suffix.to_ascii_lowercase().as_str() {
        "png" => PictureFormat::Png,
        "jpg" | "jpeg" => PictureFormat::Jpg,
        "webp" => PictureFormat::Webp,
        "ppm" | "pgm" | "pnm" | "pam" => PictureFormat::Ppm,
        "bmp" => PictureFormat::Bmp,
        "tif" | "tiff" => PictureFormat::Tiff,
        "" => bail!("no suffix to tell the picture format by (use --format)"),
        other => bail!("'.{other}' is no picture format that can be written (use --format)"),
    })
}

/// The suffix of files of this format.
pub(crate) fn suffix(format: PictureFormat, pixels: PixelFormat) -> &'static str {
    match format {
        PictureFormat::Png => "png",
        PictureFormat::Jpg => "jpg",
        PictureFormat::Webp => "webp",
        PictureFormat::Ppm => match pixels {
            PixelFormat::Gray8 => "pgm",
            PixelFormat::Rgb8 => "ppm",
            PixelFormat::Rgba8 => "pam",
        },
        PictureFormat::Bmp => "bmp",
        PictureFormat::Tiff => "tiff",
    }
}

/// Builds the file of `picture` in `format`, with what metadata the format can hold.
pub(crate) fn write(
    picture: &Picture,
    metadata: &Metadata,
    format: PictureFormat,
) -> Result<Written> {
    if format == PictureFormat::Jpg {
        return write_jpeg(picture, metadata);
    }
    let mut bytes = Vec::new();
    let mut out = Cursor::new(&mut bytes);
    let notes = match format {
        PictureFormat::Png => {
            // The default takes five times as long as decoding the picture, for a tenth fewer bytes.
            let kind = png::CompressionType::Fast;
            let encoder = png::PngEncoder::new_with_quality(out, kind, png::FilterType::Adaptive);
            write_with(encoder, picture, metadata)
        }
        PictureFormat::Webp => write_with(webp::WebPEncoder::new_lossless(out), picture, metadata),
        PictureFormat::Tiff => write_with(tiff::TiffEncoder::new(out), picture, metadata),
        PictureFormat::Bmp => write_with(bmp::BmpEncoder::new(&mut out), picture, metadata),
        PictureFormat::Ppm | PictureFormat::Jpg => {
            let encoder = pnm::PnmEncoder::new(out);
            let encoder = match picture.format {
                PixelFormat::Gray8 => {
                    encoder.with_subtype(pnm::PnmSubtype::Graymap(pnm::SampleEncoding::Binary))
                }
                PixelFormat::Rgb8 => {
                    encoder.with_subtype(pnm::PnmSubtype::Pixmap(pnm::SampleEncoding::Binary))
                }
                PixelFormat::Rgba8 => encoder.with_subtype(pnm::PnmSubtype::ArbitraryMap),
            };
            write_with(encoder, picture, metadata)
        }
    }?;
    Ok(Written { bytes, notes })
}

fn write_with(
    mut encoder: impl ImageEncoder,
    picture: &Picture,
    metadata: &Metadata,
) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    if let Some(icc) = &metadata.icc
        && encoder.set_icc_profile(icc.clone()).is_err()
    {
        notes.push("the format holds no colour profile; left out".to_owned());
    }
    if let Some(exif) = &metadata.exif
        && encoder.set_exif_metadata(exif.clone()).is_err()
    {
        notes.push("no Exif written in this format; left out".to_owned());
    }
    if metadata.xmp.is_some() {
        notes.push("no XMP written in this format; left out".to_owned());
    }
    let color = match picture.format {
        PixelFormat::Gray8 => ExtendedColorType::L8,
        PixelFormat::Rgb8 => ExtendedColorType::Rgb8,
        PixelFormat::Rgba8 => ExtendedColorType::Rgba8,
    };
    encoder.write_image(&picture.data, picture.width, picture.height, color)?;
    Ok(notes)
}

fn write_jpeg(picture: &Picture, metadata: &Metadata) -> Result<Written> {
    if picture.format == PixelFormat::Rgba8 {
        bail!("JPEG holds no alpha: choose another format, such as png or webp");
    }
    let mut notes = Vec::new();
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, JPEG_QUALITY);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_4_4);
    encoder.set_optimized_huffman_tables(true);
    encoder.set_progressive(true);
    if let Some(icc) = &metadata.icc
        && encoder.add_icc_profile(icc).is_err()
    {
        notes.push("colour profile too large for JPEG; left out".to_owned());
    }
    if let Some(exif) = &metadata.exif
        && encoder.add_exif_metadata(exif).is_err()
    {
        notes.push("Exif too large for JPEG; left out".to_owned());
    }
    if let Some(xmp) = &metadata.xmp {
        let segment = [JPEG_XMP_HEADER, xmp].concat();
        if segment.len() > JPEG_SEGMENT_MAX || encoder.add_app_segment(1, segment).is_err() {
            notes.push("XMP too large for JPEG; left out".to_owned());
        }
    }
    let color = match picture.format {
        PixelFormat::Gray8 => jpeg_encoder::ColorType::Luma,
        PixelFormat::Rgb8 | PixelFormat::Rgba8 => jpeg_encoder::ColorType::Rgb,
    };
    let (width, height) = jpeg_size(picture)?;
    encoder.encode(&picture.data, width, height, color)?;
    Ok(Written { bytes, notes })
}

/// The picture's size as JPEG counts it, 16 bits a side.
pub(crate) fn jpeg_size(picture: &Picture) -> Result<(u16, u16)> {
    let side = |side: u32| u16::try_from(side).context("JPEG holds at most 65535 pixels a side");
    Ok((side(picture.width)?, side(picture.height)?))
}

/// The colours alone, as RGB; grey becomes three equal samples.
pub(crate) fn to_rgb(picture: &Picture) -> Vec<u8> {
    match picture.format {
        PixelFormat::Gray8 => picture.data.iter().flat_map(|&v| [v, v, v]).collect(),
        PixelFormat::Rgb8 => picture.data.clone(),
        PixelFormat::Rgba8 => {
            picture.data.as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(format: PixelFormat) -> Picture {
        let data = (0..5 * 3 * format.channels()).map(|i| (i * 7 % 251) as u8).collect();
        Picture { width: 5, height: 3, format, data }
    }

    #[test]
    fn lossless_formats_give_back_pixels_and_kind() {
        for pixels in [PixelFormat::Gray8, PixelFormat::Rgb8, PixelFormat::Rgba8] {
            let before = picture(pixels);
            for format in [PictureFormat::Png, PictureFormat::Ppm, PictureFormat::Tiff] {
                let file = write(&before, &Metadata::default(), format).unwrap();
                let after = parse(&file.bytes).unwrap();
                assert_eq!(after.picture, before, "{format:?}");
                assert!(after.notes.is_empty());
            }
            // WebP and BMP know no grey; colours must agree all the same.
            for format in [PictureFormat::Webp, PictureFormat::Bmp] {
                let file = write(&before, &Metadata::default(), format).unwrap();
                let after = parse(&file.bytes).unwrap();
                assert_eq!(to_rgb(&after.picture), to_rgb(&before), "{format:?}");
            }
        }
    }

    #[test]
    fn profile_and_exif_travel_through_png_jpeg_and_webp() {
        let mut icc = vec![0; 128];
        icc[16..20].copy_from_slice(b"RGB ");
        let exif = b"II*\0\x08\0\0\0\0\0\0\0\0\0".to_vec();
        let metadata = Metadata { icc: Some(icc), exif: Some(exif), xmp: None };
        for format in [PictureFormat::Png, PictureFormat::Jpg, PictureFormat::Webp] {
            let file = write(&picture(PixelFormat::Rgb8), &metadata, format).unwrap();
            assert!(file.notes.is_empty(), "{format:?}: {:?}", file.notes);
            let after = parse(&file.bytes).unwrap();
            assert_eq!(after.metadata, metadata, "{format:?}");
        }
    }

    #[test]
    fn a_profile_of_another_colour_model_is_left_out() {
        let mut icc = vec![0; 128];
        icc[16..20].copy_from_slice(b"CMYK");
        let metadata = Metadata { icc: Some(icc), ..Metadata::default() };
        let file = write(&picture(PixelFormat::Rgb8), &metadata, PictureFormat::Png).unwrap();
        let after = parse(&file.bytes).unwrap();
        assert_eq!(after.metadata.icc, None);
        assert_eq!(after.notes.len(), 1);
    }

    #[test]
    fn sixteen_bits_become_eight_and_are_told() {
        let mut bytes = Vec::new();
        let samples: Vec<u8> =
            [0u16, 257, 0x8080, 0xffff].iter().flat_map(|v| v.to_ne_bytes()).collect();
        png::PngEncoder::new(&mut bytes)
            .write_image(&samples, 2, 2, ExtendedColorType::L16)
            .unwrap();
        let loaded = parse(&bytes).unwrap();
        assert_eq!(loaded.picture.format, PixelFormat::Gray8);
        assert_eq!(loaded.picture.data, [0, 1, 128, 255]);
        assert_eq!(loaded.notes, ["16-bit samples converted to 8 bits"]);
    }

    #[test]
    fn jpeg_refuses_alpha() {
        let refused = write(&picture(PixelFormat::Rgba8), &Metadata::default(), PictureFormat::Jpg);
        assert!(refused.is_err());
    }
}
