//! Why pictures cannot be encoded or decoded.

use core::fmt;

use crate::bundle::BundleError;
use crate::engine::RunError;
use crate::entropy::{PlaneError, RansError};
use crate::format::{ChunkId, FormatError};

/// Why a picture cannot be encoded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EncodeError {
    /// A side is zero or above 65535.
    Dimensions {
        /// Pixels per row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// The samples are not as many as the dimensions say.
    Buffer {
        /// Bytes needed.
        needed: u64,
        /// Bytes given.
        available: usize,
    },
    /// A picture of another number of planes than its format has.
    Planes {
        /// Planes of the format.
        needed: usize,
        /// Planes given.
        given: usize,
    },
    /// Rows of a plane start closer together than they are long.
    Stride {
        /// The plane, from 0.
        plane: usize,
        /// Bytes from row to row.
        stride: usize,
        /// Bytes of a row.
        needed: usize,
    },
    /// Deep grey samples must have 8..=16 bits.
    Bits(u8),
    /// A target size needs the whole picture; a stream of rows takes a quality only.
    TargetNeedsPicture,
    /// Rows of another width or format than the stream's.
    OtherRows,
    /// More rows than the picture has.
    TooManyRows {
        /// Rows of the picture.
        height: u32,
        /// Rows pushed, these included.
        pushed: u64,
    },
    /// An odd number of 4:2:0 rows that are not the picture's last: half a row of chroma.
    OddRows(u32),
    /// The stream was finished before the picture's last row.
    MissingRows {
        /// Rows of the picture.
        height: u32,
        /// Rows pushed.
        pushed: u32,
    },
    /// The stream of rows failed before and cannot go on.
    Broken,
    /// Quality outside 0..=100 (or not a number), as its bits.
    Quality(u32),
    /// Chunk rows must be a multiple of 64, 64..=65536.
    ChunkRows(u32),
    /// No quality gives a file as small as asked for.
    TargetTooSmall {
        /// Bytes asked for.
        target: u64,
        /// Bytes of the smallest file there is.
        smallest: u64,
    },
    /// The bundle cannot encode.
    Bundle(BundleError),
    /// The engine cannot run the bundle's programs on this picture.
    Engine(RunError),
    /// A symbol cannot be coded.
    Entropy(RansError),
    /// Alpha cannot be coded.
    Alpha(PlaneError),
    /// The container refuses header, metadata or chunk.
    Format(FormatError),
}

