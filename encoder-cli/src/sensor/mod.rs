//! Tables of sensor samples: what `pinhole sensor` reads and writes.

pub(crate) mod csv;
pub(crate) mod npy;
#[cfg(feature = "parquet")]
pub(crate) mod parquet;
pub(crate) mod plot;
pub(crate) mod time;

use std::path::Path;

use anyhow::{Result, bail};
use pinhole::sensor::{SampleType, TimeUnit};

use crate::args::TableFormat;

/// Samples of several channels.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) names: Vec<String>,
    pub(crate) sample_type: SampleType,
    /// `[time][channel]`; NaN where one is missing.
    pub(crate) values: Vec<f64>,
    pub(crate) times: Option<(TimeUnit, Vec<i64>)>,
    /// Samples of the windows that the file came in, if it did.
    pub(crate) window: Option<usize>,
}

impl Table {
    pub(crate) fn channels(&self) -> usize {
        self.names.len()
    }

    /// Sample times.
    pub(crate) fn len(&self) -> usize {
        self.values.len() / self.channels().max(1)
    }

    /// Samples of one channel.
    pub(crate) fn channel(&self, channel: usize) -> impl Iterator<Item = f64> + Clone {
        self.values.iter().skip(channel).step_by(self.channels().max(1)).copied()
    }

    /// Least and greatest finite sample of a channel; 0 and 0 if there is none.
    pub(crate) fn range(&self, channel: usize) -> (f64, f64) {
        let finite = self.channel(channel).filter(|x| x.is_finite());
        let (low, high) = finite
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        if low <= high { (low, high) } else { (0.0, 0.0) }
    }

    /// Standard deviation of a channel's finite samples.
    pub(crate) fn spread(&self, channel: usize) -> f64 {
        let finite = self.channel(channel).filter(|x| x.is_finite());
        let count = finite.clone().count().max(1) as f64;
        let mean = finite.clone().sum::<f64>() / count;
        let spread = (finite.map(|x| (x - mean).powi(2)).sum::<f64>() / count).sqrt();
        if spread.is_finite() { spread } else { 0.0 }
    }

    /// The least number of decimals, up to 12, that gives nearly all samples of a channel exactly.
    pub(crate) fn decimals(&self, channel: usize) -> Option<u32> {
        let finite = self.channel(channel).filter(|x| x.is_finite());
        let count = finite.clone().count();
        let odd = |decimals: u32| {
            let scale = 10f64.powi(decimals as i32);
            let exact = |x: &f64| {
                let level = (x * scale).round();
                level.abs() <= f64::from(1 << 30) && round_to(self.sample_type, level / scale) == *x
            };
            finite.clone().filter(|x| !exact(x)).count()
        };
        (0..=12).find(|&d| odd(d) * 50 <= count)
    }

    /// Keeps the channels of these names, in this order.
    pub(crate) fn select(&mut self, names: &[String]) -> Result<()> {
        let mut indices = Vec::new();
        for name in names {
            match self.names.iter().position(|n| n == name) {
                Some(index) => indices.push(index),
                None => bail!("no channel {name}; there are {}", self.names.join(", ")),
            }
        }
        let channels = self.channels();
        let rows = self.values.chunks_exact(channels.max(1));
        self.values = rows.flat_map(|row| indices.iter().map(|&i| row[i])).collect();
        self.names = names.to_vec();
        Ok(())
    }

    /// The usual distance of samples in time: the median.
    pub(crate) fn interval(&self) -> u64 {
        let Some((_, times)) = &self.times else { return 0 };
        let mut distances: Vec<u64> =
            times.windows(2).map(|w| w[1].wrapping_sub(w[0])).map(|d| d.max(0) as u64).collect();
        distances.sort_unstable();
        distances.get(distances.len() / 2).copied().unwrap_or(0)
    }
}

fn round_to(kind: SampleType, value: f64) -> f64 {
    if kind == SampleType::F32 { f64::from(value as f32) } else { value }
}

/// Reads a table; `name` tells the format, or the first bytes do.
pub(crate) fn parse(name: &Path, bytes: Vec<u8>, options: &ReadOptions) -> Result<Table> {
    let format = match bytes.get(..4) {
        Some(b"\x93NUM") => TableFormat::Npy,
        Some(b"PAR1") => TableFormat::Parquet,
        _ => match format_of(name) {
            Some(TableFormat::Npy) => bail!("not a NumPy file"),
            Some(TableFormat::Parquet) => bail!("not a Parquet file"),
            _ => TableFormat::Csv,
        },
    };
    let mut table = match format {
        TableFormat::Csv => csv::parse(&bytes, options)?,
        TableFormat::Npy => npy::parse(&bytes, options)?,
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => parquet::parse(bytes, options)?,
        #[cfg(not(feature = "parquet"))]
        TableFormat::Parquet => {
            bail!("this program was built without Parquet: build it with `--features parquet`")
        }
    };
    if !options.channels.is_empty() {
        table.select(&options.channels)?;
    }
    if table.names.is_empty() {
        bail!("no channels");
    }
    Ok(table)
}

/// Writes a table.
pub(crate) fn write(table: &Table, format: TableFormat) -> Result<Vec<u8>> {
    match format {
        TableFormat::Csv => csv::write(table),
        TableFormat::Npy => npy::write(table),
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => parquet::write(table),
        #[cfg(not(feature = "parquet"))]
        TableFormat::Parquet => {
            bail!("this program was built without Parquet: build it with `--features parquet`")
        }
    }
}

/// The format that a file name tells.
pub(crate) fn format_of(path: &Path) -> Option<TableFormat> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" | "tsv" | "txt" => Some(TableFormat::Csv),
        "npy" => Some(TableFormat::Npy),
        "parquet" | "pq" => Some(TableFormat::Parquet),
        _ => None,
    }
}

/// How tables are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct ReadOptions {
    /// Channels to keep; all if empty.
    pub(crate) channels: Vec<String>,
    /// The column of times; without it, one whose name says so.
    pub(crate) time: Option<String>,
    /// Whether arrays of three dimensions are (windows, samples, channels), not (windows, channels, samples).
    pub(crate) samples_first: bool,
}

impl ReadOptions {
    /// Whether a column holds times.
    fn is_time(&self, name: &str) -> bool {
        match &self.time {
            Some(time) => time == name,
            None => ["time", "timestamp", "datetime", "date", "t", "ts", "date_time"]
                .contains(&name.trim().to_ascii_lowercase().as_str()),
        }
    }
}

/// The smallest type that holds whole numbers, or all numbers, exactly.
fn narrowest(values: &[f64]) -> SampleType {
    let whole = |x: &f64| x.fract() == 0.0 && x.abs() <= f64::from(i32::MAX);
    // -0 and missing samples need floating point.
    let plain = |x: &f64| whole(x) && (*x != 0.0 || x.is_sign_positive());
    if !values.is_empty() && values.iter().all(plain) { SampleType::I32 } else { SampleType::F64 }
}
