//! Versions of the toy model: good ones, and some that must not serve.

use pinhole::bundle::{BundleBuilder, Tag};
use pinhole::engine::requant::Bounds;
use pinhole::engine::{ConvSpec, DType, ProgramBuilder};
use pinhole::{Bundle, EncodeOptions, Encoder, Picture, PixelFormat};

const TOY: &[u8] = include_bytes!("../../../tests/conformance/toy.pinm");

/// The toy model.
pub(crate) fn good() -> Vec<u8> {
    TOY.to_vec()
}

/// The toy model with other statistics and, if given, another synthesis.
fn variant(manifest: &str, synthesis: Option<Vec<u8>>) -> Vec<u8> {
    let bundle = Bundle::parse(TOY).unwrap();
    let mut builder = BundleBuilder::new();
    for &(tag, bytes) in bundle.sections() {
        builder.section(tag, bytes.to_vec());
    }
    builder.section(Tag::MANIFEST, manifest.as_bytes().to_vec());
    if let Some(program) = synthesis {
        builder.section(Tag::SYNTHESIS, program);
    }
    builder.to_bytes()
}

/// Decodes everything to grey, after `layers` large layers of work.
fn synthesis(layers: usize) -> Vec<u8> {
    let bundle = Bundle::parse(TOY).unwrap();
    let m = bundle.settings().latent_channels;
    let mut program = ProgramBuilder::new();
    let conv = |program: &mut ProgramBuilder, x, cin: usize, cout: usize| {
        let spec = ConvSpec {
            dtype: DType::U8,
            zero_point: 128,
            residual: None,
            weights: &vec![0; cin * cout],
            bias: &vec![0; cout],
            scale: &vec![0.1; cout],
            bounds: Bounds { offset: 128, lo: 0, hi: 255 },
        };
        program.conv1x1(x, spec).unwrap()
    };
    let mut x = program.input(DType::I16, m, 0).unwrap();
    let mut channels = m;
    for _ in 0..layers {
        x = conv(&mut program, x, channels, 2048);
        channels = 2048;
    }
    let x = conv(&mut program, x, channels, 768);
    let x = program.depth_to_space(x, 2).unwrap();
    let x = program.depth_to_space(x, 8).unwrap();
    program.finish(&[x]).unwrap()
}

/// A version that decodes without an error, wrongly.
pub(crate) fn wrong() -> Vec<u8> {
    variant(r#"{"name": "toy", "version": "wrong"}"#, Some(synthesis(0)))
}

/// A version that takes a hundred times as long.
pub(crate) fn slow() -> Vec<u8> {
    variant(r#"{"name": "toy", "version": "slow"}"#, Some(synthesis(8)))
}

/// A good version with a name of its own.
pub(crate) fn named(version: &str) -> Vec<u8> {
    variant(&format!(r#"{{"name": "toy", "version": "{version}"}}"#), None)
}

/// A picture of its own for every seed.
pub(crate) fn picture(seed: u32, side: u32, format: PixelFormat) -> Picture {
    let len = (side * side) as usize * format.channels();
    let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
    let mut level = 128i32;
    let data = (0..len).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        level = (level + (state >> 28) as i32 - 7).clamp(0, 255);
        level as u8
    });
    Picture::new(side, side, format, data.collect()).unwrap()
}

/// The toy model's stream of that picture.
pub(crate) fn stream(seed: u32, side: u32, format: PixelFormat) -> Vec<u8> {
    let bundle = Bundle::parse(TOY).unwrap();
    let mut encoder = Encoder::new(&bundle, 1).unwrap();
    encoder.encode(&picture(seed, side, format), &EncodeOptions::default()).unwrap()
}

/// What the codec itself makes of a stream.
pub(crate) fn samples(stream: &[u8]) -> Vec<u8> {
    let bundle = Bundle::parse(TOY).unwrap();
    let mut decoder = pinhole::Decoder::new(&bundle, 1).unwrap();
    decoder.decode(stream, &Default::default()).unwrap().picture.into_data()
}
