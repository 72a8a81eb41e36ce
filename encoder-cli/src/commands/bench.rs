//! `pinhole bench`.

use std::path::Path;
use std::time::Duration;

use anyhow::{Result, bail};
use serde::Serialize;

use super::{bpp, bundle, print, print_json};
use crate::args::BenchArgs;
use crate::codec::{self, EncodeOptions, Metadata, Picture, PixelFormat, Rate};
use crate::picture;
use crate::report::{Failure, Outcome, one_line, shown};

/// What the made-up picture measures, in pixels.
const SIZE: (u32, u32) = (768, 512);

#[derive(Serialize)]
struct Report {
    name: String,
    width: u32,
    height: u32,
    quality: f32,
    threads: usize,
    instruction_set: &'static str,
    bytes: usize,
    bpp: f64,
    encode: Speed,
    decode: Speed,
    /// Of the whole process so far, by the system; the larger of encoding and decoding counts.
    peak_memory_bytes: Option<u64>,
}

/// Of all runs.
#[derive(Serialize)]
struct Speed {
    median_ms: f64,
    least_ms: f64,
    /// By the median.
    megapixels_per_second: f64,
}

pub(crate) fn run(args: &BenchArgs) -> Outcome {
    let bundle = bundle(args.model.as_deref())?;
    let pictures: Vec<(String, Picture)> = if args.inputs.is_empty() {
        vec![("made-up picture".to_owned(), made_up())]
    } else {
        args.inputs.iter().map(|path| load(path)).collect::<Result<_, _>>()?
    };
    let mut reports = Vec::new();
    for (name, picture) in pictures {
        let options = EncodeOptions {
            rate: Rate::Quality(args.quality),
            effort: args.effort.into(),
            tune: pinhole::Tune::default(),
            chunk_rows: pinhole::EncodeOptions::DEFAULT_CHUNK_ROWS,
            threads: args.threads,
            metadata: Metadata::default(),
        };
        let timings =
            codec::time(&bundle, &picture, &options, args.decoder.into(), args.runs as usize)?;
        let pixels = picture.pixels();
        reports.push(Report {
            name,
            width: picture.width,
            height: picture.height,
            quality: args.quality,
            threads: codec::threads(args.threads),
            instruction_set: codec::instruction_set(),
            bytes: timings.bytes,
            bpp: bpp(timings.bytes, pixels),
            encode: speed(timings.encode, pixels),
            decode: speed(timings.decode, pixels),
            peak_memory_bytes: peak_memory(),
        });
    }
    if args.json {
        print_json(&reports)?
    } else {
        print(&in_words(&reports))?
    }
    Ok(())
}

fn load(path: &Path) -> Result<(String, Picture), Failure> {
    let read = || -> Result<Picture> {
        let bytes = picture::read_bytes(path)?;
        if codec::is_stream(&bytes) {
            bail!("a picture is needed, not a .pin file");
        }
        Ok(picture::parse(&bytes)?.picture)
    };
    match read() {
        Ok(picture) => Ok((shown(path), picture)),
        Err(error) => Err(Failure::Failed(one_line(Some(path), &format!("{error:#}")))),
    }
}

/// Gradients, edges and noise: about as much to code as in a photograph.
fn made_up() -> Picture {
    let (width, height) = SIZE;
    let mut noise = 1u32;
    let mut data = Vec::with_capacity((width * height * 3) as usize);
    for y in 0..height {
        for x in 0..width {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = noise >> 28;
            let tile = ((x / 96) ^ (y / 64)) % 3 * 40;
            let shade = x * 80 / width + y * 50 / height + tile + grain;
            data.extend([shade as u8, (shade * 3 / 4 + 20) as u8, 220 - (shade / 2) as u8]);
        }
    }
    Picture { width, height, format: PixelFormat::Rgb8, data }
}

fn speed(mut times: Vec<Duration>, pixels: u64) -> Speed {
    times.sort_unstable();
    let at = |i: usize| times.get(i).map_or(f64::NAN, Duration::as_secs_f64);
    let median = at(times.len() / 2);
    Speed {
        median_ms: median * 1e3,
        least_ms: at(0) * 1e3,
        megapixels_per_second: pixels as f64 / 1e6 / median,
    }
}

/// The most memory this process has had in use, where the system tells (Linux).
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1024)
}

fn in_words(reports: &[Report]) -> String {
    let mut text = String::new();
    for r in reports {
        text += &format!(
            "{}: {} x {}, quality {}, {} bytes ({:.3} bpp), {} kernels, {} thread{}\n",
            r.name,
            r.width,
            r.height,
            r.quality,
            r.bytes,
            r.bpp,
            r.instruction_set,
            r.threads,
            if r.threads == 1 { "" } else { "s" },
        );
        for (what, speed) in [("encode", &r.encode), ("decode", &r.decode)] {
            text += &format!(
                "  {what}  {:8.2} ms median, {:.2} ms least, {:.1} Mpixel/s\n",
                speed.median_ms, speed.least_ms, speed.megapixels_per_second
            );
        }
        if let Some(bytes) = r.peak_memory_bytes {
            text += &format!("  memory {:8.1} MiB at most\n", bytes as f64 / f64::from(1 << 20));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        let times = [5, 1, 9].map(Duration::from_millis).to_vec();
        let speed = speed(times, 10_000);
        assert!((speed.median_ms - 5.0).abs() < 1e-9);
        assert!((speed.least_ms - 1.0).abs() < 1e-9);
        assert!((speed.megapixels_per_second - 2.0).abs() < 1e-9);
    }
}
