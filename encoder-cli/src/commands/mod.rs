//! One file for each subcommand.

pub(crate) mod bench;
pub(crate) mod compare;
pub(crate) mod decode;
pub(crate) mod encode;
pub(crate) mod figure;
pub(crate) mod info;
pub(crate) mod model;
mod pack_decoder;
mod repository;
pub(crate) mod sensor;
#[cfg_attr(not(feature = "serve"), path = "no_serve.rs")]
pub(crate) mod serve;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow};
use serde::Serialize;

use crate::codec::{self, Bundle};
use crate::picture::plain;
use crate::progress::Progress;
use crate::report::{self, Failure, Outcome};

/// Does `work` for each input; one that fails is told in a line and does not stop the others.
fn each(inputs: &[PathBuf], mut work: impl FnMut(&Path, &Progress) -> Result<()>) -> Outcome {
    let progress = Progress::over(inputs.len());
    let mut failed = false;
    for input in inputs {
        progress.at(input);
        if let Err(error) = work(input, &progress) {
            failed = true;
            let line = report::one_line(Some(input), &format!("{error:#}"));
            progress.line(&format!("pinhole: {line}"));
        }
        progress.step();
    }
    if failed { Err(Failure::Reported) } else { Ok(()) }
}

/// The bundle that `--model` names, or the shipped one.
fn bundle(model: Option<&Path>) -> Result<Bundle, Failure> {
    codec::bundle(model).map_err(of_model(model))
}

/// The failure to read the bundle that `--model` names, or the shipped one.
fn of_model(model: Option<&Path>) -> impl FnOnce(anyhow::Error) -> Failure {
    move |error| match model {
        Some(path) => about(path)(error),
        None => Failure::from(error),
    }
}

/// Prints to standard output; a closed pipe is an error, not a panic.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(|error| anyhow!("standard output: {}", plain(&error)))
}

fn print_json(value: &impl Serialize) -> Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// The same failure with the file it concerns in front.
fn about(path: &Path) -> impl FnOnce(anyhow::Error) -> Failure {
    move |error| Failure::Failed(report::one_line(Some(path), &format!("{error:#}")))
}

/// Bits per pixel.
fn bpp(bytes: usize, pixels: u64) -> f64 {
    8.0 * bytes as f64 / pixels.max(1) as f64
}
