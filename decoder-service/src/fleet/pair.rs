//! A model as it serves: its champion, and perhaps a challenger.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Running;
use crate::rollout::{Mode, Plan, Rollout, takes_challenger};

/// A version that is tried.
#[derive(Clone, Debug)]
pub struct Challenger {
    /// The version.
    pub running: Arc<Running>,
    /// How it is tried.
    pub plan: Plan,
    /// How it does.
    rollout: Arc<Mutex<Rollout>>,
}

impl Challenger {
    pub(super) fn new(running: Arc<Running>, plan: Plan, rollout: Rollout) -> Self {
        Challenger { running, plan, rollout: Arc::new(Mutex::new(rollout)) }
    }

    /// The state of its trial.
    pub fn rollout(&self) -> MutexGuard<'_, Rollout> {
        self.rollout.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Champion and challenger. Never changed, only replaced: a request sees one state of it from beginning to end.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Answers.
    pub champion: Arc<Running>,
    /// Is tried.
    pub challenger: Option<Challenger>,
}

impl Pair {
    /// The challenger, if the request at this place is its to answer.
    pub fn canary(&self, place: u64) -> Option<&Challenger> {
        self.tried(place, Mode::Canary)
    }

    /// The challenger, if it decodes the request at this place beside the champion.
    pub fn shadow(&self, place: u64) -> Option<&Challenger> {
        self.tried(place, Mode::Shadow)
    }

    fn tried(&self, place: u64, mode: Mode) -> Option<&Challenger> {
        let challenger = self.challenger.as_ref()?;
        let plan = &challenger.plan;
        (plan.mode == mode && takes_challenger(place, plan.share)).then_some(challenger)
    }

    /// The version of this number.
    pub fn version(&self, version: u64) -> Option<&Arc<Running>> {
        let challenger = self.challenger.as_ref().map(|c| &c.running);
        [Some(&self.champion), challenger].into_iter().flatten().find(|r| r.version() == version)
    }
}
