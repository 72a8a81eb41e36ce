//! Lossless coding of one 8-bit plane: alpha.
//!
//! The first byte says how the plane is stored: 0, all pixels have the value that follows; 1,
//! coded by the model of `plane_model.rs`; 2, as it is.

use super::binary::{BitDecoder, BitEncoder};
use super::plane_model::PlaneModel;
use alloc::vec::Vec;
use core::fmt;

const CONSTANT: u8 = 0;
const MODELLED: u8 = 1;
const RAW: u8 = 2;

/// Why a plane cannot be coded or decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PlaneError {
    /// Width or height is 0, a row exceeds the stride, or the product overflows.
    Dimensions {
        /// Pixels of a row.
        width: usize,
        /// Rows.
        height: usize,
        /// Distance of rows.
        stride: usize,
    },
    /// The buffer for the pixels has the wrong length.
    Buffer {
        /// Bytes the plane takes (at least, when encoding).
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// The first byte names no way to store a plane.
    UnknownMode(u8),
    /// The coded bytes are fewer or more than the plane takes.
    Length {
        /// What it takes.
        expected: usize,
        /// What there is.
        actual: usize,
    },
}

impl fmt::Display for PlaneError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Dimensions { width, height, stride } => {
                write!(f, "a plane of {width} by {height} with stride {stride} is not valid")
            }
            Self::Buffer { needed, available } => {
                write!(f, "the plane takes {needed} bytes, the buffer has {available}")
            }
            Self::UnknownMode(mode) => write!(f, "plane mode {mode} is not known"),
            Self::Length { expected, actual } => {
                write!(f, "the plane is coded in {expected} bytes, not {actual}")
            }
        }
    }
}

impl core::error::Error for PlaneError {}

/// Codes `height` rows of `width` pixels that start `stride` bytes apart in `pixels`.
///
/// The result is never longer than the pixels and one byte; a plane of one value takes two.
pub fn encode_plane(
    pixels: &[u8],
    width: usize,
    height: usize,
    stride: usize,
) -> Result<Vec<u8>, PlaneError> {
    let dimensions = PlaneError::Dimensions { width, height, stride };
    if width == 0 || height == 0 || width > stride {
        return Err(dimensions);
    }
    let last = stride.checked_mul(height - 1).ok_or(dimensions)?;
    let needed = last.checked_add(width).ok_or(dimensions)?;
    let available = pixels.len();
    let pixels = pixels.get(..needed).ok_or(PlaneError::Buffer { needed, available })?;
    let mut plane = Vec::with_capacity(width * height);
    for row in pixels.chunks(stride) {
        plane.extend_from_slice(row.get(..width).unwrap_or(row));
    }
    let first = plane.first().copied().unwrap_or(0);
    if plane.iter().all(|&v| v == first) {
        return Ok(Vec::from([CONSTANT, first]));
    }
    let mut coder = BitEncoder::new(Vec::from([MODELLED]));
    let mut model = PlaneModel::new(width);
    for_rows(&mut plane, width, |row, above, above2| {
        model.code_row(&mut coder, row, above, above2);
    });
    let mut coded = coder.finish();
    if coded.len() > plane.len() {
        coded.clear();
        coded.push(RAW);
        coded.append(&mut plane);
    }
    Ok(coded)
}

/// Decodes a plane of `width * height` pixels into `out`, which has just that length.
///
/// After an error `out` holds anything. A damaged plane may also decode to other pixels:
/// checking the bytes is the container's business.
pub fn decode_plane(
    bytes: &[u8],
    width: usize,
    height: usize,
    out: &mut [u8],
) -> Result<(), PlaneError> {
    let dimensions = PlaneError::Dimensions { width, height, stride: width };
    let needed = width.checked_mul(height).filter(|&n| n > 0).ok_or(dimensions)?;
    if out.len() != needed {
        return Err(PlaneError::Buffer { needed, available: out.len() });
    }
    let (&mode, coded) =
        bytes.split_first().ok_or(PlaneError::Length { expected: 2, actual: 0 })?;
    let actual = bytes.len();
    match mode {
        CONSTANT => match *coded {
            [value] => out.fill(value),
            _ => return Err(PlaneError::Length { expected: 2, actual }),
        },
        MODELLED => {
            let mut coder = BitDecoder::new(coded);
            let mut model = PlaneModel::new(width);
            for_rows(out, width, |row, above, above2| {
                model.code_row(&mut coder, row, above, above2);
            });
            let expected = coder.length() + 1;
            if expected != actual {
                return Err(PlaneError::Length { expected, actual });
            }
        }
        RAW if coded.len() == needed => out.copy_from_slice(coded),
        RAW => return Err(PlaneError::Length { expected: needed + 1, actual }),
        _ => return Err(PlaneError::UnknownMode(mode)),
    }
    Ok(())
}

