//! ONNX Runtime against the toy decoder's definition, and tract. Needs its library: without `ORT_DYLIB_PATH` there is
//! nothing to test.
#![cfg(feature = "ort")]
#![allow(clippy::unwrap_used, clippy::panic)]

use pinhole::bundle::{BundleBuilder, Tag};
use pinhole::{Bundle, EncodeOptions, Encoder, Picture, PixelFormat};
use pinhole_decoder::{
    Config, LoadError, LoadOptions, Model, Options, Pipeline, Provider, Request, Runtime,
};
use pinhole_toy::Toy;

const BASE: &[u8] = include_bytes!("../../models/zoo/photo/photo.pinm");

fn bundle() -> (Toy, Vec<u8>) {
    let base = Bundle::parse(BASE).unwrap();
    let toy = Toy { channels: base.settings().latent_channels, seed: 3 };
    let mut builder = BundleBuilder::new();
    builder.section(Tag::MANIFEST, br#"{"name": "toy", "decoder": "hq"}"#.to_vec());
    for tag in Tag::LATENT_SPACE {
        builder.section(tag, base.section(tag).unwrap().to_vec());
    }
    builder.section(Tag::ONNX, toy.onnx());
    (toy, builder.to_bytes())
}

fn options(provider: Provider) -> LoadOptions {
    let mut options = LoadOptions::default();
    options.runtime = Runtime::Ort(provider);
    options
}

fn stream(width: u32, height: u32) -> Vec<u8> {
    let bundle = Bundle::parse(BASE).unwrap();
    let data = (0..width * height * 3).map(|i| ((i / 5 * 3 + i / 800) % 256) as u8).collect();
    let picture = Picture::new(width, height, PixelFormat::Rgb8, data).unwrap();
    Encoder::new(&bundle, 1).unwrap().encode(&picture, &EncodeOptions::default()).unwrap()
}

#[test]
fn the_cpu_draws_what_the_graph_says() {
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        return;
    }
    let (toy, bytes) = bundle();
    let model = Model::from_bytes(&bytes, &options(Provider::Cpu)).unwrap();
    let mut wanted = Options::default();
    wanted.keep_latents = true;
    let decoded = model.decode(&stream(75, 50), &wanted).unwrap();
    let latents = decoded.latents.unwrap();
    for (at, &level) in decoded.picture.data().iter().enumerate() {
        let (x, y, colour) = (at / 3 % 75, at / 3 / 75, at % 3);
        let position = (y / 16 * latents.columns() + x / 16) * latents.channels();
        let latents = &latents.values()[position..][..toy.channels];
        let expected = toy.level(latents, colour, y, x).clamp(0.0, 255.0);
        assert!((f64::from(level) - expected).abs() < 0.51);
    }
    let pipeline = Pipeline::new(Config::default()).unwrap();
    let submit = |_| pipeline.submit(Request::new(&model, stream(75, 50))).unwrap();
    for ticket in (0..6).map(submit).collect::<Vec<_>>() {
        assert_eq!(ticket.wait().unwrap().picture, decoded.picture);
    }
}

#[test]
fn a_device_that_is_not_there_is_an_error() {
    if std::env::var_os("ORT_DYLIB_PATH").is_none() {
        return;
    }
    // No machine has so many.
    let refused = Model::from_bytes(&bundle().1, &options(Provider::Cuda { device: 999 }));
    assert!(matches!(refused, Err(LoadError::Backend { .. })), "{refused:?}");
}
