//! Parity: does the program compute what the ONNX graphs compute?
//!
//! Pictures go through the whole codec on the engine. Each graph is also run by tract, in float, on the very inputs that
//! the engine had, so that differences do not add up from graph to graph. Within a graph they do: where the float sum
//! lies on a rounding tie, an int8 value flips, and an int16 output after it moves by several of its finer steps. Hence
//! the second check: each layer on its own, fed with the engine's tensors, must be within one step, or packing fails.

mod codec;
mod layers;
mod tract;

pub(crate) use layers::compare as compare_layers;
pub(crate) use tract::Runtime;

use pinhole::engine::DType;
use serde::Serialize;

use crate::error::PackError;
use crate::model::Model;

/// Pictures are cropped to at most this many pixels each way.
const CROP: usize = 256;
/// Side of the crop that the slow reference executor runs on too.
const SMALL: usize = 64;
/// The codec's widest unit, in pixels.
const UNIT: usize = 64;
/// Qualities that the checks run at, in hundredths.
const QUALITIES: [u16; 3] = [1500, 5000, 8500];

/// Largest mean difference of a whole graph's output, in its steps: flipped roundings stay far below, a wrong order of
/// channels (which the layers on their own would not show) far above.
const fn mean_limit(dtype: DType) -> f64 {
    match dtype {
        DType::U8 => 0.5,
        DType::I16 => 8.0,
    }
}

/// An RGB picture, 8 bits a channel, row by row.
#[derive(Clone, Debug)]
pub struct Picture {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `width · height · 3` bytes.
    pub rgb: Vec<u8>,
}

impl Picture {
    /// The middle of the picture: multiples of 64 pixels, at most `side` each way.
    fn crop(&self, side: usize) -> Result<Picture, PackError> {
        let (width, height) =
            (self.width.min(side) / UNIT * UNIT, self.height.min(side) / UNIT * UNIT);
        if width == 0 || height == 0 || self.rgb.len() != self.width * self.height * 3 {
            let bytes = self.rgb.len();
            return Err(PackError::BadPicture { width: self.width, height: self.height, bytes });
        }
        let (left, top) = ((self.width - width) / 2, (self.height - height) / 2);
        let row = |y: usize| ((top + y) * self.width + left) * 3;
        let rgb =
            (0..height).flat_map(|y| &self.rgb[row(y)..row(y) + width * 3]).copied().collect();
        Ok(Picture { width, height, rgb })
    }
}

/// How well two lists of integers agree. The unit of differences is one step of the output's grid; for the picture
/// that is one grey level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Values compared.
    pub values: u64,
    /// Those that are equal.
    pub equal: u64,
    /// Those that are at most one step apart.
    pub within_one: u64,
    /// Largest difference.
    pub largest: u64,
    /// Sum of the differences' magnitudes.
    pub sum: u64,
}

impl Agreement {
    /// Compares one value with another.
    pub(crate) fn merge_pair(&mut self, a: i64, b: i64) {
        self.add(a, b);
    }

    fn add(&mut self, a: i64, b: i64) {
        let difference = a.abs_diff(b);
        self.values += 1;
        self.equal += u64::from(difference == 0);
        self.within_one += u64::from(difference <= 1);
        self.largest = self.largest.max(difference);
        self.sum += difference;
    }

    fn merge(&mut self, other: &Agreement) {
        self.values += other.values;
        self.equal += other.equal;
        self.within_one += other.within_one;
        self.largest = self.largest.max(other.largest);
        self.sum += other.sum;
    }

    /// Share of equal values.
    pub fn equal_share(&self) -> f64 {
        self.equal as f64 / self.values.max(1) as f64
    }

    /// Share of values at most one step apart.
    pub fn within_one_share(&self) -> f64 {
        self.within_one as f64 / self.values.max(1) as f64
    }

    /// Mean magnitude of the difference.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.values.max(1) as f64
    }
}

/// One output of a graph against the reference runtime.
#[derive(Clone, Debug)]
pub struct OutputParity {
    /// Name of the output.
    pub name: String,
    /// Engine against tract.
    pub agreement: Agreement,
}

/// One graph's parity.
#[derive(Clone, Debug)]
pub struct GraphParity {
    /// Name of the graph.
    pub name: String,
    /// Its outputs, whole graph against the reference runtime.
    pub outputs: Vec<OutputParity>,
    /// Its layers, each fed with the engine's tensors: by the node that ends them.
    pub layers: Vec<(String, Agreement)>,
}

impl GraphParity {
    /// The layer that agrees least.
    pub fn worst_layer(&self) -> Option<&(String, Agreement)> {
        self.layers.iter().max_by(|a, b| a.1.mean().total_cmp(&b.1.mean()))
    }

    /// All layers together.
    pub fn all_layers(&self) -> Agreement {
        let mut all = Agreement::default();
        self.layers.iter().for_each(|(_, a)| all.merge(a));
        all
    }
}

/// What the checks found.
#[derive(Clone, Debug)]
pub struct Report {
    /// Pictures that were run.
    pub pictures: usize,
    /// The graphs, in coding order.
    pub graphs: Vec<GraphParity>,
}

impl std::fmt::Display for Report {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{:<28} {:>8} {:>8} {:>8} {:>9}", "output", "equal", "≤ 1", "largest", "mean")?;
        let mut line = |name: String, a: &Agreement| {
            let (equal, near) = (100.0 * a.equal_share(), 100.0 * a.within_one_share());
            writeln!(f, "{name:<28} {equal:>7.3}% {near:>7.3}% {:>8} {:>9.5}", a.largest, a.mean())
        };
        for graph in &self.graphs {
            for output in &graph.outputs {
                line(format!("{}/{}", graph.name, output.name), &output.agreement)?;
            }
            line(format!("  its {} layers", graph.layers.len()), &graph.all_layers())?;
            if let Some((name, worst)) = graph.worst_layer() {
                line(format!("  worst: {name}"), worst)?;
            }
        }
        Ok(())
    }
}

/// Runs all checks of a model.
///
/// # Errors
/// A layer that is more than one step from its ONNX, a whole graph that is far from it, executors that disagree, pictures that cannot be used.
pub fn check(model: &Model, pictures: &[Picture]) -> Result<Report, PackError> {
    let Some(first) = pictures.first() else {
        return Err(PackError::NoPictures);
    };
    let mut checker = codec::Checker::new(model)?;
    checker.against_reference(&first.crop(SMALL)?)?;
    for picture in pictures {
        checker.against_onnx(&picture.crop(CROP)?)?;
    }
    checker.report(pictures.len())
}
