//! A model of the shapes of the shipped family with noise for weights, whose latents have the spread that its entropy
//! model expects: what is coded is about as much as in a photograph at half a bit a pixel.

use pinhole::bundle::{BundleBuilder, Settings, Tag};
use pinhole::engine::requant::Bounds;
use pinhole::engine::{
    ConvSpec, DType, DepthwiseSpec, Executor, Program, ProgramBuilder, Size, Tensor, TensorData,
    TensorId,
};
use pinhole::entropy::TableSetBuilder;

use crate::noise;

/// Why a model cannot be made.
pub type Error = Box<dyn std::error::Error>;

const LATENTS: usize = 288;
const HYPER: usize = 64;
const FEATURES: usize = 128;
const HYPER_WIDTH: usize = 128;
const PARAMETERS: usize = 192;
const TABLES: usize = 64;
/// Latents of a smaller index are not coded.
const SKIP: u8 = 4;

/// Trunk width, blocks, their hidden width, and that of the block at 1/16.
#[derive(Clone, Copy, Debug)]
pub struct Analysis {
    /// Channels at 1/8.
    pub width: usize,
    /// Residual blocks at 1/8.
    pub blocks: usize,
    /// Their hidden channels.
    pub hidden: usize,
    /// Hidden channels of the block at 1/16.
    pub last: usize,
}

/// The analysis of `--effort fast`.
pub const FAST: Analysis = Analysis { width: 96, blocks: 1, hidden: 96, last: 96 };
/// Of `--effort default`.
pub const DEFAULT: Analysis = Analysis { width: 192, blocks: 3, hidden: 192, last: 192 };

/// Blocks at 1/16 and their hidden width, trunk width at 1/8, blocks there and their hidden width.
struct Synthesis(usize, usize, usize, usize, usize);
const STANDARD: Synthesis = Synthesis(2, 512, 192, 4, 384);
const LITE: Synthesis = Synthesis(1, 256, 128, 2, 192);

/// A program under construction.
struct Net {
    b: ProgramBuilder,
    seed: u32,
}

const RELU: Bounds = Bounds { offset: 0, lo: 0, hi: 255 };
const SIGNED: Bounds = Bounds { offset: 128, lo: 0, hi: 255 };
const WORDS: Bounds = Bounds { offset: 0, lo: -32768, hi: 32767 };

/// Where a convolution's output goes: type, zero point, clamp.
type To = (DType, u8, Bounds);
const TO_RELU: To = (DType::U8, 0, RELU);
const TO_SIGNED: To = (DType::U8, 128, SIGNED);
const TO_WORDS: To = (DType::I16, 0, WORDS);

impl Net {
    fn new() -> Self {
        Net { b: ProgramBuilder::new(), seed: 1 }
    }

    fn weights(&mut self, n: usize) -> Vec<i8> {
        self.seed += 1;
        let mut next = noise(self.seed);
        (0..n).map(|_| (next() as i8) / 2).collect()
    }

    /// A 1×1 convolution of an input whose zero point is `zero`; its bias makes up for that.
    fn conv(
        &mut self,
        input: TensorId,
        (cin, cout): (usize, usize),
        zero: i32,
        (dtype, zero_point, bounds): To,
        scale: &[f32],
        residual: Option<TensorId>,
    ) -> Result<TensorId, Error> {
        let weights = self.weights(cin * cout);
        let sum = |row: &[i8]| row.iter().map(|&w| i32::from(w)).sum::<i32>();
        let bias: Vec<i32> = weights.chunks(cin).map(|row| -zero * sum(row)).collect();
        let (weights, bias) = (&weights[..], &bias[..]);
        let spec = ConvSpec { dtype, zero_point, residual, weights, bias, scale, bounds };
        Ok(self.b.conv1x1(input, spec)?)
    }

    fn depthwise(
        &mut self,
        input: TensorId,
        (k, c): (usize, usize),
        zero: i32,
        scale: f32,
    ) -> Result<TensorId, Error> {
        let weights = self.weights(k * k * c);
        let sum =
            |c0: usize| weights.iter().skip(c0).step_by(c).map(|&w| i32::from(w)).sum::<i32>();
        let bias: Vec<i32> = (0..c).map(|c0| -zero * sum(c0)).collect();
        let (weights, bias, scale) = (&weights[..], &bias[..], &vec![scale; c][..]);
        let (dtype, zero_point, bounds) = TO_SIGNED;
        let spec =
            DepthwiseSpec { k, dtype, zero_point, residual: None, weights, bias, scale, bounds };
        Ok(self.b.depthwise(input, spec)?)
    }

    /// Depthwise, 1×1 with ReLU, 1×1 added to what came in.
    fn block(&mut self, x: TensorId, c: usize, hidden: usize) -> Result<TensorId, Error> {
        let d = self.depthwise(x, (3, c), 0, 1e-3)?;
        let h = self.conv(d, (c, hidden), 128, TO_RELU, &vec![1e-3; hidden], None)?;
        self.conv(h, (hidden, c), 0, TO_WORDS, &vec![1e-4; c], Some(x))
    }

