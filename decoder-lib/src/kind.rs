//! The decoders of the model family.

use std::fmt;
use std::str::FromStr;

use pinhole::Synthesis;

/// Which decoder draws the picture. All of them read the same streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DecoderKind {
    /// Integer engine: the usual one.
    Standard,
    /// Integer engine: the smallest.
    Lite,
    /// Float, trained for fidelity.
    Hq,
    /// Float, trained to look real where little is known.
    Gan,
}

impl DecoderKind {
    /// All of them.
    pub const ALL: [DecoderKind; 4] = [Self::Standard, Self::Lite, Self::Hq, Self::Gan];

    /// Its name, as in manifests and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Lite => "lite",
            Self::Hq => "hq",
            Self::Gan => "gan",
        }
    }

    /// Whether it is an ONNX graph rather than a program of the engine.
    pub fn is_float(self) -> bool {
        matches!(self, Self::Hq | Self::Gan)
    }
}

impl fmt::Display for DecoderKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Synthesis> for DecoderKind {
    fn from(synthesis: Synthesis) -> Self {
        match synthesis {
            Synthesis::Lite => Self::Lite,
            _ => Self::Standard,
        }
    }
}

/// A name that no decoder has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no decoder is called {0:?}: there are standard, lite, hq and gan")]
pub struct UnknownDecoder(pub String);

impl FromStr for DecoderKind {
    type Err = UnknownDecoder;

    fn from_str(name: &str) -> Result<Self, UnknownDecoder> {
        let known = Self::ALL.into_iter().find(|kind| kind.name() == name);
        known.ok_or_else(|| UnknownDecoder(name.to_owned()))
    }
}
