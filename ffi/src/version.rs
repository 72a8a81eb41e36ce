//! Versions of the library and of its interface.

use std::ffi::{CStr, c_char};

/// The version of the binary interface that this header describes. It grows when a program built with an older header
/// would no longer work with the library; new functions, fields and values do not count.
pub const PINHOLE_ABI_VERSION: u32 = 1;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(text) => text,
        Err(_) => c"unknown",
    };

/// The version of the library, such as "0.1.0". The text is constant and must not be freed. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pinhole_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the library's binary interface. A program works with it if it equals the PINHOLE_ABI_VERSION that it
/// was built with. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn pinhole_abi_version() -> u32 {
    PINHOLE_ABI_VERSION
}
