//! A tiny bundle with fixed pseudo-random weights, so that the codec's machinery is tested without a trained model.
#![allow(dead_code, reason = "not every test needs every bundle")]

use pinhole::bundle::{BundleBuilder, Settings, Tag};
use pinhole::engine::requant::Bounds;
use pinhole::engine::{ConvSpec, DType, DepthwiseSpec, ProgramBuilder, TensorId};
use pinhole::entropy::TableSetBuilder;

/// Latent channels, hyper channels, features.
const M: usize = 8;
const Z: usize = 4;
const F: usize = 8;

struct Toy {
    program: ProgramBuilder,
    seed: u64,
}

impl Toy {
    fn new(seed: u64) -> Self {
        Toy { program: ProgramBuilder::new(), seed }
    }

    fn weights(&mut self, n: usize) -> Vec<i8> {
        let mut next = || {
            self.seed =
                self.seed.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (self.seed >> 56) as i8
        };
        (0..n).map(|_| next() / 2).collect()
    }

    fn conv(
        &mut self,
        input: TensorId,
        (from, to): (usize, usize),
        zero: i32,
        dtype: DType,
        gain: f32,
    ) -> TensorId {
        let weights = self.weights(from * to);
        let bias: Vec<i32> = weights
            .chunks(from)
            .map(|row| -zero * row.iter().map(|&w| i32::from(w)).sum::<i32>())
            .collect();
        let (bounds, zero_point) = match dtype {
            DType::U8 => (Bounds { offset: 128, lo: 0, hi: 255 }, 128),
            _ => (Bounds { offset: 0, lo: -32768, hi: 32767 }, 0),
        };
        let scale = vec![gain / from as f32; to];
        let spec = ConvSpec {
            dtype,
            zero_point,
            residual: None,
            weights: &weights,
            bias: &bias,
            scale: &scale,
            bounds,
        };
        self.program.conv1x1(input, spec).unwrap()
    }

    fn depthwise(&mut self, input: TensorId, k: usize, channels: usize, zero: i32) -> TensorId {
        let weights = self.weights(k * k * channels);
        let bias: Vec<i32> = (0..channels)
            .map(|c| {
                -zero * (0..k * k).map(|tap| i32::from(weights[tap * channels + c])).sum::<i32>()
            })
            .collect();
        let scale = vec![0.01; channels];
        let bounds = Bounds { offset: 128, lo: 0, hi: 255 };
        let spec = DepthwiseSpec {
            k,
            dtype: DType::U8,
            zero_point: 128,
            residual: None,
            weights: &weights,
            bias: &bias,
            scale: &scale,
            bounds,
        };
        self.program.depthwise(input, spec).unwrap()
    }

    fn table(&mut self, input: TensorId) -> TensorId {
        let table: Vec<u8> = (0..512).map(|i: u32| (i / 2) as u8).collect();
        self.program.table(input, -256, &table, 128).unwrap()
    }

    fn finish(&self, outputs: &[TensorId]) -> Vec<u8> {
        self.program.finish(outputs).unwrap()
    }
}

/// The same size in other steps: the first layer reads patches of 4×4.
fn other_analysis() -> Vec<u8> {
    let mut t = Toy::new(1);
    let x = t.program.input(DType::U8, 3, 0).unwrap();
    let x = t.program.space_to_depth(x, 4).unwrap();
    let x = t.conv(x, (48, 8), 128, DType::I16, 2.0);
    let x = t.program.space_to_depth(x, 4).unwrap();
    let x = t.conv(x, (128, M), 0, DType::I16, 0.5);
    t.finish(&[x])
}

/// A transform to the same latents with other weights.
fn analysis_of(seed: u64) -> Vec<u8> {
    let mut t = Toy::new(seed);
    let x = t.program.input(DType::U8, 3, 0).unwrap();
    let x = t.program.space_to_depth(x, 8).unwrap();
    let x = t.conv(x, (192, 8), 128, DType::I16, 2.0);
    let x = t.program.space_to_depth(x, 2).unwrap();
    let x = t.conv(x, (32, M), 0, DType::I16, 0.5);
    t.finish(&[x])
}

fn synthesis(seed: u64) -> Vec<u8> {
    let mut t = Toy::new(seed);
    let x = t.program.input(DType::I16, M, 0).unwrap();
    let y = t.depthwise(x, 3, M, 0);
    let y = t.conv(y, (M, 32), 128, DType::U8, 0.5);
    let y = t.program.depth_to_space(y, 2).unwrap();
    let y = t.conv(y, (8, 192), 128, DType::U8, 0.2);
    let y = t.program.depth_to_space(y, 8).unwrap();
    t.finish(&[y])
}

