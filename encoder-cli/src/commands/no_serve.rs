//! `pinhole serve` of a program without the service.

use std::ffi::OsString;

use clap::Args;

use crate::report::{Failure, Outcome};

/// Whatever the service would take.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    _given: Vec<OsString>,
}

pub(crate) fn run(_args: &ServeArgs) -> Outcome {
    Err(Failure::Failed(
        "this program was built without the service: build it with `--features serve`".into(),
    ))
}
