//! What a call through the shared library costs over the Rust call: a photograph of 768×512 pixels, one thread.
//!
//! `cargo bench -p pinhole-ffi` loads the `libpinhole_ffi` that cargo has just built as a C program would, does the
//! same work both ways in turn in one process, and prints medians. Each pair is measured on the same machine state, so
//! the median of their ratios is what counts.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::ffi::OsStr;
use std::hint::black_box;
use std::path::PathBuf;
use std::ptr::{null, null_mut};

use libloading::{Library, Symbol};
use pinhole::{Bundle, DecodeOptions, Decoder, EncodeOptions, Encoder, Picture, PixelFormat};
use pinhole_ffi::*;

const MODEL: &[u8] = include_bytes!("../../models/zoo/photo/photo.pinm");
const PAIRS: usize = 101;
const WIDTH: u32 = 768;
const HEIGHT: u32 = 512;

/// A sample photograph, mirrored at its right and lower edge.
fn photograph() -> Picture {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../samples/coffee.png");
    let file = std::io::BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut sample = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut sample).unwrap();
    assert_eq!(info.color_type, png::ColorType::Rgb);
    let mirror = |at: u32, side: u32| {
        let turn = at % (2 * side);
        if turn < side { turn } else { 2 * side - 1 - turn }
    };
    let mut data = Vec::new();
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let at = mirror(y, info.height) * info.width + mirror(x, info.width);
            data.extend_from_slice(&sample[at as usize * 3..][..3]);
        }
    }
    Picture::new(WIDTH, HEIGHT, PixelFormat::Rgb8, data).unwrap()
}

/// The shared library of this build: target/release/deps/overhead-… has it in the folder above its own.
fn library() -> Library {
    let program = std::env::current_exe().unwrap();
    let mut folder: PathBuf = program.parent().unwrap().into();
    if folder.file_name() == Some(OsStr::new("deps")) {
        folder.pop();
    }
    let path = folder.join(libloading::library_filename("pinhole_ffi"));
    // SAFETY: this project's own library, which does nothing when it is loaded.
    unsafe { Library::new(&path) }.unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The library's function of this name, which has the type of this crate's.
fn named<'l, F>(library: &'l Library, name: &str, _own: F) -> Symbol<'l, F> {
    // SAFETY: the library was built from this crate, so that its function has the type of the one given.
    unsafe { library.get(name.as_bytes()) }.unwrap()
}

/// Milliseconds that this thread has worked: other programs do not count. All of the work is on this thread.
#[cfg(unix)]
fn now() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e3 + time.tv_nsec as f64 / 1e6
}

/// Milliseconds since the first call.
#[cfg(not(unix))]
fn now() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64() * 1e3
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Times two ways in turn, each first every other time.
fn compare(what: &str, mut rust: impl FnMut(), mut c: impl FnMut()) {
    fn time(work: &mut impl FnMut()) -> f64 {
        let start = now();
        work();
        now() - start
    }
    let (mut rusts, mut cs) = (Vec::new(), Vec::new());
    for pair in 0..PAIRS {
        if pair % 2 == 0 {
            rusts.push(time(&mut rust));
            cs.push(time(&mut c));
        } else {
            cs.push(time(&mut c));
            rusts.push(time(&mut rust));
        }
    }
    let ratio = median(cs.iter().zip(&rusts).map(|(c, r)| c / r).collect());
    let (c, rust) = (median(cs), median(rusts));
    let percent = (ratio - 1.0) * 100.0;
    println!("{what}: Rust {rust:.2} ms, C {c:.2} ms, median of {PAIRS} ratios {percent:+.2} %");
}

