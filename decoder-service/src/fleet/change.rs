//! Changes that people (and verdicts) ask for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{error, info, warn};

use super::store::{Stage, StoreError};
use super::work::times;
use super::{Challenger, Fleet, Pair, Running};
use crate::error::{ApiError, Kind};
use crate::rollout::{Breach, Phase, Plan, Report, Rollout, Verdict};
use crate::telemetry::{ModelLabels, RollbackLabels};

/// Why a change was not made. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ChangeError {
    /// The repository says no, or nothing.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bundle cannot serve.
    #[error("version {version} cannot serve: {reason}")]
    Unfit {
        /// The version.
        version: u64,
        /// Why.
        reason: String,
    },
    /// Not in this state.
    #[error("{0}")]
    State(String),
    /// No such model.
    #[error("{0}")]
    Unknown(String),
}

impl From<ChangeError> for ApiError {
    fn from(error: ChangeError) -> Self {
        let kind = match &error {
            ChangeError::Store(StoreError::NotFound(_)) | ChangeError::Unknown(_) => Kind::NotFound,
            ChangeError::Store(StoreError::Unreachable(_)) => Kind::Repository,
            ChangeError::Store(StoreError::Refused(_)) | ChangeError::State(_) => Kind::Conflict,
            ChangeError::Store(StoreError::Untrusted(_)) | ChangeError::Unfit { .. } => {
                Kind::Invalid
            }
        };
        ApiError::new(kind, error.to_string())
    }
}

impl Fleet {
    /// Fetches, verifies and loads a version, and decodes a test picture with it.
    pub(super) async fn load_version(
        &self,
        model: &str,
        version: u64,
    ) -> Result<Arc<Running>, ChangeError> {
        let bytes = self.store.fetch(model, version).await?;
        let (name, drift) = (model.to_owned(), self.config.drift.clone());
        let runtime = self.config.runtime.chosen(self.config.device);
        let admission = Arc::clone(&self.admission);
        let load = move || {
            let unfit = |reason: String| ChangeError::Unfit { version, reason };
            let running = Running::load(&name, version, &bytes, runtime, &drift);
            let running = running.map_err(|e| unfit(e.to_string()))?;
            let (pixels, tried) = running.try_out().map_err(unfit)?;
            // So that not even the first requests are accepted blindly. Small pictures take long for their size: real ones
            // soon correct it.
            if let Some(first) = tried.first() {
                let [latents, drawing] = times(first);
                admission.learn(pixels, [latents, drawing, Duration::ZERO]);
            }
            Ok(Arc::new(running))
        };
        match tokio::task::spawn_blocking(load).await {
            Ok(result) => result,
            Err(e) => Err(ChangeError::Unfit { version, reason: e.to_string() }),
        }
    }

    fn known(&self, model: &str) -> Option<Arc<Pair>> {
        self.table().get(model).cloned()
    }

