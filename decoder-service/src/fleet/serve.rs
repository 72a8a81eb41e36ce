//! Requests through champion and challenger.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use pinhole::format::MetadataKind;
use pinhole_decoder::{Decoded, Request};
use tracing::Instrument;

use super::job::{Failure, Job, too_slow};
use super::pair::{Challenger, Pair};
use super::work::{STAGES, Work, times};
use super::{Fleet, Recent, Running};
use crate::cache::{Answer, CacheKey};
use crate::error::{ApiError, Kind};
use crate::limits::{Place, TooLate};
use crate::picture::{self, Carried, OutputFormat, WriteError};
use crate::rollout::Mode;
use crate::telemetry::{OutcomeLabels, VersionLabels};

/// An answer, and who gave it.
#[derive(Clone, Debug)]
pub struct Served {
    /// The answer.
    pub answer: Answer,
    /// Version that decoded it.
    pub version: u64,
    /// Whether that is a challenger.
    pub challenger: bool,
    /// Whether it was in the cache.
    pub cached: bool,
    /// Entity tag.
    pub etag: String,
}

impl Fleet {
    /// Decodes a stream with the model's champion, or with its challenger if that is whose turn it is. A challenger that
    /// fails costs time, not the request: the champion answers then.
    ///
    /// # Errors
    /// As the champion says.
    pub async fn decode(self: &Arc<Self>, pair: &Arc<Pair>, job: Job) -> Result<Served, ApiError> {
        if let Some(version) = job.version {
            let asked = pair.version(version).ok_or_else(|| {
                let detail = format!("version {version} does not serve");
                ApiError::new(Kind::NotFound, detail)
            })?;
            let served = self.cached(asked, &job, job.deadline).await;
            return served.map_err(Failure::into_error);
        }
        let mut failed = None;
        if let Some(challenger) = pair.canary(job.place) {
            match self.canary(pair, challenger, &job).await {
                Ok(served) => return Ok(served),
                Err(failure @ Failure::Load(_)) => return Err(failure.into_error()),
                Err(failure) => failed = Some((challenger, failure)),
            }
        }
        let start = Instant::now();
        let result = self.cached(&pair.champion, &job, job.deadline).await;
        self.judge(pair, &pair.champion, &result, start);
        if let Some((challenger, failure)) = failed {
            // A stream that neither can decode is the client's fault.
            if matches!(failure, Failure::Version(_)) || result.is_ok() {
                let (now, time) = (Instant::now(), start.elapsed());
                let version = challenger.running.version();
                challenger.rollout().failure(version, failure.error().detail(), time, now);
                self.metrics.fallbacks.get_or_create(&challenger.running.labels()).inc();
            }
        }
        if let (Ok(_), Some(challenger)) = (&result, pair.shadow(job.place)) {
            self.compare(pair, challenger, job);
        }
        result.map_err(Failure::into_error)
    }

    async fn canary(
        self: &Arc<Self>,
        pair: &Arc<Pair>,
        challenger: &Challenger,
        job: &Job,
    ) -> Result<Served, Failure> {
        let start = Instant::now();
        let limit = self.config.limits.challenger();
        let deadline = job.deadline.min(start + limit);
        let decode = self.cached(&challenger.running, job, deadline);
        let mut served = match tokio::time::timeout_at(deadline.into(), decode).await {
            Ok(result) => result?,
            Err(_) => return Err(too_slow(limit)),
        };
        served.challenger = true;
        let due = {
            let mut rollout = challenger.rollout();
            if !served.cached {
                let time = start.elapsed();
                rollout.success(challenger.running.version(), time, Instant::now());
            }
            rollout.wants_comparison()
        };
        if !served.cached && (due || self.sampled(challenger.plan.compare)) {
            self.compare(pair, challenger, job.clone());
        }
        Ok(served)
    }

    /// Tells the champion's side of a trial how a request went.
    fn judge(
        &self,
        pair: &Pair,
        champion: &Running,
        result: &Result<Served, Failure>,
        start: Instant,
    ) {
        let Some(challenger) = &pair.challenger else { return };
        let (now, time) = (Instant::now(), start.elapsed());
        match result {
            Ok(served) if !served.cached => {
                challenger.rollout().success(champion.version(), time, now);
            }
            Err(Failure::Version(error)) => {
                challenger.rollout().failure(champion.version(), error.detail(), time, now);
            }
            _ => {}
        }
    }

