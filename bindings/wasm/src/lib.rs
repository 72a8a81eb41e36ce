//! The border between the codec and JavaScript: a dozen functions of numbers and addresses.
//!
//! `js/codec.ts` is the only caller that is meant; it hides all of this. A host writes its bytes where
//! [`pinhole_alloc`] says, calls, and reads the results where [`pinhole_report`] and [`pinhole_record`] say before the
//! next call. Functions that return a status return 0 if all went well; otherwise [`pinhole_message`] says why not.
//! A session is used by one thread at a time. No codec logic is here.

mod format;
mod session;

use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr;

use pinhole::{DecodeOptions, Synthesis};

use session::{EncodeCall, Error};
pub use session::{Report, Session};

/// The version of this border.
pub const ABI: u32 = 4;

/// The synthesis that a host without a wish asks for.
const BEST: u32 = 2;

thread_local! {
    static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps why a call failed.
fn status(result: Result<(), Error>) -> u32 {
    match result {
        Ok(()) => 0,
        Err(e) => {
            MESSAGE.set(e.to_string());
            1
        }
    }
}

/// The version of this border: a caller written for another one must not go on.
#[unsafe(no_mangle)]
pub extern "C" fn pinhole_abi() -> u32 {
    ABI
}

/// Room for `len` bytes, zeroed, or null if there is none. Freed with [`pinhole_free`] and the same length.
#[unsafe(no_mangle)]
pub extern "C" fn pinhole_alloc(len: usize) -> *mut u8 {
    match Layout::array::<u8>(len.max(1)) {
        // SAFETY: the layout has at least one byte.
        Ok(layout) => unsafe { std::alloc::alloc_zeroed(layout) },
        Err(_) => ptr::null_mut(),
    }
}

/// Gives back what [`pinhole_alloc`] gave; null is ignored.
///
/// # Safety
/// `place` came from [`pinhole_alloc`] of this `len` and was not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_free(place: *mut u8, len: usize) {
    if let (false, Ok(layout)) = (place.is_null(), Layout::array::<u8>(len.max(1))) {
        // SAFETY: the caller's promise; the layout is that of the allocation.
        unsafe { std::alloc::dealloc(place, layout) };
    }
}

/// Where the message of the last failed call is: UTF-8, [`pinhole_message_len`] bytes.
#[unsafe(no_mangle)]
pub extern "C" fn pinhole_message() -> *const u8 {
    MESSAGE.with_borrow(|message| message.as_ptr())
}

/// How many bytes the message has.
#[unsafe(no_mangle)]
pub extern "C" fn pinhole_message_len() -> usize {
    MESSAGE.with_borrow(|message| message.len())
}

/// Opens a session with a model, which is copied; null if it is no model. Closed with [`pinhole_close`].
///
/// # Safety
/// `model` is good for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_open(model: *const u8, len: usize) -> *mut Session {
    // SAFETY: the caller's promise.
    match Session::new(unsafe { bytes(model, len) }) {
        Ok(session) => Box::into_raw(Box::new(session)),
        Err(e) => {
            status(Err(e));
            ptr::null_mut()
        }
    }
}

/// Closes a session and frees all it gave; null is ignored.
///
/// # Safety
/// `session` came from [`pinhole_open`] and was not closed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_close(session: *mut Session) {
    if !session.is_null() {
        // SAFETY: the caller's promise.
        drop(unsafe { Box::from_raw(session) });
    }
}

/// Adds a metadata record for the next encode: 1 is an ICC profile, 2 Exif, 3 XMP. The bytes are copied.
///
/// # Safety
/// `session` is open, `data` is good for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_add_record(
    session: *mut Session,
    kind: u8,
    data: *const u8,
    len: usize,
) {
    // SAFETY: the caller's promise.
    let (session, data) = unsafe { (&mut *session, bytes(data, len)) };
    session.records.push((kind, data.to_vec()));
}

/// Forgets all metadata records: those added, and those that the last file carried.
///
/// # Safety
/// `session` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_clear_records(session: *mut Session) {
    // SAFETY: the caller's promise.
    unsafe { (*session).records.clear() };
}

