//! The command line, as clap reads it. Checks that need only the options are made here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

mod model;
mod sensor;

pub(crate) use model::{ModelArgs, ModelCommand, PackDecoderArgs, RepositoryArgs};
pub(crate) use sensor::{
    Bound, SensorArgs, SensorCommand, SensorDecodeArgs, SensorEncodeArgs, SensorScoreArgs,
    TableArgs, TableFormat,
};

/// Learned picture codec: small files, exact integer decoding.
#[derive(Debug, Parser)]
#[command(name = "pinhole", version, propagate_version = true)]
pub(crate) struct CommandLine {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Compress pictures into .pin files
    Encode(EncodeArgs),
    /// Turn .pin files back into pictures
    Decode(DecodeArgs),
    /// Tell what a .pin file holds, without decoding it
    Info(InfoArgs),
    /// Measure how far a picture is from its original
    Compare(CompareArgs),
    /// List, describe, build and check model bundles
    Model(ModelArgs),
    /// Measure speed and memory on this machine
    Bench(BenchArgs),
    /// Draw original, JPEG and Pinhole side by side at the same number of bytes
    Figure(FigureArgs),
    /// Decode and encode over HTTP, with models that may change meanwhile
    Serve(crate::commands::serve::ServeArgs),
    /// Compress, decode and score time series of sensors
    Sensor(SensorArgs),
}

const OUTPUT_RULES: &str = "\
Without -o the output lies beside its input, with the suffix swapped; from standard input (-) it \
goes to standard output. With several inputs -o names a folder, which is made if needed. A file \
that -o names is overwritten; a name that pinhole makes up itself is not, unless -f is given. \
Output appears under its name only when complete.

Exit status: 0 all done, 1 some input failed (the others are still done), 2 wrong usage.";

/// Where output goes; shared by `encode` and `decode`.
#[derive(Debug, Args)]
pub(crate) struct OutputArgs {
    /// Output file or folder; - is standard output
    #[arg(short, long, value_name = "OUT|DIR")]
    pub(crate) output: Option<PathBuf>,
    /// Overwrite existing files also where the name was made from the input's
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Print a line for each file: size, bits per pixel, time, speed
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

#[derive(Debug, Args)]
#[command(after_help = OUTPUT_RULES)]
pub(crate) struct EncodeArgs {
    /// Pictures to compress (PNG, JPEG, WebP, TIFF, BMP, GIF, PNM); - is standard input
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Quality, 0 (smallest file) to 100 (best picture)
    #[arg(
        short,
        long,
        default_value_t = 50.0,
        value_parser = quality,
        conflicts_with_all = ["target_bytes", "target_bpp"]
    )]
    pub(crate) quality: f32,
    /// Reach for the best picture of at most this many bytes, header and all
    #[arg(long, value_name = "N", conflicts_with = "target_bpp")]
    pub(crate) target_bytes: Option<u64>,
    /// The same in bits per pixel
    #[arg(long, value_name = "X", value_parser = positive)]
    pub(crate) target_bpp: Option<f64>,
    /// Model bundle (.pinm) to use instead of the one in this program
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// How much work to do for a small file; the model must have what it takes
    #[arg(long, value_enum, default_value_t = Effort::Default)]
    pub(crate) effort: Effort,
    /// What to spend the bits on
    #[arg(long, value_enum, default_value_t = Tune::Perceptual)]
    pub(crate) tune: Tune,
    /// Rows of picture in each independent chunk; fewer lose less when a chunk is lost
    #[arg(long, value_name = "N", default_value_t = pinhole::EncodeOptions::DEFAULT_CHUNK_ROWS,
        value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) chunk_rows: u32,
    /// Threads to use; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
}

#[derive(Debug, Args)]
#[command(after_help = OUTPUT_RULES)]
pub(crate) struct DecodeArgs {
    /// Files to decode; - is standard input
    #[arg(required = true, value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Picture format; else the suffix of -o decides, else PNG
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub(crate) format: Option<PictureFormat>,
    /// Which decoder draws the picture. hq and gan are models of their own, from --model or the models folder
    /// (PINHOLE_MODELS)
    #[arg(long, value_enum, default_value_t = PictureDecoder::Standard)]
    pub(crate) decoder: PictureDecoder,
    /// Blend hq and gan: 0 is all hq, 1 all gan
    #[arg(long, value_name = "X", value_parser = share, conflicts_with_all = ["decoder", "model"])]
    pub(crate) realism: Option<f32>,
    /// Size of the picture; smaller ones are quicker to write and need no shrinking afterwards
    #[arg(long, value_enum, default_value_t = Scale::Full)]
    pub(crate) scale: Scale,
    /// Fill damaged or missing chunks from their surroundings instead of failing
    #[arg(long)]
    pub(crate) conceal: bool,
    /// Refuse pictures of more pixels than this
    #[arg(long, value_name = "N", default_value_t = 1 << 28)]
    pub(crate) max_pixels: u64,
    /// Model bundle (.pinm) to use instead of the one in this program
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Threads to use; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
}

