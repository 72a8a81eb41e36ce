//! `pinhole serve`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use clap::Args;
use pinhole_serve::Config;

use crate::report::{Failure, Outcome};

/// Where settings come from: the command line over the file over the defaults.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Model repository (folder or s3://BUCKET/PREFIX), or a folder or file of plain bundles
    #[arg(value_name = "MODELS")]
    models: Option<String>,
    /// Address and port; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Settings (TOML); docs/operations/service.md lists them
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Public key, or folder of them: bundles must be signed by one
    #[arg(long, value_name = "PEM|DIR")]
    keys: Option<PathBuf>,
    /// Threads to use; 0 means one for each core
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
}

pub(crate) fn run(args: &ServeArgs) -> Outcome {
    let config = settings(args).map_err(|reason| Failure::Usage(reason.to_string()))?;
    pinhole_serve::block_on(config).map_err(|reason| Failure::from(anyhow!(reason)))
}

fn settings(args: &ServeArgs) -> anyhow::Result<Config> {
    let read = |path: &Path| Config::read(path).map_err(|e| anyhow!("{e}"));
    let mut config = args.config.as_deref().map_or_else(|| Ok(Config::default()), read)?;
    if let Some(models) = &args.models {
        config.repository.clone_from(models);
    }
    if let Some(listen) = args.listen {
        config.listen = listen;
    }
    if let Some(keys) = &args.keys {
        config.trusted_keys = Some(keys.clone());
    }
    if let Some(threads) = args.threads {
        config.threads = threads;
    }
    config.check()?;
    Ok(config)
}
