//! What the operator page draws.

use std::collections::VecDeque;
use std::time::SystemTime;

use serde::Serialize;
use utoipa::ToSchema;

/// Decodes that are kept.
const DECODES: usize = 50;
/// Samples that are kept: an hour at one in ten seconds.
const SAMPLES: usize = 360;

/// A decode.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Recent {
    /// When.
    #[serde(serialize_with = "seconds")]
    #[schema(value_type = f64)]
    pub at: SystemTime,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: u64,
    /// Pixels per row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Bytes of the stream.
    pub bytes: usize,
    /// From the body to the answer.
    pub milliseconds: f64,
    /// Anomaly score.
    pub anomaly: Option<f64>,
    /// Chunks that were concealed.
    pub damaged: usize,
}

/// Seconds since 1970.
pub(crate) fn seconds<S: serde::Serializer>(at: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    let since = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    to.serialize_f64(since.as_secs_f64())
}

/// Ten seconds of one model version.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Sample {
    /// End of the ten seconds.
    #[serde(serialize_with = "seconds")]
    #[schema(value_type = f64)]
    pub at: SystemTime,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: u64,
    /// Whether it is a challenger.
    pub challenger: bool,
    /// Decodes.
    pub decodes: usize,
    /// Median time in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95th percentile.
    pub p95_ms: Option<f64>,
    /// Mean PSNR against the champion, of challengers.
    pub psnr: Option<f64>,
    /// Mean SSIMULACRA2 against the champion, of challengers.
    pub ssimulacra2: Option<f64>,
    /// Population stability index.
    pub psi: Option<f64>,
    /// Kullback-Leibler divergence.
    pub kl: Option<f64>,
}

#[derive(Debug, Default)]
pub(super) struct History {
    recent: VecDeque<Recent>,
    /// Version and milliseconds of what was decoded since the last sample; bounded.
    times: Vec<(String, u64, f64)>,
    samples: VecDeque<Sample>,
}

/// Times that enter a sample.
const TIMES: usize = 20_000;

impl History {
    pub(super) fn push(&mut self, recent: Recent) {
        if self.times.len() < TIMES {
            self.times.push((recent.model.clone(), recent.version, recent.milliseconds));
        }
        self.recent.push_front(recent);
        self.recent.truncate(DECODES);
    }

    pub(super) fn recent(&self) -> Vec<Recent> {
        self.recent.iter().cloned().collect()
    }

    pub(super) fn samples(&self) -> Vec<Sample> {
        self.samples.iter().cloned().collect()
    }

    /// Takes the times of a version since the last samples: how many, median, 95th percentile.
    pub(super) fn times(&self, model: &str, version: u64) -> (usize, Option<f64>, Option<f64>) {
        let own = self.times.iter().filter(|(m, v, _)| m == model && *v == version);
        let mut times: Vec<f64> = own.map(|(_, _, time)| *time).collect();
        times.sort_unstable_by(f64::total_cmp);
        let at = |q: f64| times.get((q * times.len() as f64) as usize).copied();
        (times.len(), at(0.5), at(0.95))
    }

    pub(super) fn sampled(&mut self, samples: Vec<Sample>) {
        self.times.clear();
        self.samples.extend(samples);
        while self.samples.len() > SAMPLES {
            self.samples.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_latest_and_their_quantiles() {
        let mut history = History::default();
        for i in 0..100 {
            history.push(Recent {
                at: SystemTime::now(),
                model: "photo".to_owned(),
                version: 1 + i % 2,
                width: 1,
                height: 1,
                bytes: 1,
                milliseconds: i as f64,
                anomaly: None,
                damaged: 0,
            });
        }
        assert_eq!(history.recent().len(), DECODES);
        assert_eq!(history.recent()[0].milliseconds, 99.0);
        assert_eq!(history.times("photo", 1), (50, Some(50.0), Some(94.0)));
        assert_eq!(history.times("other", 1), (0, None, None));
        history.sampled(Vec::new());
        assert_eq!(history.times("photo", 1).0, 0);
    }
}