/// The decoders of the model family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PictureDecoder {
    /// int8, the usual one
    Standard,
    /// int8, the smallest
    Lite,
    /// float, for fidelity
    Hq,
    /// float, for looking real at few bits
    Gan,
}

/// Picture formats that `decode` and `figure` write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PictureFormat {
    Png,
    /// Quality 95, 4:4:4
    #[value(alias = "jpeg")]
    Jpg,
    /// Lossless
    Webp,
    #[value(alias = "pgm", alias = "pnm")]
    Ppm,
    Bmp,
    #[value(alias = "tif")]
    Tiff,
}

#[derive(Debug, Args)]
pub(crate) struct InfoArgs {
    /// File to describe; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) input: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const COMPARE_HELP: &str = "\
psnr is over the mean squared error of red, green and blue together. ms-ssim follows Wang, \
Simoncelli and Bovik (2003) with 5 scales and an 11-tap Gaussian of sigma 1.5, on each of red, \
green and blue, then averaged; a picture whose shorter side is under 176 pixels gets fewer scales. \
ssimulacra2 is SSIMULACRA 2.1, 100 for identical pictures. Alpha is not scored, only told equal \
or not; 16-bit pictures are compared at 8 bits.

--pairs reads one pair a line, REF and DIST with a tab between; with --json each pair gives one \
line of JSON, in the list's order. A .pin file may stand for a picture.";

#[derive(Debug, Args)]
#[command(after_help = COMPARE_HELP)]
pub(crate) struct CompareArgs {
    /// The original
    #[arg(value_name = "REF", required_unless_present = "pairs", requires = "distorted")]
    pub(crate) reference: Option<PathBuf>,
    /// The picture to judge
    #[arg(value_name = "DIST")]
    pub(crate) distorted: Option<PathBuf>,
    /// Read pairs from a list; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "reference")]
    pub(crate) pairs: Option<PathBuf>,
    /// Metrics to compute
    #[arg(
        long = "metric",
        value_enum,
        value_delimiter = ',',
        default_values_t = [Metric::Psnr, Metric::MsSsim, Metric::Ssimulacra2, Metric::Butteraugli]
    )]
    pub(crate) metrics: Vec<Metric>,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Threads over the pairs; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) threads: usize,
}

/// Ways to encode; any decoder decodes the files of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Effort {
    /// Least time, larger files
    Fast,
    Default,
    /// Most time, smaller files: codes, looks at what that draws, and codes again
    Best,
}

/// What to spend the bits on; any decoder decodes the files of all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tune {
    /// What eyes see: fewer bits where more is going on
    Perceptual,
    /// The least squared error; goes with the decoder hq
    Psnr,
}

/// Decoders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Decoder {
    Standard,
    /// Less time
    Lite,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scale {
    #[value(name = "1")]
    Full,
    #[value(name = "1/2")]
    Half,
    #[value(name = "1/4")]
    Quarter,
    #[value(name = "1/8")]
    Eighth,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Metric {
    Psnr,
    MsSsim,
    Ssimulacra2,
    /// Its 3-norm: 0 for identical pictures; of pictures of 8x8 or more
    Butteraugli,
}

#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    /// Pictures to encode and decode in memory; without any, a made-up one of 768x512
    #[arg(value_name = "IN")]
    pub(crate) inputs: Vec<PathBuf>,
    /// Quality, 0 (smallest file) to 100 (best picture)
    #[arg(short, long, default_value_t = 50.0, value_parser = quality)]
    pub(crate) quality: f32,
    /// How much work to do to encode
    #[arg(long, value_enum, default_value_t = Effort::Default)]
    pub(crate) effort: Effort,
    /// Decoder to decode with
    #[arg(long, value_enum, default_value_t = Decoder::Standard)]
    pub(crate) decoder: Decoder,
    /// Times each is done
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) runs: u32,
    /// Model bundle (.pinm) to use instead of the one in this program
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
    /// Threads to use; 0 means one for each core
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) threads: usize,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FigureArgs {
    /// Picture to show
    #[arg(value_name = "IN")]
    pub(crate) input: PathBuf,
    /// Figure to write; the suffix decides its format
    #[arg(short, long, visible_alias = "out", value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Bits per pixel that Pinhole and JPEG get
    #[arg(long, value_name = "X", default_value_t = 0.25, value_parser = positive)]
    pub(crate) bpp: f64,
    /// Show what these decoders draw from one stream, without JPEG: standard,lite,hq,gan
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        value_name = "NAME,…",
        hide_possible_values = true
    )]
    pub(crate) decoders: Vec<PictureDecoder>,
    /// Width and height of the crop that is shown
    #[arg(long, value_name = "WxH", default_value = "384x288", value_parser = size)]
    pub(crate) crop_size: (u32, u32),
    /// Left and top of the crop; without it, the most detailed part of the original
    #[arg(long, value_name = "X,Y", value_parser = position)]
    pub(crate) crop_at: Option<(u32, u32)>,
    /// Enlarge pixels this many times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=8))]
    pub(crate) zoom: u32,
    /// Model bundle (.pinm) to use instead of the one in this program
    #[arg(long, value_name = "FILE")]
    pub(crate) model: Option<PathBuf>,
}

