//! Float decoders, packed and loaded as users do, against what the toy decoder should draw.
#![cfg(feature = "tract")]
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::LazyLock;

use pinhole::bundle::Tag;
use pinhole::{Bundle, EncodeOptions, Encoder, Latents, Picture, PixelFormat, Scale};
use pinhole_decoder::{
    Config, DecoderKind, Error, LoadError, LoadOptions, Model, Options, PackError, Packing,
    Pipeline, Request, pack_decoder,
};
use pinhole_toy::Toy;

const BASE: &[u8] = include_bytes!("../../models/zoo/photo/photo.pinm");

fn toy(kind: DecoderKind) -> Toy {
    static CHANNELS: LazyLock<usize> =
        LazyLock::new(|| Bundle::parse(BASE).unwrap().settings().latent_channels);
    Toy { channels: *CHANNELS, seed: kind as usize }
}

fn packed(kind: DecoderKind) -> Vec<u8> {
    let packing = Packing {
        kind,
        name: String::new(),
        version: "2".into(),
        manifest: serde_json::from_str(r#"{"lineage": {"data": "none"}}"#).unwrap(),
    };
    pack_decoder(&toy(kind).onnx(), BASE, &packing).unwrap()
}

fn load(kind: DecoderKind) -> Model {
    Model::from_bytes(&packed(kind), &LoadOptions::default()).unwrap()
}

fn stream(width: u32, height: u32, format: PixelFormat) -> Vec<u8> {
    let bundle = Bundle::parse(BASE).unwrap();
    let len = (width * height) as usize * format.channels();
    let data = (0..len).map(|i| ((i / 5 * 3 + i / 800) % 256) as u8).collect();
    let picture = Picture::new(width, height, format, data).unwrap();
    Encoder::new(&bundle, 1).unwrap().encode(&picture, &EncodeOptions::default()).unwrap()
}

/// The level of a pixel and colour by the toy decoder's definition.
fn expected(toy: Toy, latents: &Latents, x: usize, y: usize, colour: usize) -> f64 {
    let position = y / 16 * latents.columns() + x / 16;
    toy.level(
        &latents.values()[position * latents.channels()..][..latents.channels()],
        colour,
        y,
        x,
    )
}

fn near(level: u8, expected: f64) -> bool {
    (f64::from(level) - expected.clamp(0.0, 255.0)).abs() < 0.51
}

fn options(scale: Scale) -> Options {
    let mut options = Options::default();
    (options.scale, options.keep_latents) = (scale, true);
    options
}

#[test]
fn pictures_are_what_the_graph_says() {
    for kind in [DecoderKind::Hq, DecoderKind::Gan] {
        let model = load(kind);
        assert_eq!(model.decoders().collect::<Vec<_>>(), [kind]);
        assert_eq!((model.name(), model.version()), (&*format!("photo-{kind}"), "2"));
        let decoded = model.decode(&stream(75, 50, PixelFormat::Rgb8), &options(Scale::Full));
        let decoded = decoded.unwrap();
        let latents = decoded.latents.unwrap();
        assert_eq!(decoded.picture.format(), PixelFormat::Rgb8);
        for (at, &level) in decoded.picture.data().iter().enumerate() {
            let (x, y, colour) = (at / 3 % 75, at / 3 / 75, at % 3);
            assert!(near(level, expected(toy(kind), &latents, x, y, colour)), "{x},{y},{colour}");
        }
    }
}

#[test]
fn small_grey_and_transparent_pictures() {
    let model = load(DecoderKind::Hq);
    let decoded = model.decode(&stream(75, 50, PixelFormat::Rgba8), &options(Scale::Quarter));
    let decoded = decoded.unwrap();
    let (picture, latents) = (decoded.picture, decoded.latents.unwrap());
    assert_eq!((picture.width(), picture.height()), (19, 13));
    for (at, pixel) in picture.data().chunks(4).enumerate() {
        let (x, y) = (at % 19 * 4, at / 19 * 4);
        let square =
            || (y..(y + 4).min(50)).flat_map(|y| (x..(x + 4).min(75)).map(move |x| (x, y)));
        let count = square().count() as f64;
        for (colour, &level) in pixel[..3].iter().enumerate() {
            let levels =
                square().map(|(x, y)| expected(toy(DecoderKind::Hq), &latents, x, y, colour));
            assert!(near(level, levels.sum::<f64>() / count));
        }
        let alpha = square().map(|(x, y)| f64::from(latents.alpha().unwrap()[y * 75 + x]));
        assert!(near(pixel[3], alpha.sum::<f64>() / count));
    }
    let gray = model.decode(&stream(40, 33, PixelFormat::Gray8), &options(Scale::Full)).unwrap();
    let latents = gray.latents.unwrap();
    for (at, &level) in gray.picture.data().iter().enumerate() {
        let rgb =
            |c| expected(toy(DecoderKind::Hq), &latents, at % 40, at / 40, c).clamp(0.0, 255.0);
        let mean = (rgb(0) + 2.0 * rgb(1) + rgb(2)) / 4.0;
        assert!((f64::from(level) - mean).abs() <= 1.1);
    }
}

#[test]
fn realism_blends() {
    let blend = Model::blend(&load(DecoderKind::Hq), &load(DecoderKind::Gan)).unwrap();
    let stream = stream(32, 48, PixelFormat::Rgb8);
    for share in [0.0, 0.25, 1.0] {
        let mut options = options(Scale::Full);
        options.realism = Some(share);
        let decoded = blend.decode(&stream, &options).unwrap();
        let latents = decoded.latents.unwrap();
        for (at, &level) in decoded.picture.data().iter().enumerate() {
            let of = |kind| expected(toy(kind), &latents, at / 3 % 32, at / 3 / 32, at % 3);
            let (hq, gan) = (of(DecoderKind::Hq), of(DecoderKind::Gan));
            assert!(near(level, hq + (gan - hq) * f64::from(share)));
        }
    }
    let mut whole = options(Scale::Full);
    whole.decoder = Some(DecoderKind::Gan);
    let gan = blend.decode(&stream, &whole).unwrap();
    let alone = load(DecoderKind::Gan).decode(&stream, &whole).unwrap();
    assert_eq!(gan.picture, alone.picture);
    for share in [-0.1, 1.5, f32::NAN] {
        whole.realism = Some(share);
        assert!(matches!(blend.decode(&stream, &whole), Err(Error::Unsupported(_))));
    }
    let refused = Model::blend(&load(DecoderKind::Gan), &load(DecoderKind::Hq));
    assert!(matches!(refused, Err(LoadError::Blend(_))));
}

#[test]
fn float_decoders_run_in_pipelines() {
    let model = load(DecoderKind::Hq);
    model.backend(None).unwrap().1.warm_up(4, 3).unwrap();
    let pipeline = Pipeline::new(Config::default()).unwrap();
    let streams = [stream(48, 64, PixelFormat::Rgb8), stream(20, 20, PixelFormat::Gray8)];
    let submit = |i: usize| pipeline.submit(Request::new(&model, streams[i % 2].clone())).unwrap();
    let tickets: Vec<_> = (0..8).map(submit).collect();
    let alone: Vec<_> =
        streams.iter().map(|s| model.decode(s, &Options::default()).unwrap().picture).collect();
    for (i, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(ticket.wait().unwrap().picture, alone[i % 2]);
    }
}

#[test]
fn pictures_that_would_take_too_much_memory_are_refused() {
    let mut load = LoadOptions::default();
    load.max_float_pixels = 64 * 64;
    let model = Model::from_bytes(&packed(DecoderKind::Hq), &load).unwrap();
    assert!(model.decode(&stream(64, 64, PixelFormat::Rgb8), &Options::default()).is_ok());
    let refused = model.decode(&stream(65, 64, PixelFormat::Rgb8), &Options::default());
    assert!(matches!(refused, Err(Error::Stream(pinhole::DecodeError::TooManyPixels { .. }))));
}

#[test]
fn graphs_that_are_no_decoders_are_not_packed() {
    let packing = Packing {
        kind: DecoderKind::Hq,
        name: "x".into(),
        version: String::new(),
        manifest: Default::default(),
    };
    let wrong = Toy { channels: 7, seed: 0 }.onnx();
    assert!(matches!(pack_decoder(&wrong, BASE, &packing), Err(PackError::Graph(_))));
    assert!(matches!(pack_decoder(b"nothing", BASE, &packing), Err(PackError::Graph(_))));
    let onnx = toy(DecoderKind::Hq).onnx();
    assert!(matches!(pack_decoder(&onnx, b"nothing", &packing), Err(PackError::Base(_))));
    let lite = Packing { kind: DecoderKind::Lite, ..packing };
    assert!(matches!(pack_decoder(&onnx, BASE, &lite), Err(PackError::NotFloat(_))));
    // What is packed has the latent space of its base and nothing to encode with.
    let bytes = packed(DecoderKind::Gan);
    let (bundle, base) = (Bundle::parse(&bytes).unwrap(), Bundle::parse(BASE).unwrap());
    assert_eq!(bundle.latent_space(), base.latent_space());
    assert!(!bundle.can_encode() && !bundle.can_decode());
    assert!(bundle.section(Tag::ONNX).is_some() && bundle.manifest().contains("\"data\":\"none\""));
}
