//! `pinhole sensor`.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};
use pinhole::format::FormatError;
use pinhole::sensor::{
    Promise, RawFrame, ScoreKind, SensorDecoder, SensorEncoder, SensorError, SensorHeader,
    SensorModel, SensorOptions,
};
use serde::Serialize;

use super::{about, each, print, print_json};
use crate::args::{
    Bound, SensorArgs, SensorCommand, SensorDecodeArgs, SensorEncodeArgs, SensorScoreArgs,
    TableArgs, TableFormat,
};
use crate::output::{Plan, write_file};
use crate::picture::read_bytes;
use crate::progress::Progress;
use crate::report::{Failure, Outcome, shown};
use crate::sensor::plot::Plot;
use crate::sensor::{self, ReadOptions, Table, time};

/// Score bytes count sixteenths.
const SCORE_UNIT: f64 = 16.0;

pub(crate) fn run(args: &SensorArgs) -> Outcome {
    match &args.command {
        SensorCommand::Encode(args) => encode(args),
        SensorCommand::Decode(args) => decode(args),
        SensorCommand::Score(args) => {
            let model = model(args.model.as_deref())?;
            score(args, model).map_err(about(&args.input))
        }
    }
}

fn encode(args: &SensorEncodeArgs) -> Outcome {
    if args.plot.is_some() && args.inputs.len() > 1 {
        return Err(Failure::Usage("--plot takes one input".to_owned()));
    }
    let model = model(args.model.as_deref())?;
    let mut plan = Plan::new(&args.inputs, &args.output)?;
    each(&args.inputs, |input, progress| encode_one(args, model, &mut plan, input, progress))
}

fn encode_one(
    args: &SensorEncodeArgs,
    model: Model,
    plan: &mut Plan,
    input: &Path,
    progress: &Progress,
) -> Result<()> {
    let bytes = read_bytes(input)?;
    let file_bytes = bytes.len();
    let table = sensor::parse(input, bytes, &read_options(&args.table))?;
    let destination = plan.destination(input, "pin")?;
    let promise = if args.lossless {
        lossless(&table)
    } else if args.max_error.is_empty() {
        // A model's network works in units of its own spread.
        let spread = match model {
            Some(_) => Vec::new(),
            None => (0..table.channels()).map(|c| table.spread(c)).collect(),
        };
        Promise::Quality { quality: args.quality, spread }
    } else {
        bounds(&table, &args.max_error)?
    };
    let mut options = options(&table, promise, args.window, model);
    options.windows_per_frame = args.frame;
    options.key_interval = args.key_interval;
    options.scores = !args.no_scores;
    options.calibration = args.calibration.unwrap_or(0);
    let start = Instant::now();
    let stream = compress(&table, &options, model, args.false_alarms)?;
    let time = start.elapsed();
    destination.write(&stream)?;
    if args.output.verbose {
        let raw = table.values.len() * table.sample_type.bytes();
        progress.line(&format!(
            "{} -> {}: {} channels of {} samples, {} bytes of {:?}, file {} bytes; {} bytes, {:.2} times smaller, {}",
            shown(input),
            destination.name(),
            table.channels(),
            table.len(),
            raw,
            table.sample_type,
            file_bytes,
            stream.len(),
            raw as f64 / stream.len() as f64,
            speed(table.values.len(), time),
        ));
    }
    if let Some(path) = &args.plot {
        draw(path, input, &table, &stream, model)?;
    }
    Ok(())
}

fn read_options(args: &TableArgs) -> ReadOptions {
    ReadOptions {
        channels: args.channels.clone(),
        time: args.time.clone(),
        samples_first: args.samples_first,
    }
}

/// The promise that channels of few decimals come back exactly, others bit by bit.
fn lossless(table: &Table) -> Promise {
    let levels = |c| table.decimals(c).map_or(0.0, |d| 10f64.powi(d as i32));
    Promise::Lossless((0..table.channels()).map(levels).collect())
}

fn bounds(table: &Table, bounds: &[Bound]) -> Result<Promise> {
    let channels = table.channels();
    if bounds.len() != 1 && bounds.len() != channels {
        bail!("{} bounds for {channels} channels: give one for all, or each its own", bounds.len());
    }
    let absolute = |c: usize| match bounds[c % bounds.len()] {
        Bound::Absolute(bound) => bound,
        Bound::Relative(part) => {
            let (low, high) = table.range(c);
            let bound = (high - low) * part;
            if bound.is_finite() { bound } else { high * part - low * part }
        }
    };
    Ok(Promise::MaxError((0..channels).map(absolute).collect()))
}

/// A model, which lives as long as the program.
type Model = Option<&'static SensorModel<'static>>;

fn model(path: Option<&Path>) -> Result<Model, Failure> {
    let Some(path) = path else { return Ok(None) };
    let load = || {
        let file = read_bytes(path)?;
        let bytes: &'static [u8] = file.leak();
        Ok(SensorModel::parse(bytes)?)
    };
    let model: SensorModel<'static> = load().map_err(about(path))?;
    Ok(Some(Box::leak(Box::new(model))))
}

