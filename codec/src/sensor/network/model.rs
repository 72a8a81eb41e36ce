//! The sections of a sensor bundle.

use alloc::vec::Vec;

use super::features::{self, LEVELS};
use super::reference::Reference;
use super::trellis::Prices;
use crate::bundle::{BundleError, Tag, parse_sections, section_hash};
use crate::engine::{DType, Program, Size};
use crate::entropy::TableSet;

/// Names of a sensor bundle's sections.
#[derive(Clone, Copy, Debug)]
pub struct SensorTag;

impl SensorTag {
    /// Constants: [`SensorSettings`].
    pub const SETTINGS: Tag = Tag(*b"SSET");
    /// Analysis: samples to latents.
    pub const ANALYSIS: Tag = Tag(*b"SANA");
    /// Synthesis: latents to samples.
    pub const SYNTHESIS: Tag = Tag(*b"SSYN");
    /// Symbol tables: by scale index for the first quantiser, then for the second.
    pub const TABLES: Tag = Tag(*b"STBL");
    /// Features of places, a byte each: `[channel][latent][8]`.
    pub const PLACES: Tag = Tag(*b"SPLC");
    /// Features of magnitudes 0..4095, a byte each.
    pub const MAGNITUDES: Tag = Tag(*b"SMAG");
    /// Scores of normal windows: [`Reference`].
    pub const REFERENCE: Tag = Tag(*b"SREF");

    /// The context model of a channel, 0..=47.
    pub const fn context(channel: usize) -> Tag {
        Tag([b'S', b'C', b'0' + (channel / 10 % 10) as u8, b'0' + (channel % 10) as u8])
    }
}

/// Constants of a sensor model. In the section, `u32` and `f32`, little-endian: version 1, channels C, window T,
/// 1 if the transform is dense, the order (C numbers), then of each channel centre, spread and range, then of each
/// quality 0..=100 the quantiser's step (in spreads of an orthonormal coefficient) and its feature (as `i32`).
#[derive(Clone, Debug, PartialEq)]
pub struct SensorSettings {
    /// Channels, 1..=48.
    pub channels: usize,
    /// Samples of a window in each channel, 8..=256.
    pub window: usize,
    /// Whether the transform takes all channels at once, in place of one after the other.
    pub dense: bool,
    /// Order in which channels are coded.
    pub order: Vec<usize>,
    /// What is subtracted from samples of each channel.
    pub centre: Vec<f32>,
    /// What they are then divided by, their usual standard deviation.
    pub spread: Vec<f32>,
    /// Greatest less least sample of each channel in training.
    pub range: Vec<f32>,
    /// Steps by quality, 101.
    pub steps: Vec<f32>,
    /// Features of the steps.
    pub step_features: Vec<i8>,
}

const MAX_CHANNELS: usize = 48;

impl SensorSettings {
    fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        let words: Vec<u32> =
            bytes.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let bad = |name, value: u32| BundleError::BadSetting { name, value: value.into() };
        let word = |at: usize, name, low: u32, high: u32| match words.get(at) {
            Some(&v) if (low..=high).contains(&v) => Ok(v as usize),
            other => Err(bad(name, other.copied().unwrap_or(0))),
        };
        word(0, "sensor settings version", 1, 1)?;
        let channels = word(1, "sensor channels", 1, MAX_CHANNELS as u32)?;
        let window = word(2, "sensor window", 8, 256)?;
        let dense = word(3, "dense transform", 0, 1)? == 1;
        if !window.is_multiple_of(4) || dense && window * channels > 4096 {
            return Err(bad("sensor window", window as u32));
        }
        if words.len() != 4 + 4 * channels + 202 || !bytes.len().is_multiple_of(4) {
            return Err(bad("sensor settings length", bytes.len() as u32));
        }
        let order: Vec<usize> = words[4..4 + channels].iter().map(|&c| c as usize).collect();
        if (0..channels).any(|c| !order.contains(&c)) {
            return Err(bad("order of channels", order[0] as u32));
        }
        let floats = |from: usize, count: usize, name, least: f32| {
            let list: Vec<f32> =
                words[from..from + count].iter().map(|&w| f32::from_bits(w)).collect();
            match list.iter().find(|v| !(least..=1e30).contains(*v)) {
                Some(v) => Err(bad(name, v.to_bits())),
                None => Ok(list),
            }
        };
        let at = 4 + channels;
        let steps_at = at + 3 * channels;
        Ok(SensorSettings {
            channels,
            window,
            dense,
            order,
            centre: floats(at, channels, "centre", -1e30)?,
            spread: floats(at + channels, channels, "spread", 1e-30)?,
            range: floats(at + 2 * channels, channels, "range", 0.0)?,
            steps: floats(steps_at, 101, "step", 1e-4)?,
            step_features: words[steps_at + 101..]
                .iter()
                .map(|&w| (w as i32).clamp(-128, 127) as i8)
                .collect(),
        })
    }

    /// The section's bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let head = [1, self.channels, self.window, usize::from(self.dense)];
        let mut words: Vec<u32> = head.iter().chain(&self.order).map(|&v| v as u32).collect();
        for list in [&self.centre, &self.spread, &self.range, &self.steps] {
            words.extend(list.iter().map(|v| v.to_bits()));
        }
        words.extend(self.step_features.iter().map(|&f| i32::from(f) as u32));
        words.into_iter().flat_map(u32::to_le_bytes).collect()
    }

    /// What the transforms run on: all positions are one row.
    pub(super) fn size(&self) -> Size {
        Size { height: 1, width: self.shape().0 }
    }

    /// Positions that the transforms run on, and channels of each.
    fn shape(&self) -> (usize, usize) {
        if self.dense { (1, self.channels * self.window) } else { (self.channels, self.window) }
    }
}

