//! The transforms that share a latent space, and smaller bundles with some of them.

use alloc::vec::Vec;
use core::fmt;

use super::{Bundle, BundleBuilder, BundleError, Tag};

/// How much work encoding may be: how the latents are made. Decoders need not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effort {
    /// Least time, larger files: a smaller analysis transform.
    Fast,
    /// What the model's figures are about.
    #[default]
    Default,
    /// Most time, smaller files: what was coded is drawn, looked at, and coded again with what it lacks. It takes the
    /// transforms of `default` and of the decoder `standard`, and the whole picture at once.
    Best,
}

impl Effort {
    /// All of them, least first.
    pub const ALL: [Effort; 3] = [Effort::Fast, Effort::Default, Effort::Best];

    /// `fast`, `default` or `best`.
    pub const fn name(self) -> &'static str {
        match self {
            Effort::Fast => "fast",
            Effort::Default => "default",
            Effort::Best => "best",
        }
    }

    /// The effort of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|effort| effort.name() == name)
    }

    /// The sections of the transforms it needs: analysis, and synthesis if it draws.
    pub const fn tags(self) -> &'static [Tag] {
        match self {
            Effort::Fast => &[Tag::ANALYSIS_FAST],
            Effort::Default => &[Tag::ANALYSIS],
            Effort::Best => &[Tag::ANALYSIS, Tag::SYNTHESIS],
        }
    }
}

impl fmt::Display for Effort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Which int8 synthesis transform draws the picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Synthesis {
    /// The one that the model's figures are about.
    #[default]
    Standard,
    /// A smaller one, for less time.
    Lite,
}

impl Synthesis {
    /// All of them.
    pub const ALL: [Synthesis; 2] = [Synthesis::Standard, Synthesis::Lite];

    /// `standard` or `lite`.
    pub const fn name(self) -> &'static str {
        match self {
            Synthesis::Standard => "standard",
            Synthesis::Lite => "lite",
        }
    }

    /// The synthesis of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|synthesis| synthesis.name() == name)
    }

    /// Its section.
    pub const fn tag(self) -> Tag {
        match self {
            Synthesis::Standard => Tag::SYNTHESIS,
            Synthesis::Lite => Tag::SYNTHESIS_LITE,
        }
    }
}

impl fmt::Display for Synthesis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The transforms to keep in a smaller bundle.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parts {
    /// What to encode with; without any the bundle cannot encode. What [`Effort::Best`] draws with comes along.
    pub efforts: Vec<Effort>,
    /// Synthesis transforms; without any the bundle cannot decode.
    pub syntheses: Vec<Synthesis>,
}

impl Bundle<'_> {
    /// A bundle of the same latent space with some of the transforms: what one side needs. It has no manifest and no
    /// sections that this version does not know; add a manifest if the device is to tell what it has.
    ///
    /// # Errors
    /// [`BundleError::NoAnalysis`], [`BundleError::NoSynthesis`] or [`BundleError::Missing`] for parts that this bundle
    /// does not have.
    pub fn slim(&self, parts: &Parts) -> Result<BundleBuilder, BundleError> {
        let mut tags = Vec::new();
        for &effort in &parts.efforts {
            self.analysis(effort)?;
            tags.extend(effort.tags());
        }
        if !parts.efforts.is_empty() {
            tags.push(Tag::HYPER_ANALYSIS);
        }
        for &synthesis in &parts.syntheses {
            self.synthesis(synthesis)?;
            tags.push(synthesis.tag());
        }
        tags.extend(Tag::LATENT_SPACE);
        let mut builder = BundleBuilder::new();
        // Efforts and decoders share transforms: the builder keeps one of each.
        for tag in tags {
            let bytes = self.section(tag).ok_or(BundleError::Missing(tag))?;
            builder.section(tag, bytes.to_vec());
        }
        Ok(builder)
    }
}
