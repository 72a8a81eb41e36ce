//! Borrowed pictures: every format, strides, bands of rows, decoding into buffers.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::ops::Range;
use std::sync::LazyLock;

use pinhole::{
    Bundle, DecodeError, Decoder, EncodeError, EncodeOptions, Encoder, FrameFormat, Picture,
    PictureMut, PictureRef, PixelFormat, Plane, PlaneMut, Target, YuvMatrix, YuvRange, YuvSpace,
};
use proptest::prelude::*;

static BYTES: LazyLock<Vec<u8>> = LazyLock::new(common::toy_bundle);
static BUNDLE: LazyLock<Bundle<'static>> = LazyLock::new(|| Bundle::parse(&BYTES).unwrap());

/// Smooth colours with some noise, in any format: planes of bytes without gaps.
fn samples(width: u32, height: u32, format: FrameFormat, seed: u32) -> Vec<Vec<u8>> {
    let plane = |plane: usize| {
        let row = format.row_bytes(plane, width) as u32;
        let rows = format.plane_rows(plane, height) as u32;
        let value = |x: u32, y: u32| {
            let wave = (x * (3 + plane as u32) + y * 2 + seed) / 5 % 128;
            (wave * 2 + (x * y * 7919 + seed) % 16) as u8
        };
        (0..rows).flat_map(|y| (0..row).map(move |x| value(x, y))).collect()
    };
    (0..format.planes()).map(plane).collect()
}

fn view<'a>(
    (width, height): (u32, u32),
    format: FrameFormat,
    planes: &'a [Vec<u8>],
    strides: &[usize],
) -> PictureRef<'a> {
    let planes: Vec<Plane<'a>> =
        planes.iter().zip(strides).map(|(p, &s)| Plane::new(p, s)).collect();
    PictureRef::new(width, height, format, &planes).unwrap()
}

fn tight(width: u32, format: FrameFormat) -> Vec<usize> {
    (0..format.planes()).map(|p| format.row_bytes(p, width)).collect()
}

/// Rows moved apart, the gaps full of rubbish, nothing behind the last row.
fn widened(planes: &[Vec<u8>], strides: &[usize], gap: usize) -> Vec<Vec<u8>> {
    let widen = |(plane, &row): (&Vec<u8>, &usize)| {
        let mut out = Vec::new();
        for row in plane.chunks(row) {
            out.extend_from_slice(row);
            out.extend((0..gap).map(|i| (i * 97) as u8));
        }
        out.truncate(out.len() - gap);
        out
    };
    planes.iter().zip(strides).map(widen).collect()
}

fn spaces() -> impl Strategy<Value = YuvSpace> {
    let matrices = prop::sample::select(vec![YuvMatrix::Bt601, YuvMatrix::Bt709]);
    let ranges = prop::sample::select(vec![YuvRange::Full, YuvRange::Limited]);
    (matrices, ranges).prop_map(|(matrix, range)| YuvSpace { matrix, range })
}

fn formats() -> impl Strategy<Value = FrameFormat> {
    use FrameFormat::{Bgra8, Gray8, Gray16, GrayA8, I420, Nv12, Nv21, Rgb8, Rgba8};
    prop_oneof![
        prop::sample::select(vec![Gray8, GrayA8, Rgb8, Rgba8, Bgra8]),
        (8..=16_u8).prop_map(|bits| Gray16 { bits }),
        spaces().prop_map(Nv12),
        spaces().prop_map(Nv21),
        spaces().prop_map(I420),
    ]
}

fn options(quality: f32, chunk_rows: u32) -> EncodeOptions<'static> {
    let mut options = EncodeOptions::default();
    (options.quality, options.chunk_rows) = (quality, chunk_rows);
    options
}

fn encode(threads: usize, picture: PictureRef<'_>, options: &EncodeOptions<'_>) -> Vec<u8> {
    Encoder::new(&BUNDLE, threads).unwrap().encode(picture, options).unwrap()
}

