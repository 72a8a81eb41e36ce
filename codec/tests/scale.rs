//! Pictures decoded at a fraction of their size, with the shipped model.
#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::LazyLock;

use pinhole::{
    Bundle, DecodeError, DecodeOptions, Decoder, EncodeOptions, Encoder, FrameFormat, Picture,
    PictureMut, PixelFormat, Scale,
};

const MODEL: &[u8] = include_bytes!("../../models/zoo/photo/photo.pinm");
static BUNDLE: LazyLock<Bundle<'static>> = LazyLock::new(|| Bundle::parse(MODEL).unwrap());

fn picture(width: u32, height: u32, format: PixelFormat) -> Picture {
    let n = format.channels();
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..n {
                let (fx, fy) = (x as f32, y as f32);
                let wave =
                    (fx / 13.0 + c as f32).sin() * 50.0 + (fy / 9.0 - fx / 40.0).cos() * 40.0;
                let edge = if (x / 37 + y / 29) % 2 == 0 { 20.0 } else { -20.0 };
                data.push((128.0 + wave + edge) as u8);
            }
        }
    }
    Picture::new(width, height, format, data).unwrap()
}

fn options(scale: Scale) -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.scale = scale;
    options
}

/// Means over squares, cut off at the edges.
fn shrunk(large: &Picture, factor: usize) -> Vec<f64> {
    let (w, h, n) = (large.width() as usize, large.height() as usize, large.format().channels());
    let mut out = Vec::new();
    for y in (0..h).step_by(factor) {
        for x in (0..w).step_by(factor) {
            for c in 0..n {
                let ys = y..(y + factor).min(h);
                let sum: Vec<f64> = ys
                    .flat_map(|y| (x..(x + factor).min(w)).map(move |x| (x, y)))
                    .map(|(x, y)| f64::from(large.data()[(y * w + x) * n + c]))
                    .collect();
                out.push(sum.iter().sum::<f64>() / sum.len() as f64);
            }
        }
    }
    out
}

#[test]
fn small_pictures_are_the_large_one_shrunk() {
    for (format, size) in [
        (PixelFormat::Rgb8, (203, 149)),
        (PixelFormat::Rgba8, (65, 300)),
        (PixelFormat::Gray8, (1, 7)),
    ] {
        let original = picture(size.0, size.1, format);
        let mut encode = EncodeOptions::default();
        encode.chunk_rows = 64;
        let file = Encoder::new(&BUNDLE, 1).unwrap().encode(&original, &encode).unwrap();
        let mut decoder = Decoder::new(&BUNDLE, 2).unwrap();
        let large = decoder.decode(&file, &Default::default()).unwrap().picture;
        for scale in [Scale::Half, Scale::Quarter, Scale::Eighth] {
            let small = decoder.decode(&file, &options(scale)).unwrap().picture;
            assert_eq!((small.width(), small.height()), (scale.side(size.0), scale.side(size.1)));
            let expected = shrunk(&large, scale.factor() as usize);
            assert_eq!(small.data().len(), expected.len());
            let errors = small.data().iter().zip(&expected).map(|(&a, b)| (f64::from(a) - b).abs());
            let mean = errors.clone().sum::<f64>() / expected.len() as f64;
            // Squares at the edges reach into the padding.
            assert!(mean < 1.5, "{format:?} {scale:?}: {mean}");
            let one = Decoder::new(&BUNDLE, 1).unwrap().decode(&file, &options(scale)).unwrap();
            assert_eq!(one.picture, small);
        }
    }
}

#[test]
fn callers_buffers_have_the_scaled_size() {
    let original = picture(100, 60, PixelFormat::Rgb8);
    let file = Encoder::new(&BUNDLE, 1).unwrap().encode(&original, &Default::default()).unwrap();
    let mut decoder = Decoder::new(&BUNDLE, 1).unwrap();
    let expected = decoder.decode(&file, &options(Scale::Quarter)).unwrap().picture;
    let mut buffer = vec![0; 25 * 15 * 3];
    let view = PictureMut::contiguous(25, 15, FrameFormat::Rgb8, &mut buffer).unwrap();
    decoder.decode_into(&file, &options(Scale::Quarter), view).unwrap();
    assert_eq!(buffer, expected.data());
    let mut buffer = vec![0; 100 * 60 * 3];
    let view = PictureMut::contiguous(100, 60, FrameFormat::Rgb8, &mut buffer).unwrap();
    let refused = decoder.decode_into(&file, &options(Scale::Quarter), view).unwrap_err();
    assert_eq!(refused, DecodeError::OtherSize { stream: (25, 15), picture: (100, 60) });
}
