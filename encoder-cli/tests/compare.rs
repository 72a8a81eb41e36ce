//! `pinhole compare` as its users run it.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{error_lines, json, pinhole, sample, scene, stdout};
use serde_json::Value;
use tempfile::TempDir;

/// Three bits a sample: the same everywhere, so that outside programs could score it.
fn posterised(folder: &Path) -> PathBuf {
    let mut picture = image::open(sample("coffee.png")).unwrap().into_rgb8();
    picture.iter_mut().for_each(|v| *v = *v & 0xe0 | 0x10);
    let path = folder.join("posterised.png");
    picture.save(&path).unwrap();
    path
}

#[test]
fn scores_agree_with_other_implementations() {
    let folder = TempDir::new().unwrap();
    let path = posterised(folder.path());
    let scores = json(pinhole().args(["compare", "--json"]).args([sample("coffee.png"), path]));
    let near = |name: &str, expected: f64, slack: f64| {
        let found = scores[name].as_f64().unwrap();
        assert!((found - expected).abs() < slack, "{name}: {found}, not {expected}");
    };
    // NumPy; SciPy's correlate1d, 5 scales; the `ssimulacra2` crate 0.5.1.
    near("psnr", 28.828_487, 1e-6);
    near("ms_ssim", 0.936_539_31, 1e-8);
    near("ssimulacra2", 23.527, 0.05);
    // libjxl 0.7; later ones differ a little.
    near("butteraugli", 4.594, 0.12);
    assert_eq!(scores["width"], 600);
    assert_eq!(scores["identical"], false);
}

#[test]
fn a_picture_equals_itself_whatever_the_format() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("coffee.webp");
    image::open(sample("coffee.png")).unwrap().save(&path).unwrap();
    let scores = json(pinhole().args(["compare", "--json"]).args([sample("coffee.png"), path]));
    assert_eq!(scores["identical"], true);
    assert_eq!(scores["psnr"], Value::Null);
    assert!((scores["ssimulacra2"].as_f64().unwrap() - 100.0).abs() < 1e-6);
    assert!((scores["ms_ssim"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    assert!(scores["butteraugli"].as_f64().unwrap() < 1e-6);
}

#[test]
fn tiny_pictures_are_scored() {
    let folder = TempDir::new().unwrap();
    for size in [1, 2, 7, 20] {
        let path = folder.path().join("tiny.png");
        scene(size, size).save(&path).unwrap();
        let scores = json(pinhole().args(["compare", "--json"]).arg(&path).arg(&path));
        assert_eq!(scores["identical"], true, "{size}");
        assert_eq!(scores.get("butteraugli").is_some(), size >= 8, "{size}");
    }
}

#[test]
fn only_the_wanted_metrics_are_computed() {
    let picture = sample("chelsea.png");
    let words = ["compare", "--metric", "psnr", "--json"];
    let scores = json(pinhole().args(words).arg(&picture).arg(&picture));
    assert!(scores.get("psnr").is_some());
    assert!(scores.get("ssimulacra2").is_none() && scores.get("ms_ssim").is_none());
    let text = stdout(pinhole().args(["compare", "--metric", "psnr"]).args([&picture, &picture]));
    assert_eq!(String::from_utf8(text).unwrap(), "psnr         inf dB\n");
}

#[test]
fn alpha_is_told_equal_or_not() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("opaque.png");
    let mut picture = image::open(sample("coffee-cup.png")).unwrap().into_rgba8();
    picture.pixels_mut().for_each(|pixel| pixel[3] = 255);
    picture.save(&path).unwrap();
    let cup = sample("coffee-cup.png");
    let words = ["compare", "--metric", "psnr", "--json"];
    let same = json(pinhole().args(words).args([&cup, &cup]));
    assert_eq!(same["alpha_equal"], true);
    let other = json(pinhole().args(words).args([&cup, &path]));
    assert_eq!(other["alpha_equal"], false);
    assert_eq!(other["identical"], true);
}

#[test]
fn a_list_of_pairs_keeps_its_order_and_outlives_bad_pairs() {
    let folder = TempDir::new().unwrap();
    let good = posterised(folder.path());
    let original = sample("coffee.png");
    let line = |distorted: &Path| format!("{}\t{}\n", original.display(), distorted.display());
    let missing = folder.path().join("missing.png");
    let mut list = String::new();
    for distorted in [&good, &missing, &original, &sample("camera.png")] {
        list += &line(distorted);
    }
    let mut command = pinhole();
    command.args(["compare", "--pairs", "-", "--json"]).write_stdin(list);
    let output = command.assert().code(1).get_output().clone();
    let found: Vec<Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(found.len(), 4);
    assert!(found[0]["psnr"].as_f64().unwrap() > 20.0);
    assert!(found[1]["error"].is_string());
    assert_eq!(found[2]["identical"], true);
    assert!(found[3]["error"].as_str().unwrap().contains("512x512"));
    assert_eq!(String::from_utf8(output.stderr).unwrap().lines().count(), 2);
}

#[test]
fn errors_are_one_line_with_the_file() {
    let folder = TempDir::new().unwrap();
    let junk = folder.path().join("junk.png");
    fs::write(&junk, b"not a picture at all").unwrap();
    let cut = folder.path().join("cut.png");
    let whole = fs::read(sample("chelsea.png")).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    for bad in [junk, cut, folder.path().join("missing.png")] {
        let lines = error_lines(pinhole().arg("compare").arg(&bad).arg(sample("chelsea.png")), 1);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let start = format!("pinhole: {}: ", bad.display());
        assert!(lines[0].starts_with(&start), "{lines:?}");
    }
}