/// Why a stream cannot be decoded.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum DecodeError {
    /// The container is damaged or not one.
    Format(FormatError),
    /// More pixels than the caller allows.
    TooManyPixels {
        /// Pixels of the picture.
        pixels: u64,
        /// The limit.
        limit: u64,
    },
    /// The picture to decode into has another size than the stream's.
    OtherSize {
        /// Width and height of the stream's picture.
        stream: (u32, u32),
        /// Width and height of the caller's.
        picture: (u32, u32),
    },
    /// The stream was made for another latent space than the bundle's.
    WrongModel {
        /// What the stream needs.
        stream: [u8; 8],
        /// What the bundle has.
        bundle: [u8; 8],
    },
    /// The bundle cannot decode.
    Bundle(BundleError),
    /// The engine cannot run the bundle's programs at this size.
    Engine(RunError),
    /// The symbols of a chunk do not decode.
    Entropy(RansError),
    /// An alpha plane does not decode.
    Alpha(PlaneError),
    /// A chunk does not decode.
    Chunk {
        /// Which one.
        id: ChunkId,
        /// Why.
        reason: alloc::boxed::Box<DecodeError>,
    },
    /// Not one chunk of the file is intact, so there is nothing to conceal from.
    NothingLeft,
    /// The bundle's synthesis is not of the form from which smaller pictures can be drawn.
    FullSizeOnly,
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Display for EncodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dimensions { width, height } => {
                write!(f, "{width}x{height} pixels: each side must be 1 to 65535")
            }
            Self::Buffer { needed, available } => {
                write!(f, "{available} bytes of samples where {needed} are needed")
            }
            Self::Planes { needed, given } => {
                write!(f, "a picture of {given} planes in a format of {needed}")
            }
            Self::Stride { plane, stride, needed } => {
                write!(f, "plane {plane}: a stride of {stride} bytes for rows of {needed}")
            }
            Self::Bits(bits) => write!(f, "grey samples of {bits} bits: must be 8 to 16"),
            Self::TargetNeedsPicture => {
                write!(f, "a target size needs the whole picture: give rows a quality")
            }
            Self::OtherRows => write!(f, "rows of another width or format than the stream's"),
            Self::TooManyRows { height, pushed } => {
                write!(f, "{pushed} rows pushed of a picture of {height}")
            }
            Self::OddRows(rows) => {
                write!(f, "{rows} rows of 4:2:0: must be even but for the picture's last")
            }
            Self::MissingRows { height, pushed } => {
                write!(f, "only {pushed} rows pushed of a picture of {height}")
            }
            Self::Broken => write!(f, "the stream of rows failed before"),
            Self::Quality(bits) => {
                write!(f, "quality {} is not within 0 to 100", f32::from_bits(*bits))
            }
            Self::ChunkRows(rows) => {
                write!(f, "{rows} chunk rows: must be a multiple of 64, at most 65536")
            }
            Self::TargetTooSmall { target, smallest } => {
                write!(f, "cannot reach {target} bytes; the smallest file is {smallest} bytes")
            }
            Self::Bundle(e) => write!(f, "model: {e}"),
            Self::Engine(e) => e.fmt(f),
            Self::Entropy(e) => e.fmt(f),
            Self::Alpha(e) => write!(f, "alpha: {e}"),
            Self::Format(e) => e.fmt(f),
        }
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(e) => e.fmt(f),
            Self::TooManyPixels { pixels, limit } => {
                write!(f, "{pixels} pixels are more than the limit of {limit}")
            }
            Self::OtherSize { stream: (w, h), picture: (width, height) } => {
                write!(f, "a picture of {w}x{h} pixels does not go into {width}x{height}")
            }
            Self::WrongModel { stream, bundle } => {
                write!(f, "made for latent space {}, the model has {}", Hex(stream), Hex(bundle))
            }
            Self::Bundle(e) => write!(f, "model: {e}"),
            Self::Engine(e) => e.fmt(f),
            Self::Entropy(e) => e.fmt(f),
            Self::Alpha(e) => write!(f, "alpha: {e}"),
            Self::Chunk { id, reason } => write!(f, "{id}: {reason}"),
            Self::NothingLeft => write!(f, "no intact chunk"),
            Self::FullSizeOnly => write!(f, "this model draws pictures at full size only"),
        }
    }
}

impl core::error::Error for EncodeError {}
impl core::error::Error for DecodeError {}

impl From<BundleError> for EncodeError {
    fn from(e: BundleError) -> Self {
        Self::Bundle(e)
    }
}

impl From<RunError> for EncodeError {
    fn from(e: RunError) -> Self {
        Self::Engine(e)
    }
}

impl From<RansError> for EncodeError {
    fn from(e: RansError) -> Self {
        Self::Entropy(e)
    }
}

impl From<PlaneError> for EncodeError {
    fn from(e: PlaneError) -> Self {
        Self::Alpha(e)
    }
}

impl From<FormatError> for EncodeError {
    fn from(e: FormatError) -> Self {
        Self::Format(e)
    }
}

impl From<BundleError> for DecodeError {
    fn from(e: BundleError) -> Self {
        Self::Bundle(e)
    }
}

impl From<RunError> for DecodeError {
    fn from(e: RunError) -> Self {
        Self::Engine(e)
    }
}

impl From<RansError> for DecodeError {
    fn from(e: RansError) -> Self {
        Self::Entropy(e)
    }
}

impl From<PlaneError> for DecodeError {
    fn from(e: PlaneError) -> Self {
        Self::Alpha(e)
    }
}

impl From<FormatError> for DecodeError {
    fn from(e: FormatError) -> Self {
        Self::Format(e)
    }
}
