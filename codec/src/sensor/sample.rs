//! Samples as callers have them, and as the codec computes with them: `f64`, which holds all of them exactly.

/// The type of a stream's samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SampleType {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// Whole numbers of 8 bits, signed.
    I8,
    /// Whole numbers of 8 bits.
    U8,
    /// Whole numbers of 16 bits, signed.
    I16,
    /// Whole numbers of 16 bits.
    U16,
    /// Whole numbers of 32 bits, signed.
    I32,
}

impl SampleType {
    const ALL: [Self; 7] =
        [Self::F32, Self::F64, Self::I8, Self::U8, Self::I16, Self::U16, Self::I32];

    pub(crate) fn code(self) -> u8 {
        Self::ALL.iter().position(|&t| t == self).unwrap_or(0) as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }

    /// Bytes of a sample.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::I16 | Self::U16 => 2,
            Self::I8 | Self::U8 => 1,
        }
    }

    /// Whether samples are whole numbers.
    #[must_use]
    pub fn is_integer(self) -> bool {
        !matches!(self, Self::F32 | Self::F64)
    }

    /// The nearest value of this type.
    pub(crate) fn round(self, value: f64) -> f64 {
        let whole = |low: f64, high: f64| round(value).clamp(low, high);
        match self {
            Self::F64 => value,
            Self::F32 => f64::from(value as f32),
            Self::I8 => whole(-128.0, 127.0),
            Self::U8 => whole(0.0, 255.0),
            Self::I16 => whole(-32768.0, 32767.0),
            Self::U16 => whole(0.0, 65535.0),
            Self::I32 => whole(f64::from(i32::MIN), f64::from(i32::MAX)),
        }
    }

    /// The bits that a literal is stored as, and how many.
    pub(crate) fn to_bits(self, value: f64) -> (u64, u32) {
        match self {
            Self::F64 => (value.to_bits(), 64),
            Self::F32 => ((value as f32).to_bits().into(), 32),
            _ => (u64::from(value as i64 as u32), 32),
        }
    }

    /// The inverse of [`to_bits`](Self::to_bits); whatever the bits, a value of this type.
    pub(crate) fn value_of_bits(self, bits: u64) -> f64 {
        match self {
            Self::F64 => f64::from_bits(bits),
            Self::F32 => f32::from_bits(bits as u32).into(),
            _ => self.round(f64::from(bits as u32 as i32)),
        }
    }
}

/// Rounds to the nearest whole number, halves away from zero; what is too large for `i64` stays as it is.
pub(crate) fn round(value: f64) -> f64 {
    // From 2^52 on all doubles are whole.
    if !(-4_503_599_627_370_496.0..=4_503_599_627_370_496.0).contains(&value) {
        return value;
    }
    let whole = value as i64;
    let rest = value - whole as f64;
    let step = i64::from(rest >= 0.5) - i64::from(rest <= -0.5);
    (whole + step) as f64
}

/// A type that samples can have in memory.
pub trait Sample: Copy {
    /// Its name in a stream.
    const TYPE: SampleType;
    /// The same value; exact.
    fn to_f64(self) -> f64;
    /// The nearest value of this type.
    fn from_f64(value: f64) -> Self;
}

macro_rules! sample {
    ($($type:ty => $name:ident),*) => {$(
        impl Sample for $type {
            const TYPE: SampleType = SampleType::$name;
            fn to_f64(self) -> f64 {
                f64::from(self)
            }
            fn from_f64(value: f64) -> Self {
                value as $type
            }
        }
    )*};
}
sample!(f32 => F32, f64 => F64, i8 => I8, u8 => U8, i16 => I16, u16 => U16, i32 => I32);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_that_of_the_standard_library() {
        for v in [0.0, 0.49999999999999994, 0.5, -0.5, 1.5, -2.5, 1e15 + 0.5, 1e300, -1e18, 2.4] {
            assert_eq!(round(v), v.round(), "{v}");
        }
        assert_eq!(round(f64::INFINITY), f64::INFINITY);
    }

    #[test]
    fn literals_keep_their_value() {
        for v in [0.0, 1.5, -3.25e-40f32 as f64, f64::from(f32::MAX)] {
            assert_eq!(SampleType::F32.value_of_bits(SampleType::F32.to_bits(v).0), v);
        }
        for v in [i32::MIN, -1, 0, i32::MAX] {
            let v = f64::from(v);
            assert_eq!(SampleType::I32.value_of_bits(SampleType::I32.to_bits(v).0), v);
        }
    }
}