/// Encodes a picture without gaps between rows and planes, and uses up the records added. `format` is as in `format.rs`,
/// `quality` 0 to 100, `target` the most bytes or 0, `chunk_rows` a multiple of 64, `effort` 0 fast, 1 default, 2 best,
/// `tune` 0 perceptual, 1 psnr. The pixels may be rearranged. The report then has the file.
///
/// # Safety
/// `session` is open, `pixels` is good for reading and writing `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_encode(
    session: *mut Session,
    pixels: *mut u8,
    len: usize,
    width: u32,
    height: u32,
    format: u32,
    quality: f32,
    target: f64,
    chunk_rows: u32,
    effort: u32,
    tune: u32,
) -> u32 {
    let target = (target != 0.0).then_some(target as u64);
    let call = EncodeCall { width, height, format, quality, target, chunk_rows, effort, tune };
    // SAFETY: the caller's promise.
    let (session, pixels) = unsafe { (&mut *session, bytes_mut(pixels, len)) };
    status(session.encode(pixels, &call))
}

/// Decodes a file of at most `max_pixels` pixels to the pixel format `format`, or to its own if that is −1. If `conceal`
/// is not 0, damaged chunks are filled in. `synthesis` is 0 standard, 1 lite, 2 the best that the model has. The report then
/// has the pixels, without gaps.
///
/// # Safety
/// `session` is open, `file` is good for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_decode(
    session: *mut Session,
    file: *const u8,
    len: usize,
    format: i32,
    conceal: u32,
    max_pixels: f64,
    synthesis: u32,
) -> u32 {
    let mut options = DecodeOptions::default();
    options.conceal = conceal != 0;
    options.max_pixels = max_pixels as u64;
    // SAFETY: the caller's promise.
    let (session, file) = unsafe { (&mut *session, bytes(file, len)) };
    options.decoder = match synthesis {
        BEST => session.best_synthesis(),
        code => match Synthesis::ALL.get(code as usize) {
            Some(&synthesis) => synthesis,
            None => return status(Err(Error::Choice("decoder", code))),
        },
    };
    status(session.decode(file, u32::try_from(format).ok(), &options))
}

/// Reads header and metadata of a file, whatever its model. The report then has no output.
///
/// # Safety
/// `session` is open, `file` is good for reading `len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_inspect(
    session: *mut Session,
    file: *const u8,
    len: usize,
) -> u32 {
    // SAFETY: the caller's promise.
    let (session, file) = unsafe { (&mut *session, bytes(file, len)) };
    status(session.inspect(file))
}

/// What the last call that worked says; good until the next call.
///
/// # Safety
/// `session` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_report(session: *const Session) -> *const Report {
    // SAFETY: the caller's promise.
    unsafe { &raw const (*session).report }
}

/// Writes kind, address and length of metadata record number `index` to `out`. Returns 1 if there is none.
///
/// # Safety
/// `session` is open, `out` is good for writing three words and aligned.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_record(
    session: *const Session,
    index: usize,
    out: *mut usize,
) -> u32 {
    // SAFETY: the caller's promise.
    let records = unsafe { &(*session).records };
    let Some((kind, data)) = records.get(index) else { return 1 };
    let words = [usize::from(*kind), data.as_ptr() as usize, data.len()];
    // SAFETY: the caller's promise.
    unsafe { out.cast::<[usize; 3]>().write(words) };
    0
}

/// # Safety
/// `place` is good for reading `len` bytes for as long as the slice is used; null is no bytes.
unsafe fn bytes<'a>(place: *const u8, len: usize) -> &'a [u8] {
    match place.is_null() {
        true => &[],
        // SAFETY: the caller's promise.
        false => unsafe { std::slice::from_raw_parts(place, len) },
    }
}

/// # Safety
/// `place` is good for reading and writing `len` bytes for as long as the slice is used; null is no bytes.
unsafe fn bytes_mut<'a>(place: *mut u8, len: usize) -> &'a mut [u8] {
    match place.is_null() {
        true => &mut [],
        // SAFETY: the caller's promise.
        false => unsafe { std::slice::from_raw_parts_mut(place, len) },
    }
}
