//! What happens by itself: looks at the repository, verdicts, metrics.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use tracing::{info, warn};

use super::{ChangeError, Fleet, Running, Sample};
use crate::drift::Alarm;
use crate::server::Stop;
use crate::telemetry::{AlarmLabels, ChannelLabels, RoleLabels};

/// Between verdicts on challengers.
const VERDICTS: Duration = Duration::from_millis(500);
/// Between samples of the operator page's curves.
const SAMPLES: Duration = Duration::from_secs(10);

impl Fleet {
    /// Watches until `stop`.
    pub async fn watch(self: Arc<Self>, stop: Stop) {
        let poll = Duration::from_secs(self.config.poll_seconds.max(1));
        // Side by side: a repository that hangs must not hold up verdicts.
        tokio::select! {
            () = stop.asked() => {}
            () = self.judge_trials() => {}
            () = async {
                loop {
                    tokio::time::sleep(poll).await;
                    self.refresh().await;
                }
            } => {}
        }
    }

    async fn judge_trials(self: &Arc<Self>) {
        let mut sampled = Instant::now();
        loop {
            tokio::time::sleep(VERDICTS).await;
            self.enforce();
            if sampled.elapsed() >= SAMPLES {
                self.sample();
                sampled = Instant::now();
            }
        }
    }

    /// Takes over what changed in the repository. What cannot be taken over leaves what serves as it is.
    pub async fn refresh(&self) {
        let models = match self.store.models().await {
            Ok(models) => models,
            Err(error) => {
                warn!(%error, "the repository does not answer; serving what is loaded");
                self.metrics.repository_up.set(0);
                return;
            }
        };
        self.metrics.repository_up.set(1);
        for model in &models {
            if let Err(error) = self.refresh_model(model).await {
                warn!(model, %error, "a change in the repository cannot be taken over");
                self.metrics.reload_failures.inc();
            }
        }
        self.loaded.store(true, Ordering::Relaxed);
    }

    async fn refresh_model(&self, model: &str) -> Result<(), ChangeError> {
        let _changing = self.changing.lock().await;
        let wanted = self.store.state(model).await?.production();
        let pair = self.table().get(model).cloned();
        let now = pair.as_ref().map(|pair| pair.champion.version());
        match wanted {
            // A repository that lost its production version must not take the service down.
            None => Ok(()),
            Some(version) if Some(version) == now => Ok(()),
            Some(version) => {
                let running = match pair.as_ref().and_then(|pair| pair.version(version)) {
                    Some(running) => Arc::clone(running),
                    None => self.load_version(model, version).await?,
                };
                self.crown(model, running);
                self.metrics.reloads.inc();
                info!(model, version, "loaded");
                Ok(())
            }
        }
    }

    /// Notes a point of every version's curves.
    fn sample(&self) {
        let at = SystemTime::now();
        let table = self.table();
        let mut samples = Vec::new();
        for (model, pair) in table.iter() {
            let challenger = pair.challenger.as_ref();
            let quality = challenger.map(|c| c.rollout().report(Instant::now()).quality);
            let versions = std::iter::once((&pair.champion, false))
                .chain(challenger.map(|c| (&c.running, true)));
            for (running, challenger) in versions {
                let drift = running.drift();
                let quality = quality.as_ref().filter(|_| challenger);
                samples.push(Sample {
                    at,
                    model: model.clone(),
                    version: running.version(),
                    challenger,
                    decodes: 0,
                    p50_ms: None,
                    p95_ms: None,
                    psnr: quality.and_then(|q| q.psnr),
                    ssimulacra2: quality.and_then(|q| q.ssimulacra2),
                    psi: drift.psi,
                    kl: drift.kl,
                });
            }
        }
        let mut history = self.history.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for sample in &mut samples {
            (sample.decodes, sample.p50_ms, sample.p95_ms) =
                history.times(&sample.model, sample.version);
        }
        history.sampled(samples);
    }

    /// Brings the gauges up to date; called when they are read.
    pub fn measure(&self) {
        let metrics = &self.metrics;
        let load = self.load();
        metrics.queue_depth.set((load.waiting + load.ready + load.decoding + load.drawing) as i64);
        metrics.queue_capacity.set(load.capacity as i64);
        metrics.queue_wait.set(self.wait().as_secs_f64());
        metrics.cache_bytes.set(i64::try_from(self.cache.weight()).unwrap_or(i64::MAX));
        metrics.resident_bytes.set(resident().unwrap_or(0));
        // Versions that no longer serve must not stay in the gauges.
        metrics.clear_versions();
        for pair in self.table().values() {
            self.measure_version(&pair.champion, "champion");
            if let Some(challenger) = &pair.challenger {
                self.measure_version(&challenger.running, "challenger");
                let labels = challenger.running.labels();
                metrics.rollout_share.get_or_create(&labels).set(challenger.plan.share);
                let quality = challenger.rollout().report(Instant::now()).quality;
                if let Some(psnr) = quality.psnr {
                    metrics.rollout_psnr.get_or_create(&labels).set(psnr);
                }
                if let Some(score) = quality.ssimulacra2 {
                    metrics.rollout_ssimulacra2.get_or_create(&labels).set(score);
                }
            }
        }
    }

    fn measure_version(&self, running: &Running, role: &'static str) {
        let metrics = &self.metrics;
        let labels = running.labels();
        let (model, version) = (labels.model.clone(), labels.version);
        let role = RoleLabels { model: model.clone(), version, role };
        metrics.roles.get_or_create(&role).set(1);
        let drift = running.drift();
        metrics.drift_frames.get_or_create(&labels).set(drift.frames as i64);
        metrics.drift_dead.get_or_create(&labels).set(drift.dead.len() as i64);
        let numbers = [
            (&metrics.drift_psi, drift.psi),
            (&metrics.drift_kl, drift.kl),
            (&metrics.drift_bpp, drift.bpp),
            (&metrics.drift_rate_ratio, drift.rate_ratio),
            (&metrics.drift_escape_rate, drift.escape_rate),
        ];
        for (gauge, value) in numbers {
            if let Some(value) = value {
                gauge.get_or_create(&labels).set(value);
            }
        }
        for alarm in Alarm::ALL {
            let raised = i64::from(drift.alarms.contains(&alarm));
            let labels = AlarmLabels { model: model.clone(), version, alarm: alarm.name() };
            metrics.drift_alarm.get_or_create(&labels).set(raised);
        }
        if self.config.drift.channel_metrics {
            for (channel, own) in drift.channels.iter().enumerate() {
                let channel = channel as u32;
                let labels = ChannelLabels { model: model.clone(), version, channel };
                metrics.channel_mean.get_or_create(&labels).set(own.mean);
                metrics.channel_variance.get_or_create(&labels).set(own.variance);
            }
        }
    }
}

/// Resident bytes of this process, where `/proc` tells.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}
