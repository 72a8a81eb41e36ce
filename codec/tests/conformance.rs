//! The conformance set: files and pixels that every processor and every later version must give.
//! `tests/conformance/README.md` says what is in it and when which part may be rewritten.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

#[path = "../../tests/conformance/cases.rs"]
mod cases;
mod common;

use std::fs;
use std::path::{Path, PathBuf};

use pinhole::Bundle;
use pinhole::engine::Kernels;

fn at(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/conformance").join(name)
}

fn read(path: &Path) -> Vec<u8> {
    fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Whether the environment variable asks for this part (`toy`, `photo`, `frozen`) to be written. `1` is the first two.
fn bless(part: &str) -> bool {
    match std::env::var("PINHOLE_BLESS").as_deref() {
        Ok("1") => part != "frozen",
        Ok(asked) => asked == part,
        Err(_) => false,
    }
}

fn check(part: &str, list: &str, model: &[u8], cases: &[cases::Case]) {
    let found = cases::lines(model, cases).unwrap();
    if bless(part) {
        let head = "# format size quality chunk-rows | bytes, hash of the file, hash of the decoded pixels\n";
        fs::write(at(list), format!("{head}{found}")).unwrap();
    }
    let expected = String::from_utf8(read(&at(list))).unwrap();
    let differences = cases::differences(&expected, &found);
    assert!(
        differences.is_empty(),
        "{differences}If that is meant: PINHOLE_BLESS={part} cargo test -p pinhole --test conformance"
    );
}

#[test]
fn toy_model() {
    // Shown with --nocapture: which kernels have been tested.
    println!("kernels: {:?}", Kernels::detect().isa());
    check("toy", "v1.txt", &read(&at("toy.pinm")), &cases::toy());
}

#[test]
fn photo_model() {
    let model = read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../models/zoo/photo/photo.pinm"));
    check("photo", "photo.txt", &model, &cases::photo());
}

#[test]
fn old_files_decode_for_ever() {
    if bless("frozen") {
        freeze();
    }
    let model = read(&at("toy.pinm"));
    let bundle = Bundle::parse(&model).unwrap();
    let list = String::from_utf8(read(&at("frozen.txt"))).unwrap();
    let lines: Vec<&str> = list.lines().filter(|l| !l.starts_with('#')).collect();
    assert!(!lines.is_empty());
    for line in lines {
        let (name, hash) = line.split_once(' ').unwrap();
        let file = read(&at("frozen").join(name));
        let found = format!("{:016x}", cases::decoded(&bundle, &file).unwrap());
        assert_eq!(found, hash, "{name}");
    }
}

/// The cases that are kept as files.
fn frozen() -> Vec<cases::Case> {
    let list = [
        ("gray8", 40, 30, 50, 512),
        ("graya8", 33, 70, 80, 64),
        ("rgb8", 90, 150, 20, 64),
        ("rgb8", 1, 1, 100, 512),
        ("rgba8", 65, 64, 60, 512),
    ];
    list.map(|(format, width, height, quality, chunk_rows)| cases::Case {
        format,
        width,
        height,
        quality,
        chunk_rows,
    })
    .to_vec()
}

/// Writes the model and the files that are not there yet. What is there is never touched.
fn freeze() {
    if !at("toy.pinm").exists() {
        fs::write(at("toy.pinm"), common::toy_bundle()).unwrap();
    }
    let model = read(&at("toy.pinm"));
    let bundle = Bundle::parse(&model).unwrap();
    let mut list = fs::read_to_string(at("frozen.txt"))
        .unwrap_or("# file, hash of the decoded pixels\n".into());
    for case in frozen() {
        let name = format!("v1-{}.pin", case.name().replace(' ', "-"));
        let path = at("frozen").join(&name);
        if !path.exists() {
            let file = case.encode(&bundle).unwrap();
            list += &format!("{name} {:016x}\n", cases::decoded(&bundle, &file).unwrap());
            fs::write(path, file).unwrap();
        }
    }
    fs::write(at("frozen.txt"), list).unwrap();
}
