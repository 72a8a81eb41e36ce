//! Where output goes, and how it gets there whole or not at all.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, bail};

use crate::args::OutputArgs;
use crate::picture::plain;
use crate::report::{Failure, shown};

/// The place of one output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Destination {
    Stdout,
    /// A file that `-o` names; overwritten if it exists.
    Named(PathBuf),
    /// A file whose name was made from the input's; never overwritten without `--force`.
    Derived(PathBuf),
}

/// Where the outputs of a command go, one rule for all of its inputs.
pub(crate) struct Plan {
    rule: Rule,
    force: bool,
    taken: HashSet<PathBuf>,
}

enum Rule {
    Beside,
    Stdout,
    File(PathBuf),
    Folder(PathBuf),
}

impl Plan {
    /// Decides the rule from the options; makes the output folder if one is needed.
    pub(crate) fn new(inputs: &[PathBuf], args: &OutputArgs) -> Result<Self, Failure> {
        let streams = inputs.iter().filter(|input| is_stream_name(input)).count();
        if streams > 1 {
            return Err(Failure::Usage("standard input can be named only once".to_owned()));
        }
        let several = inputs.len() > 1;
        let rule = match &args.output {
            None => Rule::Beside,
            Some(path) if is_stream_name(path) && several => {
                let reason = "several inputs do not fit in standard output";
                return Err(Failure::Usage(reason.to_owned()));
            }
            Some(path) if is_stream_name(path) => Rule::Stdout,
            Some(path) if several || path.is_dir() || ends_like_folder(path) => {
                if path.exists() && !path.is_dir() {
                    let reason = format!("{}: with several inputs -o is a folder", shown(path));
                    return Err(Failure::Usage(reason));
                }
                fs::create_dir_all(path).map_err(|error| {
                    Failure::Failed(format!("{}: {}", shown(path), plain(&error)))
                })?;
                Rule::Folder(path.clone())
            }
            Some(path) => Rule::File(path.clone()),
        };
        Ok(Plan { rule, force: args.force, taken: HashSet::new() })
    }

    /// The file that `-o` names, if it names one.
    pub(crate) fn named_file(&self) -> Option<&Path> {
        match &self.rule {
            Rule::File(path) => Some(path),
            Rule::Beside | Rule::Stdout | Rule::Folder(_) => None,
        }
    }

    /// Where the output of `input` goes, or why it cannot.
    pub(crate) fn destination(&mut self, input: &Path, suffix: &str) -> Result<Destination> {
        let path = match &self.rule {
            Rule::Stdout => return Ok(Destination::Stdout),
            Rule::Beside if is_stream_name(input) => return Ok(Destination::Stdout),
            Rule::File(path) => {
                if same_file(input, path) {
                    bail!("the output would replace the input");
                }
                return Ok(Destination::Named(path.clone()));
            }
            Rule::Beside => input.with_extension(suffix),
            Rule::Folder(folder) => {
                let name = if is_stream_name(input) { Path::new("stdin") } else { input };
                let name = name.file_name().ok_or_else(|| anyhow!("not a file name"))?;
                folder.join(name).with_extension(suffix)
            }
        };
        if same_file(input, &path) {
            bail!("the output would replace the input; name another with -o");
        }
        if !self.taken.insert(path.clone()) {
            bail!("{} is already the output of another input", shown(&path));
        }
        if !self.force && path.exists() {
            bail!("{} exists already; -f overwrites it", shown(&path));
        }
        Ok(Destination::Derived(path))
    }
}

impl Destination {
    /// Writes all of `bytes`, or leaves nothing behind.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<()> {
        match self {
            Destination::Stdout => write_stdout(bytes),
            Destination::Named(path) | Destination::Derived(path) => write_file(path, bytes),
        }
    }

    /// The name for people.
    pub(crate) fn name(&self) -> String {
        match self {
            Destination::Stdout => "standard output".to_owned(),
            Destination::Named(path) | Destination::Derived(path) => shown(path),
        }
    }
}