    fn table(&mut self, x: TensorId) -> Result<TensorId, Error> {
        let asinh = |v: i32| (f64::from(v) / 8.0).asinh() * 127.0 / 6.93 + 128.0;
        let table: Vec<u8> = (-4096..4096).map(|v| asinh(v).clamp(0.0, 255.0) as u8).collect();
        Ok(self.b.table(x, -4096, &table, 128)?)
    }
}

/// An analysis transform; the latents' scales are given.
fn analysis_scaled(shape: Analysis, scale: &[f32]) -> Result<Vec<u8>, Error> {
    let Analysis { width, blocks, hidden, last } = shape;
    let mut net = Net::new();
    let picture = net.b.input(DType::U8, 3, 128)?;
    let patches = net.b.space_to_depth(picture, 8)?;
    let mut x = net.conv(patches, (192, width), 128, TO_WORDS, &vec![2e-2; width], None)?;
    for _ in 0..blocks {
        x = net.block(x, width, hidden)?;
    }
    let deep = net.b.space_to_depth(x, 2)?;
    let x = net.conv(deep, (4 * width, LATENTS), 0, TO_WORDS, scale, None)?;
    let y = net.block(x, LATENTS, last)?;
    Ok(net.b.finish(&[y])?)
}

/// The standard deviation, in symbols, that latents of a channel have.
fn spread(channel: usize) -> f64 {
    1.5 * (-(channel as f64) / 35.0).exp()
}

/// An analysis transform whose latents of a noisy picture have the right spread.
///
/// # Errors
/// Those of the engine.
pub fn analysis(shape: Analysis) -> Result<Vec<u8>, Error> {
    let first = 1e-3;
    let bytes = analysis_scaled(shape, &[first; LATENTS])?;
    let size = Size { height: 128, width: 128 };
    let mut next = noise(7);
    let mut shade = 128_i32;
    let pixels = (0..size.height * size.width * 3).map(|_| {
        shade = (shade + i32::from(next()) / 8 - 16).clamp(0, 255);
        shade as u8
    });
    let input = Tensor { size, channels: 3, data: TensorData::U8(pixels.collect()) };
    let made = Executor::new().run_tensors(&Program::parse(&bytes)?, &[input])?;
    let values = made[0].as_ref().as_i16().ok_or("latents are words")?;
    let scales: Vec<f32> = (0..LATENTS)
        .map(|c| {
            let own = values.iter().skip(c).step_by(LATENTS).map(|&v| f64::from(v));
            let power = own.map(|v| v * v).sum::<f64>() / (values.len() / LATENTS) as f64;
            first * (spread(c) * 16.0 / power.sqrt().max(1.0)) as f32
        })
        .collect();
    analysis_scaled(shape, &scales)
}

fn synthesis(
    Synthesis(low, low_hidden, width, blocks, hidden): Synthesis,
) -> Result<Vec<u8>, Error> {
    let mut net = Net::new();
    let mut x = net.b.input(DType::I16, LATENTS, 0)?;
    for _ in 0..low {
        x = net.block(x, LATENTS, low_hidden)?;
    }
    let x = net.conv(x, (LATENTS, 4 * width), 0, TO_WORDS, &vec![1e-2; 4 * width], None)?;
    let mut x = net.b.depth_to_space(x, 2)?;
    for _ in 0..blocks {
        x = net.block(x, width, hidden)?;
    }
    let x = net.conv(x, (width, 192), 0, TO_SIGNED, &[1e-3; 192], None)?;
    let picture = net.b.depth_to_space(x, 8)?;
    Ok(net.b.finish(&[picture])?)
}

fn hyper_analysis() -> Result<Vec<u8>, Error> {
    let mut net = Net::new();
    let w = HYPER_WIDTH;
    let x = net.b.input(DType::I16, LATENTS, 0)?;
    let x = net.table(x)?;
    let x = net.conv(x, (LATENTS, w), 128, TO_RELU, &vec![1e-3; w], None)?;
    let x = net.b.space_to_depth(x, 2)?;
    let x = net.conv(x, (4 * w, w), 0, TO_RELU, &vec![1e-3; w], None)?;
    let x = net.b.space_to_depth(x, 2)?;
    let x = net.conv(x, (4 * w, HYPER), 0, TO_SIGNED, &[2e-5; HYPER], None)?;
    Ok(net.b.finish(&[x])?)
}

fn hyper_synthesis() -> Result<Vec<u8>, Error> {
    let mut net = Net::new();
    let w = HYPER_WIDTH;
    let x = net.b.input(DType::U8, HYPER, 128)?;
    let x = net.conv(x, (HYPER, 4 * w), 128, TO_RELU, &vec![1e-3; 4 * w], None)?;
    let x = net.b.depth_to_space(x, 2)?;
    let x = net.depthwise(x, (3, w), 0, 1e-3)?;
    let x = net.conv(x, (w, 4 * FEATURES), 128, TO_RELU, &[1e-3; 4 * FEATURES], None)?;
    let x = net.b.depth_to_space(x, 2)?;
    let x = net.depthwise(x, (3, FEATURES), 0, 1e-3)?;
    Ok(net.b.finish(&[x])?)
}

