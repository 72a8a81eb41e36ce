//! What the tests of the program share.
#![allow(dead_code)] // each test program uses its own part

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use image::RgbImage;
use serde_json::Value;

pub(crate) fn pinhole() -> Command {
    Command::new(env!("CARGO_BIN_EXE_pinhole"))
}

pub(crate) fn sample(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").join(name)
}

/// Runs and returns standard output; fails the test if the program fails.
pub(crate) fn stdout(command: &mut Command) -> Vec<u8> {
    command.assert().success().get_output().stdout.clone()
}

pub(crate) fn json(command: &mut Command) -> Value {
    serde_json::from_slice(&stdout(command)).unwrap()
}

/// Runs, expects this exit code, and returns standard error's lines.
pub(crate) fn error_lines(command: &mut Command, code: i32) -> Vec<String> {
    let output = command.assert().code(code).get_output().clone();
    String::from_utf8(output.stderr).unwrap().lines().map(str::to_owned).collect()
}

/// A picture with smooth parts, edges and a little noise.
pub(crate) fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let noise = (x.wrapping_mul(7919) ^ y.wrapping_mul(104_729)) % 13;
        let disc = (x as i32 - 40).pow(2) + (y as i32 - 30).pow(2) < 500;
        let shade = (x * 120 / width + y * 80 / height + noise) as u8;
        image::Rgb(if disc {
            [220, shade, 40]
        } else {
            [shade, shade / 2 + 40, 200 - shade.min(200)]
        })
    })
}

pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}
