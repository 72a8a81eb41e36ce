//! One function: a photograph to a file. PINHOLE_DEVICE_MODEL names the bundle to embed when this is built.

use std::sync::OnceLock;

use pinhole::{Bundle, Effort, EncodeOptions, Encoder, FrameFormat, PictureRef};

#[repr(C, align(64))]
struct Aligned<T: ?Sized>(T);
static MODEL: &Aligned<[u8]> = &Aligned(*include_bytes!(env!("PINHOLE_DEVICE_MODEL")));
static BUNDLE: OnceLock<Option<Bundle<'static>>> = OnceLock::new();

/// Encodes RGB pixels without gaps at a quality of 0 to 100 into `room` bytes at `file`; the length of the file, or 0 if
/// that failed or there is too little room.
///
/// # Safety
/// `pixels` is good for reading `3 * width * height` bytes, `file` for writing `room`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_encode_rgb(
    pixels: *const u8,
    width: u32,
    height: u32,
    quality: f32,
    file: *mut u8,
    room: usize,
) -> usize {
    let len = width as usize * height as usize * 3;
    // SAFETY: the caller's promise.
    let pixels = unsafe { std::slice::from_raw_parts(pixels, len) };
    match encode(pixels, width, height, quality) {
        Some(bytes) if bytes.len() <= room => {
            // SAFETY: the caller's promise; what was just made does not overlap it.
            unsafe { file.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
            bytes.len()
        }
        _ => 0,
    }
}

fn encode(pixels: &[u8], width: u32, height: u32, quality: f32) -> Option<Vec<u8>> {
    let bundle = BUNDLE.get_or_init(|| Bundle::parse(&MODEL.0).ok()).as_ref()?;
    let picture = PictureRef::contiguous(width, height, FrameFormat::Rgb8, pixels).ok()?;
    let mut options = EncodeOptions::default();
    options.quality = quality;
    options.effort = Effort::ALL.into_iter().find(|effort| bundle.analysis(*effort).is_ok())?;
    Encoder::new(bundle, 1).ok()?.encode(picture, &options).ok()
}
