//! Several analysis and synthesis transforms of one latent space.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use pinhole::bundle::{Parts, Tag};
use pinhole::{
    Bundle, BundleError, DecodeError, DecodeOptions, Decoder, Effort, EncodeError, EncodeOptions,
    Encoder, FrameFormat, Picture, PictureRef, PixelFormat, Scale, Synthesis, Target, YuvSpace,
};

fn picture() -> Picture {
    let (width, height) = (150, 200);
    let data = (0..width * height * 3).map(|i| (i * 7 / 5 % 253) as u8 ^ (i / 977) as u8).collect();
    Picture::new(width, height, PixelFormat::Rgb8, data).unwrap()
}

fn at(effort: Effort) -> EncodeOptions<'static> {
    let mut options = EncodeOptions::default();
    options.effort = effort;
    options.chunk_rows = 64;
    options
}

fn with(decoder: Synthesis) -> DecodeOptions {
    let mut options = DecodeOptions::default();
    options.decoder = decoder;
    options
}

/// One encoder serves all efforts, in any order, and whatever the transform the threads and bands change no byte.
#[test]
fn efforts_differ_and_agree_with_themselves() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    assert!(bundle.efforts().eq(Effort::ALL) && bundle.syntheses().eq(Synthesis::ALL));
    let picture = picture();
    let mut one = Encoder::new(&bundle, 1).unwrap();
    let mut three = Encoder::new(&bundle, 3).unwrap();
    let mut files = Vec::new();
    for effort in Effort::ALL {
        let file = one.encode(&picture, &at(effort)).unwrap();
        assert_eq!(three.encode(&picture, &at(effort)).unwrap(), file);
        let mut streamed = Vec::new();
        let mut stream = one.stream(150, 200, FrameFormat::Rgb8, &at(effort)).unwrap();
        let whole = PictureRef::from(&picture);
        for rows in [0..70, 70..71, 71..200] {
            stream.push_rows(whole.rows(rows).unwrap(), &mut streamed).unwrap();
        }
        stream.finish().unwrap();
        assert_eq!(streamed, file);
        let mut target = at(effort);
        target.target = Some(Target::Bytes(file.len() as u64 + 200));
        let reached = one.encode(&picture, &target).unwrap();
        assert!(reached.len() <= file.len() + 200 && reached.len() * 10 > file.len() * 9);
        files.push(file);
    }
    assert!(files[0] != files[1] && files[1] != files[2] && files[0] != files[2]);
    // A bundle without the others writes the same at the default.
    let plain = common::toy_bundle();
    let plain = Bundle::parse(&plain).unwrap();
    let mut encoder = Encoder::new(&plain, 1).unwrap();
    assert_eq!(encoder.encode(&picture, &at(Effort::Default)).unwrap(), files[1]);
    // And any bundle of the latent space decodes them all.
    let mut decoder = Decoder::new(&plain, 1).unwrap();
    for file in &files {
        decoder.decode(file, &DecodeOptions::default()).unwrap();
    }
}

/// Each effort's first layer is folded for itself.
#[test]
fn folded_transforms_are_kept_apart() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    let samples: Vec<u8> = (0..96 * 64 * 3 / 2).map(|i| (i * 11 % 251) as u8).collect();
    let format = FrameFormat::Nv12(YuvSpace::default());
    let picture = PictureRef::contiguous(96, 64, format, &samples).unwrap();
    let mut shared = Encoder::new(&bundle, 1).unwrap();
    for effort in [Effort::Default, Effort::Fast, Effort::Best, Effort::Default] {
        let own = Encoder::new(&bundle, 1).unwrap().encode(picture, &at(effort)).unwrap();
        assert_eq!(shared.encode(picture, &at(effort)).unwrap(), own);
    }
}

#[test]
fn decoders_differ_at_every_scale() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    let file = Encoder::new(&bundle, 1).unwrap().encode(&picture(), &at(Effort::Fast)).unwrap();
    let mut decoder = Decoder::new(&bundle, 1).unwrap();
    for scale in [Scale::Full, Scale::Half, Scale::Eighth, Scale::Full] {
        let mut draw = |synthesis| {
            let mut options = with(synthesis);
            options.scale = scale;
            let again = Decoder::new(&bundle, 2).unwrap().decode(&file, &options).unwrap();
            let drawn = decoder.decode(&file, &options).unwrap().picture;
            assert_eq!(again.picture, drawn);
            drawn
        };
        assert!(draw(Synthesis::Standard) != draw(Synthesis::Lite));
    }
}

