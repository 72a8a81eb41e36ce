//! `pinhole-serve`: the service alone, for containers. `pinhole serve` is the same.

use std::path::PathBuf;
use std::process::ExitCode;

use pinhole_serve::Config;

const USAGE: &str = "\
usage: pinhole-serve [CONFIG.toml]
       pinhole-serve --openapi      print the OpenAPI document";

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let config = match (arguments.next(), arguments.next()) {
        (None, _) => Ok(Config::default()),
        (Some(flag), None) if flag == "--openapi" => return openapi(),
        (Some(path), None) if !path.to_string_lossy().starts_with('-') => {
            Config::read(&PathBuf::from(path)).map_err(|e| e.to_string())
        }
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(2);
        }
    };
    match config.and_then(pinhole_serve::block_on) {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("pinhole-serve: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn openapi() -> ExitCode {
    match pinhole_serve::routes::document().to_pretty_json() {
        Ok(text) => {
            println!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("pinhole-serve: {error}");
            ExitCode::FAILURE
        }
    }
}
