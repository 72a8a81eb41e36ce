//! A ring of rows of one tensor, padded left and right, plus one row of padding only.

use alloc::vec::Vec;

use super::plan::Schedule;
use crate::engine::{DType, RowMut, RowRef, TensorInfo};

/// Rows start at multiples of this many bytes, which is a cache line and a vector.
const LINE: usize = 64;

#[derive(Debug)]
enum Store {
    U8(Vec<u8>),
    I16(Vec<i16>),
}

/// See the module.
///
/// A slot is `lead` elements (the last `pad` of which are padding), the row's `len` elements, and at least `pad` more.
/// Slot `capacity` is the row of padding.
#[derive(Debug)]
pub(super) struct Ring {
    store: Store,
    base: usize,
    pitch: usize,
    lead: usize,
    pad: usize,
    len: usize,
    capacity: i64,
    height: i64,
}

impl Default for Ring {
    fn default() -> Self {
        let store = Store::U8(Vec::new());
        Ring { store, base: 0, pitch: 0, lead: 0, pad: 0, len: 0, capacity: 1, height: 0 }
    }
}

/// Elements of the parts of a slot: lead, pad, row, whole.
fn layout(info: TensorInfo, s: &Schedule) -> (usize, usize, usize, usize) {
    let line = LINE / info.dtype.bytes();
    let pad = s.pad * info.channels;
    let len = s.width * info.channels;
    let lead = pad.next_multiple_of(line);
    (lead, pad, len, lead + (len + pad).next_multiple_of(line))
}

fn slots(s: &Schedule) -> usize {
    s.capacity() as usize + usize::from(s.pad > 0)
}

/// Bytes that [`Ring::configure`] will hold.
pub(super) fn bytes(info: TensorInfo, s: &Schedule) -> u64 {
    if !s.used {
        return 0;
    }
    // At least what `layout` gives, in numbers that cannot overflow.
    let row = (s.width as u64 + 2 * s.pad as u64)
        .saturating_mul(info.channels as u64 * info.dtype.bytes() as u64);
    row.saturating_add(3 * LINE as u64).saturating_mul(slots(s) as u64)
}

impl Ring {
    /// Prepares for a run; keeps the memory it has if it is enough.
    pub(super) fn configure(&mut self, info: TensorInfo, s: &Schedule) {
        (self.lead, self.pad, self.len, self.pitch) = layout(info, s);
        self.capacity = s.capacity();
        self.height = s.height;
        if !s.used {
            return;
        }
        let slots = slots(s);
        let line = LINE / info.dtype.bytes();
        let total = slots * self.pitch + line;
        match (&mut self.store, info.dtype) {
            (Store::U8(_), DType::U8) | (Store::I16(_), DType::I16) => {}
            (store, DType::U8) => *store = Store::U8(Vec::new()),
            (store, DType::I16) => *store = Store::I16(Vec::new()),
        }
        match &mut self.store {
            Store::U8(v) => {
                v.resize(total.max(v.len()), 0);
                self.base = v.as_ptr().align_offset(LINE).min(line);
                fill_padding(
                    &mut v[self.base..],
                    slots,
                    self.pitch,
                    self.lead,
                    self.pad,
                    self.len,
                    info.zero_point,
                );
            }
            Store::I16(v) => {
                v.resize(total.max(v.len()), 0);
                self.base = v.as_ptr().align_offset(LINE).min(line);
                fill_padding(
                    &mut v[self.base..],
                    slots,
                    self.pitch,
                    self.lead,
                    self.pad,
                    self.len,
                    0,
                );
            }
        }
    }

    fn slot(&self, y: i64) -> usize {
        let slot = if (0..self.height).contains(&y) { y % self.capacity } else { self.capacity };
        self.base + slot as usize * self.pitch + self.lead
    }

    fn slice(&self, from: usize, to: usize) -> RowRef<'_> {
        match &self.store {
            Store::U8(v) => RowRef::U8(&v[from..to]),
            Store::I16(v) => RowRef::I16(&v[from..to]),
        }
    }

    /// Row `y`, which must be within the picture and in the ring.
    pub(super) fn row(&self, y: i64) -> RowRef<'_> {
        let at = self.slot(y);
        self.slice(at, at + self.len)
    }

    /// Row `y` with `pad` elements (no more than the schedule's) left and right; padding outside the picture.
    pub(super) fn padded_row(&self, y: i64, pad: usize) -> RowRef<'_> {
        let at = self.slot(y);
        self.slice(at - pad, at + self.len + pad)
    }

    /// Row `y`, to be written.
    pub(super) fn row_mut(&mut self, y: i64) -> RowMut<'_> {
        let at = self.slot(y);
        match &mut self.store {
            Store::U8(v) => RowMut::U8(&mut v[at..at + self.len]),
            Store::I16(v) => RowMut::I16(&mut v[at..at + self.len]),
        }
    }
}

fn fill_padding<T: Copy>(
    v: &mut [T],
    slots: usize,
    pitch: usize,
    lead: usize,
    pad: usize,
    len: usize,
    zero: T,
) {
    if pad == 0 {
        return;
    }
    for slot in 0..slots {
        let row = &mut v[slot * pitch..(slot + 1) * pitch];
        row[lead - pad..lead].fill(zero);
        row[lead + len..lead + len + pad].fill(zero);
        if slot + 1 == slots {
            row.fill(zero);
        }
    }
}
