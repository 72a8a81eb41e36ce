//! Camera formats with the shipped model: what folding costs, and bands with neighbours to look at.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::LazyLock;

use pinhole::{
    Bundle, Decoder, EncodeOptions, Encoder, FrameFormat, PictureMut, PictureRef, YuvMatrix,
    YuvRange, YuvSpace,
};

const MODEL: &[u8] = include_bytes!("../../models/zoo/photo/photo.pinm");
static BUNDLE: LazyLock<Bundle<'static>> = LazyLock::new(|| Bundle::parse(MODEL).unwrap());
const SIZE: (u32, u32) = (291, 215);

/// Soft colours, an edge, and some grain: every RGB colour is far from the ends of the range.
fn rgb() -> Vec<u8> {
    let mut noise = 7_u32;
    let mut data = Vec::new();
    for y in 0..SIZE.1 {
        for x in 0..SIZE.0 {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let (fx, fy) = (x as f32, y as f32);
            let wave = (fx / 19.0).sin() * 30.0 + (fy / 11.0 + fx / 50.0).cos() * 25.0;
            let edge = if (x / 60 + y / 45) % 2 == 0 { 20.0 } else { -15.0 };
            let texture = (fx * 0.9 + fy * 0.6).sin() * 8.0 + (noise >> 29) as f32;
            for c in 0..3 {
                let tint = (fx / 80.0 + fy / 60.0 + 2.0 * c as f32).sin() * 22.0;
                data.push((120.0 + wave + edge + texture + tint) as u8);
            }
        }
    }
    data
}

/// The sample picture in a format, through one decoder-independent path: the codec's own writer is not involved.
fn yuv(rgb: &[u8]) -> Vec<u8> {
    let (w, h) = (SIZE.0 as usize, SIZE.1 as usize);
    let pixel = |x: usize, y: usize| {
        let at = (y.min(h - 1) * w + x.min(w - 1)) * 3;
        [rgb[at], rgb[at + 1], rgb[at + 2]].map(f64::from)
    };
    let luma = |[r, g, b]: [f64; 3]| 0.299 * r + 0.587 * g + 0.114 * b;
    let mut out: Vec<u8> = (0..w * h).map(|i| luma(pixel(i % w, i / w)).round() as u8).collect();
    for y in 0..h.div_ceil(2) {
        for x in 0..w.div_ceil(2) {
            let four = [(0, 0), (1, 0), (0, 1), (1, 1)];
            let four = four.map(|(dx, dy)| pixel(2 * x + dx, 2 * y + dy));
            let mean: [f64; 3] =
                std::array::from_fn(|c| four.iter().map(|p| p[c]).sum::<f64>() / 4.0);
            out.push((128.0 + (mean[2] - luma(mean)) / 1.772).round() as u8);
            out.push((128.0 + (mean[0] - luma(mean)) / 1.402).round() as u8);
        }
    }
    out
}

/// What the samples mean, pixel by pixel.
fn back(nv12: &[u8]) -> Vec<u8> {
    let (w, h) = (SIZE.0 as usize, SIZE.1 as usize);
    let (luma, chroma) = nv12.split_at(w * h);
    let pixel = |i: usize| {
        let at = (i / w / 2 * w.div_ceil(2) + i % w / 2) * 2;
        let (y, u, v) =
            (f64::from(luma[i]), f64::from(chroma[at]) - 128.0, f64::from(chroma[at + 1]) - 128.0);
        [y + 1.402 * v, y - 0.344_136 * u - 0.714_136 * v, y + 1.772 * u]
            .map(|v| v.round().clamp(0.0, 255.0) as u8)
    };
    (0..w * h).flat_map(pixel).collect()
}

const QUALITY: f32 = 75.0;

fn options(quality: f32) -> EncodeOptions<'static> {
    let mut options = EncodeOptions::default();
    (options.quality, options.chunk_rows) = (quality, 64);
    options
}

fn encode_at(quality: f32, threads: usize, format: FrameFormat, data: &[u8]) -> Vec<u8> {
    let picture = PictureRef::contiguous(SIZE.0, SIZE.1, format, data).unwrap();
    Encoder::new(&BUNDLE, threads).unwrap().encode(picture, &options(quality)).unwrap()
}

fn encode(threads: usize, format: FrameFormat, data: &[u8]) -> Vec<u8> {
    encode_at(QUALITY, threads, format, data)
}

fn decode(format: FrameFormat, file: &[u8]) -> Vec<u8> {
    let mut data = vec![0; format.buffer_len(SIZE.0, SIZE.1) as usize];
    let picture = PictureMut::contiguous(SIZE.0, SIZE.1, format, &mut data).unwrap();
    Decoder::new(&BUNDLE, 2).unwrap().decode_into(file, &Default::default(), picture).unwrap();
    data
}

