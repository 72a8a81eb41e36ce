//! The whole codec on a toy bundle: sizes, formats, chunks, threads, damage.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::LazyLock;

use pinhole::{
    Bundle, DecodeError, DecodeOptions, Decoder, EncodeError, EncodeOptions, Encoder, Picture,
    PixelFormat, Target, Tune,
};
use proptest::prelude::*;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(common::toy_bundle);
static BUNDLE: LazyLock<Bundle<'static>> = LazyLock::new(|| Bundle::parse(&BYTES).unwrap());

fn picture(width: u32, height: u32, format: PixelFormat, seed: u32) -> Picture {
    let channels = format.channels();
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            for c in 0..channels as u32 {
                let wave = (x * (3 + c) + y * 2 + seed) / 5 % 128;
                data.push((wave * 2 + (x * y * 7919 + seed) % 16) as u8);
            }
        }
    }
    Picture::new(width, height, format, data).unwrap()
}

fn options(quality: f32, chunk_rows: u32) -> EncodeOptions<'static> {
    let mut options = EncodeOptions::default();
    options.quality = quality;
    options.chunk_rows = chunk_rows;
    options
}

fn encode(picture: &Picture, options: &EncodeOptions<'_>) -> Vec<u8> {
    Encoder::new(&BUNDLE, 1).unwrap().encode(picture, options).unwrap()
}

fn decode(file: &[u8]) -> Result<Picture, DecodeError> {
    Ok(Decoder::new(&BUNDLE, 1)?.decode(file, &DecodeOptions::default())?.picture)
}

fn alpha(picture: &Picture) -> Vec<u8> {
    let channels = picture.format().channels();
    picture.data().chunks(channels).map(|p| p[channels - 1]).collect()
}

fn formats() -> impl Strategy<Value = PixelFormat> {
    use PixelFormat::{Gray8, GrayA8, Rgb8, Rgba8};
    prop::sample::select(vec![Gray8, GrayA8, Rgb8, Rgba8])
}

#[test]
fn bundles_of_all_kinds_of_latents() {
    let picture = picture(150, 211, PixelFormat::Rgb8, 5);
    let kinds = [
        (2, false, 4),
        (4, false, 4),
        (2, true, 4),
        (4, true, 4),
        (2, false, 5),
        (4, false, 5),
        (4, true, 5),
    ];
    let streams = kinds.map(|(passes, dependent, fraction)| {
        let bytes = common::toy_bundle_in(passes, dependent, fraction);
        let bundle = Bundle::parse(&bytes).unwrap();
        let settings = bundle.settings();
        let found = (settings.passes, settings.dependent, settings.fraction);
        assert_eq!(found, (passes, dependent, fraction));
        let stream =
            Encoder::new(&bundle, 1).unwrap().encode(&picture, &options(60.0, 128)).unwrap();
        let mut decoder = Decoder::new(&bundle, 1).unwrap();
        let decoded = decoder.decode(&stream, &DecodeOptions::default()).unwrap().picture;
        assert_eq!((decoded.width(), decoded.height()), (150, 211));
        // A stream says which latent space it is of, and all of these are part of that.
        let others = [
            (6 - passes, dependent, fraction),
            (passes, !dependent, fraction),
            (passes, dependent, 9 - fraction),
        ];
        for (passes, dependent, fraction) in others {
            let other = common::toy_bundle_in(passes, dependent, fraction);
            let other = Bundle::parse(&other).unwrap();
            let mut decoder = Decoder::new(&other, 1).unwrap();
            assert!(decoder.decode(&stream, &DecodeOptions::default()).is_err());
        }
        stream
    });
    for (at, stream) in streams.iter().enumerate() {
        assert!(!streams[..at].contains(stream));
    }
}

