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
    assert_eq!(encode(&["--effort", "default"]), streams[1]);
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
