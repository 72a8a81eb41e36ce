//! `pinhole figure`: original, JPEG and Pinhole side by side at the same number of bytes, or what several decoders draw.

use anyhow::{Result, bail};
use noto_sans_mono_bitmap::{FontWeight, RasterHeight, get_raster, get_raster_width};

use super::encode::bytes_for;
use super::{about, bpp, bundle};
use crate::args::{FigureArgs, Metric};
use crate::codec::{self, DecodeOptions, EncodeOptions, Metadata, Picture, PixelFormat, Rate};
use crate::drawer::Drawer;
use crate::metrics::Reference;
use crate::output;
use crate::picture;
use crate::report::{Failure, Outcome};

/// White space around and between the panels.
const MARGIN: u32 = 12;
const LINE_HEIGHT: u32 = 20;
const CAPTION_LINES: u32 = 2;
const FONT_SIZE: RasterHeight = RasterHeight::Size16;

pub(crate) fn run(args: &FigureArgs) -> Outcome {
    let format = picture::format_of(&args.output)
        .map_err(|error| Failure::Usage(format!("{}: {error}", args.output.display())))?;
    let bundle = bundle(args.model.as_deref())?;
    let draw = || -> Result<()> {
        let bytes = picture::read_bytes(&args.input)?;
        let original = opaque(&picture::parse(&bytes)?.picture);
        let stream = encoded(&bundle, &original, args.bpp)?;
        let mut panels = vec![Panel::original(&original, bytes.len())];
        if args.decoders.is_empty() {
            let jpeg = jpeg_of_size(&original, stream.len())?;
            let decoded = picture::parse(&jpeg)?.picture;
            panels.push(Panel::scored("JPEG", &original, decoded, jpeg.len())?);
            let drawn = codec::decode(&bundle, &stream, &DecodeOptions::default())?.picture;
            panels.push(Panel::scored("Pinhole", &original, drawn, stream.len())?);
        }
        for decoder in &args.decoders {
            let model = if decoder.is_float() { None } else { args.model.as_deref() };
            let mut drawer = Drawer::new(*decoder, None, model, DecodeOptions::default())?;
            let drawn = drawer.decode(&stream)?.picture;
            panels.push(Panel::scored(decoder.name(), &original, drawn, stream.len())?);
        }
        let crop = Crop::choose(&original, args.crop_size, args.crop_at)?;
        let figure = compose(&panels, crop, args.zoom);
        let file = picture::write(&figure, &Metadata::default(), format)?;
        output::write_file(&args.output, &file.bytes)
    };
    draw().map_err(about(&args.input))
}

/// The picture as RGB; transparent parts become white, as a page shows them.
fn opaque(picture: &Picture) -> Picture {
    let data = match picture.format {
        PixelFormat::Gray8 | PixelFormat::Rgb8 => picture::to_rgb(picture),
        PixelFormat::Rgba8 => {
            let over_white = |&[r, g, b, a]: &[u8; 4]| {
                let over = |v: u8| {
                    ((u32::from(v) * u32::from(a) + 255 * (255 - u32::from(a)) + 127) / 255) as u8
                };
                [over(r), over(g), over(b)]
            };
            picture.data.as_chunks::<4>().0.iter().flat_map(over_white).collect()
        }
    };
    Picture { width: picture.width, height: picture.height, format: PixelFormat::Rgb8, data }
}

/// The stream of about so many bits per pixel.
fn encoded(bundle: &codec::Bundle, original: &Picture, bpp: f64) -> Result<Vec<u8>> {
    let options = EncodeOptions {
        effort: pinhole::Effort::Default,
        tune: pinhole::Tune::default(),
        rate: Rate::Bytes(bytes_for(bpp, original.pixels())),
        chunk_rows: pinhole::EncodeOptions::DEFAULT_CHUNK_ROWS,
        threads: 0,
        metadata: Metadata::default(),
    };
    codec::encode(bundle, original, &options)
}

