//! Bundles without a repository: files in a folder, stages in memory.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{Listed, ModelState, Stage, StoreError};

/// A bundle, or a folder of `NAME.pinm` (version 1 of a model) and `NAME/VERSION/*.pinm`. The folder is read again
/// whenever it is asked, so new versions may be put beside the old ones.
#[derive(Debug)]
pub(super) struct Plain {
    path: PathBuf,
    stages: Mutex<BTreeMap<String, Stages>>,
}

/// What was decided about a model's versions since the start.
#[derive(Clone, Debug, Default)]
struct Stages {
    stages: BTreeMap<u64, Stage>,
    /// Versions that were in production, the present one last.
    history: Vec<u64>,
}

type Bundles = BTreeMap<String, BTreeMap<u64, PathBuf>>;

impl Plain {
    pub(super) fn open(path: &Path) -> Result<Self, StoreError> {
        let plain = Plain { path: path.to_owned(), stages: Mutex::default() };
        if plain.bundles()?.is_empty() {
            let words = format!("{}: no bundle (.pinm) and no repository", path.display());
            return Err(StoreError::NotFound(words));
        }
        Ok(plain)
    }

    pub(super) fn models(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.bundles()?.into_keys().collect())
    }

    pub(super) fn state(&self, model: &str) -> Result<ModelState, StoreError> {
        let versions = self.versions(model)?;
        let mut all = self.stages();
        let own = all.entry(model.to_owned()).or_default();
        // Until someone says otherwise the oldest version is in production: one that is put beside it must be promoted.
        if own.history.is_empty()
            && let Some(&first) = versions.keys().next()
        {
            own.history.push(first);
            own.stages.insert(first, Stage::Production);
        }
        let listed = versions.into_keys().map(|version| Listed {
            version,
            stage: own.stages.get(&version).copied().unwrap_or(Stage::Candidate),
            label: String::new(),
        });
        Ok(ModelState { versions: listed.collect() })
    }

    pub(super) fn fetch(&self, model: &str, version: u64) -> Result<Vec<u8>, StoreError> {
        let path = self.path(model, version)?;
        std::fs::read(&path).map_err(|e| unreachable(&path, &e))
    }

    pub(super) fn promote(&self, model: &str, version: u64) -> Result<(), StoreError> {
        self.path(model, version)?;
        self.state(model)?;
        let mut all = self.stages();
        let own = all.entry(model.to_owned()).or_default();
        if let Some(&before) = own.history.last().filter(|&&before| before != version) {
            own.stages.insert(before, Stage::Archived);
        }
        own.stages.insert(version, Stage::Production);
        own.history.retain(|&known| known != version);
        own.history.push(version);
        Ok(())
    }

    pub(super) fn set_stage(
        &self,
        model: &str,
        version: u64,
        stage: Stage,
    ) -> Result<(), StoreError> {
        self.path(model, version)?;
        self.stages().entry(model.to_owned()).or_default().stages.insert(version, stage);
        Ok(())
    }

    pub(super) fn predecessor(&self, model: &str) -> Result<u64, StoreError> {
        let stages = self.stages();
        let before = stages.get(model).and_then(|own| own.history.iter().rev().nth(1));
        before.copied().ok_or_else(|| {
            StoreError::Refused(format!("{model}: nothing was in production before"))
        })
    }

    pub(super) fn roll_back(&self, model: &str) -> Result<u64, StoreError> {
        let before = self.predecessor(model)?;
        let mut all = self.stages();
        let own = all.entry(model.to_owned()).or_default();
        if let Some(last) = own.history.pop() {
            own.stages.insert(last, Stage::Archived);
        }
        own.stages.insert(before, Stage::Production);
        Ok(before)
    }

    fn stages(&self) -> MutexGuard<'_, BTreeMap<String, Stages>> {
        self.stages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn versions(&self, model: &str) -> Result<BTreeMap<u64, PathBuf>, StoreError> {
        let missing = || StoreError::NotFound(format!("no model is named {model}"));
        self.bundles()?.remove(model).ok_or_else(missing)
    }

    fn path(&self, model: &str, version: u64) -> Result<PathBuf, StoreError> {
        let missing = || StoreError::NotFound(format!("{model} has no version {version}"));
        self.versions(model)?.remove(&version).ok_or_else(missing)
    }

    fn bundles(&self) -> Result<Bundles, StoreError> {
        let mut bundles = Bundles::new();
        if self.path.is_file() {
            add(&mut bundles, &self.path);
            return Ok(bundles);
        }
        for path in entries(&self.path)? {
            add(&mut bundles, &path);
            if !path.is_dir() {
                continue;
            }
            let Some(model) = path.file_name().and_then(OsStr::to_str) else { continue };
            for folder in entries(&path)? {
                let version = folder.file_name().and_then(OsStr::to_str);
                let Some(version) = version.and_then(|text| text.parse().ok()) else { continue };
                let mut files = if folder.is_dir() { entries(&folder)? } else { Vec::new() };
                files.retain(|file| is_bundle(file));
                files.sort_unstable();
                if let Some(file) = files.into_iter().next() {
                    bundles.entry(model.to_owned()).or_default().insert(version, file);
                }
            }
        }
        Ok(bundles)
    }
}