    /// Decodes with one version, unless the answer is known.
    async fn cached(
        self: &Arc<Self>,
        running: &Arc<Running>,
        job: &Job,
        deadline: Instant,
    ) -> Result<Served, Failure> {
        let key = CacheKey::new(&job.digest, running.name(), running.version(), &job.how());
        let (answer, cached) =
            self.cache.get_or_make(&key, self.make(running, job, deadline)).await?;
        let counter = if cached { &self.metrics.cache_hits } else { &self.metrics.cache_misses };
        counter.inc();
        let version = running.version();
        Ok(Served { answer, version, challenger: false, cached, etag: key.etag() })
    }

    /// Decodes, counts, watches, writes.
    async fn make(
        self: &Arc<Self>,
        running: &Arc<Running>,
        job: &Job,
        deadline: Instant,
    ) -> Result<Answer, Failure> {
        let start = Instant::now();
        let mut place = match self.enter(running, job) {
            Ok(place) => place,
            Err(late) => {
                let failure = Failure::Load(late.into());
                self.count(running, outcome(&failure));
                return Err(failure);
            }
        };
        let watch = self.sampled(self.config.drift.sample);
        let span = tracing::info_span!(
            "decode",
            model = running.name(),
            version = running.version(),
            decoder = tracing::field::Empty,
        );
        let result = self.picture(running, job, deadline, watch).instrument(span.clone()).await;
        let decoded = match result {
            Ok(decoded) => decoded,
            Err(failure) => {
                self.count(running, outcome(&failure));
                return Err(failure);
            }
        };
        span.record("decoder", decoded.decoder.name());
        times(&decoded).into_iter().for_each(|time| place.passed(time));
        self.count(running, "ok");
        let labels = running.labels();
        let metrics = &self.metrics;
        metrics.decode_seconds.get_or_create(&labels).observe(start.elapsed().as_secs_f64());
        let queued = decoded.timing.queued.as_secs_f64();
        metrics.queue_seconds.get_or_create(&labels).observe(queued);
        let anomaly = self.observe(running, job, &decoded, &labels);
        let bytes = job.stream.len();
        let (answer, writing) = self.write(decoded, job.format, anomaly).await?;
        place.passed(writing);
        let (width, height, _) = answer.shape;
        let pixels = u64::from(width) * u64::from(height);
        metrics.decoded_pixels.get_or_create(&labels).inc_by(pixels);
        self.remember(Recent {
            at: std::time::SystemTime::now(),
            model: running.name().to_owned(),
            version: running.version(),
            width,
            height,
            bytes,
            milliseconds: 1e3 * start.elapsed().as_secs_f64(),
            anomaly,
            damaged: answer.damaged,
        });
        Ok(answer)
    }

    /// A place for a stream, if its turn comes in time.
    fn enter(&self, running: &Running, job: &Job) -> Result<Place<Work, STAGES>, TooLate> {
        let until_deadline = job.deadline.saturating_duration_since(Instant::now());
        let allowed = self.config.limits.max_wait(until_deadline);
        self.admission.enter(Work::new(running, job), job.pixels, allowed)
    }

    async fn picture(
        &self,
        running: &Running,
        job: &Job,
        deadline: Instant,
        keep_latents: bool,
    ) -> Result<Decoded, Failure> {
        let options = job.options(self.config.limits.max_pixels, keep_latents);
        let request = Request::new(running.model(), job.stream.clone());
        let ticket = self.pipeline.submit(request.with_options(options).by(deadline))?;
        Ok(ticket.await?)
    }

    fn count(&self, running: &Running, outcome: &'static str) {
        let labels =
            OutcomeLabels { model: running.name().to_owned(), version: running.version(), outcome };
        self.metrics.decodes.get_or_create(&labels).inc();
    }

    /// Drift and anomaly of a decoded stream.
    fn observe(
        &self,
        running: &Arc<Running>,
        job: &Job,
        decoded: &Decoded,
        labels: &VersionLabels,
    ) -> Option<f64> {
        let header = pinhole::format::Header::parse(&job.stream).ok()?.header;
        let quality = f64::from(header.quality) / 100.0;
        let anomaly = running.size(quality, job.stream.len(), header.pixels());
        if let Some(score) = anomaly {
            self.metrics.anomaly.get_or_create(labels).observe(score);
        }
        if let Some(latents) = decoded.latents.clone() {
            let (running, bytes) = (Arc::clone(running), job.stream.len());
            // A millisecond of arithmetic that nobody waits for.
            tokio::task::spawn_blocking(move || running.latents(&latents, bytes));
        }
        anomaly
    }

