//! Why a model cannot be packed.

use std::path::PathBuf;

use pinhole::bundle::BundleError;
use pinhole::engine::{ProgramError, RunError};
use pinhole::entropy::TableError;

/// Where in the exported model something was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Name of the graph.
    pub graph: String,
    /// Name of the node (or tensor).
    pub node: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in graph {}", self.node, self.graph)
    }
}

/// Why a model cannot be packed, or a bundle is not what it was packed from.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// `codec.json` is not what it should be.
    #[error("{}: {source}", path.display())]
    Description {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        source: serde_json::Error,
    },
    /// Numbers in `codec.json` that contradict each other.
    #[error("codec.json: {what}: {found}, must be {expected}")]
    Inconsistent {
        /// Which number.
        what: String,
        /// What it has to be.
        expected: usize,
        /// What it is.
        found: usize,
    },
    /// `codec.json` has a number of passes that codecs do not have.
    #[error("codec.json: latents in {found} passes, must be 2 or 4")]
    Passes {
        /// What it has.
        found: u8,
    },
    /// `codec.json` has a number of fractional bits that codecs do not have.
    #[error("codec.json: {found} fractional bits, must be 4 or 5")]
    Fraction {
        /// What it has.
        found: u8,
    },
    /// `codec.json` describes a transform that codecs do not have.
    #[error("codec.json: no transform is called {name}")]
    UnknownTransform {
        /// Its name.
        name: String,
    },
    /// A file is not an ONNX model.
    #[error("graph {graph} is not a readable ONNX model: {reason}")]
    BadOnnx {
        /// Name of the graph.
        graph: String,
        /// What is wrong.
        reason: String,
    },
    /// A kind of node the lowering does not know, at least not with these operands or attributes.
    #[error("unsupported node {place}: {kind}: {reason}")]
    Unsupported {
        /// The node.
        place: Place,
        /// Its operator.
        kind: String,
        /// What is not supported.
        reason: String,
    },
    /// An operand that does not exist, or that is not a constant where one is needed.
    #[error("node {place}: operand {operand} {problem}")]
    BadOperand {
        /// The node.
        place: Place,
        /// Which operand.
        operand: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Two grids that must be the same are not.
    #[error("node {place}: {what} has {found}, must have {expected}")]
    GridMismatch {
        /// The node.
        place: Place,
        /// Whose grid.
        what: &'static str,
        /// The grid needed.
        expected: String,
        /// The grid there.
        found: String,
    },
    /// The step of an input that is not quantised in the graph is not known.
    #[error("{place}: a float input without a stated step; put it into codec.json's `input_steps`")]
    UnknownStep {
        /// The input.
        place: Place,
    },
    /// The 32-bit accumulator of a channel could overflow.
    #[error(
        "node {place}: channel {channel} can accumulate {low}..={high}, more than 32 bits hold"
    )]
    Overflow {
        /// The convolution.
        place: Place,
        /// Output channel.
        channel: usize,
        /// Smallest possible accumulator.
        low: i64,
        /// Largest possible accumulator.
        high: i64,
    },
    /// The lowered program is refused by the engine.
    #[error("graph {graph}: {source}")]
    Program {
        /// Name of the graph.
        graph: String,
        /// What the engine says.
        source: ProgramError,
    },
    /// A program does not run.
    #[error("graph {graph}: {source}")]
    Run {
        /// Name of the graph.
        graph: String,
        /// What the engine says.
        source: RunError,
    },
    /// Symbol tables that cannot be made.
    #[error("{name}, table {table}: {source}")]
    Tables {
        /// Which set.
        name: &'static str,
        /// Which table of it.
        table: usize,
        /// What the entropy coder says.
        source: TableError,
    },
    /// The bundle's parts do not fit each other.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The reference runtime refuses a graph.
    #[error("graph {graph}: the reference runtime says: {reason}")]
    Reference {
        /// Name of the graph.
        graph: String,
        /// Its words.
        reason: String,
    },
    /// A layer of the engine's program differs from the ONNX layer by more than one step.
    #[error(
        "node {place}: {found} where the ONNX layer gives {expected}, more than one step apart"
    )]
    LayerDiffers {
        /// The node that ends the layer.
        place: Place,
        /// By the ONNX.
        expected: i64,
        /// By the engine.
        found: i64,
    },
    /// A whole graph differs from its ONNX by far more than flipped roundings explain.
    #[error("output {place}: {mean:.3} steps from the ONNX on average, more than {limit}")]
    GraphDiffers {
        /// The output.
        place: Place,
        /// Mean difference, in steps of the output.
        mean: f64,
        /// The largest allowed.
        limit: f64,
    },
    /// The fast executor and the reference executor disagree.
    #[error("graph {graph}: the fast and the reference executor disagree")]
    ExecutorsDiffer {
        /// Name of the graph.
        graph: String,
    },
    /// A picture too small to check with, or with a wrong number of bytes.
    #[error("picture of {width}x{height} with {bytes} bytes: at least 64x64 RGB is needed")]
    BadPicture {
        /// Pixels per row.
        width: usize,
        /// Rows.
        height: usize,
        /// Bytes there are.
        bytes: usize,
    },
    /// No picture to check with.
    #[error("parity needs at least one picture")]
    NoPictures,
    /// A section of the bundle is not what the ONNX files lower to.
    #[error("section {tag} of the bundle is not what the ONNX files lower to")]
    SectionDiffers {
        /// Name of the section.
        tag: String,
    },
}

impl PackError {
    pub(crate) fn run(graph: &str) -> impl FnOnce(RunError) -> PackError + '_ {
        move |source| PackError::Run { graph: graph.into(), source }
    }

    pub(crate) fn program(graph: &str) -> impl FnOnce(ProgramError) -> PackError + '_ {
        move |source| PackError::Program { graph: graph.into(), source }
    }
}
