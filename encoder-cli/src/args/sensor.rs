//! The options of `pinhole sensor`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use pinhole::sensor::SensorOptions;

use super::OutputArgs;

#[derive(Debug, Args)]
pub(crate) struct SensorArgs {
    #[command(subcommand)]
    pub(crate) command: SensorCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SensorCommand {
    /// Compress tables of samples (CSV, NumPy, Parquet) into .pin files
    Encode(SensorEncodeArgs),
    /// Turn .pin files back into tables
    Decode(SensorDecodeArgs),
    /// Tell how odd each window is
    Score(SensorScoreArgs),
}

/// Formats of tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    Csv,
    Npy,
    Parquet,
}

/// How a table is read.
#[derive(Debug, Args)]
pub(crate) struct TableArgs {
    /// Columns to take as channels; all that are not times without it
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub(crate) channels: Vec<String>,
    /// Column of times: whole numbers, decimal seconds or dates; found by its name without it
    #[arg(long, value_name = "NAME")]
    pub(crate) time: Option<String>,
    /// Arrays of three dimensions are (windows, samples, channels), not (windows, channels, samples)
    #[arg(long)]
    pub(crate) samples_first: bool,
}

const ENCODE_HELP: &str = "\
-e takes one bound for all channels or one for each, with commas between: in units of the samples, or \
with % in parts of each channel's range in this file. Samples that no level reaches within the bound \
are stored as they are. --lossless finds the decimals that a channel's numbers have; channels of other \
numbers are stored bit by bit.

Empty fields, NaN and nulls are missing samples, and stay missing. Times are kept exactly, to the \
nanosecond.";

#[derive(Debug, Args)]
#[command(after_help = ENCODE_HELP)]
pub(crate) struct SensorEncodeArgs {
    /// Tables to compress; - is CSV from standard input
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Quality, 0 (smallest file) to 100 (closest)
    #[arg(short, long, default_value_t = 50.0, value_parser = super::quality,
        conflicts_with_all = ["max_error", "lossless"])]
    pub(crate) quality: f32,
    /// No sample is farther off than this
    #[arg(short = 'e', long, value_name = "E[%],...", value_delimiter = ',', value_parser = bound,
        conflicts_with = "lossless")]
    pub(crate) max_error: Vec<Bound>,
    /// Every sample comes back as it was
    #[arg(short, long)]
    pub(crate) lossless: bool,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Model bundle (.pinm) of such sensors: windows may go through its network, scores are relative to its reference
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// With a model: the share of normal windows that may seem odd
    #[arg(long, value_name = "RATE", default_value_t = 0.01, value_parser = rate)]
    pub(crate) false_alarms: f32,
    /// Samples of a window; those of the model or the array's windows, or 128, without it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) window: Option<u32>,
    /// Windows of a frame, the unit that is sent and checked
    #[arg(long, value_name = "N", default_value_t = SensorOptions::DEFAULT_WINDOWS_PER_FRAME,
        value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(crate) frame: u32,
    /// Frames after which decoding can begin anew
    #[arg(long, value_name = "N", default_value_t = SensorOptions::DEFAULT_KEY_INTERVAL,
        value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    pub(crate) key_interval: u32,
    /// Windows at the start that are known to be normal, 8 to 1024: scores are then relative to them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=1024),
        conflicts_with = "no_scores")]
    pub(crate) calibration: Option<u32>,
    /// Leave scores out
    #[arg(long)]
    pub(crate) no_scores: bool,
    /// Draw signal, reconstruction, error and score (.svg or .html)
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct SensorDecodeArgs {
    /// Files to decode; - is standard input
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Format of the table; else the suffix of -o decides, else CSV
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<TableFormat>,
    /// Model bundle (.pinm) that the file was made with, if it was
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Fill damaged or missing frames with missing samples instead of failing
    #[arg(long)]
    pub(crate) conceal: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SensorScoreArgs {
    /// A .pin file, whose scores are read without decoding, or a table; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) table: TableArgs,
    /// Model bundle (.pinm) by whose reference a table's windows are scored
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// With a model: the share of normal windows that may seem odd
    #[arg(long, value_name = "RATE", default_value_t = 0.01, value_parser = rate)]
    pub(crate) false_alarms: f32,
    /// Samples of a window of a table
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=4096))]
    pub(crate) window: Option<u32>,
    /// Bound of the error, as of encode, at which a table's windows are measured
    #[arg(short = 'e', long, value_name = "E[%],...", value_delimiter = ',', value_parser = bound)]
    pub(crate) max_error: Vec<Bound>,
    /// Windows at the start that are known to be normal, 8 to 1024: scores are then relative to them
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=1024))]
    pub(crate) calibration: Option<u32>,
    /// Windows with a score of this or more are odd; without it, as the stream says
    #[arg(long, value_name = "X", value_parser = super::positive)]
    pub(crate) threshold: Option<f64>,
    /// Print odd windows only
    #[arg(long)]
    pub(crate) odd: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A bound of the error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Bound {
    Absolute(f64),
    /// Part of the range of the channel.
    Relative(f64),
}

fn rate(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("not within 0 and 1".to_owned()) }
}

fn bound(text: &str) -> Result<Bound, String> {
    let (number, relative) = match text.strip_suffix('%') {
        Some(number) => (number, true),
        None => (text, false),
    };
    let value: f64 = number.trim().parse().map_err(|_| "not a number".to_owned())?;
    if !value.is_finite() || value < 0.0 || (relative && value == 0.0) {
        return Err("not above zero".to_owned());
    }
    Ok(if relative { Bound::Relative(value / 100.0) } else { Bound::Absolute(value) })
}