fn options(table: &Table, promise: Promise, window: Option<u32>, model: Model) -> SensorOptions {
    let mut options = SensorOptions::new(promise, table.sample_type);
    options.names = table.names.clone();
    options.window = match (window, model) {
        (Some(window), _) => window as usize,
        (None, Some(model)) => model.window(),
        (None, None) => table.window.unwrap_or(SensorOptions::DEFAULT_WINDOW).clamp(1, 4096),
    };
    options.time = table.times.as_ref().map(|(unit, _)| (*unit, table.interval()));
    options
}

fn compress(
    table: &Table,
    options: &SensorOptions,
    model: Model,
    false_alarms: f32,
) -> Result<Vec<u8>> {
    use pinhole::sensor::SampleType;
    let mut encoder = match model {
        Some(model) if model.channels() != table.channels() => {
            let (model, stream) = (model.channels(), table.channels());
            return Err(SensorError::ModelChannels { model, stream }.into());
        }
        Some(model) => SensorEncoder::with_model(model, options, false_alarms)?,
        None => SensorEncoder::new(table.channels(), options)?,
    };
    let mut out = Vec::new();
    let times: &[i64] = table.times.as_ref().map_or(&[], |(_, times)| times);
    let values = &table.values;
    match table.sample_type {
        SampleType::F64 => encoder.push(times, values, &mut out)?,
        SampleType::F32 => push::<f32>(&mut encoder, times, values, &mut out)?,
        SampleType::I8 => push::<i8>(&mut encoder, times, values, &mut out)?,
        SampleType::U8 => push::<u8>(&mut encoder, times, values, &mut out)?,
        SampleType::I16 => push::<i16>(&mut encoder, times, values, &mut out)?,
        SampleType::U16 => push::<u16>(&mut encoder, times, values, &mut out)?,
        SampleType::I32 => push::<i32>(&mut encoder, times, values, &mut out)?,
        other => bail!("samples of type {other:?}"),
    }
    encoder.finish(&mut out)?;
    Ok(out)
}

fn push<S: pinhole::sensor::Sample>(
    encoder: &mut SensorEncoder<'_>,
    times: &[i64],
    values: &[f64],
    out: &mut Vec<u8>,
) -> Result<()> {
    let samples: Vec<S> = values.iter().map(|&x| S::from_f64(x)).collect();
    Ok(encoder.push(times, &samples, out)?)
}

fn speed(values: usize, time: Duration) -> String {
    let seconds = time.as_secs_f64().max(1e-9);
    format!("{:.1} ms, {:.2} Msamples/s", seconds * 1e3, values as f64 / seconds / 1e6)
}

/// A decoded stream.
struct Decompressed {
    header: SensorHeader,
    table: Table,
    /// First sample and score of each window.
    scores: Vec<(usize, f64)>,
    /// Samples of each channel that were lost to damage.
    lost: usize,
}

fn decompress(stream: &[u8], conceal: bool, model: Model) -> Result<Decompressed> {
    let mut decoder = model.map_or_else(SensorDecoder::new, SensorDecoder::with_model);
    decoder.set_conceal(conceal);
    decoder.push(stream);
    let header = decoder.read_header()?.cloned();
    let header = header.ok_or_else(|| anyhow!("the header is cut off"))?;
    let channels = header.channels.len();
    let (mut values, mut times, mut scores, mut lost) = (Vec::new(), Vec::new(), Vec::new(), 0);
    while let Some(frame) = decoder.next_frame()? {
        let missing = (frame.head.first_sample as usize).saturating_sub(values.len() / channels);
        // A damaged number must not make a table of any size.
        if missing > stream.len().saturating_mul(1 << 12) {
            bail!("frame {}: {missing} samples before it are missing", frame.head.number);
        }
        lost += missing;
        values.resize(values.len() + missing * channels, f64::NAN);
        if header.time_unit.is_some() {
            let next = frame.head.time;
            let back =
                |i: usize| next.wrapping_sub((i as i64).wrapping_mul(header.interval as i64));
            times.extend((1..=missing).rev().map(back));
        }
        let start = frame.head.first_sample as usize;
        let windows = frame.head.scores.iter().enumerate();
        scores
            .extend(windows.map(|(w, &s)| (start + w * header.window, f64::from(s) / SCORE_UNIT)));
        values.extend(frame.values);
        times.extend(frame.times);
    }
    decoder.finish()?;
    let named = header.channels.iter().enumerate();
    let table = Table {
        names: named
            .map(|(i, c)| if c.name.is_empty() { format!("channel {i}") } else { c.name.clone() })
            .collect(),
        sample_type: header.sample_type,
        values,
        times: header.time_unit.map(|unit| (unit, times)),
        window: None,
    };
    Ok(Decompressed { header, table, scores, lost })
}

