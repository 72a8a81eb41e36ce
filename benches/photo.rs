//! The shipped model and a photograph.

use pinhole::{Picture, PixelFormat};

#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);
static ALIGNED: &Aligned<[u8]> = &Aligned(*include_bytes!("../models/zoo/photo/photo.pinm"));

/// The shipped bundle, at a multiple of 64 bytes, where weights are read fastest.
pub static MODEL: &[u8] = &ALIGNED.0;

/// A sample photograph, mirrored at its right and lower edge as often as it takes.
///
/// # Panics
/// If the sample cannot be read.
#[allow(clippy::unwrap_used)]
pub fn photograph(width: u32, height: u32) -> Picture {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/coffee.png");
    let sample = image::open(path).unwrap().into_rgb8();
    let mirror = |at: u32, side: u32| {
        let turn = at % (2 * side);
        if turn < side { turn } else { 2 * side - 1 - turn }
    };
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let at = (mirror(x, sample.width()), mirror(y, sample.height()));
            data.extend(sample.get_pixel(at.0, at.1).0);
        }
    }
    Picture::new(width, height, PixelFormat::Rgb8, data).unwrap()
}