/// Cuts 0..height at pseudo-random rows, even ones for 4:2:0.
fn bands(height: u32, format: FrameFormat, seed: u32) -> Vec<Range<u32>> {
    let (mut bands, mut at, mut state) = (Vec::new(), 0, seed | 1);
    while at < height {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let mut rows = 1 + (state >> 16) % [3, 17, 40, 200][(state >> 8) as usize % 4];
        rows += u32::from(format.is_subsampled() && rows % 2 == 1);
        let end = (at + rows).min(height);
        bands.push(at..end);
        at = end;
    }
    bands
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn strides_bands_and_threads_do_not_change_the_bytes(
        width in 1u32..150, height in 1u32..300, format in formats(),
        chunks in 1u32..4, gap in 1usize..70, seed in 0u32..10_000,
    ) {
        let planes = samples(width, height, format, seed);
        let strides = tight(width, format);
        let whole = view((width, height), format, &planes, &strides);
        let options = options(60.0, chunks * 64);
        let file = encode(1, whole, &options);
        prop_assert_eq!(&encode(3, whole, &options), &file);

        let wide = widened(&planes, &strides, gap);
        let wide_strides: Vec<usize> = strides.iter().map(|s| s + gap).collect();
        let wide = view((width, height), format, &wide, &wide_strides);
        prop_assert_eq!(&encode(2, wide, &options), &file);

        let mut encoder = Encoder::new(&BUNDLE, 2).unwrap();
        let mut stream = encoder.stream(width, height, format, &options).unwrap();
        let (mut sent, mut out) = (Vec::new(), Vec::new());
        for band in bands(height, format, seed) {
            stream.push_rows(wide.rows(band).unwrap(), &mut out).unwrap();
            sent.append(&mut out);
        }
        stream.finish().unwrap();
        prop_assert_eq!(&sent, &file);
    }

    #[test]
    fn formats_of_the_same_pixels_give_the_same_stream(
        width in 1u32..80, height in 1u32..90, seed in 0u32..10_000,
    ) {
        let options = options(50.0, 64);
        let size = (width, height);
        let of = |format: FrameFormat, data: &[u8]| {
            encode(1, PictureRef::contiguous(size.0, size.1, format, data).unwrap(), &options)
        };
        let rgba = &samples(width, height, FrameFormat::Rgba8, seed)[0];
        let bgra: Vec<u8> = rgba.chunks(4).flat_map(|p| [p[2], p[1], p[0], p[3]]).collect();
        let owned = Picture::new(width, height, PixelFormat::Rgba8, rgba.clone()).unwrap();
        let file = Encoder::new(&BUNDLE, 1).unwrap().encode(&owned, &options).unwrap();
        prop_assert_eq!(of(FrameFormat::Rgba8, rgba), file.clone());
        prop_assert_eq!(of(FrameFormat::Bgra8, &bgra), file);

        let gray = &samples(width, height, FrameFormat::Gray8, seed)[0];
        let deep: Vec<u8> = gray.iter().flat_map(|&v| [v, v]).collect();
        prop_assert_eq!(
            of(FrameFormat::Gray16 { bits: 16 }, &deep),
            of(FrameFormat::Gray8, gray)
        );

        let space = YuvSpace::default();
        let planes = samples(width, height, FrameFormat::I420(space), seed);
        let pair = |a: usize, b: usize| -> Vec<u8> {
            let chroma = planes[a].iter().zip(&planes[b]).flat_map(|(&a, &b)| [a, b]);
            planes[0].iter().copied().chain(chroma).collect()
        };
        let i420 = of(FrameFormat::I420(space), &planes.concat());
        prop_assert_eq!(of(FrameFormat::Nv12(space), &pair(1, 2)), i420.clone());
        prop_assert_eq!(of(FrameFormat::Nv21(space), &pair(2, 1)), i420);
    }

    #[test]
    fn programs_that_cannot_fold_get_rows_of_rgb(
        width in 1u32..60, height in 1u32..90, space in spaces(), seed in 0u32..10_000,
    ) {
        let bytes = common::unfoldable_bundle();
        let bundle = Bundle::parse(&bytes).unwrap();
        let mut encoder = Encoder::new(&bundle, 1).unwrap();
        let options = options(60.0, 64);
        let planes = samples(width, height, FrameFormat::I420(space), seed);
        let format = FrameFormat::I420(space);
        let yuv = view((width, height), format, &planes, &tight(width, format));
        let file = encoder.encode(yuv, &options).unwrap();
        let rgb = to_rgb(&planes, space, (width as usize, height as usize));
        let rgb = PictureRef::contiguous(width, height, FrameFormat::Rgb8, &rgb).unwrap();
        prop_assert_eq!(&encoder.encode(rgb, &options).unwrap(), &file);
        let mut stream = encoder.stream(width, height, format, &options).unwrap();
        let mut out = Vec::new();
        for band in bands(height, format, seed) {
            stream.push_rows(yuv.rows(band).unwrap(), &mut out).unwrap();
        }
        stream.finish().unwrap();
        prop_assert_eq!(out, file);

        let gray = &planes[0];
        let rgb: Vec<u8> = gray.iter().flat_map(|&v| [v; 3]).collect();
        let of = |format, data| PictureRef::contiguous(width, height, format, data).unwrap();
        let gray = encoder.encode(of(FrameFormat::Gray8, gray), &options).unwrap();
        let rgb = encoder.encode(of(FrameFormat::Rgb8, &rgb), &options).unwrap();
        // But for the kind of picture in the header: the same chunks.
        prop_assert_eq!(gray.len(), rgb.len());
        prop_assert_eq!(&gray[28..], &rgb[28..]);
    }

    #[test]
    fn any_planes_are_refused_or_encoded(
        width in 0u32..40, height in 0u32..40, format in formats(),
        planes in prop::collection::vec((0usize..6000, 0usize..100), 0..4),
        huge in any::<prop::sample::Index>(), stretch in 0u8..8,
    ) {
        let data: Vec<u8> = (0..6000_u32).map(|i| (i * 37 / 8) as u8).collect();
        let mut planes: Vec<Plane<'_>> =
            planes.iter().map(|&(len, stride)| Plane::new(&data[..len], stride)).collect();
        if stretch == 0 && !planes.is_empty() {
            let at = huge.index(planes.len());
            planes[at].stride = usize::MAX;
        }
        if let Ok(view) = PictureRef::new(width, height, format, &planes) {
            let file = encode(1, view, &options(50.0, 64));
            prop_assert!(Decoder::new(&BUNDLE, 1).unwrap().decode(&file, &Default::default()).is_ok());
        }
        let len = planes.first().map_or(0, |p| p.data.len());
        if let Ok(view) = PictureRef::contiguous(width, height, format, &data[..len]) {
            encode(2, view, &options(50.0, 64));
            prop_assert!(view.rows(height / 2..height).is_none_or(|v| v.height() > 0));
        }
        let mut buffer = data[..len].to_vec();
        let _ = PictureMut::contiguous(width, height, format, &mut buffer);
    }

    #[test]
    fn buffers_get_what_pictures_get(
        width in 1u32..150, height in 1u32..200, format in formats(), space in spaces(),
        gap in 1usize..70, threads in 1usize..4, seed in 0u32..10_000,
    ) {
        let planes = samples(width, height, format, seed);
        let whole = view((width, height), format, &planes, &tight(width, format));
        let file = encode(1, whole, &options(80.0, 64));
        let mut decoder = Decoder::new(&BUNDLE, threads).unwrap();
        let picture = decoder.decode(&file, &Default::default()).unwrap().picture;
        let pixels: Vec<[u8; 4]> = rgba(&picture);

        for format in [
            FrameFormat::Gray8, FrameFormat::GrayA8, FrameFormat::Gray16 { bits: 12 },
            FrameFormat::Rgb8, FrameFormat::Rgba8, FrameFormat::Bgra8,
            FrameFormat::Nv12(space), FrameFormat::Nv21(space), FrameFormat::I420(space),
        ] {
            // With gaps, which must stay as they are, and without.
            let strides: Vec<usize> = tight(width, format).iter().map(|s| s + gap).collect();
            let mut wide: Vec<Vec<u8>> = (0..format.planes())
                .map(|p| vec![0xA5; strides[p] * format.plane_rows(p, height) - gap])
                .collect();
            into(&mut decoder, &file, (width, height), format, &mut wide, &strides);
            let tight = tight(width, format);
            let mut close: Vec<Vec<u8>> = (0..format.planes())
                .map(|p| vec![0; tight[p] * format.plane_rows(p, height)])
                .collect();
            into(&mut decoder, &file, (width, height), format, &mut close, &tight);
            for (plane, (wide, close)) in wide.iter().zip(&close).enumerate() {
                for (wide, close) in wide.chunks(strides[plane]).zip(close.chunks(tight[plane])) {
                    prop_assert_eq!(&wide[..close.len()], close);
                    prop_assert!(wide[close.len()..].iter().all(|&b| b == 0xA5));
                }
            }
            check(&close, format, (width as usize, height as usize), &pixels, picture.format())?;
        }
    }
}