impl From<Effort> for pinhole::Effort {
    fn from(effort: Effort) -> Self {
        match effort {
            Effort::Fast => pinhole::Effort::Fast,
            Effort::Default => pinhole::Effort::Default,
            Effort::Best => pinhole::Effort::Best,
        }
    }
}

impl From<Tune> for pinhole::Tune {
    fn from(tune: Tune) -> Self {
        match tune {
            Tune::Perceptual => pinhole::Tune::Perceptual,
            Tune::Psnr => pinhole::Tune::Psnr,
        }
    }
}

impl PictureDecoder {
    pub(crate) fn name(self) -> &'static str {
        match self {
            PictureDecoder::Standard => "standard",
            PictureDecoder::Lite => "lite",
            PictureDecoder::Hq => "hq",
            PictureDecoder::Gan => "gan",
        }
    }

    /// Whether it is a model of its own.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, PictureDecoder::Hq | PictureDecoder::Gan)
    }
}

impl From<Scale> for pinhole::Scale {
    fn from(scale: Scale) -> Self {
        match scale {
            Scale::Full => pinhole::Scale::Full,
            Scale::Half => pinhole::Scale::Half,
            Scale::Quarter => pinhole::Scale::Quarter,
            Scale::Eighth => pinhole::Scale::Eighth,
        }
    }
}

impl From<Decoder> for pinhole::Synthesis {
    fn from(decoder: Decoder) -> Self {
        match decoder {
            Decoder::Standard => pinhole::Synthesis::Standard,
            Decoder::Lite => pinhole::Synthesis::Lite,
        }
    }
}

fn quality(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=100.0).contains(&value) { Ok(value) } else { Err("not within 0 and 100".to_owned()) }
}

fn share(text: &str) -> Result<f32, String> {
    let value: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=1.0).contains(&value) { Ok(value) } else { Err("not within 0 and 1".to_owned()) }
}

fn positive(text: &str) -> Result<f64, String> {
    let value: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if value > 0.0 && value.is_finite() { Ok(value) } else { Err("not above zero".to_owned()) }
}

fn size(text: &str) -> Result<(u32, u32), String> {
    let (width, height) = two_numbers(text, 'x')?;
    if width > 0 && height > 0 { Ok((width, height)) } else { Err("zero pixels".to_owned()) }
}

fn position(text: &str) -> Result<(u32, u32), String> {
    two_numbers(text, ',')
}

fn two_numbers(text: &str, between: char) -> Result<(u32, u32), String> {
    text.split_once(between)
        .and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)))
        .ok_or_else(|| format!("not two numbers with '{between}' between"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn rate_options_exclude_each_other() {
        let parse = |words: &[&str]| CommandLine::try_parse_from(words);
        assert!(parse(&["pinhole", "encode", "a.png", "-q", "30"]).is_ok());
        assert!(parse(&["pinhole", "encode", "a.png", "--target-bpp", "0.5"]).is_ok());
        assert!(parse(&["pinhole", "encode", "a.png", "-q", "30", "--target-bytes", "9"]).is_err());
        assert!(
            parse(&["pinhole", "encode", "a", "--target-bpp", "1", "--target-bytes", "9"]).is_err()
        );
        assert!(parse(&["pinhole", "encode", "a.png", "-q", "101"]).is_err());
        assert!(parse(&["pinhole", "encode", "a.png", "-q", "NaN"]).is_err());
    }
}
