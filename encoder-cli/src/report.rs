//! What the commands tell about failure, and how it reaches standard error and the exit code.

use std::fmt::Display;
use std::path::Path;

/// Exit code of a run in which some input failed.
pub(crate) const FAILED: u8 = 1;
/// Exit code of a command line that makes no sense.
pub(crate) const USAGE: u8 = 2;

/// Why a command did not do all that it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The options contradict each other in a way that only their values show.
    Usage(String),
    /// The command failed as a whole, for this reason.
    Failed(String),
    /// Some inputs failed and were reported when they did.
    Reported,
}

impl Failure {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Failure::Usage(_) => USAGE,
            Failure::Failed(_) | Failure::Reported => FAILED,
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Failed(format!("{error:#}"))
    }
}

pub(crate) type Outcome = Result<(), Failure>;

/// Writes `pinhole: FILE: reason`, always as one line.
pub(crate) fn error_line(file: Option<&Path>, reason: &dyn Display) {
    eprintln!("pinhole: {}", one_line(file, reason));
}

/// `FILE: reason` with every run of white space folded, so that it is one line.
pub(crate) fn one_line(file: Option<&Path>, reason: &dyn Display) -> String {
    let reason = reason.to_string();
    let folded = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    match file {
        Some(file) => format!("{}: {folded}", shown(file)),
        None => folded,
    }
}

/// A path as people read it: `-` is a stream, and a name with a newline stays on one line.
pub(crate) fn shown(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "standard input".to_owned();
    }
    path.display().to_string().escape_debug().to_string().replace("\\'", "'").replace("\\\"", "\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_folded_to_one_line() {
        assert_eq!(one_line(Some(Path::new("a.png")), &"bad\n  thing"), "a.png: bad thing");
        assert_eq!(one_line(Some(Path::new("a\nb")), &"x"), "a\\nb: x");
        assert_eq!(one_line(Some(Path::new("-")), &"x"), "standard input: x");
    }
}
