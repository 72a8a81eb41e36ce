//! Programs and data that several benches share.

pub mod family;
pub mod photo;

use pinhole::engine::requant::Bounds;
use pinhole::engine::{ConvSpec, DType, DepthwiseSpec, ProgramBuilder, ProgramError, TensorId};

/// Deterministic noise.
pub fn noise(seed: u32) -> impl FnMut() -> u8 {
    let mut state = seed.wrapping_mul(2_654_435_761).max(1);
    move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 11) as u8
    }
}

/// Clamp to the whole range of a type.
pub fn bounds(dtype: DType) -> Bounds {
    let (lo, hi) = dtype.range();
    Bounds { offset: if dtype == DType::U8 { 128 } else { 0 }, lo, hi }
}

/// Adds a 1×1 convolution with noise for weights.
///
/// # Errors
/// Those of the builder.
pub fn conv(
    b: &mut ProgramBuilder,
    input: TensorId,
    (cin, cout): (usize, usize),
    dtype: DType,
    residual: Option<TensorId>,
) -> Result<TensorId, ProgramError> {
    let mut next = noise((cin * cout) as u32);
    let weights: Vec<i8> = (0..cin * cout).map(|_| next() as i8).collect();
    let (bias, scale) = (vec![77; cout], vec![1.0 / 1000.0; cout]);
    let (weights, bias, scale) = (&weights[..], &bias[..], &scale[..]);
    b.conv1x1(
        input,
        ConvSpec { dtype, zero_point: 0, residual, weights, bias, scale, bounds: bounds(dtype) },
    )
}

/// Adds a depthwise convolution with noise for weights.
///
/// # Errors
/// Those of the builder.
pub fn depthwise(
    b: &mut ProgramBuilder,
    input: TensorId,
    (k, c): (usize, usize),
    dtype: DType,
) -> Result<TensorId, ProgramError> {
    let mut next = noise((k * c) as u32);
    let weights: Vec<i8> = (0..k * k * c).map(|_| next() as i8).collect();
    let (bias, scale) = (vec![77; c], vec![1.0 / 300.0; c]);
    let (weights, bias, scale) = (&weights[..], &bias[..], &scale[..]);
    let spec = DepthwiseSpec {
        k,
        dtype,
        zero_point: 0,
        residual: None,
        weights,
        bias,
        scale,
        bounds: bounds(dtype),
    };
    b.depthwise(input, spec)
}

/// Shape of an analysis transform at 8×8 patches and then at 1/16.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Channels at 1/8.
    pub width: usize,
    /// Residual blocks at 1/8.
    pub blocks: usize,
    /// Latent channels.
    pub latents: usize,
}

/// About the shipped model's.
pub const DEFAULT: Shape = Shape { width: 192, blocks: 3, latents: 320 };
/// A transform for devices with little time: 1 kMAC per pixel.
pub const FAST: Shape = Shape { width: 96, blocks: 1, latents: 288 };

/// An analysis transform with noise for weights.
///
/// # Errors
/// Those of the builder.
pub fn analysis(shape: Shape) -> Result<Vec<u8>, ProgramError> {
    let Shape { width, blocks, latents } = shape;
    let mut b = ProgramBuilder::new();
    let image = b.input(DType::U8, 3, 0)?;
    let patches = b.space_to_depth(image, 8)?;
    let mut x = conv(&mut b, patches, (192, width), DType::I16, None)?;
    for _ in 0..blocks {
        let d = depthwise(&mut b, x, (3, width), DType::U8)?;
        let h = conv(&mut b, d, (width, width), DType::U8, None)?;
        x = conv(&mut b, h, (width, width), DType::I16, Some(x))?;
    }
    let deep = b.space_to_depth(x, 2)?;
    let y = conv(&mut b, deep, (4 * width, latents), DType::I16, None)?;
    b.finish(&[y])
}
