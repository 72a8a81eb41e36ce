//! Bundles with more than one transform.
#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::fs;
use std::path::Path;

use common::{error_lines, json, pinhole, sample, stdout};
use pinhole::bundle::{Bundle, BundleBuilder, Tag};
use tempfile::TempDir;

/// The shipped model with its transforms under the names of others, too.
fn family(path: &Path) {
    let shipped = fs::read("../models/zoo/photo/photo.pinm").unwrap();
    let bundle = Bundle::parse(&shipped).unwrap();
    let mut builder = BundleBuilder::new();
    for &(tag, bytes) in bundle.sections() {
        builder.section(tag, bytes.to_vec());
    }
    for (from, to) in [(Tag::ANALYSIS, Tag::ANALYSIS_FAST), (Tag::SYNTHESIS, Tag::SYNTHESIS_LITE)] {
        builder.section(to, bundle.section(from).unwrap().to_vec());
    }
    fs::write(path, builder.to_bytes()).unwrap();
}

#[test]
fn efforts_and_decoders_are_chosen_by_name() {
    let folder = TempDir::new().unwrap();
    let (model, coded) = (folder.path().join("family.pinm"), folder.path().join("a.pin"));
    family(&model);
    let about = json(pinhole().args(["model", "info", "--json"]).arg(&model));
    assert_eq!(about["efforts"], serde_json::json!(["fast", "default"]));
    assert_eq!(about["decoders"], serde_json::json!(["standard", "lite"]));

    let encode = |words: &[&str]| {
        let mut command = pinhole();
        command.arg("encode").arg(sample("chelsea.png")).args(["-o", "-", "--model"]);
        stdout(command.arg(&model).args(words))
    };
    let stream = encode(&[]);
    assert_eq!(encode(&["--effort", "fast"]), stream);
    fs::write(&coded, stream).unwrap();
    let decode = |words: &[&str]| {
        let mut command = pinhole();
        command.arg("decode").arg(&coded).args(["-o", "-", "--format", "ppm", "--model"]);
        stdout(command.arg(&model).args(words))
    };
    assert_eq!(decode(&["--decoder", "lite"]), decode(&["--decoder", "standard"]));
    decode(&["--decoder", "lite", "--scale", "1/4"]);
}

#[test]
fn what_the_model_lacks_is_named() {
    let picture = sample("chelsea.png");
    let mut command = pinhole();
    let lines =
        error_lines(command.arg("encode").arg(&picture).args(["-o", "-", "--effort", "best"]), 1);
    assert!(lines[0].contains("effort best") && lines[0].contains("there is default"), "{lines:?}");
}

#[test]
fn slim_bundles_encode_or_decode() {
    let folder = TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name);
    family(&at("family.pinm"));
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
