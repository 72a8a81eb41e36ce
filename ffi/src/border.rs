//! What every function at the border does: checks pointers, catches panics, tells what went wrong.

use std::any::Any;
use std::ffi::c_char;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, TryLockError};

use crate::status::{Failure, PinholeError, PinholeStatus};

/// Runs `work`, and turns its failure or panic into a status; fills `error` unless it is null.
///
/// # Safety
/// `error` is null or may be written.
pub(crate) unsafe fn call(
    error: *mut PinholeError,
    work: impl FnOnce() -> Result<(), Failure>,
) -> PinholeStatus {
    // What a panic may leave half-done is behind a mutex, which it poisons.
    let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|p| Err(panicked(p)));
    let (status, message) = match &result {
        Ok(()) => (PinholeStatus::Ok, ""),
        Err(failure) => (failure.status, failure.message.as_str()),
    };
    if !error.is_null() {
        // SAFETY: the caller says that it may be written.
        unsafe { error.write(PinholeError { status, message: message_bytes(message) }) };
    }
    status
}

/// Runs `work` of a function that cannot fail; a panic gives `otherwise`.
pub(crate) fn quietly<T>(otherwise: T, work: impl FnOnce() -> T) -> T {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => value,
        Err(payload) => {
            panicked(payload);
            otherwise
        }
    }
}

fn panicked(payload: Box<dyn Any + Send>) -> Failure {
    let text = payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let failure = Failure::new(PinholeStatus::Internal, format!("the library panicked: {text}"));
    // Dropping a payload of an unknown type could panic again.
    std::mem::forget(payload);
    failure
}

/// As many whole characters as fit before a zero byte.
fn message_bytes<const N: usize>(text: &str) -> [c_char; N] {
    let mut end = text.len().min(N - 1);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut bytes = [0; N];
    bytes.iter_mut().zip(text[..end].bytes()).for_each(|(to, from)| *to = from as c_char);
    bytes
}

/// The caller's bytes; `data` may be null if there are none of them.
///
/// # Safety
/// Unless `data` is null, `len` bytes may be read there as long as `'a`.
pub(crate) unsafe fn bytes<'a>(
    data: *const u8,
    len: usize,
    name: &str,
) -> Result<&'a [u8], Failure> {
    if len == 0 {
        return Ok(&[]);
    }
    check(data, len, name)?;
    // SAFETY: it is not null, the length is possible, and the caller says that it may be read.
    Ok(unsafe { std::slice::from_raw_parts(data, len) })
}

/// As [`bytes`], to be written.
///
/// # Safety
/// Unless `data` is null, `len` bytes may be written there as long as `'a`, by nobody else.
pub(crate) unsafe fn bytes_mut<'a>(
    data: *mut u8,
    len: usize,
    name: &str,
) -> Result<&'a mut [u8], Failure> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(data, len, name)?;
    // SAFETY: it is not null, the length is possible, and the caller says that it may be written.
    Ok(unsafe { std::slice::from_raw_parts_mut(data, len) })
}

fn check(data: *const u8, len: usize, name: &str) -> Result<(), Failure> {
    if data.is_null() {
        return Err(Failure::null(name));
    }
    if isize::try_from(len).is_err() || data.addr().checked_add(len).is_none() {
        return Err(Failure::invalid(format!("{name}: {len} bytes are more than memory has")));
    }
    Ok(())
}

/// Refuses to compile for handles that threads must not share: C cannot be told.
pub(crate) const fn shared_by_threads<T: Send + Sync>() {}

/// What a handle points to.
///
/// # Safety
/// Unless null, `handle` came from this library and lives as long as `'a`.
pub(crate) unsafe fn handle<'a, T>(handle: *const T, name: &str) -> Result<&'a T, Failure> {
    // SAFETY: as the caller says.
    unsafe { handle.as_ref() }.ok_or_else(|| Failure::null(name))
}