fn into(
    decoder: &mut Decoder<'_>,
    file: &[u8],
    (width, height): (u32, u32),
    format: FrameFormat,
    planes: &mut [Vec<u8>],
    strides: &[usize],
) {
    let mut planes = planes.iter_mut().zip(strides).map(|(p, &s)| PlaneMut::new(p, s));
    let mut next = || planes.next().unwrap();
    let picture = match format.planes() {
        1 => PictureMut::new(width, height, format, [next()]),
        2 => PictureMut::new(width, height, format, [next(), next()]),
        _ => PictureMut::new(width, height, format, [next(), next(), next()]),
    };
    decoder.decode_into(file, &Default::default(), picture.unwrap()).unwrap();
}

fn rgba(picture: &Picture) -> Vec<[u8; 4]> {
    let pixel = |p: &[u8]| match *p {
        [v] => [v, v, v, 255],
        [v, a] => [v, v, v, a],
        [r, g, b] => [r, g, b, 255],
        [r, g, b, a] => [r, g, b, a],
        _ => [0; 4],
    };
    picture.data().chunks(picture.format().channels()).map(pixel).collect()
}

/// Luma, Cb and Cr planes to RGB as `docs/api.md` says, each chroma sample for its four pixels.
fn to_rgb(planes: &[Vec<u8>], space: YuvSpace, (width, height): (usize, usize)) -> Vec<u8> {
    let (black, ky, rv, gu, gv, bu) = match (space.matrix, space.range) {
        (YuvMatrix::Bt601, YuvRange::Full) => (0, 65536, 91881, 22553, 46802, 116_130),
        (YuvMatrix::Bt601, YuvRange::Limited) => (16, 76309, 104_597, 25675, 53279, 132_201),
        (YuvMatrix::Bt709, YuvRange::Full) => (0, 65536, 103_206, 12276, 30679, 121_609),
        (YuvMatrix::Bt709, YuvRange::Limited) => (16, 76309, 117_489, 13975, 34925, 138_438),
    };
    let mut rgb = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let at = y / 2 * width.div_ceil(2) + x / 2;
            let l = ky * (i32::from(planes[0][y * width + x]) - black);
            let (u, v) = (i32::from(planes[1][at]) - 128, i32::from(planes[2][at]) - 128);
            let sums = [l + rv * v, l - gu * u - gv * v, l + bu * u];
            rgb.extend(sums.map(|sum| ((sum + 32768) >> 16).clamp(0, 255) as u8));
        }
    }
    rgb
}