/// A model of one kind of sensor, its weights borrowed from the bundle's bytes.
#[derive(Clone, Debug)]
pub struct SensorModel<'a> {
    settings: SensorSettings,
    latent_space: [u8; 8],
    manifest: &'a str,
    pub(super) analysis: Program<'a>,
    pub(super) synthesis: Program<'a>,
    pub(super) contexts: Vec<Program<'a>>,
    pub(super) prices: Prices,
    pub(super) places: &'a [u8],
    pub(super) magnitudes: &'a [u8],
    reference: Reference,
}

impl<'a> SensorModel<'a> {
    /// Reads and checks a bundle.
    ///
    /// # Errors
    /// Anything that is not a whole, undamaged sensor bundle whose parts fit each other; bundles of pictures lack
    /// `SSET`.
    pub fn parse(file: &'a [u8]) -> Result<Self, BundleError> {
        let (sections, _) = parse_sections(file)?;
        let find = |tag: Tag| sections.iter().find(|s| s.0 == tag).map(|s| s.1);
        let need = |tag: Tag| find(tag).ok_or(BundleError::Missing(tag));
        let settings = SensorSettings::parse(need(SensorTag::SETTINGS)?)?;
        let (positions, width) = settings.shape();
        let transform = |tag: Tag| {
            let program = Program::parse(need(tag)?).map_err(|e| BundleError::Program(tag, e))?;
            let fits = program.inputs() == 1
                && program.outputs().len() == 1
                && program.unit() == 1
                && [program.input_info(0), program.output_info(0)]
                    .into_iter()
                    .flatten()
                    .all(|i| (i.dtype, i.channels, i.shift) == (DType::I16, width, 0));
            if fits { Ok(program) } else { Err(BundleError::Shape(tag)) }
        };
        let inputs = features::count(settings.channels);
        let context = |channel: usize| {
            let tag = SensorTag::context(channel);
            let program = Program::parse(need(tag)?).map_err(|e| BundleError::Program(tag, e))?;
            let output = |n: usize| program.output_info(n).map(|i| (i.dtype, i.channels));
            let fits = program.is_pointwise()
                && program.inputs() == 1
                && program
                    .input_info(0)
                    .is_some_and(|i| (i.dtype, i.channels) == (DType::U8, inputs))
                && program.outputs().len() == 2
                && output(0) == Some((DType::I16, 1))
                && output(1) == Some((DType::U8, 1));
            if fits { Ok(program) } else { Err(BundleError::Shape(tag)) }
        };
        let sized = |tag: Tag, length: usize| {
            let bytes = need(tag)?;
            if bytes.len() == length { Ok(bytes) } else { Err(BundleError::Shape(tag)) }
        };
        let tables = TableSet::parse(need(SensorTag::TABLES)?)
            .map_err(|e| BundleError::Tables(SensorTag::TABLES, e))?;
        if tables.len() != 128 {
            return Err(BundleError::TooFewTables(SensorTag::TABLES));
        }
        let manifest = core::str::from_utf8(find(Tag::MANIFEST).unwrap_or_default())
            .map_err(|_| BundleError::ManifestNotText)?;
        debug_assert!(positions > 0);
        Ok(SensorModel {
            latent_space: section_hash(&sections, |tag| {
                tag.0[0] == b'S' && tag != SensorTag::REFERENCE && tag != SensorTag::ANALYSIS
            }),
            manifest,
            analysis: transform(SensorTag::ANALYSIS)?,
            synthesis: transform(SensorTag::SYNTHESIS)?,
            contexts: (0..settings.channels).map(context).collect::<Result<_, _>>()?,
            prices: Prices::new(tables),
            places: sized(
                SensorTag::PLACES,
                settings.channels * settings.window * features::PLACES,
            )?,
            magnitudes: sized(SensorTag::MAGNITUDES, LEVELS)?,
            reference: Reference::parse(need(SensorTag::REFERENCE)?)?,
            settings,
        })
    }

    /// Constants.
    #[must_use]
    pub fn settings(&self) -> &SensorSettings {
        &self.settings
    }

    /// Channels of the windows.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.settings.channels
    }

    /// Samples of a window in each channel.
    #[must_use]
    pub fn window(&self) -> usize {
        self.settings.window
    }

    /// Identifier of the latent space: streams can be decoded with any bundle that has the same one. It covers every
    /// section but the manifest, the analysis and the reference.
    #[must_use]
    pub fn latent_space(&self) -> [u8; 8] {
        self.latent_space
    }

    /// The manifest (JSON), empty if there is none.
    #[must_use]
    pub fn manifest(&self) -> &'a str {
        self.manifest
    }

    /// Centre of each channel: normalised samples are `(x - centre) / spread`.
    #[must_use]
    pub fn centre(&self) -> &[f32] {
        &self.settings.centre
    }

    /// Spread of each channel.
    #[must_use]
    pub fn spread(&self) -> &[f32] {
        &self.settings.spread
    }

    /// Range of each channel in training.
    #[must_use]
    pub fn range(&self) -> &[f32] {
        &self.settings.range
    }

    /// The distribution that scores refer to.
    #[must_use]
    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    /// The symbol tables.
    #[must_use]
    pub fn tables(&self) -> &TableSet {
        self.prices.tables()
    }
}