fn hyper_analysis() -> Vec<u8> {
    let mut t = Toy::new(3);
    let x = t.program.input(DType::I16, M, 0).unwrap();
    let x = t.table(x);
    let x = t.program.space_to_depth(x, 2).unwrap();
    let x = t.conv(x, (4 * M, 8), 128, DType::U8, 0.3);
    let x = t.program.space_to_depth(x, 2).unwrap();
    let x = t.conv(x, (32, Z), 128, DType::U8, 0.05);
    t.finish(&[x])
}

fn hyper_synthesis() -> Vec<u8> {
    let mut t = Toy::new(4);
    let x = t.program.input(DType::U8, Z, 128).unwrap();
    let x = t.conv(x, (Z, 32), 128, DType::U8, 0.5);
    let x = t.program.depth_to_space(x, 2).unwrap();
    let x = t.conv(x, (8, 4 * F), 128, DType::U8, 0.3);
    let x = t.program.depth_to_space(x, 2).unwrap();
    let x = t.depthwise(x, 3, F, 128);
    t.finish(&[x])
}

fn context() -> Vec<u8> {
    let mut t = Toy::new(5);
    let x = t.program.input(DType::I16, M, 0).unwrap();
    let x = t.table(x);
    let x = t.depthwise(x, 5, M, 128);
    t.finish(&[x])
}

fn parameters(second: bool) -> Vec<u8> {
    let mut t = Toy::new(6 + u64::from(second));
    let mut x = t.program.input(DType::U8, F, 128).unwrap();
    let mut channels = F;
    if second {
        let c = t.program.input(DType::U8, M, 128).unwrap();
        x = t.program.concat(&[x, c]).unwrap();
        channels += M;
    }
    let mean = t.conv(x, (channels, M), 128, DType::I16, 0.05);
    let weights = t.weights(channels * M);
    let spec = ConvSpec {
        dtype: DType::U8,
        zero_point: 0,
        residual: None,
        weights: &weights,
        bias: &[0; M],
        scale: &[0.002; M],
        bounds: Bounds { offset: 8, lo: 0, hi: 15 },
    };
    let scale = t.program.conv1x1(x, spec).unwrap();
    t.finish(&[mean, scale])
}

fn tables(count: usize, widest: f64, quantisers: usize) -> Vec<u8> {
    let mut set = TableSetBuilder::new();
    for i in (0..quantisers).flat_map(|_| 0..count) {
        let scale = 0.2 + widest * i as f64 / count as f64;
        let reach = (scale * 4.0) as i16 + 1;
        let mut pmf: Vec<f64> =
            (-reach..=reach).map(|s| (-f64::from(s).abs() / scale).exp() + 1e-6).collect();
        pmf.push(1e-4);
        set.push_pmf(-reach, &pmf).unwrap();
    }
    set.to_bytes().unwrap()
}

/// The toy bundle's bytes.
pub(crate) fn toy_bundle() -> Vec<u8> {
    toy_bundle_in(4, false, 4)
}

/// The toy bundle with latents in so many passes, of one or of two quantisers, with so many fractional bits.
pub(crate) fn toy_bundle_in(passes: u8, dependent: bool, fraction: u8) -> Vec<u8> {
    bundle(analysis_of(1), passes, dependent, fraction).to_bytes()
}

/// The same with an analysis program that only takes RGB.
pub(crate) fn unfoldable_bundle() -> Vec<u8> {
    bundle(other_analysis(), 4, false, 4).to_bytes()
}

/// The toy bundle with all the transforms that a latent space may have.
pub(crate) fn toy_family() -> Vec<u8> {
    let mut bundle = bundle(analysis_of(1), 4, false, 4);
    bundle.section(Tag::ANALYSIS_FAST, analysis_of(11)).section(Tag::SYNTHESIS_LITE, synthesis(13));
    bundle.to_bytes()
}

fn bundle(analysis: Vec<u8>, passes: u8, dependent: bool, fraction: u8) -> BundleBuilder {
    let knots: Vec<f32> = (0..3).flat_map(|k| [0.02 * 8f32.powi(k); M]).collect();
    let settings = Settings {
        latent_channels: M,
        hyper_channels: Z,
        skip_below: 1,
        passes,
        dependent,
        fraction,
        gain_knots: knots,
    };
    let mut bundle = BundleBuilder::new();
    bundle
        .section(Tag::MANIFEST, br#"{"name":"toy"}"#.to_vec())
        .section(Tag::SETTINGS, settings.to_bytes())
        .section(Tag::ANALYSIS, analysis)
        .section(Tag::SYNTHESIS, synthesis(2))
        .section(Tag::HYPER_ANALYSIS, hyper_analysis())
        .section(Tag::HYPER_SYNTHESIS, hyper_synthesis())
        .section(Tag::CONTEXT, context())
        .section(Tag::PARAMETERS_FIRST, parameters(false))
        .section(Tag::PARAMETERS_SECOND, parameters(true))
        .section(Tag::LATENT_TABLES, tables(16, 40.0, 1 + usize::from(dependent)))
        .section(Tag::HYPER_TABLES, tables(Z, 10.0, 1));
    bundle
}
