//! Buffers that begin at a cache line, as kernels like them.

use alloc::vec::Vec;

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// A buffer whose elements begin at a multiple of 64 bytes. It keeps its memory, but not its content, when resized.
#[derive(Clone, Debug, Default)]
pub(crate) struct Aligned<T> {
    store: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy + Default> Aligned<T> {
    /// Makes it `len` elements long, of any values.
    pub(crate) fn reset(&mut self, len: usize) -> &mut [T] {
        let line = LINE / size_of::<T>().clamp(1, LINE);
        if self.store.len() < len + line {
            self.store.resize(len + line, T::default());
        }
        self.start = self.store.as_ptr().align_offset(LINE).min(line);
        self.len = len;
        self.as_mut_slice()
    }

    /// The elements.
    pub(crate) fn as_slice(&self) -> &[T] {
        self.store.get(self.start..self.start + self.len).unwrap_or_default()
    }

    /// The elements, to be written.
    pub(crate) fn as_mut_slice(&mut self) -> &mut [T] {
        self.store.get_mut(self.start..self.start + self.len).unwrap_or_default()
    }
}
