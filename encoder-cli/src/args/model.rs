//! Arguments of `pinhole model`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Decoder, Effort, PictureDecoder};

#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    #[command(subcommand)]
    pub(crate) command: ModelCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// List the bundles inside this program
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Describe a bundle: name, version, latent space, lineage
    Info {
        /// Bundle (.pinm); without it, the one in this program
        bundle: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Lower exported ONNX graphs into a bundle and check it against them
    Pack {
        /// Folder of ONNX graphs and their manifest
        folder: PathBuf,
        /// Bundle to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Leave the decoder out, for devices that only encode
        #[arg(long)]
        encoder_only: bool,
        /// Take only the int8 decoders from the folder and all else, with it the streams, from this bundle
        #[arg(long, value_name = "FILE", conflicts_with = "encoder_only")]
        base: Option<PathBuf>,
        /// Photographs on which programs and graphs are compared; models of sensors need none
        #[arg(long, value_name = "PICTURE", num_args = 1..)]
        check: Vec<PathBuf>,
    },
    /// Write a smaller bundle of the same latent space: what a device or a page needs
    Slim {
        /// Bundle (.pinm) to take the parts from
        bundle: PathBuf,
        /// Bundle to write
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
        /// Efforts to keep; without any the bundle does not encode
        #[arg(long, value_enum, value_delimiter = ',', required_unless_present = "decoder")]
        effort: Vec<Effort>,
        /// Decoders to keep; without any the bundle does not decode to pictures
        #[arg(long, value_enum, value_delimiter = ',')]
        decoder: Vec<Decoder>,
    },
    /// Make a bundle of a float decoder's ONNX graph, for streams of another bundle
    PackDecoder(PackDecoderArgs),
    /// Check a bundle's integrity and signature
    Verify {
        /// Bundle (.pinm)
        bundle: PathBuf,
        /// Public key that must have signed it
        #[arg(long, value_name = "FILE")]
        trust: Vec<PathBuf>,
    },
    /// Make a pair of keys for signing: FILE, which stays secret, and FILE.pub
    Keygen {
        /// File of the secret key
        file: PathBuf,
    },
    /// Sign a bundle
    Sign {
        /// Bundle (.pinm)
        bundle: PathBuf,
        /// Secret key
        #[arg(long, value_name = "FILE")]
        key: PathBuf,
        /// Signed bundle to write; without it, the bundle itself is replaced
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Add a bundle to a repository, as a candidate
    Push {
        /// Bundle (.pinm)
        bundle: PathBuf,
        #[command(flatten)]
        repository: RepositoryArgs,
        /// Name of the model there; else the one in the bundle
        #[arg(long)]
        name: Option<String>,
        /// A name for this version, which it keeps for good
        #[arg(long)]
        tag: Option<String>,
    },
    /// Move a version to a stage; what was in production or staging is archived
    Promote {
        /// Model
        model: String,
        /// Version: its number, a tag, or a stage
        version: String,
        #[command(flatten)]
        repository: RepositoryArgs,
        /// candidate, staging, production or archived
        #[arg(long, default_value = "production")]
        stage: String,
    },
    /// Put the version that was in production before back into its place
    Rollback {
        /// Model
        model: String,
        #[command(flatten)]
        repository: RepositoryArgs,
    },
    /// List the models of a repository, their versions and stages
    Versions {
        /// Model; without it, all
        model: Option<String>,
        #[command(flatten)]
        repository: RepositoryArgs,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RepositoryArgs {
    /// Repository: a folder, or s3://BUCKET/PREFIX
    #[arg(short = 'r', long = "repository", value_name = "REPOSITORY", env = "PINHOLE_REPOSITORY")]
    pub(crate) address: String,
    /// Public key that must have signed what goes into and out of it; without any, signatures are not asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct PackDecoderArgs {
    /// ONNX graph: latents [n, M, rows, columns] to grey levels [n, 3, 16 rows, 16 columns], float32
    #[arg(value_name = "GRAPH")]
    pub(crate) graph: PathBuf,
    /// Bundle whose streams it decodes; without it, the one in this program
    #[arg(long, value_name = "FILE")]
    pub(crate) base: Option<PathBuf>,
    /// Bundle to write
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Which decoder it is: hq or gan
    #[arg(long, value_enum, default_value_t = PictureDecoder::Hq)]
    pub(crate) decoder: PictureDecoder,
    /// Name of the model; else that of the base and the decoder's
    #[arg(long, default_value = "")]
    pub(crate) name: String,
    /// Version; else that of the base
    #[arg(long, default_value = "")]
    pub(crate) model_version: String,
    /// JSON file of fields for the manifest, as lineage and metrics
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,
}
