//! The sliding window of one model version, and what it says.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    BINS, Expected, Frame, FrameStatistics, Reference, Window, gaussian_kl, population_stability,
};

/// Buckets of the window: it forgets a twelfth at a time.
const BUCKETS: usize = 12;
/// Standard deviation of log₂ of bits per pixel over photographs, where neither bundle nor experience tell.
const USUAL_DEVIATION: f64 = 0.7;
/// Frames from which a mean of the sizes is trusted, where the bundle has no reference.
const LEARNED_FRAMES: u64 = 30;

/// Thresholds of the monitor.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DriftSettings {
    /// Share of decodes whose latents are looked at, 0..=1. Sizes are always.
    pub sample: f64,
    /// Length of the sliding window, in seconds.
    pub window_seconds: u64,
    /// Frames that a window needs before it can raise an alarm.
    pub min_frames: u64,
    /// Population stability index (mean over channels) from which there is an alarm.
    pub psi: f64,
    /// Kullback-Leibler divergence in nats (mean over channels) from which there is an alarm.
    pub kl: f64,
    /// Bits per pixel may be this many times the expected ones, or this part of them.
    pub rate_factor: f64,
    /// Escape rate may exceed the expected one by this.
    pub escape_rate: f64,
    /// A channel is dead if its variance is below this part of the expected one.
    pub dead: f64,
    /// Anomaly score (in standard deviations) from which a frame counts as anomalous.
    pub anomaly: f64,
    /// Frames from which a bundle without `shares` in its reference learns them.
    pub learn_frames: u64,
    /// Export mean and variance of every channel as metrics.
    pub channel_metrics: bool,
}

impl Default for DriftSettings {
    fn default() -> Self {
        DriftSettings {
            sample: 0.25,
            window_seconds: 600,
            min_frames: 50,
            psi: 0.25,
            kl: 1.0,
            rate_factor: 2.0,
            escape_rate: 0.01,
            dead: 1e-3,
            anomaly: 4.0,
            learn_frames: 200,
            channel_metrics: true,
        }
    }
}

/// What is wrong with a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Alarm {
    /// The population stability index is over its threshold.
    Psi,
    /// The Kullback-Leibler divergence is over its threshold.
    Kl,
    /// Frames take far more or fewer bits than expected.
    Rate,
    /// Too many symbols are escapes.
    Escapes,
    /// Channels that should vary do not.
    DeadChannels,
}

impl Alarm {
    /// All there are.
    pub const ALL: [Alarm; 5] =
        [Alarm::Psi, Alarm::Kl, Alarm::Rate, Alarm::Escapes, Alarm::DeadChannels];

    /// Its name in metrics.
    pub fn name(self) -> &'static str {
        match self {
            Alarm::Psi => "psi",
            Alarm::Kl => "kl",
            Alarm::Rate => "rate",
            Alarm::Escapes => "escapes",
            Alarm::DeadChannels => "dead_channels",
        }
    }
}

/// One channel over the window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
pub struct Channel {
    /// Mean, in symbols.
    pub mean: f64,
    /// Variance, in symbols².
    pub variance: f64,
    /// Divergence from the reference, in nats.
    pub kl: Option<f64>,
    /// Population stability index.
    pub psi: Option<f64>,
}

/// A window against the reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, ToSchema)]
pub struct Drift {
    /// Frames whose size entered.
    pub frames: u64,
    /// Frames whose latents entered.
    pub sampled: u64,
    /// Whether the bundle has reference statistics.
    pub has_reference: bool,
    /// Bits per pixel.
    pub bpp: Option<f64>,
    /// Bits per pixel over those that the reference expects at the same qualities.
    pub rate_ratio: Option<f64>,
    /// Escaped symbols among those read.
    pub escape_rate: Option<f64>,
    /// Population stability index, mean over channels.
    pub psi: Option<f64>,
    /// The channel whose index is largest, and the index.
    pub worst_psi: Option<(usize, f64)>,
    /// Kullback-Leibler divergence in nats, mean over channels.
    pub kl: Option<f64>,
    /// The channel whose divergence is largest, and the divergence.
    pub worst_kl: Option<(usize, f64)>,
    /// Channels that should vary and do not.
    pub dead: Vec<usize>,
    /// Anomalous frames among all.
    pub anomalous: u64,
    /// What is wrong; empty while the window has too few frames.
    pub alarms: Vec<Alarm>,
    /// Every channel.
    #[serde(skip)]
    #[schema(ignore)]
    pub channels: Vec<Channel>,
}