fn main() {
    let library = library();
    macro_rules! function {
        ($name:ident, $type:ty) => {{
            let own: $type = $name;
            named(&library, concat!(stringify!($name), "\0"), own)
        }};
    }
    type Status = PinholeStatus;
    type Error = *mut PinholeError;
    let from_memory = function!(
        pinhole_model_from_memory,
        unsafe extern "C" fn(*const u8, usize, *mut *mut PinholeModel, Error) -> Status
    );
    let encoder_new = function!(
        pinhole_encoder_new,
        unsafe extern "C" fn(*const PinholeModel, usize, *mut *mut PinholeEncoder, Error) -> Status
    );
    let decoder_new = function!(
        pinhole_decoder_new,
        unsafe extern "C" fn(*const PinholeModel, usize, *mut *mut PinholeDecoder, Error) -> Status
    );
    let image_init = function!(
        pinhole_image_init,
        unsafe extern "C" fn(
            *mut PinholeImage,
            usize,
            u32,
            u32,
            u32,
            *const u8,
            usize,
            Error,
        ) -> Status
    );
    let encode = function!(
        pinhole_encode,
        unsafe extern "C" fn(
            *mut PinholeEncoder,
            *const PinholeImage,
            *const PinholeEncodeOptions,
            *mut *mut PinholeBytes,
            Error,
        ) -> Status
    );
    let decode = function!(
        pinhole_decode,
        unsafe extern "C" fn(
            *mut PinholeDecoder,
            *const u8,
            usize,
            *const PinholeDecodeOptions,
            *mut *mut PinholeDecoded,
            Error,
        ) -> Status
    );
    let bytes_data =
        function!(pinhole_bytes_data, unsafe extern "C" fn(*const PinholeBytes) -> *const u8);
    let bytes_len =
        function!(pinhole_bytes_len, unsafe extern "C" fn(*const PinholeBytes) -> usize);
    let bytes_free = function!(pinhole_bytes_free, unsafe extern "C" fn(*mut PinholeBytes));
    let decoded_free = function!(pinhole_decoded_free, unsafe extern "C" fn(*mut PinholeDecoded));

    let bundle = Bundle::parse(MODEL).unwrap();
    let mut encoder = Encoder::new(&bundle, 1).unwrap();
    let mut decoder = Decoder::new(&bundle, 1).unwrap();
    let picture = photograph();
    let stream = encoder.encode(&picture, &EncodeOptions::default()).unwrap();

    let ok = |status: Status| assert_eq!(status, PinholeStatus::Ok);
    let (mut model, mut c_encoder, mut c_decoder) = (null_mut(), null_mut(), null_mut());
    let mut image = std::mem::MaybeUninit::uninit();
    let (samples, format) = (picture.data(), PinholeFormat::Rgb8 as u32);
    let size = size_of::<PinholeImage>();
    // SAFETY: all pointers are to variables here; the functions are those of this crate.
    let image = unsafe {
        ok(from_memory(MODEL.as_ptr(), MODEL.len(), &mut model, null_mut()));
        ok(encoder_new(model, 1, &mut c_encoder, null_mut()));
        ok(decoder_new(model, 1, &mut c_decoder, null_mut()));
        let (data, len) = (samples.as_ptr(), samples.len());
        ok(image_init(image.as_mut_ptr(), size, format, WIDTH, HEIGHT, data, len, null_mut()));
        image.assume_init()
    };
    // SAFETY: as above; what is encoded is freed once.
    let c_encode = || unsafe {
        let mut bytes = null_mut();
        ok(encode(c_encoder, &image, null(), &mut bytes, null_mut()));
        bytes
    };
    // SAFETY: as above.
    unsafe {
        let bytes = c_encode();
        let found = std::slice::from_raw_parts(bytes_data(bytes), bytes_len(bytes));
        assert!(found == stream, "C and Rust give different streams");
        bytes_free(bytes);
    }

    compare(
        "encode 768x512",
        || drop(black_box(encoder.encode(&picture, &EncodeOptions::default()).unwrap())),
        // SAFETY: the handle came from the same library.
        || unsafe { bytes_free(black_box(c_encode())) },
    );
    compare(
        "decode 768x512",
        || drop(black_box(decoder.decode(&stream, &DecodeOptions::default()).unwrap())),
        // SAFETY: as above.
        || unsafe {
            let mut decoded = null_mut();
            ok(decode(c_decoder, stream.as_ptr(), stream.len(), null(), &mut decoded, null_mut()));
            decoded_free(black_box(decoded));
        },
    );
}