/// Kr, Kb, factors of luma and chroma, black.
fn constants(space: YuvSpace) -> (f64, f64, f64, f64, f64) {
    let (kr, kb) = match space.matrix {
        YuvMatrix::Bt601 => (0.299, 0.114),
        YuvMatrix::Bt709 => (0.2126, 0.0722),
    };
    match space.range {
        YuvRange::Full => (kr, kb, 1.0, 1.0, 0.0),
        YuvRange::Limited => (kr, kb, 219.0 / 255.0, 224.0 / 255.0, 16.0),
    }
}

/// Compares planes with the formulas in floating point (half a step and a bit), other formats exactly.
fn check(
    planes: &[Vec<u8>],
    format: FrameFormat,
    (width, height): (usize, usize),
    pixels: &[[u8; 4]],
    decoded: PixelFormat,
) -> Result<(), TestCaseError> {
    let near = |got: u8, want: f64| (f64::from(got) - want.clamp(0.0, 255.0)).abs() < 0.51;
    let gray = |p: &[u8; 4], got: u8| {
        let [r, g, b] = [p[0], p[1], p[2]].map(f64::from);
        near(got, 0.299 * r + 0.587 * g + 0.114 * b)
    };
    let main = &planes[0];
    let (FrameFormat::Nv12(space) | FrameFormat::Nv21(space) | FrameFormat::I420(space)) = format
    else {
        for (i, p) in pixels.iter().enumerate() {
            let fits = match format {
                FrameFormat::Gray8 if decoded.is_gray() => main[i] == p[0],
                FrameFormat::Gray8 => gray(p, main[i]),
                FrameFormat::GrayA8 => gray(p, main[2 * i]) && main[2 * i + 1] == p[3],
                FrameFormat::Gray16 { .. } => {
                    let v = u16::from_le_bytes([main[2 * i], main[2 * i + 1]]);
                    gray(p, ((u32::from(v) * 255 + 2047) / 4095) as u8)
                }
                FrameFormat::Rgb8 => main[3 * i..][..3] == p[..3],
                FrameFormat::Bgra8 => main[4 * i..][..4] == [p[2], p[1], p[0], p[3]],
                _ => main[4 * i..][..4] == *p,
            };
            prop_assert!(fits, "{format:?}, pixel {i}: {p:?}");
        }
        return Ok(());
    };
    let (kr, kb, luma, chroma, black) = constants(space);
    let y = |[r, g, b]: [f64; 3]| kr * r + (1.0 - kr - kb) * g + kb * b;
    let half = width.div_ceil(2);
    for (i, p) in pixels.iter().enumerate() {
        let rgb = [p[0], p[1], p[2]].map(f64::from);
        prop_assert!(near(main[i], y(rgb) * luma + black));
    }
    for cy in 0..height.div_ceil(2) {
        for cx in 0..half {
            let (ys, xs) = ([2 * cy, 2 * cy + 1], [2 * cx, 2 * cx + 1]);
            let inside = ys.into_iter().filter(|&y| y < height).flat_map(|y| {
                xs.into_iter().filter(|&x| x < width).map(move |x| pixels[y * width + x])
            });
            let inside: Vec<[u8; 4]> = inside.collect();
            let mean: [f64; 3] = std::array::from_fn(|c| {
                inside.iter().map(|p| f64::from(p[c])).sum::<f64>() / inside.len() as f64
            });
            let u = (mean[2] - y(mean)) / (2.0 - 2.0 * kb) * chroma + 128.0;
            let v = (mean[0] - y(mean)) / (2.0 - 2.0 * kr) * chroma + 128.0;
            let at = cy * half + cx;
            let got = match format {
                FrameFormat::Nv12(_) => [planes[1][2 * at], planes[1][2 * at + 1]],
                FrameFormat::Nv21(_) => [planes[1][2 * at + 1], planes[1][2 * at]],
                _ => [planes[1][at], planes[2][at]],
            };
            prop_assert!(near(got[0], u) && near(got[1], v), "{format:?} {cx} {cy}");
        }
    }
    Ok(())
}