/// Sizes of all frames of a bucket.
#[derive(Clone, Copy, Debug, Default)]
struct Sizes {
    frames: u64,
    bits: f64,
    expected_bits: f64,
    pixels: f64,
    anomalous: u64,
}

/// Frames of one model version, against its reference.
#[derive(Debug)]
pub struct Monitor {
    settings: DriftSettings,
    reference: Option<Reference>,
    frames: Window<FrameStatistics>,
    sizes: Window<Sizes>,
    /// Shares of the first frames, where the reference has none.
    learned: Learning,
    /// Mean and squared deviation of log₂ of bits per pixel less the expected one (Welford).
    usual: (u64, f64, f64),
}

#[derive(Debug, Default)]
struct Learning {
    statistics: FrameStatistics,
    shares: Option<Vec<Vec<f64>>>,
}

impl Monitor {
    /// A monitor without frames.
    pub fn new(settings: DriftSettings, reference: Option<Reference>, now: Instant) -> Self {
        let length = Duration::from_secs(settings.window_seconds.max(1));
        let learned = Learning {
            shares: reference.as_ref().and_then(|r| Some(r.shares()?.to_vec())),
            ..Learning::default()
        };
        Monitor {
            frames: Window::new(length, BUCKETS, now),
            sizes: Window::new(length, BUCKETS, now),
            settings,
            reference,
            learned,
            usual: (0, 0.0, 0.0),
        }
    }

    /// What the reference expects at a quality (0..=100).
    pub fn expected(&self, quality: f64) -> Option<Expected> {
        Some(self.reference.as_ref()?.at(quality))
    }

    /// Takes a frame's size and gives its anomaly score: standard deviations that the logarithm of its bits per pixel is
    /// from the expected one. The bits under the model are its negative log-likelihood, so a high score is a frame that
    /// the model did not expect. None as long as neither reference nor experience tell what is usual.
    pub fn size(&mut self, quality: f64, bytes: usize, pixels: u64, now: Instant) -> Option<f64> {
        let bits = 8.0 * bytes as f64;
        let expected = self.expected(quality);
        let bpp = expected.as_ref().and_then(|e| e.bpp);
        let log = (bits / (pixels as f64).max(1.0)).max(1e-6).log2() - bpp.map_or(0.0, f64::log2);
        let (n, mean, squares) = self.usual;
        let learned = (n >= LEARNED_FRAMES).then(|| (squares / n as f64).sqrt().max(0.1));
        let centre = if bpp.is_some() { Some(0.0) } else { learned.map(|_| mean) };
        let own = expected.as_ref().and_then(|e| e.bpp_deviation);
        let deviation = own.or(learned).unwrap_or(USUAL_DEVIATION);
        let score = centre.map(|centre| (log - centre) / deviation);
        let anomalous = score.is_some_and(|s| s.abs() >= self.settings.anomaly);
        if !anomalous {
            // What is unusual must not become usual.
            let count = n + 1;
            let step = log - mean;
            let next = mean + step / count as f64;
            self.usual = (count, next, squares + step * (log - next));
        }
        let sizes = self.sizes.current(now);
        sizes.frames += 1;
        sizes.bits += bits;
        sizes.pixels += pixels as f64;
        sizes.expected_bits += bpp.unwrap_or(0.0) * pixels as f64;
        sizes.anomalous += u64::from(anomalous);
        score
    }

    /// Takes the sums of a frame; made by [`FrameStatistics::of`] outside of any lock.
    pub fn frame(&mut self, statistics: &FrameStatistics, now: Instant) {
        self.frames.current(now).add(statistics);
        if self.learned.shares.is_none() && self.reference.is_some() {
            self.learned.statistics.add(statistics);
            if self.learned.statistics.frames >= self.settings.learn_frames {
                let bins = std::mem::take(&mut self.learned.statistics).bins;
                let shares = bins.chunks_exact(BINS).map(|bins| {
                    let total = bins.iter().sum::<u64>().max(1) as f64;
                    bins.iter().map(|&n| n as f64 / total).collect()
                });
                self.learned.shares = Some(shares.collect());
            }
        }
    }

    /// Statistics of a frame at a quality, for [`Monitor::frame`].
    pub fn statistics(&self, frame: &Frame<'_>, quality: f64) -> FrameStatistics {
        FrameStatistics::of(frame, self.expected(quality).as_ref())
    }