    /// Makes a version the champion. The repository has it before any request does.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn promote(&self, model: &str, version: u64) -> Result<(), ChangeError> {
        let _changing = self.changing.lock().await;
        let pair = self.known(model);
        let running = match pair.as_ref().and_then(|pair| pair.version(version)) {
            Some(running) => Arc::clone(running),
            None => self.load_version(model, version).await?,
        };
        self.store.promote(model, version).await?;
        self.crown(model, running);
        self.metrics.promotions.get_or_create(&ModelLabels { model: model.to_owned() }).inc();
        info!(model, version, "promoted");
        Ok(())
    }

    /// Puts a champion into the table. A trial ends: its challenger became champion, or its champion is gone.
    pub(super) fn crown(&self, model: &str, champion: Arc<Running>) {
        let version = champion.version();
        let before = self.replace(model, Pair { champion, challenger: None });
        let Some(challenger) = before.as_ref().and_then(|pair| pair.challenger.as_ref()) else {
            return;
        };
        let now = Instant::now();
        let mut rollout = challenger.rollout();
        if challenger.running.version() == version {
            rollout.promoted(now);
        } else {
            let reason = format!("version {version} became champion meanwhile");
            rollout.roll_back(Vec::new(), Some(reason), now);
        }
        let report = rollout.report(now);
        drop(rollout);
        self.keep_report(report);
    }

    /// Starts the trial of a version.
    ///
    /// # Errors
    /// [`ChangeError`]; a trial that runs already is one.
    pub async fn try_version(
        &self,
        model: &str,
        version: u64,
        plan: Plan,
    ) -> Result<Report, ChangeError> {
        plan.check().map_err(ChangeError::State)?;
        let _changing = self.changing.lock().await;
        let pair = self.known(model).ok_or_else(|| {
            ChangeError::Unknown(format!("no model named '{model}' serves: promote one first"))
        })?;
        if let Some(challenger) = &pair.challenger {
            let detail = format!("version {} is being tried", challenger.running.version());
            return Err(ChangeError::State(detail));
        }
        if pair.champion.version() == version {
            return Err(ChangeError::State(format!("version {version} is the champion")));
        }
        let running = self.load_version(model, version).await?;
        if running.model().latent_space() != pair.champion.model().latent_space() {
            let reason = "its latent space is another than the champion's".to_owned();
            return Err(ChangeError::Unfit { version, reason });
        }
        self.store.set_stage(model, version, Stage::Staging).await?;
        let now = Instant::now();
        let mut rollout = Rollout::new(model, pair.champion.version(), version, plan.clone(), now);
        let report = rollout.report(now);
        let challenger = Challenger::new(running, plan, rollout);
        let champion = Arc::clone(&pair.champion);
        self.replace(model, Pair { champion, challenger: Some(challenger) });
        info!(model, version, "trial started");
        Ok(report)
    }

    /// Takes the last change back: the challenger, if one is being tried; otherwise the champion, in favour of its
    /// predecessor. The version that serves now.
    ///
    /// # Errors
    /// [`ChangeError`]
    pub async fn roll_back(&self, model: &str, reason: &str) -> Result<u64, ChangeError> {
        let _changing = self.changing.lock().await;
        let pair = self
            .known(model)
            .ok_or_else(|| ChangeError::Unknown(format!("no model named '{model}' serves")))?;
        let labels = RollbackLabels { model: model.to_owned(), cause: "manual" };
        if let Some(challenger) = &pair.challenger
            && self.withdraw(model, &pair)
        {
            self.metrics.rollbacks.get_or_create(&labels).inc();
            self.taken_back(model, challenger, Vec::new(), Some(reason.to_owned())).await;
            return Ok(pair.champion.version());
        }
        let version = self.store.predecessor(model).await?;
        let running = self.load_version(model, version).await?;
        let went_back_to = self.store.roll_back(model).await?;
        let running = if went_back_to == version {
            running
        } else {
            // Somebody else changed it between the two lines: what the repository says counts.
            warn!(model, version = went_back_to, "changed by others meanwhile");
            self.load_version(model, went_back_to).await?
        };
        let version = went_back_to;
        self.crown(model, running);
        self.metrics.rollbacks.get_or_create(&labels).inc();
        info!(model, version, reason, "rolled back");
        Ok(version)
    }

    /// Ends trials whose challengers miss their objectives. Waits for nobody: neither a change that is being made nor a
    /// repository that hangs keeps a bad challenger in the traffic.
    pub(super) fn enforce(self: &Arc<Self>) {
        for (model, pair) in self.table().iter() {
            let Some(challenger) = &pair.challenger else { continue };
            let verdict = challenger.rollout().verdict(Instant::now());
            let Verdict::RollBack(breaches) = verdict else { continue };
            if !self.withdraw(model, pair) {
                continue;
            }
            let labels = RollbackLabels { model: model.clone(), cause: "automatic" };
            self.metrics.rollbacks.get_or_create(&labels).inc();
            let (fleet, model, pair) = (Arc::clone(self), model.clone(), Arc::clone(pair));
            tokio::spawn(async move {
                if let Some(challenger) = &pair.challenger {
                    fleet.taken_back(&model, challenger, breaches, None).await;
                }
            });
        }
    }

    /// What is left to do when a challenger is out of the traffic: the report, and telling the repository.
    async fn taken_back(
        &self,
        model: &str,
        challenger: &Challenger,
        breaches: Vec<Breach>,
        reason: Option<String>,
    ) {
        let version = challenger.running.version();
        let report = {
            let now = Instant::now();
            let mut rollout = challenger.rollout();
            rollout.roll_back(breaches, reason, now);
            rollout.report(now)
        };
        if let Phase::RolledBack { reason, after_seconds, .. } = &report.phase {
            warn!(model, version, reason, after_seconds, "challenger rolled back");
        }
        self.keep_report(report);
        // The traffic is safe already. A repository that cannot be told keeps the version in staging, where it serves nobody.
        if let Err(error) = self.store.set_stage(model, version, Stage::Archived).await {
            error!(model, version, %error, "the repository could not be told of a rollback");
        }
    }
}
