//! Model bundles (`.pinm`): programs, tables and gains of one codec, read in place.
//!
//! A bundle is a signature, a checked section directory and the sections, each aligned to 64 bytes so that the engine
//! uses weights where they lie (see `docs/format.md`, "Bundles"). All integers are little-endian.

use alloc::vec::Vec;
use core::fmt;

use crate::engine::{DType, Program};
use crate::entropy::TableSet;
use crate::format::crc32c;
use crate::passes::Pass;

mod error;
mod family;
mod writer;
pub use error::BundleError;
pub use family::{Effort, Parts, Synthesis};
pub use writer::BundleBuilder;

/// First bytes of a bundle: no text file, and damaged by newline translation.
pub const SIGNATURE: [u8; 8] = *b"\x93PINM\r\n\x1a";
/// Version of the bundle layout.
pub const VERSION: u32 = 1;
const ALIGN: usize = 64;
const MAX_SECTIONS: usize = 64;
/// Bytes of the fixed head: signature, version, section count.
const HEAD: usize = 16;
/// Bytes of one directory entry: tag, offset, length, CRC-32C.
const ENTRY: usize = 16;

/// Name of a section.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(pub [u8; 4]);

impl Tag {
    /// Manifest: UTF-8 JSON with name, version, lineage, metrics and reference statistics.
    pub const MANIFEST: Tag = Tag(*b"MANI");
    /// Codec constants and gains; see [`Settings`].
    pub const SETTINGS: Tag = Tag(*b"SETT");
    /// Analysis transform: picture to latents.
    pub const ANALYSIS: Tag = Tag(*b"ANLS");
    /// A smaller analysis transform to the same latents.
    pub const ANALYSIS_FAST: Tag = Tag(*b"ANLF");
    /// Synthesis transform: latents to picture. Absent from encoder-only bundles.
    pub const SYNTHESIS: Tag = Tag(*b"SYNT");
    /// A smaller synthesis transform from the same latents.
    pub const SYNTHESIS_LITE: Tag = Tag(*b"SYNL");
    /// Hyper-analysis: gained latents to hyper-latents.
    pub const HYPER_ANALYSIS: Tag = Tag(*b"HYAN");
    /// Hyper-synthesis: hyper-latents to features.
    pub const HYPER_SYNTHESIS: Tag = Tag(*b"HYSY");
    /// Context: latents decoded so far to features.
    pub const CONTEXT: Tag = Tag(*b"CTXT");
    /// Means and scale indices of the first pass.
    pub const PARAMETERS_FIRST: Tag = Tag(*b"PAR1");
    /// Means and scale indices of the other passes.
    pub const PARAMETERS_SECOND: Tag = Tag(*b"PAR2");
    /// Symbol tables of the latents, by scale index; with dependent quantisation those of the second quantiser after those
    /// of the first.
    pub const LATENT_TABLES: Tag = Tag(*b"TBLL");
    /// Symbol tables of the hyper-latents, by channel.
    pub const HYPER_TABLES: Tag = Tag(*b"TBLH");

    /// A float decoder: an ONNX graph from latents (1/512 of the integer ones, `[n][M][rows][columns]`) to grey levels
    /// (`[n][3][16 · rows][16 · columns]`), both float32. The codec itself does not run it.
    pub const ONNX: Tag = Tag(*b"ONNX");
    /// Ed25519 signature of all other sections; `docs/format.md`, "Signatures".
    pub const SIGNATURE: Tag = Tag(*b"SIGN");

    /// The sections that both sides must share: their bytes make the latent-space identifier.
    pub const LATENT_SPACE: [Tag; 7] = [
        Tag::SETTINGS,
        Tag::HYPER_SYNTHESIS,
        Tag::CONTEXT,
        Tag::PARAMETERS_FIRST,
        Tag::PARAMETERS_SECOND,
        Tag::LATENT_TABLES,
        Tag::HYPER_TABLES,
    ];
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for b in self.0 {
            write!(f, "{}", char::from(b).escape_default())?;
        }
        Ok(())
    }
}

/// The analysis transforms, smallest first.
const ANALYSES: [Tag; 2] = [Tag::ANALYSIS_FAST, Tag::ANALYSIS];

/// Flags of [`Settings`].
const FOUR_PASSES: usize = 1;
const DEPENDENT: usize = 2;
const FINE: usize = 4;

