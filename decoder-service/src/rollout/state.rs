//! The life of a challenger.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::slo::{Breach, Health, HealthReport, Slo};
use crate::drift::Window;

const BUCKETS: usize = 10;

/// What a challenger gets to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Answers a share of the requests; some of them are decoded by the champion too and compared.
    Canary,
    /// Decodes a share of the requests beside the champion, which answers all of them.
    Shadow,
}

/// How to try a challenger.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Canary or shadow.
    #[serde(default = "Plan::default_mode")]
    pub mode: Mode,
    /// Share of the requests, 0..=1.
    #[serde(default = "Plan::default_share")]
    pub share: f64,
    /// Of the canary's requests, the share that is compared with the champion, 0..=1. Shadows are always compared.
    #[serde(default = "Plan::default_compare")]
    pub compare: f64,
    /// Objectives; breaking one rolls the challenger back.
    #[serde(default)]
    pub slo: Slo,
}

impl Plan {
    fn default_mode() -> Mode {
        Mode::Canary
    }
    fn default_share() -> f64 {
        0.05
    }
    fn default_compare() -> f64 {
        0.1
    }

    /// Says what is out of range.
    ///
    /// # Errors
    /// A share outside 0..=1, or a window of no length.
    pub fn check(&self) -> Result<(), String> {
        for (name, share) in [("share", self.share), ("compare", self.compare)] {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{name} is {share}: must be within 0 and 1"));
            }
        }
        if self.slo.window_seconds == 0 {
            return Err("slo.window_seconds must be at least 1".to_owned());
        }
        Ok(())
    }
}

impl Default for Plan {
    fn default() -> Self {
        Plan {
            mode: Plan::default_mode(),
            share: Plan::default_share(),
            compare: Plan::default_compare(),
            slo: Slo::default(),
        }
    }
}

/// One picture, decoded by both.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Of the challenger's picture against the champion's, in dB; 100 for equal pictures.
    pub psnr: f64,
    /// SSIMULACRA2, 100 for equal pictures; none if the picture is too small for it.
    pub ssimulacra2: Option<f64>,
}

/// Comparisons over the window.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Quality {
    /// Pictures compared.
    pub comparisons: u64,
    /// Mean PSNR in dB.
    pub psnr: Option<f64>,
    /// Worst PSNR.
    pub worst_psnr: Option<f64>,
    /// Mean SSIMULACRA2.
    pub ssimulacra2: Option<f64>,
    /// Worst SSIMULACRA2.
    pub worst_ssimulacra2: Option<f64>,
}

#[derive(Debug, Default)]
struct Comparisons {
    count: u64,
    psnr: f64,
    worst_psnr: Option<f64>,
    scored: u64,
    ssimulacra2: f64,
    worst_ssimulacra2: Option<f64>,
}

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// The challenger gets requests.
    Running,
    /// It was made champion.
    Promoted,
    /// It was taken back.
    RolledBack {
        /// Objectives it missed; empty if a person took it back.
        breaches: Vec<Breach>,
        /// The same in words, or the person's.
        reason: String,
        /// Seconds from its start.
        after_seconds: f64,
    },
}

/// What should happen with a challenger.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Nothing.
    Continue,
    /// It must go, for these reasons.
    RollBack(Vec<Breach>),
}

/// Champion and challenger side by side.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Report {
    /// The model.
    pub model: String,
    /// Version that answers.
    pub champion: u64,
    /// Version that is tried.
    pub challenger: u64,
    /// How it is tried.
    pub plan: Plan,
    /// Seconds since it started.
    pub running_seconds: f64,
    /// Where it stands.
    #[serde(flatten)]
    pub phase: Phase,
    /// The champion's requests in the window.
    pub champion_health: HealthReport,
    /// The challenger's.
    pub challenger_health: HealthReport,
    /// The challenger's pictures against the champion's.
    pub quality: Quality,
}

/// A challenger beside its champion.
#[derive(Debug)]
pub struct Rollout {
    model: String,
    champion: u64,
    challenger: u64,
    plan: Plan,
    phase: Phase,
    started: Instant,
    ended: Option<Instant>,
    champion_health: Health,
    challenger_health: Health,
    comparisons: Window<Comparisons>,
}

