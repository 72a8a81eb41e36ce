//! Bundles with more than one transform.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;

use common::{error_lines, json, pinhole, sample, stdout};
use tempfile::TempDir;

const SHIPPED: &str = "../models/zoo/photo/photo.pinm";

#[test]
fn efforts_and_decoders_are_chosen_by_name() {
    let folder = TempDir::new().unwrap();
    let coded = folder.path().join("a.pin");
    let about = json(pinhole().args(["model", "info", "--json"]).arg(SHIPPED));
    assert_eq!(about["efforts"], serde_json::json!(["fast", "default", "best"]));
    assert_eq!(about["decoders"], serde_json::json!(["standard", "lite"]));

    let encode = |words: &[&str]| {
        let mut command = pinhole();
        command.arg("encode").arg(sample("chelsea.png")).args(["-o", "-"]);
        stdout(command.args(words))
    };
    let streams = [encode(&["--effort", "fast"]), encode(&[]), encode(&["--effort", "best"])];
    assert_eq!(encode(&["--effort", "default", "--tune", "perceptual"]), streams[1]);
    assert!(streams[0] != streams[1] && streams[1] != streams[2]);
    let decode = |words: &[&str]| {
        let mut command = pinhole();
        command.arg("decode").arg(&coded).args(["-o", "-", "--format", "ppm"]);
        stdout(command.args(words))
    };
    for stream in streams {
        // Decoders need not know which analysis was used.
        fs::write(&coded, stream).unwrap();
        assert_eq!(decode(&["--decoder", "standard"]), decode(&[]));
        assert_ne!(decode(&["--decoder", "lite"]), decode(&[]));
        decode(&["--decoder", "lite", "--scale", "1/4"]);
    }
}

/// How many percent more bytes a way to encode takes than another at equal quality, around a quality. The other's curve
/// is drawn through two points.
fn more_bytes(words: &[&str], than: &[&str], quality: u32, metric: &str) -> f64 {
    let folder = TempDir::new().unwrap();
    let (coded, drawn) = (folder.path().join("a.pin"), folder.path().join("a.ppm"));
    let point = |words: &[&str], quality: u32| {
        let mut encode = pinhole();
        encode.arg("encode").arg(sample("coffee.png")).arg("-o").arg(&coded).arg("--force");
        stdout(encode.args(words).args(["-q", &quality.to_string()]));
        stdout(pinhole().arg("decode").arg(&coded).arg("-o").arg(&drawn).arg("--force"));
        let mut compare = pinhole();
        compare.args(["compare", "--metric", metric, "--json"]);
        let scores = json(compare.arg(sample("coffee.png")).arg(&drawn));
        let bytes = fs::metadata(&coded).unwrap().len() as f64;
        (scores[metric].as_f64().unwrap(), bytes.ln())
    };
    let [low, high, own] =
        [(than, quality - 5), (than, quality + 5), (words, quality)].map(|(w, q)| point(w, q));
    assert!((low.0..high.0).contains(&own.0));
    let at_equal = low.1 + (high.1 - low.1) * (own.0 - low.0) / (high.0 - low.0);
    ((own.1 - at_equal).exp() - 1.0) * 100.0
}

/// Weights of the closed loop that are wrong by a sign make files larger; a loop that does nothing leaves them as they are.
#[test]
fn the_best_effort_makes_smaller_files_of_equal_error() {
    let more = more_bytes(&["--effort", "best"], &["--effort", "default"], 50, "psnr");
    assert!((-10.0..-0.5).contains(&more), "{more} % more bytes");
}

/// Bits that go to the wrong places cost by either measure.
#[test]
fn each_tune_is_better_by_its_own_measure() {
    let more = |metric| more_bytes(&[], &["--tune", "psnr"], 70, metric);
    let (error, score) = (more("psnr"), more("ssimulacra2"));
    assert!((0.5..5.0).contains(&error), "{error} % more bytes at equal PSNR");
    assert!((-5.0..-0.5).contains(&score), "{score} % more bytes at equal SSIMULACRA2");
}

#[test]
fn what_the_model_lacks_is_named() {
    let folder = TempDir::new().unwrap();
    let device = folder.path().join("device.pinm");
    let mut slim = pinhole();
    slim.args(["model", "slim", SHIPPED, "--effort", "default", "-o"]);
    stdout(slim.arg(&device));
    let mut command = pinhole();
    command.arg("encode").arg(sample("chelsea.png")).args(["-o", "-", "--effort", "best"]);
    let lines = error_lines(command.arg("--model").arg(&device), 1);
    assert!(lines[0].contains("effort best") && lines[0].contains("there is default"), "{lines:?}");
}

#[test]
fn slim_bundles_encode_or_decode() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    fs::copy(SHIPPED, at("family.pinm")).unwrap();
    let slim = |to: &str, words: &[&str]| {
        let mut command = pinhole();
        command.args(["model", "slim"]).arg(at("family.pinm")).arg("-o").arg(at(to));
        stdout(command.args(words));
    };
    slim("device.pinm", &["--effort", "fast"]);
    slim("page.pinm", &["--decoder", "lite"]);
    slim("both.pinm", &["--effort", "fast,default", "--decoder", "lite"]);
    let length = |name: &str| fs::metadata(at(name)).unwrap().len();
    assert!(length("device.pinm") < length("both.pinm"));
    assert!(length("page.pinm") < length("both.pinm"));
    assert!(length("both.pinm") < length("family.pinm"));
    let about = json(pinhole().args(["model", "info", "--json"]).arg(at("device.pinm")));
    assert_eq!((&about["name"], &about["efforts"]), (&"photo".into(), &["fast"][..].into()));
    for name in ["device.pinm", "page.pinm", "both.pinm"] {
        stdout(pinhole().args(["model", "verify"]).arg(at(name)));
    }

    let mut encode = pinhole();
    encode.arg("encode").arg(sample("chelsea.png")).arg("-o").arg(at("a.pin"));
    stdout(encode.arg("--model").arg(at("device.pinm")).args(["--effort", "fast"]));
    let mut decode = pinhole();
    decode.arg("decode").arg(at("a.pin")).arg("-o").arg(at("a.png"));
    stdout(decode.arg("--model").arg(at("page.pinm")).args(["--decoder", "lite"]));
    assert!(fs::metadata(at("a.png")).unwrap().len() > 0);

    // Nothing to keep is wrong usage.
    let mut nothing = pinhole();
    nothing.args(["model", "slim"]).arg(at("family.pinm")).arg("-o").arg(at("x.pinm"));
    error_lines(&mut nothing, 2);
}