#[test]
fn streams_may_own_their_encoder() {
    let planes = samples(50, 100, FrameFormat::Rgb8, 1).concat();
    let whole = PictureRef::contiguous(50, 100, FrameFormat::Rgb8, &planes).unwrap();
    let options = options(50.0, 64);
    let mut encoder = Encoder::new(&BUNDLE, 1).unwrap();
    let file = encoder.encode(whole, &options).unwrap();
    for _ in 0..2 {
        let mut out = Vec::new();
        let mut stream = encoder.into_stream(50, 100, FrameFormat::Rgb8, &options).unwrap();
        for rows in planes.chunks(50 * 3 * 10) {
            let band = PictureRef::contiguous(50, 10, FrameFormat::Rgb8, rows).unwrap();
            stream.push_rows(band, &mut out).unwrap();
        }
        encoder = stream.finish().unwrap();
        assert_eq!(out, file);
    }
}

#[test]
fn wrong_rows_are_refused_and_change_nothing() {
    let nv12 = FrameFormat::Nv12(YuvSpace::default());
    let planes = samples(50, 100, nv12, 1).concat();
    let whole = PictureRef::contiguous(50, 100, nv12, &planes).unwrap();
    let options = options(50.0, 64);
    let mut encoder = Encoder::new(&BUNDLE, 1).unwrap();
    let file = encoder.encode(whole, &options).unwrap();

    let mut out = Vec::new();
    let mut stream = encoder.stream(50, 100, nv12, &options).unwrap();
    macro_rules! refused {
        ($rows:expr) => {{
            let before = stream.rows_pushed();
            let error = stream.push_rows($rows, &mut out).unwrap_err();
            assert_eq!(stream.rows_pushed(), before);
            error
        }};
    }
    let gray = [0; 50];
    let gray = PictureRef::contiguous(50, 1, FrameFormat::Gray8, &gray).unwrap();
    assert_eq!(refused!(gray), EncodeError::OtherRows);
    assert_eq!(refused!(whole.rows(0..3).unwrap()), EncodeError::OddRows(3));
    let mut sent = Vec::new();
    stream.push_rows(whole.rows(0..40).unwrap(), &mut sent).unwrap();
    assert_eq!(
        refused!(whole.rows(0..62).unwrap()),
        EncodeError::TooManyRows { height: 100, pushed: 102 }
    );
    stream.push_rows(whole.rows(40..100).unwrap(), &mut sent).unwrap();
    stream.finish().unwrap();
    assert_eq!(sent, file);

    let mut stream = encoder.stream(50, 100, nv12, &options).unwrap();
    stream.push_rows(whole.rows(0..40).unwrap(), &mut sent).unwrap();
    let missing = EncodeError::MissingRows { height: 100, pushed: 40 };
    assert_eq!(stream.check_complete().unwrap_err(), missing);
    assert_eq!(stream.finish().unwrap_err(), missing);

    let mut target = options.clone();
    target.target = Some(Target::Bytes(10_000));
    let refused = encoder.stream(50, 100, nv12, &target).map(|_| ());
    assert_eq!(refused, Err(EncodeError::TargetNeedsPicture));
    let refused = encoder.stream(0, 100, nv12, &options).map(|_| ());
    assert_eq!(refused, Err(EncodeError::Dimensions { width: 0, height: 100 }));
    let deep = FrameFormat::Gray16 { bits: 3 };
    let refused = encoder.stream(50, 100, deep, &options).map(|_| ());
    assert_eq!(refused, Err(EncodeError::Bits(3)));
}

