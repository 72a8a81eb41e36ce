//! Throughput of the decoder library, from bytes to pixels.
//!
//! ```text
//! cargo bench -p pinhole-benches --bench decoder -- [OPTION…]
//!   --model FILE           a bundle with a float decoder; may be given again (the integer decoders are always measured);
//!                          `toy` is a made-up graph of two convolutions, to see what all around the graph costs
//!   --runtime NAME         tract (default), ort, cuda or tensorrt; may be given again; all but tract need --features ort
//!   --size WxH             may be given again (default: 768x512 and 1920x1080)
//!   --threads N            threads of each kind (default: one for each core)
//!   --pictures N           pictures of each measurement (default: 40)
//! ```
//!
//! With two runtimes or more, the pictures of each are compared with those of the first.
#![allow(clippy::print_stdout)]

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pinhole::bundle::{BundleBuilder, Tag};
use pinhole::{Bundle, EncodeOptions, Encoder};
use pinhole_benches::photo::{MODEL, photograph};
use pinhole_decoder::{
    Config, DecoderKind, LoadOptions, Model, Options, Pipeline, Provider, Request, Runtime,
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// What is measured.
struct Plan {
    models: Vec<PathBuf>,
    runtimes: Vec<(String, Runtime)>,
    sizes: Vec<(u32, u32)>,
    threads: usize,
    pictures: usize,
}

impl Plan {
    fn from_arguments() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        let mut plan = Plan {
            models: Vec::new(),
            runtimes: Vec::new(),
            sizes: Vec::new(),
            threads: cores,
            pictures: 40,
        };
        // Cargo adds `--bench`.
        let mut words = std::env::args().skip(1).filter(|word| word != "--bench");
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            match &*word {
                "--model" => plan.models.push(value.into()),
                "--runtime" => {
                    let runtime = match &*value {
                        "tract" => Runtime::Tract,
                        "ort" => Runtime::Ort(Provider::Cpu),
                        "cuda" => Runtime::Ort(Provider::Cuda { device: 0 }),
                        "tensorrt" => Runtime::Ort(Provider::TensorRt { device: 0 }),
                        other => return Err(format!("no runtime {other}").into()),
                    };
                    plan.runtimes.push((value, runtime));
                }
                "--size" => {
                    let (width, height) = value.split_once('x').ok_or("--size: not WxH")?;
                    plan.sizes.push((width.parse()?, height.parse()?));
                }
                "--threads" => plan.threads = value.parse()?,
                "--pictures" => plan.pictures = value.parse::<usize>()?.max(1),
                other => return Err(format!("no option {other}").into()),
            }
        }
        if plan.runtimes.is_empty() {
            plan.runtimes.push(("tract".to_owned(), Runtime::Tract));
        }
        if plan.sizes.is_empty() {
            plan.sizes = vec![(768, 512), (1920, 1080)];
        }
        Ok(plan)
    }
}

fn main() -> Result<()> {
    let plan = Plan::from_arguments()?;
    println!(
        "| decoder | runtime | size | one at a time, ms | entropy, ms | pipeline, pictures/s | Mpixel/s |"
    );
    println!("|---|---|---|---:|---:|---:|---:|");
    let native = Model::from_bytes(MODEL, &LoadOptions::default())?;
    for &size in &plan.sizes {
        let stream = stream(size)?;
        for kind in native.decoders() {
            measure(&plan, &native, kind, "native", size, &stream)?;
        }
        for path in &plan.models {
            let mut first = None;
            for (name, runtime) in &plan.runtimes {
                let mut options = LoadOptions::default();
                options.runtime = *runtime;
                let model = match path.to_str() {
                    Some("toy") => Model::from_bytes(&toy()?, &options)?,
                    _ => Model::open(path, &options)?,
                };
                let (kind, backend) = model.backend(None)?;
                let (columns, rows) = (size.0.div_ceil(16), size.1.div_ceil(16));
                backend.warm_up(rows as usize, columns as usize)?;
                let drawn = measure(&plan, &model, kind, name, size, &stream)?;
                match &first {
                    None => first = Some(drawn),
                    Some(first) => println!("{}", agreement(first, &drawn)),
                }
            }
        }
    }
    Ok(())
}

/// The toy decoder for the shipped model's streams.
fn toy() -> Result<Vec<u8>> {
    let base = Bundle::parse(MODEL)?;
    let channels = base.settings().latent_channels;
    let mut builder = BundleBuilder::new();
    builder.section(Tag::MANIFEST, br#"{"name": "toy", "decoder": "hq"}"#.to_vec());
    for tag in Tag::LATENT_SPACE {
        builder.section(tag, base.section(tag).unwrap_or_default().to_vec());
    }
    builder.section(Tag::ONNX, pinhole_toy::Toy { channels, seed: 0 }.onnx());
    Ok(builder.to_bytes())
}

/// A photograph as a stream of the default quality.
fn stream((width, height): (u32, u32)) -> Result<Vec<u8>> {
    let bundle = Bundle::parse(MODEL)?;
    let options = EncodeOptions::default();
    Ok(Encoder::new(&bundle, 1)?.encode(&photograph(width, height), &options)?)
}

/// Prints a line of the table; the samples of the picture.
fn measure(
    plan: &Plan,
    model: &Model,
    kind: DecoderKind,
    runtime: &str,
    (width, height): (u32, u32),
    stream: &[u8],
) -> Result<Vec<u8>> {
    let mut options = Options::default();
    options.decoder = Some(kind);
    let drawn = model.decode(stream, &options)?.picture.into_data();
    let mut alone = Vec::new();
    let mut entropy = Vec::new();
    for _ in 0..plan.pictures.min(15) {
        let start = Instant::now();
        let decoded = model.decode(stream, &options)?;
        alone.push(start.elapsed());
        entropy.push(decoded.timing.entropy);
    }
    let mut config = Config::default();
    (config.entropy_threads, config.drawing_threads) = (plan.threads, plan.threads);
    config.queue = plan.pictures;
    let pipeline = Pipeline::new(config)?;
    let run = |count: usize| -> Result<Duration> {
        let start = Instant::now();
        let submit = |_| {
            let request = Request::new(model, stream.to_vec()).with_options(options.clone());
            pipeline.submit(request)
        };
        for ticket in (0..count).map(submit).collect::<std::result::Result<Vec<_>, _>>()? {
            ticket.wait()?;
        }
        Ok(start.elapsed())
    };
    run(plan.threads.min(plan.pictures))?;
    let rate = plan.pictures as f64 / run(plan.pictures)?.as_secs_f64();
    println!(
        "| {kind} | {runtime} | {width}x{height} | {:.1} | {:.1} | {rate:.1} | {:.1} |",
        median(alone),
        median(entropy),
        rate * f64::from(width) * f64::from(height) / 1e6,
    );
    Ok(drawn)
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}

/// How equal two pictures are.
fn agreement(a: &[u8], b: &[u8]) -> String {
    let near = a.iter().zip(b).filter(|(a, b)| a.abs_diff(**b) <= 1).count();
    let most = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0);
    let share = 100.0 * near as f64 / a.len().max(1) as f64;
    format!(
        "| | | | {share:.4} % of samples within 1 level of the first runtime's, at most {most} | | | |"
    )
}