/// A file that is a model of its own.
fn add(bundles: &mut Bundles, path: &Path) {
    if let Some(name) = path.file_stem().and_then(OsStr::to_str)
        && is_bundle(path)
    {
        bundles.entry(name.to_owned()).or_default().insert(1, path.to_owned());
    }
}

fn is_bundle(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|suffix| suffix == "pinm")
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let entries = std::fs::read_dir(folder).map_err(|e| unreachable(folder, &e))?;
    let paths: Result<Vec<_>, _> = entries.map(|entry| entry.map(|entry| entry.path())).collect();
    paths.map_err(|e| unreachable(folder, &e))
}

fn unreachable(path: &Path, error: &std::io::Error) -> StoreError {
    StoreError::Unreachable(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, file).unwrap();
        }
        folder
    }

    #[test]
    fn files_become_models() {
        assert!(matches!(Plain::open(folder(&["a.txt"]).path()), Err(StoreError::NotFound(_))));
        let folder = folder(&["photo.pinm", "notes.txt", "scan/7/model.pinm", "scan/x/model.pinm"]);
        let plain = Plain::open(folder.path()).unwrap();
        assert_eq!(plain.models().unwrap(), ["photo", "scan"]);
        assert_eq!(plain.state("photo").unwrap().production(), Some(1));
        assert_eq!(plain.state("scan").unwrap().production(), Some(7));
        assert_eq!(plain.fetch("photo", 1).unwrap(), b"photo.pinm");
        assert!(matches!(plain.fetch("photo", 2), Err(StoreError::NotFound(_))));
        assert!(matches!(plain.fetch("other", 1), Err(StoreError::NotFound(_))));
        let alone = Plain::open(&folder.path().join("photo.pinm")).unwrap();
        assert_eq!(alone.models().unwrap(), ["photo"]);
        drop(folder);
        assert!(matches!(plain.models(), Err(StoreError::Unreachable(_))));
    }

    #[test]
    fn stages_change_and_go_back() {
        let folder = folder(&["scan/1/m.pinm", "scan/2/m.pinm", "scan/3/m.pinm"]);
        let plain = Plain::open(folder.path()).unwrap();
        assert_eq!(plain.state("scan").unwrap().production(), Some(1));
        assert!(matches!(plain.roll_back("scan"), Err(StoreError::Refused(_))));
        plain.promote("scan", 2).unwrap();
        plain.promote("scan", 3).unwrap();
        plain.set_stage("scan", 1, Stage::Staging).unwrap();
        let stages: Vec<Stage> =
            plain.state("scan").unwrap().versions.iter().map(|v| v.stage).collect();
        assert_eq!(stages, [Stage::Staging, Stage::Archived, Stage::Production]);
        assert_eq!(plain.predecessor("scan").unwrap(), 2);
        assert_eq!(plain.roll_back("scan").unwrap(), 2);
        assert_eq!(plain.roll_back("scan").unwrap(), 1);
        assert!(matches!(plain.promote("scan", 9), Err(StoreError::NotFound(_))));
    }
}
