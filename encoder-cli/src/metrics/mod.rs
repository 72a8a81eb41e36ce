//! Measures of how far a picture is from its original.

mod ms_ssim;
mod psnr;

use anyhow::{Result, anyhow, bail};
use butteraugli::{ButteraugliParams, ButteraugliReference};
use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Reference};
use serde::Serialize;

use crate::args::Metric;
use crate::codec::{Picture, PixelFormat};
use crate::picture::to_rgb;

/// The scores of one pair; a metric that was not asked for is absent.
#[derive(Debug, Serialize)]
pub(crate) struct Scores {
    pub(crate) width: u32,
    pub(crate) height: u32,
    /// Colours are the same, sample for sample.
    pub(crate) identical: bool,
    /// Whether alpha is the same, where a picture has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) alpha_equal: Option<bool>,
    /// Decibels; null for identical pictures, whose PSNR is infinite.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) psnr: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ms_ssim: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ssimulacra2: Option<f64>,
    /// The 3-norm; pictures of less than 8 pixels a side have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) butteraugli: Option<f64>,
}

/// Pixels of each side that Butteraugli needs.
const BUTTERAUGLI_SIDE: u32 = 8;

/// An original, prepared for comparison with many pictures.
pub(crate) struct Reference {
    width: u32,
    height: u32,
    rgb: Vec<u8>,
    alpha: Option<Vec<u8>>,
    ssimulacra2: Option<Ssimulacra2Reference>,
    butteraugli: Option<ButteraugliReference>,
}

impl Reference {
    pub(crate) fn new(picture: &Picture, metrics: &[Metric]) -> Result<Self> {
        let rgb = to_rgb(picture);
        let ssimulacra2 = if metrics.contains(&Metric::Ssimulacra2) {
            let view = rgb_view(&rgb, picture.width, picture.height)?;
            Some(Ssimulacra2Reference::new(&view)?)
        } else {
            None
        };
        let (width, height) = (picture.width, picture.height);
        let large = width.min(height) >= BUTTERAUGLI_SIDE;
        let butteraugli = if metrics.contains(&Metric::Butteraugli) && large {
            let params = ButteraugliParams::default();
            Some(ButteraugliReference::new(&rgb, width as usize, height as usize, params)?)
        } else {
            None
        };
        Ok(Reference { width, height, rgb, alpha: alpha(picture), ssimulacra2, butteraugli })
    }

    pub(crate) fn score(&self, distorted: &Picture, metrics: &[Metric]) -> Result<Scores> {
        if (distorted.width, distorted.height) != (self.width, self.height) {
            bail!(
                "{}x{} cannot be compared with an original of {}x{}",
                distorted.width,
                distorted.height,
                self.width,
                self.height
            );
        }
        let rgb = to_rgb(distorted);
        let wants = |metric| metrics.contains(&metric);
        let ssimulacra2 = match &self.ssimulacra2 {
            Some(reference) => {
                Some(reference.compare(&rgb_view(&rgb, self.width, self.height)?)?)
            }
            None => None,
        };
        let butteraugli = match &self.butteraugli {
            Some(reference) => Some(reference.compare(&rgb)?.pnorm_3),
            None => None,
        };
        let (width, height) = (self.width as usize, self.height as usize);
        Ok(Scores {
            width: self.width,
            height: self.height,
            identical: rgb == self.rgb,
            alpha_equal: self.alpha_equal(distorted),
            psnr: wants(Metric::Psnr).then(|| psnr::psnr(&self.rgb, &rgb)),
            ms_ssim: wants(Metric::MsSsim)
                .then(|| ms_ssim::ms_ssim_rgb(&self.rgb, &rgb, width, height)),
            ssimulacra2,
            butteraugli,
        })
    }

    /// A picture without alpha is opaque.
    fn alpha_equal(&self, distorted: &Picture) -> Option<bool> {
        match (&self.alpha, alpha(distorted)) {
            (None, None) => None,
            (Some(a), Some(b)) => Some(*a == b),
            (Some(a), None) => Some(a.iter().all(|&v| v == 255)),
            (None, Some(b)) => Some(b.iter().all(|&v| v == 255)),
        }
    }
}

fn alpha(picture: &Picture) -> Option<Vec<u8>> {
    (picture.format == PixelFormat::Rgba8)
        .then(|| picture.data.as_chunks::<4>().0.iter().map(|pixel| pixel[3]).collect())
}

fn rgb_view(rgb: &[u8], width: u32, height: u32) -> Result<PixelSlice<'_>> {
    PixelSlice::new(rgb, width, height, 3 * width as usize, PixelDescriptor::RGB8_SRGB)
        .map_err(|error| anyhow!("ssimulacra2: {error}"))
}
