//! Float decoders and model repositories, as users work with them.
#![cfg(all(feature = "float", feature = "repository"))]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::{error_lines, json, pinhole, scene, stdout};
use pinhole_toy::Toy;

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/photo/photo.pinm");

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// Packs a toy decoder for the shipped model's streams.
fn pack(folder: &Path, decoder: &str, seed: usize) -> PathBuf {
    let bundle = fs::read(SHIPPED).unwrap();
    let channels = pinhole::Bundle::parse(&bundle).unwrap().settings().latent_channels;
    let graph = folder.join("graph.onnx");
    fs::write(&graph, Toy { channels, seed }.onnx()).unwrap();
    let nested = folder.join(format!("models/photo-{decoder}"));
    fs::create_dir_all(&nested).unwrap();
    let to = nested.join(format!("photo-{decoder}.pinm"));
    let manifest = folder.join("manifest.json");
    fs::write(&manifest, r#"{"lineage": {"commit": "abc"}, "metrics": {"psnr": 1.5}}"#).unwrap();
    stdout(
        pinhole()
            .args(["model", "pack-decoder", "--decoder", decoder, "--base", SHIPPED])
            .arg(&graph)
            .arg("--manifest")
            .arg(&manifest)
            .arg("-o")
            .arg(&to),
    );
    to
}

fn stream(folder: &Path) -> PathBuf {
    let (picture, stream) = (folder.join("in.png"), folder.join("in.pin"));
    scene(70, 50).save(&picture).unwrap();
    stdout(pinhole().arg("encode").arg(&picture).arg("-o").arg(&stream));
    stream
}

fn decoded(path: &Path) -> image::RgbImage {
    image::open(path).unwrap().into_rgb8()
}

#[test]
fn float_decoders_are_found_and_blended() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (hq, _) = (pack(folder, "hq", 1), pack(folder, "gan", 2));
    let info = json(pinhole().args(["model", "info", "--json"]).arg(&hq));
    assert_eq!(info["name"], "photo-hq");
    assert!(info["lineage"].to_string().contains("abc"));
    let stream = stream(folder);
    let models = folder.join("models");
    let decode = |name: &str, arguments: &[&str]| {
        let to = folder.join(name);
        let mut command = pinhole();
        command.env("PINHOLE_MODELS", &models).arg("decode").args(arguments).arg(&stream);
        stdout(command.arg("-o").arg(&to));
        decoded(&to)
    };
    let (first, second) =
        (decode("hq.png", &["--decoder", "hq"]), decode("gan.png", &["--decoder", "gan"]));
    assert_eq!(first.dimensions(), (70, 50));
    assert_ne!(first, second);
    assert_eq!(decode("named.png", &["--decoder", "hq", "--model", hq.to_str().unwrap()]), first);
    assert_eq!(decode("r0.png", &["--realism", "0"]), first);
    assert_eq!(decode("r1.png", &["--realism", "1"]), second);
    let half = decode("half.png", &["--realism", "0.5"]);
    let between = half
        .iter()
        .zip(first.iter().zip(second.iter()))
        .filter(|(h, (a, b))| (*a.min(b)..=*a.max(b)).contains(h));
    assert_eq!(between.count(), 70 * 50 * 3);
    assert_eq!(decode("small.png", &["--decoder", "hq", "--scale", "1/4"]).dimensions(), (18, 13));
}

/// The float decoders of this repository belong to the model in the program and are what they are for.
#[test]
fn shipped_float_decoders_draw_shipped_streams() {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let original = root.join("samples/coffee.png");
    let stream = folder.path().join("coffee.pin");
    stdout(pinhole().args(["encode", "-q", "30"]).arg(&original).arg("-o").arg(&stream));
    let scores = ["lite", "standard", "gan", "hq"].map(|decoder| {
        let drawn = folder.path().join(format!("{decoder}.png"));
        let mut decode = pinhole();
        decode.env("PINHOLE_MODELS", root.join("models/zoo")).args([
            "decode",
            "--decoder",
            decoder,
        ]);
        stdout(decode.arg(&stream).arg("-o").arg(&drawn));
        json(pinhole().args(["compare", "--json"]).arg(&original).arg(&drawn))
    });
    let [lite, standard, gan, hq] = &scores;
    let of = |scores: &serde_json::Value, metric: &str| scores[metric].as_f64().unwrap();
    assert!(of(hq, "psnr") > of(standard, "psnr"), "{scores:?}");
    assert!(of(gan, "ssimulacra2") > of(lite, "ssimulacra2"), "{scores:?}");
    assert!(of(gan, "psnr") > of(lite, "psnr") - 1.0, "{scores:?}");
}