fn is_stream_name(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn ends_like_folder(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().last().is_some_and(|&b| std::path::is_separator(b as char))
}

fn same_file(a: &Path, b: &Path) -> bool {
    match (a.canonicalize(), b.canonicalize()) {
        (Ok(a), Ok(b)) => a == b,
        _ => false,
    }
}

fn write_stdout(bytes: &[u8]) -> Result<()> {
    let mut out = io::stdout().lock();
    if out.is_terminal() {
        bail!("standard output is a terminal; name a file with -o");
    }
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .map_err(|error| anyhow!("standard output: {}", plain(&error)))
}

/// Writes beside `path` under a temporary name and renames, so that `path` is at all times either
/// what it was or complete. Devices and pipes are written to directly; links are followed.
pub(crate) fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let failed = |error: io::Error| anyhow!("{}: {}", shown(path), plain(&error));
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    if let Ok(found) = fs::metadata(&target)
        && !found.is_file()
    {
        return File::options()
            .write(true)
            .open(&target)
            .and_then(|mut file| file.write_all(bytes))
            .map_err(failed);
    }
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    builder.prefix(".pinhole-").suffix(".tmp");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // As any program's new file: the process's umask takes its part of this.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(failed)?;
    file.write_all(bytes).map_err(failed)?;
    file.persist(&target).map_err(|error| failed(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(output: Option<&Path>, force: bool) -> OutputArgs {
        OutputArgs { output: output.map(Path::to_owned), force, verbose: false }
    }

    #[test]
    fn made_up_names_lie_beside_the_input_and_are_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("a.png");
        let output = folder.path().join("a.pin");
        let inputs = [input.clone()];
        let mut plan = Plan::new(&inputs, &args(None, false)).unwrap();
        let found = plan.destination(&input, "pin").unwrap();
        assert_eq!(found, Destination::Derived(output.clone()));

        fs::write(&output, b"old").unwrap();
        let mut plan = Plan::new(&inputs, &args(None, false)).unwrap();
        assert!(plan.destination(&input, "pin").is_err());
        let mut plan = Plan::new(&inputs, &args(None, true)).unwrap();
        assert!(plan.destination(&input, "pin").is_ok());
    }

    #[test]
    fn two_inputs_cannot_share_an_output() {
        let folder = tempfile::tempdir().unwrap();
        let inputs = [PathBuf::from("a.png"), PathBuf::from("a.jpg")];
        let out = folder.path().join("new");
        let mut plan = Plan::new(&inputs, &args(Some(&out), true)).unwrap();
        assert!(out.is_dir());
        assert!(plan.destination(&inputs[0], "pin").is_ok());
        assert!(plan.destination(&inputs[1], "pin").is_err());
    }

    #[test]
    fn streams_and_several_inputs_do_not_mix() {
        let two = [PathBuf::from("a.png"), PathBuf::from("b.png")];
        assert!(Plan::new(&two, &args(Some(Path::new("-")), false)).is_err());
        let dashes = [PathBuf::from("-"), PathBuf::from("-")];
        assert!(Plan::new(&dashes, &args(None, false)).is_err());
        let one = [PathBuf::from("-")];
        let mut plan = Plan::new(&one, &args(None, false)).unwrap();
        assert_eq!(plan.destination(&one[0], "pin").unwrap(), Destination::Stdout);
    }

    #[test]
    fn an_output_never_replaces_its_input() {
        let folder = tempfile::tempdir().unwrap();
        let input = folder.path().join("a.pin");
        fs::write(&input, b"x").unwrap();
        let inputs = [input.clone()];
        let mut plan = Plan::new(&inputs, &args(Some(&input), true)).unwrap();
        assert!(plan.destination(&input, "png").is_err());
        let mut plan = Plan::new(&inputs, &args(None, true)).unwrap();
        assert!(plan.destination(&input, "pin").is_err());
    }

    #[test]
    fn writing_replaces_whole_files_and_leaves_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.pin");
        write_file(&path, b"one").unwrap();
        write_file(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let missing = folder.path().join("no/such/a.pin");
        assert!(write_file(&missing, b"x").is_err());
    }
}
