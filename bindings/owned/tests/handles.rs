//! Handles keep what they need and go where threads go.
#![allow(clippy::unwrap_used)]

use pinhole::{EncodeOptions, FrameFormat, Picture, PictureRef, PixelFormat};
use pinhole_owned::{Model, ModelError, OwnedDecoder, OwnedEncoder, OwnedStream};

fn picture() -> Picture {
    let data = (0..70 * 50 * 3).map(|i| (i * 7 / 3 % 251) as u8).collect();
    Picture::new(70, 50, PixelFormat::Rgb8, data).unwrap()
}

#[test]
fn handles_outlive_their_model() {
    let model = Model::embedded().unwrap();
    let mut encoder = OwnedEncoder::new(&model, 1).unwrap();
    let mut decoder = OwnedDecoder::new(encoder.model(), 1).unwrap();
    let mut stream =
        OwnedStream::new(&model, (70, 50), FrameFormat::Rgb8, &EncodeOptions::default()).unwrap();
    drop(model);
    let picture = picture();
    let file = encoder.with(|e| e.encode(&picture, &Default::default())).unwrap();
    drop(encoder);
    let rows = PictureRef::contiguous(70, 50, FrameFormat::Rgb8, picture.data()).unwrap();
    let mut banded = Vec::new();
    stream.with(|s| s.push_rows(rows, &mut banded)).unwrap();
    assert_eq!(banded, file);
    let decoded = decoder.with(|d| d.decode(&file, &Default::default()).map(|d| d.picture));
    assert_eq!(decoded.unwrap().width(), 70);
}

#[test]
fn one_model_serves_many_threads() {
    let model = Model::embedded().unwrap();
    let files: Vec<Vec<u8>> = std::thread::scope(|scope| {
        let work = || {
            let mut encoder = OwnedEncoder::new(&model, 1).unwrap();
            encoder.with(|e| e.encode(&picture(), &Default::default())).unwrap()
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert!(files.windows(2).all(|pair| pair[0] == pair[1]));
}

#[test]
fn what_is_no_model_is_an_error() {
    assert!(matches!(Model::from_bytes(b"GIF89a"), Err(ModelError::Bundle(_))));
    assert!(matches!(Model::from_static(b""), Err(ModelError::Bundle(_))));
    let error = Model::open("/no/such/file.pinm").unwrap_err();
    assert!(error.to_string().starts_with("/no/such/file.pinm: "), "{error}");
}
