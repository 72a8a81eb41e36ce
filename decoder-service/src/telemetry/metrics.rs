//! Metrics in the OpenMetrics text format, which Prometheus reads.

use std::sync::atomic::{AtomicI64, AtomicU64};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// A request's place and end.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabels {
    /// The route as declared: few different ones, whatever clients ask for.
    pub route: String,
    /// HTTP method.
    pub method: String,
    /// HTTP status.
    pub status: u16,
}

/// A version of a model.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VersionLabels {
    /// The model.
    pub model: String,
    /// Its version.
    pub version: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RouteOnly {
    pub(crate) route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct OutcomeLabels {
    pub(crate) model: String,
    pub(crate) version: u64,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RoleLabels {
    pub(crate) model: String,
    pub(crate) version: u64,
    pub(crate) role: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct AlarmLabels {
    pub(crate) model: String,
    pub(crate) version: u64,
    pub(crate) alarm: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ChannelLabels {
    pub(crate) model: String,
    pub(crate) version: u64,
    pub(crate) channel: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct ModelLabels {
    pub(crate) model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RollbackLabels {
    pub(crate) model: String,
    pub(crate) cause: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct RejectLabels {
    pub(crate) code: &'static str,
}

type FloatGauge = Gauge<f64, AtomicU64>;
type HistogramOf<L> = Family<L, Histogram, fn() -> Histogram>;

/// Everything that is counted.
pub struct Metrics {
    registry: Registry,
    pub(crate) requests: Family<RouteLabels, Counter>,
    pub(crate) request_seconds: HistogramOf<RouteOnly>,
    pub(crate) rejects: Family<RejectLabels, Counter>,
    pub(crate) decodes: Family<OutcomeLabels, Counter>,
    pub(crate) decode_seconds: HistogramOf<VersionLabels>,
    pub(crate) queue_seconds: HistogramOf<VersionLabels>,
    pub(crate) encodes: Family<OutcomeLabels, Counter>,
    pub(crate) decoded_pixels: Family<VersionLabels, Counter>,
    pub(crate) queue_depth: Gauge,
    pub(crate) queue_capacity: Gauge,
    pub(crate) queue_wait: FloatGauge,
    pub(crate) connections: Gauge<i64, AtomicI64>,
    pub(crate) body_bytes: Gauge<i64, AtomicI64>,
    pub(crate) resident_bytes: Gauge<i64, AtomicI64>,
    pub(crate) cache_hits: Counter,
    pub(crate) cache_misses: Counter,
    pub(crate) cache_bytes: Gauge<i64, AtomicI64>,
    pub(crate) roles: Family<RoleLabels, Gauge>,
    pub(crate) rollout_share: Family<VersionLabels, FloatGauge>,
    pub(crate) rollout_psnr: Family<VersionLabels, FloatGauge>,
    pub(crate) rollout_ssimulacra2: Family<VersionLabels, FloatGauge>,
    pub(crate) fallbacks: Family<VersionLabels, Counter>,
    pub(crate) promotions: Family<ModelLabels, Counter>,
    pub(crate) rollbacks: Family<RollbackLabels, Counter>,
    pub(crate) reloads: Counter,
    pub(crate) reload_failures: Counter,
    pub(crate) repository_up: Gauge<i64, AtomicI64>,
    pub(crate) anomaly: HistogramOf<VersionLabels>,
    pub(crate) drift_psi: Family<VersionLabels, FloatGauge>,
    pub(crate) drift_kl: Family<VersionLabels, FloatGauge>,
    pub(crate) drift_bpp: Family<VersionLabels, FloatGauge>,
    pub(crate) drift_rate_ratio: Family<VersionLabels, FloatGauge>,
    pub(crate) drift_escape_rate: Family<VersionLabels, FloatGauge>,
    pub(crate) drift_dead: Family<VersionLabels, Gauge>,
    pub(crate) drift_frames: Family<VersionLabels, Gauge>,
    pub(crate) drift_alarm: Family<AlarmLabels, Gauge>,
    pub(crate) channel_mean: Family<ChannelLabels, FloatGauge>,
    pub(crate) channel_variance: Family<ChannelLabels, FloatGauge>,
}

fn seconds() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0,
        10.0,
    ])
}

fn deviations() -> Histogram {
    Histogram::new([-6.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0])
}

/// Makes a metric and registers it.
macro_rules! family {
    ($registry:ident, $name:literal, $help:literal, $metric:expr) => {{
        let metric = $metric;
        $registry.register($name, $help, metric.clone());
        metric
    }};
}

impl Metrics {
    /// All metrics at zero.
    pub fn new() -> Self {
        let mut all = Registry::with_prefix("pinhole");
        let registry = &mut all;
        let histogram = || Family::new_with_constructor(seconds as fn() -> Histogram);
        let own = Metrics {
            requests: family!(registry, "requests", "HTTP requests", Family::default()),
            request_seconds: family!(
                registry,
                "request_seconds",
                "Time from a request's headers to its answer",
                Family::new_with_constructor(seconds as fn() -> Histogram)
            ),
            rejects: family!(registry, "problems", "Errors by code", Family::default()),
            decodes: family!(registry, "decodes", "Decoded streams by outcome", Family::default()),
            decode_seconds: family!(
                registry,
                "decode_seconds",
                "Time of a decode, waiting included",
                histogram()
            ),
            queue_seconds: family!(
                registry,
                "queue_seconds",
                "Time that a stream waited for a worker",
                histogram()
            ),
            encodes: family!(registry, "encodes", "Encoded pictures by outcome", Family::default()),
            decoded_pixels: family!(
                registry,
                "decoded_pixels",
                "Pixels of decoded pictures",
                Family::default()
            ),
            queue_depth: family!(
                registry,
                "queue_depth",
                "Streams that wait or are decoded",
                Gauge::default()
            ),
            queue_capacity: family!(
                registry,
                "queue_capacity",
                "Streams that may wait",
                Gauge::default()
            ),
            queue_wait: family!(
                registry,
                "queue_wait_seconds",
                "Time that a stream that came now would wait, by estimate",
                FloatGauge::default()
            ),
            connections: family!(registry, "connections", "Open connections", Gauge::default()),
            body_bytes: family!(
                registry,
                "body_bytes",
                "Bytes of bodies in memory",
                Gauge::default()
            ),
            resident_bytes: family!(
                registry,
                "resident_bytes",
                "Resident memory of the process",
                Gauge::default()
            ),
            cache_hits: family!(
                registry,
                "cache_hits",
                "Answers from the cache",
                Counter::default()
            ),
            cache_misses: family!(registry, "cache_misses", "Answers made", Counter::default()),
            cache_bytes: family!(
                registry,
                "cache_bytes",
                "Bytes of cached answers",
                Gauge::default()
            ),
            roles: family!(
                registry,
                "model_role",
                "1 for each version that serves, by role",
                Family::default()
            ),
            rollout_share: family!(
                registry,
                "rollout_share",
                "Share of requests that a challenger gets",
                Family::default()
            ),
            rollout_psnr: family!(
                registry,
                "rollout_psnr",
                "Mean PSNR of a challenger against its champion, dB",
                Family::default()
            ),
            rollout_ssimulacra2: family!(
                registry,
                "rollout_ssimulacra2",
                "Mean SSIMULACRA2 of a challenger against its champion",
                Family::default()
            ),
            fallbacks: family!(
                registry,
                "fallbacks",
                "Requests that a challenger failed and its champion answered",
                Family::default()
            ),
            promotions: family!(registry, "promotions", "Promotions", Family::default()),
            rollbacks: family!(registry, "rollbacks", "Rollbacks by cause", Family::default()),
            reloads: family!(
                registry,
                "reloads",
                "Changes taken from the repository",
                Counter::default()
            ),
            reload_failures: family!(
                registry,
                "reload_failures",
                "Changes that could not be taken",
                Counter::default()
            ),
            repository_up: family!(
                registry,
                "repository_up",
                "1 if the repository answered last time",
                Gauge::default()
            ),
            anomaly: family!(
                registry,
                "anomaly_score",
                "Deviation of a frame's bits from the expected",
                Family::new_with_constructor(deviations as fn() -> Histogram)
            ),
            drift_psi: family!(
                registry,
                "drift_psi",
                "Population stability index, mean over channels",
                Family::default()
            ),
            drift_kl: family!(
                registry,
                "drift_kl",
                "Kullback-Leibler divergence in nats, mean over channels",
                Family::default()
            ),
            drift_bpp: family!(registry, "drift_bpp", "Bits per pixel", Family::default()),
            drift_rate_ratio: family!(
                registry,
                "drift_rate_ratio",
                "Bits over those the reference expects",
                Family::default()
            ),
            drift_escape_rate: family!(
                registry,
                "drift_escape_rate",
                "Escaped symbols among those read",
                Family::default()
            ),
            drift_dead: family!(
                registry,
                "drift_dead_channels",
                "Channels that should vary and do not",
                Family::default()
            ),
            drift_frames: family!(
                registry,
                "drift_frames",
                "Frames in the drift window",
                Family::default()
            ),
            drift_alarm: family!(
                registry,
                "drift_alarm",
                "1 for each alarm that is raised",
                Family::default()
            ),
            channel_mean: family!(
                registry,
                "channel_mean",
                "Mean of a latent channel, in symbols",
                Family::default()
            ),
            channel_variance: family!(
                registry,
                "channel_variance",
                "Variance of a latent channel, in symbols squared",
                Family::default()
            ),
            registry: Registry::default(),
        };
        Metrics { registry: all, ..own }
    }

    /// Forgets the gauges of all versions: those that still serve set them again.
    pub(crate) fn clear_versions(&self) {
        self.roles.clear();
        self.drift_frames.clear();
        self.drift_dead.clear();
        self.drift_alarm.clear();
        self.channel_mean.clear();
        self.channel_variance.clear();
        let numbers = [
            &self.rollout_share,
            &self.rollout_psnr,
            &self.rollout_ssimulacra2,
            &self.drift_psi,
            &self.drift_kl,
            &self.drift_bpp,
            &self.drift_rate_ratio,
            &self.drift_escape_rate,
        ];
        numbers.into_iter().for_each(Family::clear);
    }

    /// The text for Prometheus.
    ///
    /// # Errors
    /// None: writing to a string does not fail.
    pub fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_what_was_counted() {
        let metrics = Metrics::new();
        let version = VersionLabels { model: "photo".to_owned(), version: 3 };
        metrics.drift_psi.get_or_create(&version).set(0.125);
        let labels =
            RouteLabels { route: "/v1/decode".to_owned(), method: "POST".to_owned(), status: 200 };
        metrics.requests.get_or_create(&labels).inc();
        let text = metrics.text().unwrap();
        assert!(text.contains("pinhole_drift_psi{model=\"photo\",version=\"3\"} 0.125"), "{text}");
        assert!(text.contains(
            "pinhole_requests_total{route=\"/v1/decode\",method=\"POST\",status=\"200\"} 1"
        ));
        assert!(text.ends_with("# EOF\n"));
    }
}
