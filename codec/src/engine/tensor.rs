//! Element types, shapes, and borrowed rows.

use alloc::vec;
use alloc::vec::Vec;

/// Element type of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DType {
    /// Unsigned byte with a zero point (the byte that stands for 0).
    U8,
    /// Signed 16-bit integer; its zero point is 0.
    I16,
}

impl DType {
    /// Smallest and largest value.
    pub const fn range(self) -> (i32, i32) {
        match self {
            DType::U8 => (0, 255),
            DType::I16 => (-32768, 32767),
        }
    }

    /// Bytes per element.
    pub const fn bytes(self) -> usize {
        match self {
            DType::U8 => 1,
            DType::I16 => 2,
        }
    }
}

/// What a program says about one of its tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Element type.
    pub dtype: DType,
    /// The value that pads the picture's surroundings (0 for [`DType::I16`]).
    pub zero_point: u8,
    /// Channels per position, 1 to 4096.
    pub channels: usize,
    /// log2 of the down-scaling against the program's inputs: height = input height / 2^shift. May be negative.
    pub shift: i8,
}

/// Height and width of a program's inputs, in positions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Positions per row.
    pub width: usize,
}

impl Size {
    /// The size of a tensor with the given shift, when this is the size of the inputs.
    pub fn shifted(self, shift: i8) -> Size {
        let scale = |v: usize| if shift >= 0 { v >> shift } else { v << -i32::from(shift) };
        Size { height: scale(self.height), width: scale(self.width) }
    }
}

/// One row (or any run of positions) of a tensor: `positions × channels` elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowRef<'a> {
    /// Elements of a [`DType::U8`] tensor.
    U8(&'a [u8]),
    /// Elements of a [`DType::I16`] tensor.
    I16(&'a [i16]),
}

impl<'a> RowRef<'a> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            RowRef::U8(s) => s.len(),
            RowRef::I16(s) => s.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            RowRef::U8(_) => DType::U8,
            RowRef::I16(_) => DType::I16,
        }
    }

    /// Elements `start..end`, or `None` out of range.
    pub fn get(&self, start: usize, end: usize) -> Option<RowRef<'a>> {
        match self {
            RowRef::U8(s) => s.get(start..end).map(RowRef::U8),
            RowRef::I16(s) => s.get(start..end).map(RowRef::I16),
        }
    }

    /// The bytes, if this is a row of bytes.
    pub fn as_u8(&self) -> Option<&'a [u8]> {
        match self {
            RowRef::U8(s) => Some(s),
            RowRef::I16(_) => None,
        }
    }

    /// The words, if this is a row of words.
    pub fn as_i16(&self) -> Option<&'a [i16]> {
        match self {
            RowRef::I16(s) => Some(s),
            RowRef::U8(_) => None,
        }
    }
}

/// A row to be written; see [`RowRef`].
#[derive(Debug)]
pub enum RowMut<'a> {
    /// Elements of a [`DType::U8`] tensor.
    U8(&'a mut [u8]),
    /// Elements of a [`DType::I16`] tensor.
    I16(&'a mut [i16]),
}

impl RowMut<'_> {
    /// Number of elements.
    pub fn len(&self) -> usize {
        match self {
            RowMut::U8(s) => s.len(),
            RowMut::I16(s) => s.len(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        match self {
            RowMut::U8(_) => DType::U8,
            RowMut::I16(_) => DType::I16,
        }
    }

    /// A shorter borrow of the same row.
    pub fn reborrow(&mut self) -> RowMut<'_> {
        match self {
            RowMut::U8(s) => RowMut::U8(s),
            RowMut::I16(s) => RowMut::I16(s),
        }
    }

    /// Elements `start..end`, or `None` out of range.
    pub fn get(&mut self, start: usize, end: usize) -> Option<RowMut<'_>> {
        match self {
            RowMut::U8(s) => s.get_mut(start..end).map(RowMut::U8),
            RowMut::I16(s) => s.get_mut(start..end).map(RowMut::I16),
        }
    }

    /// Copies `row` here if type and length agree; says whether they did.
    pub fn copy_from(&mut self, row: RowRef<'_>) -> bool {
        match (self, row) {
            (RowMut::U8(d), RowRef::U8(s)) if d.len() == s.len() => d.copy_from_slice(s),
            (RowMut::I16(d), RowRef::I16(s)) if d.len() == s.len() => d.copy_from_slice(s),
            _ => return false,
        }
        true
    }
}

/// The elements of a whole tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TensorData {
    /// Bytes.
    U8(Vec<u8>),
    /// Words.
    I16(Vec<i16>),
}

/// A whole tensor: `data[(y * width + x) * channels + c]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tensor {
    /// Rows and positions per row.
    pub size: Size,
    /// Channels per position.
    pub channels: usize,
    /// The elements; `size.height * size.width * channels` of them.
    pub data: TensorData,
}

impl Tensor {
    /// A tensor of zeros.
    pub fn zeros(dtype: DType, size: Size, channels: usize) -> Tensor {
        let n = size.height * size.width * channels;
        let data = match dtype {
            DType::U8 => TensorData::U8(vec![0; n]),
            DType::I16 => TensorData::I16(vec![0; n]),
        };
        Tensor { size, channels, data }
    }

    /// Element type.
    pub fn dtype(&self) -> DType {
        match self.data {
            TensorData::U8(_) => DType::U8,
            TensorData::I16(_) => DType::I16,
        }
    }

    /// All elements.
    pub fn as_ref(&self) -> RowRef<'_> {
        match &self.data {
            TensorData::U8(v) => RowRef::U8(v),
            TensorData::I16(v) => RowRef::I16(v),
        }
    }

    /// All elements, to be written.
    pub fn as_mut(&mut self) -> RowMut<'_> {
        match &mut self.data {
            TensorData::U8(v) => RowMut::U8(v),
            TensorData::I16(v) => RowMut::I16(v),
        }
    }

    /// Row `y`, or `None` below the last.
    pub fn row(&self, y: usize) -> Option<RowRef<'_>> {
        let n = self.size.width * self.channels;
        self.as_ref().get(y * n, (y + 1) * n)
    }

    /// The element at a position, as a 32-bit integer; `None` out of range.
    pub fn at(&self, y: usize, x: usize, c: usize) -> Option<i32> {
        if x >= self.size.width || c >= self.channels {
            return None;
        }
        let i = (y * self.size.width + x) * self.channels + c;
        match &self.data {
            TensorData::U8(v) => v.get(i).map(|&v| i32::from(v)),
            TensorData::I16(v) => v.get(i).map(|&v| i32::from(v)),
        }
    }
}