fn psnr(a: &[u8], b: &[u8]) -> f64 {
    let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (65025.0 * a.len() as f64 / sum).log10()
}

/// Bytes, and PSNR against `wanted` after decoding to `shown`.
fn measure(file: &[u8], shown: FrameFormat, wanted: &[u8]) -> (f64, f64) {
    (file.len() as f64, psnr(&decode(shown, file), wanted))
}

/// The share of its bytes by which `folded` needs more than the `exact` bytes at the exact PSNR, shown and compared as
/// [`measure`] does.
fn cost_of_folding(
    folded: (FrameFormat, &[u8]),
    exact: (f64, f64),
    shown: FrameFormat,
    wanted: &[u8],
) -> f64 {
    // What is lost in bytes may be gained in quality, so both are counted, by the slope of the folded encoder's curve.
    let at = |quality| measure(&encode_at(quality, 1, folded.0, folded.1), shown, wanted);
    let ((fewer, worse), (more, better)) = (at(QUALITY - 4.0), at(QUALITY + 4.0));
    let slope = (more / fewer).ln() / (better - worse);
    let needed = fewer.ln() + (exact.1 - worse) * slope;
    (needed - exact.0.ln()).exp_m1()
}

/// Folding costs less than 1.5 % of the bytes at equal PSNR, against conversion to RGB.
#[test]
fn folding_costs_next_to_nothing() {
    let nv12 = yuv(&rgb());
    let rgb = back(&nv12);
    let exact = measure(&encode(1, FrameFormat::Rgb8, &rgb), FrameFormat::Rgb8, &rgb);
    let folded = (FrameFormat::Nv12(YuvSpace::default()), &nv12[..]);
    let cost = cost_of_folding(folded, exact, FrameFormat::Rgb8, &rgb);
    println!("4:2:0: {:+.2} %", 100.0 * cost);
    assert!(cost < 0.015, "{cost}");

    let gray = &nv12[..(SIZE.0 * SIZE.1) as usize];
    let rgb: Vec<u8> = gray.iter().flat_map(|&v| [v; 3]).collect();
    let exact = measure(&encode(1, FrameFormat::Rgb8, &rgb), FrameFormat::Gray8, gray);
    let cost = cost_of_folding((FrameFormat::Gray8, gray), exact, FrameFormat::Gray8, gray);
    println!("grey: {:+.2} %", 100.0 * cost);
    assert!(cost < 0.015, "{cost}");
}

/// A picture in one space comes out in another with the same colours.
#[test]
fn spaces_convert_into_each_other() {
    let nv12 = yuv(&rgb());
    let file = encode(1, FrameFormat::Nv12(YuvSpace::default()), &nv12);
    let limited = YuvSpace { matrix: YuvMatrix::Bt709, range: YuvRange::Limited };
    let i420 = decode(FrameFormat::I420(limited), &file);
    let picture =
        PictureRef::contiguous(SIZE.0, SIZE.1, FrameFormat::I420(limited), &i420).unwrap();
    let again = Encoder::new(&BUNDLE, 1).unwrap().encode(picture, &options(QUALITY)).unwrap();
    let space = FrameFormat::Nv12(YuvSpace::default());
    let [once, twice] = [&file, &again].map(|file| decode(space, file));
    assert!(psnr(&once, &nv12) > 33.0 && psnr(&twice, &nv12) > 32.5);
}

/// The shipped transform looks at neighbouring rows: any bands give the bytes of the whole picture.
#[test]
fn bands_give_the_same_bytes() {
    let rgb = rgb();
    let nv12 = yuv(&rgb);
    let gray = &rgb[..(SIZE.0 * SIZE.1) as usize];
    let formats = [
        (FrameFormat::Rgb8, &rgb[..]),
        (FrameFormat::Nv12(YuvSpace::default()), &nv12),
        (FrameFormat::Gray8, gray),
    ];
    for (format, data) in formats {
        let whole = PictureRef::contiguous(SIZE.0, SIZE.1, format, data).unwrap();
        let file = encode(1, format, data);
        assert_eq!(encode(3, format, data), file);
        for rows in [2, 16, 30, 98] {
            let mut encoder = Encoder::new(&BUNDLE, 1).unwrap();
            let mut stream = encoder.stream(SIZE.0, SIZE.1, format, &options(QUALITY)).unwrap();
            let mut out = Vec::new();
            for y in (0..SIZE.1).step_by(rows) {
                let band = whole.rows(y..SIZE.1.min(y + rows as u32)).unwrap();
                stream.push_rows(band, &mut out).unwrap();
            }
            stream.finish().unwrap();
            assert_eq!(out, file, "{format:?} in bands of {rows}");
        }
    }
}
