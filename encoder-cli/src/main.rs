//! The `pinhole` command.
//!
//! Exit codes: 0 when everything asked for was done, 1 when some input failed, 2 when the command
//! line makes no sense. Every error is one line on standard error, `pinhole: FILE: reason`.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::panic))]

mod args;
mod codec;
mod commands;
mod drawer;
mod float;
mod metrics;
mod output;
mod picture;
mod progress;
mod report;
mod sensor;

use std::process::ExitCode;

use args::{Command, CommandLine};
use clap::Parser;
use clap::error::ErrorKind;
use report::{Failure, Outcome};

fn main() -> ExitCode {
    let line = match CommandLine::try_parse() {
        Ok(line) => line,
        Err(error) => return refuse_command_line(&error),
    };
    let outcome: Outcome = match line.command {
        Command::Encode(args) => commands::encode::run(&args),
        Command::Decode(args) => commands::decode::run(&args),
        Command::Info(args) => commands::info::run(&args),
        Command::Compare(args) => commands::compare::run(&args),
        Command::Model(args) => commands::model::run(&args),
        Command::Bench(args) => commands::bench::run(&args),
        Command::Figure(args) => commands::figure::run(&args),
        Command::Serve(args) => commands::serve::run(&args),
        Command::Sensor(args) => commands::sensor::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let code = failure.exit_code();
            if let Failure::Usage(reason) | Failure::Failed(reason) = failure {
                report::error_line(None, &reason);
            }
            ExitCode::from(code)
        }
    }
}

/// Help and version go out as clap words them; a wrong command line is told in one line.
fn refuse_command_line(error: &clap::Error) -> ExitCode {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // A closed standard output is no reason to fail after showing help.
            let _ = error.print();
            ExitCode::SUCCESS
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let _ = error.print();
            ExitCode::from(report::USAGE)
        }
        _ => {
            let text = error.render().to_string();
            let reason = text.split("\n\n").next().unwrap_or_default();
            let reason = reason.strip_prefix("error: ").unwrap_or(reason);
            report::error_line(None, &format!("{reason} (see --help)"));
            ExitCode::from(report::USAGE)
        }
    }
}