/// Constants of the latent space and the quality gains.
///
/// Layout: `u32` latent channels M, hyper channels Z; `u16` skip_below; `u16` flags, 1 for four passes, 2 for dependent
/// quantisation, 4 for five fractional bits; `u32` knot count K; then K·M gains as `f32`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Latent channels M, 1..=4096.
    pub latent_channels: usize,
    /// Hyper-latent channels Z, 1..=256.
    pub hyper_channels: usize,
    /// Latents whose scale index is below this are not coded, 0..=255.
    pub skip_below: u8,
    /// Passes in which the latents are coded: 2 or 4 (`docs/format.md`, "Latents").
    pub passes: u8,
    /// Whether latents use one of two quantisers, by the symbols before them (`docs/format.md`, "Dependent quantisation").
    pub dependent: bool,
    /// Fractional bits of gained latents, predicted means and decoded latents: 4 or 5.
    pub fraction: u8,
    /// Gain of each knot and channel, `[K][M]`, K in 2..=64; positive and finite.
    pub gain_knots: Vec<f32>,
}

impl Settings {
    /// Reads the section.
    ///
    /// # Errors
    /// Wrong length, constants out of range, gains that are not positive numbers.
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let mut words = bytes.chunks_exact(4).map(|w| u32::from_le_bytes([w[0], w[1], w[2], w[3]]));
        let mut next = |name, low: u32, high: u32| match words.next() {
            Some(v) if (low..=high).contains(&v) => Ok(v as usize),
            other => Err(BundleError::BadSetting { name, value: other.unwrap_or(0).into() }),
        };
        let latent_channels = next("latent channels", 1, 4096)?;
        let hyper_channels = next("hyper channels", 1, 256)?;
        // Two settings of 16 bits: readers that know no flag find the first out of range.
        let word = next("skip threshold", 0, 0x7_00FF)?;
        let skip_below = u8::try_from(word & 0xFFFF)
            .map_err(|_| BundleError::BadSetting { name: "skip threshold", value: word as u64 })?;
        let passes = if word >> 16 & FOUR_PASSES == 0 { 2 } else { 4 };
        let dependent = word >> 16 & DEPENDENT != 0;
        let fraction = if word >> 16 & FINE == 0 { 4 } else { 5 };
        let knots = next("gain knots", 2, 64)?;
        let gain_knots: Vec<f32> = words.map(f32::from_bits).collect();
        if gain_knots.len() != knots * latent_channels || !bytes.len().is_multiple_of(4) {
            return Err(BundleError::BadSetting {
                name: "gain count",
                value: gain_knots.len() as u64,
            });
        }
        // Far inside the range where products with i16 values are finite.
        if let Some(at) = gain_knots.iter().position(|g| !(1e-6..=1e6).contains(g)) {
            let (knot, channel) = (at / latent_channels, at % latent_channels);
            return Err(BundleError::BadGain { knot, channel });
        }
        Ok(Settings {
            latent_channels,
            hyper_channels,
            skip_below,
            passes,
            dependent,
            fraction,
            gain_knots,
        })
    }

    /// The section's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let knots = self.gain_knots.len() / self.latent_channels.max(1);
        let four_passes = if self.passes > 2 { FOUR_PASSES } else { 0 };
        let dependent = if self.dependent { DEPENDENT } else { 0 };
        let fine = if self.fraction > 4 { FINE } else { 0 };
        let word = usize::from(self.skip_below) | (four_passes | dependent | fine) << 16;
        let words = [self.latent_channels, self.hyper_channels, word, knots];
        let gains = self.gain_knots.iter().map(|g| g.to_bits());
        words.into_iter().map(|w| w as u32).chain(gains).flat_map(u32::to_le_bytes).collect()
    }

    /// Fractional bits of gained latents beyond those that the entropy model reads.
    pub(crate) fn fine_bits(&self) -> u32 {
        u32::from(self.fraction > 4)
    }

    /// The pass (from 0) that codes the latents of a row and column of a chunk.
    pub fn pass_of(&self, row: usize, column: usize) -> u8 {
        Pass::all(self.passes).position(|pass| pass.codes(row, column)).map_or(0, |at| at as u8)
    }

    /// Gains of every channel at `quality` (hundredths, 0..=10000): linear between knots, in single IEEE-754
    /// operations so that every processor computes the same bits.
    pub fn gains(&self, quality: u16) -> Vec<f32> {
        let m = self.latent_channels;
        let segments = (self.gain_knots.len() / m).saturating_sub(1).max(1);
        let position = usize::from(quality.min(10_000)) * segments;
        let low = (position / 10_000).min(segments - 1);
        let t = (position - low * 10_000) as f32 / 10_000.0;
        let (a, b) = (&self.gain_knots[low * m..], &self.gain_knots[(low + 1) * m..]);
        a.iter().zip(b).take(m).map(|(a, b)| a + (b - a) * t).collect()
    }
}