#[test]
fn chunks_come_out_as_soon_as_they_are_whole() {
    let data = samples(64, 640, FrameFormat::Rgba8, 7).concat();
    let whole = PictureRef::contiguous(64, 640, FrameFormat::Rgba8, &data).unwrap();
    let mut encoder = Encoder::new(&BUNDLE, 1).unwrap();
    let mut stream = encoder.stream(64, 640, FrameFormat::Rgba8, &options(50.0, 64)).unwrap();
    let mut sizes = Vec::new();
    for y in (0..640).step_by(16) {
        let mut out = Vec::new();
        stream.push_rows(whole.rows(y..y + 16).unwrap(), &mut out).unwrap();
        sizes.push(out.len());
    }
    stream.finish().unwrap();
    assert!((20..=40).contains(&sizes[0]), "header first: {sizes:?}");
    // The toy analysis looks at no neighbours, so a chunk is ready with its last row.
    let ready: Vec<usize> = (0..40).filter(|&band| band > 0 && sizes[band] > 0).collect();
    assert_eq!(ready, (1..=10).map(|chunk| chunk * 4 - 1).collect::<Vec<_>>());
}

#[test]
fn buffers_of_another_size_are_refused() {
    let data = samples(20, 20, FrameFormat::Rgb8, 7).concat();
    let picture = PictureRef::contiguous(20, 20, FrameFormat::Rgb8, &data).unwrap();
    let file = encode(1, picture, &options(50.0, 64));
    let mut buffer = vec![0; 20 * 21 * 3];
    let buffer = PictureMut::contiguous(20, 21, FrameFormat::Rgb8, &mut buffer).unwrap();
    let refused = Decoder::new(&BUNDLE, 1).unwrap().decode_into(&file, &Default::default(), buffer);
    let expected = DecodeError::OtherSize { stream: (20, 20), picture: (20, 21) };
    assert_eq!(refused.map(|_| ()), Err(expected));
}
