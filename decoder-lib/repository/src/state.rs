//! Which version of a model is in which stage.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// How far a version has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// New: to be tried, as a canary for instance.
    Candidate,
    /// About to replace the one in production. One version at most.
    Staging,
    /// In use. One version at most.
    Production,
    /// No longer in use; kept.
    Archived,
}

impl Stage {
    /// All of them.
    pub const ALL: [Stage; 4] =
        [Stage::Candidate, Stage::Staging, Stage::Production, Stage::Archived];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Staging => "staging",
            Self::Production => "production",
            Self::Archived => "archived",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Stage {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        let found = Self::ALL.into_iter().find(|stage| stage.name() == name);
        found.ok_or_else(|| {
            let stages = "candidate, staging, production and archived";
            Error::Invalid(format!("no stage is called {name:?}: there are {stages}"))
        })
    }
}

/// One version of a model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Version {
    /// How far it has come.
    pub stage: Stage,
    /// Hash of the bundle's file.
    pub sha256: String,
    /// Bytes of the bundle's file.
    pub bytes: u64,
    /// Version in the bundle's manifest, for people.
    pub label: String,
    /// Latent space, in hexadecimal: which streams it decodes.
    pub latent_space: String,
    /// The public key that signed it, in hexadecimal.
    pub signer: Option<String>,
    /// Where it comes from, from the manifest.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub lineage: serde_json::Value,
    /// How good it is, from the manifest.
    #[serde(default, skip_serializing_if = "serde_json::Value::is_null")]
    pub metrics: serde_json::Value,
    /// When it was pushed, in seconds since 1970.
    pub pushed: u64,
}

/// All versions of a model, after some number of changes.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct State {
    /// Number of changes.
    pub generation: u64,
    /// When the last of them was made, in seconds since 1970.
    pub time: u64,
    /// What it was.
    pub change: String,
    /// The versions.
    pub versions: BTreeMap<u64, Version>,
    /// Names of versions; they never move.
    pub tags: BTreeMap<String, u64>,
    /// Versions that were in production, oldest first, the present one last; those rolled back are not among them.
    pub productions: Vec<u64>,
}

impl State {
    /// The version in production.
    pub fn production(&self) -> Option<u64> {
        self.in_stage(Stage::Production).next()
    }

    /// The versions in a stage, oldest first.
    pub fn in_stage(&self, stage: Stage) -> impl DoubleEndedIterator<Item = u64> {
        self.versions.iter().filter(move |(_, v)| v.stage == stage).map(|(&number, _)| number)
    }

    /// The version that a number, tag or stage names; of several candidates the newest.
    ///
    /// # Errors
    /// [`Error::NotFound`]
    pub fn resolve(&self, name: &str) -> Result<u64, Error> {
        let number = name.parse().ok().filter(|number| self.versions.contains_key(number));
        let stage = || name.parse().ok().and_then(|stage| self.in_stage(stage).next_back());
        let tag = || self.tags.get(name).copied();
        let found = number.or_else(tag).or_else(stage);
        found.ok_or_else(|| Error::NotFound(format!("version, tag or stage {name}")))
    }

    /// The version, to be changed.
    fn version(&mut self, number: u64) -> Result<&mut Version, Error> {
        let found = self.versions.get_mut(&number);
        found.ok_or_else(|| Error::NotFound(format!("version {number}")))
    }

    /// Adds a version.
    pub(crate) fn add(&mut self, number: u64, version: Version) {
        self.change = format!("push {number}");
        self.versions.insert(number, version);
    }

    /// Names a version, for good.
    pub(crate) fn tag(&mut self, tag: &str, number: u64) -> Result<(), Error> {
        self.version(number)?;
        match self.tags.get(tag) {
            Some(&version) if version != number => {
                return Err(Error::TagTaken { tag: tag.to_owned(), version });
            }
            _ => self.tags.insert(tag.to_owned(), number),
        };
        self.change = format!("tag {number} {tag}");
        Ok(())
    }

