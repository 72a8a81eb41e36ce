//! Numbers that stand for pixel formats at the border. `js/formats.ts` has the same list.

use pinhole::{FrameFormat, YuvMatrix, YuvRange, YuvSpace};

/// RGBA of which the alpha is dropped if every pixel is opaque: what a canvas gives.
pub(crate) const CANVAS: u32 = 9;

/// The format of a code: the kind in the lowest byte, then one byte of its parameter. That is the number of bits for
/// deep grey, and for 4:2:0 bit 0 for BT.709 and bit 1 for limited range.
pub(crate) fn format(code: u32) -> Option<FrameFormat> {
    let parameter = (code >> 8) as u8;
    let space = YuvSpace {
        matrix: if parameter & 1 == 0 { YuvMatrix::Bt601 } else { YuvMatrix::Bt709 },
        range: if parameter & 2 == 0 { YuvRange::Full } else { YuvRange::Limited },
    };
    Some(match code & 0xFF {
        0 => FrameFormat::Gray8,
        1 => FrameFormat::GrayA8,
        2 => FrameFormat::Rgb8,
        3 => FrameFormat::Rgba8,
        4 => FrameFormat::Bgra8,
        5 => FrameFormat::Gray16 { bits: parameter },
        6 => FrameFormat::Nv12(space),
        7 => FrameFormat::Nv21(space),
        8 => FrameFormat::I420(space),
        _ => return None,
    })
}

/// The format that a stream has by itself, and its code.
pub(crate) fn native(gray: bool, alpha: bool) -> (u32, FrameFormat) {
    match (gray, alpha) {
        (true, false) => (0, FrameFormat::Gray8),
        (true, true) => (1, FrameFormat::GrayA8),
        (false, false) => (2, FrameFormat::Rgb8),
        (false, true) => (3, FrameFormat::Rgba8),
    }
}

/// Moves the colours of RGBA pixels together if all of them are opaque, and returns how many bytes are left. Other
/// pictures stay as they are: `None`.
pub(crate) fn drop_opaque(pixels: &mut [u8]) -> Option<usize> {
    let count = pixels.len() / 4;
    if pixels.chunks_exact(4).any(|pixel| pixel[3] != 255) {
        return None;
    }
    for i in 0..count {
        pixels.copy_within(4 * i..4 * i + 3, 3 * i);
    }
    Some(3 * count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_formats_agree() {
        for gray in [false, true] {
            for alpha in [false, true] {
                let (code, expected) = native(gray, alpha);
                assert_eq!(format(code), Some(expected));
            }
        }
        let space = YuvSpace { matrix: YuvMatrix::Bt709, range: YuvRange::Limited };
        assert_eq!(format(6 | 3 << 8), Some(FrameFormat::Nv12(space)));
        assert_eq!(format(5 | 12 << 8), Some(FrameFormat::Gray16 { bits: 12 }));
        assert_eq!(format(CANVAS), None);
    }

    #[test]
    fn only_opaque_alpha_is_dropped() {
        let mut opaque = [1, 2, 3, 255, 4, 5, 6, 255, 7, 8, 9, 255];
        assert_eq!(drop_opaque(&mut opaque), Some(9));
        assert_eq!(opaque[..9], [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        let mut clear = [1, 2, 3, 255, 4, 5, 6, 254];
        assert_eq!(drop_opaque(&mut clear), None);
        assert_eq!(clear, [1, 2, 3, 255, 4, 5, 6, 254]);
    }
}