fn context() -> Result<Vec<u8>, Error> {
    let mut net = Net::new();
    let x = net.b.input(DType::I16, LATENTS, 0)?;
    let x = net.table(x)?;
    let x = net.conv(x, (LATENTS, FEATURES), 128, TO_RELU, &[1e-3; FEATURES], None)?;
    let x = net.depthwise(x, (5, FEATURES), 0, 1e-3)?;
    Ok(net.b.finish(&[x])?)
}

fn parameters(second: bool) -> Result<Vec<u8>, Error> {
    let mut net = Net::new();
    let mut x = net.b.input(DType::U8, FEATURES, 128)?;
    let mut cin = FEATURES;
    if second {
        let near = net.b.input(DType::U8, FEATURES, 128)?;
        x = net.b.concat(&[x, near])?;
        cin += FEATURES;
    }
    let x = net.conv(x, (cin, PARAMETERS), 128, TO_RELU, &[1e-3; PARAMETERS], None)?;
    let mean = net.conv(x, (PARAMETERS, LATENTS), 0, TO_WORDS, &[1e-6; LATENTS], None)?;
    let weights = net.weights(PARAMETERS * LATENTS);
    let (step, scale) = ((1600f64).ln() / (TABLES - 1) as f64, 1e-3_f32);
    // The index of the channel's spread, with half of a step that the features move.
    let index = |c: usize| ((spread(c) / 0.08).ln() / step).clamp(0.0, (TABLES - 1) as f64);
    let bias: Vec<i32> =
        (0..LATENTS).map(|c| (index(c) / f64::from(scale) / 40.0) as i32).collect();
    let spec = ConvSpec {
        dtype: DType::U8,
        zero_point: 0,
        residual: None,
        weights: &weights.iter().map(|&w| w / 32).collect::<Vec<_>>(),
        bias: &bias,
        scale: &[scale * 40.0; LATENTS],
        bounds: Bounds { offset: 0, lo: 0, hi: TABLES as i32 - 1 },
    };
    let scale = net.b.conv1x1(x, spec)?;
    Ok(net.b.finish(&[mean, scale])?)
}

/// Log-spaced spreads, the same for either quantiser.
fn spread_of_table(index: usize) -> f64 {
    0.08 * (1600f64).powf((index % TABLES) as f64 / (TABLES - 1) as f64)
}

/// Tables of normal distributions.
fn tables(count: usize, spread_of: impl Fn(usize) -> f64) -> Result<Vec<u8>, Error> {
    let mut set = TableSetBuilder::new();
    for index in 0..count {
        let spread = spread_of(index);
        let reach = ((spread * 5.0) as i16).clamp(1, 250);
        let mut pmf: Vec<f64> = (-reach..=reach)
            .map(|k| (-0.5 * (f64::from(k) / spread).powi(2)).exp() + 1e-6)
            .collect();
        pmf.push(1e-5);
        set.push_pmf(-reach, &pmf)?;
    }
    Ok(set.to_bytes()?)
}

/// The whole family in one bundle.
///
/// # Errors
/// Those of engine and entropy coder.
pub fn bundle() -> Result<Vec<u8>, Error> {
    let settings = Settings {
        latent_channels: LATENTS,
        hyper_channels: HYPER,
        skip_below: SKIP,
        passes: 4,
        dependent: true,
        fraction: 5,
        gain_knots: vec![2.0; 2 * LATENTS],
    };
    let mut bundle = BundleBuilder::new();
    bundle
        .section(Tag::MANIFEST, br#"{"name":"noise"}"#.to_vec())
        .section(Tag::SETTINGS, settings.to_bytes())
        .section(Tag::ANALYSIS, analysis(DEFAULT)?)
        .section(Tag::ANALYSIS_FAST, analysis(FAST)?)
        .section(Tag::SYNTHESIS, synthesis(STANDARD)?)
        .section(Tag::SYNTHESIS_LITE, synthesis(LITE)?)
        .section(Tag::HYPER_ANALYSIS, hyper_analysis()?)
        .section(Tag::HYPER_SYNTHESIS, hyper_synthesis()?)
        .section(Tag::CONTEXT, context()?)
        .section(Tag::PARAMETERS_FIRST, parameters(false)?)
        .section(Tag::PARAMETERS_SECOND, parameters(true)?)
        .section(Tag::LATENT_TABLES, tables(2 * TABLES, spread_of_table)?)
        .section(Tag::HYPER_TABLES, tables(HYPER, |_| 3.0)?);
    Ok(bundle.to_bytes())
}
