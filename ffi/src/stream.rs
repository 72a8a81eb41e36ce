//! Pictures that arrive in bands of rows.

use std::ffi::c_void;
use std::sync::Mutex;

use pinhole::format::{Chunk, Header};
use pinhole_owned::OwnedStream;

use crate::border::{call, enter, free, handle, place, shared_by_threads};
use crate::model::PinholeModel;
use crate::options::{PinholeEncodeOptions, encode_options};
use crate::picture::{PinholeImage, format_of, picture};
use crate::status::{Failure, PinholeError, PinholeStatus};

/// What a piece of a stream is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinholePieceKind {
    /// The chunk of a band's colours.
    Latents = 0,
    /// The chunk of a band's alpha.
    Alpha = 1,
    /// Header and metadata: the first piece.
    Head = 0x100,
}

/// Takes the next piece of a stream: `len` bytes at `data` that live until it returns. All pieces one after the other
/// are the stream. `kind` is a PinholePieceKind, `band` the number of the band of rows, from 0 (0 for the head).
///
/// Return 0 to go on; anything else stops the stream, which then can only be freed. It is called on the thread that
/// pushes rows. It must not throw or jump out, nor call anything with the same stream (which gives BUSY) or free it.
pub type PinholePieceCallback = Option<
    unsafe extern "C" fn(
        user: *mut c_void,
        kind: u32,
        band: u32,
        data: *const u8,
        len: usize,
    ) -> i32,
>;

/// A picture being encoded from bands of rows, without ever being whole in memory. One call at a time: a second thread
/// gets BUSY. Several streams work at once.
pub struct PinholeStream(Mutex<State>);
const _: () = shared_by_threads::<PinholeStream>();

struct State {
    stream: OwnedStream,
    callback: unsafe extern "C" fn(*mut c_void, u32, u32, *const u8, usize) -> i32,
    user: User,
    /// What one push gave; kept for its memory.
    out: Vec<u8>,
    /// Whether the head has been given out.
    begun: bool,
    /// A push failed half-way, or the callback asked to stop.
    stopped: bool,
}

/// The caller's pointer.
struct User(*mut c_void);

// SAFETY: it is only handed to the callback, whose thread the caller chooses by pushing rows there.
unsafe impl Send for User {}

/// Starts a picture of `width` by `height` pixels in a PinholeFormat with its additions. `options` may be null for the
/// defaults; a target size needs the whole picture and is refused. Every finished piece goes to `callback` together
/// with `user`, which the library only passes on. Free the stream with pinhole_stream_free.
///
/// Fails with INVALID_ARGUMENT for size, format and options, with BAD_MODEL. Any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_stream_new(
    model: *const PinholeModel,
    format: u32,
    width: u32,
    height: u32,
    options: *const PinholeEncodeOptions,
    callback: PinholePieceCallback,
    user: *mut c_void,
    stream: *mut *mut PinholeStream,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it may be written.
        let out = unsafe { place(stream, "stream") }?;
        // SAFETY: the caller says that it is a model.
        let model = unsafe { handle(model, "model") }?;
        let callback = callback.ok_or_else(|| Failure::null("callback"))?;
        // SAFETY: the caller says that the options are readable.
        let options = unsafe { encode_options(options) }?;
        let stream = OwnedStream::new(&model.0, (width, height), format_of(format)?, &options)?;
        let state = State {
            stream,
            callback,
            user: User(user),
            out: Vec::new(),
            begun: false,
            stopped: false,
        };
        *out = Box::into_raw(Box::new(PinholeStream(Mutex::new(state))));
        Ok(())
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Takes the next rows: an image of the stream's format and width and of any height (even for 4:2:0, but for the last
/// rows). Calls the callback for each piece that is finished; with the picture's last row, all are. The work is done
/// on the caller's thread.
///
/// Fails with WRONG_ROWS, INVALID_ARGUMENT or BUFFER_TOO_SMALL, and then has changed nothing; with STOPPED if the
/// callback said so, BROKEN after an earlier failure of another kind, BUSY. Any thread; one call at a time for one
/// stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_stream_push_rows(
    stream: *mut PinholeStream,
    rows: *const PinholeImage,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a stream.
        let mut state = enter(&unsafe { handle(stream, "stream") }?.0)?;
        if state.stopped {
            return Err(broken());
        }
        // SAFETY: the caller says that the rows are readable.
        let rows = unsafe { picture(rows) }?;
        let State { stream, out, .. } = &mut *state;
        out.clear();
        stream.with(|stream| stream.push_rows(rows, out))?;
        state.give_out()
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

fn broken() -> Failure {
    Failure::new(PinholeStatus::Broken, "the stream was stopped before")
}

impl State {
    /// Cuts what a push gave into its pieces.
    fn give_out(&mut self) -> Result<(), Failure> {
        // Until all of it is out, the stream has a gap.
        self.stopped = true;
        let mut rest = &self.out[..];
        while !rest.is_empty() {
            let (kind, band, len) = if self.begun {
                let (chunk, len) = Chunk::parse(rest)?;
                (chunk.id.kind as u32, u32::from(chunk.id.band), len)
            } else {
                self.begun = true;
                (PinholePieceKind::Head as u32, 0, Header::parse(rest)?.chunks_start())
            };
            let (piece, later) = rest.split_at(len.min(rest.len()));
            // SAFETY: the caller gave a function of this type; the piece lives until it returns.
            let answer =
                unsafe { (self.callback)(self.user.0, kind, band, piece.as_ptr(), piece.len()) };
            if answer != 0 {
                let message = format!("the callback returned {answer}");
                return Err(Failure::new(PinholeStatus::Stopped, message));
            }
            rest = later;
        }
        self.stopped = false;
        Ok(())
    }
}

/// Checks that the whole picture was pushed and every piece given out. Changes nothing: if rows are missing they may
/// still be pushed.
///
/// Fails with MISSING_ROWS, or BROKEN after an earlier failure. Any thread; one call at a time for one stream.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_stream_finish(
    stream: *mut PinholeStream,
    error: *mut PinholeError,
) -> PinholeStatus {
    let work = || {
        // SAFETY: the caller says that it is a stream.
        let mut state = enter(&unsafe { handle(stream, "stream") }?.0)?;
        if state.stopped {
            return Err(broken());
        }
        Ok(state.stream.with(|stream| stream.check_complete())?)
    };
    // SAFETY: the caller's promise about `error`.
    unsafe { call(error, work) }
}

/// Frees a stream, finished or not; null is allowed. No other call may be using it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn pinhole_stream_free(stream: *mut PinholeStream) {
    // SAFETY: the caller says that it is a stream that nobody uses.
    unsafe { free(stream) }
}