/// A model that chooses its symbols one by one knows one way only.
#[test]
fn tunes_differ_where_symbols_are_chosen_together() {
    let picture = picture(150, 211, PixelFormat::Rgb8, 5);
    for dependent in [false, true] {
        let bytes = common::toy_bundle_in(4, dependent, 5);
        let bundle = Bundle::parse(&bytes).unwrap();
        let files = Tune::ALL.map(|tune| {
            let mut options = options(60.0, 128);
            options.tune = tune;
            let file = Encoder::new(&bundle, 1).unwrap().encode(&picture, &options).unwrap();
            assert_eq!(Encoder::new(&bundle, 3).unwrap().encode(&picture, &options).unwrap(), file);
            let mut decoder = Decoder::new(&bundle, 1).unwrap();
            decoder.decode(&file, &DecodeOptions::default()).unwrap();
            file
        });
        assert_eq!(files[0] != files[1], dependent);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_size_format_quality_and_chunk_height(
        width in 1u32..200, height in 1u32..300, format in formats(),
        quality in 0.0f32..=100.0, chunks in 1u32..4, seed in 0u32..1000,
    ) {
        let original = picture(width, height, format, seed);
        let file = encode(&original, &options(quality, chunks * 64));
        let decoded = decode(&file).unwrap();
        prop_assert_eq!((decoded.width(), decoded.height(), decoded.format()), (width, height, format));
        if format.has_alpha() {
            prop_assert_eq!(alpha(&decoded), alpha(&original));
        }
        // Threads change neither bytes nor pixels; neither does a used encoder.
        let mut encoder = Encoder::new(&BUNDLE, 8).unwrap();
        encoder.encode(&picture(77, 31, format, 1), &options(10.0, 64)).unwrap();
        prop_assert_eq!(&encoder.encode(&original, &options(quality, chunks * 64)).unwrap(), &file);
        let mut decoder = Decoder::new(&BUNDLE, 8).unwrap();
        let again = decoder.decode(&file, &DecodeOptions::default()).unwrap();
        prop_assert_eq!(again.picture, decoded);
    }

    #[test]
    fn damage_is_an_error_and_concealed_on_request(
        at in any::<prop::sample::Index>(), bit in 0u8..8, seed in 0u32..1000,
    ) {
        let file = encode(&picture(90, 200, PixelFormat::Rgba8, seed), &options(60.0, 64));
        let mut broken = file.clone();
        broken[at.index(file.len())] ^= 1 << bit;
        prop_assert!(decode(&broken).is_err());
        let mut conceal = DecodeOptions::default();
        conceal.conceal = true;
        if let Ok(decoded) = Decoder::new(&BUNDLE, 2).unwrap().decode(&broken, &conceal) {
            prop_assert_eq!((decoded.picture.width(), decoded.picture.height()), (90, 200));
            prop_assert!(decoded.damaged.len() <= 1);
        }
    }

    #[test]
    fn truncation_is_an_error(at in any::<prop::sample::Index>(), seed in 0u32..1000) {
        let file = encode(&picture(50, 130, PixelFormat::Gray8, seed), &options(40.0, 64));
        prop_assert!(decode(&file[..at.index(file.len())]).is_err());
    }

    #[test]
    fn rewritten_payloads_never_panic(
        noise in prop::collection::vec(any::<u8>(), 0..200), seed in 0u32..100,
    ) {
        use pinhole::format::{Chunk, ChunkWriter, Header};
        let file = encode(&picture(64, 64, PixelFormat::Rgb8, seed), &options(40.0, 64));
        let header = Header::parse(&file).unwrap().header;
        let mut forged = header.write(&Default::default()).unwrap();
        let mut writer = ChunkWriter::new(&header);
        while let Some(id) = writer.next_id() {
            writer.write(Chunk { id, payload: &noise }, &mut forged).unwrap();
        }
        // Valid checksums around nonsense: an error or some picture, never a panic.
        let _ = decode(&forged);
    }
}

#[test]
fn target_size_is_reached_from_below_and_closely() {
    let original = picture(256, 256, PixelFormat::Rgb8, 3);
    let (smallest, largest) =
        (encode(&original, &options(0.0, 512)), encode(&original, &options(100.0, 512)));
    let target = (smallest.len() + largest.len()) as u64 / 2;
    let mut wanted = EncodeOptions::default();
    wanted.target = Some(Target::Bytes(target));
    let file = encode(&original, &wanted);
    assert!(file.len() as u64 <= target, "{} > {target}", file.len());
    assert!(file.len() as u64 > target * 97 / 100, "{} << {target}", file.len());
    wanted.target = Some(Target::Bytes(smallest.len() as u64 / 2));
    let refused = Encoder::new(&BUNDLE, 1).unwrap().encode(&original, &wanted);
    assert!(matches!(refused, Err(EncodeError::TargetTooSmall { .. })), "{refused:?}");
}

#[test]
fn quality_grows_size() {
    let original = picture(200, 200, PixelFormat::Rgb8, 9);
    let sizes: Vec<usize> =
        (0..=10).map(|q| encode(&original, &options(q as f32 * 10.0, 512)).len()).collect();
    assert!(sizes.is_sorted(), "{sizes:?}");
    assert!(sizes[10] > sizes[0] * 3 / 2, "{sizes:?}");
}

#[test]
fn bad_options_and_wrong_models_are_named() {
    let original = picture(20, 20, PixelFormat::Rgb8, 0);
    let mut encoder = Encoder::new(&BUNDLE, 1).unwrap();
    assert!(matches!(
        encoder.encode(&original, &options(f32::NAN, 512)),
        Err(EncodeError::Quality(_))
    ));
    assert!(matches!(
        encoder.encode(&original, &options(101.0, 512)),
        Err(EncodeError::Quality(_))
    ));
    for rows in [0, 1, 65, 131072] {
        let refused = encoder.encode(&original, &options(50.0, rows));
        assert_eq!(refused, Err(EncodeError::ChunkRows(rows)));
    }
    assert!(matches!(
        Picture::new(0, 1, PixelFormat::Gray8, vec![]),
        Err(EncodeError::Dimensions { .. })
    ));
    assert!(matches!(
        Picture::new(2, 2, PixelFormat::Gray8, vec![0; 3]),
        Err(EncodeError::Buffer { .. })
    ));

    let file = encode(&original, &options(50.0, 512));
    let parsed = pinhole::format::Header::parse(&file).unwrap();
    let mut header = parsed.header;
    header.latent_space = *b"whatever";
    let mut foreign = header.write(&Default::default()).unwrap();
    foreign.extend(&file[parsed.chunks_start()..]);
    assert!(matches!(decode(&foreign), Err(DecodeError::WrongModel { .. })));

    let mut limit = DecodeOptions::default();
    limit.max_pixels = 399;
    let refused = Decoder::new(&BUNDLE, 1).unwrap().decode(&file, &limit);
    assert!(matches!(refused, Err(DecodeError::TooManyPixels { pixels: 400, limit: 399 })));
}

#[test]
fn huge_dimensions_without_data_are_refused_before_allocation() {
    let file = encode(&picture(20, 20, PixelFormat::Rgb8, 0), &options(50.0, 512));
    let mut header = pinhole::format::Header::parse(&file).unwrap().header;
    (header.width, header.height) = (65535, 2000);
    let claim = header.write(&Default::default()).unwrap();
    assert!(matches!(decode(&claim), Err(DecodeError::Format(_))));
}

#[test]
fn every_truncation_and_flip_of_a_bundle_is_an_error() {
    for len in (0..BYTES.len()).step_by(7) {
        assert!(Bundle::parse(&BYTES[..len]).is_err(), "{len}");
    }
    let sections = Bundle::parse(&BYTES).unwrap().sections().len();
    let directory = 16 + 16 * sections + 4;
    for at in (0..directory).chain((directory..BYTES.len()).step_by(31)) {
        let mut broken = BYTES.clone();
        broken[at] ^= 0x10;
        let parsed = Bundle::parse(&broken);
        // Padding between sections carries nothing.
        assert!(parsed.is_err() || BYTES[at] == 0, "{at}");
    }
}

#[test]
fn a_lost_chunk_leaves_the_others_as_they_were() {
    let original = picture(96, 64 * 5, PixelFormat::Rgb8, 5);
    let file = encode(&original, &options(70.0, 64));
    let whole = decode(&file).unwrap();
    let parsed = pinhole::format::Header::parse(&file).unwrap();
    let chunks =
        pinhole::format::ChunkReader::new(&parsed.header).chunks(&file[parsed.chunks_start()..]);
    let third = chunks.map(|c| c.unwrap()).nth(2).unwrap();
    let at = third.payload.as_ptr() as usize - file.as_ptr() as usize;
    let mut broken = file.clone();
    broken[at] ^= 1;
    let mut conceal = DecodeOptions::default();
    conceal.conceal = true;
    let decoded = Decoder::new(&BUNDLE, 1).unwrap().decode(&broken, &conceal).unwrap();
    assert_eq!(decoded.damaged.iter().map(|id| id.band).collect::<Vec<_>>(), [2]);
    // Beyond the reach of the synthesis transform (one latent row here) nothing changes.
    let row = 96 * 3;
    assert_eq!(decoded.picture.data()[..row * 112], whole.data()[..row * 112]);
    assert_eq!(decoded.picture.data()[row * 208..], whole.data()[row * 208..]);
}