/// A parsed bundle; programs and weights are borrowed from its bytes.
#[derive(Clone, Debug)]
pub struct Bundle<'a> {
    sections: Vec<(Tag, &'a [u8])>,
    settings: Settings,
    latent_space: [u8; 8],
    /// In the order of [`ANALYSES`].
    analyses: [Option<Program<'a>>; 2],
    /// In the order of [`Synthesis::ALL`].
    syntheses: [Option<Program<'a>>; 2],
    hyper_analysis: Option<Program<'a>>,
    pub(crate) hyper_synthesis: Program<'a>,
    /// The context program: what it does position by position, and the rest.
    pub(crate) context: [Program<'a>; 2],
    pub(crate) parameters_first: Program<'a>,
    pub(crate) parameters_second: Program<'a>,
    pub(crate) latent_tables: TableSet,
    pub(crate) hyper_tables: TableSet,
}

impl<'a> Bundle<'a> {
    /// Reads and checks a bundle. Weights stay where they are, and are read fastest if the bytes begin at a multiple of
    /// 64; tables are expanded.
    ///
    /// # Errors
    /// Anything that is not a whole, undamaged bundle of a known version whose parts fit each other.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BundleError> {
        let (sections, latent_space) = parse_sections(bytes)?;
        let find = |tag| sections.iter().find(|s| s.0 == tag).map(|s| s.1);
        let need = |tag| find(tag).ok_or(BundleError::Missing(tag));
        let program = |tag| match find(tag) {
            Some(bytes) => {
                Program::parse(bytes).map(Some).map_err(|e| BundleError::Program(tag, e))
            }
            None => Ok(None),
        };
        let required = |tag| program(tag)?.ok_or(BundleError::Missing(tag));
        let tables = |tag| TableSet::parse(need(tag)?).map_err(|e| BundleError::Tables(tag, e));

        if let Some(text) = find(Tag::MANIFEST) {
            core::str::from_utf8(text).map_err(|_| BundleError::ManifestNotText)?;
        }
        let mut analyses = [const { None }; ANALYSES.len()];
        for (place, tag) in analyses.iter_mut().zip(ANALYSES) {
            *place = program(tag)?;
        }
        let mut syntheses = [const { None }; Synthesis::ALL.len()];
        for (place, synthesis) in syntheses.iter_mut().zip(Synthesis::ALL) {
            *place = program(synthesis.tag())?;
        }
        let bundle = Bundle {
            settings: Settings::parse(need(Tag::SETTINGS)?)?,
            latent_space,
            analyses,
            syntheses,
            hyper_analysis: program(Tag::HYPER_ANALYSIS)?,
            hyper_synthesis: required(Tag::HYPER_SYNTHESIS)?,
            context: context(&required(Tag::CONTEXT)?)?,
            parameters_first: required(Tag::PARAMETERS_FIRST)?,
            parameters_second: required(Tag::PARAMETERS_SECOND)?,
            latent_tables: tables(Tag::LATENT_TABLES)?,
            hyper_tables: tables(Tag::HYPER_TABLES)?,
            sections,
        };
        bundle.check_shapes()?;
        Ok(bundle)
    }

    /// Every program has the inputs, outputs and relative sizes that its place in the codec requires.
    fn check_shapes(&self) -> Result<(), BundleError> {
        let (m, z) = (self.settings.latent_channels, self.settings.hyper_channels);
        let (i16s, u8s) = (DType::I16, DType::U8);
        let features = self.hyper_synthesis.output_info(0).map_or(0, |i| i.channels);
        let [look, gather] = &self.context;
        let [seen, near] = [look, gather].map(|p| p.output_info(0).map_or(0, |i| i.channels));
        let fits = |program: &Program<'_>,
                    inputs: &[(DType, usize)],
                    outputs: &[(DType, usize, i8)]| {
            program.inputs() == inputs.len()
                && program.outputs().len() == outputs.len()
                && inputs.iter().enumerate().all(|(n, want)| {
                    program.input_info(n).is_some_and(|i| (i.dtype, i.channels) == *want)
                })
                && outputs.iter().enumerate().all(|(n, want)| {
                    program.output_info(n).is_some_and(|i| (i.dtype, i.channels, i.shift) == *want)
                })
        };
        let check = |tag, good: bool| if good { Ok(()) } else { Err(BundleError::Shape(tag)) };
        let optional = |tag, program: &Option<Program<'_>>, input, output| match program {
            Some(p) => check(tag, fits(p, &[input], &[output])),
            None => Ok(()),
        };
        for (program, tag) in self.analyses.iter().zip(ANALYSES) {
            optional(tag, program, (u8s, 3), (i16s, m, 4))?;
        }
        for (program, synthesis) in self.syntheses.iter().zip(Synthesis::ALL) {
            optional(synthesis.tag(), program, (i16s, m), (u8s, 3, -4))?;
        }
        optional(Tag::HYPER_ANALYSIS, &self.hyper_analysis, (i16s, m), (u8s, z, 2))?;
        check(
            Tag::HYPER_SYNTHESIS,
            fits(&self.hyper_synthesis, &[(u8s, z)], &[(u8s, features, -2)]),
        )?;
        check(
            Tag::CONTEXT,
            fits(look, &[(i16s, m)], &[(u8s, seen, 0)])
                && fits(gather, &[(u8s, seen)], &[(u8s, near, 0)]),
        )?;
        let predicted = [(i16s, m, 0), (u8s, m, 0)];
        let (first, second) = (&self.parameters_first, &self.parameters_second);
        check(
            Tag::PARAMETERS_FIRST,
            first.is_pointwise() && fits(first, &[(u8s, features)], &predicted),
        )?;
        check(
            Tag::PARAMETERS_SECOND,
            second.is_pointwise() && fits(second, &[(u8s, features), (u8s, near)], &predicted),
        )?;
        if self.hyper_tables.len() < z {
            return Err(BundleError::TooFewTables(Tag::HYPER_TABLES));
        }
        let tables = self.latent_tables.len();
        if tables == 0 || self.settings.dependent && !tables.is_multiple_of(2) {
            return Err(BundleError::TooFewTables(Tag::LATENT_TABLES));
        }
        Ok(())
    }

    /// Constants and gains.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Identifier of the latent space: a stream can be decoded by any bundle that has the same one.
    pub fn latent_space(&self) -> [u8; 8] {
        self.latent_space
    }

    /// The manifest (JSON), empty if there is none.
    pub fn manifest(&self) -> &'a str {
        self.section(Tag::MANIFEST).and_then(|s| core::str::from_utf8(s).ok()).unwrap_or("")
    }

    /// The sections, in file order.
    pub fn sections(&self) -> &[(Tag, &'a [u8])] {
        &self.sections
    }

    /// One section's bytes.
    pub fn section(&self, tag: Tag) -> Option<&'a [u8]> {
        self.sections.iter().find(|s| s.0 == tag).map(|s| s.1)
    }

    /// The analysis transform of an effort.
    ///
    /// # Errors
    /// [`BundleError::NoAnalysis`] if a transform that the effort needs is not there.
    pub fn analysis(&self, effort: Effort) -> Result<&Program<'a>, BundleError> {
        self.analysis_of(effort)
            .ok_or_else(|| BundleError::NoAnalysis { effort, available: self.efforts().collect() })
    }

    fn analysis_of(&self, effort: Effort) -> Option<&Program<'a>> {
        let there = effort.tags().iter().all(|&tag| self.section(tag).is_some());
        let [fast, default] = &self.analyses;
        let program = if effort == Effort::Fast { fast } else { default };
        program.as_ref().filter(|_| there)
    }

    /// The efforts whose transforms are there, least first.
    pub fn efforts(&self) -> impl Iterator<Item = Effort> {
        Effort::ALL.into_iter().filter(|&effort| self.analysis_of(effort).is_some())
    }

    /// Whether it has what encoding needs, for some effort.
    pub fn can_encode(&self) -> bool {
        self.efforts().next().is_some() && self.hyper_analysis.is_some()
    }

    /// The hyper-analysis.
    ///
    /// # Errors
    /// The bundle was made for decoding only.
    pub fn hyper_analysis(&self) -> Result<&Program<'a>, BundleError> {
        self.hyper_analysis.as_ref().ok_or(BundleError::Missing(Tag::HYPER_ANALYSIS))
    }

    /// A synthesis transform.
    ///
    /// # Errors
    /// [`BundleError::NoSynthesis`].
    pub fn synthesis(&self, synthesis: Synthesis) -> Result<&Program<'a>, BundleError> {
        self.syntheses[synthesis as usize].as_ref().ok_or_else(|| BundleError::NoSynthesis {
            synthesis,
            available: self.syntheses().collect(),
        })
    }

    /// The synthesis transforms there are.
    pub fn syntheses(&self) -> impl Iterator<Item = Synthesis> {
        let there = Synthesis::ALL.into_iter().zip(&self.syntheses);
        there.filter_map(|(synthesis, program)| program.as_ref().map(|_| synthesis))
    }

    /// Whether it has what decoding to pictures needs, with some synthesis.
    pub fn can_decode(&self) -> bool {
        self.syntheses().next().is_some()
    }
}

