//! What a challenger must keep to.

use std::fmt;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::drift::Window;

/// Times that a bucket keeps; beyond them every other is dropped, so that memory is bounded.
const TIMES: usize = 2048;
const BUCKETS: usize = 10;

/// Service-level objectives of a challenger.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Slo {
    /// Largest share of requests that may fail for the model's fault, 0..=1.
    pub error_rate: f64,
    /// Largest p95 in milliseconds, if bounded.
    pub p95_ms: Option<f64>,
    /// Largest p95 against the champion's.
    pub p95_ratio: f64,
    /// Smallest mean PSNR against the champion's picture, in dB.
    pub psnr: f64,
    /// Smallest mean SSIMULACRA2 against the champion's picture.
    pub ssimulacra2: f64,
    /// Requests before errors and times are judged.
    pub min_requests: u64,
    /// Comparisons before quality is judged.
    pub min_comparisons: u64,
    /// Length of the window that is judged, in seconds.
    pub window_seconds: u64,
}

impl Default for Slo {
    fn default() -> Self {
        Slo {
            error_rate: 0.01,
            p95_ms: None,
            p95_ratio: 1.5,
            psnr: 24.0,
            ssimulacra2: 50.0,
            min_requests: 20,
            min_comparisons: 5,
            window_seconds: 60,
        }
    }
}

/// An objective that was missed, with numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "objective", rename_all = "snake_case")]
pub enum Breach {
    /// Too many failures.
    ErrorRate {
        /// Share of failed requests.
        rate: f64,
        /// The largest allowed.
        limit: f64,
        /// The last failure's words.
        last: String,
    },
    /// Too slow.
    Latency {
        /// The challenger's p95 in milliseconds.
        p95_ms: f64,
        /// The largest allowed.
        limit_ms: f64,
    },
    /// Pictures too far from the champion's, by PSNR.
    Psnr {
        /// Mean in dB.
        mean: f64,
        /// The smallest allowed.
        limit: f64,
    },
    /// Pictures too far from the champion's, by SSIMULACRA2.
    Ssimulacra2 {
        /// Mean.
        mean: f64,
        /// The smallest allowed.
        limit: f64,
    },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Breach::ErrorRate { rate, limit, last } => {
                let (rate, limit) = (100.0 * rate, 100.0 * limit);
                write!(f, "{rate:.1} % of requests failed (at most {limit:.1} %), the last: {last}")
            }
            Breach::Latency { p95_ms, limit_ms } => {
                write!(f, "p95 of {p95_ms:.1} ms (at most {limit_ms:.1} ms)")
            }
            Breach::Psnr { mean, limit } => {
                write!(f, "PSNR of {mean:.1} dB against the champion (at least {limit:.1} dB)")
            }
            Breach::Ssimulacra2 { mean, limit } => {
                write!(f, "SSIMULACRA2 of {mean:.1} against the champion (at least {limit:.1})")
            }
        }
    }
}

#[derive(Debug, Default)]
struct Bucket {
    requests: u64,
    failures: u64,
    /// Milliseconds; one in `stride` requests.
    times: Vec<f32>,
    stride: u64,
}

/// Outcomes of one version's requests over a sliding window.
#[derive(Debug)]
pub struct Health {
    window: Window<Bucket>,
    last_failure: Option<String>,
}

/// The window of a [`Health`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct HealthReport {
    /// Requests that were answered or failed.
    pub requests: u64,
    /// Those that failed for the model's fault.
    pub failures: u64,
    /// Median time in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// The last failure's words.
    pub last_failure: Option<String>,
}

impl Health {
    /// No requests yet.
    pub fn new(window: Duration, now: Instant) -> Self {
        Health { window: Window::new(window, BUCKETS, now), last_failure: None }
    }

    /// A request that was answered after `time`.
    pub fn success(&mut self, time: Duration, now: Instant) {
        let bucket = self.window.current(now);
        bucket.add(time);
    }

    /// A request that failed for the model's fault.
    pub fn failure(&mut self, reason: &str, time: Duration, now: Instant) {
        let bucket = self.window.current(now);
        bucket.failures += 1;
        bucket.add(time);
        self.last_failure = Some(reason.to_owned());
    }