/// The JPEG nearest to `target` bytes: progressive, 4:2:0, optimised Huffman tables.
fn jpeg_of_size(original: &Picture, target: usize) -> Result<Vec<u8>> {
    // Size grows with quality: find the first quality that reaches the target.
    let (mut low, mut high) = (1u8, 100u8);
    while low < high {
        let middle = low + (high - low) / 2;
        if jpeg(original, middle)?.len() < target {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    let reaching = jpeg(original, low)?;
    let below = jpeg(original, low.saturating_sub(1).max(1))?;
    let nearer = below.len().abs_diff(target) < reaching.len().abs_diff(target);
    Ok(if nearer { below } else { reaching })
}

fn jpeg(original: &Picture, quality: u8) -> Result<Vec<u8>> {
    let (width, height) = picture::jpeg_size(original)?;
    let mut bytes = Vec::new();
    let mut encoder = jpeg_encoder::Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(jpeg_encoder::SamplingFactor::R_4_2_0);
    encoder.set_progressive(true);
    encoder.set_optimized_huffman_tables(true);
    encoder.encode(&original.data, width, height, jpeg_encoder::ColorType::Rgb)?;
    Ok(bytes)
}

struct Panel {
    title: String,
    caption: String,
    picture: Picture,
}

impl Panel {
    fn original(picture: &Picture, bytes: usize) -> Self {
        let caption = format!("{} bytes", grouped(bytes));
        Panel { title: "Original".to_owned(), caption, picture: picture.clone() }
    }

    fn scored(title: &str, original: &Picture, picture: Picture, bytes: usize) -> Result<Self> {
        let metrics = [Metric::Ssimulacra2];
        let scores = Reference::new(original, &metrics)?.score(&picture, &metrics)?;
        let score = scores.ssimulacra2.unwrap_or_default();
        let title = format!("{title}, SSIMULACRA2 {score:.1}");
        let rate = bpp(bytes, picture.pixels());
        let caption = format!("{} bytes, {rate:.2} bits/pixel", grouped(bytes));
        Ok(Panel { title, caption, picture })
    }
}

/// 12345 as "12,345".
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The part of the picture that is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Crop {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
}

impl Crop {
    /// The wanted place, or the window of the original with the most structure.
    ///
    /// Only the original decides, so that the crop favours no codec. Structure is the horizontal
    /// and vertical differences, each capped so that one hard edge does not outweigh a texture.
    fn choose(original: &Picture, size: (u32, u32), at: Option<(u32, u32)>) -> Result<Self> {
        let (width, height) = (size.0.min(original.width), size.1.min(original.height));
        let (free_x, free_y) = (original.width - width, original.height - height);
        if let Some((left, top)) = at {
            if left > free_x || top > free_y {
                bail!("no {width}x{height} crop at {left},{top} in this picture");
            }
            return Ok(Crop { left, top, width, height });
        }
        const CAP: u32 = 24;
        const STEP: usize = 8;
        let table = SummedArea::of(original, |here, right, below| {
            u64::from(here.abs_diff(right).min(CAP) + here.abs_diff(below).min(CAP))
        });
        let places = |free: u32| (0..=free).step_by(STEP);
        let best = places(free_y)
            .flat_map(|top| places(free_x).map(move |left| Crop { left, top, width, height }))
            .max_by_key(|crop| table.sum(*crop));
        Ok(best.unwrap_or(Crop { left: 0, top: 0, width, height }))
    }
}

/// Sums over rectangles in constant time.
struct SummedArea {
    /// Invariant: `(height + 1) · stride` sums of everything above and left.
    sums: Vec<u64>,
    stride: usize,
}

impl SummedArea {
    /// `value` is given each pixel's luma with that of its right and lower neighbours.
    fn of(picture: &Picture, value: impl Fn(u32, u32, u32) -> u64) -> Self {
        let (width, height) = (picture.width as usize, picture.height as usize);
        let luma: Vec<u32> = picture
            .data
            .as_chunks::<3>()
            .0
            .iter()
            .map(|&[r, g, b]| (77 * u32::from(r) + 150 * u32::from(g) + 29 * u32::from(b)) >> 8)
            .collect();
        let stride = width + 1;
        let mut sums = vec![0; (height + 1) * stride];
        for y in 0..height {
            let mut row = 0;
            for x in 0..width {
                let here = luma[y * width + x];
                let right = luma[y * width + (x + 1).min(width - 1)];
                let below = luma[(y + 1).min(height - 1) * width + x];
                row += value(here, right, below);
                sums[(y + 1) * stride + x + 1] = sums[y * stride + x + 1] + row;
            }
        }
        SummedArea { sums, stride }
    }

    fn sum(&self, crop: Crop) -> u64 {
        let at = |x: u32, y: u32| self.sums[y as usize * self.stride + x as usize];
        let (right, bottom) = (crop.left + crop.width, crop.top + crop.height);
        at(right, bottom) + at(crop.left, crop.top) - at(right, crop.top) - at(crop.left, bottom)
    }
}

/// The crop of every panel in a row on white, each with its caption below.
fn compose(panels: &[Panel], crop: Crop, zoom: u32) -> Picture {
    let (panel_width, panel_height) = (crop.width * zoom, crop.height * zoom);
    let count = panels.len() as u32;
    let width = count * panel_width + (count + 1) * MARGIN;
    let height = 2 * MARGIN + panel_height + MARGIN / 2 + CAPTION_LINES * LINE_HEIGHT;
    let mut canvas = Canvas::white(width, height);
    for (index, panel) in (0u32..).zip(panels) {
        let left = MARGIN + index * (panel_width + MARGIN);
        for y in 0..panel_height {
            for x in 0..panel_width {
                let (from_x, from_y) = (crop.left + x / zoom, crop.top + y / zoom);
                let from = 3 * (from_y as usize * panel.picture.width as usize + from_x as usize);
                canvas.set(left + x, MARGIN + y, &panel.picture.data[from..from + 3]);
            }
        }
        let below = MARGIN + panel_height + MARGIN / 2;
        canvas.text(left, below, panel_width, &panel.title, FontWeight::Bold);
        canvas.text(left, below + LINE_HEIGHT, panel_width, &panel.caption, FontWeight::Regular);
    }
    canvas.0
}

struct Canvas(Picture);

impl Canvas {
    fn white(width: u32, height: u32) -> Self {
        let data = vec![255; 3 * width as usize * height as usize];
        Canvas(Picture { width, height, format: PixelFormat::Rgb8, data })
    }

    fn set(&mut self, x: u32, y: u32, rgb: &[u8]) {
        let at = 3 * (y as usize * self.0.width as usize + x as usize);
        self.0.data[at..at + 3].copy_from_slice(rgb);
    }

    /// Black on white; what does not fit in `room` pixels is left out.
    fn text(&mut self, left: u32, top: u32, room: u32, text: &str, weight: FontWeight) {
        let advance = get_raster_width(weight, FONT_SIZE) as u32;
        for (index, letter) in (0..room / advance).zip(text.chars()) {
            let Some(glyph) = get_raster(letter, weight, FONT_SIZE) else { continue };
            for (y, row) in (top..).zip(glyph.rows()) {
                for (x, ink) in (left + index * advance..).zip(row) {
                    self.set(x, y, &[255 - ink; 3]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Grey with a checked square at (64, 32) of 32 pixels a side.
    fn picture() -> Picture {
        let mut data = Vec::new();
        for y in 0..96 {
            for x in 0..128 {
                let inside = (64..96).contains(&x) && (32..64).contains(&y);
                let v = if inside && (x + y) % 2 == 0 { 160 } else { 128 };
                data.extend([v; 3]);
            }
        }
        Picture { width: 128, height: 96, format: PixelFormat::Rgb8, data }
    }

    #[test]
    fn the_crop_finds_the_detail() {
        let crop = Crop::choose(&picture(), (32, 32), None).unwrap();
        assert_eq!(crop, Crop { left: 64, top: 32, width: 32, height: 32 });
        let whole = Crop::choose(&picture(), (500, 500), None).unwrap();
        assert_eq!(whole, Crop { left: 0, top: 0, width: 128, height: 96 });
        assert!(Crop::choose(&picture(), (32, 32), Some((97, 0))).is_err());
    }

    #[test]
    fn jpeg_comes_near_the_wanted_size() {
        let picture = picture();
        let (small, large) = (jpeg(&picture, 20).unwrap().len(), jpeg(&picture, 90).unwrap().len());
        let wanted = (small + large) / 2;
        let found = jpeg_of_size(&picture, wanted).unwrap().len();
        assert!(found.abs_diff(wanted) < wanted / 10, "{found} for {wanted}");
        assert_eq!(jpeg_of_size(&picture, 1).unwrap(), jpeg(&picture, 1).unwrap());
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!([7, 123, 1234, 1_234_567].map(grouped), ["7", "123", "1,234", "1,234,567"]);
    }

    #[test]
    fn the_figure_has_room_for_all_panels() {
        let panel = || Panel::original(&picture(), 1000);
        let crop = Crop { left: 0, top: 0, width: 40, height: 30 };
        let figure = compose(&[panel(), panel(), panel()], crop, 2);
        assert_eq!(figure.width, 3 * 80 + 4 * MARGIN);
        assert_eq!(figure.data.len(), 3 * figure.pixels() as usize);
    }
}
