//! Structs that begin with their size, so that later versions can append fields.
//!
//! A caller built with an older header gives a shorter struct: fields that it does not know have their defaults. One
//! built with a newer header gives a longer one: what this library does not know must be zero.

use crate::status::Failure;

/// No struct is longer, in any version; a size above is a mistake and is not read up to.
const LONGEST: usize = 4096;

/// A struct that begins with its size.
///
/// # Safety
/// It is `repr(C)`, begins with a `usize` field `size`, has no padding at its end, and any bytes are valid for all its
/// fields.
pub(crate) unsafe trait Growing: Copy {
    /// Its size in the first version.
    const FIRST: usize;

    /// What fields are if the caller does not know them, with the size of the whole struct.
    fn defaults() -> Self;
}

fn check<T: Growing>(size: usize, name: &str) -> Result<(), Failure> {
    if (T::FIRST..=LONGEST).contains(&size) {
        return Ok(());
    }
    let (first, now) = (T::FIRST, size_of::<T>());
    Err(Failure::invalid(format!(
        "{name}: a size of {size}; it must be sizeof, which is {now} (at least {first})"
    )))
}

/// The caller's struct.
///
/// # Safety
/// Unless null, `from` points to as many readable bytes as its first field says, or to at least that field if it is
/// below [`Growing::FIRST`] or above [`LONGEST`].
pub(crate) unsafe fn read<T: Growing>(from: *const T, name: &str) -> Result<T, Failure> {
    if from.is_null() {
        return Err(Failure::null(name));
    }
    // SAFETY: the size is the first field; the struct need not be aligned.
    let size = unsafe { from.cast::<usize>().read_unaligned() };
    check::<T>(size, name)?;
    let mut value = T::defaults();
    let known = size.min(size_of::<T>());
    // SAFETY: both have that many bytes, and any of them make a valid T.
    unsafe {
        std::ptr::copy_nonoverlapping(from.cast::<u8>(), (&raw mut value).cast::<u8>(), known);
    }
    // SAFETY: the caller's struct is that long.
    let later = unsafe { std::slice::from_raw_parts(from.cast::<u8>().add(known), size - known) };
    if later.iter().any(|&byte| byte != 0) {
        return Err(Failure::invalid(format!(
            "{name}: made for a later version of the library and uses what this one does not have"
        )));
    }
    Ok(value)
}

/// As [`read`], or the defaults if there is no struct.
///
/// # Safety
/// As [`read`].
pub(crate) unsafe fn read_or_defaults<T: Growing>(
    from: *const T,
    name: &str,
) -> Result<T, Failure> {
    if from.is_null() {
        return Ok(T::defaults());
    }
    // SAFETY: as the caller says.
    unsafe { read(from, name) }
}

/// Writes as much of `value` as the caller's struct of `size` bytes has, zeros beyond, and the size.
///
/// # Safety
/// Unless null, `to` points to `size` writable bytes.
pub(crate) unsafe fn write<T: Growing>(
    to: *mut T,
    size: usize,
    value: T,
    name: &str,
) -> Result<(), Failure> {
    if to.is_null() {
        return Err(Failure::null(name));
    }
    check::<T>(size, name)?;
    let known = size.min(size_of::<T>());
    // SAFETY: the caller's struct has `size` bytes; the size is its first field; it need not be aligned.
    unsafe {
        let to = to.cast::<u8>();
        to.write_bytes(0, size);
        std::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), to, known);
        to.cast::<usize>().write_unaligned(size);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Second {
        size: usize,
        old: usize,
        new: usize,
    }

    // SAFETY: three integers, the first of which is the size.
    unsafe impl Growing for Second {
        const FIRST: usize = 2 * size_of::<usize>();

        fn defaults() -> Self {
            Second { size: size_of::<Self>(), old: 1, new: 2 }
        }
    }

    const WORD: usize = size_of::<usize>();

    fn given(words: &[usize]) -> Result<Second, Failure> {
        // SAFETY: the sizes given below are those of the arrays, or refused.
        unsafe { read(words.as_ptr().cast::<Second>(), "options") }
    }

    #[test]
    fn older_and_newer_callers() {
        assert_eq!(given(&[2 * WORD, 7]).expect("older").new, 2);
        assert_eq!(given(&[3 * WORD, 7, 8]).expect("same").new, 8);
        assert_eq!(given(&[4 * WORD, 7, 8, 0]).expect("newer").new, 8);
        let unknown = given(&[4 * WORD, 7, 8, 1]).expect_err("uses what is not there");
        assert!(unknown.message.contains("later version"));
        for size in [0, WORD, 2 * WORD - 1, LONGEST + 1, usize::MAX] {
            assert!(given(&[size, 0, 0, 0]).is_err(), "{size}");
        }
    }

    #[test]
    fn writing_stays_within_the_callers_struct() {
        let mut words = [9_usize; 5];
        let mut put = |size| {
            words = [9; 5];
            // SAFETY: the array is longer than any size given, or the size is refused.
            let result =
                unsafe { write(words.as_mut_ptr().cast(), size, Second::defaults(), "options") };
            (result.is_ok(), words)
        };
        assert_eq!(put(2 * WORD), (true, [2 * WORD, 1, 9, 9, 9]));
        assert_eq!(put(3 * WORD), (true, [3 * WORD, 1, 2, 9, 9]));
        assert_eq!(put(4 * WORD), (true, [4 * WORD, 1, 2, 0, 9]));
        assert_eq!(put(WORD), (false, [9; 5]));
    }
}