impl Rollout {
    /// Starts one.
    pub fn new(model: &str, champion: u64, challenger: u64, plan: Plan, now: Instant) -> Self {
        let window = Duration::from_secs(plan.slo.window_seconds.max(1));
        Rollout {
            model: model.to_owned(),
            champion,
            challenger,
            plan,
            phase: Phase::Running,
            started: now,
            ended: None,
            champion_health: Health::new(window, now),
            challenger_health: Health::new(window, now),
            comparisons: Window::new(window, BUCKETS, now),
        }
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Version that is tried.
    pub fn challenger(&self) -> u64 {
        self.challenger
    }

    /// Whether the challenger gets requests.
    pub fn is_running(&self) -> bool {
        self.phase == Phase::Running
    }

    /// A version's request was answered after `time`.
    pub fn success(&mut self, version: u64, time: Duration, now: Instant) {
        if let Some(health) = self.health(version) {
            health.success(time, now);
        }
    }

    /// A version failed a request for a fault of its own.
    pub fn failure(&mut self, version: u64, reason: &str, time: Duration, now: Instant) {
        if let Some(health) = self.health(version) {
            health.failure(reason, time, now);
        }
    }

    fn health(&mut self, version: u64) -> Option<&mut Health> {
        if version == self.challenger {
            Some(&mut self.challenger_health)
        } else if version == self.champion {
            Some(&mut self.champion_health)
        } else {
            None
        }
    }

    /// A picture was decoded by both.
    pub fn compared(&mut self, comparison: Comparison, now: Instant) {
        let own = self.comparisons.current(now);
        own.count += 1;
        own.psnr += comparison.psnr;
        own.worst_psnr = lower(own.worst_psnr, comparison.psnr);
        if let Some(score) = comparison.ssimulacra2 {
            own.scored += 1;
            own.ssimulacra2 += score;
            own.worst_ssimulacra2 = lower(own.worst_ssimulacra2, score);
        }
    }

    /// Whether quality cannot be judged yet: then every picture should be compared, not a share of them.
    pub fn wants_comparison(&mut self) -> bool {
        let now = Instant::now();
        let count: u64 = self.comparisons.recent(now).map(|own| own.count).sum();
        self.is_running() && count < self.plan.slo.min_comparisons
    }

    fn quality(&mut self, now: Instant) -> Quality {
        let (mut count, mut psnr, mut scored, mut ssimulacra2) = (0, 0.0, 0, 0.0);
        let (mut worst_psnr, mut worst_ssimulacra2) = (None, None);
        for own in self.comparisons.recent(now) {
            count += own.count;
            psnr += own.psnr;
            scored += own.scored;
            ssimulacra2 += own.ssimulacra2;
            worst_psnr = own.worst_psnr.map_or(worst_psnr, |v| lower(worst_psnr, v));
            worst_ssimulacra2 =
                own.worst_ssimulacra2.map_or(worst_ssimulacra2, |v| lower(worst_ssimulacra2, v));
        }
        Quality {
            comparisons: count,
            psnr: (count > 0).then(|| psnr / count as f64),
            worst_psnr,
            ssimulacra2: (scored > 0).then(|| ssimulacra2 / scored as f64),
            worst_ssimulacra2,
        }
    }

    /// Whether the challenger may go on.
    pub fn verdict(&mut self, now: Instant) -> Verdict {
        if !self.is_running() {
            return Verdict::Continue;
        }
        let slo = self.plan.slo.clone();
        let champion = self.champion_health.report(now);
        let mut breaches = self.challenger_health.report(now).breaches(&slo, &champion);
        let quality = self.quality(now);
        if quality.comparisons >= slo.min_comparisons.max(1) {
            let below = |value: Option<f64>, limit: f64| value.filter(|&v| v < limit);
            if let Some(mean) = below(quality.psnr, slo.psnr) {
                breaches.push(Breach::Psnr { mean, limit: slo.psnr });
            }
            if let Some(mean) = below(quality.ssimulacra2, slo.ssimulacra2) {
                breaches.push(Breach::Ssimulacra2 { mean, limit: slo.ssimulacra2 });
            }
        }
        if breaches.is_empty() { Verdict::Continue } else { Verdict::RollBack(breaches) }
    }

    /// Takes the challenger back; a rollout that has ended stays as it is.
    pub fn roll_back(&mut self, breaches: Vec<Breach>, reason: Option<String>, now: Instant) {
        if self.is_running() {
            let words = || {
                let all: Vec<_> = breaches.iter().map(ToString::to_string).collect();
                all.join("; ")
            };
            let reason = reason.unwrap_or_else(words);
            let after_seconds = now.saturating_duration_since(self.started).as_secs_f64();
            self.phase = Phase::RolledBack { breaches, reason, after_seconds };
            self.ended = Some(now);
        }
    }

    /// The challenger became champion; a rollout that has ended stays as it is.
    pub fn promoted(&mut self, now: Instant) {
        if self.is_running() {
            self.phase = Phase::Promoted;
            self.ended = Some(now);
        }
    }

    /// Champion and challenger side by side.
    pub fn report(&mut self, now: Instant) -> Report {
        // What it looked like when it ended is what a reader wants to see.
        let now = self.ended.unwrap_or(now);
        Report {
            model: self.model.clone(),
            champion: self.champion,
            challenger: self.challenger,
            plan: self.plan.clone(),
            running_seconds: now.saturating_duration_since(self.started).as_secs_f64(),
            phase: self.phase.clone(),
            champion_health: self.champion_health.report(now),
            challenger_health: self.challenger_health.report(now),
            quality: self.quality(now),
        }
    }
}

fn lower(known: Option<f64>, value: f64) -> Option<f64> {
    Some(known.map_or(value, |known| known.min(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn rollout(now: Instant) -> Rollout {
        let slo = Slo { min_requests: 10, min_comparisons: 3, ..Slo::default() };
        Rollout::new("photo", 1, 2, Plan { slo, ..Plan::default() }, now)
    }

    #[test]
    fn a_good_challenger_goes_on_and_is_promoted() {
        let now = Instant::now();
        let mut rollout = rollout(now);
        for _ in 0..50 {
            rollout.success(1, 10 * MS, now);
            rollout.success(2, 11 * MS, now);
            rollout.compared(Comparison { psnr: 45.0, ssimulacra2: Some(95.0) }, now);
        }
        // Another version's outcomes are nobody's.
        rollout.failure(3, "other", MS, now);
        assert_eq!(rollout.verdict(now), Verdict::Continue);
        rollout.promoted(now);
        let report = rollout.report(now);
        assert_eq!(report.phase, Phase::Promoted);
        assert_eq!((report.champion_health.requests, report.challenger_health.requests), (50, 50));
        assert_eq!(report.quality.ssimulacra2, Some(95.0));
        // It has ended: nothing changes it.
        rollout.roll_back(vec![], Some("late".to_owned()), now);
        assert_eq!(rollout.report(now).phase, Phase::Promoted);
    }

    #[test]
    fn errors_times_and_pictures_roll_back() {
        let now = Instant::now();
        let mut failing = rollout(now);
        (0..10).for_each(|_| failing.failure(2, "no decode", MS, now));
        assert!(matches!(&failing.verdict(now), Verdict::RollBack(b)
            if matches!(b[..], [Breach::ErrorRate { .. }])));

        let mut slow = rollout(now);
        (0..20).for_each(|_| slow.success(1, 10 * MS, now));
        (0..20).for_each(|_| slow.success(2, 40 * MS, now));
        assert!(matches!(&slow.verdict(now), Verdict::RollBack(b)
            if matches!(b[..], [Breach::Latency { .. }])));

        let mut ugly = rollout(now);
        (0..3)
            .for_each(|_| ugly.compared(Comparison { psnr: 12.0, ssimulacra2: Some(-40.0) }, now));
        let Verdict::RollBack(breaches) = ugly.verdict(now) else { panic!("went on") };
        assert_eq!(breaches.len(), 2);
        ugly.roll_back(breaches, None, now + Duration::from_secs(7));
        let report = ugly.report(now + Duration::from_secs(90));
        let Phase::RolledBack { reason, after_seconds, .. } = report.phase else { panic!("runs") };
        assert_eq!(after_seconds, 7.0);
        assert!(reason.contains("PSNR of 12.0 dB") && reason.contains("SSIMULACRA2 of -40.0"));
    }

    #[test]
    fn plans_are_checked() {
        let plan: Plan = serde_json::from_str(r#"{"mode": "shadow", "share": 0.5}"#).unwrap();
        assert_eq!((plan.mode, plan.check()), (Mode::Shadow, Ok(())));
        assert!(Plan { share: 1.5, ..Plan::default() }.check().is_err());
        assert!(Plan { share: f64::NAN, ..Plan::default() }.check().is_err());
        assert!(serde_json::from_str::<Plan>(r#"{"shrae": 0.5}"#).is_err());
    }
}
