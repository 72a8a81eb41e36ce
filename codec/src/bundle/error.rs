//! Why bundles cannot be used.

use alloc::vec::Vec;
use core::fmt;

use super::{Effort, Synthesis, Tag};
use crate::engine::ProgramError;
use crate::entropy::TableError;

/// Why a bundle cannot be used.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum BundleError {
    /// The bytes do not start with [`SIGNATURE`](super::SIGNATURE).
    NotABundle,
    /// Written by a later version of the layout.
    UnsupportedVersion(u32),
    /// The directory or a section reaches past the end of the bytes.
    Truncated {
        /// Bytes that the directory speaks of.
        needed: u64,
        /// Bytes there are.
        available: usize,
    },
    /// More sections than a bundle may have.
    TooManySections(u32),
    /// A section does not start at a multiple of 64 bytes.
    Misaligned(Tag),
    /// The directory's checksum does not match.
    DamagedDirectory,
    /// A section's checksum does not match its bytes.
    Damaged(Tag),
    /// A section that this use needs is not there.
    Missing(Tag),
    /// The bundle lacks a transform of the effort that was asked for.
    NoAnalysis {
        /// What was asked for.
        effort: Effort,
        /// What there is.
        available: Vec<Effort>,
    },
    /// The bundle has no synthesis transform of the kind that was asked for.
    NoSynthesis {
        /// What was asked for.
        synthesis: Synthesis,
        /// What there is.
        available: Vec<Synthesis>,
    },
    /// The manifest is not UTF-8.
    ManifestNotText,
    /// A constant is out of its range.
    BadSetting {
        /// Which constant.
        name: &'static str,
        /// Its value.
        value: u64,
    },
    /// A gain is not a positive finite number.
    BadGain {
        /// Knot of the gain.
        knot: usize,
        /// Channel of the gain.
        channel: usize,
    },
    /// A program does not parse.
    Program(Tag, ProgramError),
    /// A program's inputs or outputs are not what its place requires.
    Shape(Tag),
    /// Tables do not parse.
    Tables(Tag, TableError),
    /// There are fewer tables than channels or scale indices.
    TooFewTables(Tag),
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotABundle => write!(f, "not a Pinhole model bundle"),
            Self::UnsupportedVersion(v) => {
                write!(f, "bundle version {v} is newer than this library")
            }
            Self::Truncated { needed, available } => {
                write!(f, "bundle truncated: {needed} bytes needed, {available} available")
            }
            Self::TooManySections(n) => write!(f, "{n} sections in a bundle"),
            Self::Misaligned(t) => write!(f, "section {t} is not aligned"),
            Self::DamagedDirectory => write!(f, "the directory is damaged (checksum mismatch)"),
            Self::Damaged(t) => write!(f, "section {t} is damaged (checksum mismatch)"),
            Self::Missing(t) => write!(f, "section {t} is missing"),
            Self::NoAnalysis { effort, available } => {
                write!(f, "no transforms for effort {effort} (needs ")?;
                for (n, tag) in effort.tags().iter().enumerate() {
                    write!(f, "{}{tag}", if n == 0 { "" } else { " and " })?;
                }
                write!(f, ")")?;
                there_are(f, available)
            }
            Self::NoSynthesis { synthesis, available } => {
                write!(f, "no int8 decoder {synthesis} (section {})", synthesis.tag())?;
                there_are(f, available)
            }
            Self::ManifestNotText => write!(f, "the manifest is not UTF-8"),
            Self::BadSetting { name, value } => write!(f, "{name} = {value} is out of range"),
            Self::BadGain { knot, channel } => {
                write!(f, "gain of channel {channel} at knot {knot} is not a positive number")
            }
            Self::Program(t, e) => write!(f, "section {t}: {e}"),
            Self::Shape(t) => write!(f, "section {t}: inputs or outputs do not fit the codec"),
            Self::Tables(t, e) => write!(f, "section {t}: {e}"),
            Self::TooFewTables(t) => write!(f, "section {t}: too few tables"),
        }
    }
}

impl core::error::Error for BundleError {}

/// The end of a message about something that is missing: what there is in its place.
fn there_are<T: fmt::Display>(f: &mut fmt::Formatter<'_>, available: &[T]) -> fmt::Result {
    for (n, one) in available.iter().enumerate() {
        write!(f, "{} {one}", if n == 0 { "; there is" } else { "," })?;
    }
    if available.is_empty() { write!(f, "; there is none") } else { Ok(()) }
}