    /// The window as it is now.
    pub fn report(&mut self, now: Instant) -> HealthReport {
        let mut report = HealthReport::default();
        // A time stands for as many requests as its bucket's stride.
        let mut times: Vec<(f32, u64)> = Vec::new();
        for bucket in self.window.recent(now) {
            report.requests += bucket.requests;
            report.failures += bucket.failures;
            times.extend(bucket.times.iter().map(|&t| (t, bucket.stride.max(1))));
        }
        times.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let total: u64 = times.iter().map(|t| t.1).sum();
        let quantile = |q: f64| {
            let wanted = (q * total as f64).ceil() as u64;
            let mut seen = 0;
            let at = times.iter().find(|(_, weight)| {
                seen += weight;
                seen >= wanted
            });
            at.map(|&(time, _)| f64::from(time))
        };
        (report.p50_ms, report.p95_ms, report.p99_ms) =
            (quantile(0.5), quantile(0.95), quantile(0.99));
        report.last_failure = self.last_failure.clone();
        report
    }
}

impl Bucket {
    fn add(&mut self, time: Duration) {
        self.stride = self.stride.max(1);
        if self.requests.is_multiple_of(self.stride) {
            if self.times.len() >= TIMES {
                let mut at = 0;
                self.times.retain(|_| {
                    at += 1;
                    at % 2 == 1
                });
                self.stride *= 2;
            }
            self.times.push(1e3 * time.as_secs_f32());
        }
        self.requests += 1;
    }
}

impl HealthReport {
    /// What of the objectives this window misses, against the champion's window.
    pub fn breaches(&self, slo: &Slo, champion: &HealthReport) -> Vec<Breach> {
        let mut breaches = Vec::new();
        if self.requests < slo.min_requests {
            return breaches;
        }
        let rate = self.failures as f64 / self.requests as f64;
        if rate > slo.error_rate {
            let last = self.last_failure.clone().unwrap_or_default();
            breaches.push(Breach::ErrorRate { rate, limit: slo.error_rate, last });
        }
        // A ratio against a handful of requests is noise.
        let relative = champion.p95_ms.filter(|_| champion.requests >= slo.min_requests);
        let limits = [slo.p95_ms, relative.map(|p95| p95 * slo.p95_ratio)];
        let limit = limits.into_iter().flatten().reduce(f64::min);
        if let (Some(p95_ms), Some(limit_ms)) = (self.p95_ms, limit)
            && p95_ms > limit_ms
        {
            breaches.push(Breach::Latency { p95_ms, limit_ms });
        }
        breaches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health(times: impl Iterator<Item = u64>, failures: usize) -> HealthReport {
        let now = Instant::now();
        let mut health = Health::new(Duration::from_secs(60), now);
        times.for_each(|ms| health.success(Duration::from_millis(ms), now));
        (0..failures).for_each(|_| health.failure("broken", Duration::from_millis(1), now));
        health.report(now)
    }

    #[test]
    fn quantiles_of_a_ramp() {
        let report = health(1..=100, 0);
        assert_eq!(
            (report.p50_ms, report.p95_ms, report.p99_ms),
            (Some(50.0), Some(95.0), Some(99.0))
        );
        // Many more than a bucket keeps: bounded memory, the same quantiles within a percent.
        let report = health((0..100_000).map(|i| i * 7919 % 100_000), 0);
        assert_eq!(report.requests, 100_000);
        assert!((report.p95_ms.unwrap() - 95_000.0).abs() < 1500.0, "{report:?}");
    }

    #[test]
    fn objectives() {
        let slo = Slo { min_requests: 10, ..Slo::default() };
        let champion = health((0..100).map(|_| 10), 0);
        assert_eq!(health((0..100).map(|_| 14), 0).breaches(&slo, &champion), []);
        let slow = health((0..100).map(|_| 20), 0).breaches(&slo, &champion);
        assert_eq!(slow, [Breach::Latency { p95_ms: 20.0, limit_ms: 15.0 }]);
        let broken = health((0..90).map(|_| 10), 10).breaches(&slo, &champion);
        assert!(matches!(&broken[..], [Breach::ErrorRate { rate, .. }] if *rate == 0.1));
        assert!(broken[0].to_string().contains("broken"));
        // Too few to judge.
        assert_eq!(health(0..0, 9).breaches(&slo, &champion), []);
        // An absolute bound needs no champion.
        let slo = Slo { p95_ms: Some(12.0), ..slo };
        let none = HealthReport::default();
        assert_eq!(health((0..100).map(|_| 14), 0).breaches(&slo, &none).len(), 1);
    }
}