    /// The window as it is now.
    pub fn drift(&mut self, now: Instant) -> Drift {
        let mut sum = FrameStatistics::default();
        self.frames.recent(now).for_each(|bucket| sum.add(bucket));
        let mut sizes = Sizes::default();
        for bucket in self.sizes.recent(now) {
            sizes.frames += bucket.frames;
            sizes.bits += bucket.bits;
            sizes.pixels += bucket.pixels;
            sizes.expected_bits += bucket.expected_bits;
            sizes.anomalous += bucket.anomalous;
        }
        let channels: Vec<Channel> = (0..sum.sum.len()).map(|c| self.channel(&sum, c)).collect();
        let (kl, worst_kl) = mean_and_worst(channels.iter().map(|c| c.kl));
        let (psi, worst_psi) = mean_and_worst(channels.iter().map(|c| c.psi));
        let dead = (0..channels.len()).filter(|&c| {
            sum.normal_moments(c).is_some_and(|(_, variance)| variance < self.settings.dead)
                && self.should_vary(c)
        });
        let ratio = |a: f64, b: f64| (b > 0.0).then(|| a / b);
        let mut drift = Drift {
            frames: sizes.frames,
            sampled: sum.frames,
            has_reference: self.reference.is_some(),
            bpp: ratio(sizes.bits, sizes.pixels),
            rate_ratio: ratio(sizes.bits, sizes.expected_bits),
            escape_rate: ratio(sum.escapes as f64, sum.symbols as f64),
            psi,
            worst_psi,
            kl,
            worst_kl,
            dead: dead.collect(),
            anomalous: sizes.anomalous,
            alarms: Vec::new(),
            channels,
        };
        drift.alarms = self.alarms(&drift);
        drift
    }

    fn channel(&self, sum: &FrameStatistics, c: usize) -> Channel {
        let (mean, variance) = sum.moments(c);
        let bins = sum.bins.get(c * BINS..(c + 1) * BINS);
        let shares = self.learned.shares.as_ref().and_then(|s| s.get(c));
        let kl = sum.normal_moments(c).map(|(mean, variance)| gaussian_kl(mean, variance));
        let psi = bins.zip(shares).and_then(|(bins, shares)| population_stability(bins, shares));
        Channel { mean, variance, kl, psi }
    }

    /// Whether the reference expects more of a channel than what quantisation noise would do.
    fn should_vary(&self, channel: usize) -> bool {
        let expected = self.expected(50.0);
        expected.is_some_and(|e| e.deviation.get(channel).is_some_and(|&d| d > 0.1))
    }

    fn alarms(&self, drift: &Drift) -> Vec<Alarm> {
        let s = &self.settings;
        let enough = drift.sampled >= s.min_frames;
        let over = |value: Option<f64>, limit: f64| value.is_some_and(|v| v > limit);
        let expected = self.expected(50.0).and_then(|e| e.escape_rate).unwrap_or(0.0);
        let factor = s.rate_factor.max(1.0);
        Alarm::ALL
            .into_iter()
            .filter(|alarm| match alarm {
                Alarm::Psi => enough && over(drift.psi, s.psi),
                Alarm::Kl => enough && over(drift.kl, s.kl),
                Alarm::Rate => {
                    let odd = |r: f64| r > factor || r < 1.0 / factor;
                    drift.frames >= s.min_frames && drift.rate_ratio.is_some_and(odd)
                }
                Alarm::Escapes => enough && over(drift.escape_rate, expected + s.escape_rate),
                Alarm::DeadChannels => enough && !drift.dead.is_empty(),
            })
            .collect()
    }
}