/// Calls `each` with every row and the two before it (empty where there are none).
fn for_rows(plane: &mut [u8], width: usize, mut each: impl FnMut(&mut [u8], &[u8], &[u8])) {
    let (mut above, mut above2): (&[u8], &[u8]) = (&[], &[]);
    for row in plane.chunks_exact_mut(width) {
        each(row, above, above2);
        (above, above2) = (row, above);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use proptest::prelude::*;

    fn round_trip(pixels: &[u8], width: usize) -> usize {
        let height = pixels.len() / width;
        let coded = encode_plane(pixels, width, height, width).unwrap();
        let mut out = vec![77; pixels.len()];
        decode_plane(&coded, width, height, &mut out).unwrap();
        assert!(out == pixels);
        coded.len()
    }

    /// A disc with a soft edge of `soft` pixels.
    fn disc(size: usize, soft: f64) -> Vec<u8> {
        let middle = size as f64 / 2.0;
        let at = |x: usize, y: usize| {
            let r = (x as f64 - middle).hypot(y as f64 - middle);
            ((middle * 0.8 - r) / soft + 0.5).clamp(0.0, 1.0) * 255.0
        };
        (0..size * size).map(|i| at(i % size, i / size).round() as u8).collect()
    }

    #[test]
    fn flat_planes_take_two_bytes() {
        assert_eq!(round_trip(&[255; 3000], 60), 2);
        assert_eq!(round_trip(&[7], 1), 2);
        assert!(round_trip(&[&[0; 500_000][..], &[255; 500_000]].concat(), 1000) < 20);
    }

    #[test]
    fn masks_are_small() {
        // About 1600 pixels on the soft edge, each nearly 8 bits of noise; 820 rows' ends on the
        // hard one.
        let soft = round_trip(&disc(512, 1.0), 512);
        assert!(soft < 2500, "{soft}");
        let hard = round_trip(&disc(512, 1e-9), 512);
        assert!(hard < 300, "{hard}");
    }

    /// The bytes of a plane must never change.
    #[test]
    fn planes_are_pinned() {
        let plane: Vec<u8> =
            (0u32..1500).map(|i| if i % 150 < 90 { 0 } else { ((i * i) >> 6) as u8 }).collect();
        let coded = encode_plane(&plane, 150, 10, 150).unwrap();
        assert_eq!((coded.len(), crate::format::crc32c(&coded)), (369, 0xe3b3_7d02));
    }

    #[test]
    fn noise_does_not_grow() {
        let mut seed = 1u64;
        let noise = (0..10_000).map(|_| {
            seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (seed >> 56) as u8
        });
        assert_eq!(round_trip(&noise.collect::<Vec<_>>(), 100), 10_001);
    }

    #[test]
    fn wrong_calls_are_errors() {
        assert!(matches!(encode_plane(&[0; 4], 2, 3, 2), Err(PlaneError::Buffer { .. })));
        assert!(matches!(encode_plane(&[0; 4], 3, 1, 2), Err(PlaneError::Dimensions { .. })));
        assert!(matches!(encode_plane(&[], 0, 0, 0), Err(PlaneError::Dimensions { .. })));
        let huge = usize::MAX / 2;
        assert!(matches!(encode_plane(&[0], 1, 4, huge), Err(PlaneError::Dimensions { .. })));
        assert!(matches!(
            decode_plane(&[0, 1], huge, 3, &mut []),
            Err(PlaneError::Dimensions { .. })
        ));
        assert!(matches!(decode_plane(&[0, 1], 2, 2, &mut [0]), Err(PlaneError::Buffer { .. })));
        assert_eq!(decode_plane(&[9, 1], 1, 1, &mut [0]), Err(PlaneError::UnknownMode(9)));
        assert!(encode_plane(&[1, 2, 3, 4, 5], 1, 3, 2).is_ok());
    }

    #[test]
    #[ignore = "measures speed"]
    fn plane_speed() {
        for (name, soft) in [("hard", 1e-9), ("soft", 1.0), ("blurred", 300.0)] {
            let pixels = disc(2048, soft);
            let clock = std::time::Instant::now();
            let coded = encode_plane(&pixels, 2048, 2048, 2048).unwrap();
            let encode = clock.elapsed().as_secs_f64();
            let mut out = vec![0; pixels.len()];
            let clock = std::time::Instant::now();
            decode_plane(&coded, 2048, 2048, &mut out).unwrap();
            let decode = clock.elapsed().as_secs_f64();
            let rate = |t: f64| pixels.len() as f64 / t / 1e6;
            std::println!(
                "{name}: {} bytes, Mpixel/s: encode {:.0}, decode {:.0}",
                coded.len(),
                rate(encode),
                rate(decode)
            );
        }
    }

    proptest! {
        #[test]
        fn any_plane_round_trips(width in 1usize..150, height in 1usize..12, pad in 0usize..5,
                                 levels in prop_oneof![Just(2u32), Just(5), Just(256)],
                                 seed in any::<u64>()) {
            let mut seed = seed;
            let stride = width + pad;
            let pixels: Vec<u8> = (0..stride * height).map(|_| {
                seed = seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                ((seed >> 33) as u32 % levels * (255 / (levels - 1))) as u8
            }).collect();
            let coded = encode_plane(&pixels, width, height, stride).unwrap();
            prop_assert!(coded.len() <= width * height + 1);
            let mut out = vec![0; width * height];
            decode_plane(&coded, width, height, &mut out).unwrap();
            let packed: Vec<u8> = pixels.chunks(stride).flat_map(|r| &r[..width]).copied().collect();
            prop_assert_eq!(&out, &packed);
            let longer = [&coded[..], &[0]].concat();
            prop_assert!(decode_plane(&longer, width, height, &mut out).is_err());
            for len in 0..coded.len() {
                if decode_plane(&coded[..len], width, height, &mut out).is_ok() {
                    prop_assert_ne!(&out, &packed);
                }
            }
        }

        #[test]
        fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100),
                                    mode in 0u8..4) {
            let mut out = vec![0; 70 * 9];
            let _ = decode_plane(&bytes, 70, 9, &mut out);
            let _ = decode_plane(&[&[mode], &bytes[..]].concat(), 70, 9, &mut out);
        }
    }
}