fn decode(args: &SensorDecodeArgs) -> Outcome {
    let model = model(args.model.as_deref())?;
    let mut plan = Plan::new(&args.inputs, &args.output)?;
    let format = match (args.format, plan.named_file()) {
        (Some(format), _) => format,
        (None, Some(path)) => sensor::format_of(path).ok_or_else(|| {
            Failure::Usage(format!("{}: no format by this name: .csv, .npy, .parquet", shown(path)))
        })?,
        (None, None) => TableFormat::Csv,
    };
    let suffix = match format {
        TableFormat::Csv => "csv",
        TableFormat::Npy => "npy",
        TableFormat::Parquet => "parquet",
    };
    each(&args.inputs, |input, progress| {
        let stream = read_bytes(input)?;
        let destination = plan.destination(input, suffix)?;
        let start = Instant::now();
        let decoded = decompress(&stream, args.conceal, model)?;
        let time = start.elapsed();
        destination.write(&sensor::write(&decoded.table, format)?)?;
        if decoded.lost > 0 {
            let line =
                format!("{}: {} samples of each channel are lost", shown(input), decoded.lost);
            progress.line(&line);
        }
        if format == TableFormat::Npy && decoded.table.times.is_some() {
            progress.line(&format!("{}: the times do not fit in a NumPy array", shown(input)));
        }
        if args.output.verbose {
            progress.line(&format!(
                "{} -> {}: {} channels of {} samples, {}",
                shown(input),
                destination.name(),
                decoded.table.channels(),
                decoded.table.len(),
                speed(decoded.table.values.len(), time),
            ));
        }
        Ok(())
    })
}

fn draw(path: &Path, input: &Path, table: &Table, stream: &[u8], model: Model) -> Result<()> {
    let Decompressed { header, table: decoded, scores, .. } = decompress(stream, false, model)?;
    let raw = table.values.len() * table.sample_type.bytes();
    let title = format!(
        "{}: {} samples, {} bytes ({:.1} times smaller)",
        shown(input),
        table.values.len(),
        stream.len(),
        raw as f64 / stream.len() as f64
    );
    let threshold = f64::from(header.threshold) / SCORE_UNIT;
    let plot =
        Plot { title: &title, original: table, decoded: &decoded, scores: &scores, threshold };
    let text = match path.extension().and_then(|e| e.to_str()) {
        Some("svg") => plot.svg()?,
        Some("html" | "htm") => plot.html()?,
        _ => bail!("{}: plots are .svg or .html", shown(path)),
    };
    write_file(path, text.as_bytes())
}

#[derive(Serialize)]
struct ScoredWindow {
    window: usize,
    first_sample: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    score: f64,
    odd: bool,
}

#[derive(Serialize)]
struct Scores {
    relative_to: &'static str,
    threshold: f64,
    odd: usize,
    windows: Vec<ScoredWindow>,
}

fn score(args: &SensorScoreArgs, model: Model) -> Result<()> {
    let bytes = read_bytes(&args.input)?;
    let stream = if bytes.starts_with(&pinhole::format::SIGNATURE) {
        bytes
    } else {
        let table = sensor::parse(&args.input, bytes, &read_options(&args.table))?;
        let asked = match args.max_error.is_empty() {
            true => &[Bound::Relative(0.01)][..],
            false => &args.max_error,
        };
        let mut options = options(&table, bounds(&table, asked)?, args.window, model);
        options.calibration = args.calibration.unwrap_or(0);
        compress(&table, &options, model, args.false_alarms)?
    };
    let (header, mut at) = SensorHeader::parse(&stream)?;
    let relative_to = match header.scores {
        ScoreKind::Model => "model",
        ScoreKind::Running => "windows before",
        ScoreKind::Calibrated => "first windows",
        _ => bail!("this stream has no scores"),
    };
    let threshold = args.threshold.unwrap_or(f64::from(header.threshold) / SCORE_UNIT);
    let mut windows = Vec::new();
    while at < stream.len() {
        let raw = match RawFrame::parse(&stream[at..], &header) {
            Ok(raw) => raw,
            // What is there of a stream that goes on.
            Err(SensorError::Format(FormatError::Truncated { .. })) => break,
            Err(error) => return Err(error.into()),
        };
        at += raw.length;
        let start = raw.head.first_sample as usize;
        for (w, &byte) in raw.head.scores.iter().enumerate() {
            let passed = (w * header.window) as i64;
            let time = header.time_unit.map(|unit| {
                let passed = passed.wrapping_mul(header.interval as i64);
                time::shown(unit, raw.head.time.wrapping_add(passed))
            });
            let score = f64::from(byte) / SCORE_UNIT;
            windows.push(ScoredWindow {
                window: windows.len(),
                first_sample: start + w * header.window,
                time,
                score,
                odd: score >= threshold,
            });
        }
    }
    let odd = windows.iter().filter(|w| w.odd).count();
    if args.odd {
        windows.retain(|w| w.odd);
    }
    if args.json {
        return print_json(&Scores { relative_to, threshold, odd, windows });
    }
    let timed = header.time_unit.is_some();
    let mut text = format!("window,first_sample,{}score,odd\n", if timed { "time," } else { "" });
    for w in &windows {
        let time = w.time.as_ref().map(|t| format!("{t},")).unwrap_or_default();
        text +=
            &format!("{},{},{time}{:.2},{}\n", w.window, w.first_sample, w.score, u8::from(w.odd));
    }
    print(&text)
}