#[test]
fn what_a_bundle_lacks_is_named() {
    let bytes = common::toy_bundle();
    let bundle = Bundle::parse(&bytes).unwrap();
    let picture = picture();
    let mut encoder = Encoder::new(&bundle, 1).unwrap();
    assert!(bundle.efforts().eq([Effort::Default, Effort::Best]));
    assert!(encoder.stream(150, 200, FrameFormat::Rgb8, &at(Effort::Fast)).is_err());
    // What does not draw cannot look at what it would draw.
    let parts = Parts { efforts: vec![Effort::Default], syntheses: Vec::new() };
    let device = bundle.slim(&parts).unwrap().to_bytes();
    let device = Bundle::parse(&device).unwrap();
    let refused = Encoder::new(&device, 1).unwrap().encode(&picture, &at(Effort::Best));
    let available = vec![Effort::Default];
    let expected = BundleError::NoAnalysis { effort: Effort::Best, available };
    let refused = refused.unwrap_err();
    assert_eq!(refused, EncodeError::Bundle(expected));
    assert_eq!(
        refused.to_string(),
        "model: no transforms for effort best (needs ANLS and SYNT); there is default"
    );
    let file = encoder.encode(&picture, &at(Effort::Default)).unwrap();
    let refused = Decoder::new(&bundle, 1).unwrap().decode(&file, &with(Synthesis::Lite));
    let available = vec![Synthesis::Standard];
    let expected = BundleError::NoSynthesis { synthesis: Synthesis::Lite, available };
    assert_eq!(refused.unwrap_err(), DecodeError::Bundle(expected));
}

#[test]
fn slim_bundles_do_their_part() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    let picture = picture();
    let slim = |efforts: &[Effort], syntheses: &[Synthesis]| {
        let parts = Parts { efforts: efforts.to_vec(), syntheses: syntheses.to_vec() };
        bundle.slim(&parts).unwrap().to_bytes()
    };
    let device = slim(&[Effort::Fast], &[]);
    let page = slim(&[], &[Synthesis::Lite]);
    assert!(device.len() < bytes.len() && page.len() < bytes.len());
    let (device, page) = (Bundle::parse(&device).unwrap(), Bundle::parse(&page).unwrap());
    assert_eq!(device.latent_space(), bundle.latent_space());
    assert_eq!(page.latent_space(), bundle.latent_space());
    assert!(device.can_encode() && !device.can_decode());
    assert!(page.can_decode() && !page.can_encode() && page.section(Tag::HYPER_ANALYSIS).is_none());

    let mut whole = Encoder::new(&bundle, 1).unwrap();
    let mut small = Encoder::new(&device, 1).unwrap();
    let file = small.encode(&picture, &at(Effort::Fast)).unwrap();
    assert_eq!(file, whole.encode(&picture, &at(Effort::Fast)).unwrap());
    assert!(small.encode(&picture, &at(Effort::Default)).is_err());
    assert!(Decoder::new(&device, 1).is_err() && Encoder::new(&page, 1).is_err());

    let drawn = Decoder::new(&page, 1).unwrap().decode(&file, &with(Synthesis::Lite)).unwrap();
    let mut decoder = Decoder::new(&bundle, 1).unwrap();
    let expected = decoder.decode(&file, &with(Synthesis::Lite)).unwrap();
    assert_eq!(drawn.picture, expected.picture);

    // The effort that draws keeps what it draws with.
    let both = slim(&[Effort::Default, Effort::Best], &[Synthesis::Standard]);
    assert_eq!(slim(&[Effort::Best], &[]).len(), both.len());
    assert!(Bundle::parse(&both).unwrap().efforts().eq([Effort::Default, Effort::Best]));

    // What is not there cannot be kept.
    let parts = Parts { efforts: vec![Effort::Best], syntheses: Vec::new() };
    assert!(matches!(device.slim(&parts), Err(BundleError::NoAnalysis { .. })));
}

/// A transform of another shape is refused when the bundle is read.
#[test]
fn transforms_must_fit_the_latents() {
    let bytes = common::toy_family();
    let bundle = Bundle::parse(&bytes).unwrap();
    for tag in [Tag::ANALYSIS_FAST, Tag::SYNTHESIS_LITE] {
        let mut builder = pinhole::bundle::BundleBuilder::new();
        for &(own, section) in bundle.sections() {
            builder.section(own, section.to_vec());
        }
        let wrong = bundle.section(Tag::HYPER_ANALYSIS).unwrap();
        builder.section(tag, wrong.to_vec());
        assert_eq!(Bundle::parse(&builder.to_bytes()).unwrap_err(), BundleError::Shape(tag));
    }
}