/// A context program in two: latents are looked at once, but gathered for every pass.
fn context<'a>(program: &Program<'a>) -> Result<[Program<'a>; 2], BundleError> {
    program.split().map(<[_; 2]>::from).ok_or(BundleError::Shape(Tag::CONTEXT))
}

/// Sections in file order, and the latent space that they make.
type Found<'a> = (Vec<(Tag, &'a [u8])>, [u8; 8]);

/// Reads the directory and checks every section's bounds, alignment and checksum.
pub(crate) fn parse_sections(bytes: &[u8]) -> Result<Found<'_>, BundleError> {
    let truncated = |needed: u64| BundleError::Truncated { needed, available: bytes.len() };
    if !bytes.starts_with(&SIGNATURE) {
        return Err(BundleError::NotABundle);
    }
    let word = |at: usize| {
        bytes
            .get(at..at + 4)
            .map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
            .ok_or(truncated(at as u64 + 4))
    };
    let version = word(8)?;
    if version != VERSION {
        return Err(BundleError::UnsupportedVersion(version));
    }
    let count = word(12)?;
    if count as usize > MAX_SECTIONS {
        return Err(BundleError::TooManySections(count));
    }
    let directory = HEAD + count as usize * ENTRY;
    if word(directory)? != crc32c(&bytes[..directory]) {
        return Err(BundleError::DamagedDirectory);
    }
    let mut found = Vec::with_capacity(count as usize);
    for at in (0..count as usize).map(|i| HEAD + i * ENTRY) {
        let tag = Tag(word(at)?.to_le_bytes());
        let (offset, length, crc) = (word(at + 4)?, word(at + 8)?, word(at + 12)?);
        if !(offset as usize).is_multiple_of(ALIGN) {
            return Err(BundleError::Misaligned(tag));
        }
        let end = u64::from(offset) + u64::from(length);
        let section = usize::try_from(end)
            .ok()
            .and_then(|end| bytes.get(offset as usize..end))
            .ok_or(truncated(end))?;
        if crc32c(section) != crc {
            return Err(BundleError::Damaged(tag));
        }
        found.push((tag, section, crc));
    }
    let latent_space = latent_space(&found);
    Ok((found.into_iter().map(|(tag, section, _)| (tag, section)).collect(), latent_space))
}

