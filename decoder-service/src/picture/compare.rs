//! How far one picture is from another.

use fast_ssim2::{PixelDescriptor, PixelSlice, Ssimulacra2Reference};
use pinhole::{Picture, PixelFormat};

use crate::rollout::Comparison;

/// Decibels of equal pictures, whose PSNR is infinite.
const PSNR_EQUAL: f64 = 100.0;

/// Compares colours; none if the sizes differ.
pub fn compare(champion: &Picture, challenger: &Picture) -> Option<Comparison> {
    let size = |p: &Picture| (p.width(), p.height());
    if size(champion) != size(challenger) {
        return None;
    }
    let (a, b) = (rgb(champion), rgb(challenger));
    let squared: u64 = a.iter().zip(&b).map(|(&a, &b)| u64::from(a.abs_diff(b)).pow(2)).sum();
    let mean = squared as f64 / a.len().max(1) as f64;
    let psnr = if squared == 0 { PSNR_EQUAL } else { 10.0 * (255.0 * 255.0 / mean).log10() };
    let ssimulacra2 = if squared == 0 { Some(100.0) } else { ssimulacra2(&a, &b, champion) };
    Some(Comparison { psnr, ssimulacra2 })
}

fn ssimulacra2(a: &[u8], b: &[u8], size: &Picture) -> Option<f64> {
    let (width, height) = (size.width(), size.height());
    let view = |rgb| {
        PixelSlice::new(rgb, width, height, 3 * width as usize, PixelDescriptor::RGB8_SRGB).ok()
    };
    Ssimulacra2Reference::new(&view(a)?).ok()?.compare(&view(b)?).ok()
}

/// The colours alone; grey becomes three equal samples.
fn rgb(picture: &Picture) -> Vec<u8> {
    let data = picture.data();
    match picture.format() {
        PixelFormat::Gray8 => data.iter().flat_map(|&v| [v, v, v]).collect(),
        PixelFormat::GrayA8 => {
            data.as_chunks::<2>().0.iter().flat_map(|p| [p[0], p[0], p[0]]).collect()
        }
        PixelFormat::Rgba8 => {
            data.as_chunks::<4>().0.iter().flat_map(|p| [p[0], p[1], p[2]]).collect()
        }
        _ => data.to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u32, amount: u8) -> Picture {
        let mut state = seed;
        let data = (0..64 * 64 * 3).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            128 + (state >> 24) as u8 % amount
        });
        Picture::new(64, 64, PixelFormat::Rgb8, data.collect()).unwrap()
    }

    #[test]
    fn equal_near_and_far() {
        let a = noise(1, 8);
        let equal = compare(&a, &a).unwrap();
        assert_eq!((equal.psnr, equal.ssimulacra2), (100.0, Some(100.0)));
        let near = compare(&a, &noise(2, 8)).unwrap();
        let far = compare(&a, &noise(2, 100)).unwrap();
        assert!(near.psnr > 35.0 && far.psnr < 20.0, "{near:?} {far:?}");
        assert!(near.ssimulacra2.unwrap() > far.ssimulacra2.unwrap());
        let small = Picture::new(1, 1, PixelFormat::Gray8, vec![0]).unwrap();
        assert!(compare(&a, &small).is_none());
        let other = Picture::new(1, 1, PixelFormat::Gray8, vec![10]).unwrap();
        assert!((compare(&small, &other).unwrap().psnr - 28.13).abs() < 0.01);
    }
}