    /// Moves a version to a stage. Who was in staging or production before it is archived.
    pub(crate) fn set_stage(&mut self, number: u64, stage: Stage) -> Result<(), Error> {
        let before = self.version(number)?.stage;
        if before == stage {
            return Err(Error::SameStage { version: number, stage });
        }
        if matches!(stage, Stage::Staging | Stage::Production) {
            for other in self.versions.values_mut().filter(|v| v.stage == stage) {
                other.stage = Stage::Archived;
            }
        }
        if before == Stage::Production {
            self.productions.retain(|&n| n != number);
        }
        if stage == Stage::Production {
            self.productions.retain(|&n| n != number);
            self.productions.push(number);
        }
        self.version(number)?.stage = stage;
        self.change = format!("{number} to {stage}");
        Ok(())
    }

    /// Puts the predecessor back into production, and archives the present version. The predecessor's number.
    pub(crate) fn roll_back(&mut self) -> Result<u64, Error> {
        let [.., before, now] = self.productions[..] else { return Err(Error::NoPredecessor) };
        self.productions.pop();
        self.version(now)?.stage = Stage::Archived;
        self.version(before)?.stage = Stage::Production;
        self.change = format!("roll back {now} to {before}");
        Ok(before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(versions: u64) -> State {
        let version = Version {
            stage: Stage::Candidate,
            sha256: String::new(),
            bytes: 0,
            label: String::new(),
            latent_space: String::new(),
            signer: None,
            lineage: serde_json::Value::Null,
            metrics: serde_json::Value::Null,
            pushed: 0,
        };
        let mut state = State::default();
        (1..=versions).for_each(|number| state.add(number, version.clone()));
        state
    }

    #[test]
    fn one_version_is_in_production() {
        let mut s = state(3);
        s.set_stage(1, Stage::Production).unwrap();
        s.set_stage(2, Stage::Staging).unwrap();
        s.set_stage(2, Stage::Production).unwrap();
        s.set_stage(3, Stage::Production).unwrap();
        let stages: Vec<_> = s.versions.values().map(|v| v.stage).collect();
        assert_eq!(stages, [Stage::Archived, Stage::Archived, Stage::Production]);
        assert!(matches!(s.set_stage(3, Stage::Production), Err(Error::SameStage { .. })));
        assert!(matches!(s.set_stage(9, Stage::Production), Err(Error::NotFound(_))));
    }

    #[test]
    fn rolling_back_goes_back_step_by_step() {
        let mut s = state(4);
        assert!(matches!(s.roll_back(), Err(Error::NoPredecessor)));
        for number in 1..=3 {
            s.set_stage(number, Stage::Production).unwrap();
        }
        assert_eq!((s.roll_back().unwrap(), s.production()), (2, Some(2)));
        // The one rolled back is not what a later rollback goes back to.
        s.set_stage(4, Stage::Production).unwrap();
        assert_eq!(s.roll_back().unwrap(), 2);
        assert_eq!(s.roll_back().unwrap(), 1);
        assert!(matches!(s.roll_back(), Err(Error::NoPredecessor)));
        assert_eq!(s.production(), Some(1));
    }

    #[test]
    fn tags_stay() {
        let mut s = state(2);
        s.tag("v1", 1).unwrap();
        s.tag("v1", 1).unwrap();
        assert!(matches!(s.tag("v1", 2), Err(Error::TagTaken { version: 1, .. })));
        assert!(matches!(s.tag("v3", 3), Err(Error::NotFound(_))));
        assert_eq!(s.resolve("v1").unwrap(), 1);
        assert_eq!(s.resolve("2").unwrap(), 2);
        assert_eq!(s.resolve("candidate").unwrap(), 2);
        assert!(matches!(s.resolve("production"), Err(Error::NotFound(_))));
    }
}