#[test]
fn decoders_that_are_not_there_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let stream = stream(folder.path());
    let to = folder.path().join("out.png");
    let decode = |arguments: &[&str]| {
        let mut command = pinhole();
        command.env("PINHOLE_MODELS", folder.path()).arg("decode").args(arguments);
        command.arg(&stream).arg("-o").arg(&to);
        command
    };
    let lines = error_lines(&mut decode(&["--decoder", "gan"]), 1);
    assert!(lines[0].contains("no model with decoder gan"), "{lines:?}");
    let lines = error_lines(&mut decode(&["--decoder", "hq", "--model", SHIPPED]), 1);
    assert!(lines[0].contains("no decoder hq"), "{lines:?}");
    error_lines(&mut decode(&["--realism", "1.5"]), 2);
    error_lines(&mut decode(&["--realism", "0.5", "--decoder", "hq"]), 2);
    assert!(!to.exists());
    let graph = folder.path().join("no.onnx");
    fs::write(&graph, "no graph").unwrap();
    let mut pack = pinhole();
    pack.args(["model", "pack-decoder"]).arg(&graph).arg("-o").arg(folder.path().join("x.pinm"));
    error_lines(&mut pack, 1);
}

#[test]
fn a_model_from_key_to_rollback() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (key, public) = (folder.join("key"), folder.join("key.pub"));
    stdout(pinhole().args(["model", "keygen"]).arg(&key));
    error_lines(pinhole().args(["model", "keygen"]).arg(&key), 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let signed = folder.join("signed.pinm");
    let mut sign = pinhole();
    sign.args(["model", "sign", SHIPPED, "--key"]).arg(&key).arg("-o").arg(&signed);
    stdout(&mut sign);
    let verify = |bundle: &Path| {
        let mut command = pinhole();
        command.args(["model", "verify"]).arg(bundle).arg("--trust").arg(&public);
        command
    };
    assert!(text(stdout(&mut verify(&signed))).contains("signed by"));
    error_lines(&mut verify(Path::new(SHIPPED)), 1);

    let repository = folder.join("repository");
    let command = |words: &[&str]| {
        let mut command = pinhole();
        command.arg("model").args(words).env("PINHOLE_REPOSITORY", &repository);
        command.arg("--trust").arg(&public);
        command
    };
    let bundle = signed.to_str().unwrap();
    assert_eq!(text(stdout(&mut command(&["push", bundle]))), "photo: version 1, candidate\n");
    stdout(&mut command(&["push", bundle, "--tag", "next"]));
    error_lines(&mut command(&["push", SHIPPED]), 1);
    error_lines(&mut command(&["push", bundle, "--tag", "next"]), 1);
    stdout(&mut command(&["promote", "photo", "1"]));
    let told = text(stdout(&mut command(&["promote", "photo", "next"])));
    assert_eq!(told, "photo: version 2, production, in place of version 1\n");
    let stages = |versions: &serde_json::Value| {
        let versions = &versions["photo"]["versions"];
        [versions["1"]["stage"].clone(), versions["2"]["stage"].clone()]
    };
    let told = json(&mut command(&["versions", "--json"]));
    assert_eq!(stages(&told), ["archived", "production"]);
    stdout(&mut command(&["rollback", "photo"]));
    let told = json(&mut command(&["versions", "photo", "--json"]));
    assert_eq!(stages(&told), ["production", "archived"]);
    error_lines(&mut command(&["rollback", "photo"]), 1);
    error_lines(&mut command(&["promote", "photo", "7"]), 1);
    error_lines(&mut command(&["promote", "other", "1"]), 1);
    // A bundle that someone changed in the repository is not promoted.
    fs::copy(SHIPPED, repository.join("photo/2/model.pinm")).unwrap();
    error_lines(&mut command(&["promote", "photo", "2"]), 1);
}
