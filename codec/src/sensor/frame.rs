//! Frames: the units of a sensor stream, each with a checksum of its own.

use alloc::vec::Vec;

use super::SensorError;
use super::header::{ScoreKind, SensorHeader};
use crate::format::input::{Input, put_varint};
use crate::format::{Crc32c, FormatError, crc32c};

/// What every frame begins with: as the chunks of pictures.
pub(crate) const MARKER: [u8; 2] = [0xc7, 0x1e];

const KEY: u8 = 1;
const LAST: u8 = 2;

/// What a frame says before its coded samples: enough to act on without decoding.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FrameHead {
    /// Counted from 0.
    pub number: u32,
    /// Whether decoding can begin here.
    pub key: bool,
    /// Whether no frame follows.
    pub last: bool,
    /// Samples of each channel before this frame.
    pub first_sample: u64,
    /// Time of its first sample; 0 in streams without times.
    pub time: i64,
    /// Samples of each channel; the last window of the frame may be a short one.
    pub samples: usize,
    /// A score for each window, if the stream has scores.
    pub scores: Vec<u8>,
}

/// A frame as it lies in the stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame<'a> {
    /// What it says in the clear.
    pub head: FrameHead,
    /// Arithmetic-coded part.
    pub(crate) bits: &'a [u8],
    /// Symbols of the network.
    pub(crate) symbols: &'a [u8],
    /// Bytes of the frame in the stream.
    pub length: usize,
}

impl FrameHead {
    /// Windows, the last one perhaps short.
    #[must_use]
    pub fn windows(&self, header: &SensorHeader) -> usize {
        self.samples.div_ceil(header.window)
    }

    /// Appends the whole frame to `out`.
    pub(crate) fn write(
        &self,
        header: &SensorHeader,
        bits: &[u8],
        symbols: &[u8],
        out: &mut Vec<u8>,
    ) {
        let mut payload = Vec::with_capacity(bits.len() + symbols.len() + self.scores.len() + 32);
        payload.push(if self.key { KEY } else { 0 } | if self.last { LAST } else { 0 });
        put_long(&mut payload, self.first_sample);
        if header.time_unit.is_some() {
            put_long(&mut payload, zigzag(self.time));
        }
        put_varint(&mut payload, self.samples as u32);
        payload.extend(&self.scores);
        put_varint(&mut payload, bits.len() as u32);
        payload.extend(bits);
        payload.extend(symbols);
        let start = out.len();
        out.extend(MARKER);
        put_varint(out, self.number);
        put_varint(out, payload.len() as u32);
        out.push(crc32c(&out[start..]) as u8);
        let checksum = Crc32c::new().update(&out[start..]).update(&payload).finish();
        out.extend(checksum.to_le_bytes());
        out.extend(payload);
    }
}

impl<'a> RawFrame<'a> {
    /// Whether windows of the frame went through a network.
    #[must_use]
    pub fn is_learned(&self) -> bool {
        !self.symbols.is_empty()
    }

    /// Reads the frame at the start of `bytes`.
    ///
    /// # Errors
    /// [`FormatError::Truncated`] if there are too few bytes; a damaged frame, or one that is out of range.
    pub fn parse(bytes: &'a [u8], header: &SensorHeader) -> Result<Self, SensorError> {
        let start = bytes.get(..MARKER.len()).unwrap_or(bytes);
        if !MARKER.starts_with(start) {
            let found = [bytes.first(), bytes.get(1)].map(|b| b.copied().unwrap_or(0));
            return Err(FormatError::ChunkMarker(found).into());
        }
        let mut input = Input::new(bytes);
        input.array::<2>()?;
        let number = input.varint()?;
        let length = input.varint()? as usize;
        let computed = crc32c(input.consumed()) as u8;
        let [stored] = input.array()?;
        if stored != computed {
            return Err(FormatError::ChunkHeader { stored, computed }.into());
        }
        // Literals of 64 bits and their marks are the longest there is.
        if length > header.frame_values() * 20 + header.windows_per_frame as usize * 64 + 4096 {
            return Err(FormatError::PayloadLength(length).into());
        }
        let crc = Crc32c::new().update(input.consumed());
        let stored = u32::from_le_bytes(input.array()?);
        let payload = input.slice(length)?;
        let bad = |reason| SensorError::Frame { number, reason };
        if stored != crc.update(payload).finish() {
            return Err(bad("damaged (checksum mismatch)"));
        }
        let length = input.position();

        // From here on what ends early is wrong, not yet to come.
        let short = |_: FormatError| bad("its fields end early");
        let mut input = Input::new(payload);
        let [flags] = input.array().map_err(short)?;
        if flags & !(KEY | LAST) != 0 {
            return Err(bad("unknown flags"));
        }
        let first_sample = long(&mut input).ok_or(bad("a malformed sample number"))?;
        let time = match header.time_unit {
            Some(_) => unzigzag(long(&mut input).ok_or(bad("a malformed time"))?),
            None => 0,
        };
        let samples = input.varint().map_err(short)? as usize;
        if samples > header.window * header.windows_per_frame as usize {
            return Err(bad("more samples than its header allows"));
        }
        let windows = samples.div_ceil(header.window);
        let scores = match header.scores {
            ScoreKind::None => Vec::new(),
            _ => input.slice(windows).map_err(short)?.to_vec(),
        };
        let bits = input.varint().map_err(short)? as usize;
        let bits = input.slice(bits).map_err(short)?;
        let symbols = payload.get(input.position()..).unwrap_or(&[]);
        let (key, last) = (flags & KEY != 0, flags & LAST != 0);
        let head = FrameHead { number, key, last, first_sample, time, samples, scores };
        Ok(RawFrame { head, bits, symbols, length })
    }
}

/// LEB128 of up to 64 bits.
fn put_long(out: &mut Vec<u8>, mut value: u64) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

fn long(input: &mut Input<'_>) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let [byte] = input.array().ok()?;
        let part = u64::from(byte & 127);
        if shift == 63 && part > 1 {
            return None;
        }
        value |= part << shift;
        if byte < 128 {
            return (byte != 0 || shift == 0).then_some(value);
        }
    }
    None
}

/// Signed to unsigned, small magnitudes to small numbers.
pub(crate) fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}
