//! Decoding in two steps: to latents, and from latents to pictures.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use pinhole::bundle::Parts;
use pinhole::{
    Bundle, DecodeError, DecodeOptions, Decoder, EncodeOptions, Encoder, LatentDecoder, Picture,
    PixelFormat, Scale, Synthesis,
};

fn picture(width: u32, height: u32, format: PixelFormat) -> Picture {
    let len = (width * height) as usize * format.channels();
    let data = (0..len).map(|i| ((i * 7 / 5 + i / 700) % 256) as u8).collect();
    Picture::new(width, height, format, data).unwrap()
}

fn encoded(bundle: &Bundle<'_>, picture: &Picture) -> Vec<u8> {
    let mut options = EncodeOptions::default();
    options.chunk_rows = 64;
    Encoder::new(bundle, 1).unwrap().encode(picture, &options).unwrap()
}

#[test]
fn two_steps_are_one() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    let mut decoder = Decoder::new(&bundle, 2).unwrap();
    let formats = [PixelFormat::Gray8, PixelFormat::GrayA8, PixelFormat::Rgb8, PixelFormat::Rgba8];
    for format in formats {
        let stream = encoded(&bundle, &picture(75, 203, format));
        for scale in [Scale::Full, Scale::Half, Scale::Eighth] {
            for synthesis in Synthesis::ALL {
                let mut options = DecodeOptions::default();
                (options.scale, options.decoder) = (scale, synthesis);
                let whole = decoder.decode(&stream, &options).unwrap().picture;
                let latents = decoder.latents(&stream, &options).unwrap();
                assert_eq!((latents.rows(), latents.columns()), (13, 5));
                assert_eq!(latents.values().len(), 13 * 5 * latents.channels());
                assert!(latents.symbols() > 0 && latents.escapes() <= latents.symbols());
                assert_eq!(decoder.picture(&latents, &options).unwrap(), whole);
            }
        }
    }
}

#[test]
fn lost_chunks_are_concealed_alike() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    let mut decoder = Decoder::new(&bundle, 1).unwrap();
    let mut stream = encoded(&bundle, &picture(64, 300, PixelFormat::Rgba8));
    let middle = stream.len() / 2;
    stream[middle] ^= 0x40;
    let mut options = DecodeOptions::default();
    assert!(decoder.latents(&stream, &options).is_err());
    options.conceal = true;
    let latents = decoder.latents(&stream, &options).unwrap();
    let whole = decoder.decode(&stream, &options).unwrap();
    assert!(!whole.damaged.is_empty());
    assert_eq!(latents.damaged(), whole.damaged);
    assert_eq!(decoder.picture(&latents, &options).unwrap(), whole.picture);
}

#[test]
fn latents_need_no_synthesis() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    let stream = encoded(&bundle, &picture(64, 64, PixelFormat::Rgb8));
    let slim = bundle.slim(&Parts::default()).unwrap().to_bytes();
    let slim = Bundle::parse(&slim).unwrap();
    assert!(Decoder::new(&slim, 1).is_err());
    let options = DecodeOptions::default();
    let latents = LatentDecoder::new(&slim, 1).decode(&stream, &options).unwrap();
    let expected = Decoder::new(&bundle, 1).unwrap().latents(&stream, &options).unwrap();
    assert_eq!(latents, expected);
}

#[test]
fn latents_of_another_space_are_refused() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    let stream = encoded(&bundle, &picture(64, 64, PixelFormat::Rgb8));
    let options = DecodeOptions::default();
    let latents = Decoder::new(&bundle, 1).unwrap().latents(&stream, &options).unwrap();
    let photo = include_bytes!("../../models/zoo/photo/photo.pinm");
    let photo = Bundle::parse(photo).unwrap();
    let refused = Decoder::new(&photo, 1).unwrap().picture(&latents, &options);
    assert!(matches!(refused, Err(DecodeError::WrongModel { .. })));
}