    /// The answer, and how long a thread took to write it.
    async fn write(
        &self,
        decoded: Decoded,
        format: OutputFormat,
        anomaly: Option<f64>,
    ) -> Result<(Answer, Duration), Failure> {
        let picture = decoded.picture;
        let channels = picture.format().channels() as u8;
        let shape = (picture.width(), picture.height(), channels);
        let damaged = decoded.damaged.len();
        let (body, time) = if format == OutputFormat::Raw {
            (Bytes::from(picture.into_data()), Duration::ZERO)
        } else {
            let carried = carried(&decoded.metadata);
            let permit = self.writers.acquire().await;
            let work = move || {
                let start = Instant::now();
                picture::write(&picture, &carried, format).map(|bytes| (bytes, start.elapsed()))
            };
            let written = tokio::task::spawn_blocking(work).await;
            drop(permit);
            let internal = |words: String| {
                tracing::error!(error = words, "a picture could not be written");
                Failure::Version(ApiError::new(Kind::Internal, "the picture could not be written"))
            };
            match written {
                Ok(Ok((bytes, time))) => (Bytes::from(bytes), time),
                Ok(Err(error @ (WriteError::Alpha | WriteError::Side { .. }))) => {
                    let error = ApiError::new(Kind::NotAcceptable, error.to_string());
                    return Err(Failure::Client(error));
                }
                Ok(Err(error)) => return Err(internal(error.to_string())),
                Err(error) => return Err(internal(error.to_string())),
            }
        };
        Ok((Answer { body, shape, anomaly, damaged }, time))
    }

    /// Decodes with both, beside the traffic, and notes how far the pictures are apart.
    fn compare(self: &Arc<Self>, pair: &Arc<Pair>, challenger: &Challenger, job: Job) {
        // Comparisons never crowd out requests: few at a time, none while there is a queue.
        let Ok(permit) = Arc::clone(&self.comparers).try_acquire_owned() else { return };
        let load = self.pipeline.load();
        if 2 * load.waiting > load.capacity {
            return;
        }
        let (fleet, pair, challenger) = (Arc::clone(self), Arc::clone(pair), challenger.clone());
        tokio::spawn(async move {
            let limit = fleet.config.limits.challenger();
            let deadline = Instant::now() + limit + Duration::from_millis(1);
            let start = Instant::now();
            let tried = fleet.picture(&challenger.running, &job, deadline, false);
            let tried = match tokio::time::timeout(limit, tried).await {
                Ok(result) => result,
                Err(_) => Err(too_slow(limit)),
            };
            let (time, version) = (start.elapsed(), challenger.running.version());
            let shadow = challenger.plan.mode == Mode::Shadow;
            match &tried {
                Ok(_) if shadow => {
                    challenger.rollout().success(version, time, Instant::now());
                }
                // The champion decoded this stream: that it fails is the challenger's fault.
                Err(failure @ (Failure::Version(_) | Failure::Client(_))) if shadow => {
                    let words = failure.error().detail();
                    challenger.rollout().failure(version, words, time, Instant::now());
                }
                _ => {}
            }
            let Ok(tried) = tried else { return };
            let deadline = Instant::now() + limit;
            let Ok(known) = fleet.picture(&pair.champion, &job, deadline, false).await else {
                return;
            };
            let work = move || picture::compare(&known.picture, &tried.picture);
            if let Ok(Some(comparison)) = tokio::task::spawn_blocking(work).await {
                challenger.rollout().compared(comparison, Instant::now());
            }
            drop(permit);
        });
    }

    /// Whether this request is among a share of all, evenly spread.
    fn sampled(&self, share: f64) -> bool {
        // Fibonacci hashing of a counter: low discrepancy, no randomness needed.
        let n = self.counter.fetch_add(1, Ordering::Relaxed);
        let place = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        crate::rollout::takes_challenger(place, share)
    }
}

fn carried(metadata: &[(MetadataKind, Vec<u8>)]) -> Carried {
    let find = |kind| metadata.iter().find(|(own, _)| *own == kind).map(|(_, data)| data.clone());
    Carried { icc: find(MetadataKind::Icc), exif: find(MetadataKind::Exif) }
}

fn outcome(failure: &Failure) -> &'static str {
    match failure {
        Failure::Client(_) => "client_error",
        Failure::Version(_) => "model_error",
        Failure::Load(_) => "refused",
    }
}