/// Mean of the numbers there are, and the largest with its index.
fn mean_and_worst(
    values: impl Iterator<Item = Option<f64>>,
) -> (Option<f64>, Option<(usize, f64)>) {
    let (mut count, mut sum, mut worst) = (0u64, 0.0, None);
    for (at, value) in values.enumerate() {
        let Some(value) = value else { continue };
        count += 1;
        sum += value;
        if worst.is_none_or(|(_, most)| value > most) {
            worst = Some((at, value));
        }
    }
    ((count > 0).then(|| sum / count as f64), worst)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"{"reference": {"qualities": [50], "mean": [[0, 0]], "variance": [[4, 4]],
        "bpp": 0.5, "bpp_deviation": 0.5, "escape_rate": 0.0}}"#;

    fn settings() -> DriftSettings {
        DriftSettings { min_frames: 5, learn_frames: 20, window_seconds: 60, ..Default::default() }
    }

    fn monitor(now: Instant) -> Monitor {
        Monitor::new(settings(), Reference::from_manifest(MANIFEST, 2), now)
    }

    /// Feeds frames of latents that `value` gives for a channel and a pseudo-random normal number.
    fn feed(monitor: &mut Monitor, now: Instant, frames: u64, value: impl Fn(usize, f64) -> f64) {
        let mut state = 1u64;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 40) as f64 / (1u64 << 24) as f64
        };
        for _ in 0..frames {
            let latents: Vec<i16> = (0..2 * 500)
                .map(|i| {
                    // Irwin-Hall: the sum of twelve uniforms is close to normal.
                    let normal = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
                    (value(i % 2, normal) * 16.0).round() as i16
                })
                .collect();
            let frame = Frame {
                latents: &latents,
                to_symbols: &[1.0 / 16.0; 2],
                bytes: 1000,
                pixels: 16_000,
                symbols: Some((1000, 0)),
            };
            let statistics = monitor.statistics(&frame, 50.0);
            monitor.frame(&statistics, now);
            monitor.size(50.0, frame.bytes, frame.pixels, now);
        }
    }

    #[test]
    fn pictures_like_the_training_raise_no_alarm() {
        let now = Instant::now();
        let mut monitor = monitor(now);
        feed(&mut monitor, now, 40, |_, normal| 2.0 * normal);
        let drift = monitor.drift(now);
        assert_eq!(drift.alarms, []);
        assert!(drift.kl.unwrap() < 0.01 && drift.psi.unwrap() < 0.01, "{drift:?}");
        assert!((drift.rate_ratio.unwrap() - 1.0).abs() < 1e-9);
        assert_eq!(drift.sampled, 40);
    }

    #[test]
    fn a_shift_is_noticed_by_both_measures() {
        let now = Instant::now();
        let mut monitor = monitor(now);
        feed(&mut monitor, now, 20, |_, normal| 2.0 * normal);
        let later = now + Duration::from_secs(120);
        feed(&mut monitor, later, 20, |_, normal| 2.0 * normal + 4.0);
        let drift = monitor.drift(later);
        assert_eq!(drift.alarms, [Alarm::Psi, Alarm::Kl], "{drift:?}");
        assert_eq!(drift.sampled, 20);
    }

    #[test]
    fn a_channel_that_died_is_named() {
        let now = Instant::now();
        let mut monitor = monitor(now);
        feed(&mut monitor, now, 10, |c, normal| if c == 1 { 0.0 } else { 2.0 * normal });
        let drift = monitor.drift(now);
        assert_eq!(drift.dead, [1]);
        assert!(drift.alarms.contains(&Alarm::DeadChannels));
    }

    #[test]
    fn too_few_frames_raise_no_alarm() {
        let now = Instant::now();
        let mut monitor = monitor(now);
        feed(&mut monitor, now, 4, |_, _| 100.0);
        assert_eq!(monitor.drift(now).alarms, []);
    }

    #[test]
    fn sizes_far_from_the_expected_are_anomalous() {
        let now = Instant::now();
        let mut monitor = monitor(now);
        // 0.5 bits a pixel are expected; four times as many are two octaves, four deviations.
        assert_eq!(monitor.size(50.0, 1000, 16_000, now), Some(0.0));
        assert_eq!(monitor.size(50.0, 4000, 16_000, now), Some(4.0));
        assert_eq!(monitor.size(50.0, 250, 16_000, now), Some(-4.0));
        assert_eq!(monitor.drift(now).anomalous, 2);
        for _ in 0..10 {
            monitor.size(50.0, 4000, 16_000, now);
        }
        assert_eq!(monitor.drift(now).alarms, [Alarm::Rate]);
    }

    #[test]
    fn without_a_reference_experience_tells_what_is_usual() {
        let now = Instant::now();
        let mut monitor = Monitor::new(settings(), None, now);
        for i in 0..LEARNED_FRAMES {
            assert_eq!(monitor.size(50.0, 1000 + i as usize, 16_000, now), None);
        }
        assert!(monitor.size(50.0, 1010, 16_000, now).unwrap().abs() < 1.0);
        assert!(monitor.size(50.0, 8000, 16_000, now).unwrap() > 4.0);
        let drift = monitor.drift(now);
        assert!(!drift.has_reference && drift.kl.is_none() && drift.alarms.is_empty());
    }
}
