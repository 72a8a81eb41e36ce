//! The model inside the program: one result everywhere, every size, every quality.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::{pinhole, sample, scene, stdout};
use image::{DynamicImage, GrayImage, Rgba, RgbaImage};
use tempfile::TempDir;

/// Encodes a file with these arguments more; the stream.
fn encode(path: &Path, words: &[&str]) -> Vec<u8> {
    stdout(pinhole().arg("encode").arg(path).args(["-o", "-"]).args(words))
}

/// Decodes a stream; the picture.
fn decode(stream: Vec<u8>) -> DynamicImage {
    let png = stdout(pinhole().args(["decode", "-", "-o", "-"]).write_stdin(stream));
    image::load_from_memory(&png).unwrap()
}

fn save(folder: &TempDir, name: &str, picture: &DynamicImage) -> std::path::PathBuf {
    let path = folder.path().join(name);
    picture.save(&path).unwrap();
    path
}

fn psnr(a: &DynamicImage, b: &DynamicImage) -> f64 {
    let (a, b) = (a.to_rgb8(), b.to_rgb8());
    let error: f64 = a.iter().zip(b.iter()).map(|(&x, &y)| f64::from(x.abs_diff(y)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.len() as f64 / error.max(1e-9)).log10()
}

#[test]
fn the_same_on_every_instruction_set_and_number_of_threads() {
    let picture = sample("coffee.png");
    for quality in ["10", "80"] {
        let words = ["-q", quality, "--chunk-rows", "128"];
        let expected = encode(&picture, &words);
        assert_eq!(encode(&picture, &words), expected, "a second run");
        let ppm = |isa: &str, threads: &str| {
            let how = ["decode", "-", "-o", "-", "--format", "ppm", "--threads", threads];
            stdout(pinhole().env("PINHOLE_ISA", isa).args(how).write_stdin(expected.clone()))
        };
        let pixels = ppm("scalar", "1");
        for (isa, threads) in [("scalar", "1"), ("avx2", "1"), ("", "1"), ("", "8")] {
            let mut command = pinhole();
            command.env("PINHOLE_ISA", isa).arg("encode").arg(&picture).args(["-o", "-"]);
            let stream = stdout(command.args(words).args(["--threads", threads]));
            assert!(
                stream == expected,
                "{isa} kernels, {threads} threads, quality {quality}: stream"
            );
            assert!(ppm(isa, threads) == pixels, "{isa} kernels, {threads} threads: pixels");
        }
    }
}

#[test]
fn sizes_that_are_no_multiple_of_anything() {
    let folder = TempDir::new().unwrap();
    for (width, height) in
        [(1, 1), (1, 300), (300, 1), (15, 17), (64, 64), (65, 63), (1000, 3), (129, 515)]
    {
        let picture = DynamicImage::from(scene(width, height));
        let again = decode(encode(&save(&folder, "scene.png", &picture), &["-q", "90"]));
        assert_eq!((again.width(), again.height()), (width, height));
        let quality = psnr(&picture, &again);
        assert!(quality > 28.0, "{width}x{height}: {quality} dB");
    }
}

#[test]
fn grey_stays_grey_and_alpha_is_lossless() {
    let folder = TempDir::new().unwrap();
    let grey = GrayImage::from_fn(100, 77, |x, y| image::Luma([(x + y) as u8]));
    let again = decode(encode(&save(&folder, "grey.png", &grey.clone().into()), &["-q", "80"]));
    assert_eq!(again.color(), image::ColorType::L8);
    assert!(psnr(&grey.into(), &again) > 35.0);

    let clear = RgbaImage::from_fn(130, 70, |x, y| {
        Rgba([x as u8, y as u8, 90, if (x / 9 + y / 7) % 2 == 0 { 255 } else { (x * y) as u8 }])
    });
    let path = save(&folder, "clear.png", &clear.clone().into());
    let again = decode(encode(&path, &["-q", "80"])).into_rgba8();
    assert!(clear.pixels().zip(again.pixels()).all(|(a, b)| a[3] == b[3]));
}

#[test]
fn quality_buys_bytes_and_decibels() {
    let path = sample("coffee.png");
    let original = image::open(&path).unwrap();
    let pixels = f64::from(original.width() * original.height());
    let mut last = (0.0, 0.0);
    let mut rates = Vec::new();
    for quality in (0..=100).step_by(10) {
        let stream = encode(&path, &["-q", &quality.to_string()]);
        let rate = stream.len() as f64 * 8.0 / pixels;
        let fidelity = psnr(&original, &decode(stream));
        assert!(rate > last.0 && fidelity > last.1, "quality {quality}: {rate} bpp, {fidelity} dB");
        last = (rate, fidelity);
        rates.push(rate);
    }
    assert!(rates[0] < 0.12 && rates[10] > 2.0, "{rates:?}");
    // A grainy picture: the mean over Kodak is above 40 dB.
    assert!(last.1 > 36.5, "{last:?}");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "slow without optimisation")]
fn eight_thousand_by_eight_thousand() {
    const SIDE: u32 = 8192;
    let folder = TempDir::new().unwrap();
    let (from, coded, to) =
        (folder.path().join("a.ppm"), folder.path().join("a.pin"), folder.path().join("b.ppm"));
    scene(SIDE, SIDE).save(&from).unwrap();
    pinhole().arg("encode").arg(&from).arg("-o").arg(&coded).assert().success();
    pinhole().arg("decode").arg(&coded).arg("-o").arg(&to).assert().success();
    let samples = |path: &Path| {
        let mut file = fs::read(path).unwrap();
        // Programs write different comments into the header.
        file.split_off(file.len() - (SIDE * SIDE * 3) as usize)
    };
    let (a, b) = (samples(&from), samples(&to));
    let apart: u64 = a.iter().zip(&b).map(|(x, y)| u64::from(x.abs_diff(*y))).sum();
    assert!(apart < 12 * a.len() as u64, "mean difference {}", apart as f64 / a.len() as f64);
}