/// Fingerprint of the sections that both sides must share: 64-bit FNV-1a over each one's tag, length and CRC-32C.
///
/// It tells honest models apart; authenticity is the signature's business.
fn latent_space(sections: &[(Tag, &[u8], u32)]) -> [u8; 8] {
    let shared = Tag::LATENT_SPACE.into_iter().map(|wanted| {
        sections
            .iter()
            .find(|s| s.0 == wanted)
            .map_or((wanted, &[][..], 0), |&(tag, bytes, crc)| (tag, bytes, crc))
    });
    fingerprint(shared)
}

/// The same over the sections that `shared` names, in file order.
pub(crate) fn section_hash(sections: &[(Tag, &[u8])], shared: impl Fn(Tag) -> bool) -> [u8; 8] {
    let chosen = sections.iter().filter(|s| shared(s.0));
    fingerprint(chosen.map(|&(tag, bytes)| (tag, bytes, crc32c(bytes))))
}

fn fingerprint<'s>(sections: impl Iterator<Item = (Tag, &'s [u8], u32)>) -> [u8; 8] {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (tag, bytes, crc) in sections {
        let length = (bytes.len() as u32).to_le_bytes();
        for byte in tag.0.into_iter().chain(length).chain(crc.to_le_bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
    hash.to_le_bytes()
}