/// The place for a new handle, set to null until there is one.
///
/// # Safety
/// Unless null, `out` may be written as long as `'a`.
pub(crate) unsafe fn place<'a, T>(out: *mut *mut T, name: &str) -> Result<&'a mut *mut T, Failure> {
    if out.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: as the caller says; null is a value, so that a reference may follow.
    unsafe {
        out.write(std::ptr::null_mut());
        Ok(&mut *out)
    }
}

/// Writes a value to where the caller wants it.
///
/// # Safety
/// Unless null, `out` may be written.
pub(crate) unsafe fn put<T>(out: *mut T, value: T, name: &str) -> Result<(), Failure> {
    if out.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: as the caller says.
    unsafe { out.write(value) };
    Ok(())
}

/// Frees what [`Box::into_raw`] gave out; null is nothing.
///
/// # Safety
/// Unless null, `handle` came from this library, was not freed, and nobody uses it.
pub(crate) unsafe fn free<T>(handle: *mut T) {
    if !handle.is_null() {
        // SAFETY: as the caller says.
        quietly((), || drop(unsafe { Box::from_raw(handle) }));
    }
}

/// The inside of a handle that works for one call at a time: a second one fails instead of waiting, so that a callback
/// that comes back to its own handle does not hang.
pub(crate) fn enter<T>(inside: &Mutex<T>) -> Result<MutexGuard<'_, T>, Failure> {
    inside.try_lock().map_err(|e| match e {
        TryLockError::WouldBlock => {
            Failure::new(PinholeStatus::Busy, "the handle is in use by another call")
        }
        TryLockError::Poisoned(_) => {
            Failure::new(PinholeStatus::Broken, "an earlier call on this handle panicked")
        }
    })
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;
    use std::mem::MaybeUninit;

    use super::*;

    fn told(work: impl FnOnce() -> Result<(), Failure>) -> (PinholeStatus, String) {
        let mut error = MaybeUninit::uninit();
        // SAFETY: it may be written, and is.
        let error = unsafe {
            call(error.as_mut_ptr(), work);
            error.assume_init()
        };
        // SAFETY: messages end with a zero byte.
        let text = unsafe { CStr::from_ptr(error.message.as_ptr()) };
        (error.status, text.to_str().expect("whole characters").to_owned())
    }

    #[test]
    #[allow(clippy::panic)]
    fn panics_stop_at_the_border() {
        let (status, text) = told(|| panic!("on purpose: {}", 7));
        assert_eq!(status, PinholeStatus::Internal);
        assert_eq!(text, "the library panicked: on purpose: 7");
        let (_, text) = told(|| std::panic::panic_any(3_u8));
        assert_eq!(text, "the library panicked: no message");
        assert_eq!(quietly(5, || panic!("on purpose")), 5);
    }

    #[test]
    fn long_messages_end_at_a_character() {
        let (_, text) = told(|| Err(Failure::invalid("ä".repeat(200))));
        assert_eq!(text, "ä".repeat(125));
        assert_eq!(told(|| Ok(())), (PinholeStatus::Ok, String::new()));
    }

    #[test]
    #[allow(clippy::panic)]
    fn handles_are_busy_or_broken() {
        let inside = Mutex::new(0);
        {
            let _own = enter(&inside).expect("free");
            let second = enter(&inside).map(|_| ()).expect_err("in use");
            assert_eq!(second.status, PinholeStatus::Busy);
        }
        let (status, _) = told(|| {
            let _own = enter(&inside)?;
            panic!("on purpose")
        });
        assert_eq!(status, PinholeStatus::Internal);
        let later = enter(&inside).map(|_| ()).expect_err("poisoned");
        assert_eq!(later.status, PinholeStatus::Broken);
    }

    #[test]
    fn impossible_lengths_are_refused() {
        let byte = 0_u8;
        // SAFETY: refused before anything is read.
        let found = unsafe { bytes(&byte, usize::MAX, "file") }.expect_err("too long");
        assert_eq!(found.status, PinholeStatus::InvalidArgument);
        // SAFETY: null is refused.
        let found = unsafe { bytes(std::ptr::null(), 1, "file") }.expect_err("null");
        assert_eq!((found.status, &*found.message), (PinholeStatus::NullArgument, "file is null"));
    }
}
